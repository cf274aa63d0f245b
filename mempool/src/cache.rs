//! A core's own stack of free buffers.
//!
//! ```text
//!   entries: [ cold ............ hot ]
//!                                 ^ len: alloc pops here, free pushes here
//! ```
//!
//! LIFO: the buffer freed last, still in the core's cache, is handed out first. A pool has one for each thread number
//! ([`crate::thread`]); only the thread with that number touches the entries, others read `len` and the counters.
#![allow(unsafe_code)]

use std::alloc::{self, Layout};
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

use gannet_ring::mpmc::Ring;

use crate::error::{Error, Result};
use crate::sync::{AtomicU32, Ordering};
use crate::thread::MAX_THREADS;

/// What stands before the entries of a cache.
#[derive(Debug)]
#[repr(C, align(128))] // two lines: the adjacent-line prefetcher couples them
struct Header {
    len: AtomicU32,
    amounts: Amounts,
    counters: Counters,
}

/// How much a cache holds and moves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amounts {
    /// Most buffers in it.
    pub(crate) capacity: u32,
    /// Per cent of the capacity that a refill leaves in it.
    pub(crate) refill: u8,
    /// Per cent of its content that a flush gives away.
    pub(crate) flush: u8,
}

/// What one thread has done with a pool. Buffers that went through its cache are all that it took or gave, less those that went
/// around.
#[derive(Debug, Default)]
struct Counters {
    allocated: AtomicU64,
    freed: AtomicU64,
    from_ring: AtomicU64,
    to_ring: AtomicU64,
    refills: AtomicU64,
    flushes: AtomicU64,
    refused: AtomicU64,
}

/// The cache of one thread in one pool: a header with the entries right behind it, so that its address is all that the way to an entry
/// needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cache(NonNull<Header>);

/// The caches of a pool, one a thread number, in one block.
#[derive(Debug)]
pub(crate) struct Caches {
    block: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the headers are atomic (the capacity never changes); entries are touched only through the unsafe methods of `Cache`, whose
// callers promise to be the owning thread or to hold the cache still.
unsafe impl Send for Caches {}
// SAFETY: as above.
unsafe impl Sync for Caches {}

impl Caches {
    pub(crate) fn new(amounts: Amounts) -> Result<Caches> {
        let capacity = amounts.capacity;
        let stride = size_of::<Header>() + capacity as usize * size_of::<u32>();
        let stride = stride.next_multiple_of(align_of::<Header>());
        // One more, for the counters of all that have none.
        let layout = Layout::from_size_align(stride * (MAX_THREADS + 1), align_of::<Header>())
            .map_err(|_| Error::Invalid(format!("caches of {capacity} buffers")))?;
        // SAFETY: the size is not 0.
        let block = NonNull::new(unsafe { alloc::alloc_zeroed(layout) })
            .ok_or_else(|| Error::Invalid(format!("no memory for {MAX_THREADS} caches of {capacity} buffers")))?;
        let caches = Caches { block, layout };
        for cache in caches.iter() {
            let header = Header { len: AtomicU32::new(0), amounts, counters: Counters::default() };
            // SAFETY: inside the block, and nobody else knows of it yet.
            unsafe { cache.0.write(header) };
        }
        Ok(caches)
    }

    /// Bytes from one cache to the next.
    pub(crate) fn stride(&self) -> usize {
        self.layout.size() / (MAX_THREADS + 1)
    }

