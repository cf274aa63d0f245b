//! Giving packets up: dropped with a reason, shared, and copied when one of those who share them writes.

mod common;

use std::sync::Barrier;
use std::thread;

use common::{assert_all_home, chain, content, drain, fill, frame, lent, pool};
use gannet_mempool::registry::{self, Reason};
use gannet_mempool::{Account, Burst, FragCache, Packet, Pool, Refused, Request};

fn owners_of_one_buffer(packets: &[&Packet]) -> bool {
    packets.iter().all(|packet| packet.is_shared() && packet.data().as_ptr() == packets[0].data().as_ptr())
}

#[test]
fn packets_dropped_for_a_reason_come_home_and_are_counted() {
    static REASON: Reason = Reason::new("test.release", "unwanted", "nobody wants them");
    let pool = pool(16, 4);
    frame(&pool, b"one").drop_with(&REASON);
    let mut burst = Burst::new(8);
    assert!(pool.alloc_bulk(&mut burst, 5));
    burst[0].append(3).unwrap();
    drop(burst[0].share());
    burst.drop_with(&REASON);
    assert!(burst.is_empty());
    burst.drop_with(&REASON);
    assert_eq!(REASON.value(), 6);
    assert!(registry::drops().iter().any(|row| (row.place, row.why, row.packets) == ("test.release", "unwanted", 6)));
    assert_all_home(&pool);
}

#[test]
fn a_share_is_the_same_bytes_in_the_same_buffer() {
    let pool = pool(4, 2);
    let mut packet = frame(&pool, b"frame");
    assert!(!packet.is_shared());
    let share = packet.share();
    assert_eq!((share.data(), pool.census().out), (&b"frame"[..], 1));
    assert_eq!((share.headroom(), share.tailroom()), (packet.headroom(), packet.tailroom()));
    assert!(owners_of_one_buffer(&[&packet, &share]));
    drop(packet);
    assert!(!share.is_shared());
    assert_eq!((share.data(), pool.census().out), (&b"frame"[..], 1));
    drop(share);
    assert_all_home(&pool);
}

#[test]
fn a_share_of_a_share_keeps_the_buffer_whichever_goes_last() {
    let pool = pool(4, 2);
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut first = frame(&pool, b"frame");
        let mut second = first.share();
        let third = second.share();
        assert!(owners_of_one_buffer(&[&first, &second, &third]));
        let mut packets = [Some(first), Some(second), Some(third)];
        for (gone, which) in (1..).zip(order) {
            packets[which] = None;
            assert_eq!(pool.census().out, u32::from(gone < 3));
            assert!(
                packets.iter().flatten().all(|packet| packet.data() == b"frame" && packet.is_shared() == (gone < 2))
            );
        }
    }
    assert_all_home(&pool);
}

#[test]
fn lengths_of_shares_are_each_ones_own() {
    let pool = pool(4, 2);
    let mut packet = frame(&pool, b"header and body");
    let mut share = packet.share();
    share.adjust(11).unwrap();
    packet.trim(9).unwrap();
    assert_eq!((packet.data(), share.data()), (&b"header"[..], &b"body"[..]));
    assert!(packet.is_shared() && pool.census().out == 1, "neither has written");
    assert_eq!(share.adjust(5), Err(Refused::NoRoom { wanted: 5, available: 4 }));
    assert_eq!(packet.trim(7), Err(Refused::NoRoom { wanted: 7, available: 6 }));
}

/// Each way to write, as a closure that leaves `"Frame"`-like content different from before.
type Write = fn(&mut Packet) -> Result<(), Refused>;
const WRITES: [Write; 4] = [
    |packet| packet.data_mut().map(|bytes| bytes.fill(b'x')),
    |packet| packet.append(3).map(|bytes| bytes.fill(b'x')),
    |packet| packet.prepend(3).map(|bytes| bytes.fill(b'x')),
    |packet| packet.make_own(),
];

