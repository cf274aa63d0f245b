//! Transmit: queues, arbiters, and the security block that stops the paths (8.2.3.9 to 8.2.3.12).

use bitfield_struct::bitfield;

use super::{array, tx_queue};
use crate::{ReadOnly, ReadWrite, Reg, RegArray};

// ---- 8.2.3.9 Transmit ----

/// Transmit ring base, low half.
pub const TDBAL: RegArray<ReadWrite> = tx_queue(0x00);
/// Transmit ring base, high half.
pub const TDBAH: RegArray<ReadWrite> = tx_queue(0x04);
/// Transmit ring length in bytes.
pub const TDLEN: RegArray<ReadWrite> = tx_queue(0x08);
/// Direct cache access of the transmit queue.
pub const DCA_TXCTRL: RegArray<ReadWrite, DcaTxctrl> = tx_queue(0x0C);
/// Transmit head: next descriptor the card sends.
pub const TDH: RegArray<ReadWrite> = tx_queue(0x10);
/// Transmit tail: first descriptor the card may not send.
pub const TDT: RegArray<ReadWrite> = tx_queue(0x18);
/// Transmit descriptor control: thresholds, enable.
pub const TXDCTL: RegArray<ReadWrite, Txdctl> = tx_queue(0x28);
/// Head write-back address, low half; bit 0 enables it.
pub const TDWBAL: RegArray<ReadWrite> = tx_queue(0x38);
/// Head write-back address, high half.
pub const TDWBAH: RegArray<ReadWrite> = tx_queue(0x3C);
/// Transmit DMA control.
pub const DMATXCTL: Reg<ReadWrite, Dmatxctl> = Reg::at(0x04A80);
/// Most bytes of outstanding requests, in units of 256.
pub const DTXMXSZRQ: Reg<ReadWrite> = Reg::at(0x08100);
/// Transmit packet buffer sizes, KiB in bits 19:10.
pub const TXPBSIZE: RegArray<ReadWrite> = array(0x0CC00, 4, 8);
/// Transmit packet buffer thresholds, KiB.
pub const TXPBTHRESH: RegArray<ReadWrite> = array(0x04950, 4, 8);
/// Multiple transmit queues; written only while the arbiter is disabled.
pub const MTQC: Reg<ReadWrite> = Reg::at(0x08120);

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
    #[bits(7)]
    pub prefetch: u8,
    #[bits(1)]
    __: u8,
    /// Prefetch when at least this many are ready on the host.
    #[bits(7)]
    pub host: u8,
    #[bits(1)]
    __: u8,
    /// Write back in batches of this many; 0 is one by one.
    #[bits(7)]
    pub write_back: u8,
    #[bits(2)]
    __: u8,
    /// The queue runs; reads 1 only once it really does.
    pub enable: bool,
    /// Flush; clears itself.
    pub flush: bool,
    #[bits(5)]
    __: u8,
}

/// Value of [`DMATXCTL`].
#[bitfield(u32)]
pub struct Dmatxctl {
    /// Transmit enable.
    pub enable: bool,
    #[bits(31)]
    __: u32,
}

// ---- 8.2.3.10 Arbiters (DCB) ----

/// Transmit descriptor plane control.
pub const RTTDCS: Reg<ReadWrite, Rttdcs> = Reg::at(0x04900);
/// Selects the queue that [`RTTDT1C`] speaks of.
pub const RTTDQSEL: Reg<ReadWrite> = Reg::at(0x04904);
/// Credits of the selected queue.
pub const RTTDT1C: Reg<ReadWrite> = Reg::at(0x04908);
/// Rate limit of the selected queue.
pub const RTTBCNRC: Reg<ReadWrite> = Reg::at(0x04984);

/// Value of [`RTTDCS`].
#[bitfield(u32)]
pub struct Rttdcs {
    #[bits(6)]
    __: u8,
    /// The arbiter stands still.
    pub arbiter_disable: bool,
    #[bits(25)]
    __: u32,
}

// ---- 8.2.3.12 Security ----

/// Receive security: stops the receive path.
pub const SECRXCTRL: Reg<ReadWrite, Secrxctrl> = Reg::at(0x08D00);
/// Receive security status.
pub const SECRXSTAT: Reg<ReadOnly, Secrxstat> = Reg::at(0x08D04);

/// Value of [`SECRXCTRL`].
#[bitfield(u32)]
pub struct Secrxctrl {
    /// Security off.
    pub security_disable: bool,
    /// The receive path stands still.
    pub rx_disable: bool,
    #[bits(30)]
    __: u32,
}

/// Value of [`SECRXSTAT`].
#[bitfield(u32)]
pub struct Secrxstat {
    /// The receive path is empty.
    pub ready: bool,
    #[bits(31)]
    __: u32,
}
