//! The ring between any number of producers and consumers.
//!
//! Each side has two indices. An operation on `n` elements
//!
//! 1. *claims* `n` slots: one compare-and-swap moves the side's `head` on;
//! 2. *copies* the elements, with the slots to itself;
//! 3. *publishes* them: waits until all earlier claims of its side are published, then moves the
//!    side's `tail` on.
//!
//! ```text
//!           cons.tail     cons.head        prod.tail          prod.head
//!               │             │                │                  │
//!    ───────────┬─────────────┬────────────────┬──────────────────┬──────────────
//!        free   │  being read │  elements      │ being filled     │  free
//!               │  (consumers)│                │ (producers, each │
//!               │             │                │  its own claim)  │
//!    ───────────┴─────────────┴────────────────┴──────────────────┴──────────────
//!               producers may claim up to                consumers may claim up to
//!               cons.tail + capacity                     prod.tail
//! ```
//!
//! # What is lock-free and what is not
//!
//! Producers never wait for consumers nor consumers for producers: full and empty are answers. The
//! claim is lock-free: a swap that fails, fails because another thread's succeeded. Publishing is
//! **not** lock-free: a thread that is preempted between claim and publication delays the *later*
//! claims of its own side until it runs again, and hides what they moved from the other side. They
//! spin for a moment and then yield their core, so progress is made on a single core too, if the
//! scheduler then runs that thread (which among real-time threads of unequal priority it may not).
//!
//! This is the price of bulk operations with one compare-and-swap however many elements there are;
//! for threads pinned to a core of their own it is not paid. Do not use one side of the ring both
//! in a signal handler and in what it interrupts.
//!
//! # The end of an operation
//!
//! The last thing an operation does to the ring is the `Release` store of its side's `tail`; it
//! touches no memory of the ring after that, neither indices nor slots. So whoever has seen the
//! effect of every operation (all elements that were sent have arrived, all slots are free again)
//! and knows that no new ones begin may free the ring, even while the calls that sent them have
//! yet to return.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::fmt;
use std::mem::{ManuallyDrop, MaybeUninit};

use crossbeam_utils::CachePadded;

use crate::Error;
use crate::owned::{append_with, drop_range, forget_front};
use crate::slots::Slots;
use crate::sync::{Acquire, AtomicU64, Pause, Relaxed, Release};
use crate::want::Want;

/// A ring that any number of threads add to and take from.
///
/// ```
/// use gannet_ring::mpmc::Ring;
///
/// let ring = Ring::with_capacity(1024)?;
/// std::thread::scope(|scope| {
///     for producer in 0..2u32 {
///         let ring = &ring;
///         scope.spawn(move || assert!(ring.enqueue_bulk(&[producer; 32])));
///     }
/// });
/// let mut burst = [0; 128];
/// assert_eq!(ring.dequeue_burst(&mut burst), 64);
/// # Ok::<(), gannet_ring::Error>(())
/// ```
pub struct Ring<T> {
    /// In a cell as a whole, padding and all: a reference to plain memory would promise that this
    /// memory stays allocated until the call it is passed to returns, which is longer than an
    /// operation needs it (see the module's documentation).
    parts: UnsafeCell<Parts<T>>,
}

struct Parts<T> {
    prod: Ends,
    cons: Ends,
    slots: Slots<T>,
}

/// One side's indices. The slots from `tail` up to `head` are claimed and not yet published.
///
/// On two cache lines, because the other side reads `tail` all the time: that must not take the
/// line away from the next swap of `head`.
struct Ends {
    head: CachePadded<AtomicU64>,
    tail: CachePadded<AtomicU64>,
}

