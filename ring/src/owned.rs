//! Moving values between a ring and a `Vec`.
//!
//! A ring takes and gives elements by copying their bytes between claiming indices and publishing
//! them. No code of the caller runs in between, so nothing there can panic; the functions here
//! then tell the `Vec` what it lost or gained.
#![allow(unsafe_code)]

use std::mem::{MaybeUninit, needs_drop};
use std::ptr;

use crate::slots::Slots;

/// Removes the first `count` values without dropping them and moves the rest to the front.
///
/// # Safety
///
/// `count <= values.len()`, and the first `count` values have been moved out by the caller.
#[inline]
pub(crate) unsafe fn forget_front<T>(values: &mut Vec<T>, count: usize) {
    let rest = values.len() - count;
    let front = values.as_mut_ptr();
    // SAFETY: `count + rest` is the length, so both ranges lie in the vector, and the values that
    // are overwritten are those the caller moved out.
    unsafe {
        ptr::copy(front.add(count), front, rest);
        values.set_len(rest);
    }
}

/// Appends up to `room` values that `fill` writes. `fill` gets a pointer to space for `room` values
/// and returns how many it wrote.
///
/// # Safety
///
/// `fill` initialises as many values from the pointer on as it returns, at most `room`.
#[inline]
pub(crate) unsafe fn append_with<T>(values: &mut Vec<T>, room: usize, fill: impl FnOnce(*mut T) -> usize) -> usize {
    values.reserve(room);
    let filled = fill(values.spare_capacity_mut().as_mut_ptr().cast());
    // SAFETY: there is room for `room` more values, and the caller vouches for the first `filled`.
    unsafe { values.set_len(values.len() + filled) };
    filled
}

/// Drops the elements at the indices from `start` up to `end`.
///
/// # Safety
///
/// The slots at these indices hold elements, no other thread uses the slots, and nobody reads
/// these elements afterwards.
pub(crate) unsafe fn drop_range<T>(slots: &Slots<T>, start: u64, end: u64) {
    if !needs_drop::<T>() {
        return;
    }
    let mut index = start;
    while index != end {
        let mut element = MaybeUninit::uninit();
        // SAFETY: the caller vouches for the slot; it is read once, so its element drops once.
        unsafe {
            slots.read(index, element.as_mut_ptr(), 1);
            element.assume_init_drop();
        }
        index = index.wrapping_add(1);
    }
}
