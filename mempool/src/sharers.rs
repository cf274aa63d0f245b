//! How many packets own a buffer.
//!
//! Counts the owners beside the first, so that zeroed memory is right for a buffer with one. The orders are those of any reference
//! count: what an owner did with the buffer happens before the last one brings it home. loom checks it (`loom.rs`).

use crate::sync::{AtomicU64, Ordering};

/// Owners of a buffer, less one. 64 bits: no program lives to overflow it by forgetting packets.
#[derive(Debug, Default)]
pub(crate) struct Sharers(AtomicU64);

impl Sharers {
    /// Whether there is more than one. Acquire: an only owner sees what the others did before they left.
    #[inline(always)]
    pub(crate) fn is_shared(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    /// How many owners there are, for reports.
    pub(crate) fn owners(&self) -> u64 {
        self.0.load(Ordering::Relaxed).saturating_add(1)
    }

    /// One more. The caller is an owner.
    #[inline(always)]
    pub(crate) fn join(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One more. The caller holds an owner, and nobody else could use that one to join: so, if there is no other, it is alone with the count.
    #[inline(always)]
    pub(crate) fn join_by_holder(&self) {
        if self.is_shared() {
            self.join();
        } else {
            // No read-modify-write, which costs as much as all the rest of sharing.
            self.0.store(1, Ordering::Relaxed);
        }
    }

    /// One less. True for the last, who has the buffer alone then. Everyone else does not touch the buffer, nor its pool, after the call.
    #[inline(always)]
    pub(crate) fn leave(&self) -> bool {
        // Nobody can join but from an owner, and there is only this one.
        if !self.is_shared() {
            return true;
        }
        // No fence behind a release: ThreadSanitizer does not understand those, and on x86 this is the same instruction.
        if self.0.fetch_sub(1, Ordering::AcqRel) != 0 {
            return false;
        }
        // Two left at the same time: this was the second, and took the count below none.
        self.0.store(0, Ordering::Relaxed);
        true
    }
}
