//! Advanced descriptors, which the 82599 and the 82576 share: two 64-bit little-endian words, `[low, high]`.
//!
//! Section numbers are those of the 82599's datasheet; the 82576's sections are 7.1.5 (receive) and 7.2.2 (transmit). The bits of
//! the status word that differ are in each controller's `desc`.
//!
//! ```text
//!  RX read        low: packet buffer address            high: header buffer address (bit 0 must be 0: it becomes DD)
//!  RX write-back  low: RSS type, packet type | hash     high: status, errors | length, VLAN tag
//!  TX data        low: buffer address                   high: length, DTYP, command | status, options, payload length
//!  TX context     low: header lengths, VLAN tag         high: DTYP, command | index, L4 length, MSS
//! ```

/// What the driver hands to the card for a frame to come (7.1.6.1), one-buffer form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RxRead {
    /// IOVA of the buffer.
    pub buffer: u64,
}

impl RxRead {
    /// As it lies in memory. The header address is 0, so the done bit is clear.
    #[inline(always)]
    pub const fn words(self) -> [u64; 2] {
        [self.buffer, 0]
    }

    /// From memory, for a device model.
    pub const fn from_words(words: [u64; 2]) -> Self {
        RxRead { buffer: words[0] }
    }
}

/// What the card writes over it (7.1.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RxWriteBack {
    /// Bits 3:0 RSS type, 15:4 packet type, 63:32 RSS hash.
    pub low: u64,
    /// Bits 19:0 status, 31:20 errors, 47:32 length, 63:48 VLAN tag.
    pub high: u64,
}

/// Bits of the status and error field, the low half of [`RxWriteBack::high`], that all controllers have in the same places.
pub mod rx_status {
    /// Descriptor done.
    pub const DD: u32 = 1 << 0;
    /// End of packet.
    pub const EOP: u32 = 1 << 1;
    /// A VLAN tag was stripped into the descriptor.
    pub const VP: u32 = 1 << 3;
    /// The IPv4 header checksum was checked.
    pub const IPCS: u32 = 1 << 6;
    /// The destination address is no unicast address.
    pub const PIF: u32 = 1 << 7;
}

/// Bits of the packet type, the low half of [`RxWriteBack::low`] (7.1.6.2, figure of "Packet Type").
pub mod rx_type {
    /// IPv4 header.
    pub const IPV4: u32 = 1 << 4;
    /// IPv4 header with options.
    pub const IPV4_EXT: u32 = 1 << 5;
    /// IPv6 header.
    pub const IPV6: u32 = 1 << 6;
    /// IPv6 with extension headers.
    pub const IPV6_EXT: u32 = 1 << 7;
    /// TCP header.
    pub const TCP: u32 = 1 << 8;
    /// UDP header.
    pub const UDP: u32 = 1 << 9;
    /// SCTP header.
    pub const SCTP: u32 = 1 << 10;
    /// An Ethertype filter matched, and bits 6:4 hold its number: the bits above mean nothing then.
    pub const ETQF: u32 = 1 << 15;
}

/// RSS types, bits 3:0 of [`RxWriteBack::low`]: what the hash was computed over.
pub mod rss_type {
    /// No hash.
    pub const NONE: u32 = 0;
    /// IPv4 addresses and TCP ports.
    pub const IPV4_TCP: u32 = 1;
    /// IPv4 addresses.
    pub const IPV4: u32 = 2;
    /// IPv6 addresses and TCP ports.
    pub const IPV6_TCP: u32 = 3;
    /// IPv6 addresses.
    pub const IPV6: u32 = 5;
    /// IPv4 addresses and UDP ports.
    pub const IPV4_UDP: u32 = 7;
    /// IPv6 addresses and UDP ports.
    pub const IPV6_UDP: u32 = 8;
}

impl RxWriteBack {
    /// As it lies in memory, for a device model.
    pub const fn new(rss_and_type: u32, hash: u32, status: u32, length: u16, vlan_tag: u16) -> Self {
        RxWriteBack {
            low: rss_and_type as u64 | (hash as u64) << 32,
            high: status as u64 | (length as u64) << 32 | (vlan_tag as u64) << 48,
        }
    }

