//! From rings onto the cable.

use gannet_sim::x82599::Violation;
use gannet_spec::x82599::context::{L4Type, TxContext, tx_option};
use gannet_spec::x82599::desc::{TxData, tx_command};
use gannet_spec::x82599::regs;

use super::frames::{BROADCAST, MAC, MULTICAST, checksum, plain, tagged, tcp, udp};
use super::harness::{Bench, RING};

const WHOLE: u32 = tx_command::EOP | tx_command::RS;

#[test]
fn a_frame_goes_out_and_only_descriptors_with_rs_are_reported() {
    let mut bench = Bench::started();
    let frames: Vec<_> = (0..4).map(|at| plain(MAC, 60 + at)).collect();
    for (position, frame) in (0..).zip(&frames) {
        bench.put(position, frame, frame.len(), if position == 3 { WHOLE } else { tx_command::EOP });
    }
    bench.write(regs::TDT.get(0), 4);
    bench.step();
    assert_eq!(bench.sent(), frames);
    assert_eq!([0, 1, 2, 3].map(|position| bench.done(position)), [false, false, false, true]);
    assert_eq!(bench.read(regs::TDH.get(0)), 4);
    assert_eq!(bench.probe.violations(), []);
}

#[test]
fn a_packet_is_gathered_from_its_pieces_and_waits_for_the_last() {
    let mut bench = Bench::started();
    let frame = plain(MAC, 1000);
    bench.put(0, &frame[..14], 1000, 0);
    bench.put(1, &frame[14..900], 1000, 0);
    bench.put(2, &frame[900..], 1000, WHOLE);
    bench.write(regs::TDT.get(0), 2);
    bench.step();
    assert!(bench.sent().is_empty());
    bench.write(regs::TDT.get(0), 3);
    bench.step();
    assert_eq!(bench.sent(), [frame]);
    assert!(bench.done(2));
}

#[test]
fn the_ring_goes_round() {
    let mut bench = Bench::started();
    let mut sent = 0;
    for round in 0..10_u32 {
        let frame = plain(MAC, 60 + round as usize);
        for at in 0..20 {
            let position = (round * 20 + at) % RING;
            // Two descriptors a packet, so that some packets lie across the end.
            let (piece, command) = if at % 2 == 0 { (&frame[..30], 0) } else { (&frame[30..], WHOLE) };
            bench.put(position, piece, frame.len(), command);
        }
        bench.write(regs::TDT.get(0), (round * 20 + 20) % RING);
        bench.step();
        sent += bench.sent().iter().filter(|out| **out == frame).count();
    }
    assert_eq!(sent, 100);
}

#[test]
fn a_busy_peer_gets_the_frame_later() {
    let mut bench = Bench::started();
    bench.cable.lock().unwrap().busy = true;
    bench.put(0, &plain(MAC, 60), 60, WHOLE);
    bench.write(regs::TDT.get(0), 1);
    bench.step();
    assert_eq!((bench.read(regs::TDH.get(0)), bench.done(0)), (0, false));
    bench.cable.lock().unwrap().busy = false;
    bench.step();
    assert_eq!((bench.sent().len(), bench.done(0)), (1, true));
}

#[test]
fn short_frames_are_padded_if_the_card_may() {
    let mut bench = Bench::started();
    bench.put(0, &plain(MAC, 20), 20, WHOLE);
    bench.write(regs::TDT.get(0), 1);
    bench.step();
    let sent = bench.sent();
    assert_eq!((&sent[0][..20], &sent[0][20..]), (&plain(MAC, 20)[..], &[0; 40][..]));
    bench.write(regs::HLREG0, bench.read(regs::HLREG0).with_tx_pad(false));
    bench.put(1, &plain(MAC, 20), 20, WHOLE);
    bench.write(regs::TDT.get(0), 2);
    bench.step();
    assert!(bench.sent().is_empty());
    assert_eq!(bench.probe.violation_count(Violation::FrameTooShort), 1);
}

/// A context at position 0 and `frame` at 1, with these options.
fn send_with(bench: &mut Bench, context: TxContext, frame: &[u8], command: u32, options: u32) -> Vec<Vec<u8>> {
    bench.tx_ring(0).descriptors().store(0, context.words());
    bench.put(1, frame, frame.len(), WHOLE | command);
    let words = [
        bench.tx_ring(0).descriptors().load_low(1),
        bench.tx_ring(0).descriptors().load_high(1) | u64::from(options) << 32,
    ];
    bench.tx_ring(0).descriptors().store(1, words);
    bench.write(regs::TDT.get(0), 2);
    bench.step();
    bench.sent()
}

#[test]
fn checksums_are_inserted() {
    for (l4_type, right, field) in [(L4Type::Udp, udp(100), 6), (L4Type::Tcp, tcp(101), 16)] {
        let mut bench = Bench::started();
        let context = TxContext { l2_length: 14, l3_length: 20, l4_type, index: 1, ..TxContext::default() };
        let mut frame = right.clone();
        frame[24..26].fill(0);
        // Software leaves the sum of the pseudo header in the field.
        let len = (frame.len() - 34) as u16;
        let pseudo = [&frame[26..34], &[0, frame[23]], &len.to_be_bytes()].concat();
        frame[34 + field..36 + field].copy_from_slice(&(!checksum(&pseudo)).to_be_bytes());
        let options = tx_option::IXSM | tx_option::TXSM | 1 << tx_option::INDEX_SHIFT;
        assert_eq!(send_with(&mut bench, context, &frame, 0, options), [right]);
        assert_eq!(bench.probe.violations(), []);
    }
}

