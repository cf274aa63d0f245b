//! Frames are valid to an independent parser, every damage is seen, others' frames are foreign.

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::*;

const FROM: MacAddress = [2, 0, 0, 0, 0, 0xA];
const TO: MacAddress = [2, 0, 0, 0, 0, 0xB];
const MARK: u16 = 0x6A01;

fn template(traffic: &Traffic) -> Template {
    Template::new(traffic, MARK, FROM, TO).unwrap()
}

fn frame(template: &Template, flow: usize, shape: usize, sequence: u64, time: u64) -> Vec<u8> {
    let mut frame = vec![0xEE; template.length(shape)];
    template.write(&mut frame, flow, shape, sequence);
    template.stamp(&mut frame, time);
    frame
}

/// IPv4, IPv6, with a VLAN tag, without; sizes from the least.
fn kinds() -> Vec<Traffic> {
    let ipv4 = Traffic { flows: 3, sizes: Sizes::Sweep(64, 130), ..Traffic::default() };
    let ipv6 = Traffic {
        src_ip: "2001:db8::1-2001:db8::9".parse().unwrap(),
        dst_ip: Field::constant("2001:db8::ff".parse().unwrap()),
        sizes: Sizes::Sweep(80, 130),
        ..ipv4.clone()
    };
    let tag = |traffic: &Traffic, sizes| Traffic { vlan: Some("7-9".parse().unwrap()), sizes, ..traffic.clone() };
    vec![tag(&ipv4, Sizes::Sweep(64, 130)), tag(&ipv6, Sizes::Sweep(84, 130)), ipv4, ipv6]
}

