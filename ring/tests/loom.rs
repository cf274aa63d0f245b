//! All interleavings of small uses of the rings, without a bound on preemptions. Weakening
//! any one memory ordering of an operation makes one of these tests fail.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p gannet-ring --release --test loom
//! ```
#![cfg(loom)]

use gannet_ring::{mpmc::Ring, spsc};
use loom::sync::Arc;
use loom::thread;

/// Repeats until it works, letting the others go on in between.
fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    loop {
        match attempt() {
            Some(value) => return value,
            None => thread::yield_now(),
        }
    }
}

/// A ring of `capacity` with indices moved on by one, so that two elements wrap at capacity 2.
fn shifted_ring(capacity: usize) -> Arc<Ring<u32>> {
    let ring = Ring::with_capacity(capacity).unwrap();
    ring.push(0).unwrap();
    ring.pop().unwrap();
    Arc::new(ring)
}

#[test]
fn spsc_bulk_that_wraps() {
    loom::model(|| {
        let (mut producer, mut consumer) = spsc::ring::<u32>(2).unwrap();
        producer.push(0).unwrap();
        consumer.pop().unwrap();
        let sender = thread::spawn(move || {
            until(|| producer.enqueue_bulk(&[1, 2]).then_some(()));
            until(|| producer.enqueue_bulk(&[3, 4]).then_some(()));
        });
        let mut out = [0; 2];
        for expected in [[1, 2], [3, 4]] {
            until(|| consumer.dequeue_bulk(&mut out).then_some(()));
            assert_eq!(out, expected);
        }
        sender.join().unwrap();
    });
}

#[test]
fn spsc_bursts_of_unequal_size() {
    loom::model(|| {
        let (mut producer, mut consumer) = spsc::ring::<u32>(2).unwrap();
        let sender = thread::spawn(move || {
            let mut left = &[1, 2, 3][..];
            while !left.is_empty() {
                match producer.enqueue_burst(left) {
                    0 => thread::yield_now(),
                    sent => left = &left[sent..],
                }
            }
        });
        for expected in 1..=3 {
            assert_eq!(until(|| consumer.pop()), expected);
        }
        assert_eq!(consumer.pop(), None);
        sender.join().unwrap();
    });
}

/// The last of the two handles drops what is left, whichever it is.
#[test]
fn spsc_leftovers_are_dropped() {
    loom::model(|| {
        let token = Arc::new(());
        let (mut producer, mut consumer) = spsc::ring(2).unwrap();
        let value = Arc::clone(&token);
        let sender = thread::spawn(move || producer.push(value).is_ok());
        drop(consumer.pop());
        drop(consumer);
        assert!(sender.join().unwrap());
        assert_eq!(Arc::strong_count(&token), 1);
    });
}

/// Takes what is left, when all others are done, and returns all of it with `received` in order.
fn drained(ring: &Ring<u32>, mut received: Vec<u32>) -> Vec<u32> {
    ring.dequeue_burst_into(&mut received, usize::MAX);
    received.sort_unstable();
    received
}

// The threads below try once and do not wait for each other: with three threads the model checker
// would follow every length of every wait. The only wait is the ring's own, for earlier claims.

#[test]
fn mpmc_two_producers_one_consumer() {
    loom::model(|| {
        let ring = shifted_ring(4);
        let senders = [10, 20].map(|first| {
            let ring = Arc::clone(&ring);
            thread::spawn(move || assert!(ring.enqueue_bulk(&[first, first + 1])))
        });
        let mut received = vec![0; 2];
        if ring.dequeue_bulk(&mut received) {
            assert_eq!(received[0] + 1, received[1], "a bulk stays together");
        } else {
            received.clear();
        }
        for sender in senders {
            sender.join().unwrap();
        }
        assert_eq!(drained(&ring, received), [10, 11, 20, 21]);
    });
}

/// A full ring: slots are written again as soon as the consumer has let go of them.
#[test]
fn mpmc_two_producers_into_slots_being_read() {
    loom::model(|| {
        let ring = shifted_ring(2);
        assert!(ring.enqueue_bulk(&[1, 2]));
        let senders = [3, 4].map(|value| {
            let ring = Arc::clone(&ring);
            thread::spawn(move || ring.push(value).err())
        });
        let mut received = vec![0; 2];
        assert!(ring.dequeue_bulk(&mut received), "only this thread takes");
        assert_eq!(received, [1, 2]);
        let refused = senders.map(|sender| sender.join().unwrap());
        received.extend(refused.into_iter().flatten());
        assert_eq!(drained(&ring, received), [1, 2, 3, 4]);
    });
}

#[test]
fn mpmc_one_producer_two_consumers() {
    loom::model(|| {
        let ring = shifted_ring(2);
        let receivers = [(); 2].map(|()| {
            let ring = Arc::clone(&ring);
            thread::spawn(move || ring.pop())
        });
        assert!(ring.enqueue_bulk(&[1, 2]));
        // Fits only if both were taken; then it reuses their slots.
        let more = ring.enqueue_bulk(&[3, 4]);
        let received = receivers.map(|receiver| receiver.join().unwrap());
        let all = drained(&ring, received.into_iter().flatten().collect());
        assert_eq!(all, [1, 2, 3, 4][..if more { 4 } else { 2 }]);
    });
}

/// The free-list of a pool: each thread takes and gives back, and nobody is given the same twice.
#[test]
fn mpmc_two_threads_that_take_and_give_back() {
    loom::model(|| {
        let ring = shifted_ring(2);
        assert!(ring.enqueue_bulk(&[1, 2]));
        let other = Arc::clone(&ring);
        let take_and_give = |ring: &Ring<u32>| {
            if let Some(value) = ring.pop() {
                ring.push(value).expect("there is room for all of the values");
            }
        };
        let thread = thread::spawn(move || take_and_give(&other));
        take_and_give(&ring);
        thread.join().unwrap();
        assert_eq!(drained(&ring, Vec::new()), [1, 2]);
    });
}
