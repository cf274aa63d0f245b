//! `bind`, `unbind`, `restore`: which driver has a card.
//!
//! All cards are checked before the first one is moved, so a refusal leaves everything as it was.

use std::collections::BTreeSet;

use anyhow::{anyhow, bail, ensure};
use gannet_bus::sysfs::{PciAddress, PciDevice};
use gannet_bus::vfio::Users;
use serde::Serialize;

use crate::answer::{Answer, Status};
use crate::cards;
use crate::cli::Caution;
use crate::driver_switch::{self, VFIO_PCI};
use crate::group;
use crate::host::Host;
use crate::routes;
use crate::state::State;

/// What became of a card.
#[derive(Debug, Serialize)]
struct Moved {
    address: String,
    from: Option<String>,
    to: Option<String>,
    /// Why it was not moved, or what could not be found out of it afterwards.
    error: Option<String>,
    /// What is still to do before it can be used.
    hint: Option<String>,
}

/// Gives cards to vfio-pci.
///
/// # Errors
/// A card that cannot or should not be taken: none is then.
pub(crate) fn bind(host: &Host, addresses: &[PciAddress], caution: Caution) -> anyhow::Result<Answer> {
    let cards = find(host, addresses)?;
    ensure!(
        host.has(driver_switch::folder(VFIO_PCI)),
        "the kernel's driver vfio-pci is not loaded: sudo modprobe vfio-pci"
    );
    for card in &cards {
        may_bind(host, card, caution)?;
    }
    let mut state = State::open(host)?;
    let mut moved = Vec::new();
    for card in &cards {
        moved.push(carry_out(card, |driver| match driver {
            Some(VFIO_PCI) => Ok(()),
            driver => {
                remember(&mut state, card, driver)?;
                driver_switch::to_vfio(host, card)
            }
        }));
    }
    // Only now: the cards named may have been in each other's way.
    for (card, moved) in cards.iter().zip(&mut moved) {
        match viability_hint(host, card) {
            Ok(hint) => moved.hint = hint,
            Err(why) => moved.error = moved.error.take().or(Some(format!("{why:#}"))),
        }
    }
    Ok(answer(&moved))
}

/// Leaves devices without a driver.
///
/// # Errors
/// A device that cannot or should not be taken: none is then.
pub(crate) fn unbind(host: &Host, addresses: &[PciAddress], caution: Caution) -> anyhow::Result<Answer> {
    let devices = find(host, addresses)?;
    let users = Users::find(&host.sysfs);
    for device in &devices {
        let (address, class) = (device.address(), device.class());
        ensure!(
            cards::is_network(device) || caution == Caution::Force,
            "{address} is no network card (class {class:#08x}), and the machine may need it; --force takes it nevertheless"
        );
        is_free(&users, device)?;
        has_no_virtual_functions(device)?;
        spares_network(host, device, caution)?;
    }
    let mut state = State::open(host)?;
    let mut moved = Vec::new();
    for device in &devices {
        moved.push(carry_out(device, |driver| {
            remember(&mut state, device, driver)?;
            driver_switch::to_nobody(host, device)
        }));
    }
    Ok(answer(&moved))
}

/// Gives cards back to the kernel's drivers; without addresses, all that were taken.
///
/// # Errors
/// A card that is in use: none is given back then.
pub(crate) fn restore(host: &Host, addresses: &[PciAddress]) -> anyhow::Result<Answer> {
    let mut state = State::open(host)?;
    let cards = if addresses.is_empty() { still_there(host, &mut state)? } else { find(host, addresses)? };
    let users = Users::find(&host.sysfs);
    for card in &cards {
        is_free(&users, card)?;
    }
    let mut moved = Vec::new();
    for card in &cards {
        moved.push(carry_out(card, |now| {
            let driver = state.driver(card.address());
            if let Some(driver) = driver {
                let loaded = host.has(driver_switch::folder(driver));
                ensure!(loaded, "its driver {driver} is not loaded: sudo modprobe {driver}");
            }
            if matches!(now, None | Some(VFIO_PCI)) {
                driver_switch::to_kernel(host, card, driver)?;
            }
            state.forget(card.address())
        }));
    }
    for (card, moved) in cards.iter().zip(&mut moved).filter(|(_, moved)| moved.to.is_none() && moved.error.is_none()) {
        // Gannet's drivers are named after the kernel's.
        let load = cards::known(card).map(|known| format!(": sudo modprobe {}", known.driver.name()));
        moved.hint = Some(format!("no driver of the kernel has taken it{}", load.unwrap_or_default()));
    }
    Ok(answer(&moved))
}

/// The devices, each once.
fn find(host: &Host, addresses: &[PciAddress]) -> anyhow::Result<Vec<PciDevice>> {
    let unique: BTreeSet<PciAddress> = addresses.iter().copied().collect();
    unique.into_iter().map(|address| Ok(host.sysfs.device(address)?)).collect()
}

