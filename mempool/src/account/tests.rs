//! One at a time: the tests count threads, their numbers and accounts of the whole process.

use crate::OverLimit;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::ledger::{MAX_ACCOUNTS, MAX_STOCK, STOCKED_FROM, count, ledger};
use super::{Account, accounts, charge, thread_ends, uncharge};
use crate::error::Error;
use crate::thread::{MAX_THREADS, index};

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does `first` on so many threads, `meanwhile` while they idle, and then `last` on each before it gives back its stock and ends. They end
/// if `meanwhile` panics, too.
fn with_idle_threads(threads: usize, first: impl Fn() + Sync, meanwhile: impl FnOnce(), last: impl Fn() + Sync) {
    let (ready, all_ready) = mpsc::channel::<()>();
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let closed = gate.lock().unwrap();
        let start = |_| {
            let (ready, gate, first, last) = (ready.clone(), &gate, &first, &last);
            scope.spawn(move || {
                first();
                drop(ready);
                drop(gate.lock());
                last();
                if index() < MAX_THREADS {
                    thread_ends(index());
                }
            })
        };
        let threads: Vec<_> = (0..threads).map(start).collect();
        drop(ready);
        assert_eq!(all_ready.iter().count(), 0);
        meanwhile();
        drop(closed);
        // By hand: the scope itself does not wait for the thread-local destructors, which give the numbers back.
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// Runs `work` to its end on a thread of its own, which gives back its stock.
fn on_another_thread(work: impl Fn() + Sync) {
    with_idle_threads(1, work, || (), || ());
}

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 32) as u32) % bound
    }
}

#[track_caller]
fn assert_holds(account: &Account, held: u32) {
    let usage = account.usage();
    assert_eq!(usage.held, held, "{usage:?}");
}

#[test]
fn a_limit_is_reached_exactly_and_the_refusal_names_the_account() {
    let _alone = alone();
    // The largest without stock and the least with it among them.
    let limits = [0, 1, 100, STOCKED_FROM - 1, STOCKED_FROM, STOCKED_FROM + 77];
    for &limit in if cfg!(miri) { &limits[..3] } else { &limits[..] } {
        let account = Account::new("connection 7", limit).unwrap();
        for _ in 0..limit {
            assert!(charge(account.number(), 1));
        }
        assert!(!charge(account.number(), 1));
        assert!(!charge(account.number(), 32));
        assert_eq!(
            OverLimit::new(account.number(), 32).to_string(),
            format!(
                "account `connection 7` holds {limit} of {limit} buffers, 32 more wanted: \
                 free some, or raise its limit with Account::set_limit"
            )
        );
        let usage = account.usage();
        assert_eq!((usage.held, usage.limit, usage.stocked, usage.refused), (limit, limit, 0, 33));
        if limit > 0 {
            uncharge(account.number(), 1);
            assert!(charge(account.number(), 1));
            assert!(!charge(account.number(), 1));
        }
        uncharge(account.number(), limit);
        assert_holds(&account, 0);
        assert!(!charge(account.number(), limit + 1));
        assert!(charge(account.number(), limit));
        uncharge(account.number(), limit);
    }
}

#[test]
fn the_limit_of_a_small_account_is_exact_after_other_threads_have_freed() {
    let _alone = alone();
    let account = Account::new("small", STOCKED_FROM - 1).unwrap();
    for _ in 0..3 {
        assert!(charge(account.number(), STOCKED_FROM - 1));
        // As the thread lives on with whatever it keeps: no `thread_ends`.
        thread::scope(|scope| {
            scope.spawn(|| (0..45).for_each(|_| uncharge(account.number(), (STOCKED_FROM - 1) / 45)));
        });
        assert_eq!((account.usage().held, account.usage().stocked), (0, 0));
    }
}

