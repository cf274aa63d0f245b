//! Registers of cards for people: which ones a name means, and how they are shown.

use anyhow::bail;
use gannet::RegisterValue;
use serde_json::{Value, json};

use crate::values;

/// Titles of the columns of [`lines`].
pub const TITLES: [&str; 4] = ["REGISTER", "OFFSET", "VALUE", "FIELDS THAT ARE SET"];

/// Those of `registers` that `text` means, in capitals or not: a register or a whole array, as `RDT`; one of an array, as `RDT[3]`; or else all that
/// begin so, as `RD` or `RD[3]`, or nothing for all.
///
/// # Errors
/// It means none; with the nearest name, or all.
pub fn named(registers: &[RegisterValue], text: &str) -> anyhow::Result<Vec<RegisterValue>> {
    let (name, index) = match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
        Some((name, index)) => (name, Some(index)),
        None => (text, None),
    };
    let meant = by_name(registers, name)?;
    let Some(index) = index else { return Ok(meant) };
    let index = index.parse().ok();
    let (one, others): (Vec<_>, Vec<_>) =
        meant.into_iter().partition(|register| register.index.is_some() && register.index == index);
    match (one.as_slice(), others.last()) {
        ([], Some(RegisterValue { name, index: Some(last), .. })) => {
            bail!("{text:?}: {name} has registers 0 to {last}")
        }
        ([], Some(RegisterValue { name, index: None, .. })) => bail!("{text:?}: {name} is a single register"),
        _ => Ok(one),
    }
}

/// The registers of this name; if none has it, those whose names begin so.
fn by_name(registers: &[RegisterValue], name: &str) -> anyhow::Result<Vec<RegisterValue>> {
    let is = |register: &&RegisterValue| register.name.eq_ignore_ascii_case(name);
    let begins = |register: &&RegisterValue| {
        register.name.get(..name.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(name))
    };
    let mut meant: Vec<RegisterValue> = registers.iter().filter(is).cloned().collect();
    if meant.is_empty() {
        meant = registers.iter().filter(begins).cloned().collect();
    }
    if meant.is_empty() {
        let mut names: Vec<&str> = registers.iter().map(|register| register.name).collect();
        names.dedup();
        match values::nearest(&name.to_uppercase(), names.iter().copied()) {
            Some(near) => bail!("no register {name:?}, did you mean {near}?"),
            None => bail!("no register {name:?}; there are: {}", names.join(", ")),
        }
    }
    Ok(meant)
}

/// Lines of a table under [`TITLES`]. Neighbours of an array with the same value share one.
pub fn lines(registers: &[RegisterValue]) -> Vec<[String; 4]> {
    let alike = |one: &RegisterValue, next: &RegisterValue| {
        let are_neighbours = one.index.is_some_and(|index| next.index == Some(index + 1));
        are_neighbours && (one.name, one.value) == (next.name, next.value)
    };
    registers.chunk_by(alike).map(line).collect()
}

/// A line: one register, or neighbours of an array with the same value.
fn line(registers: &[RegisterValue]) -> [String; 4] {
    let RegisterValue { name, index, offset, value, fields } = &registers[0];
    let name = match (index, registers.last().and_then(|last| last.index)) {
        (Some(first), Some(last)) if first < &last => format!("{name}[{first}-{last}]"),
        (Some(index), _) => format!("{name}[{index}]"),
        (None, _) => (*name).to_owned(),
    };
    [name, format!("{offset:#07x}"), format!("{value:#010x}"), fields.clone()]
}

/// The same for programs: an object for each.
pub fn json(registers: &[RegisterValue]) -> Value {
    let object = |register: &RegisterValue| {
        let RegisterValue { name, index, offset, value, fields } = register;
        json!({ "name": name, "index": index, "offset": offset, "value": value, "fields": fields })
    };
    registers.iter().map(object).collect()
}
