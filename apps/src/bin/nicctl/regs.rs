//! `regs`: a card's registers by name.
//!
//! Only registers that a look leaves alone are shown ([`gannet_spec::Named`]); the card keeps its user and does not notice.

use anyhow::{anyhow, bail, ensure};
use gannet::Pmd;
use gannet_bus::resource::Resource;
use gannet_bus::sysfs::PciAddress;
use gannet_bus::{Device, Registers};
use gannet_sim::peer::sink::Sink;
use gannet_sim::x82599::{self, NicOptions};
use gannet_spec::Named;
use serde::Serialize;

use crate::answer::Answer;
use crate::cards;
use crate::cli::Card;
use crate::host::Host;
use crate::table;

/// Device status, at the same place in all of Intel's controllers, and never all ones while the card answers.
const STATUS: u32 = 0x8;

/// A register and its value.
#[derive(Debug, Serialize)]
struct Value {
    /// The datasheet's name.
    name: &'static str,
    /// Which of an array it is.
    index: Option<u32>,
    offset: u32,
    value: u32,
    /// Its fields in words.
    fields: String,
}

/// A register that is asked for.
struct Wanted<'a> {
    register: &'a Named,
    index: Option<u32>,
}

/// Shows registers of a card; all, if none are named.
///
/// # Errors
/// No such card or register, or the kernel does not let them be read.
pub(crate) fn run(host: &Host, card: &Card, names: &[String]) -> anyhow::Result<Answer> {
    let values = match *card {
        Card::Pci(address) => of_card(host, address, names)?,
        Card::SimIxgbe => {
            let (device, _nic) = x82599::new(NicOptions::default(), Box::new(Sink::new().0));
            read(&device.bar(0)?, &choose(Pmd::Ixgbe, names)?)
        }
    };
    // Of an array, neighbours with the same value share a line.
    let alike = |one: &Value, next: &Value| (one.name, one.value) == (next.name, next.value);
    let rows: Vec<_> = values.chunk_by(alike).map(row).collect();
    let table = table::columns(["REGISTER", "OFFSET", "VALUE", "FIELDS THAT ARE SET"], &rows);
    Ok(Answer::fine(table, serde_json::json!({ "card": card.to_string(), "registers": values })))
}

/// A line of the table: one register, or neighbours of an array with the same value.
fn row(registers: &[Value]) -> [String; 4] {
    let Value { name, index, offset, value, fields } = &registers[0];
    let name = match (index, registers.last().and_then(|last| last.index)) {
        (Some(first), Some(last)) if first < &last => format!("{name}[{first}-{last}]"),
        (Some(index), _) => format!("{name}[{index}]"),
        (None, _) => (*name).to_owned(),
    };
    [name, format!("{offset:#07x}"), format!("{value:#010x}"), fields.clone()]
}

fn of_card(host: &Host, address: PciAddress, names: &[String]) -> anyhow::Result<Vec<Value>> {
    let device = host.sysfs.device(address)?;
    let Some(known) = cards::known(&device) else {
        bail!("{address} ({}) is no card that Gannet knows: `nicctl list` says which are", cards::id(&device));
    };
    let wanted = choose(known.driver, names)?;
    // VFIO puts a card that nobody uses to sleep, and then all its registers read as ones.
    let power = host.text(format!("/sys/bus/pci/devices/{address}/power_state"));
    if let Some(state) = power.filter(|state| state.starts_with("D3")) {
        bail!(
            "{address} sleeps ({state}): nobody uses it, and its registers do not answer; to keep it awake: \
             echo on | sudo tee /sys/bus/pci/devices/{address}/power/control"
        );
    }
    let bar = Resource::open(&device, 0)?;
    ensure!(
        bar.read(STATUS) != u32::MAX,
        "{address} answers all ones: it is asleep or gone, or its memory space is off (lspci -vs {address} tells)"
    );
    Ok(read(&bar, &wanted))
}

/// The registers that `names` name; all, if there are none.
fn choose<'a>(driver: Pmd, names: &[String]) -> anyhow::Result<Vec<Wanted<'a>>> {
    let registers = cards::registers(driver)
        .ok_or_else(|| anyhow!("the registers of {} cards have no names here", driver.name()))?;
    if names.is_empty() {
        return Ok(registers.iter().map(|register| Wanted { register, index: None }).collect());
    }
    names.iter().map(|name| find(registers, name)).collect()
}

/// The register that is meant by `RDT` or `rdt[3]`.
fn find<'a>(registers: &'a [Named], text: &str) -> anyhow::Result<Wanted<'a>> {
    let (name, index) = match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
        Some((name, index)) => (name, Some(index)),
        None => (text, None),
    };
    let Some(register) = registers.iter().find(|register| register.name.eq_ignore_ascii_case(name)) else {
        let names: Vec<&str> = registers.iter().map(|register| register.name).collect();
        bail!("no register {name:?}; there are: {}", names.join(", "));
    };
    let count = register.count();
    let index = match index.map(str::parse::<u32>) {
        None => None,
        Some(Ok(index)) if index < count => Some(index),
        Some(_) if count == 1 => bail!("{text:?}: {} is a single register", register.name),
        Some(_) => bail!("{text:?}: {} has registers 0 to {}", register.name, count - 1),
    };
    Ok(Wanted { register, index })
}

fn read(bar: &impl Registers, wanted: &[Wanted<'_>]) -> Vec<Value> {
    let mut values = Vec::new();
    for &Wanted { register, index } in wanted {
        for (at, offset) in (0..).zip(register.offsets()).filter(|(at, _)| index.is_none_or(|index| index == *at)) {
            let value = bar.read(offset);
            let index = (register.count() > 1).then_some(at);
            values.push(Value {
                name: register.name,
                index,
                offset,
                value,
                fields: set_fields(&register.decode(value)),
            });
        }
    }
    values
}

/// The fields that are not 0 of a value in words: "Status { lan_id: 0, link_up: true, speed: 2 }" is "link_up, speed 2".
fn set_fields(decoded: &str) -> String {
    let fields = inside_braces(decoded).map(split_fields).unwrap_or_default();
    let set = fields.into_iter().filter_map(|field| match field.split_once(": ")? {
        (_, "false" | "0") => None,
        (name, "true") => Some(name.to_owned()),
        (name, value) if inside_braces(value).is_some() => {
            // A field of fields.
            Some(set_fields(value)).filter(|inner| !inner.is_empty()).map(|inner| format!("{name} ({inner})"))
        }
        (name, value) => Some(format!("{name} {value}")),
    });
    set.collect::<Vec<_>>().join(", ")
}

fn inside_braces(text: &str) -> Option<&str> {
    text.split_once('{')?.1.trim_end().strip_suffix('}')
}

/// Splits at the commas that are not within braces.
fn split_fields(fields: &str) -> Vec<&str> {
    let mut depth = 0;
    let separates = |character: char| {
        depth += i32::from(character == '{') - i32::from(character == '}');
        character == ',' && depth == 0
    };
    fields.split(separates).map(str::trim).collect()
}
