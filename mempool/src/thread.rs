//! Which cache is mine: a small number for each thread that touches a pool.
//!
//! Numbers below [`MAX_THREADS`] are handed out at a thread's first touch and come back when it ends, after its caches have been
//! flushed. Threads beyond that, and threads in their last destructors, have no cache and use the shared rings directly.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;

use crate::account;
use crate::table;

/// Threads that can have a cache at the same time.
pub const MAX_THREADS: usize = 64;

const UNCLAIMED: usize = usize::MAX;
const NONE: usize = usize::MAX - 1;

/// Bit n is set while number n is taken.
static TAKEN: Mutex<u64> = Mutex::new(0);

/// What threads with a number are or were called, each name once. Numbers are used again; places in this list are not.
static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Names that are kept.
const MAX_NAMES: usize = 1000;

/// Place in [`NAMES`], plus one, of the thread that has a number now.
static NAMED: [AtomicU16; MAX_THREADS] = [const { AtomicU16::new(0) }; MAX_THREADS];

thread_local! {
    // Two variables: this one has no destructor, so that reading it is a single load; the guard is only touched on the claim.
    static INDEX: Cell<usize> = const { Cell::new(UNCLAIMED) };
    static GUARD: Guard = const { Guard };
}

/// Gives the number back when the thread ends.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        let index = INDEX.replace(NONE);
        if index < MAX_THREADS {
            table::flush_caches(index);
            account::thread_ends(index);
            *TAKEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) &= !(1 << index);
        }
    }
}

/// The number of this thread; [`MAX_THREADS`] or more if it has none.
#[inline(always)]
pub(crate) fn index() -> usize {
    let index = INDEX.get();
    if index == UNCLAIMED { claim() } else { index }
}

#[cold]
#[inline(never)]
fn claim() -> usize {
    // Registers the guard's destructor; it fails in a thread that is already past it.
    let index = match GUARD.try_with(|_| ()) {
        Ok(()) => {
            let mut taken = TAKEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let free = taken.trailing_ones();
            match 1u64.checked_shl(free) {
                Some(bit) => {
                    *taken |= bit;
                    free as usize
                }
                None => NONE,
            }
        }
        Err(_) => NONE,
    };
    INDEX.set(index);
    if let Some(named) = NAMED.get(index) {
        named.store(enter_name(), Ordering::Relaxed);
    }
    index
}

/// Puts this thread's name into the list; returns its place there, plus one.
fn enter_name() -> u16 {
    let thread = thread::current();
    let name = thread.name().unwrap_or("(unnamed)");
    let mut names = NAMES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let known = names.iter().position(|known| known == name);
    // A program that names each thread anew must not fill its memory with them.
    if known.is_none() && names.len() < MAX_NAMES {
        names.push(name.to_owned());
    }
    let place = known.unwrap_or(names.len() - 1);
    if names[place] == name { place as u16 + 1 } else { 0 }
}

/// What stands for the name of this thread, with or without a number: 0 if it has none.
pub(crate) fn name_number() -> u16 {
    NAMED.get(index()).map_or(0, |named| named.load(Ordering::Relaxed))
}

/// The name that a number of [`name_number`] stands for.
pub(crate) fn name(number: u16) -> String {
    let names = NAMES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let name = usize::from(number).checked_sub(1).and_then(|place| names.get(place));
    name.cloned().unwrap_or_else(|| "(not known)".into())
}