#[test]
fn a_vlan_tag_is_inserted() {
    let mut bench = Bench::started();
    let context = TxContext { vlan_tag: 0x6042, ..TxContext::default() };
    assert_eq!(send_with(&mut bench, context, &udp(20), tx_command::VLE, 0), [tagged(udp(20), 0x6042)]);
}

#[test]
fn offloads_without_their_context_send_nothing() {
    let mut bench = Bench::started();
    let context = TxContext { l2_length: 14, l3_length: 20, ..TxContext::default() };
    assert!(send_with(&mut bench, context, &udp(20), 0, tx_option::TXSM | 1 << tx_option::INDEX_SHIFT).is_empty());
    assert_eq!(bench.probe.violation_count(Violation::Context), 1);
    assert!(bench.done(1), "the driver gets its buffer back");
    let mut bench = Bench::started();
    let context = TxContext { l2_length: 127, l3_length: 511, ..TxContext::default() };
    assert!(send_with(&mut bench, context, &udp(20), 0, tx_option::IXSM | tx_option::TXSM).is_empty());
    assert_eq!(bench.probe.violation_count(Violation::Context), 1);
}

#[test]
fn segmentation_is_refused_aloud() {
    let mut bench = Bench::started();
    bench.put(0, &tcp(1000), 1000, WHOLE | tx_command::TSE);
    bench.write(regs::TDT.get(0), 1);
    bench.step();
    assert!(bench.sent().is_empty());
    assert_eq!(bench.probe.violation_count(Violation::Unsupported), 1);
}

#[test]
fn a_packet_may_not_use_all_of_the_chip() {
    let mut bench = Bench::started();
    let pieces = |bench: &Bench, first: u32, count: u32| {
        for at in 0..count {
            let command = if at == count - 1 { WHOLE } else { 0 };
            bench.put((first + at) % RING, &[at as u8; 20], 20 * count as usize, command);
        }
        bench.write(regs::TDT.get(0), (first + count) % RING);
    };
    pieces(&bench, 0, 40);
    bench.step();
    assert_eq!(bench.sent().len(), 1);
    pieces(&bench, 40, 41);
    bench.step();
    assert!(bench.sent().is_empty());
    assert_eq!(bench.probe.violation_count(Violation::TooManyDescriptors), 1);
    bench.put(17, &plain(MAC, 60), 60, WHOLE);
    bench.write(regs::TDT.get(0), 18);
    bench.step();
    assert_eq!(bench.sent().len(), 1, "it goes on behind");
}

#[test]
fn wrong_descriptors_are_named() {
    let mut bench = Bench::started();
    bench.put(0, &plain(MAC, 60), 61, WHOLE);
    bench.tx_ring(0).descriptors().store(1, [0, u64::from(tx_command::EOP | tx_command::RS)]);
    let buffer = bench.memory.iova().0;
    let command = tx_command::DTYP_DATA | tx_command::DEXT | tx_command::EOP;
    bench.tx_ring(0).descriptors().store(2, TxData { buffer, length: 60, command, payload_length: 60 }.words());
    bench.tx_ring(0).descriptors().store(3, TxData { buffer, length: 16_000, command, payload_length: 16_000 }.words());
    bench.write(regs::TDT.get(0), 4);
    bench.step();
    for violation in [Violation::PayloadLength, Violation::DescriptorType, Violation::NoFcs, Violation::FrameTooLong] {
        assert_eq!(bench.probe.violation_count(violation), 1, "{violation:?}");
    }
    assert_eq!(bench.read(regs::TDH.get(0)), 4);
}

#[test]
fn the_head_is_written_back_if_asked() {
    let mut bench = Bench::started();
    let at = bench.memory.iova().0 + (3 << 20);
    bench.write(regs::TDWBAL.get(0), at as u32 | 1);
    bench.write(regs::TDWBAH.get(0), (at >> 32) as u32);
    for position in 0..3 {
        bench.put(position, &plain(MAC, 60), 60, WHOLE);
    }
    bench.write(regs::TDT.get(0), 3);
    bench.step();
    assert_eq!(bench.bytes(at, 4), [3, 0, 0, 0]);
    assert!(!bench.done(2));
}

#[test]
fn statistics_count_with_the_fcs() {
    let mut bench = Bench::started();
    bench.write(regs::TQSM.get(0), 2);
    for (position, frame) in (0..).zip([plain(MAC, 60), plain(MULTICAST, 200), plain(BROADCAST, 1514)]) {
        bench.put(position, &frame, frame.len(), WHOLE);
    }
    bench.write(regs::TDT.get(0), 3);
    bench.step();
    assert_eq!([regs::GPTC, regs::TPT, regs::MPTC, regs::BPTC].map(|register| bench.read(register)), [3, 3, 1, 1]);
    assert_eq!([0, 2, 5].map(|class| bench.read(regs::PTC.get(class))), [1, 1, 1]);
    assert_eq!((bench.read(regs::GOTCL), bench.read(regs::GOTCH)), (64 + 204 + 1518, 0));
    assert_eq!((bench.read(regs::QPTC.get(2)), bench.read(regs::QBTC_L.get(2))), (3, 64 + 204 + 1518));
}