#[test]
fn who_writes_first_gets_a_buffer_of_its_own() {
    let pool = pool(4, 2);
    for write in WRITES {
        for original_writes in [true, false] {
            let mut packet = frame(&pool, b"frame");
            packet.adjust(1).unwrap();
            let mut share = packet.share();
            let (writer, other) = if original_writes { (&mut packet, &share) } else { (&mut share, &packet) };
            let before = other.data().as_ptr();
            write(writer).unwrap();
            assert_eq!((other.data(), other.data().as_ptr()), (&b"rame"[..], before));
            assert!(!writer.is_shared() && !other.is_shared());
            assert_eq!(pool.census().out, 2);
            // The second time there is nothing to copy.
            let own = writer.data().as_ptr_range().end;
            writer.data_mut().unwrap().fill(b'y');
            assert_eq!((writer.data().as_ptr_range().end, other.data()), (own, &b"rame"[..]));
        }
        assert_all_home(&pool);
    }
}

#[test]
fn the_last_of_those_who_shared_writes_without_a_copy() {
    let pool = pool(2, 0);
    let mut packet = frame(&pool, b"frame");
    drop(packet.share());
    let place = packet.data().as_ptr();
    packet.data_mut().unwrap().fill(0);
    assert_eq!((packet.data().as_ptr(), pool.census().out), (place, 1));
}

#[test]
fn a_write_that_finds_no_buffer_changes_nothing() {
    let pool = pool(2, 0);
    let mut packet = frame(&pool, b"frame");
    let share = packet.share();
    let rest = drain(&pool);
    for write in WRITES {
        assert_eq!(write(&mut packet), Err(Refused::NoBuffer));
        assert!(owners_of_one_buffer(&[&packet, &share]));
        assert_eq!((packet.data(), packet.headroom()), (&b"frame"[..], 64));
    }
    drop(rest);
    WRITES[0](&mut packet).unwrap();
    assert_eq!((packet.data(), share.data()), (&b"xxxxx"[..], &b"frame"[..]));
}

#[test]
fn a_write_that_the_account_forbids_changes_nothing() {
    let pool = pool(8, 2);
    let account = Account::new("release", 1).unwrap();
    let request = Request { account: Some(&account), ..Request::default() };
    let mut packet = pool.alloc_with(&request).unwrap();
    fill(&mut packet, b"frame");
    let share = packet.share();
    for write in WRITES {
        assert!(matches!(write(&mut packet), Err(Refused::OverLimit(_))));
        assert!(owners_of_one_buffer(&[&packet, &share]));
        assert_eq!((packet.data(), account.usage().held, pool.census().out), (&b"frame"[..], 1, 1));
    }
    account.set_limit(2);
    WRITES[0](&mut packet).unwrap();
    assert_eq!((share.data(), account.usage().held), (&b"frame"[..], 2));
    drop((packet, share));
    assert_eq!(account.usage().held, 0);
    assert_all_home(&pool);
}

#[test]
fn a_shared_chain_keeps_its_tail_when_one_writes() {
    let pool = pool(8, 2);
    let mut packet = chain(&pool, &[b"head ", b"middle ", b"tail"]);
    let share = packet.share();
    assert_eq!((content(&share), pool.census().out), (b"head middle tail".to_vec(), 3));
    packet.data_mut().unwrap().copy_from_slice(b"HEAD ");
    assert_eq!((content(&packet), content(&share)), (b"HEAD middle tail".to_vec(), b"head middle tail".to_vec()));
    assert_eq!(pool.census().out, 4, "what is behind is shared still");
    drop(share);
    assert_eq!((content(&packet), pool.census().out), (b"HEAD middle tail".to_vec(), 3));
    // The tail is this one's alone now, and can be taken apart.
    let tail = packet.detach_tail().unwrap().unwrap();
    drop(packet);
    assert_eq!((content(&tail), tail.is_shared()), (b"middle tail".to_vec(), false));
    drop(tail);
    assert_all_home(&pool);
}

#[test]
fn what_a_card_found_out_goes_along_with_shares_and_copies() {
    use gannet_mempool::buffers::{Arrival, RxBuffers};
    use gannet_mempool::{Flags, Metadata};
    let pool = pool(4, 0);
    let mut rx = RxBuffers::new(pool.clone(), 1).unwrap();
    rx.arm(1, |_, _| {});
    let mut burst = Burst::new(1);
    let metadata = Metadata { hash: 7, flags: Flags::RSS, ..Metadata::default() };
    rx.receive(&mut burst, 1, |_| Arrival::Frame { len: 60, metadata });
    let mut packet = burst.pop_front().unwrap();
    let mut share = packet.share();
    share.make_own().unwrap();
    assert_eq!((packet.rss_hash(), share.rss_hash()), (Some(7), Some(7)));
}

