//! From a receive descriptor's bits to a packet's metadata: one look-up and a few shifts, no branches.

use gannet_mempool::{Flags, L3, L4, Metadata};
use gannet_spec::x82574::desc::{RxWriteBack, packet_type, rss_type, rx_status};

/// Flags by what the status says was found and checked: bits 4:0 of the index are bits 6:2 of the status, above them lies the packet type.
static VERDICTS: [u16; 1 << 9] = verdicts();

const FIRST_VERDICT_BIT: u32 = 2;
const VERDICT_BITS: u32 = 5;

const fn verdicts() -> [u16; 1 << 9] {
    let mut table = [0; 1 << 9];
    let mut index = 0;
    while index < table.len() {
        let checks = (index as u32 & ((1 << VERDICT_BITS) - 1)) << FIRST_VERDICT_BIT;
        table[index] = flags_of(index as u32 >> VERDICT_BITS, checks).0;
        index += 1;
    }
    table
}

const fn flags_of(kind: u32, checks: u32) -> Flags {
    let vlan = if checks & rx_status::VP != 0 { Flags::VLAN } else { Flags(0) };
    let l3 = match kind {
        packet_type::IPV4 | packet_type::IPV4_L4 => L3::Ipv4,
        packet_type::IPV6 | packet_type::IPV6_L4 => L3::Ipv6,
        _ => L3::Unknown,
    };
    // Nothing was checked, so the bits that tell TCP from UDP say nothing either.
    if checks & rx_status::IXSM != 0 {
        return vlan.with(Flags::headers(l3, L4::Unknown));
    }
    let ip = if checks & rx_status::IPCS != 0 { Flags::IP_CHECKED } else { Flags(0) };
    let l4 = match (checks & rx_status::TCPCS != 0, checks & rx_status::UDPCS != 0) {
        // UDP over IPv4 may have no checksum.
        (_, true) => Flags::L4_CHECKED.with(Flags::L4_BAD_UNSURE).with(Flags::headers(l3, L4::Udp)),
        (true, false) => Flags::L4_CHECKED.with(Flags::headers(l3, L4::Tcp)),
        (false, false) => Flags::headers(l3, L4::Unknown),
    };
    vlan.with(ip).with(l4)
}

/// What the card found out about a frame, as far as the bits of `status` go.
#[inline(always)]
pub(crate) fn metadata(descriptor: RxWriteBack, status: u32) -> Metadata {
    const WRONG: u32 = rx_status::TCPE | rx_status::IPE;
    const { assert!(WRONG >> 27 == (Flags::L4_BAD.0 | Flags::IP_BAD.0) as u32) };
    let status = descriptor.status() & status;
    let checks = status >> FIRST_VERDICT_BIT & ((1 << VERDICT_BITS) - 1);
    let kind = status >> packet_type::SHIFT & packet_type::MASK;
    let hashed = u16::from(descriptor.packet_type() & rss_type::MASK != rss_type::NONE) * Flags::RSS.0;
    let flags = VERDICTS[(kind << VERDICT_BITS | checks) as usize] | ((status & WRONG) >> 27) as u16 | hashed;
    Metadata { hash: descriptor.hash(), vlan: descriptor.vlan_tag(), flags: Flags(flags) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rx_status::{DD, EOP, IPCS, IPE, IXSM, TCPCS, TCPE, UDPCS, VP};

    fn flags(kind: u32, status: u32) -> Flags {
        metadata(RxWriteBack::new(0, 0, DD | EOP | status | kind << packet_type::SHIFT, 60, 0), u32::MAX).flags
    }

    #[test]
    fn headers_come_from_the_packet_type_and_from_what_was_checked() {
        for (kind, status, l3, l4) in [
            (packet_type::MAC, 0, L3::Unknown, L4::Unknown),
            (packet_type::IPV4, 0, L3::Ipv4, L4::Unknown),
            (packet_type::IPV4_L4, TCPCS, L3::Ipv4, L4::Tcp),
            (packet_type::IPV4_L4, TCPCS | UDPCS, L3::Ipv4, L4::Udp),
            (packet_type::IPV6, 0, L3::Ipv6, L4::Unknown),
            (packet_type::IPV6_L4, TCPCS, L3::Ipv6, L4::Tcp),
            (packet_type::IPV6_L4, TCPCS | UDPCS, L3::Ipv6, L4::Udp),
            // A fragment: no L4 checksum.
            (packet_type::IPV4_L4, 0, L3::Ipv4, L4::Unknown),
            (packet_type::IPV4_L4, TCPCS | UDPCS | IXSM, L3::Ipv4, L4::Unknown),
            (0xF, 0, L3::Unknown, L4::Unknown),
        ] {
            let headers = flags(kind, status).0 & 0xFF00;
            assert_eq!(headers, Flags::headers(l3, l4).0, "type {kind}, status {status:#x}");
        }
    }

    #[test]
    fn verdicts_hold_only_for_what_was_checked() {
        let verdict = |status| flags(packet_type::IPV4_L4, status).0 & 0xFF;
        let (ip, l4) = (Flags::IP_CHECKED, Flags::L4_CHECKED);
        assert_eq!(verdict(IPCS | TCPCS), ip.with(l4).0);
        assert_eq!(verdict(IPCS | TCPCS | TCPE), ip.with(l4).with(Flags::L4_BAD).0);
        assert_eq!(verdict(IPCS | IPE), ip.with(Flags::IP_BAD).0);
        assert_eq!(verdict(TCPCS | UDPCS), l4.with(Flags::L4_BAD_UNSURE).0);
        assert_eq!(verdict(IPCS | TCPCS | IXSM), 0);
        assert_eq!(verdict(IPCS | TCPCS | IXSM | VP), Flags::VLAN.0);
    }

    #[test]
    fn hash_and_tag_count_only_with_their_bits() {
        let tagged = RxWriteBack::new(rss_type::IPV4, 0xDEAD_BEEF, DD | EOP | VP, 60, 42);
        let known = metadata(tagged, u32::MAX);
        assert_eq!((known.hash, known.vlan, known.flags), (0xDEAD_BEEF, 42, Flags::RSS.with(Flags::VLAN)));
        // Bits 12:8 are the queue, not a type.
        assert_eq!(metadata(RxWriteBack::new(0x100, 7, DD | EOP, 60, 0), u32::MAX).flags, Flags(0));
        // Where tags stay in the frame, VP means nothing.
        assert_eq!(metadata(tagged, !VP).flags, Flags::RSS);
    }
}
