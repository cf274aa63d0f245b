//! Packets of bytes that are somebody else's.

mod common;

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use common::{assert_all_home, chain, content, drain, frame, lent, pool};
use gannet_mempool::dma::External;
use gannet_mempool::{Account, OverLimit, Packet, Pool, Refused};

const TEXT: &[u8] = b"bytes of the application";

#[test]
fn the_bytes_are_where_their_owner_has_them() {
    let pool = pool(4, 2);
    let (memory, _) = lent(TEXT);
    let packet = Packet::from_external(&pool, &memory, 6, 6).unwrap();
    assert_eq!((packet.data(), packet.total_len()), (&b"of the"[..], 6));
    assert_eq!(packet.data().as_ptr(), memory.bytes()[6..].as_ptr());
    assert!(packet.is_foreign() && !packet.is_shared());
    assert_eq!((packet.headroom(), packet.tailroom(), pool.census().out), (0, 0, 1));
}

#[test]
fn what_is_not_there_is_refused() {
    let pool = pool(4, 2);
    let (memory, releases) = lent(TEXT);
    let refused = |start, len| Packet::from_external(&pool, &memory, start, len).unwrap_err();
    assert_eq!(refused(0, 25), Refused::NoRoom { wanted: 25, available: 24 });
    assert_eq!(refused(20, 5), Refused::NoRoom { wanted: 5, available: 4 });
    assert_eq!(refused(25, 1), Refused::NoRoom { wanted: 1, available: 0 });
    assert_eq!(refused(usize::MAX, 1), Refused::NoRoom { wanted: 1, available: 0 });
    assert_eq!(refused(1, usize::MAX), Refused::NoRoom { wanted: usize::MAX, available: 23 });
    assert!(Packet::from_external(&pool, &memory, 24, 0).unwrap().is_empty());
    let all = drain(&pool);
    assert_eq!(refused(0, 1), Refused::NoBuffer);
    drop((all, memory));
    assert_eq!(releases.load(SeqCst), 1);

    let (memory, _) = lent(&[7; 70_000]);
    let packet = Packet::from_external(&pool, &memory, 70_000 - 65_535, 65_535).unwrap();
    assert_eq!((packet.data().len(), packet.data()[65_534]), (65_535, 7));
    let refused = Packet::from_external(&pool, &memory, 0, 65_536).unwrap_err();
    assert_eq!(refused, Refused::NoRoom { wanted: 65_536, available: 65_535 });
    drop(packet);
    assert_all_home(&pool);
}

#[test]
fn it_shrinks_without_a_copy_and_grows_only_after_one() {
    let pool = pool(4, 2);
    let (memory, releases) = lent(TEXT);
    let mut packet = Packet::from_external(&pool, &memory, 0, 24).unwrap();
    drop(memory);
    packet.adjust(6).unwrap();
    packet.trim(12).unwrap();
    assert_eq!((packet.data(), packet.is_foreign()), (&b"of the"[..], true));
    assert_eq!(packet.prepend(1), Err(Refused::NoRoom { wanted: 1, available: 0 }));
    assert_eq!(packet.append(1), Err(Refused::NoRoom { wanted: 1, available: 0 }));

    packet.data_mut().unwrap().make_ascii_uppercase();
    assert_eq!((packet.data(), packet.is_foreign(), releases.load(SeqCst)), (&b"OF THE"[..], false, 1));
    assert_eq!((packet.headroom(), packet.tailroom()), (64, 506));
    packet.append(3).unwrap().copy_from_slice(b" GO");
    drop(packet);
    assert_all_home(&pool);
}

