//! Where the headers of a frame are. Nothing is believed that the frame's length does not bear out.

use std::ops::Range;

use etherparse::{EtherType, IpNumber, Ipv4HeaderSlice, Ipv6ExtensionSlice, Ipv6Slice, LenSource};

/// VLAN tags that are looked through: a customer's tag in a provider's (IEEE 802.1ad), and one more.
const MAX_TAGS: usize = 3;

/// The EtherType behind the VLAN tags, and where what it names starts. `None` if the frame ends before.
#[inline]
pub(super) fn network(frame: &[u8]) -> Option<(EtherType, usize)> {
    let mut at = 12;
    for _ in 0..=MAX_TAGS {
        let kind = EtherType(u16::from_be_bytes(*frame.get(at..)?.first_chunk()?));
        match kind {
            EtherType::VLAN_TAGGED_FRAME | EtherType::PROVIDER_BRIDGING | EtherType::VLAN_DOUBLE_TAGGED_FRAME => {
                at += 4
            }
            _ => return Some((kind, at + 2)),
        }
    }
    None
}

/// What part of a datagram an IP packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// The first fragment, with the transport header.
    First,
    /// A later fragment.
    Later,
}

/// Versions of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// RFC 791.
    V4,
    /// RFC 8200.
    V6,
}

/// An IP packet in a frame. The ranges are within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ip {
    /// The version.
    pub(super) version: Version,
    /// The IP header, with options, without extension headers.
    pub(super) header: Range<usize>,
    /// Source and destination address, next to each other.
    pub(super) addresses: Range<usize>,
    /// What the payload is.
    pub(super) protocol: IpNumber,
    /// Behind all IP headers, without the padding of the frame.
    pub(super) payload: Range<usize>,
    /// How much of the datagram that is.
    pub(super) part: Part,
}

/// The IP packet of a frame. `None` if it has none, if lengths do not fit together, and if the packet's final destination is in a routing
/// header: that is what checksums are over then (RFC 8200 section 8.1), and where it is depends on the type of that header.
#[inline]
pub(super) fn ip(frame: &[u8]) -> Option<Ip> {
    let (kind, at) = network(frame)?;
    match kind {
        EtherType::IPV4 => ipv4(frame, at),
        EtherType::IPV6 => ipv6(frame, at),
        _ => None,
    }
}

fn ipv4(frame: &[u8], at: usize) -> Option<Ip> {
    let header = Ipv4HeaderSlice::from_slice(&frame[at..]).ok()?;
    let (start, end) = (at + header.slice().len(), at + usize::from(header.total_len()));
    let part = match (header.fragments_offset().value(), header.more_fragments()) {
        (0, false) => Part::Whole,
        (0, true) => Part::First,
        _ => Part::Later,
    };
    let fits = start <= end && end <= frame.len();
    fits.then(|| Ip {
        version: Version::V4,
        header: at..start,
        addresses: at + 12..at + 20,
        protocol: header.protocol(),
        payload: start..end,
        part,
    })
}

fn ipv6(frame: &[u8], at: usize) -> Option<Ip> {
    let packet = Ipv6Slice::from_slice(&frame[at..]).ok()?;
    let mut part = Part::Whole;
    for extension in packet.extensions().clone() {
        match extension {
            // Segments left (RFC 8200 section 4.4).
            Ipv6ExtensionSlice::Routing(header) if header.slice()[3] > 0 => return None,
            Ipv6ExtensionSlice::Fragment(header) if header.is_fragmenting_payload() => {
                part = if header.fragment_offset().value() == 0 { Part::First } else { Part::Later };
            }
            _ => {}
        }
    }
    let payload = packet.payload();
    // No length in the header: then what follows may be padding as well.
    if payload.len_source == LenSource::Slice {
        return None;
    }
    let header = at..at + packet.header().slice().len();
    let start = header.end + packet.extensions().slice().len();
    Some(Ip {
        version: Version::V6,
        header,
        addresses: at + 8..at + 40,
        protocol: payload.ip_number,
        payload: start..start + payload.payload.len(),
        part,
    })
}
