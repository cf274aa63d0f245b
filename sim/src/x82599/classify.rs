//! What a frame is: headers, packet type, checksums (datasheet 7.1.6.2, 7.1.11).

use gannet_spec::x82599::desc::{rx_status, rx_type};

use super::checksum;

const ETHERNET: usize = 14;
const VLAN: usize = 4;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86DD;
const IPV6: usize = 40;

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;

/// What the card sees in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Class {
    /// Bits of [`rx_type`].
    pub(super) types: u32,
    /// The VLAN tag, if the frame has one.
    pub(super) vlan: Option<u16>,
    /// Where the IP header starts and, for IPv4, ends.
    ip: (u16, u16),
    /// Where the L4 header starts, if there is one, and where the IP packet ends.
    l4: (u16, u16),
}

/// The bytes between two places of a frame.
#[inline(always)]
fn part(frame: &[u8], (start, end): (u16, u16)) -> &[u8] {
    &frame[usize::from(start)..usize::from(end)]
}

#[inline(always)]
fn be16(frame: &[u8], at: usize) -> Option<u16> {
    let bytes = frame.get(at..at + 2)?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// Looks at a frame of at least an Ethernet header. `tag` is the Ethertype of VLAN tags.
#[inline(always)]
pub(super) fn classify(frame: &[u8], tag: u16) -> Class {
    let mut class = Class::default();
    let mut start = ETHERNET;
    let mut ethertype = be16(frame, start - 2);
    if ethertype == Some(tag) {
        class.vlan = be16(frame, start);
        start += VLAN;
        ethertype = be16(frame, start - 2);
    }
    match ethertype {
        Some(ETHERTYPE_IPV4) => class.ipv4(frame, start),
        Some(ETHERTYPE_IPV6) => class.ipv6(frame, start),
        _ => None,
    };
    class
}

impl Class {
    #[inline(always)]
    fn ipv4(&mut self, frame: &[u8], start: usize) -> Option<()> {
        let header: &[u8; 20] = frame.get(start..)?.first_chunk()?;
        let header_len = usize::from(header[0] & 0xF) * 4;
        let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if header[0] >> 4 != 4 || header_len < 20 || total < header_len || start + total > frame.len() {
            return None;
        }
        self.types = if header_len > 20 { rx_type::IPV4 | rx_type::IPV4_EXT } else { rx_type::IPV4 };
        self.ip = (start as u16, (start + header_len) as u16);
        // Fragments, first ones too, have no L4 header as far as the card is concerned.
        let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3FFF != 0;
        if !fragment {
            self.transport(header[9], (start + header_len, start + total));
        }
        Some(())
    }

    #[inline(never)]
    fn ipv6(&mut self, frame: &[u8], start: usize) -> Option<()> {
        let header = frame.get(start..start + IPV6)?;
        let end = start + IPV6 + usize::from(u16::from_be_bytes([header[4], header[5]]));
        if header[0] >> 4 != 6 || end > frame.len() {
            return None;
        }
        self.types = rx_type::IPV6;
        self.ip = (start as u16, 0);
        let (mut next, mut at) = (header[6], start + IPV6);
        while matches!(next, HOP_BY_HOP | ROUTING | DESTINATION) {
            self.types |= rx_type::IPV6_EXT;
            let extension = frame.get(at..at + 2).filter(|_| at + 8 <= end)?;
            next = extension[0];
            at += (usize::from(extension[1]) + 1) * 8;
        }
        if next == FRAGMENT {
            self.types |= rx_type::IPV6_EXT;
        } else if at <= end {
            self.transport(next, (at, end));
        }
        Some(())
    }

    #[inline(always)]
    fn transport(&mut self, protocol: u8, (start, end): (usize, usize)) {
        let (bit, least) = match protocol {
            TCP => (rx_type::TCP, 20),
            UDP => (rx_type::UDP, 8),
            SCTP => (rx_type::SCTP, 12),
            _ => return,
        };
        if start + least <= end {
            self.types |= bit;
            // Frames end below 64 KiB.
            self.l4 = (start as u16, end as u16);
        }
    }

    /// Whether all bits of `types` are set.
    #[inline(always)]
    pub(super) fn is(&self, types: u32) -> bool {
        self.types & types == types
    }

    /// Source and destination address of the IP header.
    #[inline(always)]
    pub(super) fn addresses<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        let start = usize::from(self.ip.0);
        if self.is(rx_type::IPV4) { &frame[start + 12..start + 20] } else { &frame[start + 8..start + IPV6] }
    }

    /// Source and destination port; empty if there is no L4 header.
    #[inline(always)]
    pub(super) fn ports<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        let (start, end) = self.l4;
        part(frame, (start, end.min(start + 4)))
    }

    /// The descriptor's status and error bits for the checksums.
    #[inline(always)]
    pub(super) fn checksums(&self, frame: &[u8]) -> u32 {
        let mut status = 0;
        if self.is(rx_type::IPV4) {
            status |= rx_status::IPCS;
            if checksum::fold(checksum::sum(part(frame, self.ip))) != 0xFFFF {
                status |= rx_status::IPE;
            }
        }
        if self.l4.1 != 0 {
            status |= rx_status::L4CS;
            if !self.l4_is_right(frame) {
                status |= rx_status::L4E;
            }
        }
        status
    }

    #[inline(always)]
    fn l4_is_right(&self, frame: &[u8]) -> bool {
        let segment = part(frame, self.l4);
        let protocol = if self.is(rx_type::TCP) {
            TCP
        } else if self.is(rx_type::UDP) {
            UDP
        } else {
            return checksum::sctp_is_right(segment);
        };
        // A UDP checksum of 0, "none", is not excepted: it fails here as on the card.
        let pseudo = checksum::word(protocol.into()) + checksum::word(segment.len() as u16);
        let addresses = checksum::sum(self.addresses(frame));
        let right = checksum::fold(addresses + pseudo + checksum::sum(segment)) == 0xFFFF;
        right && !(protocol == UDP && segment[6..8] == [0, 0])
    }
}
