//! What packets can do beside being allocated and freed, on one core.

use std::hint::black_box;

use gannet_mempool::dma::External;
use gannet_mempool::{Account, BlockOptions, Burst, FragCache, Packet, Pool, PoolOptions};

use crate::measure::{Bench, case};

pub(crate) fn all(bench: &Bench) {
    let pool = Pool::new(&PoolOptions::default()).expect("a pool of default size");
    share(bench, &pool);
    copy_on_write(bench, &pool, "copy_on_write_60", 60);
    copy_on_write(bench, &pool, "copy_on_write_1514", 1514);
    chain(bench, &pool);
    fragments(bench);
    external(bench, &pool);
    charge(bench, &pool);
}

fn packet(pool: &Pool, len: usize) -> Packet {
    let mut packet = pool.alloc().expect("a free buffer");
    packet.append(len).expect("room").fill(7);
    packet
}

/// A second owner comes and goes.
fn share(bench: &Bench, pool: &Pool) {
    let mut original = packet(pool, 60);
    bench.each(case("share_free", 1).within(25), || drop(black_box(original.share())));

    let mut originals: Vec<_> = (0..32).map(|_| packet(pool, 60)).collect();
    let mut burst = Burst::new(32);
    bench.each(case("share_free", 32).within(25), || {
        for original in &mut originals {
            burst.push(original.share()).expect("room");
        }
        black_box(&mut burst);
        burst.clear();
    });
}

/// A packet is shared, the twin changed, and dropped.
fn copy_on_write(bench: &Bench, pool: &Pool, name: &'static str, len: usize) {
    let mut original = packet(pool, len);
    bench.each(case(name, 1), || {
        let mut twin = original.share();
        black_box(twin.data_mut().expect("a free buffer"));
    });
}

/// Two packets become one frame, which is dropped.
fn chain(bench: &Bench, pool: &Pool) {
    bench.each(case("chain_append_free", 1), || {
        let (head, tail) = (pool.alloc(), pool.alloc());
        let (mut head, tail) = (head.expect("a free buffer"), tail.expect("a free buffer"));
        head.append_segment(tail).expect("nobody else has them");
        drop(black_box(head));
    });
}

fn fragments(bench: &Bench) {
    const ROOM: usize = 256;
    const PIECES: usize = 1024;
    let pool = Pool::of_blocks(&BlockOptions::default()).expect("a pool of default size");
    let mut cache = FragCache::new(&pool).expect("a pool of blocks");

    let mut pieces = Vec::with_capacity(PIECES);
    bench.runs(case("fragment_alloc", 1).within(12), |clock| {
        let start = clock.raw();
        pieces.extend((0..PIECES).map(|_| cache.alloc(ROOM).expect("a free block")));
        let cycles = clock.raw() - start;
        pieces.clear();
        cycles as f64 / PIECES as f64
    });

    bench.each(case("fragment_alloc_free", 1), || drop(black_box(cache.alloc(ROOM))));
}

/// Foreign bytes become a packet, which is dropped.
fn external(bench: &Bench, pool: &Pool) {
    let memory = External::new(vec![7u8; 4096], drop);
    bench.each(case("from_external_free", 1), || {
        drop(black_box(Packet::from_external(pool, &memory, 0, 1500)));
    });
}

/// A packet goes from one account to another.
fn charge(bench: &Bench, pool: &Pool) {
    let accounts = ["one", "other"].map(|name| Account::new(name, 1 << 20).expect("an account number is free"));
    let mut packet = packet(pool, 60);
    bench.each(case("charge", 2), || {
        for account in &accounts {
            packet.charge(account).expect("below the limit");
        }
    });
}
