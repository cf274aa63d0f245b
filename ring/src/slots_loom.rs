//! The stand-in for `slots.rs` under loom: one tracked cell a slot, so that the model checker sees
//! every access and reports those that race.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

use loom::cell::UnsafeCell;

use crate::Error;
use crate::copy::copy_elements;
use crate::error::check_capacity;

pub(crate) struct Slots<T>(Box<[UnsafeCell<MaybeUninit<T>>]>);

// SAFETY: elements are moved from thread to thread, which is what `T: Send` permits.
unsafe impl<T: Send> Send for Slots<T> {}
// SAFETY: as for `Send`; no reference to an element is handed out.
unsafe impl<T: Send> Sync for Slots<T> {}

impl<T> Slots<T> {
    pub(crate) fn with_capacity(capacity: usize) -> Result<Self, Error> {
        check_capacity(capacity)?;
        Ok(Self((0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect()))
    }

    pub(crate) fn capacity(&self) -> usize {
        self.0.len()
    }

    /// # Safety
    ///
    /// As in `slots.rs`.
    pub(crate) unsafe fn write(&self, index: u64, src: *const T, count: usize) {
        for n in 0..count {
            // SAFETY: the caller's contract; loom checks its part on exclusive access.
            self.cell(index, n).with_mut(|slot| unsafe {
                copy_elements(src.add(n), slot.cast(), 1);
            });
        }
    }

    /// # Safety
    ///
    /// As in `slots.rs`.
    pub(crate) unsafe fn read(&self, index: u64, dst: *mut T, count: usize) {
        for n in 0..count {
            // A read takes the element away, so that two readers of a slot are a race as well.
            // SAFETY: the caller's contract; loom checks its part on exclusive access.
            self.cell(index, n).with_mut(|slot| unsafe {
                copy_elements(slot.cast_const().cast(), dst.add(n), 1);
            });
        }
    }

    fn cell(&self, index: u64, n: usize) -> &UnsafeCell<MaybeUninit<T>> {
        &self.0[index.wrapping_add(n as u64) as usize & (self.0.len() - 1)]
    }
}
