//! The ring between one producer and one consumer.
//!
//! [`ring`] makes a [`Producer`] and a [`Consumer`], one for each core. Every operation is
//! wait-free: it takes a bounded number of steps whatever the other side does.
//!
//! ```text
//!      producer's core                  shared lines                  consumer's core
//!    ┌──────────────────┐           ┌───────────────────┐           ┌──────────────────┐
//!    │ next   = prod    ├──Release─►│ prod: next to fill├──Acquire─►│ limit = prod     │
//!    │ limit  = cons    │◄─Acquire──┤ cons: next to read│◄─Release──┤ next  = cons     │
//!    │        + capacity│           └───────────────────┘           │                  │
//!    └──────────────────┘                                           └──────────────────┘
//! ```
//!
//! Each side works up to its `limit` without looking at the other's index. Only when the limit is
//! too near for what is asked does it read the line that the other core writes.
//!
//! The last thing an operation does to the ring is the `Release` store of its own index; it
//! touches no memory of the ring after that.
//!
//! ```
//! let (mut producer, mut consumer) = gannet_ring::spsc::ring::<u32>(4)?;
//! assert!(producer.enqueue_bulk(&[1, 2, 3]));
//! assert_eq!(producer.enqueue_burst(&[4, 5, 6]), 1);
//!
//! let mut out = [0; 8];
//! assert_eq!(consumer.dequeue_burst(&mut out), 4);
//! assert_eq!(out[..4], [1, 2, 3, 4]);
//! # Ok::<(), gannet_ring::Error>(())
//! ```
#![allow(unsafe_code)]

use std::fmt;
use std::mem::{ManuallyDrop, MaybeUninit};

use crossbeam_utils::CachePadded;

use crate::Error;
use crate::owned::{append_with, drop_range, forget_front};
use crate::slots::Slots;
use crate::sync::{Acquire, Arc, AtomicU64, Relaxed, Release};
use crate::want::Want;

/// Makes a ring for `capacity` elements, a power of two.
///
/// # Errors
///
/// [`Error::InvalidCapacity`] says the nearest capacity that is valid, [`Error::OutOfMemory`] that
/// there is no memory for this one.
pub fn ring<T>(capacity: usize) -> Result<(Producer<T>, Consumer<T>), Error> {
    starting_at(capacity, 0)
}

/// A ring whose indices begin at `start`, so that tests can have them overflow.
pub(crate) fn starting_at<T>(capacity: usize, start: u64) -> Result<(Producer<T>, Consumer<T>), Error> {
    let ring = Arc::new(Shared {
        prod: CachePadded::new(AtomicU64::new(start)),
        cons: CachePadded::new(AtomicU64::new(start)),
        slots: Slots::with_capacity(capacity)?,
    });
    let limit = start.wrapping_add(capacity as u64);
    let producer = Producer { ring: Arc::clone(&ring), side: Side { next: start, limit } };
    let consumer = Consumer { ring, side: Side { next: start, limit: start } };
    Ok((producer, consumer))
}

/// The producer's handle of an SPSC ring. It goes to one core; there is no second one.
pub struct Producer<T> {
    ring: Arc<Shared<T>>,
    side: Side,
}

/// The consumer's handle of an SPSC ring. It goes to one core; there is no second one.
///
/// Elements that nobody took are dropped with the later one of the two handles.
pub struct Consumer<T> {
    ring: Arc<Shared<T>>,
    side: Side,
}

struct Shared<T> {
    /// Index of the next slot to fill. Stored by the producer only.
    prod: CachePadded<AtomicU64>,
    /// Index of the next slot to read. Stored by the consumer only.
    cons: CachePadded<AtomicU64>,
    slots: Slots<T>,
}

/// One side's view of its own slots, kept in its handle.
///
/// The slots from `next` up to `limit` belong to this side.
struct Side {
    next: u64,
    limit: u64,
}

impl Side {
    /// How many slots this side may move now; looks at the other side only if it must.
    #[inline]
    fn claim(&mut self, want: Want, limit_now: impl FnOnce() -> u64) -> usize {
        let (Want::Exactly(most) | Want::UpTo(most)) = want;
        if self.limit.wrapping_sub(self.next) < most as u64 {
            self.limit = limit_now();
        }
        want.of(self.limit.wrapping_sub(self.next)) as usize
    }

