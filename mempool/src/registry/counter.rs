//! Counters of the data path.

use serde::Serialize;

use super::tally::{self, Entry, Tally};

/// A number that any thread counts up, at the price of an addition to its own memory.
///
/// A `static`, listed by [`counters`](super::counters) from its first count on.
///
/// ```
/// use gannet_mempool::registry::Counter;
///
/// static FLOODED: Counter = Counter::new("switch.flooded", "packets", "Sent to all ports for want of an address.");
///
/// FLOODED.add(32);
/// assert_eq!(FLOODED.value(), 32);
/// ```
#[derive(Debug)]
pub struct Counter {
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    tally: Tally,
}

impl Counter {
    /// A counter at 0. `name` is `place.what`; `unit` is what it counts, such as packets, bytes or times.
    pub const fn new(name: &'static str, unit: &'static str, description: &'static str) -> Counter {
        Counter { name, unit, description, tally: Tally::new() }
    }

    /// Counts `amount` more. Never waits; wraps around at 2^64.
    #[inline]
    pub fn add(&'static self, amount: u64) {
        self.tally.add(amount, Entry::Counter(self));
    }

    /// Makes it be listed before its first count.
    pub fn register(&'static self) {
        self.tally.enlist(Entry::Counter(self));
    }

    /// What all threads have counted. A look at the memory of each: for statistics, not for the data path.
    pub fn value(&self) -> u64 {
        self.tally.value()
    }

    pub(super) fn row(&self) -> CounterRow {
        CounterRow { name: self.name, value: self.value(), unit: self.unit, description: self.description }
    }
}

/// A counter as it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct CounterRow {
    /// Its name, `place.what`.
    pub name: &'static str,
    /// What all threads have counted.
    pub value: u64,
    /// What is counted.
    pub unit: &'static str,
    /// What it tells.
    pub description: &'static str,
}

/// What counters that found no place have counted, if any.
pub(super) fn unlisted() -> Option<CounterRow> {
    let description = "counted by counters that the list has no place for";
    let value = tally::unlisted_counts();
    (value > 0).then_some(CounterRow { name: "registry.unlisted", value, unit: "any", description })
}
