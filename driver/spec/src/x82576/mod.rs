//! Intel 82576 and its successors I350 and I210, 1 Gb/s.
//!
//! Section numbers are those of the "Intel 82576EB Gigabit Ethernet Controller Datasheet". Where the successors differ in what a driver
//! needs, a method of [`Chip`] tells. Not here: the 82575 (other interrupt registers), the 82580 and I354, SerDes and SGMII, virtual
//! functions.

mod chip;
pub mod desc;
pub mod names;
pub mod nvm;
pub mod regs;

pub use chip::{Chip, IvarPlace};
