//! The buffers in a card's hands: the software side of a descriptor ring.
//!
//! ```text
//!   slots: [ .... | buffer buffer buffer buffer | .... ]      positions run free and are masked
//!                 ^ tail: next to come back     ^ head: next to be given to the card
//! ```
//!
//! Buffer and descriptor of one position belong together. [`RxBuffers`] arms buffers of its pool at the head and takes filled ones as
//! packets at the tail; [`TxBuffers`] takes packets in at the head and releases sent ones at the tail. The drivers, which may
//! not use `unsafe`, say through closures what the descriptors say; that a buffer has one owner is settled here.
#![allow(unsafe_code)]

mod rx;
mod tx;

pub use rx::{Arrival, RxBuffers};
pub use tx::{Obstacle, Segment, TxBuffers};

use crate::cache::copy_slots;
use crate::pool::{self, MAX_GIVE};
use crate::slot::{self, SAME_POOL};
use crate::table::{self, Entry};
use crate::{Error, Result};

/// In a place without a buffer of its own: what was sent from there goes home with the packet's last place.
const NOTHING: u32 = 0;

/// A power of two of places for buffers. Dropping it brings them home.
#[derive(Debug)]
struct Places {
    /// `slots[position & mask]` for `tail <= position < head` (modulo 2^32) are out of their pool and owned by this ring, or [`NOTHING`].
    slots: Box<[u32]>,
    mask: u32,
    head: u32,
    tail: u32,
}

impl Places {
    fn new(places: u32) -> Result<Places> {
        if !places.is_power_of_two() || places > 1 << 16 {
            return Err(Error::Invalid(format!("a ring of {places} buffers: a power of two up to 65536 is possible")));
        }
        Ok(Places { slots: vec![0; places as usize].into(), mask: places - 1, head: 0, tail: 0 })
    }

    #[inline(always)]
    fn len(&self) -> u32 {
        self.head.wrapping_sub(self.tail)
    }

    #[inline(always)]
    fn room(&self) -> u32 {
        self.mask + 1 - self.len()
    }

    #[inline(always)]
    fn at(&self, position: u32) -> *const u32 {
        // SAFETY: the masked position is below the length.
        unsafe { self.slots.as_ptr().add((position & self.mask) as usize) }
    }

    #[inline(always)]
    fn at_mut(&mut self, position: u32) -> *mut u32 {
        // SAFETY: as in `at`.
        unsafe { self.slots.as_mut_ptr().add((position & self.mask) as usize) }
    }

    /// The places, for a loop that reads them.
    #[inline(always)]
    fn filled(&self) -> Filled {
        Filled { slots: self.slots.as_ptr(), mask: self.mask }
    }

    /// Places from `position` to the end of the array.
    #[inline(always)]
    fn until_wrap(&self, position: u32) -> u32 {
        self.mask + 1 - (position & self.mask)
    }

    /// Brings the `count` oldest buffers home (at most those there are), in bulk.
    #[inline(always)]
    fn release(&mut self, count: u32) {
        self.release_runs(count, |slots| {
            let first = slots[0];
            let difference = slots.iter().fold(0, |difference, slot| difference | slot ^ first);
            (slot::same_pool(difference) && first != NOTHING).then(|| table::entry(first))
        });
    }

    /// [`Self::release`] in runs that do not wrap; `pool_of` tells the pool of a run, `None` if it is of several.
    #[inline(always)]
    fn release_runs(&mut self, count: u32, pool_of: impl Fn(&[u32]) -> Option<&'static Entry>) {
        let mut left = count.min(self.len());
        while left > 0 {
            let run = left.min(self.until_wrap(self.tail)).min(MAX_GIVE as u32);
            let places = self.at(self.tail);
            // SAFETY: `run` places from the tail on, at least one, are filled and do not wrap.
            let slots = unsafe { std::slice::from_raw_parts(places, run as usize) };
            // First: should a release of foreign memory panic, no buffer has two owners.
            self.tail = self.tail.wrapping_add(run);
            left -= run;
            match pool_of(slots) {
                // SAFETY: the ring owned these buffers, at most MAX_GIVE and all of that pool, and has forgotten them.
                Some(entry) => unsafe {
                    pool::give(entry, slots.len(), |space| {
                        copy_slots(places, space, slots.len());
                        SAME_POOL
                    });
                },
                // SAFETY: the ring owned each buffer and has forgotten it.
                None => slots.iter().filter(|&&slot| slot != NOTHING).for_each(|&slot| unsafe { pool::give_one(slot) }),
            }
        }
    }
}

/// What a loop over filled places needs, free of the borrow of [`Places`].
#[derive(Clone, Copy)]
struct Filled {
    slots: *const u32,
    mask: u32,
}

impl Filled {
    /// The buffer at `position`.
    ///
    /// # Safety
    /// The [`Places`] live, and the place is filled.
    #[inline(always)]
    unsafe fn at(self, position: u32) -> u32 {
        // SAFETY: the masked position is below the length; filled per contract.
        unsafe { *self.slots.add((position & self.mask) as usize) }
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.release(self.len());
    }
}
