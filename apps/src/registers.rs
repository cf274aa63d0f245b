//! Registers of cards for people: which ones a name means, and how they are shown.

use anyhow::bail;
use gannet::RegisterValue;
use gannet_spec::Named;
use serde_json::{Value, json};

use crate::values;

/// Titles of the columns of [`lines`].
pub const TITLES: [&str; 4] = ["REGISTER", "OFFSET", "VALUE", "FIELDS THAT ARE SET"];

/// The registers that a name means. Known before any is read: a card in use is asked for no others.
#[derive(Debug, Clone)]
pub struct Meant {
    registers: Vec<&'static Named>,
    /// Which one of each array; all if `None`.
    index: Option<u32>,
}

impl Meant {
    /// Those of `registers` that `text` means, in capitals or not: a register or a whole array, as `RDT`; one of an array, as `RDT[3]`; or else
    /// all that begin so, as `RD` or `RD[3]`, or nothing for all.
    ///
    /// # Errors
    /// It means none; with the nearest name, or all.
    pub fn by(text: &str, registers: &'static [Named]) -> anyhow::Result<Meant> {
        let Some((name, index)) = text.strip_suffix(']').and_then(|text| text.split_once('[')) else {
            return Ok(Meant { registers: by_name(text, registers)?, index: None });
        };
        let index: Option<u32> = index.parse().ok();
        let is_array = |named: &Named| named.count() > 1;
        let has_index = |named: &&Named| is_array(named) && index.is_some_and(|index| index < named.count());
        let (meant, others): (Vec<&Named>, Vec<&Named>) = by_name(name, registers)?.into_iter().partition(has_index);
        match (meant.as_slice(), others.last()) {
            ([], Some(other)) if is_array(other) => {
                bail!("{text:?}: {} has registers 0 to {}", other.name, other.count() - 1)
            }
            ([], Some(other)) => bail!("{text:?}: {} is a single register", other.name),
            _ => Ok(Meant { registers: meant, index }),
        }
    }

    /// Reads them, an array as a whole; `read` gets the value at an offset.
    pub fn read(&self, read: impl Fn(u32) -> u32) -> Vec<RegisterValue> {
        self.of(self.registers.iter().flat_map(|named| named.values(&read)))
    }

    /// Those of some that have been read.
    pub fn of(&self, values: impl IntoIterator<Item = RegisterValue>) -> Vec<RegisterValue> {
        let is_meant = |register: &RegisterValue| {
            self.registers.iter().any(|named| named.name == register.name)
                && (self.index.is_none() || register.index == self.index)
        };
        values.into_iter().filter(is_meant).collect()
    }
}

/// The registers of this name; if none has it, those whose names begin so.
fn by_name(name: &str, registers: &'static [Named]) -> anyhow::Result<Vec<&'static Named>> {
    let begins = |register: &&Named| {
        register.name.get(..name.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(name))
    };
    if let Some(register) = registers.iter().find(|register| register.name.eq_ignore_ascii_case(name)) {
        return Ok(vec![register]);
    }
    let meant: Vec<_> = registers.iter().filter(begins).collect();
    if meant.is_empty() {
        let names: Vec<&str> = registers.iter().map(|register| register.name).collect();
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use gannet::Pmd;

    use super::*;

    /// The offsets that are read for `text` on an 82599.
    fn offsets_read(text: &str) -> Vec<u32> {
        let read = RefCell::new(Vec::new());
        let meant = Meant::by(text, Pmd::Ixgbe.registers()).expect("a register");
        meant.read(|offset| {
            read.borrow_mut().push(offset);
            0
        });
        read.into_inner()
    }

    #[test]
    fn only_what_is_meant_is_read() {
        assert_eq!(offsets_read("STATUS"), [0x8]);
        assert_eq!(offsets_read("rdt[3]").len(), 128);
        let all: usize = Pmd::Ixgbe.registers().iter().map(|named| named.count() as usize).sum();
        assert_eq!(offsets_read("").len(), all);
    }
}
