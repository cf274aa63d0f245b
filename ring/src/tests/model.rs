//! Random operations, each compared with what a `VecDeque` does.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::{Queue, for_both_rings};

for_both_rings! {
    behaves_like_a_bounded_vec_deque
}

#[derive(Clone, Debug)]
enum Op {
    Push,
    Pop,
    EnqueueBulk(usize),
    EnqueueBurst(usize),
    EnqueueBulkFrom(usize),
    EnqueueBurstFrom(usize),
    DequeueBulk(usize),
    DequeueBurst(usize),
    DequeueBulkInto(usize),
    DequeueBurstInto(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let count = || 0..40usize;
    prop_oneof![
        Just(Op::Push),
        Just(Op::Pop),
        count().prop_map(Op::EnqueueBulk),
        count().prop_map(Op::EnqueueBurst),
        count().prop_map(Op::EnqueueBulkFrom),
        count().prop_map(Op::EnqueueBurstFrom),
        count().prop_map(Op::DequeueBulk),
        count().prop_map(Op::DequeueBurst),
        count().prop_map(Op::DequeueBulkInto),
        count().prop_map(Op::DequeueBurstInto),
    ]
}

/// Index starts of both kinds: anywhere, and just before they overflow.
fn start() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), (0..64u64).prop_map(|n| u64::MAX - n)]
}

struct Checked<Q> {
    ring: Q,
    model: VecDeque<u32>,
    /// The next element to enqueue; all are different.
    next: u32,
}

impl<Q: Queue<u32>> Checked<Q> {
    fn fresh(&mut self, count: usize) -> Vec<u32> {
        let first = self.next;
        self.next += count as u32;
        (first..self.next).collect()
    }

    fn free(&self) -> usize {
        self.ring.capacity() - self.model.len()
    }

    /// How many elements a bulk operation moves if it may move `possible`.
    fn bulk(count: usize, possible: usize) -> usize {
        if count <= possible { count } else { 0 }
    }

    fn taken(&mut self, count: usize) -> Vec<u32> {
        self.model.drain(..count).collect()
    }

    fn apply(&mut self, op: Op) {
        let (free, len) = (self.free(), self.model.len());
        match op {
            Op::Push => {
                let value = self.fresh(1)[0];
                let expected = if free > 0 { Ok(()) } else { Err(value) };
                assert_eq!(self.ring.push(value), expected);
                self.model.extend(expected.is_ok().then_some(value));
            }
            Op::Pop => assert_eq!(self.ring.pop(), self.model.pop_front()),
            Op::EnqueueBulk(count) => {
                let values = self.fresh(count);
                assert_eq!(self.ring.enqueue_bulk(&values), count <= free);
                self.model.extend(&values[..Self::bulk(count, free)]);
            }
            Op::EnqueueBurst(count) => {
                let values = self.fresh(count);
                assert_eq!(self.ring.enqueue_burst(&values), count.min(free));
                self.model.extend(&values[..count.min(free)]);
            }
            Op::EnqueueBulkFrom(count) => {
                let mut values = self.fresh(count);
                let moved = Self::bulk(count, free);
                self.model.extend(&values[..moved]);
                let rest = values[moved..].to_vec();
                assert_eq!(self.ring.enqueue_bulk_from(&mut values), count <= free);
                assert_eq!(values, rest);
            }
            Op::EnqueueBurstFrom(count) => {
                let mut values = self.fresh(count);
                let moved = count.min(free);
                self.model.extend(&values[..moved]);
                let rest = values[moved..].to_vec();
                assert_eq!(self.ring.enqueue_burst_from(&mut values), moved);
                assert_eq!(values, rest);
            }
            Op::DequeueBulk(count) => {
                let mut values = vec![0; count];
                assert_eq!(self.ring.dequeue_bulk(&mut values), count <= len);
                let moved = Self::bulk(count, len);
                assert_eq!(values[..moved], self.taken(moved));
            }
            Op::DequeueBurst(count) => {
                let mut values = vec![0; count];
                let moved = count.min(len);
                assert_eq!(self.ring.dequeue_burst(&mut values), moved);
                assert_eq!(values[..moved], self.taken(moved));
            }
            Op::DequeueBulkInto(count) => {
                let mut values = Vec::new();
                assert_eq!(self.ring.dequeue_bulk_into(&mut values, count), count <= len);
                assert_eq!(values, self.taken(Self::bulk(count, len)));
            }
            Op::DequeueBurstInto(count) => {
                let mut values = Vec::new();
                assert_eq!(self.ring.dequeue_burst_into(&mut values, count), count.min(len));
                assert_eq!(values, self.taken(count.min(len)));
            }
        }
        assert_eq!(self.ring.checked_len(), self.model.len());
    }
}

fn behaves_like_a_bounded_vec_deque<Q: Queue<u32>>() {
    let config = ProptestConfig {
        cases: if cfg!(miri) { 3 } else { 1000 },
        // The failing input is printed; a file would need a place that miri does not let us see.
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let ops = prop::collection::vec(op(), 0..if cfg!(miri) { 40 } else { 200 });
    proptest!(config, |(shift in 0..6u32, start in start(), ops in ops)| {
        let ring = Q::starting_at(1 << shift, start).unwrap();
        let mut checked = Checked { ring, model: VecDeque::new(), next: 0 };
        for op in ops {
            checked.apply(op);
        }
    });
}
