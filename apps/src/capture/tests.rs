//! What a recorder puts into its ring. apps/tests/dumpcap has the whole way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gannet::{Direction, MAX_SHOWN, Packet, Pool, PoolOptions, Tap};
use rtrb::{Consumer, RingBuffer};

use super::frame::{Frame, HEAD, Place};
use super::recorder::Recorder;
use super::stamps::Stamps;

const PLACE: Place = Place { port: 1, direction: Direction::Tx, queue: 2 };

/// A recorder with a ring of so many bytes, its losses, and the ring's other end.
fn recorder(ring: usize, snaplen: usize) -> (Recorder, Arc<AtomicU64>, Consumer<u8>) {
    let (producer, consumer) = RingBuffer::new(ring);
    let lost = Arc::<AtomicU64>::default();
    (Recorder::new(PLACE, snaplen, Stamps::begin(), producer, lost.clone()), lost, consumer)
}

fn packets(pool: &Pool, lengths: &[usize]) -> Vec<Packet> {
    let packet = |(number, &length)| {
        let mut packet = pool.alloc().unwrap();
        packet.append(length).unwrap().fill(number);
        packet
    };
    (0..).zip(lengths).map(packet).collect()
}

fn pool() -> Pool {
    Pool::new(&PoolOptions { buffers: 128, ..PoolOptions::default() }).unwrap()
}

/// What is in the ring: the length on the wire and the bytes of each packet, whose head must be right.
fn recorded(ring: &mut Consumer<u8>) -> Vec<(u32, Vec<u8>)> {
    let mut packets = Vec::new();
    let bytes: Vec<u8> = ring.read_chunk(ring.slots()).unwrap().into_iter().collect();
    let mut rest = &bytes[..];
    while let Some((head, behind)) = rest.split_first_chunk::<HEAD>() {
        let Some(Frame::Packet { place: PLACE, captured, length, time }) = Frame::parse(head) else {
            panic!("no packet: {head:?}");
        };
        assert!(time > 1_500_000_000_000_000_000, "nanoseconds since 1970");
        packets.push((length, behind[..captured as usize].to_vec()));
        rest = &behind[captured as usize..];
    }
    assert!(rest.is_empty());
    packets
}

#[test]
fn only_what_is_committed_is_recorded_and_as_much_of_it_as_is_asked_for() {
    let pool = pool();
    let (mut recorder, lost, mut ring) = recorder(10_000, 70);
    recorder.look(&packets(&pool, &[60, 70, 71, 100]));
    assert_eq!(ring.slots(), 0, "not before it is committed");
    recorder.commit(3);
    assert_eq!(recorded(&mut ring), [(60, vec![0; 60]), (70, vec![1; 70]), (71, vec![2; 70])]);
    recorder.look(&packets(&pool, &[80]));
    recorder.commit(0);
    assert_eq!((recorded(&mut ring), lost.load(Ordering::Relaxed)), (vec![], 0));
}

#[test]
fn segments_are_one_packet() {
    let pool = pool();
    let (mut recorder, _, mut ring) = recorder(10_000, 100);
    let mut segments = packets(&pool, &[50, 40, 60]);
    let (last, middle) = (segments.pop().unwrap(), segments.pop().unwrap());
    segments[0].append_segment(middle).unwrap();
    segments[0].append_segment(last).unwrap();
    recorder.look(&segments);
    recorder.commit(1);
    assert_eq!(recorded(&mut ring), [(150, [vec![0; 50], vec![1; 40], vec![2; 10]].concat())]);
}

#[test]
fn what_finds_no_room_is_lost_whole_and_counted() {
    let pool = pool();
    let room = 2 * (HEAD + 60) + 30;
    let (mut recorder, lost, mut ring) = recorder(room, 2000);
    recorder.look(&packets(&pool, &[60; MAX_SHOWN]));
    recorder.commit(MAX_SHOWN);
    recorder.look(&packets(&pool, &[6]));
    recorder.commit(1);
    assert_eq!(recorded(&mut ring), [(60, vec![0; 60]), (60, vec![1; 60]), (6, vec![0; 6])]);
    assert_eq!(lost.load(Ordering::Relaxed), MAX_SHOWN as u64 - 2);
}

#[test]
fn nothing_is_allocated_while_it_records() {
    let pool = pool();
    let (mut recorder, _, _ring) = recorder(10, 2000);
    let capacity = recorder.capacity();
    recorder.look(&packets(&pool, &[2000; MAX_SHOWN]));
    recorder.commit(MAX_SHOWN);
    assert_eq!(recorder.capacity(), capacity);
    let (recorder, ..) = self::recorder(10, super::MAX_SNAPLEN as usize);
    assert!(recorder.capacity().1 <= MAX_SHOWN * (HEAD + (16 << 10)), "no more than there can be");
}