// SAFETY: the parts are only ever borrowed shared (except by `drop`), and they are `Sync` when
// elements may move between threads.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    /// Makes a ring for `capacity` elements, a power of two.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCapacity`] says the nearest capacity that is valid, [`Error::OutOfMemory`]
    /// that there is no memory for this one.
    pub fn with_capacity(capacity: usize) -> Result<Self, Error> {
        Self::starting_at(capacity, 0)
    }

    /// A ring whose indices begin at `start`, so that tests can have them overflow.
    pub(crate) fn starting_at(capacity: usize, start: u64) -> Result<Self, Error> {
        let parts = Parts {
            prod: Ends::starting_at(start),
            cons: Ends::starting_at(start),
            slots: Slots::with_capacity(capacity)?,
        };
        Ok(Self { parts: UnsafeCell::new(parts) })
    }

    #[inline(always)]
    fn parts(&self) -> &Parts<T> {
        // SAFETY: nothing borrows the parts mutably while there is a `&self`.
        unsafe { &*self.parts.get() }
    }

    /// How many elements the ring can hold.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.parts().slots.capacity()
    }

    /// How many elements are in the ring, at some moment during the call.
    ///
    /// Elements count from their publication until their slots are free again.
    #[inline]
    pub fn len(&self) -> usize {
        let Parts { prod, cons, slots } = self.parts();
        // The consumers' index first: then the producers' is at least the one this was derived
        // from, and the difference never negative. It may exceed the capacity when the ring moved
        // on in between. Acquire on both: whoever learns from the length that an operation ended
        // may free what it used.
        let cons = cons.tail.load(Acquire);
        let prod = prod.tail.load(Acquire);
        (prod.wrapping_sub(cons) as usize).min(slots.capacity())
    }

    /// How many more elements fit, at some moment during the call.
    #[inline]
    pub fn free(&self) -> usize {
        self.capacity() - self.len()
    }

    /// Whether there is nothing in the ring.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether nothing more fits.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }
}

impl<T: Send> Ring<T> {
    /// Adds one element, or gives it back if the ring is full.
    #[inline]
    pub fn push(&self, value: T) -> Result<(), T> {
        let value = ManuallyDrop::new(value);
        // SAFETY: `value` is one element, not used again if it was taken.
        match unsafe { self.enqueue(&*value, Want::Exactly(1)) } {
            0 => Err(ManuallyDrop::into_inner(value)),
            _ => Ok(()),
        }
    }

    /// Takes the oldest element, if there is one.
    #[inline]
    pub fn pop(&self) -> Option<T> {
        let mut value = MaybeUninit::uninit();
        // SAFETY: there is room for one element, initialised if one was read.
        unsafe {
            match self.dequeue(value.as_mut_ptr(), Want::Exactly(1)) {
                0 => None,
                _ => Some(value.assume_init()),
            }
        }
    }

    /// Moves all of `values` into the ring and leaves the vector empty, or moves none and returns
    /// `false`.
    #[inline]
    pub fn enqueue_bulk_from(&self, values: &mut Vec<T>) -> bool {
        let count = values.len();
        self.enqueue_from(values, Want::Exactly(count)) == count
    }

    /// Moves as many of `values` as fit into the ring, from the front, and returns how many. The
    /// rest stays in the vector.
    #[inline]
    pub fn enqueue_burst_from(&self, values: &mut Vec<T>) -> usize {
        self.enqueue_from(values, Want::UpTo(values.len()))
    }

    /// Appends the `count` oldest elements to `values`, or none if there are fewer. Returns
    /// whether it did.
    ///
    /// Allocates only if `values` lacks the capacity, and before it takes anything.
    #[inline]
    pub fn dequeue_bulk_into(&self, values: &mut Vec<T>, count: usize) -> bool {
        // The length first, so that a count which cannot be had does not grow the vector.
        count <= self.len() && self.dequeue_into(values, count, Want::Exactly(count)) == count
    }

    /// Appends the oldest elements to `values`, at most `max`, and returns how many.
    ///
    /// Allocates only if `values` lacks the capacity, and before it takes anything.
    #[inline]
    pub fn dequeue_burst_into(&self, values: &mut Vec<T>, max: usize) -> usize {
        let max = max.min(self.len());
        self.dequeue_into(values, max, Want::UpTo(max))
    }

    #[inline]
    fn enqueue_from(&self, values: &mut Vec<T>, want: Want) -> usize {
        // SAFETY: `want` is at most the vector's length, and what was taken is forgotten.
        unsafe {
            let count = self.enqueue(values.as_ptr(), want);
            forget_front(values, count);
            count
        }
    }

    #[inline]
    fn dequeue_into(&self, values: &mut Vec<T>, room: usize, want: Want) -> usize {
        // SAFETY: `dequeue` initialises what it returns, and `want` is at most `room`.
        unsafe { append_with(values, room, |space| self.dequeue(space, want)) }
    }

    /// # Safety
    ///
    /// `values` is valid for reads of as many elements as are wanted, and as many of them as are
    /// returned are moved out.
    #[inline(always)]
    unsafe fn enqueue(&self, values: *const T, want: Want) -> usize {
        let Parts { prod, cons, slots } = self.parts();
        let (start, count) = prod.claim(&cons.tail, slots.capacity() as u64, want);
        if count != 0 {
            // SAFETY: the slots lie between `prod.head` and `cons.tail + capacity`: their last
            // elements were read, and the claim gives them to this call until it publishes.
            unsafe { slots.write(start, values, count) };
            publish(&prod.tail, start, count);
        }
        count
    }

