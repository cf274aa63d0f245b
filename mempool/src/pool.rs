//! Packet pools: equal buffers in one region, a shared ring of free ones, a cache for each core.
//!
//! ```text
//!             ┌───────────── region, mapped once for DMA ─────────────┐
//!             │ headroom | data room │ headroom | data room │ ...     │   buffer i = base + i * stride, unless it would lie across two pages
//!             └───────────────────────────────────────────────────────┘
//!   free buffers, by slot number:
//!      caches[thread]  LIFO, one a core  ◄── refill, flush ──►  ring (MPMC, holds all)
//! ```
//!
//! Every buffer is in exactly one place: the ring, a cache, a card's hands ([`crate::buffers`]) or a [`Packet`]. A pool is freed
//! when its last handle is gone *and* all buffers are home.
//!
//! Counting what is home happens while others free. It cannot count a buffer twice: buffers only move from caches to the ring then (no
//! handle, no allocation), a cache lowers its length before the ring raises its own, and the ring is read first. So "all are
//! home" is never said too early.
#![allow(unsafe_code)]

use std::fmt;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gannet_ring::mpmc::Ring;

use crate::burst::Burst;
use crate::cache::{Cache, CacheStats, Caches, copy_slots};
use crate::error::{Error, Result};
use crate::packet::Packet;
use crate::region::{PageSize, Region, RegionOptions};
use crate::slot::{self, MAX_BUFFERS};
use crate::table::{self, Entry};

// The largest pool has some 340 GB.
const _: () = assert!(usize::BITS == 64, "Gannet needs a 64-bit machine");

/// Most buffers of a pool: a slot number has 24 bits, and of the largest buffers one place in a hundred stays empty.
const MOST_BUFFERS: u32 = 16_500_000;

/// How to make a [`Pool`].
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// Number of buffers, 1 to 16,500,000. Enough for all descriptors of all rings, the caches of all cores and what the application
    /// holds.
    pub buffers: u32,
    /// Bytes of a frame that a buffer holds, 64 to 16,384.
    pub data_room: u16,
    /// Bytes before the frame, room for headers to prepend; at most 4,096.
    pub headroom: u16,
    /// Free buffers that a core keeps for itself, 0 to 65,536. Half of it is moved at a time.
    pub cache: u32,
    /// Where the memory comes from.
    pub region: RegionOptions,
}

impl Default for PoolOptions {
    fn default() -> Self {
        PoolOptions { buffers: 8192, data_room: 2048, headroom: 128, cache: 512, region: RegionOptions::default() }
    }
}

impl PoolOptions {
    fn check(&self) -> Result<()> {
        let range = |name: &str, value: u32, low: u32, high: u32| match (low..=high).contains(&value) {
            true => Ok(()),
            false => Err(Error::Invalid(format!("a pool's {name} of {value}: {low} to {high} is possible"))),
        };
        range("buffers", self.buffers, 1, MOST_BUFFERS)?;
        range("data_room", self.data_room.into(), 64, 16_384)?;
        range("headroom", self.headroom.into(), 0, 4_096)?;
        range("cache", self.cache, 0, 65_536)
    }

    /// Bytes from one buffer to the next: whole cache lines, and an odd number of them. A power of two would put the first line of
    /// every frame into the same few sets of the core's cache.
    fn stride(&self) -> u32 {
        const LINE: u32 = 64;
        let lines = (u32::from(self.headroom) + u32::from(self.data_room)).div_ceil(LINE);
        (lines | 1) * LINE
    }

    /// Where in the row of places the buffers are. A place that lies across two huge pages stays empty, one in a thousand: a card's access to it would
    /// need two entries of the IOTLB, and QEMU's cards silently lose what they are to send from there.
    fn places(&self) -> impl Iterator<Item = u32> {
        const PAGE: u64 = PageSize::Huge2M.bytes() as u64;
        let stride = u64::from(self.stride());
        let is_in_one_page = move |&place: &u32| {
            let first = u64::from(place) * stride;
            first / PAGE == (first + stride - 1) / PAGE
        };
        (0..MAX_BUFFERS).filter(is_in_one_page).take(self.buffers as usize)
    }
}

