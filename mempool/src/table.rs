//! The table of pools: from the eight bits in a packet to the pool.
//!
//! A static array, so that a packet need carry no pointer and finding its data is two loads. An entry is written when a pool is
//! made and cleared when it is freed; a packet keeps its pool alive, so for whoever holds a packet the entry stands.
//!
//! A pool has two entries: one for plain packets, and 128 further on one for noted packets. The second has no caches, and while
//! the pool needs to be asked about each buffer (pressure, tracking, pieces) neither has the first: whoever looks for a cache then finds
//! none and takes the slow path.
//!
//! A pool whose last handle is gone lives on as *closing* until its buffers are home. [`sweep`] frees such pools.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::pool::Shared;
use crate::slot::{self, MAX_POOLS, POOL_NAMES};
use crate::thread::{self, MAX_THREADS};

/// What the data path needs to know of a pool: one line.
#[repr(align(64))]
pub(crate) struct Entry {
    /// First byte of buffer 0.
    base: AtomicPtr<u8>,
    /// Bytes from one buffer to the next.
    stride: AtomicU32,
    /// Bytes from one thread's cache to the next.
    cache_stride: AtomicU32,
    /// The cache of thread 0; null if buffers must not go to a cache without a look at them.
    caches: AtomicPtr<u8>,
    /// The last handle is gone.
    pub(crate) closing: AtomicBool,
    pool: AtomicPtr<Shared>,
}

static TABLE: [Entry; POOL_NAMES] = [const {
    Entry {
        base: AtomicPtr::new(ptr::null_mut()),
        stride: AtomicU32::new(0),
        cache_stride: AtomicU32::new(0),
        caches: AtomicPtr::new(ptr::null_mut()),
        closing: AtomicBool::new(false),
        pool: AtomicPtr::new(ptr::null_mut()),
    }
}; POOL_NAMES];

/// From a pool's entry to the one for its noted packets.
const NOTED: usize = slot::pool(slot::NOTED);

/// Held while pools are made, closed, flushed or freed.
static REGISTRY: Mutex<()> = Mutex::new(());

fn registry() -> MutexGuard<'static, ()> {
    REGISTRY.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Entry {
    /// First byte of the buffer `slot`.
    ///
    /// # Safety
    /// The buffer `slot` is out of its pool, in the caller's hands: that keeps the pool and this entry alive.
    #[inline(always)]
    pub(crate) unsafe fn buffer(&self, slot: u32) -> *mut u8 {
        // Relaxed: the entry was written before the packet was made, and the packet's way here ordered that.
        let offset = slot::index(slot) as usize * self.stride.load(Ordering::Relaxed) as usize;
        // SAFETY: the index is below the pool's count, so the buffer lies in the pool's region.
        unsafe { self.base.load(Ordering::Relaxed).add(offset) }
    }

    /// This thread's cache in the pool, if it has one and buffers may go there without a look at them.
    ///
    /// # Safety
    /// As [`Self::pool`].
    #[inline(always)]
    pub(crate) unsafe fn cache(&self) -> Option<Cache> {
        let thread = thread::index();
        let first = NonNull::new(self.caches.load(Ordering::Relaxed))?;
        // SAFETY: the pool lives, and with it the block; `thread` is checked.
        (thread < MAX_THREADS)
            .then(|| unsafe { Cache::at(first, self.cache_stride.load(Ordering::Relaxed) as usize, thread) })
    }

    /// Lets buffers go to the caches in the block at `first` without a look at them; null: does not.
    ///
    /// Relaxed: a thread that sees the change late uses its own cache a little longer, which is always allowed.
    pub(crate) fn set_caches(&self, first: *mut u8) {
        if self.caches.load(Ordering::Relaxed) != first {
            self.caches.store(first, Ordering::Relaxed);
        }
    }

    /// The pool of a buffer that is out.
    ///
    /// # Safety
    /// A buffer of this pool is in the caller's hands and stays there while the reference is used, or its last use is the store
    /// that brings the buffer home.
    #[inline(always)]
    pub(crate) unsafe fn pool<'a>(&self) -> &'a Shared {
        // SAFETY: set before any buffer was handed out, cleared only when all are home.
        unsafe { &*self.pool.load(Ordering::Relaxed) }
    }
}

