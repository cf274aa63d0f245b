//! What the card finds out about frames.

use etherparse::IpNumber;
use gannet::{Checksum, L3, L4, Packet, PortConfig, VlanTags};

use super::frames::*;
use super::harness::{MAC, Rig, pool};

/// Sends frames through the card and back as packets.
fn through(vlan_tags: VlanTags, frames: &[Vec<u8>]) -> Vec<Packet> {
    let mut rig = Rig::new();
    let mut config = PortConfig::new(&pool(512), 64);
    config.vlan_tags = vlan_tags;
    let mut port = rig.start(config);
    rig.offer(frames.iter().cloned());
    let packets = rig.receive_all(&mut port.queues.rx[0]);
    assert_eq!(packets.len(), frames.len());
    rig.assert_clean();
    packets
}

fn one(frame: Vec<u8>) -> Packet {
    through(VlanTags::Keep, &[frame]).pop().unwrap()
}

#[test]
fn the_independent_toeplitz_gives_microsofts_published_values() {
    let hash = |source: [u8; 4], target: [u8; 4], ports: &[u16]| {
        let ports = ports.iter().flat_map(|port| port.to_be_bytes());
        toeplitz(&source.into_iter().chain(target).chain(ports).collect::<Vec<_>>())
    };
    assert_eq!(hash([66, 9, 149, 187], [161, 142, 100, 80], &[]), 0x323e_8fc2);
    assert_eq!(hash([66, 9, 149, 187], [161, 142, 100, 80], &[2794, 1766]), 0x51cc_c178);
    assert_eq!(hash([153, 39, 163, 191], [202, 188, 127, 2], &[44251, 1303]), 0x10e8_28a2);
}

