//! A burst: up to [`MAX_BURST`] packets, the unit of all data-path calls.
//!
//! ```text
//!   packets: [ taken ... | packet packet packet | room ....... | beyond the limit ]
//!                        ^ head                 ^ tail         ^ limit
//! ```
//!
//! Sending takes from the front and leaves the rest, receiving appends at the end. A burst is used again and again; it derefs to a slice
//! of packets.
#![allow(unsafe_code)]

use std::fmt;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::ptr;

use crate::packet::Packet;
use crate::pool;
use crate::registry::Reason;
use crate::table;

/// Most packets a burst holds.
pub const MAX_BURST: usize = 256;

/// A few packets on their way through the program.
pub struct Burst {
    head: usize,
    tail: usize,
    limit: usize,
    /// `packets[head..tail]` are initialised.
    packets: [MaybeUninit<Packet>; MAX_BURST],
}

impl Burst {
    /// An empty burst for at most `limit` packets (1 to [`MAX_BURST`]; what is beyond is cut to that). 32 is a good size.
    pub fn new(limit: usize) -> Burst {
        let packets = [const { MaybeUninit::uninit() }; MAX_BURST];
        Burst { head: 0, tail: 0, limit: limit.clamp(1, MAX_BURST), packets }
    }

    /// Most packets it takes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Packets that it can still take.
    #[inline(always)]
    pub fn room(&self) -> usize {
        self.limit - (self.tail - self.head)
    }

    /// Adds a packet at the end, or gives it back if the burst is full.
    ///
    /// # Errors
    /// The packet itself.
    pub fn push(&mut self, packet: Packet) -> Result<(), Packet> {
        match self.space().first_mut() {
            Some(place) => {
                place.write(packet);
                // SAFETY: written just now.
                unsafe { self.extend(1) };
                Ok(())
            }
            None => Err(packet),
        }
    }

    /// Takes the packet at the front.
    pub fn pop_front(&mut self) -> Option<Packet> {
        if self.head == self.tail {
            return None;
        }
        // SAFETY: packets[head..tail] are initialised and head < tail; moving head makes this the only copy.
        let packet = unsafe { self.packets[self.head].assume_init_read() };
        self.take_front(1);
        Some(packet)
    }

    /// Frees all packets, in bulk.
    #[inline]
    pub fn clear(&mut self) {
        let (head, tail) = (self.head, self.tail);
        if head == tail {
            return;
        }
        // First: should a release of foreign memory panic, no packet has two owners.
        (self.head, self.tail) = (0, 0);
        // SAFETY: the packets at head..tail own their buffers; they are forgotten, so each comes home once. A burst is no longer than
        // MAX_GIVE.
        let given = unsafe {
            let packets = self.packets.as_ptr().add(head).cast::<Packet>();
            pool::give(table::entry((*packets).slot()), tail - head, |space| write_slots(packets, space, tail - head))
        };
        if !given {
            // Nothing has happened to them.
            (self.head, self.tail) = (head, tail);
            self.clear_one_by_one();
        }
    }

    /// [`Self::clear`] for packets of several pools.
    #[inline(never)]
    fn clear_one_by_one(&mut self) {
        while let Some(packet) = self.pop_front() {
            drop(packet);
        }
    }

    /// Drops all packets and counts why.
    pub fn drop_with(&mut self, reason: &'static Reason) {
        reason.count(self.len() as u64);
        self.clear();
    }

    /// Moves the packets to the start of the array.
    #[cold]
    fn compact(&mut self) {
        let count = self.tail - self.head;
        let start = self.packets.as_mut_ptr();
        // SAFETY: packets[head..tail] are in bounds; the move may overlap, and the old places count as uninitialised afterwards.
        unsafe { ptr::copy(start.add(self.head), start, count) };
        (self.head, self.tail) = (0, count);
    }

    /// Places for [`Self::room`] packets behind those that there are, to be written before [`Self::extend`].
    #[inline(always)]
    pub(crate) fn space(&mut self) -> &mut [MaybeUninit<Packet>] {
        if self.head > 0 {
            self.compact();
        }
        // SAFETY: tail <= limit <= MAX_BURST, always.
        unsafe { self.packets.get_unchecked_mut(self.tail..self.limit) }
    }

    /// Makes the first `count` places of [`Self::space`] part of the burst.
    ///
    /// # Safety
    /// They have been written.
    #[inline(always)]
    pub(crate) unsafe fn extend(&mut self, count: usize) {
        debug_assert!(self.tail + count <= self.limit);
        self.tail += count;
    }

    /// The initialised packets.
    #[inline(always)]
    fn slots(&self) -> &[Packet] {
        // SAFETY: packets[head..tail] are initialised, and head <= tail <= MAX_BURST.
        unsafe { std::slice::from_raw_parts(self.packets.as_ptr().add(self.head).cast(), self.tail - self.head) }
    }

    /// Forgets the first `count` packets: their buffers are somebody else's now.
    #[inline(always)]
    pub(crate) fn take_front(&mut self, count: usize) {
        debug_assert!(count <= self.tail - self.head);
        self.head += count;
        if self.head == self.tail {
            (self.head, self.tail) = (0, 0);
        }
    }
}

/// Writes the slots of `count` packets to the memory at `to`. Returns the bits in which they differ from the first.
///
/// # Safety
/// `packets` is valid for `count` reads, one at least, `to` for `count` writes, and they do not overlap.
#[inline(always)]
unsafe fn write_slots(packets: *const Packet, to: *mut u32, count: usize) -> u32 {
    let mut difference = 0;
    // SAFETY: per contract.
    unsafe {
        let first = (*packets).slot();
        for at in 0..count {
            let slot = (*packets.add(at)).slot();
            to.add(at).write(slot);
            difference |= slot ^ first;
        }
    }
    difference
}

impl Deref for Burst {
    type Target = [Packet];

    #[inline(always)]
    fn deref(&self) -> &[Packet] {
        self.slots()
    }
}

impl DerefMut for Burst {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [Packet] {
        let count = self.tail - self.head;
        // SAFETY: as in `slots`, and `&mut self` makes it the only access.
        unsafe { std::slice::from_raw_parts_mut(self.packets.as_mut_ptr().add(self.head).cast(), count) }
    }
}

impl Drop for Burst {
    fn drop(&mut self) {
        self.clear();
    }
}

impl fmt::Debug for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Burst").field("limit", &self.limit).field("packets", &self.slots()).finish()
    }
}