#[test]
fn a_large_account_is_refused_below_its_limit_by_no_more_than_what_idle_threads_keep() {
    let _alone = alone();
    let account = Account::new("large", STOCKED_FROM).unwrap();
    let charge_and_uncharge = || {
        assert!(charge(account.number(), MAX_STOCK));
        uncharge(account.number(), MAX_STOCK);
    };
    let use_up = || {
        let kept = account.usage().stocked;
        assert!((1..=MAX_STOCK).contains(&kept), "{kept}");
        let most = STOCKED_FROM - 2 * MAX_STOCK;
        assert!(charge(account.number(), most));
        let further = (0..).take_while(|_| charge(account.number(), 1)).count() as u32;
        assert_eq!(most + further, STOCKED_FROM - kept);
        let said = OverLimit::new(account.number(), 1).to_string();
        assert!(said.contains(&format!("({kept} more set aside by other threads)")), "{said}");
    };
    with_idle_threads(1, charge_and_uncharge, use_up, || ());
    // The idle thread has ended: all can be had.
    assert!(charge(account.number(), STOCKED_FROM - account.usage().held));
    assert_holds(&account, STOCKED_FROM);
    uncharge(account.number(), STOCKED_FROM);
}

#[test]
fn most_charges_do_not_touch_the_shared_counter() {
    let _alone = alone();
    let account = Account::new("large", 1 << 20).unwrap();
    let reserved = || ledger(account.number()).reserved();
    assert!(charge(account.number(), 32));
    let (mut last, mut changes) = (reserved(), 0);
    for _ in 0..50 {
        assert!(charge(account.number(), 32));
        uncharge(account.number(), 32);
        changes += u32::from(reserved() != last);
        last = reserved();
    }
    assert_eq!(changes, 0);
    uncharge(account.number(), 32);
    for _ in 0..300 {
        assert!(charge(account.number(), 1));
        changes += u32::from(reserved() != last);
        last = reserved();
    }
    assert_holds(&account, 300);
    assert!((1..=5).contains(&changes), "{changes}");
    uncharge(account.number(), 300);
}

#[test]
fn a_lowered_limit_holds_at_once_and_a_raised_one_too() {
    let _alone = alone();
    let account = Account::new("lowered", 10_000).unwrap();
    assert!(charge(account.number(), 300));
    uncharge(account.number(), 100);
    assert!(account.usage().stocked > 0);
    account.set_limit(200);
    assert!(!charge(account.number(), 1));
    account.set_limit(150);
    uncharge(account.number(), 50);
    assert!(!charge(account.number(), 1));
    uncharge(account.number(), 1);
    assert!(charge(account.number(), 1));
    account.set_limit(u32::MAX);
    assert_eq!(account.limit(), u32::MAX);
    assert!(!charge(account.number(), u32::MAX - 149));
    assert!(charge(account.number(), u32::MAX - 150));
    uncharge(account.number(), u32::MAX - 150);
    uncharge(account.number(), 150);
    assert_holds(&account, 0);
}

#[test]
fn nobody_has_no_limit_and_is_not_listed() {
    let _alone = alone();
    assert!(charge(0, u32::MAX) && charge(0, u32::MAX));
    uncharge(0, 1);
    assert_eq!(accounts(), []);
}

