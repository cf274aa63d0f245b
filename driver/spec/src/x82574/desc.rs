//! Extended descriptors (7.1 receive, 7.2 transmit): two 64-bit little-endian words, `[low, high]`.
//!
//! ```text
//!  RX read        low: buffer address                   high: 0 (its bit 0 becomes DD)
//!  RX write-back  low: RSS type, queue | RSS hash       high: status, errors | length, VLAN tag
//!  TX data        low: buffer address                   high: length, DTYP, command | status
//!  TX write-back  low: unchanged                        high: as written | DD
//! ```
//!
//! The card takes a receive descriptor for an extended one if `RFCTL.EXSTEN` is set, a transmit descriptor by its DEXT bit.

/// What the driver hands to the card for a frame to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RxRead {
    /// IOVA of the buffer.
    pub buffer: u64,
}

impl RxRead {
    /// As it lies in memory, with the done bit clear.
    #[inline(always)]
    pub const fn words(self) -> [u64; 2] {
        [self.buffer, 0]
    }
}

/// What the card writes over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RxWriteBack {
    /// Bits 3:0 RSS type, 12:8 queue, 63:32 RSS hash (with `RXCSUM.PCSD`).
    pub low: u64,
    /// Bits 19:0 status, 31:20 errors, 47:32 length, 63:48 VLAN tag.
    pub high: u64,
}

/// Bits of the status and error field, the low half of [`RxWriteBack::high`].
pub mod rx_status {
    /// Descriptor done.
    pub const DD: u32 = 1 << 0;
    /// End of packet. The bits below mean something only with it.
    pub const EOP: u32 = 1 << 1;
    /// No checksum was checked, whatever the other bits say.
    pub const IXSM: u32 = 1 << 2;
    /// A VLAN tag was stripped into the descriptor.
    pub const VP: u32 = 1 << 3;
    /// The L4 checksum was checked, and it was UDP's. [`TCPCS`] is set too.
    pub const UDPCS: u32 = 1 << 4;
    /// The L4 checksum was checked, TCP's or UDP's.
    pub const TCPCS: u32 = 1 << 5;
    /// The IPv4 header checksum was checked.
    pub const IPCS: u32 = 1 << 6;
    /// The destination address passed a filter that is not exact.
    pub const PIF: u32 = 1 << 7;
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

/// Packet types, [`RxWriteBack::packet_type`]: the headers that the card recognised.
pub mod packet_type {
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

/// RSS types, [`RxWriteBack::rss_type`]: what the hash was computed over.
pub mod rss_type {
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

impl RxWriteBack {
    /// Status and errors, see [`rx_status`].
    #[inline(always)]
    pub const fn status(self) -> u32 {
        self.high as u32
    }

    /// Headers of the frame, see [`packet_type`]. It lies in the status: bits 19:16.
    #[inline(always)]
    pub const fn packet_type(self) -> u32 {
        self.status() >> 16 & 0xF
    }

    /// Bytes in this buffer.
    #[inline(always)]
    pub const fn length(self) -> u16 {
        (self.high >> 32) as u16
    }

    /// The stripped VLAN tag; means something if [`rx_status::VP`] is set.
    #[inline(always)]
    pub const fn vlan_tag(self) -> u16 {
        (self.high >> 48) as u16
    }

    /// What the hash was computed over, see [`rss_type`].
    #[inline(always)]
    pub const fn rss_type(self) -> u32 {
        self.low as u32 & 0xF
    }

    /// RSS hash; means something if the RSS type is not [`rss_type::NONE`].
    #[inline(always)]
    pub const fn hash(self) -> u32 {
        (self.low >> 32) as u32
    }
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

/// What the card writes over a transmit descriptor with [`tx_command::RS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxWriteBack {
    /// Bit 32 is DD.
    pub high: u64,
}

impl TxWriteBack {
    /// Whether the card is done with all descriptors up to this one.
    #[inline(always)]
    pub const fn done(self) -> bool {
        self.high & 1 << 32 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_back_fields_lie_where_the_datasheet_puts_them() {
        // A tagged TCP/IPv4 frame of 1514 bytes with a bad TCP checksum, for queue 1.
        let word = RxWriteBack { low: 0xDEAD_BEEF_0000_0101, high: 0x002A_05EA_2002_006B };
        assert_eq!((word.rss_type(), word.hash()), (rss_type::IPV4_TCP, 0xDEAD_BEEF));
        assert_eq!((word.length(), word.vlan_tag(), word.packet_type()), (1514, 42, packet_type::IPV4_L4));
        let bits = [rx_status::DD, rx_status::EOP, rx_status::VP, rx_status::TCPCS, rx_status::IPCS, rx_status::TCPE];
        assert_eq!(word.status() & !(0xF << 16), bits.into_iter().sum());
    }

    #[test]
    fn what_the_driver_writes_does_not_look_done() {
        let command = tx_command::DTYP_DATA | tx_command::DEXT | tx_command::EOP | tx_command::IFCS | tx_command::RS;
        let data = TxData { buffer: 0x1234_5678_9ABC, length: 60, command };
        assert_eq!(data.words(), [0x1234_5678_9ABC, 0x2B10_003C]);
        assert!(!TxWriteBack { high: data.words()[1] }.done());
        assert!(TxWriteBack { high: data.words()[1] | 1 << 32 }.done());
        let read = RxRead { buffer: u64::MAX };
        assert_eq!(read.words()[1] as u32 & rx_status::DD, 0);
    }
}
