//! Cycles per buffer of allocating and freeing, on one core.
//!
//! `raw` moves buffers between the pool and a card's ring (what DPDK calls mempool get and put), `packet_alloc_free` makes packets of them
//! and drops them; one at a time for bulk 1, as bursts otherwise. Each case runs three times; the median counts. `cargo bench` prints a table and one line a case for scripts;
//! without `--bench` it only checks that the cases run.

#![allow(missing_docs)]

use std::hint::black_box;

use gannet_mempool::buffers::RxBuffers;
use gannet_mempool::{Burst, Pool, PoolOptions};
use quanta::Clock;

const BULKS: [usize; 4] = [1, 8, 32, 64];

fn main() {
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 2_000_000 } else { 100 };
    let clock = Clock::new();
    let pool = Pool::new(&PoolOptions::default()).expect("a pool of default size");
    println!("{:<20} {:>5} {:>18}", "case", "bulk", "cycles/buffer");
    for bulk in BULKS {
        let mut buffers = RxBuffers::new(pool.clone(), 512).expect("a power of two");
        report("raw", bulk, &clock, rounds / bulk, || {
            let armed = buffers.arm(black_box(bulk as u32), |_, _| ());
            assert_eq!(armed as usize, bulk);
            buffers.release_all();
        });
    }
    report("packet_alloc_free", 1, &clock, rounds, || drop(black_box(pool.alloc())));
    for bulk in &BULKS[1..] {
        let mut burst = Burst::new(64);
        report("packet_alloc_free", *bulk, &clock, rounds / bulk, || {
            assert!(pool.alloc_bulk(&mut burst, black_box(*bulk)));
            black_box(&mut burst);
            burst.clear();
        });
    }
}

fn report(case: &str, bulk: usize, clock: &Clock, rounds: usize, mut work: impl FnMut()) {
    (0..rounds / 10 + 1).for_each(|_| work());
    let mut runs = [0.0; 3];
    for run in &mut runs {
        let start = clock.raw();
        (0..rounds).for_each(|_| work());
        *run = (clock.raw() - start) as f64 / (rounds * bulk) as f64;
    }
    runs.sort_by(f64::total_cmp);
    println!("{case:<20} {bulk:>5} {:>18.2}", runs[1]);
    println!("bench=mempool case={case} bulk={bulk} cycles_per_object={:.2}", runs[1]);
}
