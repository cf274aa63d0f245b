//! No buffers: the port goes on receiving, drops what nobody can take, says so, and recovers by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use gannet::{Burst, Packet, Pool, PoolOptions, PortConfig, RxQueue, RxQueueStats};
use gannet_mempool::{Level, Watermarks, registry};
use gannet_spec::x82599::regs::RDT;

use super::frames::numbered;
use super::harness::{Rig, assert_home, assert_usable, bytes, pool};
use super::meddler::{Access, Meddled};

/// What a ring of 64 keeps: one refill.
const KEPT: u32 = 16;

/// Receives until nothing comes any more and drops the packets. Returns how many there were.
fn consume(rig: &mut Rig, rx: &mut RxQueue) -> u64 {
    let mut burst = Burst::new(32);
    let (mut count, mut idle) = (0, 0);
    while idle < 3 {
        let moved = rig.nic.step(16) + rx.receive(&mut burst);
        count += burst.len() as u64;
        burst.clear();
        idle = if moved > 0 { 0 } else { idle + 1 };
    }
    count
}

/// The number in a frame, which must be as it was sent.
fn number(packet: &Packet, len: usize) -> u32 {
    let number = u32::from_be_bytes([14, 15, 16, 17].map(|at| packet.data()[at]));
    assert_eq!(packet.data(), numbered(number, len));
    number
}

/// Frames that have come out of the card: handed on, or dropped for want of buffers.
fn accounted(stats: RxQueueStats) -> u64 {
    stats.packets + stats.no_buffer_drops
}

fn listed_drops() -> u64 {
    let rows = registry::drops();
    rows.iter().filter(|row| (row.place, row.why) == ("rx", "no_buffer")).map(|row| row.packets).sum()
}

