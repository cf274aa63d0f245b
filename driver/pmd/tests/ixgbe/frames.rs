//! Frames, and what the card must find out about them, worked out bit by bit.

use etherparse::{
    ArpEthIpv4Packet, ArpOperation, ArpPacket, EtherType, Ethernet2Header, IpFragOffset, IpHeaders, IpNumber,
    Ipv4Extensions, Ipv4Header, Ipv6Extensions, Ipv6FlowLabel, Ipv6Header, Ipv6RawExtHeader, PacketBuilder,
    PacketBuilderStep, TcpHeader, UdpHeader, VlanId,
};

use super::harness::MAC;

/// Who sends to the card.
pub(crate) const NEIGHBOUR: [u8; 6] = [0x02, 0, 0, 0, 0, 0x07];
pub(crate) const BROADCAST: [u8; 6] = [0xFF; 6];
pub(crate) const MULTICAST: [u8; 6] = [0x01, 0x00, 0x5E, 0x00, 0x00, 0xFB];

pub(crate) const SOURCE4: [u8; 4] = [198, 18, 0, 1];
pub(crate) const TARGET4: [u8; 4] = [198, 19, 255, 2];
pub(crate) const SOURCE6: [u8; 16] = [0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub(crate) const TARGET6: [u8; 16] = [0x20, 1, 0xD, 0xB8, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 2];

/// A frame of `len` bytes to the card that carries `number`, and bytes that depend on it everywhere. No protocol that the card knows.
pub(crate) fn numbered(number: u32, len: usize) -> Vec<u8> {
    numbered_to(MAC, number, len)
}

/// The same to another address.
pub(crate) fn numbered_to(destination: [u8; 6], number: u32, len: usize) -> Vec<u8> {
    let mut frame = [&destination[..], &NEIGHBOUR, &[0x88, 0xB5], &number.to_be_bytes()].concat();
    frame.extend((frame.len()..len).map(|at| (at as u32).wrapping_mul(167).wrapping_add(number * 59) as u8));
    frame.truncate(len);
    frame
}

/// The frame as it arrives at the other end of the cable.
pub(crate) fn padded(mut frame: Vec<u8>) -> Vec<u8> {
    frame.resize(frame.len().max(60), 0);
    frame
}

fn ethernet() -> PacketBuilderStep<Ethernet2Header> {
    PacketBuilder::ethernet2(NEIGHBOUR, MAC)
}

/// A UDP datagram over IPv4.
pub(crate) fn udp4(source: ([u8; 4], u16), target: ([u8; 4], u16), payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    ethernet().ipv4(source.0, target.0, 64).udp(source.1, target.1).write(&mut frame, payload).unwrap();
    padded(frame)
}

/// A TCP segment over IPv4.
pub(crate) fn tcp4(source: ([u8; 4], u16), target: ([u8; 4], u16), payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    ethernet().ipv4(source.0, target.0, 64).tcp(source.1, target.1, 1, 9).write(&mut frame, payload).unwrap();
    padded(frame)
}

/// A UDP datagram over IPv6.
pub(crate) fn udp6(source: ([u8; 16], u16), target: ([u8; 16], u16), payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    ethernet().ipv6(source.0, target.0, 64).udp(source.1, target.1).write(&mut frame, payload).unwrap();
    padded(frame)
}

/// A TCP segment over IPv6.
pub(crate) fn tcp6(source: ([u8; 16], u16), target: ([u8; 16], u16), payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    ethernet().ipv6(source.0, target.0, 64).tcp(source.1, target.1, 1, 9).write(&mut frame, payload).unwrap();
    padded(frame)
}

/// A UDP datagram over IPv4 behind a VLAN tag.
pub(crate) fn tagged_udp4(tag: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let tagged = ethernet().single_vlan(VlanId::try_new(tag & 0xFFF).unwrap());
    tagged.ipv4(SOURCE4, TARGET4, 64).udp(7, 9).write(&mut frame, payload).unwrap();
    frame[14..16].copy_from_slice(&tag.to_be_bytes());
    padded(frame)
}

/// An IPv4 header of `IpNumber` for `payload` bytes.
pub(crate) fn ipv4_header(protocol: IpNumber, payload: usize) -> Ipv4Header {
    Ipv4Header::new(payload as u16, 64, protocol, SOURCE4, TARGET4).unwrap()
}

/// Any IPv4 packet: `header` with right checksum, then `payload` as it is.
pub(crate) fn ipv4(header: Ipv4Header, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let protocol = header.protocol;
    let headers = IpHeaders::Ipv4(header, Ipv4Extensions::default());
    ethernet().ip(headers).write(&mut frame, protocol, payload).unwrap();
    padded(frame)
}

/// A fragment of an IPv4 datagram.
pub(crate) fn fragment4() -> Vec<u8> {
    let mut header = ipv4_header(IpNumber::UDP, 32);
    header.dont_fragment = false;
    header.fragment_offset = IpFragOffset::try_new(185).unwrap();
    ipv4(header, &[0x5A; 32])
}

/// A UDP datagram over IPv4 with a router alert option.
pub(crate) fn udp4_with_options() -> Vec<u8> {
    let mut header = ipv4_header(IpNumber::UDP, 24);
    header.options = [0x94, 0x04, 0, 0].into();
    let udp = UdpHeader::with_ipv4_checksum(7, 9, &header, &[3; 16]).unwrap();
    ipv4(header, &[&udp.to_bytes()[..], &[3; 16]].concat())
}

/// A TCP segment over IPv6 behind a hop-by-hop header.
pub(crate) fn tcp6_with_extension() -> Vec<u8> {
    let header = Ipv6Header {
        traffic_class: 0,
        flow_label: Ipv6FlowLabel::ZERO,
        payload_length: 0,
        next_header: IpNumber::IPV6_HEADER_HOP_BY_HOP,
        hop_limit: 64,
        source: SOURCE6,
        destination: TARGET6,
    };
    let mut tcp = TcpHeader::new(7, 9, 1, 2);
    tcp.checksum = tcp.calc_checksum_ipv6(&header, &[5; 10]).unwrap();
    let payload = [&tcp.to_bytes()[..], &[5; 10]].concat();
    let padding = Ipv6RawExtHeader::new_raw(IpNumber::TCP, &[1, 4, 0, 0, 0, 0]).unwrap();
    let extensions = Ipv6Extensions { hop_by_hop_options: Some(padding), ..Ipv6Extensions::default() };
    let mut frame = Vec::new();
    ethernet().ip(IpHeaders::Ipv6(header, extensions)).write(&mut frame, IpNumber::TCP, &payload).unwrap();
    padded(frame)
}

/// A SCTP packet over IPv4, its checksum as RFC 9260 wants it.
pub(crate) fn sctp4() -> Vec<u8> {
    let mut packet =
        [&7u16.to_be_bytes()[..], &9u16.to_be_bytes(), &[0xAB; 4], &[0; 4], &[0, 3, 0, 16], &[1; 12]].concat();
    let sum = crc32c(&packet);
    packet[8..12].copy_from_slice(&sum.to_le_bytes());
    ipv4(ipv4_header(IpNumber::SCTP, packet.len()), &packet)
}

/// A question for an address.
pub(crate) fn arp() -> Vec<u8> {
    let question = ArpEthIpv4Packet {
        operation: ArpOperation::REQUEST,
        sender_mac: NEIGHBOUR,
        sender_ipv4: SOURCE4,
        target_mac: [0; 6],
        target_ipv4: TARGET4,
    };
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(NEIGHBOUR, BROADCAST).arp(ArpPacket::from(question)).write(&mut frame).unwrap();
    assert_eq!(frame[12..14], EtherType::ARP.0.to_be_bytes());
    padded(frame)
}

/// CRC32c, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 != 0 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    !crc
}

/// Key of "Verifying the RSS Hash Calculation" (Microsoft, NDIS documentation).
const RSS_KEY: [u8; 40] = [
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b,
    0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac,
    0x01, 0xfa,
];

/// The Toeplitz hash, bit by bit as Microsoft's page tells it: for each 1 in the input, the 32 bits of the key from there on.
pub(crate) fn toeplitz(input: &[u8]) -> u32 {
    let key_bit = |at: usize| u32::from(RSS_KEY[at / 8] >> (7 - at % 8) & 1);
    let ones = (0..input.len() * 8).filter(|at| input[at / 8] >> (7 - at % 8) & 1 == 1);
    ones.fold(0, |hash, at| hash ^ (at..at + 32).fold(0, |window, bit| window << 1 | key_bit(bit)))
}
