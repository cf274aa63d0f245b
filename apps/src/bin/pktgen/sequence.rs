//! What arrived of a flow: which numbers, which again, which late.

/// Numbers behind the latest that are remembered one by one.
const WINDOW: u64 = 1024;

const WORDS: usize = (WINDOW / 64) as usize;

/// What the arrival of a number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The latest so far; it has overtaken so many that have not arrived yet.
    Latest { skipped: u64 },
    /// After a later one (RFC 4737, section 3).
    Late,
    /// It has been there before.
    Duplicate,
}

/// The numbers of one flow.
///
/// Of numbers more than [`WINDOW`] behind the latest it is not known any more whether they have been there; they count as late.
#[derive(Debug, Clone)]
pub(crate) struct Tracker {
    /// The number after the latest.
    next: u64,
    /// Which of the last [`WINDOW`] numbers have arrived, each at the bit of its remainder.
    seen: [u64; WORDS],
}

impl Tracker {
    /// Nothing has arrived.
    pub(crate) fn new() -> Tracker {
        Tracker { next: 0, seen: [0; WORDS] }
    }

    /// Notes the arrival of a number, of which a frame has only the lower 32 bits.
    #[inline]
    pub(crate) fn arrive(&mut self, sequence: u32) -> Arrival {
        // Serial number arithmetic (RFC 1982): the number that is nearest to the next one.
        let ahead = i64::from(sequence.wrapping_sub(self.next as u32) as i32);
        if ahead >= 0 {
            return self.advance(ahead as u64);
        }
        let behind = ahead.unsigned_abs();
        let Some(number) = self.next.checked_sub(behind) else {
            // Before the first: no sender begins there.
            return Arrival::Late;
        };
        if behind > WINDOW {
            return Arrival::Late;
        }
        if self.mark(number) { Arrival::Duplicate } else { Arrival::Late }
    }

    #[inline]
    fn advance(&mut self, skipped: u64) -> Arrival {
        let number = self.next + skipped;
        if skipped >= WINDOW {
            self.seen = [0; WORDS];
        } else {
            // The places that the skipped ones and this one take were those of numbers that leave the window.
            (self.next..=number).for_each(|number| self.clear(number));
        }
        self.next = number + 1;
        self.mark(number);
        Arrival::Latest { skipped }
    }

    /// Returns whether it was marked before.
    #[inline]
    fn mark(&mut self, number: u64) -> bool {
        let (word, bit) = place(number);
        let before = self.seen[word] & bit != 0;
        self.seen[word] |= bit;
        before
    }

    #[inline]
    fn clear(&mut self, number: u64) {
        let (word, bit) = place(number);
        self.seen[word] &= !bit;
    }
}

#[inline]
fn place(number: u64) -> (usize, u64) {
    ((number % WINDOW / 64) as usize, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// The same with unlimited memory, but for what is said of old numbers.
    #[derive(Default)]
    struct Model {
        next: u64,
        seen: HashSet<u64>,
    }

    impl Model {
        fn arrive(&mut self, number: u64) -> Arrival {
            let new = self.seen.insert(number);
            if number >= self.next {
                let skipped = number - self.next;
                self.next = number + 1;
                return Arrival::Latest { skipped };
            }
            if new || self.next - number > WINDOW { Arrival::Late } else { Arrival::Duplicate }
        }
    }

    proptest! {
        /// Steps forth and back around the latest number, across the wrap of 32 bits.
        #[test]
        fn behaves_as_the_model(
            start in prop_oneof![Just(0_u64), Just(u64::from(u32::MAX) - 700)],
            steps in prop::collection::vec(prop_oneof![8 => -3_i64..4, 2 => -1100_i64..1100, 1 => 0_i64..5000], 1..600),
        ) {
            let (mut tracker, mut model) = (Tracker::new(), Model::default());
            // Up to the start in strides that the 32 bits can tell.
            let mut number = 0;
            loop {
                prop_assert_eq!(tracker.arrive(number as u32), model.arrive(number));
                if number == start {
                    break;
                }
                number = start.min(number + (1 << 30));
            }
            for step in steps {
                number = number.saturating_add_signed(step).max(start);
                prop_assert_eq!(tracker.arrive(number as u32), model.arrive(number), "number {}", number);
            }
        }
    }

    #[test]
    fn loss_shows_as_skipped_numbers_until_they_arrive() {
        let mut tracker = Tracker::new();
        let arrivals = [0, 3, 2, 2, 3, 1, 4].map(|number| tracker.arrive(number));
        use Arrival::{Duplicate, Late, Latest};
        let latest = |skipped| Latest { skipped };
        assert_eq!(arrivals, [latest(0), latest(2), Late, Duplicate, Duplicate, Late, latest(0)]);
    }
}
