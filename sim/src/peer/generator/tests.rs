//! Frames are valid, every damage is seen, order and loss show in the counters, rates are exact.

use etherparse::{SlicedPacket, TransportSlice};
use proptest::prelude::*;

use super::*;

fn options(frame_length: usize, flows: u32) -> GeneratorOptions {
    GeneratorOptions { frame_length, flows, ..GeneratorOptions::new(6) }
}

/// Sender and receiver of one stream.
fn pair(options: &GeneratorOptions) -> (Generator, Generator) {
    (Generator::new(options).unwrap().0, Generator::new(&options.other_end()).unwrap().0)
}

fn frame(generator: &Generator, sequence: u64) -> Vec<u8> {
    let mut frame = Vec::new();
    generator.sends.write(sequence, &mut frame);
    frame
}

fn counts(generator: &Generator) -> [u64; 4] {
    let stats = &generator.stats;
    [&stats.accepted, &stats.foreign, &stats.corrupted, &stats.reordered].map(|counter| counter.load(Ordering::Relaxed))
}

/// Lets an independent parser judge the frame; gives its UDP source port.
fn assert_valid(frame: &[u8]) -> u16 {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let ip = packet.net.as_ref().unwrap().ipv4_ref().unwrap().header();
    assert_eq!(ip.to_header().calc_header_checksum(), ip.header_checksum());
    assert_eq!(usize::from(ip.total_len()), frame.len() - 14);
    let Some(TransportSlice::Udp(udp)) = &packet.transport else { panic!("not UDP") };
    assert_ne!(udp.checksum(), 0);
    let computed = udp.to_header().calc_checksum_ipv4_raw(ip.source(), ip.destination(), udp.payload()).unwrap();
    assert_eq!(udp.checksum(), if computed == 0 { u16::MAX } else { computed });
    udp.source_port()
}

#[test]
fn frames_of_every_length_are_valid() {
    let numbers = [0, 1, 0xFFFF, 0x1_0000, u64::from(u32::MAX), 1 << 32, (1 << 48) - 1, u64::MAX - 1, u64::MAX];
    for length in (64..=1518).chain([9018, 9019, 15_876]) {
        let (generator, _) = pair(&options(length, 7));
        for sequence in numbers {
            let frame = frame(&generator, sequence);
            assert_eq!(frame.len(), length - FCS);
            assert_valid(&frame);
        }
    }
}

#[test]
fn checksums_hold_over_a_long_run_of_numbers() {
    for length in [64, 65, 71, 79, 128] {
        let (generator, _) = pair(&options(length, 1));
        for sequence in 0..70_000 {
            assert_valid(&frame(&generator, sequence));
        }
    }
}

