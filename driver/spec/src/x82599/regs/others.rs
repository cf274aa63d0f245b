//! Registers that device models need: second addresses, and what kernel drivers touch.

use bitfield_struct::bitfield;

use super::*;
use crate::{ClearOnRead, ReadOnly, ReadWrite, Reg, RegArray, WriteOnly};

// ---- Registers that answer at a second address (8.2.2: the 82598's places), for device models ----

/// [`CTRL`] once more.
pub const CTRL_ALIAS: Reg<ReadWrite, Ctrl> = Reg::at(0x00004);
/// [`SRRCTL`] of queues 0 to 15.
pub const SRRCTL_ALIAS: RegArray<ReadWrite, Srrctl> = array(0x02100, 4, 16);
/// [`DCA_RXCTRL`] of queues 0 to 15.
pub const DCA_RXCTRL_ALIAS: RegArray<ReadWrite, DcaRxctrl> = array(0x02200, 4, 16);
/// [`RAL`] 0 to 15.
pub const RAL_ALIAS: RegArray<ReadWrite> = array(0x05400, 8, 16);
/// [`RAH`] 0 to 15.
pub const RAH_ALIAS: RegArray<ReadWrite, Rah> = array(0x05404, 8, 16);
/// [`PSRTYPE`] 0 to 15.
pub const PSRTYPE_ALIAS: RegArray<ReadWrite> = array(0x05480, 4, 16);
/// [`MRQC`] once more.
pub const MRQC_ALIAS: Reg<ReadWrite, Mrqc> = Reg::at(0x05818);
/// [`RETA`] once more.
pub const RETA_ALIAS: RegArray<ReadWrite> = array(0x05C00, 4, 32);
/// [`RSSRK`] once more.
pub const RSSRK_ALIAS: RegArray<ReadWrite> = array(0x05C80, 4, 10);
/// [`QPTC`] once more.
pub const QPTC_ALIAS: RegArray<ClearOnRead> = array(0x06030, 0x40, 16);

// ---- Registers that kernel drivers touch: PHY, wake-up, firmware, filters not used here ----

/// Bit-banged I2C to the SFP+ module: clock in 0, clock out 1, data in 2, data out 3.
pub const I2CCTL: Reg<ReadWrite> = Reg::at(0x00028);
/// Ethertype of the outer VLAN tag.
pub const EXVET: Reg<ReadWrite> = Reg::at(0x05078);
/// Virtualisation control.
pub const VT_CTL: Reg<ReadWrite> = Reg::at(0x051B0);
/// Wake-up control.
pub const WUC: Reg<ReadWrite> = Reg::at(0x05800);
/// Wake-up filter control.
pub const WUFC: Reg<ReadWrite> = Reg::at(0x05808);
/// Wake-up status, write 1 to clear.
pub const WUS: Reg<ReadWrite> = Reg::at(0x05810);
/// Manageability control.
pub const MANC: Reg<ReadWrite> = Reg::at(0x05820);
/// Receive side coalescing: the small-packet rules.
pub const RSCDBU: Reg<ReadWrite> = Reg::at(0x03028);
/// Receive packet buffer wrap pointers.
pub const RXMEMWRAP: Reg<ReadOnly> = Reg::at(0x03190);
/// Clause 45 access to an external PHY.
pub const MSCA: Reg<ReadWrite, Msca> = Reg::at(0x0425C);
/// Its data: 15:0 to write, 31:16 read.
pub const MSRWD: Reg<ReadWrite> = Reg::at(0x04260);
/// Parallel detect, lane configuration of the 1 Gb/s PCS.
pub const PCS1GLCTL: Reg<ReadWrite> = Reg::at(0x04208);
/// Status of the 1 Gb/s PCS.
pub const PCS1GLSTA: Reg<ReadOnly> = Reg::at(0x0420C);
/// Advertisement of the 1 Gb/s PCS.
pub const PCS1GANA: Reg<ReadWrite> = Reg::at(0x04218);
/// Autonegotiation: 19:16 is the state machine, 0 while it restarts.
pub const ANLP1: Reg<ReadOnly> = Reg::at(0x042B0);
/// Autonegotiation, next page.
pub const ANLP2: Reg<ReadOnly> = Reg::at(0x042B4);
/// Bit 0: the firmware forbids resets of the PHY.
pub const MMNGC: Reg<ReadOnly> = Reg::at(0x042D0);
/// More of the link status.
pub const LINKS2: Reg<ReadOnly> = Reg::at(0x04324);
/// Flags of segmented TCP frames, first and middle.
pub const DTXTCPFLGL: Reg<ReadWrite> = Reg::at(0x04A88);
/// Flags of segmented TCP frames, last.
pub const DTXTCPFLGH: Reg<ReadWrite> = Reg::at(0x04A8C);
/// Transmit security: stops the transmit path.
pub const SECTXCTRL: Reg<ReadWrite> = Reg::at(0x08800);
/// Transmit security status, bit 0 is ready.
pub const SECTXSTAT: Reg<ReadOnly, Secrxstat> = Reg::at(0x08804);
/// Transmit security buffer.
pub const SECTXBUFFAF: Reg<ReadWrite> = Reg::at(0x08808);
/// Gap between frames with security.
pub const SECTXMINIFG: Reg<ReadWrite> = Reg::at(0x08810);
/// Queue of each Ethertype filter.
pub const ETQS: RegArray<ReadWrite> = array(0x0EC00, 4, 8);
/// Source addresses of the five-tuple filters.
pub const SAQF: RegArray<ReadWrite> = array(0x0E000, 4, 128);
/// Destination addresses of the five-tuple filters.
pub const DAQF: RegArray<ReadWrite> = array(0x0E200, 4, 128);
/// Ports of the five-tuple filters.
pub const SDPQF: RegArray<ReadWrite> = array(0x0E400, 4, 128);
/// Queues of the five-tuple filters.
pub const L34T_IMIR: RegArray<ReadWrite> = array(0x0E800, 4, 128);
/// Flow director control: bits 1:0 allocate its table, bit 3 says that it is ready.
pub const FDIRCTRL: Reg<ReadWrite> = Reg::at(0x0EE00);
/// Manageability and PCIe sharing.
pub const FACTPS: Reg<ReadOnly> = Reg::at(0x10150);
/// General: manageability, APM.
pub const GRC: Reg<ReadWrite> = Reg::at(0x10200);
/// PCIe control: completion timeout.
pub const GCR: Reg<ReadWrite> = Reg::at(0x11000);
/// SFP analog initialisation: takes the words of the EEPROM's list.
pub const CORECTL: Reg<WriteOnly> = Reg::at(0x14F00);
/// Host interface of the firmware.
pub const HICR: Reg<ReadWrite> = Reg::at(0x15F00);

/// Value of [`MSCA`].
#[bitfield(u32)]
pub struct Msca {
    /// Register.
    pub register: u16,
    /// Device type.
    #[bits(5)]
    pub device: u8,
    /// Address of the PHY.
    #[bits(5)]
    pub phy: u8,
    /// 0 address, 1 write, 2 read and increment, 3 read.
    #[bits(2)]
    pub operation: u8,
    /// 0 is clause 45.
    #[bits(2)]
    pub start: u8,
    /// Starts; clears itself.
    pub command: bool,
    #[bits(1)]
    __: u8,
}
