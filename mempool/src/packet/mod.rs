//! A packet in flight: sixteen bytes that own a buffer.
//!
//! ```text
//!   slot | offset | len | hash | vlan | flags          the value that is moved about
//!     │
//!     └──► [ headroom ......|<- offset          len ->|.... tailroom ]    the buffer, touched only through data()
//! ```
//!
//! Not `Copy`, not `Clone`: whoever has the packet has the buffer alone, unless it is shared on purpose ([`Packet::share`]), and dropping
//! it brings the buffer home. Handing it to a card consumes it.
//!
//! Here is what every packet can do. What few do, and what then lies in the pool's notes ([`crate::notes`]), is in [`ownership`]
//! and [`segments`].
#![allow(unsafe_code)]

mod metadata;
mod ownership;
mod segments;

pub use metadata::{Checksum, Flags, L3, L4, Metadata};
pub use segments::Segments;

use std::fmt;
use std::num::NonZeroU32;

use crate::account::OverLimit;
use crate::pool::{self, Shared};
use crate::registry::Reason;
use crate::slot;
use crate::table;

/// A frame, or room for one, in a buffer of a [`crate::Pool`].
#[repr(C, align(16))]
pub struct Packet {
    slot: NonZeroU32,
    /// First byte of the data, counted from the start of the buffer.
    offset: u16,
    len: u16,
    metadata: Metadata,
}

const _: () = assert!(size_of::<Packet>() == 16 && size_of::<Option<Packet>>() == 16);
// `write_from_slots` puts the fields together.
const _: () = assert!(cfg!(target_endian = "little"), "Gannet needs a little-endian machine");

/// Why a packet cannot be had, or not be changed so. It is as it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The buffer has no room for that many bytes there, or the packet has fewer.
    #[error("{wanted} bytes wanted, {available} available")]
    NoRoom {
        /// Bytes asked for.
        wanted: usize,
        /// Bytes there are.
        available: usize,
    },
    /// The pool has no free buffer for this request.
    #[error("the pool has no free buffer")]
    NoBuffer,
    /// The account that is to be charged has what it may have.
    #[error(transparent)]
    OverLimit(#[from] OverLimit),
    /// Others have this packet's buffer too: [`Packet::make_own`] first.
    #[error("the packet shares its buffer with others: make_own() gives it one of its own")]
    Shared,
}

impl Packet {
    /// An empty packet in the buffer `slot`, its data starting after `headroom` bytes.
    ///
    /// # Safety
    /// The buffer is out of its pool and belongs to the caller alone, who hands it to the packet. `headroom` is the pool's.
    #[inline(always)]
    pub(crate) unsafe fn from_slot(slot: u32, headroom: u16) -> Packet {
        // SAFETY: per contract; no bytes are claimed.
        unsafe { Self::received(slot, headroom, 0, Metadata::default()) }
    }

    /// Makes empty packets, as [`Self::from_slot`], of `count` slots.
    ///
    /// # Safety
    /// As there, for each slot that `slot` returns for a place below `count`; `packets` is valid for `count` writes.
    #[inline(always)]
    pub(crate) unsafe fn write_from_slots(
        packets: *mut Packet,
        count: usize,
        headroom: u16,
        slot: impl Fn(usize) -> u32,
    ) {
        // Two stores a packet: one for each field would take twice the time.
        let rest = u64::from(headroom) << 32;
        for at in 0..count {
            // SAFETY: per contract; these are the bits of slot, offset, no length and no metadata.
            unsafe { packets.add(at).cast::<[u64; 2]>().write([rest | u64::from(slot(at)), 0]) };
        }
    }

    /// A packet of `len` bytes.
    ///
    /// # Safety
    /// As [`Self::from_slot`], and `len` is at most the pool's data room.
    #[inline(always)]
    pub(crate) unsafe fn received(slot: u32, headroom: u16, len: u16, metadata: Metadata) -> Packet {
        // SAFETY: pool numbers start at 1, so no slot is 0.
        let slot = unsafe { NonZeroU32::new_unchecked(slot) };
        Packet { slot, offset: headroom, len, metadata }
    }

    #[inline(always)]
    pub(crate) fn slot(&self) -> u32 {
        self.slot.get()
    }

    #[inline(always)]
    pub(crate) fn offset(&self) -> u16 {
        self.offset
    }

