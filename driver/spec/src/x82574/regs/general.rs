//! General control, NVM, PHY, flow control, semaphores and PCIe (10.2.2, 10.2.3).

use bitfield_struct::bitfield;

use crate::{ReadWrite, Reg};

// ---- General control ----

/// Extended device control.
pub const CTRL_EXT: Reg<ReadWrite, CtrlExt> = Reg::at(0x00018);
/// VLAN Ethertype.
pub const VET: Reg<ReadWrite> = Reg::at(0x00038);
/// Division of the packet buffer; takes effect with the next reset.
pub const PBA: Reg<ReadWrite, Pba> = Reg::at(0x01000);

/// Value of [`CTRL_EXT`].
#[bitfield(u32)]
pub struct CtrlExt {
    #[bits(13)]
    __: u16,
    /// Load the configuration from the NVM again, as after PCI reset; clears itself.
    pub nvm_reload: bool,
    #[bits(3)]
    __: u8,
    /// Relaxed ordering disable.
    pub relaxed_ordering_disable: bool,
    #[bits(4)]
    __: u8,
    /// Reserved; must be written 1.
    pub reserved_one: bool,
    /// Reserved; must be written 0.
    pub reserved_zero: bool,
    /// An MSI-X vector that fires masks its causes, those of IAM.
    pub vector_auto_mask: bool,
    #[bits(2)]
    __: u8,
    /// Reading ICR masks the causes of IAM; for INTx and MSI only.
    pub read_auto_mask: bool,
    /// A driver is loaded: tells the firmware.
    pub driver_loaded: bool,
    #[bits(2)]
    __: u8,
    /// Unmasking a cause clears the pending bit of its MSI-X vector.
    pub pending_clear: bool,
}

/// Value of [`PBA`]. The halves add up to [`super::super::PACKET_BUFFER_KIB`].
#[bitfield(u32)]
pub struct Pba {
    /// KiB for receive.
    pub rx_kib: u16,
    /// KiB for transmit.
    pub tx_kib: u16,
}

// ---- NVM and PHY ----

/// NVM control.
pub const EECD: Reg<ReadWrite, Eecd> = Reg::at(0x00010);

/// Value of [`EECD`].
#[bitfield(u32)]
pub struct Eecd {
    #[bits(8)]
    __: u8,
    /// An NVM with a valid signature is there.
    pub present: bool,
    /// The card has read its configuration from it.
    pub auto_read_done: bool,
    #[bits(5)]
    __: u8,
    /// What it is: 3 flash, else EEPROM.
    #[bits(2)]
    pub nvm_type: u8,
    #[bits(15)]
    __: u16,
}

// ---- Flow control ----

/// Receive threshold to send XON.
pub const FCRTL: Reg<ReadWrite, FlowThreshold> = Reg::at(0x02160);
/// Receive threshold to send XOFF.
pub const FCRTH: Reg<ReadWrite, FlowThreshold> = Reg::at(0x02168);

/// Value of [`FCRTL`] and [`FCRTH`].
#[bitfield(u32)]
pub struct FlowThreshold {
    #[bits(3)]
    __: u8,
    /// Threshold in units of 8 bytes.
    #[bits(13)]
    pub granules: u16,
    #[bits(15)]
    __: u16,
    /// Send XON below the threshold; in [`FCRTL`] only.
    pub send_xon: bool,
}

// ---- Semaphores ----

/// Extended configuration control: who owns the PHY's bus.
pub const EXTCNF_CTRL: Reg<ReadWrite, ExtcnfCtrl> = Reg::at(0x00F00);
/// Value of [`EXTCNF_CTRL`].
#[bitfield(u32)]
pub struct ExtcnfCtrl {
    #[bits(5)]
    __: u8,
    /// Software owns the PHY's bus and the NVM, if it reads back 1 after it was written 1. A reset gives it to the firmware.
    pub software_owns_mdio: bool,
    #[bits(26)]
    __: u32,
}

// ---- PCIe (10.2.3) ----

/// PCIe control.
pub const GCR: Reg<ReadWrite, Gcr> = Reg::at(0x05B00);
/// PCIe control, second register.
pub const GCR2: Reg<ReadWrite, Gcr2> = Reg::at(0x05B64);

/// Value of [`GCR`].
#[bitfield(u32)]
pub struct Gcr {
    #[bits(22)]
    __: u32,
    /// Reserved; must be written 1, or completions go missing.
    pub reserved_one: bool,
    #[bits(4)]
    __: u8,
    /// L1 may be entered although the receiver is not in L0s.
    pub l1_without_l0s: bool,
    #[bits(4)]
    __: u8,
}

/// Value of [`GCR2`].
#[bitfield(u32)]
pub struct Gcr2 {
    /// Reserved; must be written 1, or completions go missing.
    pub reserved_one: bool,
    #[bits(31)]
    __: u32,
}
