//! Frames for tests, made by hand, and a check of their checksums by somebody else's code (smoltcp).

use etherparse::IpNumber;
use gannet::MacAddress;
use proptest::prelude::*;
use smoltcp::wire::{Icmpv4Packet, Icmpv6Packet, IpAddress, Ipv4Packet, Ipv6Packet, TcpPacket, UdpPacket};

pub(super) const DESTINATION: MacAddress = [2, 0, 0, 0, 0, 0xb];
pub(super) const SOURCE: MacAddress = [2, 0, 0, 0, 0, 0xa];

/// What stands where a checksum should.
const WRONG: [u8; 2] = [0xba, 0xd0];

/// A frame, and where its parts are.
#[derive(Debug, Clone)]
pub(super) struct Example {
    pub(super) name: &'static str,
    pub(super) frame: Vec<u8>,
    pub(super) network: usize,
    pub(super) transport: usize,
    pub(super) end: usize,
    pub(super) protocol: IpNumber,
}

impl Example {
    /// An IP packet in a frame with these tags (TPIDs), padded.
    pub(super) fn new(name: &'static str, tags: &[u16], packet: (Vec<u8>, usize, IpNumber)) -> Example {
        let (packet, transport, protocol) = packet;
        let mut frame = [DESTINATION, SOURCE].concat();
        for tag in tags {
            frame.extend(tag.to_be_bytes());
            frame.extend(42_u16.to_be_bytes());
        }
        frame.extend(if packet[0] >> 4 == 4 { [0x08, 0x00] } else { [0x86, 0xdd] });
        let network = frame.len();
        frame.extend(&packet);
        let end = frame.len();
        // Not zeros: a sum that goes too far shall be wrong.
        frame.resize(end.max(60) + 5, 0xee);
        Example { name, frame, network, transport: network + transport, end, protocol }
    }

    /// Source and destination.
    fn addresses(&self) -> (IpAddress, IpAddress) {
        let packet = &self.frame[self.network..];
        match packet[0] >> 4 {
            4 => {
                let ip = Ipv4Packet::new_checked(packet).expect("IPv4");
                (ip.src_addr().into(), ip.dst_addr().into())
            }
            _ => {
                let ip = Ipv6Packet::new_checked(packet).expect("IPv6");
                (ip.src_addr().into(), ip.dst_addr().into())
            }
        }
    }

    /// Addresses of all layers, ports.
    pub(super) fn flow(&self) -> [[Vec<u8>; 2]; 3] {
        let (source, destination) = self.addresses();
        let ip = [source, destination].map(|address| address.to_string().into_bytes());
        let word = |at: usize| self.frame[at..at + 2].to_vec();
        let ports = [word(self.transport), word(self.transport + 2)];
        [[self.frame[6..12].to_vec(), self.frame[..6].to_vec()], ip, ports]
    }

    /// Whether the checksum of the IPv4 header is right; true for IPv6.
    pub(super) fn ip_checksum_is_right(&self) -> bool {
        let packet = &self.frame[self.network..];
        packet[0] >> 4 == 6 || Ipv4Packet::new_checked(packet).expect("IPv4").verify_checksum()
    }

    /// Whether the checksum behind the IP headers is right.
    pub(super) fn checksum_is_right(&self) -> bool {
        let ends = self.addresses();
        let message = &self.frame[self.transport..self.end];
        match (self.protocol, ends) {
            (IpNumber::TCP, (from, to)) => TcpPacket::new_checked(message).expect("TCP").verify_checksum(&from, &to),
            (IpNumber::UDP, (from, to)) => UdpPacket::new_checked(message).expect("UDP").verify_checksum(&from, &to),
            (IpNumber::ICMP, _) => Icmpv4Packet::new_checked(message).expect("ICMP").verify_checksum(),
            (IpNumber::IPV6_ICMP, (IpAddress::Ipv6(from), IpAddress::Ipv6(to))) => {
                Icmpv6Packet::new_checked(message).expect("ICMPv6").verify_checksum(&from, &to)
            }
            other => panic!("{}: {other:?}", self.name),
        }
    }
}

/// An IPv4 packet: its bytes, where its payload starts, its protocol.
pub(super) fn ipv4(options: &[u8], fragment: u16, protocol: IpNumber, payload: &[u8]) -> (Vec<u8>, usize, IpNumber) {
    let header = 20 + options.len();
    let mut packet = vec![0x40 | (header / 4) as u8, 0];
    packet.extend(((header + payload.len()) as u16).to_be_bytes());
    packet.extend([0x12, 0x34]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol.0]);
    packet.extend(WRONG);
    packet.extend([198, 51, 100, 1, 203, 0, 113, 2]);
    packet.extend(options);
    packet.extend(payload);
    (packet, header, protocol)
}

