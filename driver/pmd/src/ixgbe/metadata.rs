//! From a receive descriptor's bits to a packet's metadata, by two small tables instead of branches.

use gannet_mempool::{Checksum, Flags, L3, L4, Metadata};
use gannet_spec::x82599::desc::{RxWriteBack, rss_type, rx_status, rx_type};

/// Headers by packet type, bits 15:4 of the descriptor.
static HEADERS: [u16; 1 << 12] = headers();

/// Checksum verdicts, see [`checksum_index`].
const CHECKSUMS: [u16; 1 << 5] = checksums();

const fn headers() -> [u16; 1 << 12] {
    let mut table = [0; 1 << 12];
    let mut index = 0;
    while index < table.len() {
        let kind = (index as u32) << 4;
        // An Ethertype filter's match replaces the type by the filter's number.
        if kind & rx_type::ETQF == 0 {
            table[index] = Flags::headers(l3(kind), l4(kind)).0;
        }
        index += 1;
    }
    table
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

const INDEX_L4CS: u32 = 1 << 0;
const INDEX_IPCS: u32 = 1 << 1;
const INDEX_L4E: u32 = 1 << 2;
const INDEX_IPE: u32 = 1 << 3;
const INDEX_UDP: u32 = 1 << 4;

/// Five bits: what was checked, what was wrong, and whether it was UDP.
#[inline(always)]
const fn checksum_index(status: u32, kind: u32) -> usize {
    const { assert!(rx_status::L4CS == INDEX_L4CS << 5 && rx_status::IPCS == INDEX_IPCS << 5) };
    const { assert!(rx_status::L4E == INDEX_L4E << 28 && rx_status::IPE == INDEX_IPE << 28) };
    const { assert!(rx_type::UDP == INDEX_UDP << 5) };
    let checked = status >> 5 & (INDEX_L4CS | INDEX_IPCS);
    let wrong = status >> 28 & (INDEX_L4E | INDEX_IPE);
    let udp = kind >> 5 & INDEX_UDP;
    (checked | wrong | udp) as usize
}

const fn checksums() -> [u16; 1 << 5] {
    let mut table = [0; 1 << 5];
    let mut index = 0;
    while index < table.len() {
        let bits = index as u32;
        let ip = verdict(bits & INDEX_IPCS != 0, bits & INDEX_IPE != 0);
        let l4 = match verdict(bits & INDEX_L4CS != 0, bits & INDEX_L4E != 0) {
            // 82599 specification update: UDP over IPv4 without a checksum is reported as wrong.
            Checksum::Bad if bits & INDEX_UDP != 0 => Checksum::Unchecked,
            verdict => verdict,
        };
        table[index] = Flags::checksums(ip, l4).0;
        index += 1;
    }
    table
}

const fn verdict(checked: bool, wrong: bool) -> Checksum {
    match (checked, wrong) {
        (false, _) => Checksum::Unchecked,
        (true, false) => Checksum::Good,
        (true, true) => Checksum::Bad,
    }
}

/// What the card found out about a frame.
#[inline(always)]
pub(crate) fn metadata(descriptor: RxWriteBack) -> Metadata {
    let (status, kind) = (descriptor.status(), descriptor.packet_type());
    const { assert!(Flags::VLAN.0 as u32 == rx_status::VP << 1) };
    let vlan = (status & rx_status::VP) << 1;
    let rss = u16::from(kind & 0xF != rss_type::NONE) * Flags::RSS.0;
    let flags = HEADERS[(kind >> 4) as usize] | CHECKSUMS[checksum_index(status, kind)] | vlan as u16 | rss;
    Metadata { hash: descriptor.hash(), vlan: descriptor.vlan_tag(), flags: Flags(flags) }
}
