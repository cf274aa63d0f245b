//! Transmit (10.2.6).

use bitfield_struct::bitfield;

use super::queue;
use crate::{ReadWrite, Reg, RegArray};

/// Transmit control.
pub const TCTL: Reg<ReadWrite, Tctl> = Reg::at(0x00400);
/// Gaps between packets.
pub const TIPG: Reg<ReadWrite, Tipg> = Reg::at(0x00410);
/// Transmit ring base, low half; a multiple of 16.
pub const TDBAL: RegArray<ReadWrite> = queue(0x03800);
/// Transmit ring base, high half.
pub const TDBAH: RegArray<ReadWrite> = queue(0x03804);
/// Transmit ring length in bytes, a multiple of 128.
pub const TDLEN: RegArray<ReadWrite> = queue(0x03808);
/// Transmit head: next descriptor the card sends.
pub const TDH: RegArray<ReadWrite> = queue(0x03810);
/// Transmit tail: first descriptor the card may not send.
pub const TDT: RegArray<ReadWrite> = queue(0x03818);
/// Transmit descriptor control: thresholds. Both queues must have the same.
pub const TXDCTL: RegArray<ReadWrite, Txdctl> = queue(0x03828);
/// Transmit arbitration.
pub const TARC: RegArray<ReadWrite, Tarc> = queue(0x03840);

/// Value of [`TCTL`].
#[bitfield(u32)]
pub struct Tctl {
    #[bits(1)]
    __: u8,
    /// Transmit enable.
    pub enable: bool,
    #[bits(1)]
    __: u8,
    /// Pad short packets.
    pub pad: bool,
    /// Attempts before a packet is given up; half duplex.
    pub collision_threshold: u8,
    /// Slot time in bytes; half duplex.
    #[bits(10)]
    pub collision_distance: u16,
    #[bits(2)]
    __: u8,
    /// Send again after a late collision; half duplex.
    pub late_collision_retry: bool,
    #[bits(3)]
    __: u8,
    /// Several read requests at a time.
    pub multiple_requests: bool,
    #[bits(3)]
    __: u8,
}

/// Value of [`TIPG`].
#[bitfield(u32)]
pub struct Tipg {
    /// Gap between two packets sent.
    #[bits(10)]
    pub back_to_back: u16,
    /// First part of the gap after a packet received; half duplex.
    #[bits(10)]
    pub after_receive_1: u16,
    /// The whole of it.
    #[bits(10)]
    pub after_receive_2: u16,
    #[bits(2)]
    __: u8,
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
    /// Write back in batches of this many; 1 is one by one.
    #[bits(6)]
    pub write_back: u8,
    /// Reserved; must be written 1 (10.2.6.11).
    pub reserved_one: bool,
    #[bits(1)]
    __: u8,
    /// The thresholds count descriptors instead of cache lines.
    pub in_descriptors: bool,
    #[bits(7)]
    __: u8,
}

/// Value of [`TARC`].
#[bitfield(u32)]
pub struct Tarc {
    #[bits(10)]
    __: u16,
    /// The queue takes part.
    pub enable: bool,
    #[bits(15)]
    __: u16,
    /// Reserved; must be written 1 in queue 0's.
    pub reserved_one: bool,
    /// Reserved; must be written 0 in queue 0's.
    #[bits(4)]
    pub reserved_zero: u8,
    #[bits(1)]
    __: u8,
}
