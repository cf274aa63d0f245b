//! Making pools, taking buffers and giving them back.

mod common;

use std::collections::HashSet;

use common::{assert_all_home, drain, fill, index, options, pool};
use gannet_mempool::{Burst, Error, Packet, Pool, PoolOptions, Refused, Request, Watermarks};

#[test]
fn every_buffer_can_be_taken_and_given_back_again_and_again() {
    const BUFFERS: u32 = if cfg!(miri) { 50 } else { 500 };
    let pool = pool(BUFFERS, 16);
    for round in 0..3u8 {
        let mut packets = drain(&pool);
        assert_eq!(packets.len() as u32, BUFFERS);
        assert_eq!(pool.census().out, BUFFERS);
        assert_eq!(packets.iter().map(|packet| index(&pool, packet)).collect::<HashSet<_>>().len(), packets.len());
        for packet in &mut packets {
            assert_eq!((packet.len(), packet.headroom(), packet.tailroom()), (0, 64, 512));
            fill(packet, &[round; 512]);
        }
        assert!(packets.iter().all(|packet| packet.data() == [round; 512]));
        drop(packets);
        assert_all_home(&pool);
    }
    assert_eq!(pool.stats().alloc_empty, 3);
}

#[test]
fn one_more_in_bulk_than_there_are_takes_nothing() {
    for cache in [0, 1, 32, 64, 512] {
        let pool = pool(100, cache);
        let mut burst = Burst::new(256);
        assert!(!pool.alloc_bulk(&mut burst, 101));
        assert!(burst.is_empty());
        assert_all_home(&pool);
        assert_eq!(pool.stats().alloc_empty, 1);

        assert!(pool.alloc_bulk(&mut burst, 100), "cache of {cache}");
        assert_eq!(pool.census().out, 100);
        assert!(!pool.alloc_bulk(&mut burst, 1));
        assert_eq!(burst.len(), 100);
        burst.clear();

        // Nor when some of them are in this core's cache and some in the ring.
        let one = pool.alloc().unwrap();
        assert!(!pool.alloc_bulk(&mut burst, 100));
        assert!(pool.alloc_bulk(&mut burst, 99));
        drop((one, burst));
        assert_all_home(&pool);
    }
}

#[test]
fn bulk_beyond_the_burst_takes_nothing() {
    let pool = pool(100, 32);
    let mut burst = Burst::new(8);
    assert!(!pool.alloc_bulk(&mut burst, 9));
    assert!(pool.alloc_bulk(&mut burst, 8));
    assert!(!pool.alloc_bulk(&mut burst, 1));
    assert!(pool.alloc_bulk(&mut burst, 0));
    assert_eq!((burst.len(), pool.census().out), (8, 8));
    assert_eq!(pool.stats().alloc_empty, 0);
}

#[test]
fn a_pool_of_one_buffer_works() {
    for cache in [0, 1, 512] {
        let pool = pool(1, cache);
        for _ in 0..3 {
            let packet = pool.alloc().unwrap();
            assert!(pool.alloc().is_none());
            drop(packet);
        }
        assert_all_home(&pool);
    }
}

#[test]
fn the_buffer_freed_last_is_taken_first() {
    let pool = pool(100, 32);
    let (a, b) = (pool.alloc().unwrap(), pool.alloc().unwrap());
    let (a_index, b_index) = (index(&pool, &a), index(&pool, &b));
    drop(a);
    drop(b);
    assert_eq!(index(&pool, &pool.alloc().unwrap()), b_index);
    let (b, a) = (pool.alloc().unwrap(), pool.alloc().unwrap());
    assert_eq!((index(&pool, &a), index(&pool, &b)), (a_index, b_index));
}

