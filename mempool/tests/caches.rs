//! The caches of cores: how they are filled and flushed, and where the buffers are: in the ring, in caches, out.

mod common;

use std::cell::RefCell;
use std::sync::mpsc;
use std::thread;

use common::{assert_all_home, options, pool};
use gannet_mempool::{Burst, Census, Packet, Pool, PoolOptions, PoolStats};

/// Ring, cached, out.
fn places(pool: &Pool) -> (u32, u32, u32) {
    let Census { total, ring, cached, out } = pool.census();
    assert_eq!(ring + cached + out, total);
    (ring, cached, out)
}

#[test]
fn a_new_pool_has_all_in_its_ring() {
    let pool = pool(1000, 64);
    assert_eq!(places(&pool), (1000, 0, 0));
    assert_eq!(pool.stats(), PoolStats::default());
}

#[test]
fn a_cache_is_filled_by_half_and_flushed_by_half() {
    let pool = pool(1000, 64);
    let first = pool.alloc().unwrap();
    assert_eq!(places(&pool), (1000 - 33, 32, 1));
    drop(first);
    assert_eq!(places(&pool), (967, 33, 0));

    // All that is cached, without a refill; then one more, with.
    let mut burst = Burst::new(256);
    assert!(pool.alloc_bulk(&mut burst, 33));
    assert_eq!(places(&pool), (967, 0, 33));
    assert_eq!(pool.stats().alloc_refills, 1);
    assert!(pool.alloc_bulk(&mut burst, 1));
    assert_eq!(places(&pool), (967 - 33, 32, 34));
    assert_eq!(pool.stats().alloc_refills, 2);

    // A refill that what is cached counts towards.
    assert!(pool.alloc_bulk(&mut burst, 33));
    assert_eq!(places(&pool), (934 - 32, 31, 67));

    // Up to 64, and flushed at the 65th.
    for freed in 1..=33 {
        drop(burst.pop_front());
        assert_eq!(places(&pool), (902, 31 + freed, 67 - freed));
    }
    assert_eq!(pool.stats().recycle_full, 0);
    drop(burst.pop_front());
    assert_eq!(places(&pool), (902 + 32, 33, 33));
    burst.clear();
    assert_eq!(places(&pool), (934 + 17, 16 + 33, 0));
    let expected = PoolStats {
        allocated: 68,
        alloc_fast: 68,
        alloc_refills: 3,
        freed: 68,
        recycle_cache: 68,
        recycle_full: 2,
        ..PoolStats::default()
    };
    assert_eq!(pool.stats(), expected);
}

#[test]
#[cfg_attr(miri, ignore = "slow there, and the caches' own tests do the same to the memory")]
fn refill_and_flush_are_as_set() {
    for (refill, flush, after_refill, after_flush) in [(100, 100, 63, 1), (25, 1, 16, 64), (1, 50, 0, 33)] {
        let pool = Pool::new(&PoolOptions { cache_refill: refill, cache_flush: flush, ..options(300, 64) }).unwrap();
        let mut packets = vec![pool.alloc().unwrap()];
        assert_eq!(places(&pool).1, after_refill, "refill of {refill}");
        packets.extend((0..140).map_while(|_| pool.alloc()));
        // Full, and then one more.
        while pool.stats().recycle_full == 0 {
            packets.pop().expect("not all of them fit");
        }
        assert_eq!(places(&pool).1, after_flush, "flush of {flush}");
        drop(packets);
        assert_all_home(&pool);
    }
}

#[test]
fn what_does_not_fit_a_cache_goes_around_it() {
    let pool = pool(1000, 16);
    let mut burst = Burst::new(256);
    assert!(pool.alloc_bulk(&mut burst, 17));
    assert_eq!(places(&pool), (983, 0, 17));
    let one = pool.alloc().unwrap();
    assert_eq!(places(&pool), (974, 8, 18));
    burst.clear();
    assert_eq!(places(&pool), (974 + 4 + 17, 4, 1));
    drop(one);
    assert_all_home(&pool);
    assert_eq!((pool.stats().allocated, pool.stats().freed), (18, 18));
}

