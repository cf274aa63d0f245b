//! General control, NVM, PHY, flow control, PCIe, semaphores (8.2 to 8.7).

use bitfield_struct::bitfield;

use crate::{ReadOnly, ReadWrite, Reg};

// ---- 8.2 General control ----

/// Extended device control.
pub const CTRL_EXT: Reg<ReadWrite, CtrlExt> = Reg::at(0x00018);
/// Ethertypes of VLAN tags: inner in 15:0, outer in 31:16.
pub const VET: Reg<ReadWrite> = Reg::at(0x00038);
/// Wake-up control.
pub const WUC: Reg<ReadWrite> = Reg::at(0x05800);

/// Value of [`CTRL_EXT`].
#[bitfield(u32)]
pub struct CtrlExt {
    #[bits(14)]
    __: u16,
    /// Physical function reset done.
    pub pf_reset_done: bool,
    #[bits(2)]
    __: u8,
    /// Relaxed ordering disable.
    pub relaxed_ordering_disable: bool,
    #[bits(4)]
    __: u8,
    /// Where the link is: 0 copper PHY, 1 1000BASE-KX, 2 SGMII, 3 SerDes.
    #[bits(2)]
    pub link_mode: u8,
    #[bits(2)]
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

// ---- 8.4 NVM ----

/// NVM control.
pub const EECD: Reg<ReadWrite, Eecd> = Reg::at(0x00010);
/// Manageability's NVM control: which ports the firmware has configured.
pub const EEMNGCTL: Reg<ReadOnly, Eemngctl> = Reg::at(0x01010);

/// Value of [`EECD`].
#[bitfield(u32)]
pub struct Eecd {
    #[bits(8)]
    __: u8,
    /// An NVM with a valid signature is there.
    pub present: bool,
    /// The card has read its configuration from it.
    pub auto_read_done: bool,
    #[bits(9)]
    __: u16,
    /// I210 and I211: a flash is there. Without it they configure themselves from fuses, and [`super::EERD`] has nothing to read.
    pub flash_present: bool,
    #[bits(12)]
    __: u16,
}

/// Value of [`EEMNGCTL`].
#[bitfield(u32)]
pub struct Eemngctl {
    #[bits(18)]
    __: u32,
    /// The PHYs that are configured after a reset, a bit a port.
    #[bits(4)]
    pub configured: u8,
    #[bits(10)]
    __: u16,
}

// ---- 8.2.4 PHY ----

/// How MDIC reaches the PHY. I350 and I210; the 82576 does not have it.
pub const MDICNFG: Reg<ReadWrite, Mdicnfg> = Reg::at(0x00E04);
/// Power management of the PHY. I350 and I210; the 82576 does not have it.
pub const PHPM: Reg<ReadWrite, Phpm> = Reg::at(0x00E14);

/// Value of [`MDICNFG`].
#[bitfield(u32)]
pub struct Mdicnfg {
    #[bits(21)]
    __: u32,
    /// Address of the PHY.
    #[bits(5)]
    pub phy: u8,
    #[bits(5)]
    __: u8,
    /// An external PHY.
    pub external: bool,
}

/// Value of [`PHPM`].
#[bitfield(u32)]
pub struct Phpm {
    /// Smart power-down: little power without a link partner.
    pub smart_power_down: bool,
    /// Low-power link in D0.
    pub low_power_d0: bool,
    /// Low-power link in other states.
    pub low_power_other: bool,
    #[bits(2)]
    __: u8,
    /// The link is off.
    pub link_disconnect: bool,
    #[bits(26)]
    __: u32,
}

// ---- 8.5 Flow control ----

/// Receive threshold to send XON; enables it.
pub const FCRTL: Reg<ReadWrite, FlowThreshold> = Reg::at(0x02160);
/// Receive threshold to send XOFF.
pub const FCRTH: Reg<ReadWrite, FlowThreshold> = Reg::at(0x02168);
/// Refresh of the pause timer.
pub const FCRTV: Reg<ReadWrite> = Reg::at(0x02460);

/// Value of [`FCRTL`] and [`FCRTH`].
#[bitfield(u32)]
pub struct FlowThreshold {
    #[bits(4)]
    __: u8,
    /// Threshold in units of 16 bytes.
    #[bits(12)]
    pub granules: u16,
    #[bits(15)]
    __: u16,
    /// Send XON frames ([`FCRTL`] only).
    pub xon_enable: bool,
}

// ---- 8.6, 8.7 PCIe, semaphores ----

/// PCIe control: completion timeout.
pub const GCR: Reg<ReadWrite, Gcr> = Reg::at(0x05B00);
/// Firmware semaphore.
pub const FWSM: Reg<ReadOnly, Fwsm> = Reg::at(0x05B54);
/// Software/firmware synchronisation: who owns which [`resource`]. Those that software has in 15:0, those that the firmware has in 31:16.
pub const SW_FW_SYNC: Reg<ReadWrite> = Reg::at(0x05B5C);

/// Value of [`GCR`].
#[bitfield(u32)]
pub struct Gcr {
    #[bits(12)]
    __: u16,
    /// Completion timeout: 0 50 us to 10 ms, 1 10 to 250 ms.
    #[bits(4)]
    pub completion_timeout: u8,
    /// Repeat requests whose completion has not come. Must be off: a late completion would be taken for the repeated one's (8.6.1).
    pub completion_resend: bool,
    #[bits(1)]
    __: u8,
    /// The timeout is in PCI configuration space (device control 2), not here.
    pub pcie_v2: bool,
    #[bits(13)]
    __: u16,
}

/// Value of [`FWSM`].
#[bitfield(u32)]
pub struct Fwsm {
    #[bits(1)]
    __: u8,
    /// What the firmware does, 0 is nothing.
    #[bits(3)]
    pub mode: u8,
    #[bits(11)]
    __: u16,
    /// The firmware runs.
    pub valid: bool,
    #[bits(16)]
    __: u16,
}

/// What [`SW_FW_SYNC`] shares out.
pub mod resource {
    /// The NVM.
    pub const NVM: u32 = 1 << 0;
    /// The PHY of each port.
    pub const PHY: [u32; 4] = [1 << 1, 1 << 2, 1 << 5, 1 << 6];
}
