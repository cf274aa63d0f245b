//! The router of l3fwd against a plain list of routes, and against etherparse's reading of what it makes of a packet.

#[path = "../../examples/l3fwd/router.rs"]
mod router;

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{EtherType, Ethernet2Header, IpNumber, Ipv4Header, Ipv6Header};
use gannet::{Burst, Checksum, Packet, Pool, PoolOptions};
use gannet_mempool::Reason;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;
use proptest::sample::Index;

use self::router::{BAD_HEADER, MARTIAN, NO_COPY, NO_ROOM, NO_ROUTE, NOT_IP, NOT_OURS, Route, Router, TTL_EXPIRED};

/// The router's own addresses, by port.
const PORTS: [[u8; 6]; 4] = [[2, 1, 1, 1, 1, 0], [2, 1, 1, 1, 1, 1], [2, 1, 1, 1, 1, 2], [2, 1, 1, 1, 1, 3]];

const PAYLOAD: &[u8] = b"what a router does not look at";

fn router(routes: &[Route]) -> Router {
    Router::new(routes, &PORTS).expect("routes to ports that there are")
}

fn of(texts: &[&str]) -> Router {
    router(&texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>())
}

fn ethernet(ether_type: EtherType) -> Vec<u8> {
    let header = Ethernet2Header { source: [2, 9, 9, 9, 9, 9], destination: PORTS[0], ether_type };
    header.to_bytes().to_vec()
}

fn ipv4(destination: Ipv4Addr, ttl: u8, options: &[u8]) -> Vec<u8> {
    let source = Ipv4Addr::new(203, 0, 113, 9).octets();
    let mut header = Ipv4Header::new(PAYLOAD.len() as u16, ttl, IpNumber::UDP, source, destination.octets())
        .expect("a short payload");
    header.options = options.try_into().expect("up to 40 bytes, in fours");
    header.set_payload_len(PAYLOAD.len()).expect("a short payload");
    header.header_checksum = header.calc_header_checksum();
    [ethernet(EtherType::IPV4), header.to_bytes().to_vec(), PAYLOAD.to_vec()].concat()
}

fn ipv6(destination: Ipv6Addr, hop_limit: u8) -> Vec<u8> {
    let header = Ipv6Header {
        traffic_class: 3,
        flow_label: 7.try_into().expect("20 bits"),
        payload_length: PAYLOAD.len() as u16,
        next_header: IpNumber::UDP,
        hop_limit,
        source: "2001:db8::9".parse::<Ipv6Addr>().unwrap().octets(),
        destination: destination.octets(),
    };
    [ethernet(EtherType::IPV6), header.to_bytes().to_vec(), PAYLOAD.to_vec()].concat()
}

/// What becomes of a frame, and the frame then.
fn routed(router: &Router, frame: &[u8], checksum: Checksum) -> (Result<usize, &'static Reason>, Vec<u8>) {
    let mut frame = frame.to_vec();
    (router.route(&mut frame, checksum), frame)
}

#[track_caller]
fn assert_dropped(router: &Router, frame: &[u8], why: &'static Reason) {
    let (verdict, after) = routed(router, frame, Checksum::Unchecked);
    let reason = verdict.expect_err("it goes nowhere");
    assert!(std::ptr::eq(reason, why), "{reason:?} instead of {why:?}");
    assert_eq!(after, frame, "changed all the same");
}

/// The route of the longest prefix; of several with the same prefix, the last.
fn longest(routes: &[Route], contains: impl Fn(&IpNet) -> bool) -> Option<&Route> {
    routes.iter().filter(|route| contains(&route.prefix)).max_by_key(|route| route.prefix.prefix_len())
}

#[track_caller]
fn assert_addressed(frame: &[u8], route: &Route) {
    assert_eq!(frame[..6], route.next_hop);
    assert_eq!(frame[6..12], PORTS[route.port]);
}

/// A route, from bits, a length and the rest.
fn route(prefix: IpNet, port: usize) -> Route {
    Route { prefix, port, next_hop: [2, 0, 0, 0, 0, port as u8] }
}