    /// Gives the next `count` slots to the other side, which sees them as `index` has it.
    #[inline]
    fn publish(&mut self, count: usize, index: &AtomicU64) {
        self.next = self.next.wrapping_add(count as u64);
        // Release: what was done to the slots happens before the other side's use of them.
        index.store(self.next, Release);
    }
}

impl<T> Shared<T> {
    fn len(&self) -> usize {
        // As in the MPMC ring: this order keeps the difference from being negative, and Acquire
        // makes what the length tells of an operation's end reliable.
        let cons = self.cons.load(Acquire);
        let prod = self.prod.load(Acquire);
        (prod.wrapping_sub(cons) as usize).min(self.slots.capacity())
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // Relaxed: the `Arc` has ordered both handles' last operations before this.
        let (cons, prod) = (self.cons.load(Relaxed), self.prod.load(Relaxed));
        // SAFETY: both handles are gone, and the slots from `cons` up to `prod` are those that
        // were filled and not read.
        unsafe { drop_range(&self.slots, cons, prod) }
    }
}

impl<T: Send> Producer<T> {
    /// Adds one element, or gives it back if the ring is full.
    ///
    /// ```
    /// let (mut producer, mut consumer) = gannet_ring::spsc::ring(1)?;
    /// assert_eq!(producer.push("a"), Ok(()));
    /// assert_eq!(producer.push("b"), Err("b"));
    /// assert_eq!(consumer.pop(), Some("a"));
    /// # Ok::<(), gannet_ring::Error>(())
    /// ```
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), T> {
        let value = ManuallyDrop::new(value);
        // SAFETY: `value` is one element, not used again if it was taken.
        match unsafe { self.enqueue(&*value, Want::Exactly(1)) } {
            0 => Err(ManuallyDrop::into_inner(value)),
            _ => Ok(()),
        }
    }

    /// Moves all of `values` into the ring and leaves the vector empty, or moves none and returns
    /// `false`.
    #[inline]
    pub fn enqueue_bulk_from(&mut self, values: &mut Vec<T>) -> bool {
        let count = values.len();
        self.enqueue_from(values, Want::Exactly(count)) == count
    }

    /// Moves as many of `values` as fit into the ring, from the front, and returns how many. The
    /// rest stays in the vector.
    ///
    /// ```
    /// let (mut producer, mut consumer) = gannet_ring::spsc::ring(2)?;
    /// let mut names = vec!["a".to_string(), "b".to_string(), "c".to_string()];
    /// assert_eq!(producer.enqueue_burst_from(&mut names), 2);
    /// assert_eq!(names, ["c"]);
    ///
    /// assert_eq!(consumer.dequeue_burst_into(&mut names, 32), 2);
    /// assert_eq!(names, ["c", "a", "b"]);
    /// # Ok::<(), gannet_ring::Error>(())
    /// ```
    #[inline]
    pub fn enqueue_burst_from(&mut self, values: &mut Vec<T>) -> usize {
        self.enqueue_from(values, Want::UpTo(values.len()))
    }

    #[inline]
    fn enqueue_from(&mut self, values: &mut Vec<T>, want: Want) -> usize {
        // SAFETY: `want` is at most the vector's length, and what was taken is forgotten.
        unsafe {
            let count = self.enqueue(values.as_ptr(), want);
            forget_front(values, count);
            count
        }
    }

    /// # Safety
    ///
    /// `values` is valid for reads of as many elements as are wanted, and as many of them as are
    /// returned are moved out.
    #[inline(always)]
    unsafe fn enqueue(&mut self, values: *const T, want: Want) -> usize {
        let Shared { prod, cons, slots } = &*self.ring;
        // Acquire: the consumer's reads of the slots happen before they are written again.
        let limit_now = || cons.load(Acquire).wrapping_add(slots.capacity() as u64);
        let count = self.side.claim(want, limit_now);
        if count != 0 {
            // SAFETY: slots from `next` up to `limit` are the producer's until published, of which
            // there is one (`&mut`, not `Clone`); there are at most `capacity`, and `count` is at
            // most that and what the caller vouches for.
            unsafe { slots.write(self.side.next, values, count) };
            self.side.publish(count, prod);
        }
        count
    }
}

impl<T: Copy + Send> Producer<T> {
    /// Adds all of `values` or, if they do not fit, none. Returns whether it did.
    #[inline]
    #[must_use]
    pub fn enqueue_bulk(&mut self, values: &[T]) -> bool {
        // SAFETY: the slice holds as many elements; `Copy` lets the caller keep them.
        let count = unsafe { self.enqueue(values.as_ptr(), Want::Exactly(values.len())) };
        count == values.len()
    }

