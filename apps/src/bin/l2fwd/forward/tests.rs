//! What becomes of packets that have nowhere to go. (The rest is tested from end to end, in `tests/l2fwd`.)

use gannet::{Control, Pool, PoolOptions, Port, PortConfig, Queues};
use gannet_sim::Clock;
use gannet_sim::peer::{Accepted, Offered, Pacing, Peer};
use gannet_sim::x82599::{self, NicOptions};

use super::*;

/// A cable that is not plugged in.
struct Unplugged;

impl Peer for Unplugged {
    fn accept(&mut self, _: &[u8], _: u64) -> Accepted {
        Accepted::Taken
    }

    fn offer(&mut self, _: &mut Vec<u8>, _: u64) -> Offered {
        Offered::Nothing
    }

    fn pacing(&self) -> Pacing {
        Pacing::OnDemand
    }

    fn carrier(&mut self, _: u64) -> bool {
        false
    }
}

const RING: u32 = 64;
/// Packets that it takes: one descriptor stays free.
const FULL: u32 = RING - 1;

/// A port without a link whose transmit ring is full, and the way to it with so many packets waiting.
fn full(pool: &Pool, waiting: usize) -> (Control, Direction) {
    let options = NicOptions { clock: Clock::stepped(), ..NicOptions::default() };
    let (device, _) = x82599::new(options, Box::new(Unplugged));
    let (control, Queues { mut tx, .. }) =
        Port::probe(device).unwrap().configure(PortConfig::new(pool, RING)).unwrap().start().unwrap();
    let mut way = Direction { from: 0, to: 1, rx: None, tx: tx.pop(), burst: Burst::new(256) };
    assert!(pool.alloc_bulk(&mut way.burst, FULL as usize + waiting));
    for packet in way.burst.iter_mut() {
        packet.append(60).unwrap();
    }
    assert_eq!(way.turn(false, None, &mut Measured::default()), FULL as usize);
    assert_eq!(way.burst.len(), waiting);
    (control, way)
}

fn pool() -> Pool {
    Pool::new(&PoolOptions { buffers: 512, ..PoolOptions::default() }).unwrap()
}

/// Stops the port, and checks that all buffers are home.
fn end(control: Control, way: Direction, pool: &Pool) {
    drop(way);
    control.stop(Queues { rx: Vec::new(), tx: Vec::new() }).unwrap();
    assert_eq!(pool.census().out, 0);
}

#[test]
fn packets_that_wait_for_room_when_the_program_ends_are_dropped_as_late() {
    let pool = pool();
    let (control, mut way) = full(&pool, 20);
    way.drain();
    assert_eq!(drops::LATE.value(), 20);
    assert!(way.burst.is_empty());
    end(control, way, &pool);
}

#[test]
fn packets_whose_port_is_given_up_are_dropped_as_abandoned() {
    let pool = pool();
    let (control, mut way) = full(&pool, 7);
    way.give_up(1 << 1);
    assert_eq!(way.turn(false, None, &mut Measured::default()), 0);
    assert_eq!(drops::ABANDONED.value(), 7);
    // What has come since the last round.
    assert!(pool.alloc_bulk(&mut way.burst, 3));
    way.drain();
    assert_eq!(drops::ABANDONED.value(), 10);
    end(control, way, &pool);
}
