use etherparse::PacketBuilder;
use gannet::{Pool, PoolOptions};
use proptest::prelude::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpPacket, ArpRepr, EthernetAddress, Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, Ipv4Packet, Ipv6Packet,
    NdiscNeighborFlags, NdiscRepr, RawHardwareAddress,
};

use super::*;

const HOST: Host = Host {
    mac: [2, 0, 0, 0, 0, 0xb],
    ipv4: Ipv4Addr::new(198, 51, 100, 2),
    ipv6: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0x12, 0x3456),
};
const ASKER: MacAddress = [2, 0, 0, 0, 0, 0xa];
const ASKER_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const ASKER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff12, 0x3456);
const GROUP_MAC: MacAddress = [0x33, 0x33, 0xff, 0x12, 0x34, 0x56];
const ALL_NODES_MAC: MacAddress = [0x33, 0x33, 0, 0, 0, 1];

/// What the host makes of a frame.
fn answer(frame: &[u8]) -> Result<Vec<u8>, &'static Reason> {
    let pool = Pool::new(&PoolOptions { buffers: 1, cache: 0, ..PoolOptions::default() }).expect("a pool");
    let mut packet = pool.alloc().expect("its buffer");
    packet.append(frame.len()).expect("room").copy_from_slice(frame);
    HOST.answer(&mut packet).map(|()| packet.data().to_vec())
}

#[track_caller]
fn assert_dropped(frame: &[u8], reason: &'static Reason) {
    let why = answer(frame).expect_err("no answer");
    assert!(std::ptr::eq(why, reason), "{why:?}");
}

fn ethernet(destination: MacAddress, kind: [u8; 2], message: &[u8]) -> Vec<u8> {
    [&destination[..], &ASKER, &kind, message].concat()
}

/// Puts two VLAN tags into a frame, or takes what is in their place out.
fn tagged(frame: &[u8]) -> Vec<u8> {
    [&frame[..12], &[0x88, 0xa8, 0x60, 0x07, 0x81, 0x00, 0x00, 0x2a], &frame[12..]].concat()
}

fn arp(destination: MacAddress, sender: MacAddress, source: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, 1];
    let message = [&head[..], &sender, &source.octets(), &[0; 6], &target.octets(), &[0; 18]].concat();
    ethernet(destination, [0x08, 0x06], &message)
}

/// A ping with so many bytes, in a frame with some padding.
fn ping(bytes: usize) -> Vec<u8> {
    let payload: Vec<u8> = (0..bytes).map(|at| at as u8).collect();
    let ip = PacketBuilder::ethernet2(ASKER, HOST.mac).ipv4(ASKER_V4.octets(), HOST.ipv4.octets(), 9);
    let mut frame = Vec::new();
    ip.icmpv4_echo_request(0x1234, 5).write(&mut frame, &payload).expect("a vector takes all");
    frame.extend([0; 7]);
    frame
}

fn ping6(source: Ipv6Addr, destination: Ipv6Addr, bytes: usize) -> Vec<u8> {
    let ip = PacketBuilder::ethernet2(ASKER, HOST.mac).ipv6(source.octets(), destination.octets(), 9);
    let mut frame = Vec::new();
    ip.icmpv6_echo_request(0x1234, 5).write(&mut frame, &vec![0x5a; bytes]).expect("a vector takes all");
    frame
}

/// A neighbour solicitation with these options.
fn solicitation(source: Ipv6Addr, destination: Ipv6Addr, target: Ipv6Addr, options: &[u8]) -> Vec<u8> {
    let mac = if destination.is_multicast() { GROUP_MAC } else { HOST.mac };
    let ip = PacketBuilder::ethernet2(ASKER, mac).ipv6(source.octets(), destination.octets(), 255);
    let mut frame = Vec::new();
    let rest = [&target.octets()[..], options].concat();
    ip.icmpv6_raw(135, 0, [0; 4]).write(&mut frame, &rest).expect("a vector takes all");
    frame
}

fn source_option(mac: MacAddress) -> Vec<u8> {
    [&[1, 1][..], &mac].concat()
}

/// The message of an answer over IPv6; checks who gets it.
fn message6(frame: &[u8], mac: MacAddress, to: Ipv6Addr, hop_limit: u8) -> Icmpv6Packet<&[u8]> {
    assert_eq!(frame[..14], [&mac[..], &HOST.mac, &[0x86, 0xdd]].concat());
    let ip = Ipv6Packet::new_checked(&frame[14..]).expect("IPv6");
    assert_eq!((ip.src_addr(), ip.dst_addr(), ip.hop_limit()), (HOST.ipv6, to, hop_limit));
    let message = Icmpv6Packet::new_checked(&frame[54..54 + usize::from(ip.payload_len())]).expect("ICMPv6");
    assert!(message.verify_checksum(&HOST.ipv6, &to));
    message
}

