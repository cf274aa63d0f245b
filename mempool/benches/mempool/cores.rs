//! Allocating on one core, freeing on another.
//!
//! The packets go over in an SPSC ring, in bursts; a run lasts from the first allocation to the last buffer home, so its figure is that of
//! the slower side. `cross_core_u64` hands over as many numbers in the same way: what the hand-over alone costs.

use std::hint::{black_box, spin_loop};
use std::sync::Barrier;
use std::thread;

use gannet_mempool::{Burst, Packet, Pool, PoolOptions};
use gannet_ring::spsc::{self, Consumer, Producer};

use crate::measure::{Bench, case, pin};

const BURST: usize = 32;
const RING: usize = 1024;

pub(crate) fn all(bench: &Bench) {
    let &[first, second, ..] = &bench.cpus[..] else {
        println!("cross_core: skipped, there is one processor only");
        return;
    };
    let bursts = bench.objects() / BURST;
    let pool = Pool::new(&PoolOptions::default()).expect("a pool of default size");

    let (mut producer, mut consumer) = spsc::ring(RING).expect("a power of two");
    bench.runs(case("cross_core_u64", BURST), |clock| {
        let sum = both(
            clock,
            [first, second],
            || send_numbers(&mut producer, bursts),
            || receive_numbers(&mut consumer, bursts),
        );
        sum / (bursts * BURST) as f64
    });

    let (mut producer, mut consumer) = spsc::ring(RING).expect("a power of two");
    bench.runs(case("cross_core_free", BURST).within(40), |clock| {
        let sum = both(
            clock,
            [first, second],
            || send_packets(&pool, &mut producer, bursts),
            || free_packets(&mut consumer, bursts),
        );
        sum / (bursts * BURST) as f64
    });
}

/// Cycles until both are done, each on a processor of its own.
fn both(clock: &quanta::Clock, cpus: [usize; 2], give: impl FnOnce() + Send, take: impl FnOnce() + Send) -> f64 {
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(cpus[0]);
            barrier.wait();
            give();
        });
        let taker = scope.spawn(|| {
            pin(cpus[1]);
            barrier.wait();
            let start = clock.raw();
            take();
            clock.raw() - start
        });
        taker.join().expect("no panic") as f64
    })
}

fn send_packets(pool: &Pool, producer: &mut Producer<Packet>, bursts: usize) {
    let mut burst = Burst::new(BURST);
    let mut packets = Vec::with_capacity(BURST);
    for _ in 0..bursts {
        while !pool.alloc_bulk(&mut burst, BURST) {
            spin_loop();
        }
        packets.extend(std::iter::from_fn(|| burst.pop_front()));
        while !producer.enqueue_bulk_from(&mut packets) {
            spin_loop();
        }
    }
}

fn free_packets(consumer: &mut Consumer<Packet>, bursts: usize) {
    let mut burst = Burst::new(BURST);
    let mut packets = Vec::with_capacity(BURST);
    for _ in 0..bursts {
        while !consumer.dequeue_bulk_into(&mut packets, BURST) {
            spin_loop();
        }
        for packet in packets.drain(..) {
            burst.push(packet).expect("room");
        }
        burst.clear();
    }
}

fn send_numbers(producer: &mut Producer<u64>, bursts: usize) {
    let numbers = [7; BURST];
    for _ in 0..bursts {
        while !producer.enqueue_bulk(black_box(&numbers)) {
            spin_loop();
        }
    }
}

fn receive_numbers(consumer: &mut Consumer<u64>, bursts: usize) {
    let mut numbers = [0; BURST];
    for _ in 0..bursts {
        while !consumer.dequeue_bulk(black_box(&mut numbers)) {
            spin_loop();
        }
    }
    black_box(&numbers);
}
