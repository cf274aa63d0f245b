//! The atomics of what loom checks (`loom.rs`): std's and crossbeam's, or loom's while it does.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(not(loom))]
pub(crate) use crossbeam_utils::atomic::AtomicCell;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(loom)]
pub(crate) use stand_in::AtomicCell;

#[cfg(loom)]
mod stand_in {
    use std::sync::{Mutex, PoisonError};

    use loom::cell::Cell;
    use loom::sync::atomic::{AtomicUsize, Ordering};

    /// A cell for loom in place of crossbeam's, for a pointer of one word. A number stands for the pointer. It is swapped as crossbeam does
    /// (`AcqRel`), and nothing else orders the two sides: loom does not see the lock, and says if somebody takes what he does not see made.
    pub(crate) struct AtomicCell<T> {
        pointer: AtomicUsize,
        /// All values that there have been, by number.
        values: Mutex<Vec<Cell<Option<T>>>>,
    }

    impl<T: Default> AtomicCell<T> {
        pub(crate) fn new(value: T) -> Self {
            AtomicCell { pointer: AtomicUsize::new(0), values: Mutex::new(vec![Cell::new(Some(value))]) }
        }

        pub(crate) const fn is_lock_free() -> bool {
            true
        }

        pub(crate) fn store(&self, value: T) {
            drop(self.swap(value));
        }

        pub(crate) fn take(&self) -> T {
            self.swap(T::default())
        }

        fn swap(&self, value: T) -> T {
            let new = self.with_values(|values| {
                values.push(Cell::new(Some(value)));
                values.len() - 1
            });
            let old = self.pointer.swap(new, Ordering::AcqRel);
            self.with_values(|values| values[old].take()).expect("a value is taken once")
        }

        fn with_values<R>(&self, act: impl FnOnce(&mut Vec<Cell<Option<T>>>) -> R) -> R {
            act(&mut self.values.lock().unwrap_or_else(PoisonError::into_inner))
        }
    }
}
