//! Interrupts (7.3, 8.2.3.5).
//!
//! Bits 15:0 of [`EICR`] and its masks are the causes of queues, as [`IVAR`] allots them; with MSI-X bit n is vector n. The extended
//! arrays (`_EX`) hold the bits of vectors 0 to 63, the first 16 of which are the same as those of the plain registers.

use bitfield_struct::bitfield;

use super::array;
use crate::{ReadSideEffect, ReadWrite, Reg, RegArray, Window, WriteOnly};

/// MSI-X vectors of the function.
pub const VECTORS: u32 = 64;
/// Link status change, a bit of [`EICR`].
pub const EICR_LSC: u32 = 1 << 20;
/// TCP timer, a bit of [`EICR`].
pub const EICR_TCP_TIMER: u32 = 1 << 30;
/// Nanoseconds of a unit of [`Eitr::interval`] at 10 Gb/s.
pub const EITR_UNIT_NS: u64 = 2048;

/// Interrupt causes; read clears, and so does writing ones.
pub const EICR: Reg<ReadSideEffect> = Reg::at(0x00800);
/// Interrupt cause set; reads as [`EICR`], without clearing it.
pub const EICS: Reg<ReadWrite> = Reg::at(0x00808);
/// Causes that are cleared when their MSI-X message is sent: 15:0 and the TCP timer. Those of vectors 16 to 63 always are.
pub const EIAC: Reg<ReadWrite> = Reg::at(0x00810);
/// Least interval between two messages of a vector.
pub const EITR: RegArray<ReadWrite, Eitr> =
    RegArray::split(Window { base: 0x00820, stride: 4, count: 24 }, Window { base: 0x12300, stride: 4, count: 105 });
/// Interrupt mask set and read.
pub const EIMS: Reg<ReadWrite> = Reg::at(0x00880);
/// Interrupt mask clear.
pub const EIMC: Reg<WriteOnly> = Reg::at(0x00888);
/// Causes that are masked when their message is sent ([`Gpie::auto_mask`]), or when [`EICR`] is read or cleared.
pub const EIAM: Reg<ReadWrite> = Reg::at(0x00890);
/// Which throttle a virtual function uses.
pub const EITRSEL: Reg<ReadWrite> = Reg::at(0x00894);
/// General purpose interrupt enable: how interrupts work.
pub const GPIE: Reg<ReadWrite, Gpie> = Reg::at(0x00898);
/// Vectors of queues 2n and 2n+1.
pub const IVAR: RegArray<ReadWrite, Ivar> = array(0x00900, 4, 64);
/// Vectors of the TCP timer and of other causes.
pub const IVAR_MISC: Reg<ReadWrite, IvarMisc> = Reg::at(0x00A00);
/// Interrupt cause set, extended: vectors 0-31 and 32-63.
pub const EICS_EX: RegArray<WriteOnly> = array(0x00A90, 4, 2);
/// Interrupt mask set and read, extended: vectors 0-31 and 32-63.
pub const EIMS_EX: RegArray<ReadWrite> = array(0x00AA0, 4, 2);
/// Interrupt mask clear, extended: vectors 0-31 and 32-63.
pub const EIMC_EX: RegArray<WriteOnly> = array(0x00AB0, 4, 2);
/// Automatic mask, extended: vectors 0-31 and 32-63.
pub const EIAM_EX: RegArray<ReadWrite> = array(0x00AD0, 4, 2);

/// Value of [`EITR`].
#[bitfield(u32)]
pub struct Eitr {
    #[bits(3)]
    __: u8,
    /// Least interval between two messages in units of [`EITR_UNIT_NS`]; 0 is none.
    #[bits(9)]
    pub interval: u16,
    #[bits(3)]
    __: u8,
    /// Moderates low latency interrupts too.
    pub lli_moderation: bool,
    /// Credits of low latency interrupts.
    #[bits(5)]
    pub lli_credits: u8,
    /// What is left of the interval, its upper bits.
    #[bits(7)]
    pub counter: u8,
    #[bits(3)]
    __: u8,
    /// This write leaves the counter alone (CNT_WDIS). Without it the interval that runs ends, and a message that waits for it is sent.
    pub keep_counter: bool,
}

/// Value of [`GPIE`].
#[bitfield(u32)]
pub struct Gpie {
    /// Interrupts of the software-defined pins 0 to 3.
    #[bits(4)]
    pub sdp: u8,
    /// MSI-X with many vectors; otherwise all messages are those of vector 0.
    pub msix: bool,
    /// Reading [`EICR`] does not clear the causes of queues (OCD).
    pub other_clear_disable: bool,
    /// Causes set by [`EICS`] do not wait for [`EITR`] (EIMEN).
    pub immediate: bool,
    /// Rate of low latency interrupts.
    #[bits(4)]
    pub lli_interval: u8,
    /// Delay of receive side coalescing.
    #[bits(3)]
    pub rsc_delay: u8,
    /// Number of pools, as in GCR_EXT.
    #[bits(2)]
    pub vt_mode: u8,
    #[bits(14)]
    __: u16,
    /// [`EIAM`] masks when a message is sent (EIAME), not when [`EICR`] is read or cleared.
    pub auto_mask: bool,
    /// Setting a mask bit clears the pending bit of its vector: to be set with MSI-X.
    pub pba_support: bool,
}

/// An entry of [`Ivar`] and [`IvarMisc`]: where a cause goes (INT_Alloc).
#[bitfield(u8)]
pub struct Allocation {
    /// MSI-X vector, or bit of [`EICR`] without MSI-X (0 to 15).
    #[bits(6)]
    pub vector: u8,
    #[bits(1)]
    __: u8,
    /// The cause interrupts at all.
    pub valid: bool,
}

/// Value of [`IVAR`].
#[bitfield(u32)]
pub struct Ivar {
    /// Receive queue 2n.
    #[bits(8)]
    pub even_rx: Allocation,
    /// Transmit queue 2n.
    #[bits(8)]
    pub even_tx: Allocation,
    /// Receive queue 2n+1.
    #[bits(8)]
    pub odd_rx: Allocation,
    /// Transmit queue 2n+1.
    #[bits(8)]
    pub odd_tx: Allocation,
}

impl Ivar {
    /// Entry of a receive queue.
    pub const fn rx(self, queue: u32) -> Allocation {
        if queue.is_multiple_of(2) { self.even_rx() } else { self.odd_rx() }
    }

    /// The same with another entry for a receive queue.
    pub const fn with_rx(self, queue: u32, allocation: Allocation) -> Ivar {
        if queue.is_multiple_of(2) { self.with_even_rx(allocation) } else { self.with_odd_rx(allocation) }
    }

    /// Entry of a transmit queue.
    pub const fn tx(self, queue: u32) -> Allocation {
        if queue.is_multiple_of(2) { self.even_tx() } else { self.odd_tx() }
    }

    /// The same with another entry for a transmit queue.
    pub const fn with_tx(self, queue: u32, allocation: Allocation) -> Ivar {
        if queue.is_multiple_of(2) { self.with_even_tx(allocation) } else { self.with_odd_tx(allocation) }
    }
}

/// Value of [`IVAR_MISC`].
#[bitfield(u32)]
pub struct IvarMisc {
    /// The TCP timer.
    #[bits(8)]
    pub tcp_timer: Allocation,
    /// Bits 29:16 of [`EICR`].
    #[bits(8)]
    pub other: Allocation,
    __: u16,
}