    /// The cache of thread 0.
    pub(crate) fn first(&self) -> NonNull<u8> {
        self.block
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Cache> {
        (0..MAX_THREADS).filter_map(|thread| self.of(thread))
    }

    /// Free buffers: those in `ring`, and those in the caches. The ring first, see [`crate::pool`] on counting what is home.
    pub(crate) fn count_free(&self, ring: &Ring<u32>) -> (usize, usize) {
        let in_ring = ring.len();
        (in_ring, self.iter().map(|cache| cache.len() as usize).sum())
    }

    /// The cache of a thread, if that has one.
    pub(crate) fn of(&self, thread: usize) -> Option<Cache> {
        // SAFETY: the block is more than MAX_THREADS strides long.
        (thread < MAX_THREADS).then(|| unsafe { Cache::at(self.block, self.stride(), thread) })
    }

    /// Where the thread with this cache, or one without, counts.
    pub(crate) fn tally(&self, cache: Option<Cache>) -> Tally {
        match cache {
            Some(cache) => Tally { header: cache, add },
            // SAFETY: the block is MAX_THREADS + 1 strides long.
            None => Tally { header: unsafe { Cache::at(self.block, self.stride(), MAX_THREADS) }, add: add_shared },
        }
    }

    /// What all threads have done.
    pub(crate) fn stats(&self) -> PoolStats {
        let mut sum = PoolStats::default();
        for cache in self.iter().chain([self.tally(None).header]) {
            sum += cache.stats();
        }
        sum
    }
}

/// The counters of a thread, or those that threads without a cache share.
pub(crate) struct Tally {
    header: Cache,
    add: fn(&AtomicU64, u64),
}

impl Tally {
    /// Counts buffers taken from the ring, around the cache.
    pub(crate) fn taken_from_ring(&self, count: usize) {
        let counters = &self.header.header().counters;
        (self.add)(&counters.allocated, count as u64);
        (self.add)(&counters.from_ring, count as u64);
    }

    /// Counts buffers given to the ring, around the cache.
    pub(crate) fn given_to_ring(&self, count: usize) {
        let counters = &self.header.header().counters;
        (self.add)(&counters.freed, count as u64);
        (self.add)(&counters.to_ring, count as u64);
    }

    /// Counts a refused allocation.
    pub(crate) fn refused(&self) {
        (self.add)(&self.header.header().counters.refused, 1);
    }
}

impl Drop for Caches {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { alloc::dealloc(self.block.as_ptr(), self.layout) };
    }
}

/// What has been done with a pool, by all threads together. The kernel's counterpart are the statistics of `page_pool`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct PoolStats {
    /// Buffers taken.
    pub allocated: u64,
    /// Of these, from the core's cache: the fast path.
    pub alloc_fast: u64,
    /// Of these, from the shared ring: the slow path.
    pub alloc_slow: u64,
    /// Times a cache was filled from the ring.
    pub alloc_refills: u64,
    /// Requests refused: none free, or none for this priority.
    pub alloc_empty: u64,
    /// Buffers that came home.
    pub freed: u64,
    /// Of these, to the core's cache: the fast path.
    pub recycle_cache: u64,
    /// Of these, to the shared ring.
    pub recycle_ring: u64,
    /// Times a cache was full and gave of its cold end to the ring.
    pub recycle_full: u64,
    /// Buffers that came home on another core than the one they were taken on, as far as these do not make up for each other.
    pub recycle_foreign: u64,
}

impl std::ops::AddAssign for PoolStats {
    fn add_assign(&mut self, other: PoolStats) {
        self.allocated += other.allocated;
        self.alloc_fast += other.alloc_fast;
        self.alloc_slow += other.alloc_slow;
        self.alloc_refills += other.alloc_refills;
        self.alloc_empty += other.alloc_empty;
        self.freed += other.freed;
        self.recycle_cache += other.recycle_cache;
        self.recycle_ring += other.recycle_ring;
        self.recycle_full += other.recycle_full;
        self.recycle_foreign += other.recycle_foreign;
    }
}

/// Adds to a counter that several threads write.
fn add_shared(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

/// Adds to a counter that only this thread writes: no atomic read-modify-write needed.
#[inline(always)]
fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}

impl Cache {
    /// The cache of `thread` in the block at `first`.
    ///
    /// # Safety
    /// `first` and `stride` are those of a living [`Caches`], `thread` is below [`MAX_THREADS`].
    #[inline(always)]
    pub(crate) unsafe fn at(first: NonNull<u8>, stride: usize, thread: usize) -> Cache {
        // SAFETY: inside the block, per contract; the stride keeps the alignment.
        Cache(unsafe { first.byte_add(thread * stride).cast() })
    }