/// What all handles of a pool share; lives in the table of pools.
pub(crate) struct Shared {
    number: u8,
    /// 64 bits: no program lives to overflow it by forgetting clones.
    handles: AtomicU64,
    buffers: u32,
    headroom: u16,
    data_room: u16,
    stride: u32,
    free: Ring<u32>,
    caches: Caches,
    region: Arc<Region>,
}

impl Shared {
    fn new(number: u8, options: &PoolOptions, region: Arc<Region>) -> Result<Shared> {
        let free = Ring::with_capacity((options.buffers as usize).next_power_of_two().max(2))
            .map_err(|e| Error::Invalid(e.to_string()))?;
        for place in options.places() {
            let fits = free.enqueue_bulk(&[slot::new(number, place)]);
            debug_assert!(fits);
        }
        Ok(Shared {
            number,
            handles: AtomicU64::new(1),
            buffers: options.buffers,
            headroom: options.headroom,
            data_room: options.data_room,
            stride: options.stride(),
            free,
            caches: Caches::new(options.cache)?,
            region,
        })
    }

    pub(crate) fn region(&self) -> &Arc<Region> {
        &self.region
    }

    pub(crate) fn stride(&self) -> u32 {
        self.stride
    }

    pub(crate) fn caches(&self) -> &Caches {
        &self.caches
    }

    /// This thread's cache, if it has one.
    #[inline(always)]
    fn cache(&self) -> Option<Cache> {
        // SAFETY: `self` is the pool of that number, and alive.
        unsafe { table::entry_of(self.number).cache() }
    }

    /// Bytes of a buffer that packets may use: headroom and data room.
    #[inline(always)]
    pub(crate) fn buffer_room(&self) -> u32 {
        u32::from(self.headroom) + u32::from(self.data_room)
    }

    #[inline(always)]
    pub(crate) fn headroom(&self) -> u16 {
        self.headroom
    }

    /// Whether all buffers are in the ring and the caches. The ring is read first, see the head of this file.
    pub(crate) fn is_complete(&self) -> bool {
        let ring = self.free.len();
        ring + self.cached() == self.buffers as usize
    }

    fn cached(&self) -> usize {
        self.caches.iter().map(|cache| cache.len() as usize).sum()
    }

    pub(crate) fn flush_cache(&self, thread: usize) {
        if let Some(cache) = self.caches.iter().nth(thread) {
            // SAFETY: called by the thread of that number only, at its end (`thread::Guard`), with the registry locked.
            unsafe { cache.flush_all(&self.free) };
        }
    }

    /// Takes `count` free buffers, all or none.
    ///
    /// # Safety
    /// `out` is valid for `count` writes.
    #[inline(always)]
    pub(crate) unsafe fn take(&self, out: *mut u32, count: usize) -> bool {
        if let Some(cache) = self.cache() {
            // SAFETY: this thread's cache; `out` per contract.
            if unsafe { cache.pop(out, count) } {
                return true;
            }
        }
        // SAFETY: per contract.
        unsafe { self.take_slow(out, count) }
    }

    /// # Safety
    /// As [`Self::take`].
    #[cold]
    #[inline(never)]
    unsafe fn take_slow(&self, out: *mut u32, count: usize) -> bool {
        let cache = self.cache();
        if let Some(cache) = cache {
            // SAFETY: this thread's cache; `out` per contract.
            unsafe {
                cache.refill(&self.free, count);
                if cache.pop(out, count) {
                    return true;
                }
            }
        }
        // More than the cache can hold, or no cache, or the ring ran dry: put the cache's back so that all free ones count.
        if let Some(cache) = cache {
            // SAFETY: this thread's cache; only handles allocate.
            unsafe { cache.flush_all(&self.free) };
        }
        // SAFETY: `out` is valid for `count` writes, and they are initialised before the slice is made.
        let space = unsafe {
            out.write_bytes(0, count);
            std::slice::from_raw_parts_mut(out, count)
        };
        let got = self.free.dequeue_bulk(space);
        if let Some(cache) = cache {
            cache.count_bypass(if got { count } else { 0 }, 0, usize::from(!got));
        }
        got
    }
}