#[test]
fn a_write_that_has_no_room_changes_nothing() {
    let pool = pool(2, 0);
    let (memory, releases) = lent(&[5; 600]);
    let mut long = Packet::from_external(&pool, &memory, 0, 513).unwrap();
    assert_eq!(long.make_own(), Err(Refused::NoRoom { wanted: 513, available: 512 }));
    assert_eq!((long.data(), long.is_foreign()), (&[5; 513][..], true));
    long.trim(1).unwrap();
    let other = pool.alloc();
    assert_eq!(long.make_own(), Err(Refused::NoBuffer));
    assert!(long.is_foreign());
    drop(other);
    long.make_own().unwrap();
    assert_eq!((long.data(), long.tailroom()), (&[5; 512][..], 0));
    assert_eq!((pool.census().out, releases.load(SeqCst)), (1, 0), "the handle is there");
}

#[test]
fn the_owner_comes_back_once_when_the_last_packet_is_gone() {
    let pool = pool(8, 2);
    let (sender, receiver) = mpsc::channel();
    let memory = External::new(TEXT.to_vec(), move |owner| sender.send((owner, thread::current().id())).unwrap());
    let mut first = Packet::from_external(&pool, &memory, 0, 5).unwrap();
    let share = first.share();
    let mut behind = frame(&pool, b"head");
    behind.append_segment(Packet::from_external(&pool, &memory, 0, 24).unwrap()).unwrap();
    drop(memory);
    let last = Packet::from_external(&pool, &lent(b"other").0, 0, 5).unwrap();
    for packet in [first, behind, last] {
        drop(packet);
        assert!(receiver.try_recv().is_err());
    }
    assert_eq!(share.data(), b"bytes");
    let other = thread::spawn(move || {
        drop(share);
        thread::current().id()
    });
    assert_eq!(receiver.recv().unwrap(), (TEXT.to_vec(), other.join().unwrap()));
    assert!(receiver.recv().is_err(), "released once");
    assert_all_home(&pool);
}

#[test]
fn a_release_function_may_drop_packets_and_make_some() {
    let (pool, other) = (pool(8, 2), pool(8, 0));
    let inner = {
        let (memory, releases) = lent(b"inner");
        let mut packet = chain(&pool, &[b"a", b"b"]);
        packet.append_segment(Packet::from_external(&other, &memory, 0, 5).unwrap()).unwrap();
        (packet, releases)
    };
    let (packet, inner_releases) = inner;
    let user = pool.clone();
    let made = Arc::new(Mutex::new(None));
    let place = made.clone();
    let memory = External::new([0; 9], move |_| {
        drop(packet);
        *place.lock().unwrap() = user.alloc();
    });
    let outer = Packet::from_external(&pool, &memory, 0, 9).unwrap();
    drop(memory);
    drop(outer);
    assert_eq!(inner_releases.load(SeqCst), 1);
    assert_eq!((pool.census().out, other.census().out), (1, 0));
    drop(made.lock().unwrap().take());
    assert_all_home(&pool);
}

/// The last handle of a pool goes in the release function of its own packet.
#[test]
fn a_release_function_may_drop_the_pool() {
    let pool = pool(4, 2);
    let region = Arc::downgrade(pool.region());
    let handle = pool.clone();
    let memory = External::new(*b"bytes", move |_| drop(handle));
    let packet = Packet::from_external(&pool, &memory, 0, 5).unwrap();
    drop((pool, memory));
    assert_eq!(region.strong_count(), 1);
    drop(packet);
    assert_eq!(region.strong_count(), 0);
}

#[test]
fn a_release_function_that_panics_takes_nothing_with_it() {
    let pool = pool(16, 4);
    let panicking = || External::new([0; 4], |_| panic!("a release function of a test"));
    let mut burst = gannet_mempool::Burst::new(8);
    for _ in 0..if cfg!(miri) { 1 } else { 4 } {
        let mut packet = chain(&pool, &[b"a", b"b"]);
        packet.append_segment(Packet::from_external(&pool, &panicking(), 0, 4).unwrap()).unwrap();
        burst.push(packet).unwrap();
    }
    drop(Packet::from_external(&pool, &panicking(), 0, 4).unwrap());
    burst.clear();
    assert_all_home(&pool);
}

