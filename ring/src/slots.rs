//! The memory behind a ring: a power of two of slots, found by masking an index.
//!
//! Knows nothing of who may touch which slot; the rings see to that.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc};
use std::mem::size_of;
use std::ptr;

use crate::Error;
use crate::copy::copy_elements;
use crate::error::check_capacity;

/// Slots start on a boundary of this many bytes: a cache line and its prefetched neighbour. A burst
/// then touches no line more than it must, and no line of someone else's.
const ALIGN: usize = 128;

/// A ring must be invariant in `T`. Else one side could take the ring for one of shorter-lived
/// elements and add some, which the other side would get as longer-lived ones:
///
/// ```compile_fail
/// use gannet_ring::spsc::Producer;
/// fn shorten<'a>(long: Producer<&'static str>) -> Producer<&'a str> { long }
/// ```
/// ```compile_fail
/// use gannet_ring::mpmc::Ring;
/// fn shorten<'a>(long: &'a Ring<&'static str>) -> &'a Ring<&'a str> { long }
/// ```
pub(crate) struct Slots<T> {
    /// Never null; not a `NonNull`, because that is covariant in `T`.
    base: *mut T,
    mask: u64,
}

// SAFETY: `Slots` owns its memory, and elements move through it from thread to thread, which is
// what `T: Send` permits. They are never shared: `write` and `read` demand exclusive slots of
// their callers.
unsafe impl<T: Send> Send for Slots<T> {}
// SAFETY: as for `Send`; a shared `Slots` hands out no reference to an element.
unsafe impl<T: Send> Sync for Slots<T> {}

impl<T> Slots<T> {
    pub(crate) fn with_capacity(capacity: usize) -> Result<Self, Error> {
        check_capacity(capacity)?;
        let no_memory = Error::OutOfMemory { capacity, element_bytes: size_of::<T>() };
        let layout = Self::layout(capacity).ok_or(no_memory)?;
        let base: *mut T = if layout.size() == 0 {
            ptr::dangling_mut()
        } else {
            // SAFETY: the layout is not of size zero.
            unsafe { alloc(layout) }.cast()
        };
        if base.is_null() {
            return Err(no_memory);
        }
        Ok(Self { base, mask: capacity as u64 - 1 })
    }

    fn layout(capacity: usize) -> Option<Layout> {
        Layout::array::<T>(capacity).ok()?.align_to(ALIGN).ok()
    }

    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.mask as usize + 1
    }

    /// Moves `count` elements from `src` into the slots from `index` on.
    ///
    /// # Safety
    ///
    /// - `1 <= count <= capacity`;
    /// - `src` is valid for reads of `count` elements, which the slots own afterwards;
    /// - no other thread touches these slots until this call's effects were published to it.
    #[inline(always)]
    pub(crate) unsafe fn write(&self, index: u64, src: *const T, count: usize) {
        let start = (index & self.mask) as usize;
        let to_end = self.mask as usize - start;
        // SAFETY: `start <= mask`, and a segment ends at the last slot (`start + to_end`) at most.
        unsafe {
            let slot = self.base.add(start);
            // Less one on both sides: the compiler then sees that a single element never wraps.
            if count - 1 <= to_end {
                copy_elements(src, slot, count);
            } else {
                let first = to_end + 1;
                slot.copy_from_nonoverlapping(src, first);
                self.base.copy_from_nonoverlapping(src.add(first), count - first);
            }
        }
    }

    /// Moves `count` elements out of the slots from `index` on to `dst`.
    ///
    /// # Safety
    ///
    /// - `1 <= count <= capacity`;
    /// - the slots hold elements, whose writes happened before, and no longer own them afterwards;
    /// - `dst` is valid for writes of `count` elements;
    /// - no other thread touches these slots until this call's effects were published to it.
    #[inline(always)]
    pub(crate) unsafe fn read(&self, index: u64, dst: *mut T, count: usize) {
        let start = (index & self.mask) as usize;
        let to_end = self.mask as usize - start;
        // SAFETY: as in `write`.
        unsafe {
            let slot = self.base.add(start);
            if count - 1 <= to_end {
                copy_elements(slot, dst, count);
            } else {
                let first = to_end + 1;
                slot.copy_to_nonoverlapping(dst, first);
                self.base.copy_to_nonoverlapping(dst.add(first), count - first);
            }
        }
    }
}

impl<T> Drop for Slots<T> {
    fn drop(&mut self) {
        if let Some(layout) = Self::layout(self.capacity())
            && layout.size() != 0
        {
            // SAFETY: `with_capacity` allocated `base` with this layout. The elements are the
            // ring's to drop.
            unsafe { dealloc(self.base.cast(), layout) }
        }
    }
}
