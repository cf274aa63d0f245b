//! Advanced descriptors (7.1.5 receive, 7.2.2 transmit): [`crate::advanced`], with the family's own status bits.
//!
//! A data descriptor has no check-context bit: every one that asks for an offload refers to its context.

pub use crate::advanced::{RxRead, RxWriteBack, TxData, TxWriteBack, rss_type, rx_type, tx_command};

/// Bits of the status and error field, the low half of [`RxWriteBack::high`].
pub mod rx_status {
    pub use crate::advanced::rx_status::*;

    /// A UDP checksum was checked.
    pub const UDPCS: u32 = 1 << 4;
    /// A TCP checksum was checked.
    pub const TCPCS: u32 = 1 << 5;
    /// The frame comes from another function of the chip, not from the wire. An I350 gives its VLAN tag with the bytes swapped.
    pub const LB: u32 = 1 << 18;
    /// CRC error. Such frames arrive only with [`crate::x82576::regs::Rctl::store_bad`], like those with the next three.
    pub const CE: u32 = 1 << 24;
    /// Symbol error.
    pub const SE: u32 = 1 << 25;
    /// Sequence error.
    pub const SEQ: u32 = 1 << 26;
    /// Carrier extension error.
    pub const CXE: u32 = 1 << 28;
    /// L4 checksum error.
    pub const L4E: u32 = 1 << 29;
    /// IPv4 header checksum error.
    pub const IPE: u32 = 1 << 30;
    /// Any other error of the frame.
    pub const RXE: u32 = 1 << 31;
}
