//! Small packets cut from large blocks.

mod common;

use std::sync::mpsc;
use std::thread;

use common::{assert_all_home, blocks, content, fill, lent};
use gannet_mempool::{Account, Error, FragCache, Packet, Pool, Refused, Tracking};

fn cache(count: u32, block_kib: u8, headroom: u16) -> FragCache {
    FragCache::new(&Pool::of_blocks(&blocks(count, block_kib, headroom)).unwrap()).unwrap()
}

/// The address that a piece begins at.
fn start(packet: &Packet) -> usize {
    packet.data().as_ptr() as usize - packet.headroom()
}

#[test]
fn pieces_of_all_sizes_lie_beside_each_other() {
    for headroom in [0, 64, 100] {
        let mut cache = cache(64, 4, headroom);
        let step = if cfg!(miri) { 61 } else { 1 };
        let rooms = || (0..300).step_by(step).chain([1000, 2000, 4096 - usize::from(headroom)]);
        let mut packets: Vec<Packet> = Vec::new();
        for room in rooms() {
            let mut packet = cache.alloc(room).unwrap();
            assert_eq!((packet.len(), packet.headroom()), (0, headroom.into()));
            assert!(packet.tailroom() >= room && (start(&packet) % 64, packet.tailroom() < room + 128) == (0, true));
            let all = packet.tailroom();
            packet.append(all).unwrap().fill(room as u8);
            packet.prepend(headroom.into()).unwrap().fill(room as u8);
            packets.push(packet);
        }
        for (packet, room) in packets.iter().zip(rooms()) {
            assert!(packet.data().iter().all(|&byte| byte == room as u8), "a piece of {room}");
        }
        let pool = cache.pool().clone();
        drop((packets, cache));
        assert_all_home(&pool);
    }
}

#[test]
fn what_no_block_holds_is_refused() {
    let mut cache = cache(1, 4, 64);
    assert_eq!(cache.alloc(4033).unwrap_err(), Refused::NoRoom { wanted: 4033, available: 4032 });
    assert_eq!(cache.alloc(usize::MAX).unwrap_err(), Refused::NoRoom { wanted: usize::MAX, available: 4032 });
    let whole = cache.alloc(4032).unwrap();
    assert_eq!(whole.tailroom(), 4032);
    assert_eq!(cache.alloc(0).unwrap_err(), Refused::NoBuffer);
    assert_eq!(cache.alloc(0).unwrap_err(), Refused::NoBuffer);
    drop(whole);
    cache.alloc(0).unwrap();
}

#[test]
fn pools_and_blocks_that_cannot_be_are_refused() {
    let plain = FragCache::new(&common::pool(4, 0)).unwrap_err();
    assert!(matches!(&plain, Error::Invalid(text) if text.contains("Pool::of_blocks")), "{plain}");
    // 2^24 granules of 64 bytes are all that slots can name.
    for (count, kib, headroom) in [(0, 4, 0), (65_537, 4, 0), (4, 5, 0), (4, 64, 0), (4, 4, 1025), (32_769, 32, 0)] {
        let refused = Pool::of_blocks(&blocks(count, kib, headroom)).unwrap_err();
        assert!(matches!(&refused, Error::Invalid(text) if text.contains("possible")), "{count} {kib} {refused}");
    }
}

#[test]
fn a_block_is_cut_again_when_all_its_pieces_are_home() {
    let mut cache = cache(4, 4, 0);
    let first = cache.alloc(64).unwrap();
    let block = start(&first);
    drop(first);
    // 63 more fill the block; none is out when the next one is asked for.
    for _ in 0..1000 {
        let packet = cache.alloc(64).unwrap();
        assert!((block..block + 4096).contains(&start(&packet)));
    }
    assert_eq!(cache.pool().census().out, 1);
    // One piece that stays out, and the block is left to it.
    let stays = cache.alloc(64).unwrap();
    let elsewhere = (0..64).map(|_| start(&cache.alloc(64).unwrap())).last().unwrap();
    assert!(!(block..block + 4096).contains(&elsewhere));
    assert_eq!(cache.pool().census().out, 2);
    drop(stays);
    assert_eq!(cache.pool().census().out, 1);
}

