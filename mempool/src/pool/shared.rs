//! What all handles of a pool share: taking buffers and bringing them home.
//!
//! The hot path is [`Shared::take`] and [`give`] with the core's cache; the rest is `*_slow`.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use gannet_ring::mpmc::Ring;

use super::Census;
use super::blocks::{self, Blocks};
use super::options::{PoolOptions, Priority, Shape, Tracking};
use super::pressure::{Level, Pressure};
use super::tracks::{Holdings, Place, Tracks};
use crate::burst::MAX_BURST;
use crate::cache::{Cache, Caches, copy_slots};
use crate::error::{Error, Result};
use crate::notes::{self, Notes};
use crate::packet::{Packet, Refused};
use crate::region::Region;
use crate::slot;
use crate::table::{self, Entry};
use crate::thread;

/// What all handles of a pool share; lives in the table of pools.
///
/// In this order: what every burst needs is in the first line. Another one would have to come from further away each time, after a card's
/// or an application's own work.
#[repr(C)]
pub(crate) struct Shared {
    pub(super) number: u8,
    pub(super) headroom: u16,
    pub(super) data_room: u16,
    pub(super) shape: Shape,
    pub(super) tracks: Option<Tracks>,
    notes: Notes,
    /// If the buffers are cut into pieces.
    blocks: Option<Blocks>,
    pub(super) name: String,
    /// 64 bits: no program lives to overflow it by forgetting clones.
    pub(super) handles: AtomicU64,
    pub(super) buffers: u32,
    pub(super) free: Ring<u32>,
    pub(super) caches: Caches,
    /// Allocations by packets, which need no handle to the pool, as [`Shared::is_complete`] has to know: begun and ended.
    begun: AtomicU64,
    ended: AtomicU64,
    pub(super) pressure: Pressure,
    pub(super) region: Arc<Region>,
}

const _: () = assert!(std::mem::offset_of!(Shared, blocks) <= 64 && align_of::<Shared>() >= 64);

