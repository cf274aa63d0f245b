//! Extended descriptors (7.1 receive, 7.2 transmit): laid out as [`crate::advanced`], with the packet type in the status, the queue in bits
//! 12:8 of the low word, and transmit descriptors of their own.
//!
//! The card takes a receive descriptor for an extended one if `RFCTL.EXSTEN` is set, a transmit descriptor by its DEXT bit.

pub use crate::advanced::{RxRead, RxWriteBack, TxWriteBack};

/// Bits of the status and error field, the low half of [`RxWriteBack::high`].
pub mod rx_status {
    pub use crate::advanced::rx_status::*;

    /// No checksum was checked, whatever the other bits say.
    pub const IXSM: u32 = 1 << 2;
    /// The L4 checksum was checked, and it was UDP's. [`TCPCS`] is set too.
    pub const UDPCS: u32 = 1 << 4;
    /// The L4 checksum was checked, TCP's or UDP's.
    pub const TCPCS: u32 = 1 << 5;
    /// CRC error, or alignment error.
    pub const CE: u32 = 1 << 24;
    /// Symbol error.
    pub const SE: u32 = 1 << 25;
    /// Sequence error.
    pub const SEQ: u32 = 1 << 26;
    /// Carrier extension error.
    pub const CXE: u32 = 1 << 28;
    /// L4 checksum error.
    pub const TCPE: u32 = 1 << 29;
    /// IPv4 header checksum error.
    pub const IPE: u32 = 1 << 30;
    /// Data error during reception.
    pub const RXE: u32 = 1 << 31;
    /// Any error of the MAC: the frame is damaged.
    pub const DAMAGED: u32 = CE | SE | SEQ | CXE | RXE;
}

/// Packet types, bits 19:16 of the status: the headers that the card recognised.
pub mod packet_type {
    /// Where they lie in the status.
    pub const SHIFT: u32 = 16;
    /// The field, shifted down.
    pub const MASK: u32 = 0xF;
    /// None above Ethernet.
    pub const MAC: u32 = 0;
    /// IPv4.
    pub const IPV4: u32 = 1;
    /// IPv4, and TCP or UDP.
    pub const IPV4_L4: u32 = 2;
    /// IPv6.
    pub const IPV6: u32 = 5;
    /// IPv6, and TCP or UDP.
    pub const IPV6_L4: u32 = 6;
}

/// RSS types, bits 3:0 of the low word: what the hash was computed over.
pub mod rss_type {
    /// The field.
    pub const MASK: u32 = 0xF;
    /// No hash.
    pub const NONE: u32 = 0;
    /// IPv4 addresses and TCP ports.
    pub const IPV4_TCP: u32 = 1;
    /// IPv4 addresses.
    pub const IPV4: u32 = 2;
    /// IPv6 addresses, those of extension headers if there are any, and TCP ports.
    pub const IPV6_TCP: u32 = 3;
    /// IPv6 addresses, those of extension headers if there are any.
    pub const IPV6_EX: u32 = 4;
    /// IPv6 addresses.
    pub const IPV6: u32 = 5;
}

/// Bits of the low half of a transmit descriptor's high word (DTYP and DCMD).
pub mod tx_command {
    /// DTYP 1: data descriptor.
    pub const DTYP_DATA: u32 = 1 << 20;
    /// End of packet.
    pub const EOP: u32 = 1 << 24;
    /// Insert the FCS.
    pub const IFCS: u32 = 1 << 25;
    /// Report status: write the done bit back.
    pub const RS: u32 = 1 << 27;
    /// Extended descriptor.
    pub const DEXT: u32 = 1 << 29;
}

/// Transmit data descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxData {
    /// IOVA of the data.
    pub buffer: u64,
    /// Bytes in this buffer.
    pub length: u16,
    /// [`tx_command`] bits.
    pub command: u32,
}

impl TxData {
    /// As it lies in memory, without offloads.
    #[inline(always)]
    pub const fn words(self) -> [u64; 2] {
        [self.buffer, (self.length as u32 | self.command) as u64]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_back_fields_lie_where_the_datasheet_puts_them() {
        // A tagged TCP/IPv4 frame of 1514 bytes with a bad TCP checksum, for queue 1.
        let word = RxWriteBack { low: 0xDEAD_BEEF_0000_0101, high: 0x002A_05EA_2002_006B };
        assert_eq!((word.packet_type() & rss_type::MASK, word.hash()), (rss_type::IPV4_TCP, 0xDEAD_BEEF));
        let kind = word.status() >> packet_type::SHIFT & packet_type::MASK;
        assert_eq!((word.length(), word.vlan_tag(), kind), (1514, 42, packet_type::IPV4_L4));
        let bits = [rx_status::DD, rx_status::EOP, rx_status::VP, rx_status::TCPCS, rx_status::IPCS, rx_status::TCPE];
        assert_eq!(word.status() & !(0xF << 16), bits.into_iter().sum());
    }

    #[test]
    fn what_the_driver_writes_does_not_look_done() {
        let command = tx_command::DTYP_DATA | tx_command::DEXT | tx_command::EOP | tx_command::IFCS | tx_command::RS;
        let data = TxData { buffer: 0x1234_5678_9ABC, length: 60, command };
        assert_eq!(data.words(), [0x1234_5678_9ABC, 0x2B10_003C]);
        assert!(!TxWriteBack { high: data.words()[1] }.done());
    }
}
