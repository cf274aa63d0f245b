//! Frames in several segments, and frames of memory that is not the pool's.

use gannet::{Burst, Completion, Control, External, Packet, Pool, Port, PortConfig, Queues};
use gannet_bus::{Device, Registers};
use gannet_mempool::{Account, registry};
use gannet_spec::x82599::regs::{TDBAH, TDBAL};

use super::frames::{numbered, padded};
use super::harness::{LINK_DELAY, Rig, assert_home, assert_usable, burst_of, packet, pool};
use super::meddler::Meddled;
use crate::memory::{Memory, file, pieces, scattered};

/// A packet that has `frame` in segments of these lengths, and one of what is left.
fn chain(pool: &Pool, frame: &[u8], lengths: &[usize]) -> Packet {
    let mut rest = frame;
    let mut segments: Vec<_> = lengths.iter().map(|&len| packet(pool, rest.split_off(..len).unwrap())).collect();
    segments.push(packet(pool, rest));
    let mut segments = segments.into_iter();
    let mut chain = segments.next().unwrap();
    segments.for_each(|segment| chain.append_segment(segment).unwrap());
    chain
}

fn one(packet: Packet) -> Burst {
    let mut burst = Burst::new(1);
    burst.push(packet).unwrap();
    burst
}

fn bytes(packet: &Packet) -> Vec<u8> {
    packet.segments().flatten().copied().collect()
}

/// A port on a card whose memory can be looked at, and where its transmit ring is.
fn watched(rig: &Rig, pool: &Pool) -> (std::sync::Arc<Memory>, u64, Control, Queues) {
    let (device, memory) = Meddled::watched(&rig.device);
    let port = Port::probe(device).unwrap().configure(PortConfig::new(pool, 64)).unwrap();
    let (control, queues) = port.start().unwrap();
    control.wait_for_link(2 * LINK_DELAY);
    let bar = rig.device.bar(0).unwrap();
    let base = u64::from(bar.read(TDBAL.get(0).offset())) | u64::from(bar.read(TDBAH.get(0).offset())) << 32;
    (memory, base, control, queues)
}

/// Packets dropped for this reason, by all tests of the process.
fn listed(why: &str) -> u64 {
    let rows = registry::drops();
    rows.iter().filter(|row| (row.place, row.why) == ("tx", why)).map(|row| row.packets).sum()
}

#[test]
fn a_header_before_a_files_bytes_is_sent_as_one_frame_from_where_they_lie() {
    let mut rig = Rig::new();
    let pool = pool(256);
    let (memory, base, control, mut queues) = watched(&rig, &pool);
    let lent = file();
    control.map(&lent).unwrap();
    control.map(&lent).unwrap();
    let mut packet = scattered(&pool, &lent, &numbered(7, 42));
    let (frame, pieces) = (bytes(&packet), pieces(&memory, &packet));
    assert_eq!(pieces[1].0, memory.iova_of(&lent.bytes()[100..400]), "the file's bytes themselves");
    let (completion, token) = Completion::new();
    packet.complete_with(token).unwrap();
    assert_eq!(queues.tx[0].send(&mut one(packet)), 1);
    // Data, extended, FCS; the frame's length in bits 63:46; end of packet and report on the last only. A segment of nothing has none.
    let payload = 342 << 46;
    let expected = [[pieces[0].0, payload | 0x2230_0000 | 42], [pieces[1].0, payload | 0x2B30_0000 | 300]];
    assert_eq!(memory.descriptors(base, 2), expected);
    let stats = queues.tx[0].stats();
    assert_eq!((stats.packets, stats.bytes, stats.in_ring), (1, 342, 2));

    assert!(!completion.is_done(), "the card has not even looked at it");
    assert!(control.unmap(&lent).is_err(), "nor may it find nothing there");
    rig.settle();
    assert!(!completion.is_done(), "sent, but nobody has looked");
    assert_eq!(queues.tx[0].reclaim(), 2);
    assert!(completion.is_done() && completion.copied() == 0);
    assert_eq!(rig.sent(), [frame]);
    control.unmap(&lent).unwrap();
    control.unmap(&lent).unwrap();
    control.stop(queues).unwrap();
    assert_home(&pool);
    rig.assert_clean();
}

#[test]
fn frames_in_up_to_thirty_two_segments_go_out_and_more_are_refused_and_counted() {
    let mut rig = Rig::new();
    let pool = pool(1024);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let before = listed("segments");
    let mut expected = Vec::new();
    // All around the ring, whose length none of these divides.
    for count in (1..=32).chain([32, 31, 32, 3]) {
        let frame = numbered(count, 20 * count as usize + 50);
        let mut lengths = vec![20; count as usize - 1];
        // Empty ones do not count.
        lengths.insert(lengths.len() / 2, 0);
        rig.send_all(&mut port.queues.tx[0], &mut one(chain(&pool, &frame, &lengths)));
        expected.push(padded(frame));
    }
    assert_eq!(rig.sent(), expected);
    let mut burst = Burst::new(3);
    for count in [1, 33, 2] {
        burst.push(chain(&pool, &numbered(count, 1000), &vec![10; count as usize - 1])).unwrap();
    }
    assert_eq!((port.queues.tx[0].send(&mut burst), burst.len()), (2, 0));
    assert_eq!(port.queues.tx[0].stats().invalid, 1);
    assert!(listed("segments") > before);
    rig.settle();
    assert_eq!(rig.sent(), [numbered(1, 1000), numbered(2, 1000)]);
    port.stop();
    assert_usable(&pool);
    rig.assert_clean();
}

