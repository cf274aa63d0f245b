//! What must hold of both rings, tried through one face for the two.

mod edges;
mod model;
mod owned;

use crate::{Error, mpmc, spsc};

/// A ring used from one thread.
pub(crate) trait Queue<T>: Sized {
    /// A ring whose indices begin at `start`.
    fn starting_at(capacity: usize, start: u64) -> Result<Self, Error>;

    fn push(&mut self, value: T) -> Result<(), T>;
    fn pop(&mut self) -> Option<T>;
    fn enqueue_bulk_from(&mut self, values: &mut Vec<T>) -> bool;
    fn enqueue_burst_from(&mut self, values: &mut Vec<T>) -> usize;
    fn dequeue_bulk_into(&mut self, values: &mut Vec<T>, count: usize) -> bool;
    fn dequeue_burst_into(&mut self, values: &mut Vec<T>, max: usize) -> usize;

    fn enqueue_bulk(&mut self, values: &[T]) -> bool
    where
        T: Copy;
    fn enqueue_burst(&mut self, values: &[T]) -> usize
    where
        T: Copy;
    fn dequeue_bulk(&mut self, values: &mut [T]) -> bool
    where
        T: Copy;
    fn dequeue_burst(&mut self, values: &mut [T]) -> usize
    where
        T: Copy;

    fn capacity(&self) -> usize;

    /// The length, after a check that all that is told of the fill level agrees with it.
    fn checked_len(&self) -> usize;
}

pub(crate) struct Spsc<T>(spsc::Producer<T>, spsc::Consumer<T>);

pub(crate) struct Mpmc<T>(mpmc::Ring<T>);

/// Implements [`Queue`] by calls on the side that has them.
macro_rules! queue {
    ($ring:ty, $make:expr, |$queue:ident| $producer:expr, $consumer:expr) => {
        impl<T: Send> Queue<T> for $ring {
            fn starting_at(capacity: usize, start: u64) -> Result<Self, Error> {
                let make: fn(usize, u64) -> Result<Self, Error> = $make;
                make(capacity, start)
            }

            queue!(@calls |$queue| $producer;
                push(value: T) -> Result<(), T>;
                enqueue_bulk_from(values: &mut Vec<T>) -> bool;
                enqueue_burst_from(values: &mut Vec<T>) -> usize;
            );
            queue!(@calls |$queue| $consumer;
                pop() -> Option<T>;
                dequeue_bulk_into(values: &mut Vec<T>, count: usize) -> bool;
                dequeue_burst_into(values: &mut Vec<T>, max: usize) -> usize;
            );
            queue!(@copy_calls |$queue| $producer;
                enqueue_bulk(values: &[T]) -> bool;
                enqueue_burst(values: &[T]) -> usize;
            );
            queue!(@copy_calls |$queue| $consumer;
                dequeue_bulk(values: &mut [T]) -> bool;
                dequeue_burst(values: &mut [T]) -> usize;
            );

            fn capacity(&self) -> usize {
                let $queue = self;
                $producer.capacity()
            }

            fn checked_len(&self) -> usize {
                let $queue = self;
                let (len, capacity) = ($producer.len(), $producer.capacity());
                assert_eq!($consumer.len(), len);
                for (free, is_empty, is_full) in [
                    ($producer.free(), $producer.is_empty(), $producer.is_full()),
                    ($consumer.free(), $consumer.is_empty(), $consumer.is_full()),
                ] {
                    assert_eq!((free, is_empty, is_full), (capacity - len, len == 0, len == capacity));
                }
                len
            }
        }
    };
    (@calls |$queue:ident| $side:expr;
        $($call:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $call(&mut self, $($arg: $type),*) -> $result {
            let $queue = self;
            $side.$call($($arg),*)
        })*
    };
    (@copy_calls |$queue:ident| $side:expr;
        $($call:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $call(&mut self, $($arg: $type),*) -> $result
        where
            T: Copy,
        {
            let $queue = self;
            $side.$call($($arg),*)
        })*
    };
}

queue!(
    Spsc<T>,
    |capacity, start| spsc::starting_at(capacity, start).map(|(p, c)| Spsc(p, c)),
    |queue| queue.0,
    queue.1
);
queue!(Mpmc<T>, |capacity, start| mpmc::Ring::starting_at(capacity, start).map(Mpmc), |queue| queue.0, queue.0);

/// Runs generic tests of [`Queue`] for both rings.
macro_rules! for_both_rings {
    ($($test:ident)*) => {
        mod spsc {
            $(#[test]
            fn $test() {
                super::$test::<$crate::tests::Spsc<_>>();
            })*
        }
        mod mpmc {
            $(#[test]
            fn $test() {
                super::$test::<$crate::tests::Mpmc<_>>();
            })*
        }
    };
}
pub(crate) use for_both_rings;

#[test]
fn handles_go_where_their_elements_may() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    // `Cell` may move between threads and not be shared.
    send::<spsc::Producer<std::cell::Cell<u32>>>();
    send::<spsc::Consumer<std::cell::Cell<u32>>>();
    send::<mpmc::Ring<std::cell::Cell<u32>>>();
    sync::<mpmc::Ring<std::cell::Cell<u32>>>();
}
