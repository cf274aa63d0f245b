//! Interrupts (8.2.3.5).

use super::array;
use crate::{ReadWrite, Reg, RegArray, WriteOnly};

// ---- 8.2.3.5 Interrupts ----

/// Interrupt causes; read clears.
pub const EICR: Reg<ReadWrite> = Reg::at(0x00800);
/// Interrupt mask set and read.
pub const EIMS: Reg<ReadWrite> = Reg::at(0x00880);
/// Interrupt mask clear.
pub const EIMC: Reg<WriteOnly> = Reg::at(0x00888);
/// Interrupt mask clear, extended: vectors 0-31 and 32-63.
pub const EIMC_EX: RegArray<WriteOnly> = array(0x00AB0, 4, 2);

/// Link status change, a bit of [`EICR`].
pub const EICR_LSC: u32 = 1 << 20;
