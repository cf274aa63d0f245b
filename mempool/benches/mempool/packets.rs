//! Allocating and freeing on one core.
//!
//! `raw` takes buffers from the free-list and gives them back (what DPDK calls mempool get and put), `packet_*` makes packets of
//! them and drops them: one by one for bulk 1, as bursts otherwise. The bulk sizes are constants, as in DPDK's own measurements.

use std::hint::black_box;

use gannet_mempool::{Account, Burst, Pool, PoolOptions, Request, Tracking, Watermarks};

use crate::measure::{Bench, Case, case};

pub(crate) fn all(bench: &Bench) {
    let pool = Pool::new(&PoolOptions::default()).expect("a pool of default size");
    raw::<1>(bench, &pool);
    raw::<8>(bench, &pool);
    raw::<32>(bench, &pool);
    raw::<64>(bench, &pool);

    let plain = "packet_alloc_free";
    bench.each(case(plain, 1), || drop(black_box(pool.alloc())));
    bursts::<8>(bench, plain, None, &pool);
    bursts::<32>(bench, plain, Some(3), &pool);
    bursts::<64>(bench, plain, None, &pool);

    charged(bench, &pool);
    tracked(bench);
    under_pressure(bench);
}

fn raw<const BULK: usize>(bench: &Bench, pool: &Pool) {
    let mut slots = [0; 256];
    bench.each(case("raw", BULK), || assert!(pool.take_and_give(&mut slots, BULK)));
}

fn bursts<const BULK: usize>(bench: &Bench, name: &'static str, limit: Option<u32>, pool: &Pool) {
    let mut burst = Burst::new(BULK);
    let case = Case { limit, ..case(name, BULK) };
    bench.each(case, || {
        assert!(pool.alloc_bulk(&mut burst, BULK));
        black_box(&mut burst);
        burst.clear();
    });
}

fn charged(bench: &Bench, pool: &Pool) {
    let account = Account::new("bench", 1 << 20).expect("an account number is free");
    let request = Request { account: Some(&account), ..Request::default() };
    let name = "packet_alloc_free_charged";
    bench.each(case(name, 1), || drop(black_box(pool.alloc_with(&request))));
    charged_bursts::<8>(bench, name, None, pool, &request);
    charged_bursts::<32>(bench, name, Some(5), pool, &request);
    charged_bursts::<64>(bench, name, None, pool, &request);
}

fn charged_bursts<const BULK: usize>(
    bench: &Bench,
    name: &'static str,
    limit: Option<u32>,
    pool: &Pool,
    request: &Request<'_>,
) {
    let mut burst = Burst::new(BULK);
    let case = Case { limit, ..case(name, BULK) };
    bench.each(case, || {
        pool.alloc_bulk_with(request, &mut burst, BULK).expect("enough buffers");
        black_box(&mut burst);
        burst.clear();
    });
}

fn tracked(bench: &Bench) {
    let options = PoolOptions { tracking: Tracking::On, ..PoolOptions::default() };
    let pool = Pool::new(&options).expect("a pool of default size");
    bursts::<32>(bench, "packet_alloc_free_tracked", None, &pool);
}

/// No cache is used then, and each burst looks whether the pressure is over.
fn under_pressure(bench: &Bench) {
    let watermarks = Watermarks { low: 10, pressure: 20, high: 100 };
    let pool = Pool::new(&PoolOptions { buffers: 1024, watermarks, ..PoolOptions::default() }).expect("a small pool");
    let mut hoard = Burst::new(256);
    assert!(pool.alloc_bulk(&mut hoard, 256));
    bursts::<32>(bench, "packet_alloc_free_pressure", None, &pool);
}