#[test]
fn parts_of_foreign_bytes_are_foreign_bytes() {
    let pool = pool(8, 2);
    let (memory, releases) = lent(TEXT);
    let mut packet = Packet::from_external(&pool, &memory, 0, 24).unwrap();
    drop(memory);
    let start = packet.data().as_ptr();
    let rest = packet.split(9).unwrap().unwrap();
    assert_eq!((packet.data(), rest.data()), (&TEXT[..9], &TEXT[9..]));
    assert_eq!((packet.data().as_ptr(), rest.data().as_ptr()), (start, start.wrapping_add(9)));
    assert!(rest.is_foreign() && !rest.is_shared() && !packet.is_shared());
    drop(packet);
    assert_eq!(releases.load(SeqCst), 0);
    drop(rest);
    assert_eq!(releases.load(SeqCst), 1);
    assert_all_home(&pool);
}

#[test]
fn shares_of_foreign_bytes_are_copied_for_who_writes() {
    let pool = pool(8, 2);
    let (memory, releases) = lent(TEXT);
    let mut packet = Packet::from_external(&pool, &memory, 0, 24).unwrap();
    drop(memory);
    let mut share = packet.share();
    share.data_mut().unwrap().fill(b'-');
    assert_eq!((packet.data(), packet.is_foreign(), share.is_foreign()), (TEXT, true, false));
    assert_eq!((share.data(), releases.load(SeqCst)), (&[b'-'; 24][..], 0));
    drop(packet);
    assert_eq!(releases.load(SeqCst), 1);
}

#[test]
fn the_name_of_foreign_bytes_is_charged() {
    let pool = pool(8, 2);
    let account = Account::new("external", 1).unwrap();
    let (memory, _) = lent(TEXT);
    let mut packet = Packet::from_external(&pool, &memory, 0, 24).unwrap();
    packet.charge(&account).unwrap();
    let mut other = Packet::from_external(&pool, &memory, 0, 24).unwrap();
    assert!(matches!(other.charge(&account), Err(OverLimit { held: 1, limit: 1, wanted: 1, .. })));
    // The charge goes along with an only owner, and stays with a shared buffer.
    packet.make_own().unwrap();
    assert_eq!(account.usage().held, 1);
    let share = packet.share();
    assert!(matches!(packet.make_own(), Err(Refused::OverLimit(_))));
    drop(share);
    assert_eq!((account.usage().held, content(&packet)), (1, TEXT.to_vec()));
    drop((packet, other));
    assert_eq!(account.usage().held, 0);
}

#[test]
fn many_threads_let_go_of_one_memory_and_it_is_released_once() {
    let pool = pool(64, 4);
    for _ in 0..if cfg!(miri) { 2 } else { 300 } {
        let (memory, releases) = lent(TEXT);
        let mut first = Packet::from_external(&pool, &memory, 0, 24).unwrap();
        let packets: Vec<_> = (0..3).map(|_| first.share()).collect();
        let second = Packet::from_external(&pool, &memory, 3, 3).unwrap();
        drop(memory);
        thread::scope(|scope| {
            for packet in packets.into_iter().chain([first, second]) {
                scope.spawn(move || {
                    assert!(TEXT.starts_with(packet.data()) || packet.len() == 3);
                    drop(packet);
                });
            }
        });
        assert_eq!(releases.load(SeqCst), 1);
        assert_all_home(&pool);
    }
}

#[test]
fn a_pool_of_the_smallest_buffers_names_large_memory() {
    let options = gannet_mempool::PoolOptions { data_room: 64, headroom: 0, ..common::options(4, 0) };
    let pool = Pool::new(&options).unwrap();
    let (memory, _) = lent(&[3; 9000]);
    let mut packet = Packet::from_external(&pool, &memory, 0, 9000).unwrap();
    assert_eq!(packet.data(), [3; 9000]);
    assert_eq!(packet.linearize(), Ok(()), "one segment as it is");
    assert!(packet.is_foreign());
}
