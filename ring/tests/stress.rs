//! Threads against each other: nothing is lost, doubled or out of order.
//!
//! A thread that cannot go on yields, so that a single core gets through as well.
#![cfg(not(loom))]

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread;

use gannet_ring::{mpmc, spsc};

/// Elements each producer sends.
const COUNT: u64 = if cfg!(miri) { 150 } else { 400_000 };
const CAPACITY: usize = if cfg!(miri) { 8 } else { 64 };
const LARGEST_BURST: u64 = if cfg!(miri) { 5 } else { 40 };
const PRODUCERS: usize = 2;
const CONSUMERS: usize = 2;

/// Sizes of bursts, from 1 to [`LARGEST_BURST`], in an order that repeats late.
fn burst_sizes(seed: u64) -> impl Iterator<Item = usize> {
    (0u64..).map(move |n| {
        let mixed = (n + seed * 7919).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        (mixed % LARGEST_BURST + 1) as usize
    })
}

/// Sends `0..COUNT`, tagged, through `enqueue`, which returns how many it took from the front.
fn produce(tag: u64, mut enqueue: impl FnMut(&[u64]) -> usize) {
    let mut next = 0;
    for size in burst_sizes(tag) {
        let end = COUNT.min(next + size as u64);
        let values: Vec<u64> = (next..end).map(|value| tag << 32 | value).collect();
        match enqueue(&values) {
            0 => thread::yield_now(),
            taken => next += taken as u64,
        }
        if next == COUNT {
            return;
        }
    }
}

/// Receives through `dequeue` until `done`, and returns all there was.
fn consume(seed: u64, mut dequeue: impl FnMut(&mut [u64]) -> usize, done: impl Fn() -> bool) -> Vec<u64> {
    let mut received = Vec::new();
    for size in burst_sizes(seed) {
        let mut values = vec![0; size];
        // Asked before the ring is: elements sent before the end are then seen to.
        let last = done();
        match dequeue(&mut values) {
            0 if last => break,
            0 => thread::yield_now(),
            count => received.extend(&values[..count]),
        }
    }
    received
}

/// All or nothing, said as how many.
fn as_count(moved: bool, count: usize) -> usize {
    if moved { count } else { 0 }
}

fn spsc_keeps_order(
    mut enqueue: impl FnMut(&mut spsc::Producer<u64>, &[u64]) -> usize + Send,
    mut dequeue: impl FnMut(&mut spsc::Consumer<u64>, &mut [u64]) -> usize,
) {
    let (mut producer, mut consumer) = spsc::ring(CAPACITY).unwrap();
    let producing = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            produce(0, |values| enqueue(&mut producer, values));
            producing.store(false, Release);
        });
        let done = || !producing.load(Acquire);
        let received = consume(1, |values| dequeue(&mut consumer, values), done);
        assert!(received.into_iter().eq(0..COUNT));
    });
}

#[test]
fn spsc_bursts() {
    spsc_keeps_order(|ring, values| ring.enqueue_burst(values), |ring, out| ring.dequeue_burst(out));
}

/// The ends of the stream may be smaller than a bulk: there the consumer takes what it gets.
#[test]
fn spsc_bulks() {
    spsc_keeps_order(
        |ring, values| as_count(ring.enqueue_bulk(values), values.len()),
        |ring, out| match ring.dequeue_bulk(out) {
            true => out.len(),
            false => ring.dequeue_burst(&mut out[..1]),
        },
    );
}

#[test]
fn spsc_single_elements() {
    spsc_keeps_order(
        |ring, values| as_count(ring.push(values[0]).is_ok(), 1),
        |ring, out| as_count(ring.pop().map(|value| out[0] = value).is_some(), 1),
    );
}

fn mpmc_keeps_order(
    enqueue: impl Fn(&mpmc::Ring<u64>, &[u64]) -> usize + Sync,
    dequeue: impl Fn(&mpmc::Ring<u64>, &mut [u64]) -> usize + Sync,
) {
    let ring = mpmc::Ring::with_capacity(CAPACITY).unwrap();
    let producing = AtomicUsize::new(PRODUCERS);
    let (ring, producing, enqueue, dequeue) = (&ring, &producing, &enqueue, &dequeue);
    let received: Vec<Vec<u64>> = thread::scope(|scope| {
        for tag in 0..PRODUCERS as u64 {
            scope.spawn(move || {
                produce(tag, |values| enqueue(ring, values));
                producing.fetch_sub(1, Release);
            });
        }
        let done = || producing.load(Acquire) == 0;
        let receivers: Vec<_> = (0..CONSUMERS as u64)
            .map(|n| scope.spawn(move || consume(2 + n, |values| dequeue(ring, values), done)))
            .collect();
        receivers.into_iter().map(|receiver| receiver.join().unwrap()).collect()
    });

    for tag in 0..PRODUCERS as u64 {
        let of_this = |values: &[u64]| -> Vec<u64> {
            let mine = values.iter().filter(|value| **value >> 32 == tag);
            mine.map(|value| value & u64::from(u32::MAX)).collect()
        };
        for values in &received {
            assert!(of_this(values).is_sorted(), "each consumer sees a producer's order");
        }
        let mut all = of_this(&received.concat());
        all.sort_unstable();
        assert!(all.into_iter().eq(0..COUNT), "nothing is lost or doubled");
    }
}

#[test]
fn mpmc_bursts() {
    mpmc_keeps_order(|ring, values| ring.enqueue_burst(values), |ring, out| ring.dequeue_burst(out));
}

#[test]
fn mpmc_bulks() {
    mpmc_keeps_order(
        |ring, values| as_count(ring.enqueue_bulk(values), values.len()),
        |ring, out| match ring.dequeue_bulk(out) {
            true => out.len(),
            false => ring.dequeue_burst(&mut out[..1]),
        },
    );
}

#[test]
fn mpmc_single_elements() {
    mpmc_keeps_order(
        |ring, values| as_count(ring.push(values[0]).is_ok(), 1),
        |ring, out| as_count(ring.pop().map(|value| out[0] = value).is_some(), 1),
    );
}

/// The length never reads as more than fits, whatever moves meanwhile.
#[test]
fn mpmc_length_stays_in_bounds() {
    let ring = mpmc::Ring::with_capacity(4).unwrap();
    thread::scope(|scope| {
        let mover = scope.spawn(|| {
            for value in 0..COUNT / 4 {
                assert_eq!(ring.push(value), Ok(()));
                assert_eq!(ring.pop(), Some(value));
            }
        });
        while !mover.is_finished() {
            assert!(ring.len() <= 4 && ring.free() <= 4);
            thread::yield_now();
        }
    });
}

/// Values dropped by either side or left behind: each once.
#[test]
fn owned_values_cross_threads() {
    let token = Arc::new(());
    let (mut producer, mut consumer) = spsc::ring(CAPACITY).unwrap();
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut values = vec![token.clone(); COUNT as usize / 8];
            while !values.is_empty() {
                if producer.enqueue_burst_from(&mut values) == 0 {
                    thread::yield_now();
                }
            }
            drop(producer);
        });
        let mut received = Vec::new();
        // The last ones may be left behind in the ring.
        while !(received.len() >= COUNT as usize / 8 - CAPACITY / 2 && sender.is_finished()) {
            if consumer.dequeue_burst_into(&mut received, CAPACITY / 2) == 0 {
                thread::yield_now();
            }
        }
        drop(consumer);
    });
    assert_eq!(Arc::strong_count(&token), 1);
}