    /// Adds as many of `values` as fit, from the front, and returns how many.
    #[inline]
    #[must_use]
    pub fn enqueue_burst(&mut self, values: &[T]) -> usize {
        // SAFETY: the slice holds as many elements; `Copy` lets the caller keep them.
        unsafe { self.enqueue(values.as_ptr(), Want::UpTo(values.len())) }
    }
}

impl<T: Send> Consumer<T> {
    /// Takes the oldest element, if there is one.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        let mut value = MaybeUninit::uninit();
        // SAFETY: there is room for one element, initialised if one was read.
        unsafe {
            match self.dequeue(value.as_mut_ptr(), Want::Exactly(1)) {
                0 => None,
                _ => Some(value.assume_init()),
            }
        }
    }

    /// Appends the `count` oldest elements to `values`, or none if there are fewer. Returns
    /// whether it did.
    ///
    /// Allocates only if `values` lacks the capacity, and before it takes anything.
    #[inline]
    pub fn dequeue_bulk_into(&mut self, values: &mut Vec<T>, count: usize) -> bool {
        self.dequeue_into(values, Want::Exactly(count)) == count
    }

    /// Appends the oldest elements to `values`, at most `max`, and returns how many.
    ///
    /// Allocates only if `values` lacks the capacity, and before it takes anything.
    #[inline]
    pub fn dequeue_burst_into(&mut self, values: &mut Vec<T>, max: usize) -> usize {
        self.dequeue_into(values, Want::UpTo(max))
    }

    #[inline]
    fn dequeue_into(&mut self, values: &mut Vec<T>, want: Want) -> usize {
        let count = self.filled(want);
        // SAFETY: the ring holds `count` elements, which `dequeue` therefore initialises.
        unsafe { append_with(values, count, |space| self.dequeue(space, Want::Exactly(count))) }
    }

    /// How many elements can be taken.
    #[inline(always)]
    fn filled(&mut self, want: Want) -> usize {
        // Acquire: the producer's writes of the slots happen before they are read.
        self.side.claim(want, || self.ring.prod.load(Acquire))
    }

    /// # Safety
    ///
    /// `values` is valid for writes of as many elements as are wanted. As many as are returned are
    /// initialised.
    #[inline(always)]
    unsafe fn dequeue(&mut self, values: *mut T, want: Want) -> usize {
        let count = self.filled(want);
        if count != 0 {
            // SAFETY: slots from `next` up to `limit` hold elements and are the consumer's until
            // published, of which there is one (`&mut`, not `Clone`); there are at most `capacity`,
            // and `count` is at most that and what the caller vouches for.
            unsafe { self.ring.slots.read(self.side.next, values, count) };
            self.side.publish(count, &self.ring.cons);
        }
        count
    }
}

impl<T: Copy + Send> Consumer<T> {
    /// Fills all of `values` with the oldest elements or, if there are fewer, none of it. Returns
    /// whether it did.
    #[inline]
    #[must_use]
    pub fn dequeue_bulk(&mut self, values: &mut [T]) -> bool {
        // SAFETY: the slice has room for as many elements.
        let count = unsafe { self.dequeue(values.as_mut_ptr(), Want::Exactly(values.len())) };
        count == values.len()
    }

    /// Fills as much of `values` as there are elements, from the front, and returns how many.
    #[inline]
    #[must_use]
    pub fn dequeue_burst(&mut self, values: &mut [T]) -> usize {
        // SAFETY: the slice has room for as many elements.
        unsafe { self.dequeue(values.as_mut_ptr(), Want::UpTo(values.len())) }
    }
}

/// What both handles can tell. The other side may be at work, so what the producer sees of `len`
/// can only shrink until it adds something, and what the consumer sees can only grow.
macro_rules! gauges {
    ($handle:ident) => {
        impl<T> $handle<T> {
            /// How many elements the ring can hold.
            #[inline]
            pub fn capacity(&self) -> usize {
                self.ring.slots.capacity()
            }

            /// How many elements are in the ring. Until this side changes that, the producer sees
            /// it only shrink and the consumer sees it only grow.
            #[inline]
            pub fn len(&self) -> usize {
                self.ring.len()
            }

            /// How many more elements fit.
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

        impl<T> fmt::Debug for $handle<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($handle))
                    .field("capacity", &self.capacity())
                    .field("len", &self.len())
                    .finish()
            }
        }
    };
}

gauges!(Producer);
gauges!(Consumer);