/// The advertisement in a frame: its flags.
fn advertisement(frame: &[u8], mac: MacAddress, to: Ipv6Addr) -> NdiscNeighborFlags {
    let message = message6(frame, mac, to, 255);
    assert_eq!(frame.len(), 86);
    let NdiscRepr::NeighborAdvert { flags, target_addr, lladdr } = NdiscRepr::parse(&message).expect("ND") else {
        panic!("no advertisement: {message:?}");
    };
    assert_eq!((target_addr, lladdr), (HOST.ipv6, Some(RawHardwareAddress::from_bytes(&HOST.mac))));
    flags
}

#[test]
fn who_asks_for_the_address_is_told_the_mac() {
    for (destination, source) in [([0xff; 6], ASKER_V4), (HOST.mac, ASKER_V4), ([0xff; 6], Ipv4Addr::UNSPECIFIED)] {
        let request = arp(destination, ASKER, source, HOST.ipv4);
        let reply = answer(&request).unwrap();
        assert_eq!(reply[..14], [&ASKER[..], &HOST.mac, &[0x08, 0x06]].concat());
        let expected = ArpRepr::EthernetIpv4 {
            operation: smoltcp::wire::ArpOperation::Reply,
            source_hardware_addr: EthernetAddress(HOST.mac),
            source_protocol_addr: HOST.ipv4,
            target_hardware_addr: EthernetAddress(ASKER),
            target_protocol_addr: source,
        };
        assert_eq!(ArpRepr::parse(&ArpPacket::new_checked(&reply[14..]).unwrap()).unwrap(), expected);
        assert_eq!(answer(&tagged(&request)).unwrap(), tagged(&reply));
    }
}

#[test]
fn other_arp_is_dropped() {
    assert_dropped(&arp([0xff; 6], ASKER, ASKER_V4, ASKER_V4), &drops::NOT_OURS);
    assert_dropped(&arp([2; 6], ASKER, ASKER_V4, HOST.ipv4), &drops::NOT_OURS);
    assert_dropped(&arp([0xff; 6], [0xff; 6], ASKER_V4, HOST.ipv4), &drops::MALFORMED);
    let request = arp([0xff; 6], ASKER, ASKER_V4, HOST.ipv4);
    assert_dropped(&request[..14 + 27], &drops::MALFORMED);
    let reply = answer(&request).unwrap();
    let mut to_us = reply.clone();
    to_us[..6].copy_from_slice(&HOST.mac);
    assert_dropped(&to_us, &drops::UNSUPPORTED);
}

#[test]
fn pings_are_answered_whatever_their_length() {
    for bytes in [0, 1, 56, 1472] {
        let request = ping(bytes);
        let reply = answer(&request).unwrap();
        assert_eq!(reply[..14], [&ASKER[..], &HOST.mac, &[0x08, 0x00]].concat());
        let ip = Ipv4Packet::new_checked(&reply[14..]).unwrap();
        assert!(ip.verify_checksum());
        assert_eq!((ip.src_addr(), ip.dst_addr(), ip.hop_limit()), (HOST.ipv4, ASKER_V4, 64));
        let message = Icmpv4Packet::new_checked(ip.payload()).unwrap();
        let sent = &request[42..42 + bytes];
        // Checks the checksum, too.
        let parsed = Icmpv4Repr::parse(&message, &ChecksumCapabilities::default()).unwrap();
        assert_eq!(parsed, Icmpv4Repr::EchoReply { ident: 0x1234, seq_no: 5, data: sent });
        assert_eq!(answer(&tagged(&request)).unwrap(), tagged(&reply));
    }
}

/// A ping with a change, and its header's checksum made right.
fn ping_with(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut frame = ping(16);
    change(&mut frame[14..]);
    crate::engine::checksum::write(etherparse::checksum::Sum16BitWords::new(), &mut frame[14..34], 10).unwrap();
    frame
}

