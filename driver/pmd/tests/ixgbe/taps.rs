//! Taps on queues: what they are shown, and how they come and go.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use gannet::{Burst, Direction, Error, MAX_SHOWN, Packet, PortConfig, Tap, TapPoint};
use gannet_harness::PATIENCE;

use super::frames::{numbered, padded};
use super::harness::{Rig, Running, assert_home, burst_of, bytes, packet, pool};

/// Keeps what it has been shown.
#[derive(Default)]
struct Witness {
    shown: Vec<Vec<u8>>,
    looks: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
    gone: Arc<AtomicBool>,
}

impl Tap for Witness {
    fn look(&mut self, packets: &[Packet]) {
        assert!(packets.len() <= MAX_SHOWN);
        self.looks.fetch_add(packets.len(), Ordering::Relaxed);
        self.shown = packets.iter().map(|packet| packet.segments().collect::<Vec<_>>().concat()).collect();
    }

    fn commit(&mut self, count: usize) {
        self.seen.lock().unwrap().extend(self.shown.drain(..count));
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

impl Witness {
    /// What it sees, and whether it has been dropped.
    fn testimony(&self) -> Testimony {
        Testimony { looks: self.looks.clone(), seen: self.seen.clone(), gone: self.gone.clone() }
    }
}

struct Testimony {
    /// Packets shown, whether or not they have been handed over.
    looks: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
    gone: Arc<AtomicBool>,
}

impl Testimony {
    fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}

fn point(port: &Running, direction: Direction) -> TapPoint {
    port.control.taps().iter().find(|point| point.direction() == direction).unwrap().clone()
}

/// A witness at a tap point.
fn attach(point: &TapPoint) -> (gannet::Attachment, Testimony) {
    let witness = Witness::default();
    let testimony = witness.testimony();
    (point.attach(Box::new(witness)).unwrap(), testimony)
}

fn frames(numbers: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    numbers.map(|number| numbered(number, 60 + number as usize)).collect()
}

#[test]
fn each_queue_has_a_place_that_says_where_it_is() {
    let rig = Rig::new();
    let pool = pool(2048);
    let mut config = PortConfig::new(&pool, 64);
    config.rx = vec![config.rx[0].clone(); 2];
    config.tx = vec![config.tx[0].clone(); 3];
    let port = rig.start(config);
    let places: Vec<_> = port.control.taps().iter().map(|point| (point.direction(), point.queue())).collect();
    let (rx, tx) = (Direction::Rx, Direction::Tx);
    assert_eq!(places, [(rx, 0), (rx, 1), (tx, 0), (tx, 1), (tx, 2)]);
    assert!(port.control.taps().iter().all(|point| point.port() == port.control.info()));
    port.stop();
}

#[test]
fn received_packets_are_shown_while_a_tap_is_attached_and_not_before_or_after() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 256));
    let point = point(&port, Direction::Rx);
    rig.offer(frames(0..10));
    assert_eq!(rig.receive_all(&mut port.queues.rx[0]).len(), 10);
    let (attachment, testimony) = attach(&point);
    rig.offer(frames(10..110));
    assert_eq!(bytes(&rig.receive_all(&mut port.queues.rx[0])), frames(10..110));
    assert_eq!(testimony.take(), frames(10..110));
    drop(attachment);
    rig.offer(frames(110..120));
    assert_eq!(rig.receive_all(&mut port.queues.rx[0]).len(), 10);
    assert!(testimony.is_gone() && testimony.take().is_empty());
    port.stop();
    assert_home(&pool);
    rig.assert_clean();
}

#[test]
fn a_large_burst_is_shown_whole_and_what_was_in_it_before_is_not() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 256));
    let (_attachment, testimony) = attach(&point(&port, Direction::Rx));
    rig.offer(frames(0..150));
    rig.settle();
    let mut burst = burst_of(&pool, &frames(500..503));
    assert_eq!(port.queues.rx[0].receive(&mut burst), 150);
    assert_eq!(testimony.take(), frames(0..150));
    drop(burst);
    port.stop();
    assert_home(&pool);
}

#[test]
fn packets_are_shown_once_when_the_card_gets_them() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let (_attachment, testimony) = attach(&point(&port, Direction::Tx));
    // More than the ring takes: the rest waits in the burst, and is shown when it goes.
    let mut burst = burst_of(&pool, &frames(0..100));
    let tx = &mut port.queues.tx[0];
    let first = tx.send(&mut burst);
    assert!((1..100).contains(&first));
    assert_eq!(testimony.take(), frames(0..first as u32));
    assert_eq!(tx.send(&mut burst), 0);
    assert_eq!(testimony.take(), frames(0..0));
    assert_eq!(testimony.looks.load(Ordering::Relaxed), first, "what finds no room is not shown");
    rig.settle();
    assert_eq!(tx.send(&mut burst), 100 - first);
    assert_eq!(testimony.take(), frames(first as u32..100));
    rig.settle();
    assert_eq!(rig.sent(), frames(0..100));
    port.stop();
    assert_home(&pool);
    rig.assert_clean();
}