impl Shared {
    pub(super) fn new(number: u8, options: &PoolOptions, shape: Shape, region: Arc<Region>) -> Result<Shared> {
        let granules = shape.granules(options.buffers);
        let invalid = |why: gannet_ring::Error| Error::Invalid(why.to_string());
        let free = Ring::with_capacity((options.buffers as usize).next_power_of_two().max(2)).map_err(invalid)?;
        for place in shape.places(options.buffers) {
            let fits = free.enqueue_bulk(&[slot::new(number, place)]);
            debug_assert!(fits);
        }
        let name = if options.name.is_empty() { format!("pool {number}") } else { options.name.clone() };
        Ok(Shared {
            number,
            name,
            handles: AtomicU64::new(1),
            buffers: options.buffers,
            headroom: options.headroom,
            data_room: options.data_room,
            shape,
            free,
            caches: Caches::new(options.cache_amounts())?,
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            pressure: Pressure::new(options.buffers, options.watermarks).map_err(invalid)?,
            notes: Notes::new(granules),
            blocks: shape.is_cut().then(|| Blocks::new(options.buffers, shape.stride)),
            tracks: (options.tracking == Tracking::On).then(|| Tracks::new(granules)),
            region,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn number(&self) -> u8 {
        self.number
    }

    pub(crate) fn data_room(&self) -> u16 {
        self.data_room
    }

    pub(crate) fn level(&self) -> Level {
        self.pressure.level()
    }

    /// Times that pressure began, and that it became critical.
    pub(crate) fn pressure_times(&self) -> (u64, u64) {
        self.pressure.times()
    }

    pub(crate) fn region(&self) -> &Arc<Region> {
        &self.region
    }

    /// Bytes from one slot to the next.
    #[inline(always)]
    pub(crate) fn granule(&self) -> u32 {
        self.shape.granule
    }

    pub(crate) fn blocks(&self) -> Option<&Blocks> {
        self.blocks.as_ref()
    }

    pub(crate) fn caches(&self) -> &Caches {
        &self.caches
    }

    #[inline(always)]
    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    #[inline(always)]
    pub(crate) fn headroom(&self) -> u16 {
        self.headroom
    }

    /// Bytes that a packet in the buffer, or piece, `slot` may use: headroom and data room.
    #[inline(always)]
    pub(crate) fn room_of(&self, slot: u32) -> u32 {
        match &self.blocks {
            Some(blocks) => blocks.size(slot),
            None => u32::from(self.headroom) + u32::from(self.data_room),
        }
    }

    /// Whether all buffers are in the ring and the caches, for a pool without handles.
    ///
    /// Buffers that only come home are never counted twice (see the head of [`super`]). Those that packets allocate meanwhile could be, so that
    /// is told apart: as many of these allocations have ended as have begun, and none began while it was counted. Whoever sees an effect
    /// of one sees that it has begun: fence to fence.
    pub(crate) fn is_complete(&self) -> bool {
        let ended = self.ended.load(Ordering::SeqCst);
        let begun = self.begun.load(Ordering::SeqCst);
        let (ring, cached) = self.caches.count_free(&self.free);
        fence(Ordering::SeqCst);
        ring + cached == self.buffers as usize && ended == begun && self.begun.load(Ordering::SeqCst) == begun
    }

    pub(crate) fn census(&self) -> Census {
        let (ring, cached) = self.caches.count_free(&self.free);
        let (ring, cached) = (ring as u32, cached as u32);
        Census { total: self.buffers, ring, cached, out: self.buffers.saturating_sub(ring + cached) }
    }

    /// Where the buffers are that are not home, as far as that is known.
    pub(crate) fn holdings(&self) -> Holdings {
        let out = self.tracks.iter().flat_map(Tracks::out);
        let holdings = out.map(|(index, track)| {
            let slot = slot::new(self.number, index) | slot::NOTED;
            let owners = self.notes.record(slot).map_or(1, |record| record.sharers().owners());
            track.holding(index, self.notes.account(slot), owners)
        });
        Holdings(holdings.collect())
    }

    pub(crate) fn flush_cache(&self, thread: usize) {
        if let Some(cache) = self.caches.of(thread) {
            // SAFETY: called by the thread of that number only: with a handle, or at its end (`thread::Guard`) with the registry locked.
            unsafe { cache.flush_all(&self.free) };
            self.observe(self.free.len());
        }
    }

    /// Lets buffers go to the caches without a look at them, or not: as the pool's state asks.
    pub(crate) fn open_caches(&self) {
        let is_open = self.is_simple() && self.pressure.level() == Level::Calm;
        let first = if is_open { self.caches.first().as_ptr() } else { ptr::null_mut() };
        table::entry_of(self.number).set_caches(first);
    }

    /// Notes that so many buffers are in the ring, and acts on what follows.
    fn observe(&self, in_ring: usize) -> Level {
        let level = self.pressure.observe(self.in_use(in_ring));
        self.open_caches();
        level
    }

    fn in_use(&self, in_ring: usize) -> u32 {
        self.buffers.saturating_sub(in_ring as u32)
    }

    /// Takes `count` free buffers, all or none.
    ///
    /// # Safety
    /// `out` is valid for `count` writes.
    #[inline(always)]
    pub(crate) unsafe fn take(&self, out: *mut u32, count: usize, priority: Priority) -> bool {
        // SAFETY: `self` is the pool of that number, and alive; this thread's cache; `out` per contract.
        unsafe {
            match table::entry_of(self.number).cache() {
                Some(cache) if cache.pop(out, count) => true,
                _ => self.take_slow(out, count, priority),
            }
        }
    }

    /// [`Self::take`] up to [`MAX_BURST`] buffers for `read`, which gets to see where their slots are.
    ///
    /// # Safety
    /// `count` is at most [`MAX_BURST`]; `read` reads `count` slots at most, and does not touch the pool.
    #[inline(always)]
    pub(crate) unsafe fn take_with(&self, count: usize, priority: Priority, read: impl Fn(*const u32)) -> bool {
        // SAFETY: as in `take`.
        unsafe {
            match table::entry_of(self.number).cache() {
                Some(cache) if cache.pop_with(count, &read) => true,
                _ => self.take_slow_with(count, priority, read),
            }
        }
    }

    /// # Safety
    /// As [`Self::take_with`].
    #[cold]
    #[inline(never)]
    unsafe fn take_slow_with(&self, count: usize, priority: Priority, read: impl Fn(*const u32)) -> bool {
        let mut slots = [MaybeUninit::<u32>::uninit(); MAX_BURST];
        // SAFETY: `count` is within the array, per contract.
        let taken = unsafe { self.take_slow(slots.as_mut_ptr().cast(), count, priority) };
        if taken {
            read(slots.as_ptr().cast());
        }
        taken
    }

    /// # Safety
    /// As [`Self::take`].
    #[cold]
    #[inline(never)]
    unsafe fn take_slow(&self, out: *mut u32, count: usize, priority: Priority) -> bool {
        let cache = self.caches.of(thread::index());
        // SAFETY: this thread's cache; `out` per contract.
        let taken = unsafe {
            cache.is_some_and(|cache| self.take_cached(cache, out, count))
                || self.take_free(cache, out, count, priority)
        };
        if !taken {
            self.caches.tally(cache).refused();
        } else if !self.is_simple() {
            // SAFETY: just taken, `count` of them.
            unsafe { std::slice::from_raw_parts_mut(out, count) }.iter_mut().for_each(|slot| self.look_at(slot));
        }
        taken
    }

    /// Whether there is nothing to do about single buffers.
    fn is_simple(&self) -> bool {
        self.tracks.is_none() && self.blocks.is_none()
    }

    /// Notes what there is to note about a buffer that has been taken.
    fn look_at(&self, slot: &mut u32) {
        if let Some(blocks) = &self.blocks {
            // One piece, until it is cut.
            blocks.hold(*slot, 1);
            blocks.cut(*slot, blocks.bytes() as u16);
        }
        self.follow(slot);
    }

    /// Follows a buffer, or piece, that becomes a packet, if the pool is tracked.
    #[inline(always)]
    pub(crate) fn follow(&self, slot: &mut u32) {
        if let Some(tracks) = &self.tracks {
            tracks.mark(*slot, Place::Packet);
            self.notes.write_account(*slot, 0);
            *slot |= slot::NOTED;
        }
    }

    /// Takes buffers from the cache, and fills it, as far as that brings no pressure about.
    ///
    /// # Safety
    /// As [`Self::take`], and `cache` is this thread's.
    unsafe fn take_cached(&self, cache: Cache, out: *mut u32, count: usize) -> bool {
        let in_ring = self.free.len();
        if self.observe(in_ring) != Level::Calm {
            return false;
        }
        // SAFETY: per contract.
        unsafe {
            let room = self.pressure.room(self.in_use(in_ring)) as usize;
            cache.pop(out, count) || {
                cache.refill(&self.free, count, room);
                cache.pop(out, count)
            }
        }
    }

    /// Takes buffers from the ring: more than the cache can hold, or no cache, or few are left.
    ///
    /// # Safety
    /// As [`Self::take`], and `cache` is this thread's.
    unsafe fn take_free(&self, cache: Option<Cache>, out: *mut u32, count: usize, priority: Priority) -> bool {
        if let Some(cache) = cache {
            // So that all free ones count.
            // SAFETY: this thread's cache; only handles and packets, which keep the pool, allocate.
            unsafe { cache.flush_all(&self.free) };
        }
        let in_ring = self.free.len();
        if self.observe(in_ring) != Level::Calm && priority == Priority::Low {
            return false;
        }
        // Of threads that ask at the same moment each may get its own.
        if in_ring < count + self.pressure.reserve(self.buffers, priority) as usize {
            return false;
        }
        // SAFETY: `out` is valid for `count` writes, and they are initialised before the slice is made.
        let space = unsafe {
            out.write_bytes(0, count);
            std::slice::from_raw_parts_mut(out, count)
        };
        let got = self.free.dequeue_bulk(space);
        if got {
            self.caches.tally(cache).taken_from_ring(count);
            self.observe(self.free.len());
        }
        got
    }

    /// Notes where buffers have been put, if the pool is tracked.
    #[inline(always)]
    pub(crate) fn mark(&self, slots: &[u32], place: Place) {
        if let Some(tracks) = &self.tracks {
            slots.iter().for_each(|&slot| tracks.mark(slot, place));
        }
    }

    #[inline(always)]
    pub(crate) fn is_tracked(&self) -> bool {
        self.tracks.is_some()
    }

    /// Notes that buffers have become packets, if the pool is tracked.
    #[cold]
    #[inline(never)]
    pub(crate) fn mark_packets<'a>(&self, packets: impl Iterator<Item = &'a Packet>) {
        packets.for_each(|packet| self.mark(&[packet.slot()], Place::Packet));
    }

    /// [`Self::take_packet`] for a packet of this pool, which keeps it, but is no handle.
    pub(crate) fn take_packet_for_packet(&self) -> Result<Packet, Refused> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let taken = self.take_packet(Priority::Normal);
        self.ended.fetch_add(1, Ordering::SeqCst);
        taken
    }

    /// Takes one buffer as an empty packet, for somebody with a handle.
    pub(crate) fn take_packet(&self, priority: Priority) -> Result<Packet, Refused> {
        let mut slot = 0;
        // SAFETY: one slot of room; the slot taken is out now and becomes exactly one packet.
        unsafe {
            match self.take(&mut slot, 1, priority) {
                true => Ok(Packet::from_slot(slot, self.headroom)),
                false => Err(Refused::NoBuffer),
            }
        }
    }

    /// Brings buffers home around the fast path.
    ///
    /// # Safety
    /// All are plain slots of this pool, out of it and in the caller's hands, none twice. The pool may be gone when this returns, so
    /// the last access to it is the store that brings the last one home.
    unsafe fn give_home(shared: *const Shared, slots: &[u32]) {
        // SAFETY: the buffers keep the pool until they are home.
        let this = unsafe { &*shared };
        // Those that were noted are plain now, and need no more than others.
        // SAFETY: this thread's cache, and the buffers keep the pool; as many slots are written as there is room for.
        unsafe {
            if let Some(cache) = table::entry_of(this.number).cache()
                && let Some(space) = cache.reserve(slots.len())
            {
                copy_slots(slots.as_ptr(), space, slots.len());
                return cache.commit(slots.len());
            }
        }
        if let Some(tracks) = &this.tracks {
            slots.iter().for_each(|&slot| tracks.mark(slot, Place::Home));
        }
        let cache = this.caches.of(thread::index());
        if this.observe(this.free.len() + slots.len()) == Level::Calm
            && let Some(cache) = cache
        {
            // SAFETY: this thread's cache, and the buffers that are still out keep the pool; as many slots are written as there is room for.
            unsafe {
                if cache.reserve(slots.len()).is_none() {
                    cache.flush(&this.free);
                }
                if let Some(space) = cache.reserve(slots.len()) {
                    copy_slots(slots.as_ptr(), space, slots.len());
                    cache.commit(slots.len());
                    return;
                }
            }
        } else if let Some(cache) = cache {
            // SAFETY: as above.
            unsafe { cache.flush_all(&this.free) };
        }
        this.caches.tally(cache).given_to_ring(slots.len());
        let fits = this.free.enqueue_bulk(slots);
        debug_assert!(fits);
    }
}

/// Most buffers that [`give`] takes at once.
pub(crate) const MAX_GIVE: usize = 256;

/// Brings up to [`MAX_GIVE`] buffers of one pool home, and with the last of them a pool without handles to its end. `fill` writes
/// all `count` of them to where it is told, and returns the bits in which they differ. False, and nothing is done, if they are of
/// several pools.
///
/// A free function, since a method's `&self` would promise that the pool outlives the call.
///
/// # Safety
/// `entry` is that of the first, and there is one. `fill` initialises `count` slots, all out of their pools and in the caller's hands, none twice.
#[inline(always)]
pub(crate) unsafe fn give(entry: &'static Entry, count: usize, fill: impl Fn(*mut u32) -> u32) -> bool {
    // SAFETY: the buffers are in the caller's hands until `commit` or the ring's store, the last accesses to the pool. The cache is
    // this thread's; `fill` writes what it has been given room for, which is nobody's before `commit`.
    let given = unsafe {
        match entry.cache() {
            Some(cache) if let Some(space) = cache.reserve(count) => {
                let is_one_pool = slot::same_pool(fill(space));
                if is_one_pool {
                    cache.commit(count);
                }
                is_one_pool
            }
            _ => give_slow(entry, count, fill),
        }
    };
    sweep_after(entry);
    given
}

/// Slots that are on their way home. In whole lines: stores across the end of one, let alone of a page, cost more than the rest.
#[repr(align(64))]
struct Slots([MaybeUninit<u32>; MAX_GIVE]);

/// # Safety
/// As [`give`].
#[inline(never)]
unsafe fn give_slow(entry: &'static Entry, count: usize, fill: impl Fn(*mut u32) -> u32) -> bool {
    let mut slots = Slots([MaybeUninit::uninit(); MAX_GIVE]);
    debug_assert!(count <= MAX_GIVE);
    if !slot::same_pool(fill(slots.0.as_mut_ptr().cast())) {
        return false;
    }
    // SAFETY: `fill` has initialised the first `count`, at least one, all noted if one is. Those that are home after `settle` are
    // this function's to bring there.
    unsafe {
        let slots = std::slice::from_raw_parts_mut(slots.0.as_mut_ptr().cast::<u32>(), count);
        let home = if slot::is_noted(slots[0]) { notes::settle(entry, slots) } else { count };
        bring_home(entry, &mut slots[..home]);
    }
    true
}

/// Brings the blocks of pieces home that nobody has any more, and all that are no pieces.
///
/// # Safety
/// All are plain slots of the pool that `entry` is of, out of it and in the caller's hands, none twice.
#[inline(never)]
unsafe fn bring_home(entry: &'static Entry, slots: &mut [u32]) {
    if slots.is_empty() {
        return;
    }
    // SAFETY: per contract; if none is left the pool is not touched.
    unsafe {
        let home = if entry.pool().blocks().is_some() { blocks::settle(entry, slots) } else { slots.len() };
        if home > 0 {
            Shared::give_home(entry.pool(), &slots[..home]);
        }
    }
}

/// Brings one buffer home, whichever pool it is of.
///
/// # Safety
/// The buffer is out and in the caller's hands, who does not use it after.
#[inline(always)]
pub(crate) unsafe fn give_one(slot: u32) {
    let entry = table::entry(slot);
    // SAFETY: as in `give`.
    unsafe {
        match entry.cache() {
            Some(cache) if let Some(space) = cache.reserve(1) => {
                space.write(slot);
                cache.commit(1);
            }
            _ => give_one_slow(entry, slot),
        }
    }
    sweep_after(entry);
}

/// # Safety
/// As [`give_one`], and `entry` is the slot's.
#[inline(never)]
unsafe fn give_one_slow(entry: &'static Entry, slot: u32) {
    // SAFETY: per contract; what is left to bring home is plain.
    unsafe {
        if !slot::is_noted(slot) || notes::settle_one(entry, slot) {
            bring_home(entry, &mut [slot & !slot::NOTED]);
        }
    }
}

/// Ends a pool without handles if what has been given was its last buffer.
#[inline(always)]
fn sweep_after(entry: &'static Entry) {
    // If the last handle goes at this very moment, its owner may miss the buffers and this thread the flag. The pool then waits
    // for the next sweep: a fence here would cost every packet more than that is worth.
    if entry.closing.load(Ordering::Relaxed) {
        table::sweep();
    }
}