    #[inline(always)]
    fn header(&self) -> &Header {
        // SAFETY: a `Cache` is made of a living block (see `at`) and used while the pool lives.
        unsafe { self.0.as_ref() }
    }

    /// Buffers in it. Acquire: see [`crate::pool`] on counting what is home.
    pub(crate) fn len(&self) -> u32 {
        self.header().len.load(Ordering::Acquire)
    }

    fn stats(&self) -> PoolStats {
        let counters = &self.header().counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (allocated, freed) = (read(&counters.allocated), read(&counters.freed));
        let (from_ring, to_ring) = (read(&counters.from_ring), read(&counters.to_ring));
        PoolStats {
            allocated,
            // Not read at one moment: the part may be ahead of the whole.
            alloc_fast: allocated.saturating_sub(from_ring),
            alloc_slow: from_ring,
            alloc_refills: read(&counters.refills),
            alloc_empty: read(&counters.refused),
            freed,
            recycle_cache: freed.saturating_sub(to_ring),
            recycle_ring: to_ring,
            recycle_full: read(&counters.flushes),
            recycle_foreign: freed.saturating_sub(allocated),
        }
    }

    #[inline(always)]
    fn capacity(&self) -> usize {
        self.header().amounts.capacity as usize
    }

    #[inline(always)]
    fn entries(&self) -> *mut u32 {
        // SAFETY: the entries follow the header in the same block.
        unsafe { self.0.add(1).cast().as_ptr() }
    }

    /// Pops `count` buffers into the memory at `out` if it has them.
    ///
    /// # Safety
    /// The caller is the cache's thread; `out` is valid for `count` writes.
    #[inline(always)]
    pub(crate) unsafe fn pop(&self, out: *mut u32, count: usize) -> bool {
        // SAFETY: per contract.
        unsafe { self.pop_with(count, |slots| copy_slots(slots, out, count)) }
    }

    /// Pops `count` buffers if it has them: `read` gets to see them where they are.
    ///
    /// # Safety
    /// The caller is the cache's thread; `read` reads `count` slots at most, and does not touch the pool.
    #[inline(always)]
    pub(crate) unsafe fn pop_with(&self, count: usize, read: impl FnOnce(*const u32)) -> bool {
        let len = self.header().len.load(Ordering::Relaxed) as usize;
        if count > len {
            return false;
        }
        let rest = len - count;
        // SAFETY: entries[rest..len] lie inside, hold free buffers, and are touched by this thread only.
        read(unsafe { self.entries().add(rest) });
        self.header().len.store(rest as u32, Ordering::Release);
        add(&self.header().counters.allocated, count as u64);
        true
    }

    /// Room for `count` buffers on top, to be written before [`Self::commit`]; `None` if they do not fit.
    ///
    /// # Safety
    /// The caller is the cache's thread.
    #[inline(always)]
    pub(crate) unsafe fn reserve(&self, count: usize) -> Option<*mut u32> {
        let len = self.header().len.load(Ordering::Relaxed) as usize;
        if len + count > self.capacity() {
            return None;
        }
        // SAFETY: `len + count` is within the entries (checked above).
        Some(unsafe { self.entries().add(len) })
    }

    /// Makes `count` buffers written at [`Self::reserve`] part of the cache.
    ///
    /// The store of `len` is the last access to the pool's memory: whoever sees it may find all buffers home and free the pool.
    ///
    /// # Safety
    /// The caller is the cache's thread, has reserved `count` and written that many free buffers of this pool.
    #[inline(always)]
    pub(crate) unsafe fn commit(self, count: usize) {
        let header = self.header();
        add(&header.counters.freed, count as u64);
        let len = header.len.load(Ordering::Relaxed);
        header.len.store(len + count as u32, Ordering::Release);
    }

