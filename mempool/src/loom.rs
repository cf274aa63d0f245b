//! All interleavings, and all that the memory model allows, of what decides who has a buffer last. Weakening any one memory ordering of
//! these operations, or swapping their order where that matters, makes one of these tests fail.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test -p gannet-mempool --release --lib loom
//! ```
#![allow(unsafe_code)]

use gannet_ring::mpmc::Ring;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::cache::{Amounts, Caches};
use crate::pool::Blocks;
use crate::sharers::Sharers;
use crate::slot;

/// What several owners have: each writes to its own cell, the last one to all.
struct Bytes<const OWNERS: usize>([UnsafeCell<u32>; OWNERS]);

// SAFETY: loom checks the accesses: that is what these tests are for.
unsafe impl<const OWNERS: usize> Sync for Bytes<OWNERS> {}
// SAFETY: as above.
unsafe impl<const OWNERS: usize> Send for Bytes<OWNERS> {}

impl<const OWNERS: usize> Bytes<OWNERS> {
    fn new() -> Self {
        Bytes(std::array::from_fn(|_| UnsafeCell::new(0)))
    }

    fn write(&self, owner: usize) {
        // SAFETY: loom says if anybody else may access it now.
        self.0[owner].with_mut(|byte| unsafe { *byte += 1 });
    }

    fn take_all(&self) {
        (0..OWNERS).for_each(|owner| self.write(owner));
    }
}

/// `OWNERS` threads that leave at once, each by `leave`, which says who was the last.
fn leave_at_once<const OWNERS: usize, T: Send + Sync + 'static>(
    counted: impl Fn() -> T + Send + Sync + 'static,
    leave: fn(&T) -> bool,
) {
    loom::model(move || {
        let shared = Arc::new((counted(), Bytes::<OWNERS>::new()));
        let own = |owner: usize| {
            let shared = shared.clone();
            move || {
                let (counted, bytes) = &*shared;
                bytes.write(owner);
                let last = leave(counted);
                if last {
                    bytes.take_all();
                }
                usize::from(last)
            }
        };
        let threads: Vec<_> = (1..OWNERS).map(|owner| thread::spawn(own(owner))).collect();
        let here = own(0)();
        let last: usize = here + threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>();
        assert_eq!(last, 1, "of all owners one is the last");
    });
}

fn shared_by(owners: usize) -> Sharers {
    let sharers = Sharers::default();
    (1..owners).for_each(|_| sharers.join());
    sharers
}

#[test]
fn of_two_owners_one_is_last_and_sees_what_the_other_did() {
    leave_at_once::<2, _>(|| shared_by(2), Sharers::leave);
}

#[test]
fn of_three_owners_one_is_last_and_sees_what_the_others_did() {
    leave_at_once::<3, _>(|| shared_by(3), Sharers::leave);
}

#[test]
fn a_buffer_that_is_shared_no_more_is_used_again_with_a_count_of_none() {
    loom::model(|| {
        let sharers = Arc::new(shared_by(2));
        let other = sharers.clone();
        let thread = thread::spawn(move || other.leave());
        let last = sharers.leave() || thread.join().unwrap();
        assert!(last);
        if last {
            assert!(!sharers.is_shared());
        }
    });
}

#[test]
fn an_owner_that_finds_itself_alone_may_write() {
    loom::model(|| {
        let shared = Arc::new((shared_by(2), Bytes::<1>::new()));
        let other = shared.clone();
        let thread = thread::spawn(move || {
            other.1.write(0);
            other.0.leave();
        });
        if !shared.0.is_shared() {
            shared.1.write(0);
        }
        thread.join().unwrap();
    });
}

#[test]
fn an_owner_that_shares_while_others_leave_is_counted() {
    loom::model(|| {
        let shared = Arc::new((shared_by(2), Bytes::<3>::new()));
        let leave = |owner: usize| {
            let shared = shared.clone();
            move || {
                shared.1.write(owner);
                let last = shared.0.leave();
                if last {
                    shared.1.take_all();
                }
                usize::from(last)
            }
        };
        let first = thread::spawn(leave(1));
        shared.0.join();
        let second = thread::spawn(leave(2));
        let here = leave(0)();
        assert_eq!(here + first.join().unwrap() + second.join().unwrap(), 1);
    });
}

#[test]
fn of_those_who_have_a_block_one_is_last_and_sees_what_the_others_did() {
    let block = slot::new(1, 0);
    let held_by = move |count| {
        move || {
            let blocks = Blocks::new(1, 4096);
            blocks.hold(block, count);
            blocks
        }
    };
    let leave: fn(&Blocks) -> bool = |blocks| blocks.let_go(slot::new(1, 0), 1);
    leave_at_once::<2, _>(held_by(2), leave);
    leave_at_once::<3, _>(held_by(3), leave);
}

/// A cache with one buffer, a ring with another, and a third one out.
fn two_of_three_home() -> (Caches, Ring<u32>) {
    let caches = Caches::new(Amounts { capacity: 2, refill: 50, flush: 50 }).unwrap();
    let ring = Ring::with_capacity(4).unwrap();
    assert!(ring.enqueue_bulk(&[1]));
    give(&caches, 2);
    (caches, ring)
}

/// Brings a buffer home to the cache of thread 0.
fn give(caches: &Caches, slot: u32) {
    let cache = caches.of(0).unwrap();
    // SAFETY: called by one thread at a time; room is asked for before it is written.
    unsafe {
        cache.reserve(1).unwrap().write(slot);
        cache.commit(1);
    }
}

fn count(caches: &Caches, ring: &Ring<u32>) -> usize {
    let (in_ring, cached) = caches.count_free(ring);
    in_ring + cached
}

// In both tests the other thread counts. loom looks for a race of a store with the last access alone, so that a thread's own load before its
// store hides what another has loaded; from the load's side it finds all.

#[test]
fn a_flush_makes_no_buffer_count_twice() {
    loom::model(|| {
        let pool = Arc::new(two_of_three_home());
        let other = pool.clone();
        let counting = thread::spawn(move || count(&other.0, &other.1));
        let (caches, ring) = &*pool;
        // SAFETY: this thread alone has the cache.
        unsafe { caches.of(0).unwrap().flush_all(ring) };
        assert!(counting.join().unwrap() <= 2, "the third is out");
        assert_eq!(count(caches, ring), 2);
    });
}

#[test]
fn who_finds_all_home_has_the_pool_alone() {
    for to_cache in [true, false] {
        loom::model(move || {
            let pool = Arc::new((two_of_three_home(), Bytes::<1>::new()));
            let other = pool.clone();
            let counting = thread::spawn(move || {
                let ((caches, ring), memory) = &*other;
                if count(caches, ring) == 3 {
                    memory.write(0);
                }
            });
            let ((caches, ring), memory) = &*pool;
            // SAFETY: this thread alone has the cache.
            unsafe { caches.of(0).unwrap().flush_all(ring) };
            memory.write(0);
            if to_cache {
                give(caches, 3);
            } else {
                assert!(ring.enqueue_bulk(&[3]));
            }
            counting.join().unwrap();
            assert_eq!(count(caches, ring), 3);
        });
    }
}