/// Most buffers that [`give`] takes at once.
pub(crate) const MAX_GIVE: usize = 256;

/// Brings up to [`MAX_GIVE`] buffers of one pool home, and with the last of them a pool without handles to its end. `fill` writes
/// all `count` of them to where it is told.
///
/// A free function, since a method's `&self` would promise that the pool outlives the call.
///
/// # Safety
/// `entry` is the pool's. `fill` initialises `count` slots, all of this pool, all out of it and in the caller's hands, none twice.
#[inline(always)]
pub(crate) unsafe fn give(entry: &'static Entry, count: usize, fill: impl Fn(*mut u32)) {
    // SAFETY: the buffers are in the caller's hands until `commit` or the ring's store, the last accesses to the pool. The cache is
    // this thread's; `fill` writes what it has been given room for.
    unsafe {
        match entry.cache() {
            Some(cache) if let Some(space) = cache.reserve(count) => {
                fill(space);
                cache.commit(count);
            }
            _ => give_slow(entry, count, fill),
        }
    }
    // If the last handle goes at this very moment, its owner may miss the buffers and this thread the flag. The pool then waits
    // for the next sweep: a fence here would cost every packet more than that is worth.
    if entry.closing.load(Ordering::Relaxed) {
        table::sweep();
    }
}

/// # Safety
/// As [`give`].
#[cold]
#[inline(never)]
unsafe fn give_slow(entry: &'static Entry, count: usize, fill: impl Fn(*mut u32)) {
    // SAFETY: as in `give`.
    let shared = unsafe { entry.pool() };
    if let Some(cache) = shared.cache() {
        // SAFETY: this thread's cache, and the buffers that are still out keep the pool; `fill` writes what it has been given room for.
        unsafe {
            cache.flush(&shared.free);
            if let Some(space) = cache.reserve(count) {
                fill(space);
                cache.commit(count);
                return;
            }
        }
        cache.count_bypass(0, count, 0);
    }
    // No cache, or more than its free half.
    let mut slots = [MaybeUninit::<u32>::uninit(); MAX_GIVE];
    debug_assert!(count <= MAX_GIVE);
    fill(slots.as_mut_ptr().cast());
    // SAFETY: `fill` has initialised the first `count`.
    let slots = unsafe { std::slice::from_raw_parts(slots.as_ptr().cast::<u32>(), count) };
    let fits = shared.free.enqueue_bulk(slots);
    debug_assert!(fits);
}

/// Brings one buffer home, whichever pool it is of.
///
/// # Safety
/// The buffer is out and in the caller's hands, who does not use it after.
#[inline(always)]
pub(crate) unsafe fn give_one(slot: u32) {
    // SAFETY: the slot's own pool; the write has room for one.
    unsafe { give(table::entry(slot), 1, |space| space.write(slot)) };
}

/// A handle to a pool. Cloning gives another handle to the same pool.
pub struct Pool {
    /// Alive for as long as a handle exists: the table frees a pool only after `close`.
    shared: NonNull<Shared>,
}

// SAFETY: a handle is a counted reference to `Shared`, which is `Sync`, and may be dropped by any thread.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

const _: () = {
    const fn is_sync<T: Send + Sync>() {}
    is_sync::<Shared>();
};

impl Pool {
    /// Gets the memory and makes all buffers free.
    ///
    /// # Errors
    /// Options out of range (the text says the range), no memory, or 255 pools already.
    pub fn new(options: &PoolOptions) -> Result<Pool> {
        options.check()?;
        // Closing pools may have the memory that this one needs.
        table::sweep();
        // Before the table is locked: populating takes its time, and the warning calls the application's log subscriber.
        let Some(last) = options.places().last() else { unreachable!("a pool has buffers: it was checked") };
        let region = Region::new((last as usize + 1) * options.stride() as usize, options.region)?;
        let shared = table::enter(|number| Shared::new(number, options, region))?;
        Ok(Pool { shared })
    }

