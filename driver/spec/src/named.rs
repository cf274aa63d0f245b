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

    /// The fields of `value` in words; empty if the register has none.
    pub fn decode(&self, value: u32) -> String {
        let text = (self.decode)(value);
        if text == value.to_string() { String::new() } else { text }
    }
}

fn decode<V: From<u32> + Debug>(value: u32) -> String {
    format!("{:?}", V::from(value))
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
