//! What the families with advanced descriptors ([`gannet_spec::advanced`]) do with them alike.
//!
//! From a receive descriptor's bits to a packet's metadata it is one look-up here and a few shifts in the family, whose status bits are its
//! own; no branches.

use gannet_mempool::buffers::Segment;
use gannet_mempool::{Flags, L3, L4};
use gannet_spec::advanced::{TxData, rss_type, rx_type, tx_command};

/// Flags by RSS type and packet type, the low 16 bits of the descriptor. A program touches a line or two of it.
pub(crate) type TypeTable = [u16; 1 << 16];

/// The table of a family whose UDP packets have the flags `udp` besides.
pub(crate) const fn type_table(udp: Flags) -> TypeTable {
    let mut table = [0; 1 << 16];
    let mut index = 0;
    while index < table.len() {
        table[index] = flags_of_type(index as u32, udp).0;
        index += 1;
    }
    table
}

const fn flags_of_type(kind: u32, udp: Flags) -> Flags {
    let flags = if kind & 0xF != rss_type::NONE { Flags::RSS } else { Flags(0) };
    // An Ethertype filter's match replaces the packet type by the filter's number.
    if kind & rx_type::ETQF != 0 {
        return flags;
    }
    let udp = if kind & rx_type::UDP != 0 { udp } else { Flags(0) };
    flags.with(udp).with(Flags::headers(l3(kind), l4(kind)))
}

const fn l3(kind: u32) -> L3 {
    if kind & rx_type::IPV4_EXT != 0 {
        L3::Ipv4Options
    } else if kind & rx_type::IPV4 != 0 {
        L3::Ipv4
    } else if kind & rx_type::IPV6_EXT != 0 {
        L3::Ipv6Extensions
    } else if kind & rx_type::IPV6 != 0 {
        L3::Ipv6
    } else {
        L3::Unknown
    }
}

const fn l4(kind: u32) -> L4 {
    if kind & rx_type::TCP != 0 {
        L4::Tcp
    } else if kind & rx_type::UDP != 0 {
        L4::Udp
    } else if kind & rx_type::SCTP != 0 {
        L4::Sctp
    } else {
        L4::Unknown
    }
}

/// A piece of a frame: data, advanced, FCS inserted.
const PIECE: u32 = tx_command::DTYP_DATA | tx_command::DEXT | tx_command::IFCS;

/// The descriptor that sends a segment, without the bit that asks for a report.
#[inline(always)]
pub(crate) fn tx_descriptor(segment: Segment) -> [u64; 2] {
    let end = if segment.is_last { tx_command::EOP } else { 0 };
    TxData { buffer: segment.iova, length: segment.len, command: PIECE | end, payload_length: segment.frame_len.into() }
        .words()
}