/// The entry of a slot's pool.
#[inline(always)]
pub(crate) fn entry(slot: u32) -> &'static Entry {
    // Eight bits index 256 entries: the check is optimised away.
    &TABLE[slot::pool(slot)]
}

/// The entry of the pool with this number.
#[inline(always)]
pub(crate) fn entry_of(number: u8) -> &'static Entry {
    &TABLE[usize::from(number)]
}

/// Makes a pool with a free number and enters it. `make` runs with the table locked: it must be quick and call nothing foreign.
///
/// The pool is alive until its last handle calls [`close`].
pub(crate) fn enter(make: impl FnOnce(u8) -> Result<Shared>) -> Result<NonNull<Shared>> {
    let _guard = registry();
    let number = (1..=MAX_POOLS)
        .find(|&number| TABLE[number].pool.load(Ordering::Relaxed).is_null())
        .ok_or(Error::TooManyPools { max: MAX_POOLS })?;
    let pool = NonNull::from(Box::leak(Box::new(make(number as u8)?)));
    for entry in entries(number) {
        // SAFETY: made just now; nobody frees it before it is in the table.
        let shared = unsafe { pool.as_ref() };
        entry.base.store(shared.region().base().as_ptr(), Ordering::Relaxed);
        entry.stride.store(shared.granule(), Ordering::Relaxed);
        entry.cache_stride.store(shared.caches().stride() as u32, Ordering::Relaxed);
        entry.caches.store(ptr::null_mut(), Ordering::Relaxed);
        entry.closing.store(false, Ordering::Relaxed);
        // As it came from the box, which it goes back to.
        entry.pool.store(pool.as_ptr(), Ordering::Release);
    }
    // SAFETY: as above.
    unsafe { pool.as_ref() }.open_caches();
    Ok(pool)
}

/// The two entries of a pool: for plain packets, for noted ones.
fn entries(number: usize) -> [&'static Entry; 2] {
    [&TABLE[number], &TABLE[number + NOTED]]
}

/// Marks a pool whose last handle is gone and frees it if its buffers are home.
pub(crate) fn close(number: u8) {
    for entry in entries(number.into()) {
        entry.closing.store(true, Ordering::SeqCst);
    }
    sweep();
}

/// Frees the closing pools whose buffers are all home.
#[cold]
#[inline(never)]
pub(crate) fn sweep() {
    let _guard = registry();
    for (number, entry) in (1..).zip(&TABLE[1..=MAX_POOLS]) {
        let pool = entry.pool.load(Ordering::Acquire);
        if pool.is_null() || !entry.closing.load(Ordering::SeqCst) {
            continue;
        }
        // SAFETY: not null, so not freed; only this function frees, under the lock.
        if unsafe { &*pool }.is_complete() {
            for entry in entries(number) {
                entry.pool.store(ptr::null_mut(), Ordering::Relaxed);
                entry.base.store(ptr::null_mut(), Ordering::Relaxed);
                entry.caches.store(ptr::null_mut(), Ordering::Relaxed);
            }
            // SAFETY: from Box::leak in `enter`. No handle is left (closing), no buffer is out (complete), and whoever brought the
            // last one home did not touch the pool after the store that `is_complete` has seen (see `pool::give`).
            drop(unsafe { Box::from_raw(pool) });
        }
    }
}

/// Calls `visit` with each pool and whether its last handle is gone. The table is locked meanwhile.
pub(crate) fn for_each(mut visit: impl FnMut(&Shared, bool)) {
    let _guard = registry();
    for entry in &TABLE[1..=MAX_POOLS] {
        let pool = entry.pool.load(Ordering::Acquire);
        if !pool.is_null() {
            // SAFETY: not null, so not freed, and pools are freed under the lock only.
            visit(unsafe { &*pool }, entry.closing.load(Ordering::Relaxed));
        }
    }
}

/// Empties the caches of a thread that ends.
pub(crate) fn flush_caches(thread: usize) {
    {
        let _guard = registry();
        for entry in &TABLE[1..=MAX_POOLS] {
            let pool = entry.pool.load(Ordering::Acquire);
            if !pool.is_null() {
                // SAFETY: not null, so not freed, and pools are freed under the lock only; the caller is the thread of that number.
                unsafe { (*pool).flush_cache(thread) };
            }
        }
    }
    sweep();
}