#[test]
fn a_cache_may_go_before_its_pieces() {
    let mut cache = cache(4, 4, 0);
    let pool = cache.pool().clone();
    let region = std::sync::Arc::downgrade(pool.region());
    let pieces = [b"one", b"two"].map(|bytes| cache.copy(bytes).unwrap());
    drop(cache);
    assert_eq!(pool.census().out, 1);
    drop(pool);
    let [one, two] = pieces;
    drop(one);
    assert_eq!((two.data(), region.strong_count()), (&b"two"[..], 1));
    drop(two);
    assert_eq!(region.strong_count(), 0);

    // Nor does an unused cache keep anything.
    let cache = self::cache(4, 4, 0);
    let pool = cache.pool().clone();
    drop(cache);
    assert_all_home(&pool);
}

#[test]
fn pieces_are_packets_like_others() {
    let mut cache = cache(16, 4, 64);
    let account = Account::new("fragments", 10).unwrap();
    let (memory, _) = lent(b"lent");
    let mut packet = cache.copy(b"head ").unwrap();
    packet.charge(&account).unwrap();
    packet.append_segment(cache.copy(b"tail ").unwrap()).unwrap();
    packet.append_segment(Packet::from_external(cache.pool(), &memory, 0, 4).unwrap()).unwrap();
    let mut share = packet.share();
    share.data_mut().unwrap().make_ascii_uppercase();
    assert_eq!((content(&packet), content(&share)), (b"head tail lent".to_vec(), b"HEAD tail lent".to_vec()));
    assert_eq!(account.usage().held, 2);
    assert!(matches!(share.split(7), Err(Refused::Shared)));
    packet.linearize().unwrap();
    assert_eq!(packet.data(), b"head tail lent");
    let rest = share.split(7).unwrap().unwrap();
    assert_eq!((content(&share), content(&rest)), (b"HEAD ta".to_vec(), b"il lent".to_vec()));
    let pool = cache.pool().clone();
    drop((packet, share, rest, cache));
    assert_eq!(account.usage().held, 0);
    assert_all_home(&pool);
}

/// What is noted of a piece does not stay when another one is cut from the same bytes, in pools that are followed too.
#[test]
fn what_was_noted_of_a_piece_is_not_of_the_next() {
    for tracking in [Tracking::Off, Tracking::On] {
        let options = gannet_mempool::BlockOptions { tracking, ..blocks(4, 4, 0) };
        let pool = Pool::of_blocks(&options).unwrap();
        let account = Account::new("pieces", 100).unwrap();
        for round in 0..5 {
            let mut cache = FragCache::new(&pool).unwrap();
            let mut pieces: Vec<_> = (0..20).map(|_| cache.copy(&[round; 60]).unwrap()).collect();
            assert!(pieces.iter().all(|piece| !piece.is_shared() && piece.segments().count() == 1));
            assert_eq!(account.usage().held, 0);
            // Every other round with notes.
            if round % 2 == 0 {
                let charged = pieces.iter_mut().step_by(2);
                charged.for_each(|piece| piece.charge(&account).unwrap());
                let mut chain = pieces.split_off(10).into_iter();
                chain.by_ref().take(5).for_each(|piece| pieces[0].append_segment(piece).unwrap());
            }
            drop((pieces, cache));
            assert_eq!(account.usage().held, 0, "{tracking:?}, round {round}");
            assert_all_home(&pool);
        }
        // A whole block after pieces of it.
        let mut whole: Vec<_> = common::drain(&pool);
        whole.iter_mut().for_each(|block| fill(block, &[1; 4096]));
        drop(whole);
        assert_eq!(account.usage().held, 0);
        assert_all_home(&pool);
    }
}

#[test]
fn pieces_freed_on_another_thread_bring_their_blocks_home() {
    let mut cache = cache(8, 4, 0);
    let pool = cache.pool().clone();
    let (sender, receiver) = mpsc::sync_channel::<Packet>(100);
    let other = thread::spawn(move || {
        for packet in receiver {
            assert!(packet.data().iter().all(|&byte| usize::from(byte) == packet.len()));
        }
    });
    let rounds = if cfg!(miri) { 20 } else { 50_000 };
    let mut sent = 0;
    while sent < rounds {
        let len = sent % 200;
        match cache.copy(&vec![len as u8; len]) {
            Ok(packet) => {
                sender.send(packet).unwrap();
                sent += 1;
            }
            Err(why) => {
                assert_eq!(why, Refused::NoBuffer);
                thread::yield_now();
            }
        }
    }
    drop(sender);
    other.join().unwrap();
    drop(cache);
    assert_all_home(&pool);
}