#[test]
fn packets_that_the_card_cannot_send_are_not_captured_and_segments_are_whole() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let (_attachment, testimony) = attach(&point(&port, Direction::Tx));
    let mut chain = packet(&pool, &numbered(2, 300)[..100]);
    chain.append_segment(packet(&pool, &numbered(2, 300)[100..])).unwrap();
    let mut burst = Burst::new(4);
    for packet in [packet(&pool, &numbered(1, 60)), packet(&pool, &[7; 9]), chain, packet(&pool, &numbered(3, 60))] {
        burst.push(packet).unwrap();
    }
    assert_eq!((port.queues.tx[0].send(&mut burst), burst.len()), (3, 0));
    let expected = [numbered(1, 60), numbered(2, 300), numbered(3, 60)];
    assert_eq!(testimony.take(), expected);
    rig.settle();
    assert_eq!(rig.sent(), expected.map(padded));
    port.stop();
    assert_home(&pool);
}

#[test]
fn one_at_a_time() {
    let rig = Rig::new();
    let pool = pool(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let point = point(&port, Direction::Rx);
    let (attachment, _) = attach(&point);
    let refused = Witness::default();
    let testimony = refused.testimony();
    let why = point.attach(Box::new(refused)).expect_err("there is one already");
    assert!(matches!(why, Error::Tapped { queue: 0, .. }) && why.to_string().contains("rx queue 0"), "{why}");
    assert!(testimony.is_gone(), "the one refused is dropped");
    port.queues.rx[0].receive(&mut Burst::new(32));
    assert!(point.attach(Box::new(Witness::default())).is_err(), "nor when the queue has taken it");
    drop(attachment);
    attach(&point);
    port.stop();
}

#[test]
fn another_follows_at_once() {
    let mut rig = Rig::new();
    let pool = pool(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let point = point(&port, Direction::Rx);
    let (first, of_first) = attach(&point);
    rig.offer(frames(0..3));
    rig.receive_all(&mut port.queues.rx[0]);
    drop(first);
    // The queue still has the first one, and has not seen this one when it goes.
    drop(attach(&point));
    let (_third, of_third) = attach(&point);
    rig.offer(frames(3..6));
    rig.receive_all(&mut port.queues.rx[0]);
    assert_eq!((of_first.take(), of_third.take()), (frames(0..3), frames(3..6)));
    assert!(of_first.is_gone() && !of_third.is_gone());
    port.stop();
    assert!(of_third.is_gone());
}

#[test]
fn a_queue_that_is_never_polled_takes_nothing_and_lets_go_of_all() {
    let rig = Rig::new();
    let pool = pool(256);
    let port = rig.start(PortConfig::new(&pool, 64));
    let point = point(&port, Direction::Tx);
    for _ in 0..3 {
        let (attachment, testimony) = attach(&point);
        drop(attachment);
        assert!(testimony.is_gone());
    }
    let (attachment, testimony) = attach(&point);
    assert!(!point.is_closed());
    port.stop();
    assert!(point.is_closed());
    assert!(testimony.is_gone(), "with the queue");
    drop(attachment);
    let why = point.attach(Box::new(Witness::default())).expect_err("the queue is gone");
    assert!(matches!(why, Error::QueueClosed { .. }), "{why}");
}

#[test]
fn a_queue_drops_its_tap_with_itself() {
    let mut rig = Rig::new();
    let pool = pool(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let (attachment, testimony) = attach(&point(&port, Direction::Rx));
    rig.offer(frames(0..3));
    rig.receive_all(&mut port.queues.rx[0]);
    assert!(!testimony.is_gone());
    port.queues.rx.clear();
    assert!(testimony.is_gone());
    drop(attachment);
    port.stop();
}

/// Taps come and go while another core polls: each is dropped, and sees every packet between its first and its last.
#[test]
fn taps_come_and_go_while_a_core_polls() {
    const ROUNDS: usize = 200;
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let point = point(&port, Direction::Rx);
    let enough = AtomicBool::new(false);
    let deadline = Instant::now() + PATIENCE;
    thread::scope(|scope| {
        let polls = scope.spawn(|| {
            let mut number = 0;
            while !enough.load(Ordering::Relaxed) && Instant::now() < deadline {
                rig.offer([numbered(number, 60)]);
                rig.settle();
                let mut burst = Burst::new(32);
                port.queues.rx[0].receive(&mut burst);
                number += 1;
            }
        });
        for round in 0..ROUNDS {
            let (attachment, testimony) = attach(&point);
            // Every other one goes before it is known to have been taken.
            while round % 2 == 0 && testimony.seen.lock().unwrap().len() < 3 && Instant::now() < deadline {
                thread::yield_now();
            }
            drop(attachment);
            while !testimony.is_gone() && Instant::now() < deadline {
                thread::yield_now();
            }
            assert!(testimony.is_gone(), "round {round}");
            let seen = testimony.take();
            assert!(round % 2 == 1 || seen.len() >= 3, "round {round}");
            let numbers: Vec<_> =
                seen.iter().map(|frame| u32::from_be_bytes(frame[14..18].try_into().unwrap())).collect();
            assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "round {round}: {numbers:?}");
        }
        enough.store(true, Ordering::Relaxed);
        // By hand: the scope itself does not wait for the thread-local destructors, which empty the pool's cache.
        polls.join().unwrap();
    });
    port.stop();
    assert_home(&pool);
}
