//! Few buffers left: who still gets one, what becomes of the caches, and how it ends.

mod common;

use std::sync::Barrier;
use std::thread;

use common::{assert_all_home, drain, options, pool};
use gannet_mempool::buffers::{Arrival, RxBuffers};
use gannet_mempool::{
    Burst, Error, Level, Metadata, Packet, Pool, PoolOptions, PressureEvent, Priority, Refused, Request, Watermarks,
    report,
};

/// A hundred buffers, so that per cent are buffers.
fn hundred(cache: u32) -> Pool {
    let watermarks = Watermarks { low: 50, pressure: 70, high: 90 };
    Pool::new(&PoolOptions { watermarks, ..options(100, cache) }).unwrap()
}

/// All that this priority gets, one by one.
fn hoard(pool: &Pool, priority: Priority) -> Vec<Packet> {
    let request = Request { priority, ..Request::default() };
    std::iter::from_fn(|| pool.alloc_with(&request).ok()).collect()
}

fn events(pool: &Pool) -> Vec<(Level, u32)> {
    std::iter::from_fn(|| pool.next_event()).map(|PressureEvent { level, in_use }| (level, in_use)).collect()
}

#[test]
fn each_priority_gets_its_part() {
    for cache in [0, 8, 512] {
        let pool = hundred(cache);
        let mut low = hoard(&pool, Priority::Low);
        assert_eq!((low.len(), pool.level()), (70, Level::Calm), "cache of {cache}");
        let normal = hoard(&pool, Priority::Normal);
        assert_eq!((low.len() + normal.len(), pool.level()), (90, Level::Pressure));
        assert!(pool.alloc().is_none(), "plain allocation is of normal priority");
        let high = hoard(&pool, Priority::High);
        assert_eq!((high.len(), pool.level(), pool.census().out), (10, Level::Critical, 100));
        assert_eq!(pool.stats().alloc_empty, 4);
        // One that comes home is for those who come first.
        drop(low.pop());
        assert!(hoard(&pool, Priority::Normal).is_empty());
        assert_eq!(hoard(&pool, Priority::High).len(), 1);
        drop((low, normal, high));
        assert_eq!(pool.level(), Level::Calm);
        assert_all_home(&pool);
    }
}

#[test]
fn bulk_stops_before_the_reserve_and_takes_nothing() {
    let pool = hundred(16);
    let mut burst = Burst::new(256);
    assert!(pool.alloc_bulk(&mut burst, 71));
    assert!(!pool.alloc_bulk(&mut burst, 20));
    assert_eq!((burst.len(), pool.census().out), (71, 71));
    assert!(pool.alloc_bulk(&mut burst, 19));
    let low = Request { priority: Priority::Low, ..Request::default() };
    assert_eq!(pool.alloc_bulk_with(&low, &mut burst, 1), Err(Refused::NoBuffer));
    let high = Request { priority: Priority::High, ..Request::default() };
    assert_eq!(pool.alloc_bulk_with(&high, &mut burst, 11), Err(Refused::NoBuffer));
    pool.alloc_bulk_with(&high, &mut burst, 10).unwrap();
    burst.clear();
    assert_all_home(&pool);
}

#[test]
fn one_request_from_calm_does_not_take_the_reserve() {
    for (priority, most) in [(Priority::Low, 70), (Priority::Normal, 90), (Priority::High, 100)] {
        let pool = hundred(0);
        let request = Request { priority, ..Request::default() };
        let mut burst = Burst::new(256);
        assert_eq!(pool.alloc_bulk_with(&request, &mut burst, most + 1), Err(Refused::NoBuffer), "{priority:?}");
        pool.alloc_bulk_with(&request, &mut burst, most).unwrap();
        assert_eq!(pool.census().out as usize, most);
    }
}

#[test]
fn a_thread_that_ends_under_pressure_leaves_a_calm_pool() {
    let pool = hundred(64);
    let user = pool.clone();
    std::thread::spawn(move || drop(hoard(&user, Priority::Normal))).join().unwrap();
    assert_eq!(pool.level(), Level::Calm);
    assert_all_home(&pool);
}

#[test]
fn a_thread_can_give_its_cache_back() {
    let pool = hundred(16);
    drop(pool.alloc());
    assert!(pool.census().cached > 0);
    pool.flush_cache();
    assert_eq!((pool.census().cached, pool.census().ring), (0, 100));
}

#[test]
fn changes_are_told_once_and_do_not_flap() {
    let pool = hundred(0);
    let mut packets = hoard(&pool, Priority::High);
    assert_eq!(events(&pool), [(Level::Pressure, 71), (Level::Critical, 91)]);
    packets.truncate(60);
    assert_eq!(events(&pool), [(Level::Pressure, 90)]);
    // Up and down between the marks is nothing new.
    for _ in 0..10 {
        packets.extend((0..10).map_while(|_| pool.alloc()));
        packets.truncate(50);
    }
    assert_eq!((events(&pool), pool.level()), (vec![], Level::Pressure));
    packets.truncate(49);
    assert_eq!((events(&pool), pool.level()), (vec![(Level::Calm, 49)], Level::Calm));
    packets.extend((0..21).map_while(|_| pool.alloc()));
    assert_eq!((packets.len(), events(&pool)), (70, vec![]));

    let report = report::pools().into_iter().find(|report| report.number == pool.number()).unwrap();
    assert_eq!((report.pressure_entered, report.pressure_critical), (1, 1));
}