    /// Fills the cache from `ring` so that `count` can be popped and the refill amount stays; as far as the ring can, and by `room` at
    /// most. Not for more than it can ever hold.
    ///
    /// # Safety
    /// The caller is the cache's thread.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn refill(&self, ring: &Ring<u32>, count: usize, room: usize) {
        let len = self.header().len.load(Ordering::Relaxed) as usize;
        if count > self.capacity() {
            return;
        }
        let stays = self.capacity() * usize::from(self.header().amounts.refill) / 100;
        let wanted = (count + stays).min(self.capacity()).saturating_sub(len).min(room);
        // SAFETY: entries[len..len + wanted] lie inside and hold nothing; only this thread touches them.
        let space = unsafe { std::slice::from_raw_parts_mut(self.entries().add(len), wanted) };
        let got = ring.dequeue_burst(space);
        if got > 0 {
            add(&self.header().counters.refills, 1);
            self.header().len.store((len + got) as u32, Ordering::Release);
        }
    }

    /// Gives the flush amount, from the cold end, to `ring`.
    ///
    /// # Safety
    /// The caller is the cache's thread and keeps the pool alive.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn flush(&self, ring: &Ring<u32>) {
        let len = self.header().len.load(Ordering::Relaxed);
        let count = (u64::from(len) * u64::from(self.header().amounts.flush)).div_ceil(100) as u32;
        if count > 0 {
            // SAFETY: as promised by the caller.
            unsafe { self.give_coldest(ring, count) };
            add(&self.header().counters.flushes, 1);
        }
    }

    /// Gives everything to `ring`.
    ///
    /// # Safety
    /// The caller is the cache's thread and keeps the pool alive.
    pub(crate) unsafe fn flush_all(&self, ring: &Ring<u32>) {
        // SAFETY: as promised by the caller.
        unsafe { self.give_coldest(ring, self.header().len.load(Ordering::Relaxed)) };
    }

    /// # Safety
    /// The caller is the cache's thread; `count` is at most `len`. The pool outlives the call even when its last buffer comes to
    /// lie in the ring: the caller has a handle, a buffer that is out, or the registry's lock.
    unsafe fn give_coldest(&self, ring: &Ring<u32>, count: u32) {
        let keep = self.header().len.load(Ordering::Relaxed) - count;
        // The length is down before the ring's is up: a buffer counted twice could make the pool look complete.
        self.header().len.store(keep, Ordering::Release);
        // SAFETY: entries[..count + keep] are in bounds and hold buffers, whatever `len` tells others; the move may overlap.
        unsafe {
            // The ring has room for all buffers of the pool.
            let fits = ring.enqueue_bulk(std::slice::from_raw_parts(self.entries(), count as usize));
            debug_assert!(fits);
            ptr::copy(self.entries().add(count as usize), self.entries(), keep as usize);
        }
    }
}

/// Copies buffer numbers. In line, and without a loop for the odd ones: a call to memcpy, or a loop that the compiler vectorises, costs
/// more than a short run itself.
///
/// # Safety
/// `from` is valid for `count` reads, `to` for `count` writes, and they do not overlap.
#[inline(always)]
pub(crate) unsafe fn copy_slots(from: *const u32, to: *mut u32, count: usize) {
    let mut at = 0;
    // SAFETY: the pieces add up to `count`: as many sixteens as there are, then its lower four bits.
    unsafe {
        while count - at >= 16 {
            copy_piece::<16>(from, to, &mut at);
        }
        if count & 8 != 0 {
            copy_piece::<8>(from, to, &mut at);
        }
        if count & 4 != 0 {
            copy_piece::<4>(from, to, &mut at);
        }
        if count & 2 != 0 {
            copy_piece::<2>(from, to, &mut at);
        }
        if count & 1 != 0 {
            copy_piece::<1>(from, to, &mut at);
        }
    }
}

