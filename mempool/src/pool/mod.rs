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
//! Counting what is home happens while others free. It cannot count a buffer twice: without handles buffers only move from caches to the
//! ring, a cache lowers its length before the ring raises its own, and the ring is read first. What packets allocate without a handle (copy
//! on write) is told apart ([`Shared::is_complete`]). So "all are home" is never said too early.
#![allow(unsafe_code)]

mod blocks;
mod life;
mod options;
mod pressure;
mod shared;
mod tracks;

pub(crate) use blocks::{Blocks, GRANULE};
use options::Shape;
pub use options::{BlockOptions, PoolOptions, Priority, Request, Tracking, Watermarks};
pub use pressure::{Level, PressureEvent};
pub(crate) use shared::{MAX_GIVE, Shared, give, give_one};
pub use tracks::{Holding, Holdings, Place};

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::account::{self, Account, NOBODY, OverLimit};
use crate::burst::Burst;
use crate::cache::{PoolStats, copy_slots};
use crate::error::Result;
use crate::packet::{Packet, Refused};
use crate::region::Region;
use crate::slot;
use crate::table;
use crate::thread;

// The largest pool has some 340 GB.
const _: () = assert!(usize::BITS == 64, "Gannet needs a 64-bit machine");

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
    /// Options out of range (the text says the range), no memory, or 127 pools already.
    pub fn new(options: &PoolOptions) -> Result<Pool> {
        Self::with_shape(options, Shape::of(options))
    }

    /// A pool of large buffers that [`crate::FragCache`]s cut into pieces.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_blocks(options: &BlockOptions) -> Result<Pool> {
        let options = options.pool()?;
        Self::with_shape(&options, Shape::of_blocks(&options))
    }

    fn with_shape(options: &PoolOptions, shape: Shape) -> Result<Pool> {
        options.check(shape)?;
        // Closing pools may have the memory that this one needs.
        table::sweep();
        // Before the table is locked: populating takes its time, and the warning calls the application's log subscriber.
        let region = Region::new(shape.bytes(options.buffers), options.region)?;
        let shared = table::enter(|number| Shared::new(number, options, shape, region))?;
        Ok(Pool { shared })
    }

    /// Takes one buffer; `None` if none is free in the shared ring and this core's cache. (What other cores cache is theirs.)
    #[inline]
    pub fn alloc(&self) -> Option<Packet> {
        let shared = self.shared();
        let mut slot = 0;
        // SAFETY: one slot of room; the slot taken is out now and becomes exactly one packet.
        unsafe { shared.take(&mut slot, 1, Priority::Normal).then(|| Packet::from_slot(slot, shared.headroom)) }
    }

    /// Takes `count` buffers into `burst`, all or none. False if fewer are free (see [`Self::alloc`]) or the burst has no room
    /// for them.
    #[inline]
    pub fn alloc_bulk(&self, burst: &mut Burst, count: usize) -> bool {
        self.take_bulk(burst, count, Priority::Normal, self.shared().headroom, |slot| slot)
    }

    /// Takes one buffer as `request` wants it.
    ///
    /// # Errors
    /// None is free for this priority, the account has what it may have, or there is not that much headroom.
    #[inline]
    pub fn alloc_with(&self, request: &Request<'_>) -> Result<Packet, Refused> {
        let headroom = self.headroom_for(request)?;
        let account = request.account.map_or(NOBODY, Account::number);
        if !account::charge(account, 1) {
            return Err(OverLimit::new(account, 1).into());
        }
        let mut slot = 0;
        // SAFETY: one slot of room.
        if !unsafe { self.shared().take(&mut slot, 1, request.priority) } {
            account::uncharge(account, 1);
            return Err(Refused::NoBuffer);
        }
        // SAFETY: the slot taken is out now and becomes exactly one packet; the note is of its charge.
        Ok(unsafe { Packet::from_slot(self.charged(slot, account), headroom) })
    }

    /// Takes `count` buffers into `burst` as `request` wants them, all or none.
    ///
    /// # Errors
    /// As [`Self::alloc_with`], and [`Refused::NoRoom`] in the burst.
    #[inline]
    pub fn alloc_bulk_with(&self, request: &Request<'_>, burst: &mut Burst, count: usize) -> Result<(), Refused> {
        if burst.room() < count {
            return Err(Refused::NoRoom { wanted: count, available: burst.room() });
        }
        let headroom = self.headroom_for(request)?;
        let Some(account) = request.account else {
            let taken = self.take_bulk(burst, count, request.priority, headroom, |slot| slot);
            return if taken { Ok(()) } else { Err(Refused::NoBuffer) };
        };
        let number = account.number();
        // At most MAX_BURST.
        if !account::charge(number, count as u32) {
            return Err(OverLimit::new(number, count as u32).into());
        }
        let note = self.shared().notes().charging(number);
        if !self.take_bulk(burst, count, request.priority, headroom, note) {
            account::uncharge(number, count as u32);
            return Err(Refused::NoBuffer);
        }
        Ok(())
    }

    /// Bytes before the data of a packet for `request`.
    #[inline]
    fn headroom_for(&self, request: &Request<'_>) -> Result<u16, Refused> {
        let wanted = request.headroom.unwrap_or(self.headroom());
        // Buffers begin at multiples of 64.
        let align = request.align.max(1).checked_next_power_of_two().unwrap_or(u16::MAX);
        let available = self.headroom() + self.data_room();
        match wanted.checked_next_multiple_of(align) {
            Some(headroom) if align <= 64 && headroom <= available => Ok(headroom),
            _ => Err(Refused::NoRoom { wanted: wanted.max(align).into(), available: available.into() }),
        }
    }

    /// Takes `count` buffers, as packets with the slots that `note` makes of theirs.
    #[inline(always)]
    fn take_bulk(
        &self,
        burst: &mut Burst,
        count: usize,
        priority: Priority,
        headroom: u16,
        note: impl Fn(u32) -> u32,
    ) -> bool {
        if burst.room() < count {
            return false;
        }
        let space = burst.space().as_mut_ptr().cast::<Packet>();
        // SAFETY: a burst's room, and so `count`, is at most MAX_BURST, and that many places are written.
        // The slots taken are out now, and each becomes exactly one packet.
        unsafe {
            let taken = self.shared().take_with(count, priority, |slots| {
                Packet::write_from_slots(space, count, headroom, |at| note(*slots.add(at)));
            });
            if taken {
                burst.extend(count);
            }
            taken
        }
    }

    /// The slot of a buffer, just taken, that is charged to an account.
    #[inline(always)]
    fn charged(&self, slot: u32, account: u16) -> u32 {
        if account == NOBODY {
            return slot;
        }
        self.shared().notes().write_account(slot, account);
        slot | slot::NOTED
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
            let taken = count > 0 && self.shared().take(slots.as_mut_ptr(), count, Priority::Normal);
            if taken {
                let slots = std::hint::black_box(slots.as_ptr());
                give(table::entry_of(self.number()), count, |space| {
                    copy_slots(slots, space, count);
                    slot::SAME_POOL
                });
            }
            taken
        }
    }

    /// What reports call it.
    pub fn name(&self) -> &str {
        &self.shared().name
    }

    /// Its number, 1 to 127: what packets carry.
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
        self.shared().shape.stride
    }

    /// Where the buffers are. Exact when nobody uses the pool; otherwise a snapshot, in which those that move between a cache and the ring
    /// count as out. A thread's end empties its cache: `JoinHandle::join` waits for that, the end of a `thread::scope` by itself does not.
    pub fn census(&self) -> Census {
        self.shared().census()
    }

    /// What has been done with it so far, by all cores together.
    pub fn stats(&self) -> PoolStats {
        self.shared().caches.stats()
    }

    /// Gives this thread's cached buffers to all. For a thread that will not use the pool for a while: what it caches is missing to others.
    /// (One that ends does this by itself.) DPDK's counterpart is `rte_mempool_cache_flush`.
    pub fn flush_cache(&self) {
        self.shared().flush_cache(thread::index());
    }

    /// How short of buffers it is.
    pub fn level(&self) -> Level {
        self.shared().pressure.level()
    }

    /// The oldest change of [`Self::level`] that has not been told yet; 64 are kept.
    pub fn next_event(&self) -> Option<PressureEvent> {
        self.shared().pressure.next_event()
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
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
