//! A pool lives until its last handle is gone and all buffers are home.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Weak};
use std::thread;

use common::{assert_all_home, fill, options, pool};
use gannet_mempool::region::Region;
use gannet_mempool::{Burst, Packet, Pool, PoolOptions};

/// Tells whether the pool's memory is still there.
fn memory(pool: &Pool) -> Weak<Region> {
    Arc::downgrade(pool.region())
}

#[test]
fn a_packet_keeps_its_pool() {
    let pool = pool(4, 2);
    let memory = memory(&pool);
    let mut packet = pool.alloc().unwrap();
    fill(&mut packet, b"before");
    drop(pool);
    assert_eq!(packet.data(), b"before");
    fill(&mut packet, &[7; 512]);
    packet.prepend(64).unwrap().fill(7);
    assert_eq!(packet.data(), [7; 576]);
    assert_eq!(packet.tailroom(), 0);
    assert_eq!(memory.strong_count(), 1);
    drop(packet);
    assert_eq!(memory.strong_count(), 0);
}

#[test]
fn a_handle_keeps_its_pool() {
    let pool = pool(4, 2);
    let (memory, other) = (memory(&pool), pool.clone());
    drop(pool);
    drop(other.alloc());
    assert_all_home(&other);
    assert_eq!(memory.strong_count(), 1);
    drop(other);
    assert_eq!(memory.strong_count(), 0);
}

#[test]
fn the_region_outlives_the_pool_for_those_who_hold_it() {
    let pool = pool(4, 2);
    let region = pool.region().clone();
    drop(pool);
    assert_eq!(Arc::strong_count(&region), 1);
}

#[test]
fn the_last_of_many_packets_frees_the_pool_whichever_way_it_goes() {
    type Way = fn(Vec<Packet>);
    let ways: [(&str, Way); 4] = [
        ("one by one", |packets| drop(packets)),
        ("a burst", |packets| {
            let mut burst = Burst::new(256);
            packets.into_iter().for_each(|packet| burst.push(packet).unwrap());
        }),
        ("another thread", |packets| thread::spawn(|| drop(packets)).join().unwrap()),
        ("two threads", |mut packets| {
            let rest = packets.split_off(packets.len() / 2);
            thread::spawn(|| drop(packets)).join().unwrap();
            drop(rest);
        }),
    ];
    for (name, way) in ways {
        for cache in [0, 4, 512] {
            let pool = pool(if cfg!(miri) { 6 } else { 100 }, cache);
            let memory = memory(&pool);
            let packets = common::drain(&pool);
            drop(pool);
            assert_eq!(memory.strong_count(), 1);
            way(packets);
            assert_eq!(memory.strong_count(), 0, "{name}, cache of {cache}");
        }
    }
}

#[test]
fn a_burst_of_several_pools_frees_each() {
    let pools = [pool(4, 2), pool(4, 0), pool(4, 8)];
    let memories: Vec<_> = pools.iter().map(memory).collect();
    let mut burst = Burst::new(12);
    for _ in 0..4 {
        for pool in &pools {
            assert!(pool.alloc_bulk(&mut burst, 1));
        }
    }
    drop(pools);
    assert!(memories.iter().all(|memory| memory.strong_count() == 1));
    burst.clear();
    assert!(memories.iter().all(|memory| memory.strong_count() == 0));
}

/// The races at a pool's end: handle, packets and threads with full caches go at the same moment.
#[test]
fn handle_packets_and_threads_may_end_at_once() {
    let mut memories = Vec::new();
    for round in 0..if cfg!(miri) { 6 } else { 2000 } {
        let pool = pool(16, [0, 4, 32][round % 3]);
        memories.push(memory(&pool));
        let start = Arc::new(Barrier::new(3));
        let threads = [3, 5].map(|count| {
            let mut packets: Vec<_> = (0..count).map(|_| pool.alloc().unwrap()).collect();
            let start = start.clone();
            thread::spawn(move || {
                packets.iter_mut().for_each(|packet| fill(packet, &[1; 8]));
                start.wait();
                drop(packets);
            })
        });
        start.wait();
        drop(pool);
        for thread in threads {
            thread.join().unwrap();
        }
    }
    // Whoever missed it at that moment, the next pool made sees it.
    drop(pool(1, 0));
    assert!(memories.iter().all(|memory| memory.strong_count() == 0));
}

#[test]
fn handles_cloned_and_dropped_by_threads_free_the_pool_once() {
    let pool = pool(64, 8);
    let memory = memory(&pool);
    let threads = [(); 4].map(|()| {
        let pool = pool.clone();
        thread::spawn(move || {
            for _ in 0..if cfg!(miri) { 10 } else { 10_000 } {
                let again = pool.clone();
                drop(pool.alloc());
                drop(again);
            }
        })
    });
    drop(pool);
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(memory.strong_count(), 0);
}

/// A pool without handles whose packets copy themselves: buffers go from the ring to a cache while others count what is home.
#[test]
fn a_closing_pool_whose_packets_copy_themselves_is_not_freed_under_them() {
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Drops of packets of a pool without handles count all such pools, again and again.
            let other = pool(4, 0);
            let mut packet = other.alloc().unwrap();
            drop(other);
            while !is_done.load(Ordering::Relaxed) {
                drop(packet.share());
            }
        });
        for round in 0..if cfg!(miri) { 1 } else { 3000 } {
            let options = PoolOptions { cache_refill: 25, cache_flush: 100, ..options(64, 4) };
            let pool = Pool::new(&options).unwrap();
            let mut first = pool.alloc().unwrap();
            fill(&mut first, &[7; 64]);
            drop(pool);
            for _ in 0..if cfg!(miri) { 2 } else { 50 } {
                let mut copies: Vec<Packet> = (0..6).map(|_| first.share()).collect();
                copies.iter_mut().for_each(|copy| copy.data_mut().unwrap()[0] = 1);
            }
            assert_eq!(first.data(), [7; 64], "round {round}");
        }
        is_done.store(true, Ordering::Relaxed);
    });
}
