//! Registers by name, for programs that show them to people.

use std::fmt::Debug;

use crate::{ReadOnly, ReadWrite, Reg, RegArray, Window};

/// Access kinds whose reading changes nothing in the card: not [`crate::ClearOnRead`], not [`crate::ReadSideEffect`].
pub trait Harmless {}
impl Harmless for ReadOnly {}
impl Harmless for ReadWrite {}

/// A register, or an array of them, with its name. Only registers that a look does not change.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    /// The datasheet's name.
    pub name: &'static str,
    windows: [Window; 2],
    decode: fn(u32) -> String,
}

impl Named {
    /// A single register.
    pub const fn register<A: Harmless, V: From<u32> + Debug>(name: &'static str, register: Reg<A, V>) -> Named {
        let window = Window { base: register.offset(), stride: 4, count: 1 };
        Named { name, windows: [window, Window { count: 0, ..window }], decode: decode::<V> }
    }

    /// An array.
    pub const fn array<A: Harmless, V: From<u32> + Debug>(name: &'static str, array: RegArray<A, V>) -> Named {
        Named { name, windows: array.windows(), decode: decode::<V> }
    }

    /// Number of registers; 1 unless it is an array.
    pub const fn count(&self) -> u32 {
        self.windows[0].count + self.windows[1].count
    }

    /// Offsets of its registers, in order.
    pub fn offsets(&self) -> impl Iterator<Item = u32> + use<> {
        self.windows
            .into_iter()
            .flat_map(|window| (0..window.count).map(move |index| window.base + index * window.stride))
    }

    /// Its registers with what they hold, in order; `read` gets the value at an offset.
    pub fn values(&self, read: impl Fn(u32) -> u32) -> impl Iterator<Item = RegisterValue> {
        let is_array = self.count() > 1;
        (0..).zip(self.offsets()).map(move |(index, offset)| {
            let value = read(offset);
            let fields = set_fields(&(self.decode)(value));
            RegisterValue { name: self.name, index: is_array.then_some(index), offset, value, fields }
        })
    }
}

/// A register and what it held when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterValue {
    /// The datasheet's name.
    pub name: &'static str,
    /// Which of an array it is; `None` for a single register.
    pub index: Option<u32>,
    /// Byte offset in the BAR.
    pub offset: u32,
    /// What it held.
    pub value: u32,
    /// Its fields that were not 0 in words, as in "link_up, speed 2"; empty if there were none, or if the register has no fields.
    pub fields: String,
}

fn decode<V: From<u32> + Debug>(value: u32) -> String {
    format!("{:?}", V::from(value))
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

/// A list of [`Named`] from register constants: `named![CTRL, STATUS; RDBAL, RDBAH]`, arrays after the semicolon.
macro_rules! named {
    ($($register:ident),* ; $($array:ident),* $(,)?) => {
        &[
            $($crate::Named::register(stringify!($register), $register),)*
            $($crate::Named::array(stringify!($array), $array),)*
        ]
    };
}
pub(crate) use named;