#[test]
fn never_above_the_limit_with_four_threads_hammering() {
    let _alone = alone();
    const ROUNDS: u32 = if cfg!(miri) { 25 } else { 100_000 };
    for limit in [100, STOCKED_FROM + 10] {
        let account = Account::new("hammered", limit).unwrap();
        // Never counts more than what is held: raised after a charge, lowered before it goes back. Relaxed: one variable has one order.
        let held = AtomicU32::new(0);
        let most = AtomicU32::new(0);
        thread::scope(|scope| {
            for seed in 1..=4 {
                let (account, held, most) = (&account, &held, &most);
                scope.spawn(move || {
                    let mut random = Random(seed);
                    let mut mine = 0;
                    for _ in 0..ROUNDS {
                        let wanted = random.below(limit / 3) + 1;
                        if charge(account.number(), wanted) {
                            mine += wanted;
                            let now = held.fetch_add(wanted, Ordering::Relaxed) + wanted;
                            most.fetch_max(now, Ordering::Relaxed);
                        }
                        let back = random.below(mine + 1);
                        held.fetch_sub(back, Ordering::Relaxed);
                        uncharge(account.number(), back);
                        mine -= back;
                    }
                    held.fetch_sub(mine, Ordering::Relaxed);
                    uncharge(account.number(), mine);
                    thread_ends(index());
                });
            }
        });
        let most = most.into_inner();
        assert!(most <= limit, "{most} of {limit}");
        assert!(cfg!(miri) || (most > limit / 2 && account.usage().refused > 0), "{most} of {limit}");
        assert_eq!((account.usage().held, account.usage().stocked), (0, 0));
    }
}

#[test]
fn charged_on_one_thread_and_uncharged_on_another() {
    let _alone = alone();
    const SEED: u64 = 20;
    const ROUNDS: u32 = if cfg!(miri) { 50 } else { 50_000 };
    println!("seed {SEED}");
    let accounts = [300, 5_000, 100_000].map(|limit| Account::new(format!("of {limit}"), limit).unwrap());
    let (send, receive) = mpsc::sync_channel::<(u16, u32)>(64);
    thread::scope(|scope| {
        let accounts = &accounts;
        scope.spawn(move || {
            let mut random = Random(SEED);
            for _ in 0..ROUNDS {
                let account = &accounts[random.below(3) as usize];
                let wanted = random.below(100) + 1;
                if charge(account.number(), wanted) {
                    send.send((account.number(), wanted)).unwrap();
                }
            }
            thread_ends(index());
        });
        scope.spawn(move || {
            let mut random = Random(SEED + 1);
            for (number, mut held) in receive {
                while held > 0 {
                    let back = random.below(held) + 1;
                    uncharge(number, back);
                    held -= back;
                }
            }
            thread_ends(index());
        });
    });
    for account in &accounts {
        assert_eq!((account.usage().held, account.usage().stocked), (0, 0), "{account:?}");
    }
}

#[test]
fn stock_of_a_thread_that_ends_is_given_back() {
    let _alone = alone();
    let large = [1, 2, 3].map(|number| Account::new(format!("large {number}"), 100_000).unwrap());
    on_another_thread(|| {
        for account in &large {
            assert!(charge(account.number(), 10));
            assert!(account.usage().stocked > 0);
        }
    });
    for account in &large {
        assert_eq!((account.usage().held, account.usage().stocked), (10, 0));
        uncharge(account.number(), 10);
    }
    thread_ends(index());
}

#[test]
#[cfg_attr(miri, ignore = "so many threads take it minutes")]
fn threads_without_a_number_are_charged_without_stock() {
    let _alone = alone();
    const THREADS: usize = MAX_THREADS + 6;
    let account = Account::new("many threads", 100_000).unwrap();
    let look = || {
        let usage = account.usage();
        assert_eq!(usage.held as usize, 3 * THREADS);
        assert!(usage.stocked > 0 && usage.stocked as usize <= MAX_THREADS * MAX_STOCK as usize);
        account.set_limit(usage.held);
    };
    with_idle_threads(THREADS, || assert!(charge(account.number(), 3)), look, || uncharge(account.number(), 3));
    assert_eq!((account.usage().held, account.usage().stocked), (0, 0));
}

