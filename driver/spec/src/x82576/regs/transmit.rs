//! Transmit: engine and queues (8.12), and their buffer (8.3).

use bitfield_struct::bitfield;

use super::tx_queue;
use crate::{ReadWrite, Reg, RegArray};

// ---- 8.12 Transmit ----

/// Transmit control.
pub const TCTL: Reg<ReadWrite, Tctl> = Reg::at(0x00400);
/// Transmit control, extended.
pub const TCTL_EXT: Reg<ReadWrite, TctlExt> = Reg::at(0x00404);
/// Gaps between frames.
pub const TIPG: Reg<ReadWrite, Tipg> = Reg::at(0x00410);
/// Transmit packet buffer size. A new value counts from the next reset on.
pub const TXPBS: Reg<ReadWrite> = Reg::at(0x03404);
/// Transmit DMA control.
pub const DTXCTL: Reg<ReadWrite> = Reg::at(0x03590);
/// Transmit ring base, low half.
pub const TDBAL: RegArray<ReadWrite> = tx_queue(0x00);
/// Transmit ring base, high half.
pub const TDBAH: RegArray<ReadWrite> = tx_queue(0x04);
/// Transmit ring length in bytes, a multiple of 128.
pub const TDLEN: RegArray<ReadWrite> = tx_queue(0x08);
/// Transmit head: next descriptor the card sends.
pub const TDH: RegArray<ReadWrite> = tx_queue(0x10);
/// Direct cache access of the transmit queue.
pub const DCA_TXCTRL: RegArray<ReadWrite, DcaTxctrl> = tx_queue(0x14);
/// Transmit tail: first descriptor the card may not send.
pub const TDT: RegArray<ReadWrite> = tx_queue(0x18);
/// Transmit descriptor control: thresholds, enable.
pub const TXDCTL: RegArray<ReadWrite, Txdctl> = tx_queue(0x28);
/// Head write-back address, low half; bit 0 enables it.
pub const TDWBAL: RegArray<ReadWrite> = tx_queue(0x38);
/// Head write-back address, high half.
pub const TDWBAH: RegArray<ReadWrite> = tx_queue(0x3C);

/// Value of [`TCTL`]. Its reserved bits must keep what they hold: read, modify, write.
#[bitfield(u32)]
pub struct Tctl {
    #[bits(1)]
    __: u8,
    /// Transmit enable.
    pub enable: bool,
    #[bits(1)]
    __: u8,
    /// Pad short frames to 64 bytes.
    pub pad_short: bool,
    /// Collisions before a frame is given up.
    pub collision_threshold: u8,
    #[bits(12)]
    __: u16,
    /// Send again after a late collision.
    pub retransmit_late: bool,
    #[bits(7)]
    __: u8,
}

/// Value of [`TCTL_EXT`]. Its reserved bits must keep what they hold: read, modify, write.
#[bitfield(u32)]
pub struct TctlExt {
    #[bits(10)]
    __: u16,
    /// Byte times in which a collision is not late.
    #[bits(10)]
    pub collision_distance: u16,
    #[bits(12)]
    __: u16,
}

/// Value of [`TIPG`], in byte times.
#[bitfield(u32)]
pub struct Tipg {
    /// From one frame to the next, without the first 4 byte times.
    #[bits(10)]
    pub back_to_back: u16,
    /// After receiving, part 1 (half duplex).
    #[bits(10)]
    pub part_1: u16,
    /// After receiving, part 2 (half duplex).
    #[bits(10)]
    pub part_2: u16,
    #[bits(2)]
    __: u8,
}

/// Value of [`DCA_TXCTRL`].
#[bitfield(u32)]
pub struct DcaTxctrl {
    #[bits(11)]
    __: u16,
    /// Write-backs may pass other writes: must be off, else a done bit could overtake data.
    pub write_back_relaxed: bool,
    #[bits(20)]
    __: u32,
}

/// Value of [`TXDCTL`].
#[bitfield(u32)]
pub struct Txdctl {
    /// Prefetch when fewer than this many are on the chip.
    #[bits(6)]
    pub prefetch: u8,
    #[bits(2)]
    __: u8,
    /// Prefetch when at least this many are ready on the host.
    #[bits(6)]
    pub host: u8,
    #[bits(2)]
    __: u8,
    /// Write back in batches of this many; at most 1 with MSI-X (erratum of the 82576).
    #[bits(6)]
    pub write_back: u8,
    #[bits(3)]
    __: u8,
    /// The queue runs; reads 1 only once it really does.
    pub enable: bool,
    /// Flush; clears itself.
    pub flush: bool,
    #[bits(5)]
    __: u8,
}
