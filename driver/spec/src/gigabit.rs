//! Registers that the gigabit controllers have in common: control and status, NVM reads, pause frames, semaphore, statistics.
//!
//! Section numbers are those of the datasheets of the 82574 (first) and of the 82576. What the controllers have at the same offset but with
//! other bits is in their own folders.

use bitfield_struct::bitfield;

pub use crate::phy::MDIC;
pub use crate::semaphore::Swsm;
use crate::{ClearOnRead, ReadOnly, ReadSideEffect, ReadWrite, Reg, RegArray};

// ---- Control and status (10.2.2; 8.2) ----

/// Device control.
pub const CTRL: Reg<ReadWrite, Ctrl> = Reg::at(0x00000);
/// Device status.
pub const STATUS: Reg<ReadOnly, Status> = Reg::at(0x00008);
/// NVM read.
pub const EERD: Reg<ReadWrite, Eerd> = Reg::at(0x00014);
/// Software semaphore. A read returns SMBI as it was and sets it.
pub const SWSM: Reg<ReadSideEffect, Swsm> = Reg::at(0x05B50);

/// Value of [`CTRL`].
#[bitfield(u32)]
pub struct Ctrl {
    /// Full duplex, with [`Self::force_duplex`].
    pub full_duplex: bool,
    #[bits(1)]
    __: u8,
    /// PCIe master disable: no new requests.
    pub master_disable: bool,
    #[bits(3)]
    __: u8,
    /// Set link up: the MAC may use the link that the PHY has.
    pub set_link_up: bool,
    #[bits(1)]
    __: u8,
    /// Speed as in [`Status::speed`], with [`Self::force_speed`].
    #[bits(2)]
    pub speed: u8,
    #[bits(1)]
    __: u8,
    /// Speed from here instead of the PHY.
    pub force_speed: bool,
    /// Duplex from here instead of the PHY.
    pub force_duplex: bool,
    #[bits(13)]
    __: u16,
    /// Software reset; clears itself.
    pub reset: bool,
    /// Obey pause frames.
    pub rx_pause: bool,
    /// Send pause frames.
    pub tx_pause: bool,
    /// Reserved; the 82574 must have it 0.
    pub reserved_zero: bool,
    /// VLAN mode: strip tags on receive.
    pub vlan_strip: bool,
    /// Reset of the PHY, as long as it is set.
    pub phy_reset: bool,
}

/// Value of [`STATUS`].
#[bitfield(u32)]
pub struct Status {
    /// Full duplex.
    pub full_duplex: bool,
    /// Link up.
    pub link_up: bool,
    /// Port of the device.
    #[bits(2)]
    pub lan_id: u8,
    /// Transmit stands still: a pause frame has come.
    pub tx_paused: bool,
    #[bits(1)]
    __: u8,
    /// 0 10 Mb/s, 1 100 Mb/s, 2 and 3 1 Gb/s.
    #[bits(2)]
    pub speed: u8,
    #[bits(2)]
    __: u8,
    /// The PHY has been reset since software cleared this bit.
    pub phy_was_reset: bool,
    #[bits(8)]
    __: u8,
    /// Master enable status: requests may be outstanding.
    pub master_enabled: bool,
    #[bits(12)]
    __: u16,
}

/// Value of [`EERD`].
#[bitfield(u32)]
pub struct Eerd {
    /// Write 1 to start.
    pub start: bool,
    /// The data is valid.
    pub done: bool,
    /// Word address.
    #[bits(14)]
    pub address: u16,
    /// The word.
    pub data: u16,
}

// ---- Pause frames (10.2.2; 8.5) ----

/// Destination of pause frames, bytes 0 to 3.
pub const FCAL: Reg<ReadWrite> = Reg::at(0x00028);
/// Destination of pause frames, bytes 4 and 5.
pub const FCAH: Reg<ReadWrite> = Reg::at(0x0002C);
/// Ethertype of pause frames.
pub const FCT: Reg<ReadWrite> = Reg::at(0x00030);
/// Pause time of the frames sent, in units of 512 bit times.
pub const FCTTV: Reg<ReadWrite> = Reg::at(0x00170);

// ---- Statistics, cleared by reading (10.2.7; 8.18) ----

/// Frames with a bad FCS.
pub const CRCERRS: Reg<ClearOnRead> = Reg::at(0x04000);
/// Frames with a bad FCS that do not end at a byte.
pub const ALGNERRC: Reg<ClearOnRead> = Reg::at(0x04004);
/// Frames with an error that the PHY signalled.
pub const RXERRC: Reg<ClearOnRead> = Reg::at(0x0400C);
/// Missed packets: the packet buffer was full.
pub const MPC: Reg<ClearOnRead> = Reg::at(0x04010);
/// Frames given up after too many collisions.
pub const ECOL: Reg<ClearOnRead> = Reg::at(0x04018);
/// Frames whose length field lies.
pub const RLEC: Reg<ClearOnRead> = Reg::at(0x04040);
/// XON received.
pub const XONRXC: Reg<ClearOnRead> = Reg::at(0x04048);
/// XON sent.
pub const XONTXC: Reg<ClearOnRead> = Reg::at(0x0404C);
/// XOFF received.
pub const XOFFRXC: Reg<ClearOnRead> = Reg::at(0x04050);
/// XOFF sent.
pub const XOFFTXC: Reg<ClearOnRead> = Reg::at(0x04054);
/// Good frames received by size: 64, -127, -255, -511, -1023, -max.
pub const PRC: RegArray<ClearOnRead> = RegArray::new(0x0405C, 4, 6);
/// Good frames received (filtered ones not counted).
pub const GPRC: Reg<ClearOnRead> = Reg::at(0x04074);
/// Broadcast frames received.
pub const BPRC: Reg<ClearOnRead> = Reg::at(0x04078);
/// Multicast frames received.
pub const MPRC: Reg<ClearOnRead> = Reg::at(0x0407C);
/// Good frames sent.
pub const GPTC: Reg<ClearOnRead> = Reg::at(0x04080);
/// Good bytes received, FCS included, low half: read it first, the high half clears both.
pub const GORCL: Reg<ClearOnRead> = Reg::at(0x04088);
/// High half.
pub const GORCH: Reg<ClearOnRead> = Reg::at(0x0408C);
/// Good bytes sent, FCS included, low half: read it first, the high half clears both.
pub const GOTCL: Reg<ClearOnRead> = Reg::at(0x04090);
/// High half.
pub const GOTCH: Reg<ClearOnRead> = Reg::at(0x04094);
/// Frames that found no descriptor and waited in the packet buffer.
pub const RNBC: Reg<ClearOnRead> = Reg::at(0x040A0);
/// Undersize frames.
pub const RUC: Reg<ClearOnRead> = Reg::at(0x040A4);
/// Fragments: undersize with a bad FCS.
pub const RFC: Reg<ClearOnRead> = Reg::at(0x040A8);
/// Oversize frames.
pub const ROC: Reg<ClearOnRead> = Reg::at(0x040AC);
/// Jabber: oversize with a bad FCS.
pub const RJC: Reg<ClearOnRead> = Reg::at(0x040B0);
/// Frames sent by size, as [`PRC`].
pub const PTC: RegArray<ClearOnRead> = RegArray::new(0x040D8, 4, 6);
/// Multicast frames sent.
pub const MPTC: Reg<ClearOnRead> = Reg::at(0x040F0);
/// Broadcast frames sent.
pub const BPTC: Reg<ClearOnRead> = Reg::at(0x040F4);
