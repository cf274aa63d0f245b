//! Why packets are dropped.

use serde::Serialize;

use super::tally::{self, Entry, Tally};

/// Where and why packets are dropped, with their number.
///
/// A `static`, listed by [`drops`](super::drops) from the first packet on.
#[derive(Debug)]
pub struct Reason {
    place: &'static str,
    why: &'static str,
    description: &'static str,
    tally: Tally,
}

impl Reason {
    /// A reason without packets. `place` is the part of the program that drops, `why` a short name of the cause.
    pub const fn new(place: &'static str, why: &'static str, description: &'static str) -> Reason {
        Reason { place, why, description, tally: Tally::new() }
    }

    /// Counts `packets` as dropped for this reason. Never waits. The packets themselves are the caller's to free.
    #[inline]
    pub fn count(&'static self, packets: u64) {
        self.tally.add(packets, Entry::Reason(self));
    }

    /// Makes it be listed before its first packet.
    pub fn register(&'static self) {
        self.tally.enlist(Entry::Reason(self));
    }

    /// Packets that all threads have dropped. A look at the memory of each: for statistics, not for the data path.
    pub fn value(&self) -> u64 {
        self.tally.value()
    }

    pub(super) fn row(&self) -> DropRow {
        DropRow { place: self.place, why: self.why, packets: self.value(), description: self.description }
    }
}

/// Packets dropped for one reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct DropRow {
    /// The part of the program that drops.
    pub place: &'static str,
    /// The cause, in short.
    pub why: &'static str,
    /// How many.
    pub packets: u64,
    /// The cause, in words.
    pub description: &'static str,
}

/// Packets dropped for reasons that found no place, if any.
pub(super) fn unlisted() -> Option<DropRow> {
    let description = "dropped for reasons that the list has no place for";
    let packets = tally::unlisted_drops();
    (packets > 0).then_some(DropRow { place: "registry", why: "unlisted", packets, description })
}