/// The cards that were taken. Those that have left the machine since are forgotten.
fn still_there(host: &Host, state: &mut State) -> anyhow::Result<Vec<PciDevice>> {
    let mut devices = Vec::new();
    for address in state.addresses() {
        match host.sysfs.device(address) {
            Ok(device) => devices.push(device),
            Err(gannet_bus::Error::NoDevice { .. }) => state.forget(address)?,
            Err(why) => return Err(why.into()),
        }
    }
    Ok(devices)
}

/// Checks that vfio-pci can have a card, and that the machine can spare it.
fn may_bind(host: &Host, card: &PciDevice, caution: Caution) -> anyhow::Result<()> {
    let (address, class) = (card.address(), card.class());
    if card.driver()?.as_deref() == Some(VFIO_PCI) {
        return Ok(());
    }
    ensure!(cards::is_network(card), "{address} is no network card (class {class:#08x}): nothing to bind");
    ensure!(
        card.iommu_group()?.is_some(),
        "{address} has no IOMMU group: the IOMMU is off, and `nicctl doctor {address}` says how to switch it on"
    );
    has_no_virtual_functions(card)?;
    spares_network(host, card, caution)
}

/// Checks that a card has no virtual functions. vfio-pci does not take it with them, and without a driver it would leave them to themselves.
fn has_no_virtual_functions(card: &PciDevice) -> anyhow::Result<()> {
    let (address, functions) = (card.address(), card.virtual_functions()?);
    ensure!(
        functions == 0,
        "{address} has {functions} virtual functions, and can be taken only without: \
         echo 0 | sudo tee /sys/bus/pci/devices/{address}/sriov_numvfs"
    );
    Ok(())
}

fn spares_network(host: &Host, device: &PciDevice, caution: Caution) -> anyhow::Result<()> {
    if caution == Caution::Force {
        return Ok(());
    }
    match routes::need(host, device)? {
        Some(need) => bail!(
            "the machine's network needs {}: {need}; without it the machine may lose its network, and this session with it; name \
             another card, or take it nevertheless with --force",
            device.address()
        ),
        None => Ok(()),
    }
}

/// Checks that no program has a card through VFIO: the kernel would wait for it without end. It may be waiting already: then the card has no
/// driver any more.
fn is_free(users: &Users, device: &PciDevice) -> anyhow::Result<()> {
    match users.of(device)?.first() {
        Some(process) if matches!(device.driver()?.as_deref(), None | Some(VFIO_PCI)) => {
            bail!("{} is in use by {process}: end it first, as with kill {}", device.address(), process.pid)
        }
        _ => Ok(()),
    }
}

fn remember(state: &mut State, device: &PciDevice, driver: Option<&str>) -> anyhow::Result<()> {
    match driver {
        Some(VFIO_PCI) => Ok(()),
        driver => state.remember(device.address(), driver),
    }
}

/// Moves a device, and says from where to where. `action` is told the driver that it has.
fn carry_out(device: &PciDevice, action: impl FnOnce(Option<&str>) -> anyhow::Result<()>) -> Moved {
    let from = device.driver();
    let done = match &from {
        Ok(driver) => action(driver.as_deref()),
        Err(why) => Err(anyhow!("{why}")),
    };
    let to = device.driver();
    let error = done.err().map(|why| format!("{why:#}")).or_else(|| Some(to.as_ref().err()?.to_string()));
    Moved { address: device.address().to_string(), from: from.ok().flatten(), to: to.ok().flatten(), error, hint: None }
}

fn viability_hint(host: &Host, card: &PciDevice) -> anyhow::Result<Option<String>> {
    let blockers = group::blockers(host, card)?;
    let Some(group) = card.iommu_group()?.filter(|_| !blockers.is_empty()) else { return Ok(None) };
    let lines = blockers.iter().map(|blocker| {
        format!("\n    {} has driver {}: {}", blocker.device.address(), blocker.driver, group::remedy(blocker))
    });
    Ok(Some(format!(
        "no program can use it while others of its IOMMU group {group} are with the kernel:{}",
        lines.collect::<String>()
    )))
}

fn answer(moved: &[Moved]) -> Answer {
    let mut table = String::new();
    let mut errors = Vec::new();
    for Moved { address, from, to, error, hint } in moved {
        let name = |driver: &Option<String>| driver.clone().unwrap_or_else(|| "no driver".into());
        let way =
            if from == to { format!("stays with {}", name(to)) } else { format!("{} -> {}", name(from), name(to)) };
        table += &format!("{address}  {way}\n");
        table.extend(hint.iter().map(|hint| format!("  {hint}\n")));
        errors.extend(error.iter().map(|error| format!("{address}: {error}")));
    }
    if moved.is_empty() {
        table = "no card is taken from the kernel: nothing to restore\n".into();
    }
    let status = if errors.is_empty() { Status::Fine } else { Status::Failed };
    Answer { table, json: serde_json::json!({ "cards": moved }), errors, status }
}