    /// Takes one buffer; `None` if none is free in the shared ring and this core's cache. (What other cores cache is theirs.)
    #[inline]
    pub fn alloc(&self) -> Option<Packet> {
        let shared = self.shared();
        let mut slot = 0;
        // SAFETY: one slot of room; the slot taken is out now and becomes exactly one packet.
        unsafe { shared.take(&mut slot, 1).then(|| Packet::from_slot(slot, shared.headroom)) }
    }

    /// Takes `count` buffers into `burst`, all or none. False if fewer are free (see [`Self::alloc`]) or the burst has no room
    /// for them.
    #[inline]
    pub fn alloc_bulk(&self, burst: &mut Burst, count: usize) -> bool {
        if burst.room() < count {
            return false;
        }
        let shared = self.shared();
        let mut slots = [MaybeUninit::<u32>::uninit(); crate::MAX_BURST];
        // SAFETY: a burst's room, and so `count`, is at most MAX_BURST; `take` initialises `count` slots if it says so.
        unsafe {
            if !shared.take(slots.as_mut_ptr().cast(), count) {
                return false;
            }
            let headroom = shared.headroom;
            for (place, slot) in burst.space().iter_mut().zip(&slots[..count]) {
                place.write(Packet::from_slot(slot.assume_init(), headroom));
            }
            burst.extend(count);
        }
        true
    }

    #[inline(always)]
    pub(crate) fn shared(&self) -> &Shared {
        // SAFETY: this handle keeps it alive.
        unsafe { self.shared.as_ref() }
    }

    /// Takes `count` buffers into `slots` and gives them straight back: the free-list alone, for its benchmark. False if the pool has
    /// fewer.
    #[doc(hidden)]
    #[inline(always)]
    pub fn take_and_give(&self, slots: &mut [u32; MAX_GIVE], count: usize) -> bool {
        // The bound of the array, and of what `give` takes.
        let count = count.min(MAX_GIVE);
        // SAFETY: `slots` has room for `count`; these are out, of this pool, each once, and `slots` is not read again after they are given.
        unsafe {
            let taken = count > 0 && self.shared().take(slots.as_mut_ptr(), count);
            if taken {
                let slots = std::hint::black_box(slots.as_ptr());
                give(table::entry_of(self.number()), count, |space| copy_slots(slots, space, count));
            }
            taken
        }
    }

    /// Its number, 1 to 255: what packets carry.
    #[inline(always)]
    pub fn number(&self) -> u8 {
        self.shared().number
    }

    /// The memory, for mapping it.
    pub fn region(&self) -> &Arc<Region> {
        &self.shared().region
    }

    /// Bytes of a frame that a buffer holds.
    #[inline(always)]
    pub fn data_room(&self) -> u16 {
        self.shared().data_room
    }

    /// Bytes before a new packet's data.
    #[inline(always)]
    pub fn headroom(&self) -> u16 {
        self.shared().headroom
    }

    /// Bytes from one buffer to the next.
    pub fn stride(&self) -> u32 {
        self.shared().stride
    }

    /// Where the buffers are. Exact when nobody uses the pool, a snapshot otherwise.
    pub fn census(&self) -> Census {
        let shared = self.shared();
        let ring = shared.free.len() as u32;
        let cached = shared.cached() as u32;
        let total = shared.buffers;
        Census { total, ring, cached, out: total.saturating_sub(ring + cached) }
    }

    /// What the caches have done so far, all cores together.
    pub fn stats(&self) -> CacheStats {
        let mut sum = CacheStats::default();
        for cache in self.shared().caches.iter() {
            sum += cache.stats();
        }
        sum
    }
}

impl Clone for Pool {
    fn clone(&self) -> Self {
        self.shared().handles.fetch_add(1, Ordering::Relaxed);
        Pool { shared: self.shared }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let number = self.number();
        // AcqRel, as in any reference count: the last one out sees what the others did.
        if self.shared().handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            table::close(number);
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("number", &self.number()).field("census", &self.census()).finish()
    }
}

/// Where the buffers of a pool are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    /// All of them.
    pub total: u32,
    /// Free, in the shared ring.
    pub ring: u32,
    /// Free, in the cores' caches.
    pub cached: u32,
    /// Out: in cards' rings and in packets.
    pub out: u32,
}