/// An address, by chance inside of one of these prefixes or anywhere.
fn near(prefixes: &[u128], which: Index, bits: u128, common: u8, width: u8) -> u128 {
    let Some(prefix) = prefixes.get(which.index(prefixes.len().max(1))) else { return bits };
    let mask = u128::MAX.checked_shl(u32::from(width.saturating_sub(common))).unwrap_or(0);
    (prefix & mask) | (bits & !mask)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ipv4_goes_where_the_longest_prefix_says(
        table in prop::collection::vec((any::<u32>(), 0..=32_u8, 0..4_usize), 0..40),
        (which, bits, common) in (any::<Index>(), any::<u32>(), 0..=32_u8),
        (ttl, options) in (any::<u8>(), 0..=10_usize),
    ) {
        let prefix = |(bits, length)| IpNet::V4(Ipv4Net::new(Ipv4Addr::from_bits(bits), length).unwrap());
        let routes: Vec<Route> = table.iter().map(|&(bits, length, port)| route(prefix((bits, length)), port)).collect();
        let prefixes: Vec<u128> = table.iter().map(|row| row.0.into()).collect();
        let destination = Ipv4Addr::from_bits(near(&prefixes, which, bits.into(), common, 32) as u32);
        let frame = ipv4(destination, ttl, &vec![1; options * 4]);
        let router = router(&routes);

        let martian = destination.is_multicast() || destination.is_loopback() || destination.is_link_local()
            || destination.is_broadcast() || destination.is_unspecified();
        match longest(&routes, |prefix| prefix.contains(&IpNet::V4(destination.into()))) {
            _ if martian => assert_dropped(&router, &frame, &MARTIAN),
            _ if ttl < 2 => assert_dropped(&router, &frame, &TTL_EXPIRED),
            None => assert_dropped(&router, &frame, &NO_ROUTE),
            Some(route) => {
                let (port, after) = routed(&router, &frame, Checksum::Unchecked);
                prop_assert_eq!(port.expect("there is a route"), route.port);
                assert_addressed(&after, route);
                let (mut header, payload) = Ipv4Header::from_slice(&after[14..]).unwrap();
                prop_assert_eq!(payload, PAYLOAD);
                prop_assert_eq!(header.time_to_live, ttl - 1);
                prop_assert_eq!(header.header_checksum, header.calc_header_checksum());
                // Nothing else has changed.
                header.time_to_live = ttl;
                header.header_checksum = header.calc_header_checksum();
                prop_assert_eq!(&header.to_bytes()[..], &frame[14..34 + options * 4]);
            }
        }
    }

    #[test]
    fn ipv6_goes_where_the_longest_prefix_says(
        table in prop::collection::vec((any::<u128>(), 0..=128_u8, 0..4_usize), 0..40),
        (which, bits, common) in (any::<Index>(), any::<u128>(), 0..=128_u8),
        hop_limit in any::<u8>(),
    ) {
        let prefix = |(bits, length)| IpNet::V6(Ipv6Net::new(Ipv6Addr::from_bits(bits), length).unwrap());
        let routes: Vec<Route> = table.iter().map(|&(bits, length, port)| route(prefix((bits, length)), port)).collect();
        let prefixes: Vec<u128> = table.iter().map(|row| row.0).collect();
        let destination = Ipv6Addr::from_bits(near(&prefixes, which, bits, common, 128));
        let frame = ipv6(destination, hop_limit);
        let router = router(&routes);

        let martian = destination.is_multicast() || destination.is_loopback() || destination.is_unspecified()
            || destination.is_unicast_link_local();
        match longest(&routes, |prefix| prefix.contains(&IpNet::V6(destination.into()))) {
            _ if martian => assert_dropped(&router, &frame, &MARTIAN),
            _ if hop_limit < 2 => assert_dropped(&router, &frame, &TTL_EXPIRED),
            None => assert_dropped(&router, &frame, &NO_ROUTE),
            Some(route) => {
                let (port, after) = routed(&router, &frame, Checksum::Unchecked);
                prop_assert_eq!(port.expect("there is a route"), route.port);
                assert_addressed(&after, route);
                let mut expected = frame[12..].to_vec();
                expected[2 + 7] -= 1;
                prop_assert_eq!(&after[12..], &expected[..]);
            }
        }
    }

    /// The checksum tells one wrong bit wherever it is. (Of the addresses in front of it nobody knows what they should be.)
    #[test]
    fn a_wrong_bit_in_an_ipv4_header_is_seen(bit in 0..20 * 8_usize, ttl in 2..=255_u8) {
        let mut frame = ipv4(Ipv4Addr::new(198, 51, 100, 1), ttl, &[]);
        frame[14 + bit / 8] ^= 1 << (bit % 8);
        assert_dropped(&of(&["0.0.0.0/0=1"]), &frame, &BAD_HEADER);
    }

    /// Neither a panic nor a byte out of place.
    #[test]
    fn whatever_arrives_is_routed_or_left_as_it_is(
        mut frame in prop::collection::vec(any::<u8>(), 0..120),
        ip in prop::option::of(prop::bool::ANY),
        checked in prop::bool::ANY,
    ) {
        if let (Some(is_ipv6), 15..) = (ip, frame.len()) {
            frame[0] &= !1;
            let (kind, version) = if is_ipv6 { ([0x86, 0xDD], 0x60) } else { ([8, 0], 0x40) };
            frame[12..14].copy_from_slice(&kind);
            frame[14] = version | (frame[14] & 0xF);
        }
        let checksum = if checked { Checksum::Good } else { Checksum::Unchecked };
        let (verdict, after) = routed(&of(&["0.0.0.0/0=1", "::/0=2"]), &frame, checksum);
        match verdict {
            Ok(port) => prop_assert!(after.len() >= 34 && after[6..12] == PORTS[port]),
            Err(_) => prop_assert_eq!(after, frame),
        }
    }

    /// No text is a reason to panic.
    #[test]
    fn any_text_is_a_route_or_an_error(text in "\\PC{0,20}|[0-9./:=,a-f]{0,40}") {
        if let Ok(route) = text.parse::<Route>() {
            prop_assert!(text.contains(&format!("={}", route.port)) || text.contains("=+") || text.contains("=0"), "{}", text);
        }
    }
}