/// An IPv6 packet with extension headers (their numbers, and their bytes behind the next header's number).
pub(super) fn ipv6(extensions: &[(u8, &[u8])], protocol: IpNumber, payload: &[u8]) -> (Vec<u8>, usize, IpNumber) {
    let mut kinds: Vec<u8> = extensions.iter().map(|(kind, _)| *kind).collect();
    kinds.push(protocol.0);
    let mut behind = Vec::new();
    for ((_, bytes), next) in extensions.iter().zip(&kinds[1..]) {
        behind.push(*next);
        behind.extend(*bytes);
    }
    let start = 40 + behind.len();
    behind.extend(payload);
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((behind.len() as u16).to_be_bytes());
    packet.extend([kinds[0], 64]);
    packet.extend("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    packet.extend("2001:db8:1::2".parse::<std::net::Ipv6Addr>().unwrap().octets());
    packet.extend(behind);
    (packet, start, protocol)
}

pub(super) fn udp(payload: &[u8]) -> Vec<u8> {
    let mut datagram = vec![0x13, 0x88, 0x00, 0x35];
    datagram.extend((8 + payload.len() as u16).to_be_bytes());
    datagram.extend(WRONG);
    datagram.extend(payload);
    datagram
}

pub(super) fn tcp(payload: &[u8]) -> Vec<u8> {
    let mut segment = vec![0x30, 0x39, 0x00, 0x50, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 0x20, 0x00];
    segment.extend(WRONG);
    segment.extend([0, 0]);
    segment.extend(payload);
    segment
}

/// An ICMP or ICMPv6 echo request.
pub(super) fn echo(kind: u8) -> Vec<u8> {
    let mut message = vec![kind, 0];
    message.extend(WRONG);
    message.extend([0xab, 0xcd, 0, 7]);
    message.extend(b"are you there");
    message
}

/// Options of a hop-by-hop or destination header: padding of six bytes.
pub(super) const PADDING: &[u8] = &[0, 1, 4, 0, 0, 0, 0];
/// A fragment header's: all of a datagram (RFC 6946).
pub(super) const ATOMIC: &[u8] = &[0, 0, 0, 9, 9, 9, 9];

/// Frames whose checksums behind the IP headers can be told, all of them wrong.
pub(super) fn whole() -> Vec<Example> {
    use IpNumber as P;
    let (dot1q, qinq) = (&[0x8100][..], &[0x88a8, 0x8100][..]);
    vec![
        Example::new("UDP", &[], ipv4(&[], 0x4000, P::UDP, &udp(b"odd length!"))),
        Example::new("UDP without payload, with options", dot1q, ipv4(&[1; 8], 0, P::UDP, &udp(b""))),
        Example::new("TCP", &[], ipv4(&[], 0, P::TCP, &tcp(b"hello"))),
        Example::new("TCP in two tags", qinq, ipv4(&[1; 40], 0, P::TCP, &tcp(&[7; 900]))),
        Example::new("ping", dot1q, ipv4(&[], 0, P::ICMP, &echo(8))),
        Example::new("UDP over IPv6", &[], ipv6(&[], P::UDP, &udp(b"six"))),
        Example::new("TCP over IPv6", qinq, ipv6(&[], P::TCP, &tcp(b""))),
        Example::new("ping over IPv6", dot1q, ipv6(&[], P::IPV6_ICMP, &echo(128))),
        Example::new("behind extension headers", &[], ipv6(&[(0, PADDING), (60, PADDING)], P::TCP, &tcp(b"x"))),
        Example::new("an atomic fragment", &[], ipv6(&[(44, ATOMIC)], P::UDP, &udp(b"all of it"))),
    ]
}

/// Random bytes, and frames with a few bytes changed and some cut off: those get further.
pub(super) fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let damaged =
        (proptest::sample::select(whole()), proptest::collection::vec((0..120_usize, any::<u8>()), 0..4), 0..80_usize);
    let damaged = damaged.prop_map(|(example, changes, cut)| {
        let mut frame = example.frame;
        for (at, byte) in changes {
            if let Some(place) = frame.get_mut(at) {
                *place = byte;
            }
        }
        frame.truncate(frame.len().saturating_sub(cut));
        frame
    });
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), damaged]
}
