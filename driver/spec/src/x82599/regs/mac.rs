//! MAC and link (8.2.3.22).

use bitfield_struct::bitfield;

use crate::{ReadOnly, ReadWrite, Reg};

// ---- 8.2.3.22 MAC and link ----

/// MAC control: CRC, padding, jumbo, loopback.
pub const HLREG0: Reg<ReadWrite, Hlreg0> = Reg::at(0x04240);
/// Longest frame, in bits 31:16, used with HLREG0's jumbo bit.
pub const MAXFRS: Reg<ReadWrite> = Reg::at(0x04268);
/// MAC flow control.
pub const MFLCN: Reg<ReadWrite, Mflcn> = Reg::at(0x04294);
/// Link configuration.
pub const AUTOC: Reg<ReadWrite, Autoc> = Reg::at(0x042A0);
/// Link configuration of the 10 Gb/s serial PMA.
pub const AUTOC2: Reg<ReadWrite> = Reg::at(0x042A8);
/// Link status.
pub const LINKS: Reg<ReadOnly, Links> = Reg::at(0x042A4);

/// Value of [`HLREG0`]. Its reserved bits must keep what they hold: read, modify, write.
#[bitfield(u32)]
pub struct Hlreg0 {
    /// The card appends the FCS.
    pub tx_crc: bool,
    /// The card strips the FCS.
    pub rx_crc_strip: bool,
    /// Frames up to MAXFRS instead of 1518 bytes.
    pub jumbo: bool,
    #[bits(7)]
    __: u8,
    /// Pad short frames.
    pub tx_pad: bool,
    #[bits(4)]
    __: u8,
    /// MAC loopback.
    pub loopback: bool,
    #[bits(16)]
    __: u16,
}

/// Value of [`MFLCN`].
#[bitfield(u32)]
pub struct Mflcn {
    /// Pass MAC control frames on.
    pub pass_control: bool,
    /// Do not pass pause frames on.
    pub discard_pause: bool,
    /// Obey priority flow control.
    pub rx_priority: bool,
    /// Obey pause frames.
    pub rx_pause: bool,
    #[bits(28)]
    __: u32,
}

/// Value of [`AUTOC`].
#[bitfield(u32)]
pub struct Autoc {
    /// Force link up.
    pub force_link_up: bool,
    #[bits(11)]
    __: u16,
    /// Restarts link establishment; clears itself.
    pub restart: bool,
    /// Link mode: 1 10 Gb/s parallel, 3 10 Gb/s serial (SFI), no autonegotiation.
    #[bits(3)]
    pub link_mode: u8,
    #[bits(16)]
    __: u16,
}

/// Value of [`LINKS`].
#[bitfield(u32)]
pub struct Links {
    #[bits(28)]
    __: u32,
    /// 1 100 Mb/s, 2 1 Gb/s, 3 10 Gb/s.
    #[bits(2)]
    pub speed: u8,
    /// Link up.
    pub up: bool,
    /// Autonegotiation complete.
    pub negotiated: bool,
}
