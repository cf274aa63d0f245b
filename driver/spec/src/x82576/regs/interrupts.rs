//! Interrupts (8.8).

use bitfield_struct::bitfield;

use super::array;
use crate::{ReadSideEffect, ReadWrite, Reg, RegArray, WriteOnly};

// ---- 8.8 Interrupts ----

/// Interrupt causes of the whole port; read clears.
pub const ICR: Reg<ReadSideEffect, Causes> = Reg::at(0x01500);
/// Interrupt mask set and read.
pub const IMS: Reg<ReadWrite, Causes> = Reg::at(0x01508);
/// Interrupt mask clear.
pub const IMC: Reg<WriteOnly, Causes> = Reg::at(0x0150C);
/// General purpose interrupt enable: MSI-X mode. Written before [`IVAR`] and [`EIMS`], which do not keep their values otherwise.
pub const GPIE: Reg<ReadWrite, Gpie> = Reg::at(0x01514);
/// Cause set, a bit a vector.
pub const EICS: Reg<WriteOnly> = Reg::at(0x01520);
/// Mask set and read, a bit a vector.
pub const EIMS: Reg<ReadWrite> = Reg::at(0x01524);
/// Mask clear, a bit a vector.
pub const EIMC: Reg<WriteOnly> = Reg::at(0x01528);
/// Vectors whose cause clears itself when the interrupt is sent (8.8.5). The others must be written 1 in [`EICR`].
pub const EIAC: Reg<ReadWrite> = Reg::at(0x0152C);
/// Vectors that mask themselves when the interrupt is sent (8.8.6).
pub const EIAM: Reg<ReadWrite> = Reg::at(0x01530);
/// Causes, a bit a vector; read clears unless MSI-X is on, writing 1 always does.
pub const EICR: Reg<ReadSideEffect> = Reg::at(0x01580);
/// Throttling of each vector.
pub const EITR: RegArray<ReadWrite, Eitr> = array(0x01680, 4, 25);
/// Vectors of the queues, a byte a queue and direction: where, says [`crate::x82576::Chip::rx_vector`].
pub const IVAR: RegArray<ReadWrite> = array(0x01700, 4, 8);
/// Vectors of the TCP timer (7:0) and of the other causes (15:8).
pub const IVAR_MISC: Reg<ReadWrite, IvarMisc> = Reg::at(0x01740);

/// Valid bit of a byte of [`IVAR`].
pub const IVAR_VALID: u32 = 0x80;

/// Value of [`ICR`], [`IMS`] and [`IMC`].
#[bitfield(u32)]
pub struct Causes {
    /// A transmit descriptor was written back.
    pub tx_written_back: bool,
    #[bits(1)]
    __: u8,
    /// Link status change.
    pub link_change: bool,
    #[bits(1)]
    __: u8,
    /// Few receive descriptors are left.
    pub rx_low: bool,
    #[bits(1)]
    __: u8,
    /// Frames were lost: no descriptor or no space.
    pub rx_overrun: bool,
    /// A receive descriptor was written back.
    pub rx_written_back: bool,
    /// A virtual function has written to the mailbox or was reset.
    pub mailbox: bool,
    #[bits(9)]
    __: u16,
    /// Manageability.
    pub manageability: bool,
    /// Time stamp.
    pub time_sync: bool,
    #[bits(2)]
    __: u8,
    /// Fatal error: parity of an internal memory.
    pub fatal_error: bool,
    #[bits(5)]
    __: u8,
    /// The transmit DMA is out of step: a descriptor was wrong.
    pub tx_out_of_sync: bool,
    #[bits(1)]
    __: u8,
    /// The device was reset through another function.
    pub device_reset: bool,
    /// The interrupt line is asserted.
    pub asserted: bool,
}

/// Value of [`GPIE`].
#[bitfield(u32)]
pub struct Gpie {
    /// Reading [`ICR`] does not clear what is masked.
    pub non_selective_clear: bool,
    #[bits(3)]
    __: u8,
    /// MSI-X with several vectors.
    pub msix: bool,
    #[bits(25)]
    __: u32,
    /// [`EIAM`] works with MSI-X.
    pub auto_mask: bool,
    /// Pending bits as PCI has them.
    pub pba_support: bool,
}

/// Value of [`EITR`].
#[bitfield(u32)]
pub struct Eitr {
    #[bits(2)]
    __: u8,
    /// Least time between two interrupts in microseconds.
    #[bits(13)]
    pub interval_us: u16,
    #[bits(16)]
    __: u16,
    /// Written 1, the running counter goes on.
    pub counter_ignore: bool,
}

/// Value of [`IVAR_MISC`].
#[bitfield(u32)]
pub struct IvarMisc {
    #[bits(8)]
    __: u8,
    /// Vector of the other causes: link, mailbox.
    #[bits(7)]
    pub other: u8,
    /// It is valid.
    pub other_valid: bool,
    #[bits(16)]
    __: u16,
}