    /// Status and errors, see [`rx_status`] and the controller's `desc`.
    #[inline(always)]
    pub const fn status(self) -> u32 {
        self.high as u32
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

    /// RSS type and packet type, see [`rss_type`] and [`rx_type`].
    #[inline(always)]
    pub const fn packet_type(self) -> u32 {
        self.low as u32 & 0xFFFF
    }

    /// RSS hash; means something if the RSS type is not [`rss_type::NONE`].
    #[inline(always)]
    pub const fn hash(self) -> u32 {
        (self.low >> 32) as u32
    }
}

/// Bits of the low half of a transmit descriptor's high word (DTYP and DCMD, 7.2.3.2.4).
pub mod tx_command {
    /// DTYP 2: context descriptor.
    pub const DTYP_CONTEXT: u32 = 2 << 20;
    /// DTYP 3: data descriptor.
    pub const DTYP_DATA: u32 = 3 << 20;
    /// The DTYP field.
    pub const DTYP_MASK: u32 = 0xF << 20;
    /// End of packet.
    pub const EOP: u32 = 1 << 24;
    /// Insert the FCS.
    pub const IFCS: u32 = 1 << 25;
    /// Report status: write the done bit back.
    pub const RS: u32 = 1 << 27;
    /// Advanced descriptor, always 1.
    pub const DEXT: u32 = 1 << 29;
    /// Insert a VLAN tag, from the context.
    pub const VLE: u32 = 1 << 30;
    /// TCP segmentation.
    pub const TSE: u32 = 1 << 31;
}

/// Transmit data descriptor (7.2.3.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxData {
    /// IOVA of the data.
    pub buffer: u64,
    /// Bytes in this buffer.
    pub length: u16,
    /// [`tx_command`] bits.
    pub command: u32,
    /// Bytes of the whole packet (without headers with TSE).
    pub payload_length: u32,
}

impl TxData {
    /// As it lies in memory.
    #[inline(always)]
    pub const fn words(self) -> [u64; 2] {
        [self.buffer, (self.length as u32 | self.command) as u64 | (self.payload_length as u64) << (32 + 14)]
    }

    /// From memory, for a device model.
    pub const fn from_words(words: [u64; 2]) -> Self {
        TxData {
            buffer: words[0],
            length: words[1] as u16,
            command: words[1] as u32 & 0xFFFF_0000,
            payload_length: (words[1] >> (32 + 14)) as u32,
        }
    }
}

/// What the card writes over a transmit descriptor with [`tx_command::RS`] (7.2.3.5.2): only the done bit means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxWriteBack {
    /// Bit 32 is DD.
    pub high: u64,
}

impl TxWriteBack {
    /// A done descriptor, for a device model.
    pub const DONE: TxWriteBack = TxWriteBack { high: 1 << 32 };

    /// Whether the card is done with all descriptors up to this one.
    #[inline(always)]
    pub const fn done(self) -> bool {
        self.high & Self::DONE.high != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_back_fields_lie_where_the_datasheet_puts_them() {
        let word =
            RxWriteBack::new(rx_type::IPV4 | rx_type::UDP | rss_type::IPV4_UDP, 0xDEAD_BEEF, 0x8000_0003, 1514, 42);
        assert_eq!(word.low, 0xDEAD_BEEF_0000_0217);
        assert_eq!(word.high, 0x002A_05EA_8000_0003);
        assert_eq!((word.hash(), word.length(), word.vlan_tag(), word.packet_type()), (0xDEAD_BEEF, 1514, 42, 0x217));
    }

    #[test]
    fn a_data_descriptor_survives_the_way_through_memory() {
        let command = tx_command::DTYP_DATA | tx_command::DEXT | tx_command::EOP | tx_command::IFCS | tx_command::RS;
        let data = TxData { buffer: 0x1234_5678_9ABC, length: 60, command, payload_length: 60 };
        assert_eq!(data.words(), [0x1234_5678_9ABC, 0x000F_0000_2B30_003C]);
        assert_eq!(TxData::from_words(data.words()), data);
        // A read-form descriptor must not look done before the card has written it back.
        assert!(!TxWriteBack { high: data.words()[1] }.done());
        assert!(TxWriteBack::DONE.done());
    }
}