#[test]
fn a_program_that_hoards_all_buffers_keeps_its_port_receiving_and_every_frame_is_accounted_for() {
    let mut rig = Rig::new();
    let pool = pool(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let mut next = 0;
    for round in 1..=5 {
        let (before, listed) = (port.queues.rx[0].stats(), listed_drops());
        rig.offer((next..next + 600).map(|number| numbered(number, 60)));
        let held = rig.receive_all(&mut port.queues.rx[0]);
        next += 600;
        // All that there are, but for what the ring keeps.
        assert_eq!((held.len() as u32, port.in_rings()), (256 - KEPT, KEPT));
        assert!(held.iter().map(|packet| number(packet, 60)).is_sorted());
        let stats = port.queues.rx[0].stats();
        assert_eq!(accounted(stats), u64::from(next), "received + dropped = offered: {stats:?}");
        let dropped = stats.no_buffer_drops - before.no_buffer_drops;
        assert_eq!(dropped, 600 - u64::from(256 - KEPT));
        assert!(stats.no_buffers >= before.no_buffers + round && listed_drops() >= listed + dropped);
        port.assert_census(&pool, held.len());
        drop(held);
        // Without any help, what arrives from now on is handed on: all of it, after the first call has refilled the ring.
        assert_eq!(port.queues.rx[0].receive(&mut Burst::new(32)), 0);
        rig.offer((next..next + 600).map(|number| numbered(number, 60)));
        assert_eq!(consume(&mut rig, &mut port.queues.rx[0]), 600);
        next += 600;
    }
    let stats = port.queues.rx[0].stats();
    assert_eq!((accounted(stats), port.control.stats().rx_missed), (u64::from(next), 0), "the card missed nothing");
    port.stop();
    assert_usable(&pool);
    rig.assert_clean();
}

#[test]
fn a_cable_that_does_not_wait_finds_the_port_receiving_too() {
    let mut rig = Rig::new();
    rig.cable.lock().unwrap().timed = true;
    let pool = pool(128);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    // More than the rings hold and the packet buffer of 512 KiB takes.
    let total = 1500;
    rig.offer((0..total).map(|number| numbered(number, 1000)));
    let held = rig.receive_all(&mut port.queues.rx[0]);
    assert_eq!(held.len() as u32, 128 - KEPT);
    drop(held);
    rig.offer((total..2 * total).map(|number| numbered(number, 1000)));
    consume(&mut rig, &mut port.queues.rx[0]);
    let (stats, card) = (port.queues.rx[0].stats(), port.control.stats());
    assert!(stats.no_buffer_drops > 0, "{stats:?}");
    assert_eq!(accounted(stats) + card.rx_missed + card.rx_no_descriptor, u64::from(2 * total), "{stats:?} {card:?}");
    assert_eq!(card.rx_packets, accounted(stats));
    port.stop();
    assert_home(&pool);
    rig.assert_clean();
}

#[test]
fn an_exhausted_port_still_sends_and_reclaims() {
    let mut rig = Rig::new();
    let pool = pool(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    rig.offer((0..600).map(|number| numbered(number, 60)));
    let held = rig.receive_all(&mut port.queues.rx[0]);
    let mut burst = Burst::new(256);
    let count = held.len();
    held.into_iter().for_each(|packet| burst.push(packet).unwrap());
    rig.send_all(&mut port.queues.tx[0], &mut burst);
    assert_eq!(rig.sent().len(), count);
    rig.offer((0..600).map(|number| numbered(number, 60)));
    let revived = rig.receive_all(&mut port.queues.rx[0]);
    assert_eq!(revived.len(), count);
}

#[test]
fn a_port_without_buffers_and_frames_leaves_the_bell_alone() {
    let mut rig = Rig::new();
    let pool = pool(96);
    let writes = Arc::new(AtomicU32::new(0));
    let count = writes.clone();
    let device = Meddled::new(&rig.device, move |access, _| {
        if matches!(access, Access::Write(offset, _) if offset == RDT.get(0).offset()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        None
    });
    let (control, mut queues) =
        gannet::Port::probe(device).unwrap().configure(PortConfig::new(&pool, 64)).unwrap().start().unwrap();
    control.wait_for_link(std::time::Duration::from_secs(1));
    rig.offer((0..600).map(|number| numbered(number, 60)));
    let held = rig.receive_all(&mut queues.rx[0]);
    let before = writes.load(Ordering::Relaxed);
    for _ in 0..100 {
        assert_eq!(queues.rx[0].receive(&mut Burst::new(32)), 0);
    }
    assert_eq!(writes.load(Ordering::Relaxed), before, "nothing new to tell");
    drop(held);
    control.stop(queues).unwrap();
}

/// A program that takes buffers as long as it gets some.
fn hoard(pool: &Pool) -> Vec<Packet> {
    std::iter::from_fn(|| pool.alloc()).collect()
}

#[test]
fn a_program_that_allocates_all_it_gets_cannot_take_the_reserve_of_the_rings() {
    let mut rig = Rig::new();
    let watermarks = Watermarks { low: 50, pressure: 60, high: 75 };
    let options = PoolOptions { buffers: 256, cache: 64, watermarks, ..PoolOptions::default() };
    let pool = Pool::new(&options).unwrap();
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let held = hoard(&pool);
    assert_eq!((pool.census().out, pool.level()), (192, Level::Pressure));
    let mut burst = Burst::new(16);
    for round in 0..100 {
        rig.offer((round * 16..round * 16 + 16).map(|number| numbered(number, 60)));
        rig.settle();
        assert_eq!(port.queues.rx[0].receive(&mut burst), 16, "round {round}");
        assert_eq!(pool.level(), Level::Critical);
        assert!(hoard(&pool).is_empty(), "what is left is for receive rings");
        port.queues.tx[0].send(&mut burst);
    }
    rig.settle();
    port.queues.tx[0].reclaim();
    let stats = port.queues.rx[0].stats();
    assert_eq!((stats.packets, stats.no_buffers, stats.no_buffer_drops), (1600, 0, 0));
    assert_eq!(rig.sent().len(), 1600);
    drop(held);
    port.stop();
    assert_home(&pool);
    assert_eq!(pool.level(), Level::Calm);
    rig.assert_clean();
}

#[test]
fn without_a_reserve_a_program_that_allocates_costs_frames_and_not_the_port() {
    let mut rig = Rig::new();
    let pool = pool(128);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    for round in 1..=10 {
        let mut held = hoard(&pool);
        let mut burst = Burst::new(8);
        rig.offer((0..200).map(|number| numbered(number, 60)));
        let mut idle = 0;
        while idle < 3 {
            let moved = rig.nic.step(16) + port.queues.rx[0].receive(&mut burst);
            burst.clear();
            // Faster than the ring.
            held.extend(hoard(&pool));
            idle = if moved > 0 { 0 } else { idle + 1 };
        }
        let stats = port.queues.rx[0].stats();
        assert_eq!(accounted(stats), round * 400 - 200, "{stats:?}");
        assert!(stats.no_buffer_drops >= round * 100, "{stats:?}");
        drop(held);
        port.queues.rx[0].receive(&mut burst);
        rig.offer((0..200).map(|number| numbered(number, 60)));
        assert_eq!(consume(&mut rig, &mut port.queues.rx[0]), 200);
    }
    port.stop();
    assert_usable(&pool);
    rig.assert_clean();
}

#[test]
fn the_last_few_buffers_are_used_before_frames_are_dropped() {
    let mut rig = Rig::new();
    let pool = pool(128);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    // Three are left over: fewer than a refill.
    let mut held = hoard(&pool);
    held.truncate(128 - 48 - 3);
    let frames: Vec<_> = (0..500).map(|number| numbered(number, 60)).collect();
    let mut burst = Burst::new(32);
    let mut received = Vec::new();
    for frame in &frames {
        rig.offer([frame.clone()]);
        rig.settle();
        port.queues.rx[0].receive(&mut burst);
        received.extend(bytes(&burst));
        burst.clear();
    }
    assert_eq!(received, frames, "{:?}", port.queues.rx[0].stats());
    drop(held);
    port.stop();
    assert_usable(&pool);
}

#[test]
fn two_ports_that_share_a_pool_both_go_on_receiving_when_one_program_hoards() {
    let (mut one, mut other) = (Rig::new(), Rig::new());
    let pool = pool(256);
    let mut hoarding = one.start(PortConfig::new(&pool, 64));
    let mut honest = other.start(PortConfig::new(&pool, 64));
    let mut offered = 0;
    for _ in 0..5 {
        offered += 600;
        one.offer((0..600).map(|number| numbered(number, 60)));
        let held = one.receive_all(&mut hoarding.queues.rx[0]);
        // Its ring is as full as when it started: that is what it can hand on before it is as poor as the other one.
        let before = honest.queues.rx[0].stats();
        other.offer((0..600).map(|number| numbered(number, 60)));
        let received = consume(&mut other, &mut honest.queues.rx[0]);
        assert_eq!(received, 600, "what it hands on comes home, and it takes that: {before:?}");
        // Both hoard.
        other.offer((0..600).map(|number| numbered(number, 60)));
        let more = other.receive_all(&mut honest.queues.rx[0]);
        assert_eq!((held.len() + more.len()) as u32, 256 - 2 * KEPT);
        drop((held, more));
        for (rig, port) in [(&mut one, &mut hoarding), (&mut other, &mut honest)] {
            port.queues.rx[0].receive(&mut Burst::new(32));
            rig.offer((0..600).map(|number| numbered(number, 60)));
            assert_eq!(consume(rig, &mut port.queues.rx[0]), 600);
        }
        offered += 600;
    }
    assert_eq!(accounted(hoarding.queues.rx[0].stats()), offered);
    assert_eq!(accounted(honest.queues.rx[0].stats()), offered + 600 * 5);
    hoarding.stop();
    honest.stop();
    assert_usable(&pool);
    one.assert_clean();
    other.assert_clean();
}

#[test]
fn long_frames_in_several_buffers_are_dropped_as_such_while_the_pool_is_dry() {
    let mut rig = Rig::new();
    let pool = super::harness::pool_of(128, 1024);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let held = hoard(&pool);
    let mut kept = Vec::new();
    for number in 0..300 {
        rig.offer([numbered(number, if number % 3 == 0 { 1400 } else { 60 })]);
    }
    kept.extend(rig.receive_all(&mut port.queues.rx[0]));
    let stats = port.queues.rx[0].stats();
    assert_eq!((stats.oversize, accounted(stats)), (100, 200), "{stats:?}");
    assert_eq!(stats.packets, kept.len() as u64);
    drop((held, kept));
    port.stop();
    assert_usable(&pool);
    rig.assert_clean();
}
