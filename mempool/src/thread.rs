//! Which cache is mine: a small number for each thread that touches a pool.
//!
//! Numbers below [`MAX_THREADS`] are handed out at a thread's first touch and come back when it ends, after its caches have been
//! flushed. Threads beyond that, and threads in their last destructors, have no cache and use the shared rings directly.

use std::cell::Cell;
use std::sync::Mutex;
use std::thread;

use crate::account;
use crate::table;

/// Threads that can have a cache at the same time.
pub const MAX_THREADS: usize = 64;

const UNCLAIMED: usize = usize::MAX;
const NONE: usize = usize::MAX - 1;

/// Bit n is set while number n is taken.
static TAKEN: Mutex<u64> = Mutex::new(0);

/// What the thread that has a number is called, or the last that had it.
static NAMES: Mutex<[Option<String>; MAX_THREADS]> = Mutex::new([const { None }; MAX_THREADS]);

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
    if index < MAX_THREADS {
        let thread = thread::current();
        let name = thread.name().map_or_else(|| format!("{:?}", thread.id()), str::to_owned);
        NAMES.lock().unwrap_or_else(|poisoned| poisoned.into_inner())[index] = Some(name);
    }
    index
}

/// What the thread with this number is called, for reports.
pub(crate) fn name(index: usize) -> String {
    let names = NAMES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    names.get(index).cloned().flatten().unwrap_or_else(|| "(a thread without a number)".into())
}