/// Many threads join and leave one buffer; each sees the bytes as they were, whoever writes in between.
#[test]
fn owners_on_several_cores_are_counted_right() {
    const THREADS: usize = 4;
    let pool = pool(256, 8);
    for round in 0..if cfg!(miri) { 2 } else { 200u8 } {
        let mut packet = frame(&pool, &[round; 100]);
        let shares: Vec<_> = (0..THREADS).map(|_| packet.share()).collect();
        drop(packet);
        let start = Barrier::new(THREADS);
        thread::scope(|scope| {
            for (number, mut share) in shares.into_iter().enumerate() {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    for _ in 0..if cfg!(miri) { 3 } else { 50 } {
                        let mut another = share.share();
                        assert_eq!(another.data(), [round; 100]);
                        if number % 2 == 0 {
                            another.data_mut().unwrap().fill(!round);
                        }
                        drop(another);
                    }
                    assert_eq!(share.data(), [round; 100]);
                });
            }
        });
        assert_all_home(&pool);
    }
}

/// A pool goes with the last of its packets, whatever kind that is.
#[test]
fn packets_of_every_kind_keep_a_pool_without_handles() {
    let (memory, releases) = lent(b"elsewhere");
    let kinds: [fn(&Pool, &gannet_mempool::dma::External) -> Packet; 5] = [
        |pool, _| frame(pool, b"shared").share(),
        |pool, _| chain(pool, &[b"chain", b"ed"]),
        |pool, memory| Packet::from_external(pool, memory, 4, 5).unwrap(),
        |pool, _| {
            let mut packet = frame(pool, b"charged");
            packet.charge(&Account::new("gone", 9).unwrap()).unwrap();
            packet
        },
        |pool, memory| {
            let mut packet = chain(pool, &[b"all ", b"of "]);
            packet.append_segment(Packet::from_external(pool, memory, 0, 9).unwrap()).unwrap();
            packet.share()
        },
    ];
    for make in kinds {
        let pool = pool(8, 4);
        let region = std::sync::Arc::downgrade(pool.region());
        let mut packet = make(&pool, &memory);
        drop(pool);
        assert_eq!(region.strong_count(), 1);
        let before = content(&packet);
        // The pool still has buffers for copies.
        let mut share = packet.share();
        let _ = share.make_own();
        drop(packet);
        assert_eq!((content(&share), region.strong_count()), (before, 1));
        thread::spawn(move || drop(share)).join().unwrap();
        assert_eq!(region.strong_count(), 0);
    }
    drop(memory);
    assert_eq!(releases.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn a_burst_of_packets_of_every_kind_comes_home_at_once() {
    let (pool, other) = (pool(64, 16), pool(64, 0));
    let blocks = Pool::of_blocks(&common::blocks(2, 4, 0)).unwrap();
    let mut fragments = FragCache::new(&blocks).unwrap();
    let account = Account::new("burst", 100).unwrap();
    let (memory, releases) = lent(&[1; 100]);
    let mut burst = Burst::new(64);
    let mut keep = Vec::new();
    for round in 0..8 {
        let mut packet = frame(&pool, b"plain");
        if round % 2 == 0 {
            keep.push(packet.share());
        }
        burst.push(packet).unwrap();
        burst.push(chain(&other, &[b"a", b"b"])).unwrap();
        burst.push(Packet::from_external(&pool, &memory, 0, 100).unwrap()).unwrap();
        burst.push(fragments.copy(b"piece").unwrap()).unwrap();
        let charged = Request { account: Some(&account), ..Request::default() };
        pool.alloc_bulk_with(&charged, &mut burst, 3).unwrap();
    }
    drop((memory, fragments));
    assert_eq!((account.usage().held, other.census().out, blocks.census().out), (24, 16, 1));
    burst.clear();
    assert_eq!((account.usage().held, other.census().out, blocks.census().out), (0, 0, 0));
    assert_eq!((pool.census().out, releases.load(std::sync::atomic::Ordering::SeqCst)), (4, 1));
    assert!(keep.iter().all(|packet| packet.data() == b"plain" && !packet.is_shared()));
    drop(keep);
    assert_all_home(&pool);
}