/// # Safety
/// `N` numbers from `at` on are valid to read and to write.
#[inline(always)]
unsafe fn copy_piece<const N: usize>(from: *const u32, to: *mut u32, at: &mut usize) {
    // SAFETY: per contract; a slot number is a plain integer.
    unsafe { to.add(*at).cast::<[u32; N]>().write_unaligned(from.add(*at).cast::<[u32; N]>().read_unaligned()) };
    *at += N;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache that holds 1, 2, 3... on top of each other, and a ring for what it gives.
    fn holding(count: u32, capacity: u32) -> (Caches, Cache, Ring<u32>) {
        let caches = Caches::new(Amounts { capacity, refill: 50, flush: 50 }).unwrap();
        let cache = caches.iter().next().unwrap();
        // SAFETY: this test's thread alone has the cache; room is asked for before it is written.
        unsafe {
            let space = cache.reserve(count as usize).unwrap();
            for at in 0..count {
                space.add(at as usize).write(at + 1);
            }
            cache.commit(count as usize);
        }
        (caches, cache, Ring::with_capacity(256).unwrap())
    }

    fn pop_all(cache: &Cache) -> Vec<u32> {
        let mut out = vec![0; cache.len() as usize];
        // SAFETY: this test's thread alone has the cache; `out` has the room.
        assert!(unsafe { cache.pop(out.as_mut_ptr(), out.len()) });
        out
    }

    fn content(ring: &Ring<u32>) -> Vec<u32> {
        std::iter::from_fn(|| ring.pop()).collect()
    }

    #[test]
    fn a_flush_gives_the_cold_half_and_keeps_the_hot_one_in_order() {
        for (count, cold) in [(1, 1), (2, 1), (3, 2), (64, 32), (199, 100), (200, 100)] {
            let (_caches, cache, ring) = holding(count, 200);
            // SAFETY: this test's thread alone has the cache.
            unsafe { cache.flush(&ring) };
            assert_eq!(cache.stats().recycle_full, 1);
            assert!(content(&ring).into_iter().eq(1..=cold));
            assert!(pop_all(&cache).into_iter().eq(cold + 1..=count));
        }
    }

    #[test]
    fn a_flush_of_nothing_is_none() {
        let (_caches, cache, ring) = holding(0, 0);
        // SAFETY: this test's thread alone has the cache.
        unsafe {
            cache.flush(&ring);
            cache.flush_all(&ring);
        }
        assert_eq!((cache.stats(), ring.len()), (PoolStats::default(), 0));
    }

    #[test]
    fn a_refill_is_at_most_what_fits_and_what_there_is() {
        for (held, in_ring, wanted, got) in
            [(0, 100, 1, 33), (10, 100, 1, 23), (10, 5, 1, 5), (60, 100, 64, 4), (64, 100, 64, 0), (40, 100, 1, 0)]
        {
            let (_caches, cache, ring) = holding(held, 64);
            assert!(ring.enqueue_bulk(&(100..100 + in_ring).collect::<Vec<_>>()));
            // SAFETY: this test's thread alone has the cache.
            unsafe { cache.refill(&ring, wanted, usize::MAX) };
            assert_eq!(cache.len(), held + got, "{held} held, {in_ring} in the ring");
            assert_eq!(cache.stats().alloc_refills, u64::from(got > 0));
            assert!(pop_all(&cache).into_iter().eq((1..=held).chain(100..100 + got)));
            assert_eq!(ring.len() as u32, in_ring - got);
        }
    }

    #[test]
    fn room_is_given_up_to_the_capacity() {
        let (_caches, cache, _ring) = holding(60, 64);
        // SAFETY: this test's thread alone has the cache.
        unsafe {
            assert!(cache.reserve(4).is_some());
            assert!(cache.reserve(5).is_none());
            let mut out = [0; 61];
            assert!(!cache.pop(out.as_mut_ptr(), 61));
            assert!(cache.pop(out.as_mut_ptr(), 3));
            assert_eq!(out[..3], [58, 59, 60]);
        }
    }

    #[test]
    fn slots_of_any_number_are_copied() {
        let from: Vec<u32> = (0..40).collect();
        for count in 0..=from.len() {
            let mut to = vec![99; 41];
            // SAFETY: both are at least `count` long.
            unsafe { copy_slots(from.as_ptr(), to.as_mut_ptr(), count) };
            assert_eq!(to[..count], from[..count]);
            assert!(to[count..].iter().all(|&slot| slot == 99));
        }
    }
}