#[test]
fn a_frame_whose_segments_do_not_fit_now_waits_and_keeps_its_place() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let plain: Vec<_> = (0..40).map(|number| numbered(number, 60)).collect();
    let mut burst = burst_of(&pool, &plain);
    burst.push(chain(&pool, &numbered(40, 600), &[20; 29])).unwrap();
    burst.push(packet(&pool, &numbered(41, 60))).unwrap();
    let tx = &mut port.queues.tx[0];
    assert_eq!((tx.send(&mut burst), burst.len(), tx.stats().full), (40, 2, 1));
    assert_eq!((tx.send(&mut burst), tx.stats().invalid), (0, 0));
    rig.settle();
    assert_eq!((tx.send(&mut burst), burst.len()), (2, 0));
    rig.settle();
    let expected: Vec<_> = plain.into_iter().chain([numbered(40, 600), numbered(41, 60)]).collect();
    assert_eq!(rig.sent(), expected);
    port.stop();
    assert_home(&pool);
    rig.assert_clean();
}

#[test]
fn the_length_of_a_frame_in_segments_is_that_of_all_of_it() {
    let mut rig = Rig::new();
    let pool = pool(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let mut burst = Burst::new(4);
    // Each segment is too short for a frame, together they are not; and the other way round.
    for (len, lengths) in [(17, [8]), (1518, [759]), (16, [8]), (1519, [759])] {
        burst.push(chain(&pool, &numbered(9, len), &lengths)).unwrap();
    }
    assert_eq!((port.queues.tx[0].send(&mut burst), burst.len()), (2, 0));
    assert_eq!(port.queues.tx[0].stats().invalid, 2);
    rig.settle();
    assert_eq!(rig.sent(), [padded(numbered(9, 17)), numbered(9, 1518)]);
    port.stop();
    assert_home(&pool);
    rig.assert_clean();
}

#[test]
fn memory_that_a_software_card_cannot_reach_is_copied_and_the_completion_says_so() {
    let mut rig = Rig::new();
    let (pool, bounce) = (pool(256), pool(2));
    let config = PortConfig { bounce: Some(bounce.clone()), ..PortConfig::new(&pool, 64) };
    let mut port = rig.start(config);
    let (sender, receiver) = std::sync::mpsc::channel();
    let lent = External::new(numbered(3, 1000), move |owner| sender.send(owner).unwrap());
    assert!(port.control.map(&lent).is_err(), "it has no file");
    let (completion, token) = Completion::new();
    let mut burst = Burst::new(3);
    for token in [token.clone(), token.clone(), token] {
        let mut packet = packet(&pool, &numbered(1, 42));
        packet.append_segment(Packet::from_external(&pool, &lent, 18, 500).unwrap()).unwrap();
        packet.complete_with(token).unwrap();
        burst.push(packet).unwrap();
    }
    let before = listed("unreachable");
    assert_eq!(port.queues.tx[0].send(&mut burst), 2);
    // The bounce pool has two buffers only: the third one is lost, and its token with it.
    assert_eq!((port.queues.tx[0].stats().unmapped, burst.len(), bounce.census().out), (1, 0, 2));
    assert!(listed("unreachable") > before);
    assert_eq!((completion.pending(), completion.copied()), (2, 2));
    // The copies are on their way: the memory itself is free.
    drop(lent);
    assert_eq!(receiver.try_recv().unwrap(), numbered(3, 1000));
    rig.settle();
    port.queues.tx[0].reclaim();
    assert!(completion.is_done());
    let frame = [numbered(1, 42), numbered(3, 1000)[18..518].to_vec()].concat();
    assert_eq!(rig.sent(), [frame.clone(), frame]);
    port.stop();
    assert_home(&pool);
    assert_home(&bounce);
    rig.assert_clean();
}

#[test]
fn without_a_bounce_pool_such_memory_is_not_sent_and_that_is_counted() {
    let mut rig = Rig::new();
    let pool = pool(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let lent = External::new(vec![9; 100], drop);
    let mut burst = Burst::new(2);
    burst.push(Packet::from_external(&pool, &lent, 0, 100).unwrap()).unwrap();
    burst.push(packet(&pool, &numbered(1, 60))).unwrap();
    assert_eq!((port.queues.tx[0].send(&mut burst), port.queues.tx[0].stats().unmapped), (1, 1));
    rig.settle();
    assert_eq!(rig.sent(), [numbered(1, 60)]);
    port.stop();
    assert_home(&pool);
    rig.assert_clean();
}

#[test]
fn a_charge_lasts_until_the_card_is_done() {
    let mut rig = Rig::new();
    let pool = pool(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let account = Account::new("sender", 10).unwrap();
    let mut burst = burst_of(&pool, &vec![numbered(1, 60); 10]);
    burst.iter_mut().for_each(|packet| packet.charge(&account).unwrap());
    assert_eq!(port.queues.tx[0].send(&mut burst), 10);
    assert_eq!(account.usage().held, 10);
    rig.settle();
    let mut more = packet(&pool, &numbered(2, 60));
    assert!(more.charge(&account).is_err(), "a card that is slow slows its sender down");
    port.queues.tx[0].reclaim();
    assert_eq!(account.usage().held, 0);
    more.charge(&account).unwrap();
    drop(more);
    assert_eq!(rig.sent().len(), 10);
    port.stop();
    assert_home(&pool);
    rig.assert_clean();
}