#[test]
fn options_out_of_range_are_refused_with_the_range() {
    let refused = |change: fn(&mut PoolOptions)| {
        let mut options = options(16, 4);
        change(&mut options);
        match Pool::new(&options) {
            Err(Error::Invalid(text)) => text,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(|o| o.buffers = 0), "a pool's buffers of 0: 1 to 16500000 is possible");
    assert_eq!(refused(|o| o.buffers = 16_500_001), "a pool's buffers of 16500001: 1 to 16500000 is possible");
    assert_eq!(refused(|o| o.data_room = 63), "a pool's data_room of 63: 64 to 16384 is possible");
    assert_eq!(refused(|o| o.data_room = 16_385), "a pool's data_room of 16385: 64 to 16384 is possible");
    assert_eq!(refused(|o| o.headroom = 4_097), "a pool's headroom of 4097: 0 to 4096 is possible");
    assert_eq!(refused(|o| o.cache = 65_537), "a pool's cache of 65537: 0 to 65536 is possible");
}

#[test]
#[cfg_attr(miri, ignore = "thousands of buffers take minutes there")]
fn no_buffer_lies_across_two_huge_pages() {
    const PAGE: usize = 2 << 20;
    let wanted = PoolOptions { data_room: 2048, headroom: 128, ..options(3_000, 0) };
    let pool = Pool::new(&wanted).unwrap();
    let base = pool.region().base().as_ptr() as usize;
    let packets = drain(&pool);
    assert_eq!(packets.len(), 3_000);
    for packet in &packets {
        let first = packet.data().as_ptr() as usize - packet.headroom() - base;
        let last = first + pool.stride() as usize - 1;
        assert_eq!(first / PAGE, last / PAGE, "a buffer from {first:#x} to {last:#x}");
    }
}

#[test]
fn options_at_their_limits_work() {
    for (data_room, headroom) in [(64, 0), (64, 4_096), (16_384, 0), (16_384, 4_096)] {
        let pool = Pool::new(&PoolOptions { data_room, headroom, ..options(3, 2) }).unwrap();
        let mut packets = drain(&pool);
        assert_eq!(packets.len(), 3);
        for packet in &mut packets {
            packet.append(data_room.into()).unwrap();
            packet.prepend(headroom.into()).unwrap();
            assert_eq!((packet.headroom(), packet.tailroom()), (0, 0));
            packet.data_mut().unwrap().fill(0x5A);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "64 caches of 65,536 entries are slow to make")]
fn the_largest_cache_works() {
    // Caches of this size would be given back under pressure.
    let watermarks = Watermarks { low: 100, pressure: 100, high: 100 };
    let pool = Pool::new(&PoolOptions { watermarks, ..options(70_000, 65_536) }).unwrap();
    let packets = drain(&pool);
    assert_eq!(packets.len(), 70_000);
    drop(packets);
    assert_all_home(&pool);
    assert_eq!(pool.stats().recycle_full, 1);
    assert_eq!(drain(&pool).len(), 70_000);
}

#[test]
fn the_stride_is_an_odd_number_of_lines_and_holds_the_buffer() {
    for (data_room, headroom) in [(64, 0), (65, 0), (128, 0), (512, 64), (2048, 128), (1920, 128), (16_384, 4_096)] {
        let pool = Pool::new(&PoolOptions { data_room, headroom, ..options(2, 0) }).unwrap();
        let (stride, room) = (pool.stride(), u32::from(data_room) + u32::from(headroom));
        assert_eq!((stride % 64, stride / 64 % 2), (0, 1), "{data_room} + {headroom}");
        assert!((room..room + 128).contains(&stride), "{data_room} + {headroom}");
        assert!(pool.region().len() >= 2 * stride as usize);
    }
}

#[test]
fn default_options_hold_a_frame_with_its_headroom() {
    let PoolOptions { data_room, headroom, .. } = PoolOptions::default();
    let pool = Pool::new(&PoolOptions { buffers: 8, ..PoolOptions::default() }).unwrap();
    assert_eq!((pool.data_room(), pool.headroom()), (data_room, headroom));
    let mut packet = pool.alloc().unwrap();
    packet.append(1518).unwrap();
    packet.prepend(64).unwrap();
}

#[test]
fn new_memory_is_zeroed() {
    let pool = pool(6, 0);
    for mut packet in drain(&pool) {
        packet.prepend(64).unwrap();
        assert!(packet.append(512).unwrap().iter().all(|&byte| byte == 0));
        assert!(packet.data().iter().all(|&byte| byte == 0));
    }
}

#[test]
fn headroom_and_alignment_are_as_requested() {
    let pool = pool(4, 2);
    let first = |packet: &Packet| packet.data().as_ptr() as usize;
    let with = |headroom, align| pool.alloc_with(&Request { headroom, align, ..Request::default() });
    for (headroom, align, expected) in [
        (None, 0, 64),
        (None, 1, 64),
        (Some(0), 0, 0),
        (Some(2), 1, 2),
        (Some(2), 16, 16),
        (Some(65), 64, 128),
        (Some(16), 16, 16),
        // Three is no power of two: the next one is taken.
        (Some(1), 3, 4),
        (Some(576), 1, 576),
        (Some(513), 64, 576),
    ] {
        let mut packet = with(headroom, align).unwrap();
        assert_eq!((packet.headroom(), packet.tailroom()), (expected, 576 - expected), "{headroom:?} {align}");
        assert_eq!(first(&packet) % usize::from(align.max(1).next_power_of_two()), 0);
        packet.append(576 - expected).unwrap();
        packet.prepend(expected).unwrap().fill(1);
    }
    let refused = |headroom, align| with(headroom, align).unwrap_err();
    assert_eq!(refused(Some(577), 1), Refused::NoRoom { wanted: 577, available: 576 });
    assert_eq!(refused(Some(577), 64), Refused::NoRoom { wanted: 577, available: 576 });
    assert_eq!(refused(Some(u16::MAX), 64), Refused::NoRoom { wanted: 65_535, available: 576 });
    assert_eq!(refused(None, 128), Refused::NoRoom { wanted: 128, available: 576 });
    assert_eq!(refused(None, u16::MAX), Refused::NoRoom { wanted: 65_535, available: 576 });
    assert_all_home(&pool);

    let mut burst = Burst::new(8);
    let request = Request { headroom: Some(30), align: 32, ..Request::default() };
    pool.alloc_bulk_with(&request, &mut burst, 4).unwrap();
    assert!(burst.iter().all(|packet| packet.headroom() == 32));
}
