//! Registers and descriptors of the network controllers Gannet drives.
//!
//! One folder a controller; beside them what several have in common: [`advanced`] descriptors, the registers of all [`gigabit`] controllers
//! and of their [`phy`]. A register is a typed constant ([`Reg`], [`RegArray`]): offset, access, type of its value. The form of a descriptor that the driver writes and the
//! form that the card writes back are two types. There is no I/O here: the drivers (`gannet`) and the software cards (`gannet-sim`)
//! both build on these constants, so each fact about the hardware is written down once.

#![forbid(unsafe_code)]

mod named;
mod reg;
mod semaphore;

pub mod advanced;
pub mod gigabit;
pub mod phy;
pub mod x82574;
pub mod x82576;
pub mod x82599;

pub use named::{Harmless, Named, RegisterValue};
pub use reg::{ClearOnRead, ReadOnly, ReadSideEffect, ReadWrite, Readable, Reg, RegArray, Window, Writable, WriteOnly};
pub use semaphore::Swsm;

/// Intel's PCI vendor id.
pub const INTEL: u16 = 0x8086;
