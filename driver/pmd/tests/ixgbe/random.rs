//! Everything in any order: what goes in comes out, in order, and every buffer is always somewhere.

use std::collections::VecDeque;

use gannet::{Burst, Packet, PortConfig};
use proptest::prelude::*;

use super::frames::{numbered, padded};
use super::harness::{Rig, assert_home, pool};

#[derive(Debug, Clone)]
enum Move {
    /// The peer has these frames.
    Offer(Vec<usize>),
    /// The card moves so many.
    Step(usize),
    /// Receives into a burst with so much room, to keep.
    Receive(usize),
    /// Sends the oldest so many of what is kept.
    Send(usize),
    /// Drops the oldest so many.
    Drop(usize),
    /// The program takes so many buffers of its own, or gives them back.
    Hold(usize),
    Release,
    Reclaim,
    Busy(bool),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => prop::collection::vec(60usize..=1514, 1..40).prop_map(Move::Offer),
        6 => (1usize..80).prop_map(Move::Step),
        6 => (1usize..80).prop_map(Move::Receive),
        5 => (0usize..80).prop_map(Move::Send),
        1 => (1usize..40).prop_map(Move::Drop),
        1 => (1usize..100).prop_map(Move::Hold),
        1 => Just(Move::Release),
        2 => Just(Move::Reclaim),
        1 => any::<bool>().prop_map(Move::Busy),
    ];
    prop::collection::vec(one, 1..120)
}

/// What must come out, kept beside what does.
#[derive(Default)]
struct Expected {
    next: u32,
    /// Offered, not yet received.
    arriving: VecDeque<Vec<u8>>,
    /// Received, not yet sent or dropped.
    kept: VecDeque<Vec<u8>>,
    /// Sent, not yet seen at the other end.
    leaving: VecDeque<Vec<u8>>,
}

struct World {
    rig: Rig,
    port: super::harness::Running,
    pool: gannet::Pool,
    kept: VecDeque<Packet>,
    held: Vec<Packet>,
    expected: Expected,
}

impl World {
    fn new(ring: u32) -> World {
        let rig = Rig::new();
        let pool = pool(2 * ring + 64);
        let port = rig.start(PortConfig::new(&pool, ring));
        World { rig, port, pool, kept: VecDeque::new(), held: Vec::new(), expected: Expected::default() }
    }

    fn make(&mut self, step: Move) {
        match step {
            Move::Offer(lengths) => {
                for len in lengths {
                    let frame = numbered(self.expected.next, len);
                    self.expected.next += 1;
                    self.expected.arriving.push_back(frame.clone());
                    self.rig.offer([frame]);
                }
            }
            Move::Step(budget) => {
                self.rig.nic.step(budget);
            }
            Move::Receive(room) => self.receive(room),
            Move::Send(count) => self.send(count),
            Move::Drop(count) => {
                let count = count.min(self.kept.len());
                self.kept.drain(..count);
                self.expected.kept.drain(..count);
            }
            Move::Hold(count) => {
                let buffers = std::iter::from_fn(|| self.pool.alloc());
                self.held.extend(buffers.take(count));
            }
            Move::Release => self.held.clear(),
            Move::Reclaim => {
                self.port.queues.tx[0].reclaim();
            }
            Move::Busy(busy) => self.rig.cable.lock().unwrap().busy = busy,
        }
        self.check();
    }

    fn receive(&mut self, room: usize) {
        let mut burst = Burst::new(room);
        let before = self.port.queues.rx[0].stats().no_buffer_drops;
        let count = self.port.queues.rx[0].receive(&mut burst);
        assert_eq!(count, burst.len());
        let dropped = self.port.queues.rx[0].stats().no_buffer_drops - before;
        assert!(dropped == 0 || count == 0, "a call hands on or drops");
        self.expected.arriving.drain(..dropped as usize);
        while let Some(packet) = burst.pop_front() {
            let expected = self.expected.arriving.pop_front().expect("no more than was offered");
            assert_eq!(packet.data(), expected);
            self.expected.kept.push_back(expected);
            self.kept.push_back(packet);
        }
    }

    fn send(&mut self, count: usize) {
        let mut burst = Burst::new(80);
        let count = count.min(self.kept.len());
        self.kept.drain(..count).for_each(|packet| burst.push(packet).unwrap());
        let sent = self.port.queues.tx[0].send(&mut burst);
        assert_eq!(sent + burst.len(), count);
        self.expected.leaving.extend(self.expected.kept.drain(..sent));
        let mut rest: VecDeque<_> = std::iter::from_fn(|| burst.pop_front()).collect();
        rest.append(&mut self.kept);
        self.kept = rest;
    }

    fn check(&mut self) {
        for frame in self.rig.sent() {
            assert_eq!(frame, padded(self.expected.leaving.pop_front().expect("no more than was sent")));
        }
        self.port.assert_census(&self.pool, self.kept.len() + self.held.len());
    }

    /// Lets everything come to rest: what is on its way arrives.
    fn finish(mut self) {
        self.make(Move::Busy(false));
        self.make(Move::Release);
        let mut rounds = 0;
        while !(self.expected.arriving.is_empty() && self.kept.is_empty() && self.expected.leaving.is_empty()) {
            self.make(Move::Step(64));
            self.make(Move::Receive(32));
            self.make(Move::Send(64));
            rounds += 1;
            assert!(rounds < 1000, "{} frames do not arrive", self.expected.arriving.len());
        }
        self.make(Move::Reclaim);
        assert_eq!(self.port.queues.tx[0].stats().in_ring, 0);
        self.port.stop();
        assert_home(&self.pool);
        self.rig.assert_clean();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn frames_in_are_frames_out_in_any_order_of_events(ring in prop::sample::select(vec![64, 128, 256]), moves in moves()) {
        let mut world = World::new(ring);
        moves.into_iter().for_each(|step| world.make(step));
        world.finish();
    }
}