#[test]
fn other_ipv4_is_dropped_by_reason() {
    let group = [&[1, 0, 0x5e, 0, 0, 1][..], &ping(16)[6..]].concat();
    for (what, frame, reason) in [
        ("a group's frame", group, &drops::NOT_OURS),
        ("another host's", ping_with(|ip| ip[19] = 3), &drops::NOT_OURS),
        ("a fragment", ping_with(|ip| ip[6] = 0x20), &drops::FRAGMENT),
        ("a later fragment", ping_with(|ip| ip[7] = 1), &drops::FRAGMENT),
        ("UDP", ping_with(|ip| ip[9] = 17), &drops::UNSUPPORTED),
        ("a reply", ping_with(|ip| ip[20] = 0), &drops::UNSUPPORTED),
        ("an unknown code", ping_with(|ip| ip[21] = 1), &drops::UNSUPPORTED),
        ("longer than its frame", ping_with(|ip| ip[2] = 1), &drops::MALFORMED),
        ("shorter than its header", ping_with(|ip| ip[3] = 19), &drops::MALFORMED),
        ("without a whole ICMP header", ping_with(|ip| ip[3] = 27), &drops::MALFORMED),
        ("not version 4", ping_with(|ip| ip[0] = 0x65), &drops::MALFORMED),
        ("from nobody", ping_with(|ip| ip[12..16].fill(0)), &drops::MALFORMED),
        ("from everybody", ping_with(|ip| ip[12..16].fill(255)), &drops::MALFORMED),
        ("from a group", ping_with(|ip| ip[12] = 224), &drops::MALFORMED),
        ("from ourselves", ping_with(|ip| ip[15] = 2), &drops::MALFORMED),
        ("a damaged message", ping_with(|ip| ip[30] ^= 1), &drops::BAD_CHECKSUM),
    ] {
        let why = answer(&frame).expect_err(what);
        assert!(std::ptr::eq(why, reason), "{what}: {why:?}");
    }
    let mut damaged = ping(16);
    damaged[14 + 8] ^= 1;
    assert_dropped(&damaged, &drops::BAD_CHECKSUM);
    let options = crate::engine::examples::ipv4(&[1; 4], 0, etherparse::IpNumber::ICMP, &[8, 0, 0, 0, 0, 0, 0, 0]).0;
    let mut frame = ethernet(HOST.mac, [0x08, 0x00], &options);
    frame[30..34].copy_from_slice(&HOST.ipv4.octets());
    crate::engine::checksum::write(etherparse::checksum::Sum16BitWords::new(), &mut frame[14..38], 10).unwrap();
    assert_dropped(&frame, &drops::UNSUPPORTED);
}

#[test]
fn pings_over_ipv6_are_answered() {
    for bytes in [0, 1, 56, 1452] {
        let request = ping6(ASKER_V6, HOST.ipv6, bytes);
        let reply = answer(&request).unwrap();
        let message = message6(&reply, ASKER, ASKER_V6, 64);
        let parsed = Icmpv6Repr::parse(&HOST.ipv6, &ASKER_V6, &message, &ChecksumCapabilities::default()).unwrap();
        assert_eq!(parsed, Icmpv6Repr::EchoReply { ident: 0x1234, seq_no: 5, data: &vec![0x5a; bytes] });
        assert_eq!(answer(&tagged(&request)).unwrap(), tagged(&reply));
    }
}

#[test]
fn neighbours_are_told_the_mac() {
    let flags = NdiscNeighborFlags::SOLICITED | NdiscNeighborFlags::OVERRIDE;
    let elsewhere = [2, 0, 0, 0, 0, 0xc];
    for (destination, options, mac) in [
        (GROUP_V6, source_option(ASKER), ASKER),
        (GROUP_V6, source_option(elsewhere), elsewhere),
        // As when a neighbour looks whether this one is still there.
        (HOST.ipv6, Vec::new(), ASKER),
        // An unknown option, which shortens the answer.
        (HOST.ipv6, [vec![200, 2], vec![0; 14], source_option(ASKER)].concat(), ASKER),
    ] {
        let request = solicitation(ASKER_V6, destination, HOST.ipv6, &options);
        let reply = answer(&request).unwrap();
        assert_eq!(advertisement(&reply, mac, ASKER_V6), flags);
        assert_eq!(answer(&tagged(&request)).unwrap(), tagged(&reply));
    }
}

#[test]
fn who_wants_the_same_address_is_told_with_all_nodes() {
    let probe = solicitation(Ipv6Addr::UNSPECIFIED, GROUP_V6, HOST.ipv6, &[]);
    let reply = answer(&probe).unwrap();
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    assert_eq!(advertisement(&reply, ALL_NODES_MAC, all_nodes), NdiscNeighborFlags::OVERRIDE);
    // RFC 4861 section 7.1.1: with a link-layer address, or not in the group.
    let nobody = Ipv6Addr::UNSPECIFIED;
    assert_dropped(&solicitation(nobody, GROUP_V6, HOST.ipv6, &source_option(ASKER)), &drops::MALFORMED);
    assert_dropped(&solicitation(nobody, HOST.ipv6, HOST.ipv6, &[]), &drops::MALFORMED);
}

