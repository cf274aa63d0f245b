//! The atomics the rings are built on: std's, or loom's when its model checker runs the tests.

#[cfg(loom)]
pub(crate) use loom::sync::{Arc, atomic::AtomicU64};
#[cfg(not(loom))]
pub(crate) use std::sync::{Arc, atomic::AtomicU64};

pub(crate) use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// A wait for another thread's store that is only instructions away, unless that thread was
/// preempted.
#[derive(Default)]
pub(crate) struct Pause {
    #[cfg(not(loom))]
    spins: u32,
}

impl Pause {
    /// A wait that lasts longer than this is no longer one for a running thread: the core is then
    /// better given to the thread that is waited for.
    #[cfg(not(loom))]
    const SPINS: u32 = 256;

    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn pause(&mut self) {
        if self.spins < Self::SPINS {
            self.spins += 1;
            std::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
    }

    /// The model has no notion of time: only a yield lets the other thread run.
    #[cfg(loom)]
    pub(crate) fn pause(&mut self) {
        loom::thread::yield_now();
    }
}