#[test]
fn the_checksum_is_mended_rightly_whatever_it_was() {
    let router = of(&["0.0.0.0/0=1"]);
    let mut frame = ipv4(Ipv4Addr::new(198, 51, 100, 1), 64, &[]);
    for identification in 0..=u16::MAX {
        frame[18..20].copy_from_slice(&identification.to_be_bytes());
        let checksum = Ipv4Header::from_slice(&frame[14..]).unwrap().0.calc_header_checksum();
        frame[24..26].copy_from_slice(&checksum.to_be_bytes());
        let (verdict, after) = routed(&router, &frame, Checksum::Unchecked);
        assert_eq!(verdict.ok(), Some(1), "{identification}");
        let header = Ipv4Header::from_slice(&after[14..]).unwrap().0;
        assert_eq!(header.header_checksum, header.calc_header_checksum(), "{identification}");
    }
}

#[test]
fn the_cards_word_on_a_checksum_holds() {
    let router = of(&["0.0.0.0/0=1"]);
    let good = ipv4(Ipv4Addr::new(198, 51, 100, 1), 64, &[]);
    let mut bad = good.clone();
    bad[25] ^= 1;
    let is_routed = |frame: &[u8], checksum| routed(&router, frame, checksum).0.is_ok();
    assert!(is_routed(&good, Checksum::Good) && is_routed(&good, Checksum::Unchecked));
    assert!(!is_routed(&good, Checksum::Bad) && !is_routed(&bad, Checksum::Unchecked));
    // Not summed a second time.
    assert!(is_routed(&bad, Checksum::Good));
}

#[test]
fn what_is_no_packet_for_a_router_is_dropped() {
    let router = of(&["0.0.0.0/0=1", "::/0=2"]);
    let packet = ipv4(Ipv4Addr::new(198, 51, 100, 1), 64, &[]);
    let mut to_all = packet.clone();
    to_all[..6].fill(0xFF);
    assert_dropped(&router, &to_all, &NOT_OURS);
    assert_dropped(&router, &[ethernet(EtherType::ARP), vec![0; 46]].concat(), &NOT_IP);
    assert_dropped(&router, &packet[..13], &NOT_IP);
    for cut in 14..34 {
        assert_dropped(&router, &packet[..cut], &BAD_HEADER);
    }
    // Cut off behind the header, which says more.
    assert_dropped(&router, &packet[..packet.len() - 1], &BAD_HEADER);
    let packet = ipv6("2001:db8::1".parse().unwrap(), 64);
    for cut in 14..packet.len() {
        assert_dropped(&router, &packet[..cut], &BAD_HEADER);
    }
    let mut from_link = packet.clone();
    from_link[22..24].copy_from_slice(&[0xFE, 0x80]);
    assert_dropped(&router, &from_link, &MARTIAN);
    let mut from_nowhere = packet.clone();
    from_nowhere[22..38].fill(0);
    assert_dropped(&router, &from_nowhere, &MARTIAN);
    let mut from_a_group = packet;
    from_a_group[22] = 0xFF;
    assert_dropped(&router, &from_a_group, &MARTIAN);
}

