//! Registers (8.2.3). Offsets in the 128 KiB register BAR; all are 32 bits wide.

mod general;
mod interrupts;
mod mac;
mod others;
mod receive;
mod statistics;
mod transmit;

pub use general::*;
pub use interrupts::*;
pub use mac::*;
pub use others::*;
pub use receive::*;
pub use statistics::*;
pub use transmit::*;

use crate::{RegArray, Window};

const fn array<A, V>(base: u32, stride: u32, count: u32) -> RegArray<A, V> {
    RegArray::new(base, stride, count)
}

/// A register of each receive queue: queues 0-63 from 0x1000, 64-127 from 0xD000, 0x40 bytes each (8.2.3.8).
const fn rx_queue<A, V>(offset: u32) -> RegArray<A, V> {
    RegArray::split(
        Window { base: 0x1000 + offset, stride: 0x40, count: 64 },
        Window { base: 0xD000 + offset, stride: 0x40, count: 64 },
    )
}

/// A register of each transmit queue, 0x40 bytes each from 0x6000 (8.2.3.9).
const fn tx_queue<A, V>(offset: u32) -> RegArray<A, V> {
    RegArray::new(0x6000 + offset, 0x40, 128)
}
