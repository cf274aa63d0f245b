//! Cycles per buffer of allocating and freeing, on one core.
//!
//! `raw` takes buffers from the free-list and gives them back (what DPDK calls mempool get and put), `packet_alloc_free` makes packets of
//! them and drops them: one by one for bulk 1, as bursts otherwise. The bulk sizes are constants, as in DPDK's own measurements.
//!
//! Each case runs three times; the median counts. `cargo bench` prints a table and one line a case for scripts; without `--bench`
//! it only checks that the cases run.

#![allow(missing_docs)]

use std::hint::black_box;

use gannet_mempool::{Burst, Pool, PoolOptions};
use quanta::Clock;

struct Bench {
    pool: Pool,
    clock: Clock,
    rounds: usize,
}

fn main() {
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 4_000_000 } else { 100 };
    let pool = Pool::new(&PoolOptions::default()).expect("a pool of default size");
    let bench = Bench { pool, clock: Clock::new(), rounds };
    println!("{:<20} {:>5} {:>18}", "case", "bulk", "cycles/buffer");
    bench.raw::<1>();
    bench.raw::<8>();
    bench.raw::<32>();
    bench.raw::<64>();
    bench.packet();
    bench.packets::<8>();
    bench.packets::<32>();
    bench.packets::<64>();
}

impl Bench {
    fn raw<const BULK: usize>(&self) {
        let mut slots = [0; 256];
        self.report("raw", BULK, || assert!(self.pool.take_and_give(&mut slots, BULK)));
    }

    fn packet(&self) {
        self.report("packet_alloc_free", 1, || drop(black_box(self.pool.alloc())));
    }

    fn packets<const BULK: usize>(&self) {
        let mut burst = Burst::new(BULK);
        self.report("packet_alloc_free", BULK, || {
            assert!(self.pool.alloc_bulk(&mut burst, BULK));
            black_box(&mut burst);
            burst.clear();
        });
    }

    fn report(&self, case: &str, bulk: usize, mut work: impl FnMut()) {
        let rounds = self.rounds / bulk;
        (0..rounds / 10 + 1).for_each(|_| work());
        let mut runs = [0.0; 3];
        for run in &mut runs {
            let start = self.clock.raw();
            (0..rounds).for_each(|_| work());
            *run = (self.clock.raw() - start) as f64 / (rounds * bulk) as f64;
        }
        runs.sort_by(f64::total_cmp);
        println!("{case:<20} {bulk:>5} {:>18.2}", runs[1]);
        println!("bench=mempool case={case} bulk={bulk} cycles_per_object={:.2}", runs[1]);
    }
}