#[test]
fn a_dropped_account_lives_until_its_packets_are_home_and_then_its_number_is_free() {
    let _alone = alone();
    let account = Account::new("dropped", 100_000).unwrap();
    let number = account.number();
    assert!(charge(number, 40));
    let other = account.clone();
    drop(account);
    assert!(charge(number, 1));
    drop(other);
    // Closing: listed, refuses, keeps its number.
    let listed = accounts();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].name.as_str(), listed[0].limit, listed[0].held), ("dropped", 0, 41));
    assert!(!charge(number, 1));
    let next = Account::new("next", 100_000).unwrap();
    assert_ne!(next.number(), number);
    on_another_thread(|| uncharge(number, 40));
    assert_ne!(Account::new("still not", 1).unwrap().number(), number);
    uncharge(number, 1);
    assert_eq!(accounts().iter().map(|usage| usage.name.as_str()).collect::<Vec<_>>(), ["next"]);
    let again = Account::new("again", 7).unwrap();
    assert_eq!(again.number(), number);
    assert_eq!((again.usage().held, again.usage().refused), (0, 0));
    assert!(charge(number, 7) && !charge(number, 1));
    uncharge(number, 7);
}

#[test]
fn stock_that_an_idle_thread_keeps_of_a_dropped_account_takes_nothing_from_the_next() {
    let _alone = alone();
    let account = Account::new("first", 100_000).unwrap();
    let number = account.number();
    let charge_and_uncharge = || {
        assert!(charge(number, 100));
        uncharge(number, 100);
    };
    let reopen = || {
        let stocked = account.usage().stocked;
        assert!(stocked > 0);
        drop(account);
        // The number is free, yet another one serves better.
        assert_eq!(accounts(), []);
        let next = Account::new("second", 100).unwrap();
        assert_ne!(next.number(), number);
        assert!(charge(next.number(), 100) && !charge(next.number(), 1));
        uncharge(next.number(), 100);
        assert_eq!(count(number).stocked, stocked);
    };
    with_idle_threads(1, charge_and_uncharge, reopen, || ());
    assert_eq!(Account::new("third", 100).unwrap().number(), number);
}

/// The argument at [`count`]: while one buffer of a closing account is held, however its stocks move, it is not read as free.
#[test]
fn a_closing_account_is_not_read_as_free_while_one_buffer_is_held() {
    let _alone = alone();
    const ROUNDS: u32 = if cfg!(miri) { 2 } else { 1_000 };
    // Little more than a thread keeps in stock, so that much of it is given back once the account is closing.
    const EACH: u32 = if cfg!(miri) { 30 } else { 66 };
    for _ in 0..ROUNDS {
        let account = Account::new("closing", 100_000).unwrap();
        let number = account.number();
        assert!(charge(number, 3 * EACH + 1));
        let start = Barrier::new(4);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let freeing: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        (0..EACH).for_each(|_| uncharge(number, 1));
                        thread_ends(index());
                    })
                })
                .collect();
            start.wait();
            drop(account);
            let reading = scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert!(count(number).held >= 1);
                }
            });
            let freed: Vec<_> = freeing.into_iter().map(|thread| thread.join()).collect();
            done.store(true, Ordering::Relaxed);
            assert!(freed.iter().all(Result::is_ok));
            reading.join().unwrap();
        });
        assert_eq!(count(number).held, 1);
        uncharge(number, 1);
        assert_eq!(accounts(), []);
    }
}

#[test]
fn one_account_too_many_is_an_error_with_a_remedy() {
    let _alone = alone();
    const MAX: usize = MAX_ACCOUNTS - 1;
    let mut all: Vec<_> = (0..MAX).map(|number| Account::new(format!("{number}"), number as u32).unwrap()).collect();
    let mut numbers: Vec<_> = all.iter().map(Account::number).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=MAX as u16));
    let error = Account::new("one more", 1).unwrap_err();
    assert!(matches!(error, Error::TooManyAccounts { max: MAX }));
    assert!(error.to_string().starts_with(&format!("{MAX} accounts exist already")), "{error}");
    let last = all.pop().unwrap();
    assert!(charge(last.number(), 1));
    let number = last.number();
    drop(last);
    assert!(Account::new("one more", 1).is_err());
    uncharge(number, 1);
    assert_eq!(Account::new("one more", 1).unwrap().number(), number);
}