#[test]
fn without_caches_all_goes_through_the_ring() {
    let pool = pool(100, 0);
    let mut burst = Burst::new(32);
    assert!(pool.alloc_bulk(&mut burst, 32));
    let one = pool.alloc();
    assert_eq!(places(&pool), (67, 0, 33));
    drop((one, burst));
    assert_eq!(places(&pool), (100, 0, 0));
    let expected = PoolStats { allocated: 33, alloc_slow: 33, freed: 33, recycle_ring: 33, ..PoolStats::default() };
    assert_eq!(pool.stats(), expected);
}

#[test]
fn an_allocation_that_a_refill_cannot_serve_uses_cache_and_ring_together() {
    let pool = pool(20, 16);
    let one = pool.alloc().unwrap();
    assert_eq!(places(&pool), (11, 8, 1));
    let mut burst = Burst::new(32);
    assert!(pool.alloc_bulk(&mut burst, 19));
    assert_eq!(places(&pool), (0, 0, 20));
    drop((one, burst));
    assert_all_home(&pool);
}

#[test]
fn a_thread_that_ends_leaves_nothing_in_its_caches() {
    let (a, b) = (pool(100, 32), pool(100, 32));
    let held = thread::scope(|scope| {
        let used = scope.spawn(|| {
            drop((a.alloc(), b.alloc()));
            assert_eq!((places(&a), places(&b)), ((83, 17, 0), (83, 17, 0)));
            a.alloc().unwrap()
        });
        used.join().unwrap()
    });
    assert_eq!((places(&a), places(&b)), ((99, 0, 1), (100, 0, 0)));
    drop(held);
    assert_all_home(&a);
}

#[test]
fn packets_that_a_thread_drops_in_its_last_destructors_come_home() {
    thread_local! {
        static LAST_WILL: RefCell<Vec<Packet>> = const { RefCell::new(Vec::new()) };
    }
    let pool = pool(100, 32);
    // Destructors run in some order: the variable is touched first by before or after the pool's own.
    for variable_first in [true, false] {
        let user = pool.clone();
        let thread = thread::spawn(move || {
            if variable_first {
                LAST_WILL.with_borrow(Vec::len);
            }
            let packets: Vec<_> = (0..10).map_while(|_| user.alloc()).collect();
            LAST_WILL.set(packets);
        });
        thread.join().unwrap();
        assert_eq!(places(&pool), (100, 0, 0));
    }
}

#[test]
fn a_thread_whose_first_touch_is_in_its_last_destructors_works() {
    struct Toucher(Pool);
    impl Drop for Toucher {
        fn drop(&mut self) {
            drop(self.0.alloc().unwrap());
        }
    }
    thread_local! {
        static LAST_WILL: RefCell<Option<Toucher>> = const { RefCell::new(None) };
    }
    let pool = pool(100, 32);
    let user = pool.clone();
    thread::spawn(move || LAST_WILL.set(Some(Toucher(user)))).join().unwrap();
    assert_eq!(places(&pool), (100, 0, 0));
    assert_eq!(pool.stats().freed, 1);
}

/// Packets allocated by one thread and freed by another come home: `rounds` bursts that way, through a channel.
fn pass(pool: &Pool, rounds: usize, main_allocates: bool) {
    let (sender, receiver) = mpsc::sync_channel::<Vec<Packet>>(2);
    let allocate = {
        let pool = pool.clone();
        move || {
            // Its end is the end of the channel.
            let sender = sender;
            for _ in 0..rounds {
                let packets: Vec<_> = std::iter::from_fn(|| pool.alloc()).take(24).collect();
                sender.send(packets).unwrap();
            }
        }
    };
    let free = move || receiver.into_iter().map(drop).count();
    if main_allocates {
        let other = thread::spawn(free);
        allocate();
        assert_eq!(other.join().unwrap(), rounds);
    } else {
        let other = thread::spawn(allocate);
        assert_eq!(free(), rounds);
        other.join().unwrap();
    }
}

#[test]
fn packets_freed_by_another_thread_come_home_in_both_directions() {
    let pool = pool(300, 64);
    let rounds = if cfg!(miri) { 5 } else { 2000 };
    for main_allocates in [true, false, true] {
        pass(&pool, rounds, main_allocates);
        assert_all_home(&pool);
        let PoolStats { allocated, freed, .. } = pool.stats();
        assert_eq!(allocated, freed);
    }
    // What the ended threads had is there for this one.
    let all = common::drain(&pool);
    assert_eq!(all.len(), 300);
}
