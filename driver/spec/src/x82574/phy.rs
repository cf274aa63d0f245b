//! The PHY on the chip: its registers are those of [`crate::phy`], and these.

use crate::phy::PhyReg;

/// Its address on the management bus.
pub const ADDRESS: u8 = 1;

/// Analog bias of page 0, written by the vendor's drivers; the datasheet does not describe it.
pub const BIAS_1: PhyReg = PhyReg::at(29);

/// The same, second register.
pub const BIAS_2: PhyReg = PhyReg::at(30);