#[test]
fn shortest_frame_is_60_bytes_with_stream_and_number_readable() {
    let (generator, _) = pair(&options(64, 1));
    let frame = frame(&generator, 0x0102_0304_0506_0708);
    assert_eq!(frame.len(), 60);
    assert_eq!(&frame[42..56], [b'G', b'n', b'n', b't', 0, 6, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_reused_buffer_of_another_length_gets_the_same_frame() {
    let (generator, _) = pair(&options(130, 1));
    let expected = frame(&generator, 9);
    for old in [0, 1, 60, 126, 127, 128, 2000] {
        let mut buffer = vec![0xEE; old];
        generator.sends.write(9, &mut buffer);
        assert_eq!(buffer, expected);
    }
}

#[test]
fn what_one_end_sends_the_other_finds_intact() {
    for (length, flows) in [(64, 1), (65, 3), (68, 16), (72, 1), (100, 1), (1518, 1000), (15_876, 7)] {
        let (mut sender, mut receiver) = pair(&options(length, flows));
        let mut frame = Vec::new();
        for _ in 0..5000 {
            assert_eq!(sender.offer(&mut frame, 0), Offered::Frame);
            assert_eq!(receiver.accept(&frame, 0), Accepted::Taken);
        }
        assert_eq!(counts(&receiver), [5000, 0, 0, 0]);
        assert_eq!(sender.stats.offered.load(Ordering::Relaxed), 5000);
    }
}

#[test]
fn swapped_mac_addresses_are_accepted_and_other_changes_are_not() {
    let (sender, mut receiver) = pair(&options(64, 1));
    let mut swapped = frame(&sender, 1);
    swapped[..12].rotate_left(6);
    receiver.accept(&swapped, 0);
    assert_eq!(counts(&receiver), [1, 0, 0, 0]);

    let mut same_twice = frame(&sender, 2);
    same_twice.copy_within(0..6, 6);
    receiver.accept(&same_twice, 0);
    assert_eq!(counts(&receiver), [2, 0, 1, 0]);
}

#[test]
fn cut_and_lengthened_frames_are_corrupted() {
    let (sender, mut receiver) = pair(&options(128, 1));
    let frame = frame(&sender, 5);
    for length in 48..frame.len() {
        receiver.accept(&frame[..length], 0);
    }
    receiver.accept(&[&frame[..], &[0]].concat(), 0);
    let cut = frame.len() as u64 - 48 + 1;
    assert_eq!(counts(&receiver), [cut, 0, cut, 0]);
}

#[test]
fn other_traffic_and_other_streams_are_foreign() {
    let (sender, mut receiver) = pair(&options(64, 1));
    receiver.accept(&[], 0);
    receiver.accept(&[0xFF; 60], 0);
    receiver.accept(&[0; 1514], 0);
    // Its own frames, sent back by an echo.
    receiver.accept(&frame(&receiver, 0), 0);
    let (other, _) = pair(&GeneratorOptions::new(40));
    receiver.accept(&frame(&other, 0), 0);
    assert_eq!(counts(&receiver), [5, 5, 0, 0]);
    receiver.accept(&frame(&sender, 0), 0);
    assert_eq!(counts(&receiver), [6, 5, 0, 0]);
}

#[test]
fn loss_shows_in_the_counts_and_is_not_reordering() {
    let (mut sender, mut receiver) = pair(&GeneratorOptions { count: Some(1000), ..options(64, 4) });
    let mut frame = Vec::new();
    while sender.offer(&mut frame, 0) == Offered::Frame {
        if sender.next % 10 != 0 {
            receiver.accept(&frame, 0);
        }
    }
    assert!(sender.stats.finished.load(Ordering::Relaxed));
    assert_eq!(sender.stats.offered.load(Ordering::Relaxed), 1000);
    assert_eq!(counts(&receiver), [900, 0, 0, 0]);
}

#[test]
fn late_frames_and_duplicates_are_reordered() {
    let (sender, mut receiver) = pair(&options(64, 1));
    for sequence in [0, 1, 3, 2, 4, 4, 6, 5] {
        receiver.accept(&frame(&sender, sequence), 0);
    }
    assert_eq!(counts(&receiver), [8, 0, 0, 3]);
}

#[test]
fn with_several_flows_order_is_checked_within_a_flow() {
    let (sender, mut receiver) = pair(&options(64, 4));
    let mut frames: Vec<_> = (0..400).map(|sequence| frame(&sender, sequence)).collect();
    frames.sort_by_key(|frame| assert_valid(frame));
    for frame in &frames {
        receiver.accept(frame, 0);
    }
    assert_eq!(counts(&receiver), [400, 0, 0, 0]);

    // The whole again: each is a duplicate.
    for frame in &frames {
        receiver.accept(frame, 0);
    }
    assert_eq!(counts(&receiver), [800, 0, 0, 400]);
}

#[test]
fn flows_get_even_shares() {
    let (sender, _) = pair(&options(64, 100));
    let mut shares = std::collections::BTreeMap::new();
    for sequence in 0..10_000 {
        *shares.entry(assert_valid(&frame(&sender, sequence))).or_insert(0u32) += 1;
    }
    assert_eq!(shares.len(), 100);
    assert!(shares.values().all(|share| (90..=110).contains(share)), "{shares:?}");
}

#[test]
fn a_timed_generator_keeps_its_rate_exactly() {
    for rate in [1, 3, 7_000, 14_880_952, 3_000_000_000] {
        let (mut sender, _) = pair(&GeneratorOptions { rate: Rate::PerSecond(rate), ..options(64, 1) });
        assert_eq!(sender.pacing(), Pacing::Timed);
        let start = 123_456;
        let span = (20_000 * NANOS / rate).min(3 * NANOS);
        let (mut frame, mut sent) = (Vec::new(), 0u64);
        for step in 0..=1000 {
            let now = start + span * step / 1000;
            while sender.offer(&mut frame, now) == Offered::Frame {
                sent += 1;
            }
            let due = u128::from(now - start) * u128::from(rate) / u128::from(NANOS);
            assert!(u128::from(sent).abs_diff(due + 1) <= 1 + u128::from(rate / NANOS), "{rate}: {sent} of {due}");
        }
    }
}

#[test]
fn a_stopped_generator_offers_nothing_and_still_checks() {
    let (mut sender, mut receiver) = pair(&options(64, 1));
    sender.stats.stop.store(true, Ordering::Relaxed);
    let mut buffer = vec![1];
    assert_eq!(sender.offer(&mut buffer, 0), Offered::Nothing);
    assert!(buffer.is_empty());
    receiver.stats.stop.store(true, Ordering::Relaxed);
    receiver.accept(&frame(&sender, 0), 0);
    assert_eq!(counts(&receiver), [1, 0, 0, 0]);
}

#[test]
fn impossible_options_are_refused_by_name() {
    let refused = |options: GeneratorOptions| Generator::new(&options).unwrap_err().to_string();
    assert!(refused(options(63, 1)).starts_with("frame_length=63: needs 64 to 15876"));
    assert!(refused(options(15_877, 1)).starts_with("frame_length=15877"));
    assert!(refused(options(64, 0)).starts_with("flows=0"));
    assert!(refused(options(64, 16_385)).starts_with("flows=16385"));
    assert!(refused(GeneratorOptions { rate: Rate::PerSecond(0), ..options(64, 1) }).starts_with("rate=0"));
}

proptest! {
    #[test]
    fn every_single_byte_corruption_is_seen(
        length in 64usize..=1518, sequence: u64, flows in 1u32..=64, place: prop::sample::Index, flip in 1u8..,
    ) {
        let (sender, mut receiver) = pair(&options(length, flows));
        let mut frame = frame(&sender, sequence);
        let place = place.index(frame.len());
        frame[place] ^= flip;
        receiver.accept(&frame, 0);
        prop_assert_eq!(counts(&receiver), [1, 0, 1, 0]);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (_, mut receiver) = pair(&options(64, 3));
        receiver.accept(&bytes, 0);
        prop_assert_eq!(counts(&receiver)[1..3].iter().sum::<u64>(), 1);
    }
}

#[test]
fn every_byte_and_bit_of_short_frames_is_checked() {
    for length in [64, 65, 66, 67, 68, 73, 81] {
        let (sender, mut receiver) = pair(&options(length, 2));
        let good = frame(&sender, 77);
        for place in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[place] ^= 1 << bit;
                receiver.accept(&bad, 0);
            }
        }
        let tried = 8 * good.len() as u64;
        assert_eq!(counts(&receiver), [tried, 0, tried, 0]);
    }
}
