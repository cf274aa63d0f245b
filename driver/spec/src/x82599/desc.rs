//! Advanced descriptors (7.1.6 receive, 7.2.3 transmit): [`crate::advanced`], with the 82599's own status bits.

pub use crate::advanced::{RxRead, RxWriteBack, TxData, TxWriteBack, rss_type, rx_type, tx_command};

/// Bits of the status and error field, the low half of [`RxWriteBack::high`].
pub mod rx_status {
    pub use crate::advanced::rx_status::*;

    /// The L4 checksum was checked.
    pub const L4CS: u32 = 1 << 5;
    /// Any MAC error: CRC, symbol, length.
    pub const RXE: u32 = 1 << 29;
    /// L4 checksum error.
    pub const L4E: u32 = 1 << 30;
    /// IPv4 header checksum error.
    pub const IPE: u32 = 1 << 31;
}