#[test]
fn routes_are_read_as_the_help_says() {
    let route: Route = "198.51.100.0/24=3".parse().unwrap();
    assert_eq!(route, Route { prefix: "198.51.100.0/24".parse().unwrap(), port: 3, next_hop: [2, 0, 0, 0, 0, 3] });
    let route: Route = "2001:db8::/32=0,02:00:5e:10:00:0a".parse().unwrap();
    assert_eq!(route.next_hop, [2, 0, 0x5E, 0x10, 0, 0x0A]);
    for (text, part) in [
        ("198.51.100.0/24", "PREFIX=PORT"),
        ("198.51.100.0=1", "is no prefix"),
        ("198.51.100.0/33=1", "is no prefix"),
        ("0.0.0.0/0=one", "\"one\" is no number of a port"),
        ("0.0.0.0/0=0,02:00", "\"02:00\" is no MAC address"),
        ("0.0.0.0/0=0,02:00:00:00:00:01:02", "is no MAC address"),
    ] {
        let why = text.parse::<Route>().expect_err(text);
        assert!(format!("{why:#}").contains(part), "{text}: {why:#}");
    }
    let why = Router::new(&["0.0.0.0/0=4".parse().unwrap()], &PORTS).expect_err("no such port");
    assert!(why.to_string().contains("--route 0.0.0.0/0=4: the last port is 3"), "{why}");
}

#[test]
fn a_burst_is_dealt_out_to_the_ports_and_drops_are_counted() {
    let pool = Pool::new(&PoolOptions { buffers: 64, cache: 0, ..PoolOptions::default() }).unwrap();
    let packet = |frame: &[u8]| {
        let mut packet = pool.alloc().expect("a free buffer");
        packet.append(frame.len()).unwrap().copy_from_slice(frame);
        packet
    };
    let to = |last| ipv4(Ipv4Addr::new(198, 51, 100, last), 64, &[]);
    let mut burst = Burst::new(32);
    let mut add = |packet| burst.push(packet).expect("room");
    [to(1), to(2), to(1), to(200), to(1), ethernet(EtherType::ARP)].iter().for_each(|frame| add(packet(frame)));
    // One that somebody else has too is copied before it is changed.
    let mut shared = packet(&to(2));
    let theirs = shared.share();
    add(shared);

    let router = of(&["198.51.100.1/32=0", "198.51.100.2/32=1"]);
    let mut out = [2, 2, 2, 2].map(Burst::new);
    router.forward(&mut burst, &mut out);

    assert!(burst.is_empty());
    assert_eq!(out.each_ref().map(|burst| burst.len()), [2, 2, 0, 0]);
    assert!(out[0].iter().all(|packet| packet.data()[..6] == [2, 0, 0, 0, 0, 0]));
    assert_eq!(theirs.data(), to(2), "a copy was changed, not this");
    let counts = [&NO_ROOM, &NO_ROUTE, &NOT_IP, &NO_COPY, &BAD_HEADER].map(|reason| reason.value());
    assert_eq!(counts, [1, 1, 1, 0, 0]);

    // And without a buffer for the copy it is dropped.
    let mut shared = packet(&to(2));
    let theirs_too = shared.share();
    let rest: Vec<Packet> = std::iter::from_fn(|| pool.alloc()).collect();
    burst.push(shared).expect("room");
    router.forward(&mut burst, &mut out);
    assert_eq!(NO_COPY.value(), 1);
    assert_eq!(theirs_too.data(), to(2));

    drop((rest, theirs, theirs_too, out));
    assert_eq!(pool.census().out, 0);
}
