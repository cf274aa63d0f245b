//! Packets that are charged: who pays, until when, and what a limit forbids.

mod common;

use std::thread;

use common::{assert_all_home, chain, fill, frame, options, pool};
use gannet_mempool::{Account, Burst, OverLimit, Packet, Pool, PoolOptions, Refused, Request, Tracking, accounts};

fn for_account(account: &Account) -> Request<'_> {
    Request { account: Some(account), ..Request::default() }
}

fn held(account: &Account) -> u32 {
    account.usage().held
}

fn charged(pool: &Pool, account: &Account) -> Packet {
    pool.alloc_with(&for_account(account)).unwrap()
}

/// The pools in which buffers go different ways.
fn pools() -> [Pool; 4] {
    let tracked = PoolOptions { tracking: Tracking::On, ..options(40, 16) };
    let blocks = Pool::of_blocks(&common::blocks(40, 4, 64)).unwrap();
    [pool(40, 16), pool(40, 0), Pool::new(&tracked).unwrap(), blocks]
}

#[test]
fn packets_are_charged_until_they_are_home() {
    for pool in pools() {
        let account = Account::new("tenant", 40).unwrap();
        let one = charged(&pool, &account);
        let mut burst = Burst::new(64);
        pool.alloc_bulk_with(&for_account(&account), &mut burst, 32).unwrap();
        assert_eq!(held(&account), 33);
        drop(one);
        assert_eq!(held(&account), 32);
        drop(burst.pop_front());
        thread::spawn(move || drop(burst)).join().unwrap();
        assert_eq!(held(&account), 0);
        // Nothing of it sticks to the buffers.
        drop(common::drain(&pool));
        assert_eq!((held(&account), account.usage().stocked), (0, 0));
        assert_all_home(&pool);
    }
}

#[test]
fn beyond_the_limit_nothing_is_taken() {
    for pool in pools() {
        let account = Account::new("bounded", 10).unwrap();
        let mut burst = Burst::new(64);
        let over = pool.alloc_bulk_with(&for_account(&account), &mut burst, 11).unwrap_err();
        assert!(matches!(over, Refused::OverLimit(OverLimit { held: 0, limit: 10, wanted: 11, .. })), "{over:?}");
        assert_eq!((burst.len(), pool.census().out, held(&account)), (0, 0, 0));
        pool.alloc_bulk_with(&for_account(&account), &mut burst, 10).unwrap();
        let over = pool.alloc_with(&for_account(&account)).unwrap_err();
        assert!(over.to_string().starts_with("account `bounded` holds 10 of 10 buffers, 1 more wanted"), "{over}");
        assert_eq!(account.usage().refused, 12);
        // Others are not touched by it.
        assert!(pool.alloc().is_some());
        drop(burst.pop_front());
        drop(charged(&pool, &account));
        burst.clear();
        assert_eq!(held(&account), 0);
        assert_all_home(&pool);
    }
}

#[test]
fn what_the_pool_refuses_is_not_charged() {
    let pool = pool(4, 0);
    let account = Account::new("unserved", 100).unwrap();
    let mut burst = Burst::new(8);
    let request = for_account(&account);
    assert_eq!(pool.alloc_bulk_with(&request, &mut burst, 5), Err(Refused::NoBuffer));
    let full = pool.alloc_bulk_with(&request, &mut burst, 9);
    assert_eq!(full, Err(Refused::NoRoom { wanted: 9, available: 8 }));
    let headroom = Request { headroom: Some(60_000), ..request };
    assert!(matches!(pool.alloc_with(&headroom), Err(Refused::NoRoom { wanted: 60_000, .. })));
    assert_eq!((held(&account), account.usage().refused, burst.len()), (0, 0, 0));
}

#[test]
fn a_charge_moves_from_one_account_to_another() {
    for pool in pools() {
        let (a, b) = (Account::new("a", 5).unwrap(), Account::new("b", 1).unwrap());
        let mut packet = frame(&pool, b"frame");
        packet.charge(&a).unwrap();
        packet.charge(&a).unwrap();
        assert_eq!((held(&a), held(&b)), (1, 0));
        packet.charge(&b).unwrap();
        assert_eq!((held(&a), held(&b)), (0, 1));
        let mut other = charged(&pool, &a);
        assert!(other.charge(&b).is_err());
        assert_eq!((held(&a), held(&b), packet.data()), (1, 1, &b"frame"[..]));
        drop((packet, other));
        assert_eq!((held(&a), held(&b)), (0, 0));
    }
}

