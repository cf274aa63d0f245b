//! Threads that pass packets to each other as fast as they can.

mod common;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use common::{assert_all_home, fill, pool};
use gannet_mempool::{Burst, Packet, Pool};

const PACKETS: u64 = if cfg!(miri) { 200 } else { 1_000_000 };

/// Sends numbered packets until they are `PACKETS`, in runs of 1 to 32.
fn produce(pool: &Pool, sender: &SyncSender<Vec<Packet>>) {
    let mut burst = Burst::new(32);
    let mut next = 0;
    while next < PACKETS {
        let count = (next % 32 + 1).min(PACKETS - next);
        while !pool.alloc_bulk(&mut burst, count as usize) {
            // The consumer has them; on one core it must run to give them back.
            thread::yield_now();
        }
        let mut run = Vec::with_capacity(32);
        while let Some(mut packet) = burst.pop_front() {
            fill(&mut packet, &next.to_le_bytes());
            run.push(packet);
            next += 1;
        }
        sender.send(run).unwrap();
    }
}

/// Checks the numbers and drops the packets, in bulk and one by one in turn.
fn consume(receiver: &Receiver<Vec<Packet>>) {
    let mut next = 0u64;
    let mut burst = Burst::new(32);
    while next < PACKETS {
        for packet in receiver.recv().unwrap() {
            assert_eq!(packet.data(), next.to_le_bytes());
            next += 1;
            if next % 64 < 32 {
                drop(packet);
            } else if let Err(packet) = burst.push(packet) {
                burst.clear();
                drop(packet);
            }
        }
    }
}

#[test]
fn two_threads_pass_a_million_packets_and_all_come_home() {
    for (buffers, cache) in [(512, 64), (300, 0)] {
        let pool = pool(buffers, cache);
        let (sender, receiver) = sync_channel(4);
        let consumer = thread::spawn(move || consume(&receiver));
        produce(&pool, &sender);
        consumer.join().unwrap();
        assert_all_home(&pool);
        drop(sender);
    }
}

/// Both threads produce and consume, over one pool that is too small for both to have what they like.
#[test]
fn two_threads_that_both_allocate_and_free_share_a_small_pool() {
    let pool = pool(128, 16);
    let threads = [1u8, 2].map(|mark| {
        let pool = pool.clone();
        thread::spawn(move || {
            let mut burst = Burst::new(64);
            let mut held = Vec::new();
            for round in 0..PACKETS / 32 {
                if pool.alloc_bulk(&mut burst, (round % 61 + 1) as usize) {
                    burst.iter_mut().for_each(|packet| fill(packet, &[mark; 64]));
                    held.extend(burst.pop_front());
                }
                assert!(burst.iter().chain(&held).all(|packet| packet.data() == [mark; 64]));
                burst.clear();
                if held.len() > 20 {
                    held.clear();
                }
            }
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
    assert_all_home(&pool);
    assert_eq!(pool.census().cached, 0);
}
