//! The life of a pool: its end, and what reports say of it.

mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::{options, pool};
use gannet_harness::PATIENCE;
use gannet_mempool::{Error, Pool, PoolOptions, Tracking, report};

#[test]
fn life_destroying_a_pool_that_is_complete_returns_at_once() {
    pool(16, 4).destroy(Duration::ZERO).unwrap();
}

#[test]
fn life_destroying_waits_for_the_last_buffer() {
    // By name: its number may be another test's pool's at once.
    let pool = Pool::new(&PoolOptions { name: "waited for".into(), ..options(16, 4) }).unwrap();
    let packet = pool.alloc();
    let start = Instant::now();
    let wait = Duration::from_millis(30);
    let holder = thread::spawn(move || {
        thread::sleep(wait);
        drop(packet);
    });
    pool.destroy(PATIENCE).unwrap();
    assert!(start.elapsed() >= wait);
    holder.join().unwrap();
    assert!(report::pools().iter().all(|pool| pool.name != "waited for"));
}

#[test]
fn life_destroying_in_vain_says_how_many_are_out_and_how_to_find_them() {
    let pool = Pool::new(&PoolOptions { name: "left open".into(), ..options(16, 4) }).unwrap();
    let packets = [pool.alloc(), pool.alloc()];
    let refused = pool.destroy(Duration::from_millis(5)).unwrap_err();
    assert!(matches!(refused, Error::NotHome { out: 2, buffers: 16, .. }), "{refused:?}");
    let text = refused.to_string();
    assert!(text.starts_with("left open: 2 of 16 buffers did not come home within"), "{text}");
    assert!(text.contains("pool.tracking"), "{text}");
    // It lives on, closing, until they are home.
    let of_name = || report::pools().into_iter().find(|pool| pool.name == "left open");
    assert!(of_name().is_some_and(|pool| pool.is_closing && pool.census.out == 2));
    drop(packets);
    assert!(of_name().is_none());
}

#[test]
fn life_destroying_a_tracked_pool_names_the_holders() {
    let pool = Pool::new(&PoolOptions { tracking: Tracking::On, ..options(16, 4) }).unwrap();
    let taker = pool.clone();
    let start = Instant::now();
    let hoarder = thread::Builder::new().name("hoarder".into());
    let packets = hoarder.spawn(move || [taker.alloc(), taker.alloc(), taker.alloc()]).unwrap().join().unwrap();
    let text = pool.destroy(Duration::from_millis(5)).unwrap_err().to_string();
    let (_, age) = text.split_once("3 in packets of thread `hoarder`, for ").unwrap_or_else(|| panic!("{text}"));
    let seconds: f64 = age.split(' ').next().unwrap_or_default().parse().unwrap_or_else(|why| panic!("{why}: {text}"));
    assert!(seconds <= start.elapsed().as_secs_f64() + 0.1, "{text}");
    drop(packets);
}

#[test]
fn life_a_handle_that_is_left_keeps_the_pool_after_destroy() {
    let pool = pool(16, 4);
    let other = pool.clone();
    pool.destroy(PATIENCE).unwrap();
    assert!(other.alloc().is_some());
}

#[test]
fn statistics_tell_fast_slow_refilled_empty_and_recycled() {
    let pool = Pool::new(&PoolOptions { name: "counted".into(), ..options(100, 16) }).unwrap();
    // Refill, then fast; more than a cache holds: slow; more than there is: empty.
    drop(pool.alloc());
    let mut burst = gannet_mempool::Burst::new(256);
    assert!(pool.alloc_bulk(&mut burst, 40));
    assert!(!pool.alloc_bulk(&mut burst, 100));
    // To the ring, as they do not fit.
    burst.clear();
    let stats = pool.stats();
    assert_eq!((stats.allocated, stats.alloc_fast, stats.alloc_slow), (41, 1, 40), "{stats:?}");
    assert_eq!((stats.alloc_refills, stats.alloc_empty), (1, 1), "{stats:?}");
    assert_eq!((stats.freed, stats.recycle_cache, stats.recycle_ring), (41, 1, 40), "{stats:?}");
    assert_eq!(stats.recycle_foreign, 0);
    // On another thread than the one that took them.
    let packets: Vec<_> = common::drain(&pool).into_iter().take(10).collect();
    thread::spawn(move || drop(packets)).join().unwrap();
    let stats = pool.stats();
    assert_eq!(stats.recycle_foreign, 10, "{stats:?}");

    let report = report::memory();
    let line = report.pool_tables().lines().find(|line| line.starts_with("counted")).map(str::to_owned);
    let line = line.unwrap_or_default();
    assert!(line.contains("100") && line.contains("calm"), "{report}");
    let json = serde_json::to_value(&report).unwrap();
    let pools = json["pools"].as_array().unwrap();
    let counted = pools.iter().find(|pool| pool["name"] == "counted").unwrap();
    assert_eq!(counted["stats"]["recycle_foreign"], 10);
    assert_eq!(counted["census"]["total"], 100);
}