#[test]
fn the_charge_is_the_buffers_whoever_shares_it() {
    let pool = pool(8, 2);
    let (a, b) = (Account::new("a", 5).unwrap(), Account::new("b", 5).unwrap());
    let mut packet = charged(&pool, &a);
    fill(&mut packet, b"frame");
    let mut share = packet.share();
    assert_eq!(held(&a), 1);
    share.charge(&b).unwrap();
    assert_eq!((held(&a), held(&b)), (0, 1));
    drop(share);
    assert_eq!((held(&a), held(&b)), (0, 1));
    // A copy is charged to whom the original is.
    let mut share = packet.share();
    share.make_own().unwrap();
    assert_eq!((held(&a), held(&b)), (0, 2));
    drop(packet);
    assert_eq!(held(&b), 1);
    drop(share);
    assert_eq!(held(&b), 0);
}

/// Two owners charge one buffer at the same time, again and again: each charge is settled once.
#[test]
fn owners_that_charge_at_the_same_time_leave_nothing_behind() {
    let pool = pool(8, 2);
    let accounts = ["a", "b", "c"].map(|name| Account::new(name, 5).unwrap());
    let mut packet = frame(&pool, b"frame");
    let share = packet.share();
    thread::scope(|scope| {
        for (number, mut packet) in [packet, share].into_iter().enumerate() {
            let accounts = &accounts;
            scope.spawn(move || {
                for round in 0..if cfg!(miri) { 20 } else { 20_000 } {
                    packet.charge(&accounts[(round + number) % 3]).unwrap();
                }
            });
        }
    });
    assert_eq!(accounts.each_ref().map(held), [0, 0, 0]);
    assert_all_home(&pool);
}

#[test]
fn of_a_chain_each_segment_has_its_own_charge() {
    let pool = pool(8, 2);
    let account = Account::new("chain", 5).unwrap();
    let mut packet = chain(&pool, &[b"a", b"b"]);
    packet.charge(&account).unwrap();
    assert_eq!(held(&account), 1);
    let mut segment = charged(&pool, &account);
    fill(&mut segment, b"c");
    packet.append_segment(segment).unwrap();
    assert_eq!(held(&account), 2);
    packet.linearize().unwrap();
    assert_eq!((held(&account), packet.data()), (1, &b"abc"[..]));
    drop(packet);
    assert_eq!(held(&account), 0);
}

#[test]
fn an_account_may_go_before_its_packets() {
    let pool = pool(8, 2);
    let account = Account::new("gone before its packets", 5).unwrap();
    let listed = || accounts().into_iter().find(|usage| usage.name == "gone before its packets");
    let mut packet = charged(&pool, &account);
    fill(&mut packet, b"frame");
    let mut share = packet.share();
    let single = charged(&pool, &account);
    drop(account);
    assert_eq!(listed().map(|usage| (usage.held, usage.limit)), Some((2, 0)));
    // Nothing more is charged to it, so a copy cannot be made.
    assert!(matches!(share.make_own(), Err(Refused::OverLimit(_))));
    drop((single, share));
    assert_eq!(listed().map(|usage| usage.held), Some(1));
    // The packet that is left can be another's.
    let heir = Account::new("heir", 5).unwrap();
    packet.charge(&heir).unwrap();
    assert_eq!((listed(), held(&heir)), (None, 1));
    drop(packet);
    assert_eq!(held(&heir), 0);
}

#[test]
fn large_accounts_come_out_even_over_threads() {
    let account = Account::new("large", 100_000).unwrap();
    let pool = pool(512, 64);
    let (sender, receiver) = std::sync::mpsc::sync_channel::<Packet>(64);
    let rounds = if cfg!(miri) { 20 } else { 50_000 };
    thread::scope(|scope| {
        let frees = scope.spawn(|| receiver.into_iter().for_each(drop));
        let (account, pool) = (&account, &pool);
        let takes = scope.spawn(move || {
            for _ in 0..rounds {
                match pool.alloc_with(&for_account(account)) {
                    Ok(packet) => sender.send(packet).unwrap(),
                    Err(_) => thread::yield_now(),
                }
            }
        });
        // By hand: the scope itself does not wait for the thread-local destructors, which give stocks back.
        for thread in [takes, frees] {
            thread.join().unwrap();
        }
    });
    assert_eq!(held(&account), 0);
    assert_all_home(&pool);
}