    /// Bytes of the frame; of a chain, of its first segment ([`Self::total_len`]).
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether it has no bytes.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline(always)]
    fn is_noted(&self) -> bool {
        slot::is_noted(self.slot())
    }

    /// The pool. The reference must not outlive the packet.
    #[inline(always)]
    fn pool(&self) -> &Shared {
        // SAFETY: this packet's buffer is out while the reference is used.
        unsafe { table::entry(self.slot()).pool() }
    }

    #[inline(always)]
    fn start(&self) -> *mut u8 {
        if self.is_noted()
            && let Some(bytes) = self.foreign_bytes()
        {
            // Inside the owner's bytes: offset and len stay within what the packet was made with.
            return bytes.wrapping_add(self.offset as usize);
        }
        self.buffer_start()
    }

    /// Where the data is if it is in the packet's own buffer.
    #[inline(always)]
    fn buffer_start(&self) -> *mut u8 {
        // SAFETY: the packet owns its buffer, which is thereby out; offset and len stay within the buffer (see each method that
        // changes them), so the result is inside the pool's region.
        unsafe { table::entry(self.slot()).buffer(self.slot()).add(self.offset as usize) }
    }

    #[inline(never)]
    fn foreign_bytes(&self) -> Option<*mut u8> {
        self.record()?.foreign_bytes()
    }

    /// The frame; of a chain, its first segment ([`Self::segments`]).
    #[inline(always)]
    pub fn data(&self) -> &[u8] {
        // SAFETY: offset + len is within the buffer, whose bytes are initialised (regions come zeroed), or within foreign bytes, which
        // their owner keeps as they are; nobody writes while the packet lives: others who share the buffer copy it first, and no
        // device has been given it for writing.
        unsafe { std::slice::from_raw_parts(self.start(), self.len()) }
    }

    /// The frame, to change. A packet that shares its buffer gets one of its own first (copy on write).
    ///
    /// # Errors
    /// As [`Self::make_own`]: only for packets that were shared or have foreign bytes.
    #[inline(always)]
    pub fn data_mut(&mut self) -> Result<&mut [u8], Refused> {
        if self.is_noted() {
            self.make_own()?;
        }
        Ok(self.own_bytes())
    }

    /// The bytes of a packet that has its buffer alone, and whose bytes are not foreign.
    #[inline(always)]
    fn own_bytes(&mut self) -> &mut [u8] {
        // SAFETY: as in `data`; the packet is the only owner of the buffer, and its bytes are there (the callers see to it: such is a packet
        // after `make_own`), and `&mut self` makes this the only access.
        unsafe { std::slice::from_raw_parts_mut(self.buffer_start(), self.len()) }
    }

    /// Free bytes before the frame.
    pub fn headroom(&self) -> usize {
        if self.is_foreign() { 0 } else { self.offset as usize }
    }

    /// Free bytes after the frame.
    pub fn tailroom(&self) -> usize {
        if self.is_foreign() {
            return 0;
        }
        self.pool().room_of(self.slot()) as usize - self.offset as usize - self.len()
    }

    /// Makes the frame `count` bytes longer at its end and returns the new bytes (their content is left over from earlier frames). Of a
    /// chain, the first segment.
    ///
    /// # Errors
    /// [`Refused::NoRoom`] if the tailroom is less, and as [`Self::make_own`]; the packet is unchanged.
    pub fn append(&mut self, count: usize) -> Result<&mut [u8], Refused> {
        fits(count, self.tailroom())?;
        self.make_own()?;
        let old = self.len();
        // At most the buffer's room, which is below 2^16.
        self.len += count as u16;
        Ok(&mut self.own_bytes()[old..])
    }

    /// Makes the frame `count` bytes longer at its front and returns the new bytes (their content is left over).
    ///
    /// # Errors
    /// [`Refused::NoRoom`] if the headroom is less, and as [`Self::make_own`]; the packet is unchanged.
    pub fn prepend(&mut self, count: usize) -> Result<&mut [u8], Refused> {
        fits(count, self.headroom())?;
        self.make_own()?;
        self.offset -= count as u16;
        self.len += count as u16;
        Ok(&mut self.own_bytes()[..count])
    }

    /// Takes `count` bytes off the end. Of a chain, off the end of the first segment.
    ///
    /// # Errors
    /// [`Refused::NoRoom`] if the frame is shorter; the packet is unchanged.
    pub fn trim(&mut self, count: usize) -> Result<(), Refused> {
        fits(count, self.len())?;
        self.len -= count as u16;
        Ok(())
    }

    /// Takes `count` bytes off the front.
    ///
    /// # Errors
    /// [`Refused::NoRoom`] if the frame is shorter; the packet is unchanged.
    pub fn adjust(&mut self, count: usize) -> Result<(), Refused> {
        fits(count, self.len())?;
        self.offset += count as u16;
        self.len -= count as u16;
        Ok(())
    }

    /// Drops the packet and counts why. A packet that has done its work is just dropped.
    #[inline]
    pub fn drop_with(self, reason: &'static Reason) {
        reason.count(1);
    }
}

fn fits(wanted: usize, available: usize) -> Result<(), Refused> {
    if wanted <= available { Ok(()) } else { Err(Refused::NoRoom { wanted, available }) }
}

impl Drop for Packet {
    // Always: a packet of which no address is taken, not even for unwinding, can stay in registers.
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the packet owned the buffer and is gone.
        unsafe { pool::give_one(self.slot()) }
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packet")
            .field("slot", &format_args!("{:#010x}", self.slot))
            .field("offset", &self.offset)
            .field("len", &self.len)
            .field("metadata", &self.metadata)
            .finish()
    }
}