#[test]
fn microsofts_published_packets_get_their_published_hashes() {
    let published = [
        ([66, 9, 149, 187], 2794, [161, 142, 100, 80], 1766, 0x51cc_c178),
        ([199, 92, 111, 2], 14230, [65, 69, 140, 83], 4739, 0xc626_b0ea),
        ([24, 19, 198, 95], 12898, [12, 22, 207, 184], 38024, 0x5c2b_394a),
        ([38, 27, 205, 30], 48228, [209, 142, 163, 6], 2217, 0xafc7_327f),
        ([153, 39, 163, 191], 44251, [202, 188, 127, 2], 1303, 0x10e8_28a2),
    ];
    let frames: Vec<_> =
        published.map(|(source, sport, target, dport, _)| tcp4((source, sport), (target, dport), b"")).into();
    for (packet, expected) in through(VlanTags::Keep, &frames).iter().zip(published) {
        assert_eq!(packet.rss_hash(), Some(expected.4));
    }
    let published = [
        ("3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766, 0x4020_7d3d),
        ("3ffe:501:8::260:97ff:fe40:efab", 14230, "ff02::1", 4739, 0xdde5_1bbf),
        ("3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, "fe80::200:f8ff:fe21:67cf", 38024, 0x02d1_feef),
    ];
    let octets = |address: &str| address.parse::<std::net::Ipv6Addr>().unwrap().octets();
    for (source, sport, target, dport, expected) in published {
        assert_eq!(one(tcp6((octets(source), sport), (octets(target), dport), b"")).rss_hash(), Some(expected));
    }
}

#[test]
fn hashes_are_those_of_an_independent_toeplitz() {
    let inputs4: Vec<u8> = [SOURCE4, TARGET4].concat();
    let inputs6: Vec<u8> = [SOURCE6, TARGET6].concat();
    let ports = [0x1F, 0x90, 0x00, 0x35];
    let (source4, target4, source6, target6) = ((SOURCE4, 8080), (TARGET4, 53), (SOURCE6, 8080), (TARGET6, 53));
    let cases = [
        (udp4(source4, target4, b"payload"), Some(toeplitz(&[&inputs4[..], &ports].concat()))),
        (tcp4(source4, target4, b"payload"), Some(toeplitz(&[&inputs4[..], &ports].concat()))),
        (udp6(source6, target6, b"payload"), Some(toeplitz(&[&inputs6[..], &ports].concat()))),
        (tcp6(source6, target6, b"payload"), Some(toeplitz(&[&inputs6[..], &ports].concat()))),
        // No ports: other protocols, and fragments.
        (ipv4(ipv4_header(IpNumber::GRE, 40), &[0; 40]), Some(toeplitz(&inputs4))),
        (fragment4(), Some(toeplitz(&inputs4))),
        (numbered(1, 60), None),
        (arp(), None),
    ];
    let frames: Vec<_> = cases.iter().map(|(frame, _)| frame.clone()).collect();
    for (at, (packet, (_, expected))) in through(VlanTags::Keep, &frames).iter().zip(&cases).enumerate() {
        assert_eq!(packet.rss_hash(), *expected, "case {at}");
    }
}

#[test]
fn headers_are_told_apart() {
    let cases = [
        (udp4((SOURCE4, 1), (TARGET4, 2), b"x"), L3::Ipv4, L4::Udp),
        (tcp4((SOURCE4, 1), (TARGET4, 2), b"x"), L3::Ipv4, L4::Tcp),
        (sctp4(), L3::Ipv4, L4::Sctp),
        (udp4_with_options(), L3::Ipv4Options, L4::Udp),
        (fragment4(), L3::Ipv4, L4::Unknown),
        (ipv4(ipv4_header(IpNumber::GRE, 30), &[0; 30]), L3::Ipv4, L4::Unknown),
        (udp6((SOURCE6, 1), (TARGET6, 2), b"x"), L3::Ipv6, L4::Udp),
        (tcp6((SOURCE6, 1), (TARGET6, 2), b"x"), L3::Ipv6, L4::Tcp),
        (tcp6_with_extension(), L3::Ipv6Extensions, L4::Tcp),
        (tagged_udp4(5, b"x"), L3::Ipv4, L4::Udp),
        (arp(), L3::Unknown, L4::Unknown),
        (numbered(1, 60), L3::Unknown, L4::Unknown),
    ];
    let frames: Vec<_> = cases.iter().map(|(frame, ..)| frame.clone()).collect();
    for (at, (packet, (_, l3, l4))) in through(VlanTags::Keep, &frames).iter().zip(&cases).enumerate() {
        assert_eq!((packet.l3(), packet.l4()), (*l3, *l4), "case {at}");
    }
}

#[test]
fn a_tag_stays_in_the_frame_or_is_taken_out() {
    let frame = tagged_udp4(0xA123, b"in a VLAN");
    let kept = through(VlanTags::Keep, std::slice::from_ref(&frame)).pop().unwrap();
    assert_eq!((kept.vlan_tag(), kept.data()), (None, &frame[..]));
    let frames = [frame.clone(), udp4((SOURCE4, 1), (TARGET4, 2), b"in none")];
    let stripped = through(VlanTags::Strip, &frames);
    assert_eq!(stripped[0].vlan_tag(), Some(0xA123));
    assert_eq!(stripped[0].data(), [&frame[..12], &frame[16..]].concat());
    assert_eq!((stripped[0].l3(), stripped[0].l4()), (L3::Ipv4, L4::Udp));
    assert_eq!((stripped[1].vlan_tag(), stripped[1].data()), (None, &frames[1][..]));
}

#[test]
fn checksums_are_good_bad_or_unchecked() {
    use Checksum::{Bad, Good, Unchecked};
    let spoil = |mut frame: Vec<u8>, at: usize| {
        frame[at] ^= 0x40;
        frame
    };
    const TTL: usize = 14 + 8;
    const L4_OF_IPV4: usize = 14 + 20;
    const L4_OF_IPV6: usize = 14 + 40;
    let (source4, target4, source6, target6) = ((SOURCE4, 8080), (TARGET4, 53), (SOURCE6, 8080), (TARGET6, 53));
    let cases = [
        (udp4(source4, target4, b"payload"), Good, Good),
        (tcp4(source4, target4, b"payload"), Good, Good),
        (sctp4(), Good, Good),
        (udp4_with_options(), Good, Good),
        (udp6(source6, target6, b"payload"), Unchecked, Good),
        (tcp6(source6, target6, b"payload"), Unchecked, Good),
        (tcp6_with_extension(), Unchecked, Good),
        (spoil(tcp4(source4, target4, b"payload"), TTL), Bad, Good),
        (spoil(tcp4(source4, target4, b"payload"), L4_OF_IPV4 + 20), Good, Bad),
        (spoil(tcp6(source6, target6, b"payload"), L4_OF_IPV6 + 4), Unchecked, Bad),
        (spoil(sctp4(), L4_OF_IPV4 + 13), Good, Bad),
        // The card cannot tell a wrong UDP checksum from none: neither good nor bad.
        (spoil(udp4(source4, target4, b"payload"), L4_OF_IPV4 + 8), Good, Unchecked),
        (fragment4(), Good, Unchecked),
        (ipv4(ipv4_header(IpNumber::GRE, 30), &[0; 30]), Good, Unchecked),
        (arp(), Unchecked, Unchecked),
        (numbered_to(MAC, 1, 60), Unchecked, Unchecked),
    ];
    let frames: Vec<_> = cases.iter().map(|(frame, ..)| frame.clone()).collect();
    for (at, (packet, (_, ip, l4))) in through(VlanTags::Keep, &frames).iter().zip(&cases).enumerate() {
        assert_eq!((packet.ip_checksum(), packet.l4_checksum()), (*ip, *l4), "case {at}");
    }
}

#[test]
fn udp_without_a_checksum_is_not_called_bad() {
    let mut frame = udp4((SOURCE4, 8080), (TARGET4, 53), b"payload");
    frame[14 + 20 + 6..][..2].fill(0);
    let packet = one(frame);
    assert_eq!(
        (packet.l4(), packet.ip_checksum(), packet.l4_checksum()),
        (L4::Udp, Checksum::Good, Checksum::Unchecked)
    );
}