/// Lets an independent parser judge the frame.
fn assert_valid(frame: &[u8]) {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let Some(TransportSlice::Udp(udp)) = &packet.transport else { panic!("not UDP") };
    let computed = match packet.net.as_ref().unwrap() {
        NetSlice::Ipv4(ip) => {
            let ip = ip.header();
            assert_eq!(ip.to_header().calc_header_checksum(), ip.header_checksum());
            udp.to_header().calc_checksum_ipv4_raw(ip.source(), ip.destination(), udp.payload()).unwrap()
        }
        NetSlice::Ipv6(ip) => {
            let ip = ip.header();
            udp.to_header().calc_checksum_ipv6_raw(ip.source(), ip.destination(), udp.payload()).unwrap()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(udp.checksum(), computed);
    assert_eq!(udp.payload().as_ptr_range().end, frame.as_ptr_range().end, "the datagram is as long as the frame");
}

#[test]
fn frames_of_all_kinds_and_sizes_are_valid_and_known_again() {
    for traffic in kinds() {
        let template = template(&traffic);
        for shape in 0..template.shapes() {
            for flow in 0..template.flows() {
                let (sequence, time) = ((1 << 36) - shape as u64, 0xFE_DCBA_0000 | shape as u64);
                let frame = frame(&template, flow, shape, sequence, time);
                assert_valid(&frame);
                let signature = Signature { mark: MARK, number: template.numbering.number(flow, sequence), time };
                assert_eq!(template.inspect(&frame), Verdict::Intact(signature));
            }
        }
    }
}

#[test]
fn fields_are_where_they_belong() {
    let traffic = Traffic {
        flows: 2,
        src_mac: Some("02:00:00:00:00:11-02:00:00:00:00:12".parse().unwrap()),
        dst_mac: Some("02:00:00:00:00:21".parse().unwrap()),
        vlan: Some("5-6".parse().unwrap()),
        src_ip: "198.51.100.1-198.51.100.2".parse().unwrap(),
        dst_ip: "203.0.113.9".parse().unwrap(),
        src_port: "1000-1001".parse().unwrap(),
        dst_port: "2000".parse().unwrap(),
        ..Traffic::default()
    };
    let frame = frame(&template(&traffic), 1, 0, 0, 0);
    let packet = SlicedPacket::from_ethernet(&frame).unwrap();
    assert_eq!((&frame[..6], &frame[6..12]), (&[2, 0, 0, 0, 0, 0x21][..], &[2, 0, 0, 0, 0, 0x12][..]));
    assert_eq!(packet.vlan_ids().first().map(|vlan| vlan.value()), Some(6));
    let ip = packet.net.as_ref().unwrap().ipv4_ref().unwrap().header();
    assert_eq!((ip.source(), ip.destination()), ([198, 51, 100, 2], [203, 0, 113, 9]));
    let Some(TransportSlice::Udp(udp)) = packet.transport else { panic!("not UDP") };
    assert_eq!((udp.source_port(), udp.destination_port()), (1001, 2000));
}

#[test]
fn addresses_are_the_ports_own_unless_they_are_given() {
    let frame = frame(&template(&Traffic::default()), 0, 0, 0, 0);
    assert_eq!((&frame[..6], &frame[6..12]), (&TO[..], &FROM[..]));
}

#[test]
fn the_same_seed_gives_the_same_flows() {
    let random = |seed| Traffic { flows: 8, src_ip: "random".parse().unwrap(), seed, ..Traffic::default() };
    let sources = |seed| -> Vec<Vec<u8>> {
        let template = template(&random(seed));
        (0..8).map(|flow| frame(&template, flow, 0, 0, 0)[26..30].to_vec()).collect()
    };
    assert_eq!(sources(1), sources(1));
    assert_ne!(sources(1), sources(2));
}

/// Every byte, every bit. What of a frame is not in a checksum is compared with what was sent, but for three fields of IPv6.
#[test]
fn every_damaged_bit_is_seen() {
    for traffic in kinds() {
        let template = template(&traffic);
        let layers = template.head_length - template.layers.length();
        // Traffic class and flow label; hop limit.
        let unchecked =
            |at: usize| template.layers == Layers::Ipv6 && ((layers + 1..layers + 4).contains(&at) || at == layers + 7);
        for shape in [0, 1, 7] {
            let sent = frame(&template, 2, shape, 77, 99);
            for at in 0..sent.len() {
                for bit in 0..8 {
                    let mut damaged = sent.clone();
                    damaged[at] ^= 1 << bit;
                    let verdict = template.inspect(&damaged);
                    let expected = match at {
                        at if at < layers => matches!(verdict, Verdict::Rewritten(_)),
                        // Half of the traffic class is in the byte of the version.
                        at if unchecked(at) || (at == layers && bit < 4 && template.layers == Layers::Ipv6) => {
                            matches!(verdict, Verdict::Intact(_))
                        }
                        _ => verdict == Verdict::Damaged,
                    };
                    assert!(expected, "byte {at} bit {bit} of {}: {verdict:?}", sent.len());
                }
            }
        }
    }
}

#[test]
fn frames_of_others_are_foreign() {
    let traffic = Traffic { flows: 4, ..Traffic::default() };
    let ours = template(&traffic);
    let earlier = Template::new(&traffic, MARK - 1, FROM, TO).unwrap();
    assert_eq!(ours.inspect(&frame(&earlier, 3, 0, 5, 6)), Verdict::Foreign);
    for length in [0, 1, 41, 42, 43, 44, 55, 60, 1514] {
        for byte in [0, 0x5A, 0xFF] {
            assert_eq!(ours.inspect(&vec![byte; length]), Verdict::Foreign, "{length} x {byte}");
        }
    }
}

#[test]
fn a_tag_more_or_less_is_a_rewritten_header() {
    let [tagged, .., plain, _] = &kinds()[..] else { panic!("four kinds") };
    let (tagged, plain) = (template(tagged), template(plain));
    let mut stripped = frame(&tagged, 0, 0, 1, 2);
    stripped.drain(12..16);
    // As a card pads it.
    stripped.resize(60, 0);
    assert!(matches!(tagged.inspect(&stripped), Verdict::Rewritten(Signature { number: 4, time: 2, .. })));
    let mut added = frame(&plain, 0, 0, 1, 2);
    added.splice(12..12, [0x81, 0, 0, 7]);
    assert!(matches!(plain.inspect(&added), Verdict::Rewritten(Signature { number: 4, time: 2, .. })));
}

#[test]
fn a_router_on_the_way_is_no_damage() {
    let template = template(&Traffic::default());
    let mut routed = frame(&template, 0, 0, 8, 9);
    routed[..12].copy_from_slice(&[4; 12]);
    routed[22] -= 1;
    // RFC 1141: one hop less, a checksum of 256 more.
    let checksum = u32::from(u16::from_be_bytes([routed[24], routed[25]])) + 0x100;
    let checksum = (checksum + (checksum >> 16)) as u16;
    routed[24..26].copy_from_slice(&checksum.to_be_bytes());
    assert_valid(&routed);
    assert!(matches!(template.inspect(&routed), Verdict::Rewritten(Signature { number: 8, .. })));
}

#[test]
fn what_cannot_be_made_is_refused() {
    let refused = |traffic: Traffic| traffic.check().expect_err("refused").to_string();
    let [_, tagged, _, plain] = &kinds()[..] else { panic!("four kinds") };
    let sized = |traffic: &Traffic, size| Traffic { sizes: Sizes::Fixed(size), ..traffic.clone() };
    assert!(refused(sized(plain, 79)).contains("80 bytes at least"));
    assert!(refused(sized(tagged, 83)).contains("84 bytes at least"));
    assert!(refused(Traffic { src_ip: plain.src_ip, ..Traffic::default() }).contains("IPv6"));
    for flows in [0, MAX_FLOWS + 1] {
        assert!(refused(Traffic { flows, ..Traffic::default() }).contains("--flows"));
    }
}

#[test]
fn the_field_with_most_values_sets_the_flows() {
    let traffic = Traffic {
        src_ip: "198.51.100.1-198.51.100.9".parse().unwrap(),
        dst_port: "5-7".parse().unwrap(),
        ..Traffic::default()
    };
    assert_eq!((traffic.distinct(), Traffic::default().distinct()), (9, 1));
}
