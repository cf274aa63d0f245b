//! From a receive descriptor's bits to a packet's metadata: one look-up and a few shifts, no branches.

use gannet_mempool::{Flags, L3, L4, Metadata};
use gannet_spec::x82599::desc::{RxWriteBack, rss_type, rx_status, rx_type};

/// Flags by RSS type and packet type, the low 16 bits of the descriptor. A program touches a line or two of it.
static TYPES: [u16; 1 << 16] = types();

const fn types() -> [u16; 1 << 16] {
    let mut table = [0; 1 << 16];
    let mut index = 0;
    while index < table.len() {
        table[index] = flags_of_type(index as u32).0;
        index += 1;
    }
    table
}

const fn flags_of_type(kind: u32) -> Flags {
    let flags = if kind & 0xF != rss_type::NONE { Flags::RSS } else { Flags(0) };
    // An Ethertype filter's match replaces the packet type by the filter's number.
    if kind & rx_type::ETQF != 0 {
        return flags;
    }
    // 82599 specification update: UDP without a checksum is reported as wrong. IPv6 tunnels have none either (RFC 6935).
    let unsure = if kind & rx_type::UDP != 0 { Flags::L4_BAD_UNSURE } else { Flags(0) };
    flags.with(unsure).with(Flags::headers(l3(kind), l4(kind)))
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

/// Status and error bits that are flags already, once they are shifted to their places.
#[inline(always)]
const fn flags_of_status(status: u32) -> u16 {
    const CHECKED: u32 = rx_status::L4CS | rx_status::IPCS;
    const WRONG: u32 = rx_status::L4E | rx_status::IPE;
    const { assert!(CHECKED >> 5 == (Flags::L4_CHECKED.0 | Flags::IP_CHECKED.0) as u32) };
    const { assert!(WRONG >> 28 == (Flags::L4_BAD.0 | Flags::IP_BAD.0) as u32) };
    const { assert!(rx_status::VP << 1 == Flags::VLAN.0 as u32) };
    ((status & CHECKED) >> 5 | (status & WRONG) >> 28 | (status & rx_status::VP) << 1) as u16
}

/// What the card found out about a frame, as far as the bits of `status` go.
#[inline(always)]
pub(crate) fn metadata(descriptor: RxWriteBack, status: u32) -> Metadata {
    let flags = TYPES[descriptor.packet_type() as usize] | flags_of_status(descriptor.status() & status);
    Metadata { hash: descriptor.hash(), vlan: descriptor.vlan_tag(), flags: Flags(flags) }
}
