//! Transmit offloads: context descriptors (7.2.3.2.3) and the options of a data descriptor that refer to them.

use super::desc::tx_command;

/// Bits of the high half of a data descriptor's high word (POPTS and CC, 7.2.3.2.4).
pub mod tx_option {
    /// Where the index of the context starts.
    pub const INDEX_SHIFT: u32 = 4;
    /// The index of the context: two are kept for each queue.
    pub const INDEX_MASK: u32 = 7;
    /// Insert the IPv4 header checksum.
    pub const IXSM: u32 = 1 << 8;
    /// Insert the L4 checksum.
    pub const TXSM: u32 = 1 << 9;
}

/// Whose checksum TXSM inserts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum L4Type {
    /// UDP, checksum at byte 6.
    #[default]
    Udp,
    /// TCP, checksum at byte 16.
    Tcp,
    /// SCTP, CRC32c at byte 8.
    Sctp,
    /// No protocol has this code.
    Reserved,
}

/// Context descriptor: what the offloads of the data descriptors after it need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TxContext {
    /// Bytes of the L2 header.
    pub l2_length: u8,
    /// Bytes of the IP header.
    pub l3_length: u16,
    /// VLAN tag that VLE inserts.
    pub vlan_tag: u16,
    /// L4 protocol.
    pub l4_type: L4Type,
    /// Which of the two contexts it sets.
    pub index: u8,
}

impl TxContext {
    /// As it lies in memory, for offloads without segmentation.
    pub const fn words(self) -> [u64; 2] {
        let low =
            (self.l3_length & 0x1FF) as u64 | ((self.l2_length & 0x7F) as u64) << 9 | (self.vlan_tag as u64) << 16;
        let l4_type = match self.l4_type {
            L4Type::Udp => 0,
            L4Type::Tcp => 1,
            L4Type::Sctp => 2,
            L4Type::Reserved => 3,
        };
        let command = (tx_command::DTYP_CONTEXT | tx_command::DEXT | l4_type << 11) as u64;
        [low, command | (self.index as u64) << (32 + tx_option::INDEX_SHIFT)]
    }

    /// From memory, for a device model.
    pub const fn from_words(words: [u64; 2]) -> Self {
        let l4_type = match words[1] >> 11 & 3 {
            0 => L4Type::Udp,
            1 => L4Type::Tcp,
            2 => L4Type::Sctp,
            _ => L4Type::Reserved,
        };
        TxContext {
            l2_length: (words[0] >> 9 & 0x7F) as u8,
            l3_length: (words[0] & 0x1FF) as u16,
            vlan_tag: (words[0] >> 16) as u16,
            l4_type,
            index: ((words[1] >> (32 + tx_option::INDEX_SHIFT)) as u32 & tx_option::INDEX_MASK) as u8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_survives_the_way_through_memory() {
        let context = TxContext { l2_length: 14, l3_length: 20, vlan_tag: 0x6042, l4_type: L4Type::Tcp, index: 1 };
        assert_eq!(context.words(), [0x6042_1C14, 0x0000_0010_2020_0800]);
        assert_eq!(TxContext::from_words(context.words()), context);
    }
}
