use proptest::prelude::*;

use super::*;
use crate::engine::examples::{self, Example, PADDING};

#[test]
fn wrong_checksums_are_mended_and_nothing_else_is_touched() {
    for mut example in examples::whole() {
        assert!(!example.checksum_is_right(), "{}", example.name);
        let before = example.frame.clone();
        mend(&mut example.frame);
        assert!(example.ip_checksum_is_right(), "{}", example.name);
        assert!(example.checksum_is_right(), "{}", example.name);
        let changed: Vec<usize> = (0..before.len()).filter(|&at| example.frame[at] != before[at]).collect();
        let field = match example.protocol {
            IpNumber::TCP => 16,
            IpNumber::UDP => 6,
            _ => 2,
        };
        let (ip, transport) = (example.network + 10, example.transport + field);
        let allowed = [ip, ip + 1, transport, transport + 1];
        assert!(changed.iter().all(|at| allowed.contains(at)), "{}: {changed:?}", example.name);
    }
}

#[test]
fn of_fragments_only_the_ip_header_is_mended() {
    for fragment in [0x2000, 0x2003, 0x0003] {
        let mut example =
            Example::new("fragment", &[], examples::ipv4(&[], fragment, IpNumber::UDP, &examples::udp(b"a part")));
        let payload = example.frame[example.transport..].to_vec();
        mend(&mut example.frame);
        assert!(example.ip_checksum_is_right());
        assert_eq!(example.frame[example.transport..], payload);
    }
    let more = &[0, 0, 1, 9, 9, 9, 9][..];
    let example =
        Example::new("fragment", &[], examples::ipv6(&[(44, more)], IpNumber::UDP, &examples::udp(b"a part")));
    assert_untouched(example);
}

#[test]
fn a_datagram_without_a_checksum_stays_so_over_ipv4_and_gets_one_over_ipv6() {
    let mut datagram = examples::udp(b"unchecked");
    datagram[6..8].fill(0);
    let mut example = Example::new("IPv4", &[], examples::ipv4(&[], 0, IpNumber::UDP, &datagram));
    mend(&mut example.frame);
    assert!(example.ip_checksum_is_right());
    assert_eq!(example.frame[example.transport..example.end], datagram);
    let mut example = Example::new("IPv6", &[], examples::ipv6(&[], IpNumber::UDP, &datagram));
    mend(&mut example.frame);
    assert!(example.checksum_is_right());
    assert_ne!(example.frame[example.transport + 6..][..2], [0, 0]);
}

#[test]
fn a_checksum_of_udp_that_comes_out_as_zero_is_written_as_ones() {
    let mut example = Example::new("UDP", &[], examples::ipv4(&[], 0, IpNumber::UDP, &examples::udp(&[0, 0])));
    mend(&mut example.frame);
    // The checksum itself as payload makes the sum all ones, and its complement zero.
    let at = example.transport + 6;
    let sum = [example.frame[at], example.frame[at + 1]];
    example.frame[at + 2..at + 4].copy_from_slice(&sum);
    mend(&mut example.frame);
    assert_eq!(example.frame[at..at + 2], [0xff, 0xff]);
    assert!(example.checksum_is_right());
}

#[test]
fn a_datagram_shorter_than_its_packet_is_summed_up_to_its_own_end() {
    let (mut packet, transport, protocol) = examples::ipv4(&[], 0, IpNumber::UDP, &examples::udp(b"seen, unseen"));
    packet[transport + 4..transport + 6].copy_from_slice(&12_u16.to_be_bytes());
    let mut example = Example::new("UDP", &[], (packet, transport, protocol));
    mend(&mut example.frame);
    example.end = example.transport + 12;
    assert!(example.checksum_is_right());
}

#[test]
fn what_cannot_be_made_out_goes_on_as_it_is() {
    let segments_left = &[0, 4, 1, 0, 0, 0, 0][..];
    assert_untouched(Example::new(
        "a final destination elsewhere",
        &[],
        examples::ipv6(&[(43, segments_left)], IpNumber::TCP, &examples::tcp(b"")),
    ));
    let mut long = Example::new("too long", &[], examples::ipv4(&[], 0, IpNumber::TCP, &examples::tcp(b"")));
    long.frame[long.network + 2] = 0x10;
    assert_untouched(long);
    let mut unsized_packet = Example::new("no length", &[], examples::ipv6(&[], IpNumber::TCP, &examples::tcp(b"")));
    unsized_packet.frame[unsized_packet.network + 4..][..2].fill(0);
    assert_untouched(unsized_packet);
    let mut arp = Example::new("not IP", &[], examples::ipv4(&[], 0, IpNumber::TCP, &examples::tcp(b"")));
    arp.frame[12..14].copy_from_slice(&[0x08, 0x06]);
    assert_untouched(arp);
    let tags = [0x8100; 4];
    assert_untouched(Example::new("four tags", &tags, examples::ipv6(&[], IpNumber::UDP, &examples::udp(b""))));
    let extensions = [(0, PADDING)];
    assert_untouched(Example::new(
        "ESP",
        &[],
        examples::ipv6(&extensions, IpNumber::ENCAPSULATING_SECURITY_PAYLOAD, b"12345678"),
    ));
}

fn assert_untouched(mut example: Example) {
    let before = example.frame.clone();
    mend(&mut example.frame);
    assert_eq!(example.frame, before, "{}", example.name);
}

proptest! {
    #[test]
    fn any_bytes_are_survived_and_what_is_mended_stays(mut frame in examples::garbage()) {
        mend(&mut frame);
        let once = frame.clone();
        mend(&mut frame);
        prop_assert_eq!(frame, once);
    }
}
