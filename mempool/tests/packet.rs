//! Making packets longer and shorter.

mod common;

use common::{fill, pool};
use gannet_mempool::{Checksum, L3, L4, Packet, Refused};

/// A packet of 64 bytes headroom, 512 bytes data room and these bytes.
fn packet(bytes: &[u8]) -> Packet {
    // The pool lives on while the packet does.
    let mut packet = pool(1, 0).alloc().unwrap();
    fill(&mut packet, bytes);
    packet
}

/// Headroom, length, tailroom.
fn rooms(packet: &Packet) -> (usize, usize, usize) {
    (packet.headroom(), packet.len(), packet.tailroom())
}

#[track_caller]
fn assert_refused<T>(answer: Result<T, Refused>, wanted: usize, available: usize) {
    let refusal = answer.err().expect("refused");
    assert_eq!(refusal, Refused::NoRoom { wanted, available });
    assert_eq!(refusal.to_string(), format!("{wanted} bytes wanted, {available} available"));
}

#[test]
fn append_gives_the_new_bytes_at_the_end() {
    let mut packet = packet(b"frame");
    packet.append(4).unwrap().copy_from_slice(b" end");
    assert_eq!(packet.data(), b"frame end");
    assert_eq!(rooms(&packet), (64, 9, 503));
    assert_eq!(packet.append(503).unwrap().len(), 503);
    assert_eq!(rooms(&packet), (64, 512, 0));
}

#[test]
fn append_beyond_the_tailroom_changes_nothing() {
    let mut packet = packet(b"frame");
    assert_refused(packet.append(508), 508, 507);
    assert_refused(packet.append(usize::MAX), usize::MAX, 507);
    assert_refused(packet.append(0x1_0000), 0x1_0000, 507);
    assert_eq!((packet.data(), rooms(&packet)), (&b"frame"[..], (64, 5, 507)));
}

#[test]
fn prepend_gives_the_new_bytes_at_the_front() {
    let mut packet = packet(b"frame");
    packet.prepend(4).unwrap().copy_from_slice(b"the ");
    assert_eq!(packet.data(), b"the frame");
    assert_eq!(rooms(&packet), (60, 9, 507));
    assert_eq!(packet.prepend(60).unwrap().len(), 60);
    assert_eq!(rooms(&packet), (0, 69, 507));
    assert_eq!(&packet.data()[60..], b"the frame");
}

#[test]
fn prepend_beyond_the_headroom_changes_nothing() {
    let mut packet = packet(b"frame");
    assert_refused(packet.prepend(65), 65, 64);
    assert_refused(packet.prepend(0x1_0001), 0x1_0001, 64);
    assert_eq!((packet.data(), rooms(&packet)), (&b"frame"[..], (64, 5, 507)));
}

#[test]
fn trim_takes_from_the_end() {
    let mut packet = packet(b"frame end");
    packet.trim(4).unwrap();
    assert_eq!((packet.data(), rooms(&packet)), (&b"frame"[..], (64, 5, 507)));
    assert_refused(packet.trim(6), 6, 5);
    assert_refused(packet.trim(0x1_0001), 0x1_0001, 5);
    assert_eq!((packet.data(), rooms(&packet)), (&b"frame"[..], (64, 5, 507)));
    packet.trim(5).unwrap();
    assert!(packet.is_empty());
    assert_eq!(rooms(&packet), (64, 0, 512));
}

#[test]
fn adjust_takes_from_the_front() {
    let mut packet = packet(b"the frame");
    packet.adjust(4).unwrap();
    assert_eq!((packet.data(), rooms(&packet)), (&b"frame"[..], (68, 5, 503)));
    assert_refused(packet.adjust(6), 6, 5);
    assert_refused(packet.adjust(0x1_0001), 0x1_0001, 5);
    assert_eq!((packet.data(), rooms(&packet)), (&b"frame"[..], (68, 5, 503)));
    packet.adjust(5).unwrap();
    assert_eq!(rooms(&packet), (73, 0, 503));
    // What was taken off the front is headroom.
    packet.prepend(73).unwrap();
    assert_eq!(rooms(&packet), (0, 73, 503));
}

#[test]
fn nothing_more_or_less_changes_nothing() {
    let mut packet = packet(b"");
    assert!(packet.append(0).unwrap().is_empty());
    assert!(packet.prepend(0).unwrap().is_empty());
    packet.trim(0).unwrap();
    packet.adjust(0).unwrap();
    assert_eq!(rooms(&packet), (64, 0, 512));
}

#[test]
fn data_survives_a_header_taken_off_and_put_back() {
    let frame: Vec<u8> = (0..=255).collect();
    let mut packet = packet(&frame);
    packet.adjust(14).unwrap();
    packet.trim(56).unwrap();
    assert_eq!(packet.data(), &frame[14..200]);
    packet.prepend(14).unwrap();
    packet.append(56).unwrap();
    assert_eq!(packet.data(), frame);
}

#[test]
fn a_new_packet_says_nothing_of_what_a_card_saw() {
    let packet = packet(b"");
    assert_eq!((packet.rss_hash(), packet.vlan_tag()), (None, None));
    assert_eq!((packet.ip_checksum(), packet.l4_checksum()), (Checksum::Unchecked, Checksum::Unchecked));
    assert_eq!((packet.l3(), packet.l4()), (L3::Unknown, L4::Unknown));
}

#[test]
fn debug_does_not_touch_the_data() {
    let packet = packet(b"frame");
    let text = format!("{packet:?}");
    assert!(text.contains("len: 5") && text.contains("offset: 64"), "{text}");
}
