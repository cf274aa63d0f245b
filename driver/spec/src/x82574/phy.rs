//! Registers of the built-in PHY besides those of [`crate::phy`].

use crate::ReadWrite;
use crate::phy::PhyReg;

/// Analog bias, page 0. Reserved; the vendor's drivers write 3.
pub const BIAS_1: PhyReg<ReadWrite> = PhyReg::at(29);

/// Analog bias, second register. Reserved; the vendor's drivers write 0.
pub const BIAS_2: PhyReg<ReadWrite> = PhyReg::at(30);