#[test]
fn other_ipv6_is_dropped_by_reason() {
    let ns = |options: &[u8]| solicitation(ASKER_V6, GROUP_V6, HOST.ipv6, options);
    let changed = |mut frame: Vec<u8>, at: usize, byte: u8| {
        frame[14 + at] = byte;
        frame
    };
    // Same last three bytes, so in the same group.
    let twin = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0x12, 0x3456);
    let ping = || ping6(ASKER_V6, HOST.ipv6, 16);
    for (what, frame, reason) in [
        ("another host's", ping6(ASKER_V6, ASKER_V6, 16), &drops::NOT_OURS),
        ("asks for another", solicitation(ASKER_V6, GROUP_V6, twin, &[]), &drops::NOT_OURS),
        ("a ping for the group", ping6(ASKER_V6, GROUP_V6, 16), &drops::NOT_OURS),
        ("a ping from nobody", ping6(Ipv6Addr::UNSPECIFIED, HOST.ipv6, 16), &drops::MALFORMED),
        ("a ping from a group", ping6(GROUP_V6, HOST.ipv6, 16), &drops::MALFORMED),
        ("a ping from ourselves", ping6(HOST.ipv6, HOST.ipv6, 16), &drops::MALFORMED),
        ("through a router", changed(ns(&[]), 7, 254), &drops::MALFORMED),
        ("a damaged message", changed(ping(), 50, 1), &drops::BAD_CHECKSUM),
        ("longer than its frame", changed(ping(), 4, 1), &drops::MALFORMED),
        ("without an ICMPv6 header", changed(ping(), 5, 7), &drops::MALFORMED),
        ("a fragment", changed(ping(), 6, 44), &drops::FRAGMENT),
        ("UDP", changed(ping(), 6, 17), &drops::UNSUPPORTED),
        ("an option without length", ns(&[1, 0]), &drops::MALFORMED),
        ("an option that is cut", ns(&[1, 1, 2, 0, 0]), &drops::MALFORMED),
        ("half an option", ns(&[1]), &drops::MALFORMED),
        ("a group as neighbour", ns(&source_option(ALL_NODES_MAC)), &drops::MALFORMED),
        ("no IPv6", changed(ping(), 0, 0x40), &drops::MALFORMED),
    ] {
        let why = answer(&frame).expect_err(what);
        assert!(std::ptr::eq(why, reason), "{what}: {why:?}");
    }
    let group = [&[0x33, 0x33, 0, 0, 0, 1][..], &ping()[6..]].concat();
    assert_dropped(&group, &drops::NOT_OURS);
    assert_dropped(&ping()[..30], &drops::MALFORMED);
    let reply = PacketBuilder::ethernet2(ASKER, HOST.mac).ipv6(ASKER_V6.octets(), HOST.ipv6.octets(), 9);
    let mut frame = Vec::new();
    reply.icmpv6_echo_reply(1, 2).write(&mut frame, &[]).unwrap();
    assert_dropped(&frame, &drops::UNSUPPORTED);
    assert_dropped(&ethernet(HOST.mac, [0x88, 0xcc], &[0; 46]), &drops::UNSUPPORTED);
}

/// Requests with a few bytes changed and some cut off.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let requests = vec![
        arp([0xff; 6], ASKER, ASKER_V4, HOST.ipv4),
        ping(20),
        tagged(&ping(20)),
        ping6(ASKER_V6, HOST.ipv6, 20),
        solicitation(ASKER_V6, GROUP_V6, HOST.ipv6, &source_option(ASKER)),
        tagged(&solicitation(Ipv6Addr::UNSPECIFIED, GROUP_V6, HOST.ipv6, &[])),
    ];
    let changes = proptest::collection::vec((12..100_usize, any::<u8>()), 0..3);
    (proptest::sample::select(requests), changes, 0..60_usize).prop_map(|(mut frame, changes, cut)| {
        for (at, byte) in changes {
            if let Some(place) = frame.get_mut(at) {
                *place = byte;
            }
        }
        frame.truncate(frame.len() - cut.min(frame.len()));
        frame
    })
}

proptest! {
    #[test]
    fn any_bytes_are_survived_and_answers_are_from_here(
        frame in prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), damaged()]
    ) {
        if let Ok(reply) = answer(&frame) {
            prop_assert_eq!(&reply[6..12], &HOST.mac);
            // An answer is no request: two such hosts have nothing to say to each other.
            prop_assert!(answer(&reply).is_err());
        }
    }
}