#[test]
#[cfg_attr(miri, ignore = "thousands of buffers are slow there")]
fn events_that_nobody_asks_for_are_counted_all_the_same() {
    let pool = hundred(0);
    for _ in 0..40 {
        drop(hoard(&pool, Priority::Normal));
    }
    // 64 changes are kept: the oldest.
    let kept = events(&pool);
    assert_eq!((kept.len(), kept[0], kept[63]), (64, (Level::Pressure, 71), (Level::Calm, 49)));
    let report = report::pools().into_iter().find(|report| report.number == pool.number()).unwrap();
    assert_eq!(report.pressure_entered, 40);
}

#[test]
fn caches_are_given_back_under_pressure_and_used_again_after_it() {
    let pool = hundred(16);
    let (cached, hoarded, done) = (Barrier::new(2), Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            let packet = pool.alloc().unwrap();
            cached.wait();
            hoarded.wait();
            // It touches the pool: what it has cached is everybody's.
            assert!(pool.census().cached == 8 && pool.level() == Level::Pressure);
            drop(packet);
            assert_eq!(pool.census().cached, 0);
            done.wait();
        });
        cached.wait();
        let hoard = hoard(&pool, Priority::Normal);
        assert_eq!((hoard.len(), pool.census().out), (81, 82));
        hoarded.wait();
        done.wait();
        assert_eq!((pool.census().ring, pool.census().out), (19, 81));
        drop(hoard);
    });
    assert_eq!(pool.level(), Level::Calm);
    drop(pool.alloc());
    assert!(pool.census().cached > 0);
}

#[test]
fn filling_a_cache_brings_no_pressure_about() {
    let pool = hundred(64);
    // 33 at a time would be cached; in use are cached ones too, and from 70 on there is pressure.
    let held: Vec<_> = (0..66).map_while(|_| pool.alloc()).collect();
    assert_eq!((held.len(), pool.level()), (66, Level::Calm));
    let census = pool.census();
    assert!(census.out + census.cached <= 70, "{census:?}");
}

/// The port keeps receiving when the application hoards: frames come in as long as they are given back.
#[test]
fn receive_rings_are_served_when_the_application_hoards() {
    let pool = hundred(16);
    let mut rx = RxBuffers::new(pool.clone(), 8).unwrap();
    assert_eq!(rx.arm(8, |_, _| {}), 8);
    let mut hoarded = drain(&pool);
    assert_eq!(hoarded.len(), 82);
    let mut burst = Burst::new(8);
    for _ in 0..50 {
        let frame = |_| Arrival::Frame { len: 60, metadata: Metadata::default() };
        assert_eq!(rx.receive(&mut burst, 8, frame), 8);
        // The application wants more for answers, and gets none.
        assert!(pool.alloc().is_none());
        assert_eq!(rx.arm(8, |_, _| {}), 8);
        burst.clear();
    }
    // It is served again as soon as it gives back.
    hoarded.truncate(40);
    assert_eq!(pool.level(), Level::Calm);
    assert!(pool.alloc().is_some());
    drop((hoarded, rx));
    assert_all_home(&pool);
}

#[test]
fn a_receive_ring_that_finds_nothing_goes_on_when_there_is_something() {
    let pool = hundred(0);
    let mut rx = RxBuffers::new(pool.clone(), 8).unwrap();
    let all = hoard(&pool, Priority::High);
    assert_eq!(rx.arm(8, |_, _| unreachable!()), 0);
    assert_eq!(pool.stats().alloc_empty, 2);
    drop(all);
    assert_eq!(rx.arm(8, |_, _| {}), 8);
}

#[test]
fn the_smallest_pools_have_levels_too() {
    for buffers in 1..5 {
        let watermarks = Watermarks { low: 0, pressure: 0, high: 0 };
        let pool = Pool::new(&PoolOptions { watermarks, ..options(buffers, 2) }).unwrap();
        // All is reserved.
        assert!(pool.alloc().is_none());
        let all = hoard(&pool, Priority::High);
        assert_eq!((all.len() as u32, pool.level()), (buffers, Level::Critical));
        drop(all);
        assert_eq!(pool.level(), Level::Calm);
        assert_all_home(&pool);
    }
}

#[test]
fn without_a_reserve_the_last_buffer_is_anybodys() {
    let pool = pool(10, 4);
    assert_eq!(drain(&pool).len(), 10);
    let watermarks = Watermarks { low: 100, pressure: 100, high: 100 };
    let pool = Pool::new(&PoolOptions { watermarks, ..options(10, 4) }).unwrap();
    assert_eq!(hoard(&pool, Priority::Low).len(), 10);
    assert_eq!((pool.level(), pool.next_event()), (Level::Calm, None));
}

#[test]
fn watermarks_out_of_order_are_refused() {
    for (low, pressure, high) in [(60, 50, 90), (10, 95, 90), (10, 20, 101)] {
        let watermarks = Watermarks { low, pressure, high };
        let refused = Pool::new(&PoolOptions { watermarks, ..options(10, 4) }).unwrap_err();
        let expected = format!(
            "a pool's watermarks of {low}, {pressure} and {high} per cent: low <= pressure <= high <= 100 is possible"
        );
        assert!(matches!(&refused, Error::Invalid(text) if *text == expected), "{refused}");
    }
}
