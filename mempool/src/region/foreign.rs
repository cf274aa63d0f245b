//! Memory that someone else owns, as a region that a device may read.
//!
//! ```text
//!        ┌ base: rounded down to a page          ┌ base + len: rounded up
//!        │ · · · ┌──── the owner's bytes ────┐ · │
//! ```
//!
//! The owner lies in a box that nobody touches until the last handle of the region is gone; only then is it taken out and handed to the
//! release function. Until then `&self` of the owner is borrowed, and with it the bytes.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{self, AssertUnwindSafe};
use std::ptr::NonNull;
use std::sync::Arc;

use super::{Memory, PageSize, Region};

/// Owner and release function, their types forgotten.
trait Lender: Send {
    fn release(self: Box<Self>);
}

struct Lent<T, F> {
    owner: T,
    release: F,
}

impl<T: Send, F: FnOnce(T) + Send> Lender for Lent<T, F> {
    fn release(self: Box<Self>) {
        let Lent { owner, release } = *self;
        release(owner);
    }
}

/// Somebody's memory, given back on drop.
pub(super) struct Loan {
    /// From `Box::into_raw`. No `Box` here: moving one would end the borrow of what lies in it.
    lender: NonNull<dyn Lender>,
    file: Option<File>,
}

impl Loan {
    pub(super) fn file(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(File::as_fd)
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `Box::into_raw`, and drop runs once. The bytes that were borrowed from it are out of use: who
        // has them keeps the region, and so the loan.
        let lender = unsafe { Box::from_raw(self.lender.as_ptr()) };
        // The last handle may be a packet that a queue lets go of, in the middle of its work: no panic passes through that.
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| lender.release())) {
            tracing::error!("the release function of lent memory has panicked");
            // Dropping the payload is the panicking side's code too.
            std::mem::forget(panic::catch_unwind(AssertUnwindSafe(|| drop(payload))));
        }
    }
}

impl Region {
    /// The pages that the bytes of `owner` lie in, and the bytes. `file`, if any, has the bytes at its beginning, page for page.
    ///
    /// The bytes are there, and do not change, as long as the region is.
    pub(crate) fn lend<T>(
        owner: T,
        file: Option<File>,
        release: impl FnOnce(T) + Send + 'static,
    ) -> (Arc<Region>, NonNull<[u8]>)
    where
        T: AsRef<[u8]> + Send + Sync + 'static,
    {
        let lent = NonNull::from(Box::leak(Box::new(Lent { owner, release })));
        let loan = Loan { lender: lent, file };
        // SAFETY: the box is alive until `loan` is dropped, which the region keeps. Until then there is no other reference to it but this
        // shared one, so the owner is neither moved nor changed, and what `as_ref` returns stays as it is.
        let bytes = NonNull::from(unsafe { &lent.as_ref().owner }.as_ref());
        let page = PageSize::Normal.bytes();
        let first = bytes.cast::<u8>();
        let margin = first.addr().get() % page;
        // An address for devices, never used here; the first page of a process's memory is not page 0, the bytes of nothing may be.
        let base = NonNull::new(first.as_ptr().wrapping_sub(margin)).unwrap_or(first);
        let len = (margin + bytes.len()).next_multiple_of(page);
        let region = Region { base, len, page_size: PageSize::Normal, memory: Memory::Lent(loan) };
        (Arc::new(region), bytes)
    }
}