    /// # Safety
    ///
    /// `values` is valid for writes of as many elements as are wanted. As many as are returned are
    /// initialised.
    #[inline(always)]
    unsafe fn dequeue(&self, values: *mut T, want: Want) -> usize {
        let Parts { prod, cons, slots } = self.parts();
        let (start, count) = cons.claim(&prod.tail, 0, want);
        if count != 0 {
            // SAFETY: the slots lie between `cons.head` and `prod.tail`: they were filled, and the
            // claim gives them to this call until it publishes.
            unsafe { slots.read(start, values, count) };
            publish(&cons.tail, start, count);
        }
        count
    }
}

impl<T: Copy + Send> Ring<T> {
    /// Adds all of `values` or, if they do not fit, none. Returns whether it did.
    #[inline]
    #[must_use]
    pub fn enqueue_bulk(&self, values: &[T]) -> bool {
        // SAFETY: the slice holds as many elements; `Copy` lets the caller keep them.
        let count = unsafe { self.enqueue(values.as_ptr(), Want::Exactly(values.len())) };
        count == values.len()
    }

    /// Adds as many of `values` as fit, from the front, and returns how many.
    #[inline]
    #[must_use]
    pub fn enqueue_burst(&self, values: &[T]) -> usize {
        // SAFETY: the slice holds as many elements; `Copy` lets the caller keep them.
        unsafe { self.enqueue(values.as_ptr(), Want::UpTo(values.len())) }
    }

    /// Fills all of `values` with the oldest elements or, if there are fewer, none of it. Returns
    /// whether it did.
    #[inline]
    #[must_use]
    pub fn dequeue_bulk(&self, values: &mut [T]) -> bool {
        // SAFETY: the slice has room for as many elements.
        let count = unsafe { self.dequeue(values.as_mut_ptr(), Want::Exactly(values.len())) };
        count == values.len()
    }

    /// Fills as much of `values` as there are elements, from the front, and returns how many.
    #[inline]
    #[must_use]
    pub fn dequeue_burst(&self, values: &mut [T]) -> usize {
        // SAFETY: the slice has room for as many elements.
        unsafe { self.dequeue(values.as_mut_ptr(), Want::UpTo(values.len())) }
    }
}

impl Ends {
    fn starting_at(start: u64) -> Self {
        Self { head: CachePadded::new(AtomicU64::new(start)), tail: CachePadded::new(AtomicU64::new(start)) }
    }

    /// Claims slots for this side: the index of the first and how many. This side may go as far as
    /// `ahead` slots beyond `other_tail`.
    #[inline(always)]
    fn claim(&self, other_tail: &AtomicU64, ahead: u64, want: Want) -> (u64, usize) {
        // Acquire, with the Release of the swap that stored this head: the other side's tail, read
        // next, is then at least the one that swap relied on. An older one would make the
        // difference below negative, which is to say huge.
        let mut head = self.head.load(Acquire);
        loop {
            // Acquire: the other side is done with the slots before this side touches them.
            let limit = other_tail.load(Acquire).wrapping_add(ahead);
            // If others have moved the head meanwhile, this may be too large, and the swap fails.
            let count = want.of(limit.wrapping_sub(head));
            if count == 0 {
                return (head, 0);
            }
            let claimed = head.wrapping_add(count);
            match self.head.compare_exchange_weak(head, claimed, Release, Acquire) {
                Ok(_) => return (head, count as usize),
                Err(moved) => head = moved,
            }
        }
    }
}

/// Hands the slots claimed from `start` on to the other side, after all claims before them.
#[inline(always)]
fn publish(tail: &AtomicU64, start: u64, count: usize) {
    let mut wait = Pause::default();
    // Acquire: the store below speaks for the earlier claims' copies as well, so they must happen
    // before it.
    while tail.load(Acquire) != start {
        wait.pause();
    }
    // Release: this claim's copies happen before the other side's use of the slots.
    tail.store(start.wrapping_add(count as u64), Release);
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        let Parts { prod, cons, slots } = self.parts.get_mut();
        // Relaxed: `&mut` orders every operation before this.
        let (cons, prod) = (cons.tail.load(Relaxed), prod.tail.load(Relaxed));
        // SAFETY: no operation is under way, so heads equal tails, and the slots from `cons` up to
        // `prod` are those that were filled and not read.
        unsafe { drop_range(slots, cons, prod) }
    }
}

impl<T> fmt::Debug for Ring<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("capacity", &self.capacity()).field("len", &self.len()).finish()
    }
}
