//! Bursts.

mod common;

use common::{FixedMapper, assert_all_home, fill, pool};
use gannet_mempool::buffers::TxBuffers;
use gannet_mempool::dma::{DmaMapper, DmaTable};
use gannet_mempool::{Burst, MAX_BURST, Packet, Pool};
use std::sync::Arc;

/// A packet of one byte.
fn numbered(pool: &Pool, number: u8) -> Packet {
    let mut packet = pool.alloc().unwrap();
    fill(&mut packet, &[number]);
    packet
}

fn numbers(burst: &Burst) -> Vec<u8> {
    burst.iter().map(|packet| packet.data()[0]).collect()
}

#[test]
fn packets_leave_in_the_order_they_came() {
    let pool = pool(8, 4);
    let mut burst = Burst::new(8);
    for number in 0..8 {
        burst.push(numbered(&pool, number)).unwrap();
    }
    assert_eq!((burst.len(), burst.room()), (8, 0));
    for number in 0..8 {
        assert_eq!(burst.pop_front().unwrap().data(), [number]);
        assert_eq!(burst.room(), usize::from(number) + 1);
    }
    assert!(burst.pop_front().is_none());
    assert_all_home(&pool);
}

#[test]
fn a_full_burst_gives_the_packet_back() {
    let pool = pool(8, 4);
    let mut burst = Burst::new(2);
    burst.push(numbered(&pool, 1)).unwrap();
    burst.push(numbered(&pool, 2)).unwrap();
    let refused = burst.push(numbered(&pool, 3)).unwrap_err();
    assert_eq!(refused.data(), [3]);
    assert_eq!(numbers(&burst), [1, 2]);
    assert_eq!(pool.census().out, 3);
}

#[test]
fn the_limit_is_cut_to_what_is_possible() {
    for (asked, limit) in
        [(0, 1), (1, 1), (32, 32), (MAX_BURST, MAX_BURST), (MAX_BURST + 1, MAX_BURST), (usize::MAX, MAX_BURST)]
    {
        let burst = Burst::new(asked);
        assert_eq!((burst.limit(), burst.room(), burst.len()), (limit, limit, 0));
    }
    let pool = pool(300, 512);
    let mut burst = Burst::new(usize::MAX);
    assert!(pool.alloc_bulk(&mut burst, MAX_BURST));
    assert_eq!(burst.room(), 0);
    burst.clear();
    assert_all_home(&pool);
}

#[test]
fn room_at_the_front_is_used_again() {
    let pool = pool(64, 16);
    let mut burst = Burst::new(4);
    let mut next = 0;
    // Whatever is taken from the front, as many fit behind the rest, in order.
    for taken in [0, 1, 2, 3, 4, 3, 2, 1, 1, 1, 4, 1] {
        while burst.room() > 0 {
            burst.push(numbered(&pool, next)).unwrap();
            next += 1;
        }
        let expected: Vec<u8> = (next - 4..next).collect();
        assert_eq!(numbers(&burst), expected);
        for _ in 0..taken {
            drop(burst.pop_front());
        }
        assert_eq!(numbers(&burst), expected[taken..]);
        assert_eq!(pool.census().out as usize, 4 - taken);
    }
}

#[test]
fn what_a_send_left_is_followed_by_new_packets() {
    let pool = pool(64, 16);
    let mapper: Arc<dyn DmaMapper> = Arc::new(FixedMapper::default());
    let mut dma = DmaTable::new();
    dma.map(&pool, &mapper).unwrap();
    let mut tx = TxBuffers::new(64).unwrap();
    let mut burst = Burst::new(8);
    for number in 0..8 {
        burst.push(numbered(&pool, number)).unwrap();
    }
    assert_eq!(tx.send(&mut burst, 5, &dma, 1..=512, |_, _| {}), 5);
    assert_eq!((numbers(&burst), burst.room()), (vec![5, 6, 7], 5));
    assert!(pool.alloc_bulk(&mut burst, 5));
    burst[3..].iter_mut().zip(8..).for_each(|(packet, number)| fill(packet, &[number]));
    assert_eq!(numbers(&burst), [5, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(pool.census().out, 13);
    drop((burst, tx));
    assert_all_home(&pool);
}

#[test]
fn clear_and_drop_free_all_packets() {
    let (a, b) = (pool(32, 8), pool(32, 64));
    for mixed in [false, true] {
        let mut burst = Burst::new(32);
        burst.clear();
        for at in 0..20 {
            let pool = if mixed && at % 3 == 0 { &b } else { &a };
            assert!(pool.alloc_bulk(&mut burst, 1));
        }
        drop(burst.pop_front());
        burst.clear();
        assert_eq!((burst.len(), burst.room()), (0, 32));
        assert_all_home(&a);
        assert_all_home(&b);

        assert!(a.alloc_bulk(&mut burst, 10));
        assert!(!mixed || b.alloc_bulk(&mut burst, 10));
        drop(burst);
        assert_all_home(&a);
        assert_all_home(&b);
    }
}

#[test]
fn packets_may_change_places() {
    let pool = pool(8, 4);
    let (mut a, mut b) = (Burst::new(4), Burst::new(4));
    for number in 0..4 {
        a.push(numbered(&pool, number)).unwrap();
        b.push(numbered(&pool, 10 + number)).unwrap();
    }
    a.reverse();
    a[..2].swap_with_slice(&mut b[2..]);
    std::mem::swap(&mut a[3], &mut b[0]);
    assert_eq!((numbers(&a), numbers(&b)), (vec![12, 13, 1, 10], vec![0, 11, 3, 2]));
    drop(a);
    assert_eq!(pool.census().out, 4);
    drop(b);
    assert_all_home(&pool);
}

#[test]
fn a_burst_may_be_sent_to_another_thread() {
    let pool = pool(64, 8);
    let mut burst = Burst::new(32);
    assert!(pool.alloc_bulk(&mut burst, 32));
    burst.iter_mut().zip(0..).for_each(|(packet, number)| fill(packet, &[number; 100]));
    let other = std::thread::spawn(move || {
        assert!(burst.iter().zip(0u8..).all(|(packet, number)| packet.data() == [number; 100]));
    });
    other.join().unwrap();
    assert_all_home(&pool);
}
