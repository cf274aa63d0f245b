//! General control, EEPROM, flow control, PCIe and semaphores (8.2.3.1 to 8.2.3.4).

use bitfield_struct::bitfield;

use super::array;
use crate::{ReadOnly, ReadSideEffect, ReadWrite, Reg, RegArray};

pub use crate::semaphore::Swsm;

// ---- 8.2.3.1 General control ----

/// Device control.
pub const CTRL: Reg<ReadWrite, Ctrl> = Reg::at(0x00000);
/// Device status.
pub const STATUS: Reg<ReadOnly, Status> = Reg::at(0x00008);
/// Extended device control.
pub const CTRL_EXT: Reg<ReadWrite, CtrlExt> = Reg::at(0x00018);
/// Software-defined pins: SDP2 module present, SDP3 laser off.
pub const ESDP: Reg<ReadWrite, Esdp> = Reg::at(0x00020);
/// LED modes.
pub const LEDCTL: Reg<ReadWrite> = Reg::at(0x00200);

/// Value of [`CTRL`].
#[bitfield(u32)]
pub struct Ctrl {
    #[bits(2)]
    __: u8,
    /// PCIe master disable: no new requests (5.2.5.3.2).
    pub master_disable: bool,
    /// Link reset; clears itself.
    pub link_reset: bool,
    #[bits(22)]
    __: u32,
    /// Software reset; clears itself.
    pub reset: bool,
    #[bits(5)]
    __: u8,
}

/// Value of [`STATUS`].
#[bitfield(u32)]
pub struct Status {
    #[bits(2)]
    __: u8,
    /// Port of the device.
    #[bits(2)]
    pub lan_id: u8,
    #[bits(3)]
    __: u8,
    /// Link up.
    pub link_up: bool,
    #[bits(11)]
    __: u16,
    /// Master enable status: requests may be outstanding.
    pub master_enabled: bool,
    #[bits(12)]
    __: u16,
}

/// Value of [`CTRL_EXT`].
#[bitfield(u32)]
pub struct CtrlExt {
    #[bits(14)]
    __: u16,
    /// Physical function reset done.
    pub pf_reset_done: bool,
    #[bits(1)]
    __: u8,
    /// No-snoop disable: all DMA snoops the caches.
    pub no_snoop_disable: bool,
    /// Relaxed ordering disable.
    pub relaxed_ordering_disable: bool,
    #[bits(8)]
    __: u8,
    /// Outer VLAN tags expected on all frames.
    pub extended_vlan: bool,
    #[bits(1)]
    __: u8,
    /// A driver is loaded: tells the firmware.
    pub driver_loaded: bool,
    #[bits(3)]
    __: u8,
}

/// Value of [`ESDP`].
#[bitfield(u32)]
pub struct Esdp {
    #[bits(2)]
    __: u8,
    /// SDP2: an SFP+ module is in the cage.
    pub module_present: bool,
    /// SDP3: the laser is off.
    pub laser_off: bool,
    #[bits(28)]
    __: u32,
}

// ---- 8.2.3.2 EEPROM and flash ----

/// EEPROM control.
pub const EEC: Reg<ReadWrite, Eec> = Reg::at(0x10010);
/// EEPROM read.
pub const EERD: Reg<ReadWrite, Eerd> = Reg::at(0x10014);

/// Value of [`EEC`].
#[bitfield(u32)]
pub struct Eec {
    #[bits(8)]
    __: u8,
    /// An EEPROM with a valid signature is there.
    pub present: bool,
    /// The card has read its configuration from it.
    pub auto_read_done: bool,
    #[bits(22)]
    __: u32,
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

// ---- 8.2.3.3 Flow control ----

/// Pause timers, two a register.
pub const FCTTV: RegArray<ReadWrite> = array(0x03200, 4, 4);
/// Receive thresholds to send XON.
pub const FCRTL: RegArray<ReadWrite, FlowThreshold> = array(0x03220, 4, 8);
/// Receive thresholds to send XOFF.
pub const FCRTH: RegArray<ReadWrite, FlowThreshold> = array(0x03260, 4, 8);
/// Refresh of the pause timer.
pub const FCRTV: Reg<ReadWrite> = Reg::at(0x032A0);
/// Flow control configuration (transmit side).
pub const FCCFG: Reg<ReadWrite> = Reg::at(0x03D00);

/// Value of [`FCRTL`] and [`FCRTH`].
#[bitfield(u32)]
pub struct FlowThreshold {
    #[bits(5)]
    __: u8,
    /// Threshold in units of 32 bytes.
    #[bits(14)]
    pub granules: u16,
    #[bits(12)]
    __: u16,
    /// Send pause frames.
    pub enable: bool,
}

// ---- 8.2.3.4 PCIe, semaphores ----

/// PCIe control, extended: virtualisation mode, buffer clear.
pub const GCR_EXT: Reg<ReadWrite, GcrExt> = Reg::at(0x11050);
/// Software semaphore. A read returns SMBI as it was and sets it.
pub const SWSM: Reg<ReadSideEffect, Swsm> = Reg::at(0x10140);
/// Firmware semaphore.
pub const FWSM: Reg<ReadOnly, Fwsm> = Reg::at(0x10148);
/// Software/firmware synchronisation: who owns which resource.
pub const SW_FW_SYNC: Reg<ReadWrite> = Reg::at(0x10160);

/// Value of [`GCR_EXT`].
#[bitfield(u32)]
pub struct GcrExt {
    #[bits(30)]
    __: u32,
    /// Clears the transmit buffers while a stuck master is reset (5.2.5.3.2).
    pub buffers_clear: bool,
    #[bits(1)]
    __: u8,
}

/// Value of [`FWSM`].
#[bitfield(u32)]
pub struct Fwsm {
    #[bits(15)]
    __: u16,
    /// The firmware runs.
    pub valid: bool,
    #[bits(3)]
    __: u8,
    /// Firmware's error, 0 is none.
    #[bits(6)]
    pub error: u8,
    #[bits(7)]
    __: u8,
}
