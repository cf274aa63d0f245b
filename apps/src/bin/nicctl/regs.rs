//! `regs`: a card's registers by name.
//!
//! Only registers that a look leaves alone are shown ([`gannet_spec::Named`]); the card keeps its user and does not notice.

use anyhow::{bail, ensure};
use gannet::{Pmd, RegisterValue};
use gannet_apps::registers::{self, Meant};
use gannet_bus::resource::Resource;
use gannet_bus::sysfs::PciDevice;
use gannet_bus::{Device, Registers};
use gannet_sim::peer::sink::Sink;
use gannet_sim::x82599::{self, NicOptions};

use crate::answer::Answer;
use crate::cards;
use crate::cli::Card;
use crate::host::Host;
use crate::table;

/// Device status, at the same place in all of Intel's controllers, and never all ones while the card answers.
const STATUS: u32 = 0x8;

/// Shows registers of a card; all, if none are named.
///
/// # Errors
/// No such card or register, or the kernel does not let them be read.
pub(crate) fn run(host: &Host, card: &Card, names: &[String]) -> anyhow::Result<Answer> {
    let values = match *card {
        Card::Pci(address) => {
            let device = host.sysfs.device(address)?;
            let Some(known) = cards::known(&device) else {
                bail!("{address} ({}) is no card that Gannet knows: `nicctl list` says which are", cards::id(&device));
            };
            // A name that is wrong is said before what is in the way of reading.
            let meant = meant(names, known.driver)?;
            read(&open(host, &device)?, &meant)
        }
        Card::SimIxgbe => {
            let meant = meant(names, Pmd::Ixgbe)?;
            let (device, _nic) = x82599::new(NicOptions::default(), Box::new(Sink::new().0));
            read(&device.bar(0)?, &meant)
        }
    };
    let table = table::columns(registers::TITLES, &registers::lines(&values));
    Ok(Answer::fine(table, serde_json::json!({ "card": card.to_string(), "registers": registers::json(&values) })))
}

/// What the names mean, each for itself; all registers without names.
fn meant(names: &[String], driver: Pmd) -> anyhow::Result<Vec<Meant>> {
    let all = [String::new()];
    let names = if names.is_empty() { &all } else { names };
    names.iter().map(|name| Meant::by(name, driver.registers())).collect()
}

/// The registers of a card that is awake.
fn open(host: &Host, device: &PciDevice) -> anyhow::Result<Resource> {
    let address = device.address();
    // VFIO puts a card that nobody uses to sleep, and then all its registers read as ones.
    let power = host.text(format!("/sys/bus/pci/devices/{address}/power_state"));
    if let Some(state) = power.filter(|state| state.starts_with("D3")) {
        bail!(
            "{address} sleeps ({state}): nobody uses it, and its registers do not answer; to keep it awake: \
             echo on | sudo tee /sys/bus/pci/devices/{address}/power/control"
        );
    }
    let bar = Resource::open(device, 0)?;
    ensure!(
        bar.read(STATUS) != u32::MAX,
        "{address} answers all ones: it is asleep or gone, or its memory space is off (lspci -vs {address} tells)"
    );
    Ok(bar)
}

fn read(bar: &impl Registers, meant: &[Meant]) -> Vec<RegisterValue> {
    meant.iter().flat_map(|meant| meant.read(|offset| bar.read(offset))).collect()
}
