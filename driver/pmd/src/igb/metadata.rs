//! From a receive descriptor's bits to a packet's metadata (7.1.5.2).

use gannet_mempool::{Flags, Metadata};
use gannet_spec::x82576::desc::{RxWriteBack, rx_status};

use crate::advanced::{TypeTable, type_table};

/// Unlike the 82599 the family does not check a UDP checksum that is absent, so its verdicts need no doubt.
static TYPES: TypeTable = type_table(Flags(0));

/// Status and error bits as flags: shifts, but for the two bits that say that an L4 checksum was checked.
#[inline(always)]
const fn flags_of_status(status: u32) -> u16 {
    const WRONG: u32 = rx_status::L4E | rx_status::IPE;
    const { assert!(WRONG >> 27 == (Flags::L4_BAD.0 | Flags::IP_BAD.0) as u32) };
    const { assert!(rx_status::IPCS >> 5 == Flags::IP_CHECKED.0 as u32) };
    const { assert!(rx_status::UDPCS >> 4 | rx_status::TCPCS >> 5 == Flags::L4_CHECKED.0 as u32) };
    const { assert!(rx_status::VP << 1 == Flags::VLAN.0 as u32) };
    let l4_checked = (status & rx_status::UDPCS) >> 4 | (status & rx_status::TCPCS) >> 5;
    let wrong = (status & WRONG) >> 27;
    (l4_checked | (status & rx_status::IPCS) >> 5 | wrong | (status & rx_status::VP) << 1) as u16
}

/// What the card found out about a frame, as far as the bits of `status` go.
#[inline(always)]
pub(crate) fn metadata(descriptor: RxWriteBack, status: u32) -> Metadata {
    let flags = TYPES[descriptor.packet_type() as usize] | flags_of_status(descriptor.status() & status);
    Metadata { hash: descriptor.hash(), vlan: descriptor.vlan_tag(), flags: Flags(flags) }
}

#[cfg(test)]
mod tests {
    use gannet_mempool::{L3, L4};
    use gannet_spec::x82576::desc::{rss_type, rx_type};

    use super::*;

    fn flags(rss_and_type: u32, status: u32) -> Flags {
        metadata(RxWriteBack::new(rss_and_type, 0xCAFE, status | rx_status::DD | rx_status::EOP, 60, 7), u32::MAX).flags
    }

    #[test]
    fn every_verdict_of_the_card_is_told() {
        let udp = rx_type::IPV4 | rx_type::UDP;
        let headers = Flags::headers(L3::Ipv4, L4::Udp);
        let checked = Flags::L4_CHECKED.with(Flags::IP_CHECKED);
        for (status, verdict) in [
            (0, Flags(0)),
            (rx_status::UDPCS | rx_status::IPCS, checked),
            (rx_status::TCPCS | rx_status::IPCS, checked),
            (rx_status::UDPCS | rx_status::TCPCS | rx_status::IPCS, checked),
            (rx_status::IPCS, Flags::IP_CHECKED),
            (rx_status::IPCS | rx_status::IPE, Flags::IP_CHECKED.with(Flags::IP_BAD)),
            (rx_status::UDPCS | rx_status::L4E, Flags::L4_CHECKED.with(Flags::L4_BAD)),
            (rx_status::VP, Flags::VLAN),
            // Bits that say nothing of this: unicast or not, damage.
            (rx_status::PIF | rx_status::LB | rx_status::CE | rx_status::SE | rx_status::CXE, Flags(0)),
        ] {
            assert_eq!(flags(udp, status), headers.with(verdict), "{status:#010x}");
        }
    }

    #[test]
    fn packet_types_and_hash() {
        for (kind, expected) in [
            (0, Flags(0)),
            (rx_type::IPV4 | rx_type::TCP | rss_type::IPV4_TCP, Flags::RSS.with(Flags::headers(L3::Ipv4, L4::Tcp))),
            (rx_type::IPV6 | rss_type::IPV6, Flags::RSS.with(Flags::headers(L3::Ipv6, L4::Unknown))),
            (rx_type::IPV4 | rx_type::IPV4_EXT, Flags::headers(L3::Ipv4Options, L4::Unknown)),
            (rx_type::ETQF | rx_type::IPV4 | rx_type::TCP, Flags(0)),
        ] {
            assert_eq!(flags(kind, 0), expected, "{kind:#06x}");
        }
        let metadata = metadata(RxWriteBack::new(rss_type::IPV4, 0xCAFE, rx_status::VP, 60, 7), !rx_status::VP);
        assert_eq!((metadata.hash, metadata.flags), (0xCAFE, Flags::RSS), "a tag that stays in the frame is not told");
    }
}
