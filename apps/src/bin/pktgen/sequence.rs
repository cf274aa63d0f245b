//! What arrived: which numbers, which again, which late.

use crate::signature::NUMBER_BITS;

/// Numbers that are remembered one by one, the latest and those before it. At least half of them are of frames, as flows may leave some
/// out: 33 million, which are 2.2 s of the shortest ones at 10 Gb/s.
const REMEMBERED: u64 = 1 << 26;

const WORDS: usize = (REMEMBERED / 64) as usize;

/// Numbers of frames in the order in which they leave, flows taking turns: that of a frame in its flow, and below it the flow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbering {
    flow_bits: u32,
}

impl Numbering {
    /// For so many flows.
    pub(crate) fn new(flows: usize) -> Numbering {
        Numbering { flow_bits: flows.next_power_of_two().trailing_zeros() }
    }

    #[inline]
    pub(crate) fn number(self, flow: usize, sequence: u64) -> u64 {
        (sequence << self.flow_bits) | flow as u64
    }

    #[inline]
    pub(crate) fn flow(self, number: u64) -> usize {
        (number & ((1 << self.flow_bits) - 1)) as usize
    }

    #[inline]
    fn sequence(self, number: u64) -> u64 {
        number >> self.flow_bits
    }
}

/// What the arrival of a number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The latest of its flow so far; it has overtaken so many that have not arrived yet.
    Latest { skipped: u64 },
    /// After a later one of its flow (RFC 4737, section 3).
    Late,
    /// It has been there before.
    Duplicate,
    /// So far behind the latest that it is not known any more whether it has been there.
    Stale,
}

/// The numbers that have arrived.
#[derive(Debug)]
pub(crate) struct Tracker {
    numbering: Numbering,
    /// The number after the latest.
    next: u64,
    seen: Window,
    /// Of each flow, what follows the latest.
    flows: Vec<u64>,
    /// Frames up to the latest, or to a damaged one behind it.
    reached: u64,
}

impl Tracker {
    /// Of so many flows, nothing of which has arrived.
    pub(crate) fn new(flows: usize) -> Tracker {
        let (numbering, seen) = (Numbering::new(flows), Window::new());
        Tracker { numbering, next: 0, seen, flows: vec![0; flows], reached: 0 }
    }

    /// Notes the arrival of a number, of which a frame has only the lower bits.
    #[inline]
    pub(crate) fn arrive(&mut self, number: u64) -> Arrival {
        // Serial number arithmetic (RFC 1982): the number that is nearest to the next one.
        const UNUSED: u32 = u64::BITS - NUMBER_BITS;
        let ahead = (number.wrapping_sub(self.next) << UNUSED) as i64 >> UNUSED;
        // Before the first: no sender begins there.
        let Some(number) = self.next.checked_add_signed(ahead) else { return Arrival::Stale };
        let (flow, sequence) = (self.numbering.flow(number), self.numbering.sequence(number));
        let flows = self.flows.len() as u64;
        // A flow that there is not is foreign, says the template.
        let Some(next) = self.flows.get_mut(flow) else { return Arrival::Stale };
        match self.seen.insert(number) {
            Seen::Forgotten => return Arrival::Stale,
            Seen::Before => return Arrival::Duplicate,
            Seen::First => {}
        }
        self.next = self.next.max(number + 1);
        self.reached = self.reached.max(sequence * flows + flow as u64 + 1);
        if sequence < *next {
            return Arrival::Late;
        }
        let skipped = sequence - *next;
        *next = sequence + 1;
        Arrival::Latest { skipped }
    }

    /// Notes the arrival of a frame whose number is not to be trusted: most likely the one after the latest.
    #[inline]
    pub(crate) fn arrive_damaged(&mut self) {
        self.reached += 1;
    }

    /// Frames that had left when the latest that has arrived did, it included. (What later ones show to be wrong is made good by them.)
    #[inline]
    pub(crate) fn reached(&self) -> u64 {
        self.reached
    }
}

/// Whether a number has been there.
enum Seen {
    First,
    Before,
    Forgotten,
}

/// The last numbers, a bit each. It moves on by whole words (RFC 6479), so that a jump costs little.
#[derive(Debug)]
struct Window {
    /// Words that numbers have reached; of those the last ones are here, each at the place of its remainder.
    entered: u64,
    words: Box<[u64; WORDS]>,
}

impl Window {
    fn new() -> Window {
        // A word is cleared when it is entered. Zeros would be memory that the kernel finds when it is touched, while frames arrive.
        let words = vec![u64::MAX; WORDS].into_boxed_slice().try_into().expect("as many as there are");
        Window { entered: 0, words }
    }

    #[inline]
    fn insert(&mut self, number: u64) -> Seen {
        const SIZE: u64 = WORDS as u64;
        let (word, bit) = (number / 64, 1 << (number % 64));
        if word + SIZE < self.entered {
            return Seen::Forgotten;
        }
        for entered in self.entered.max((word + 1).saturating_sub(SIZE))..=word {
            self.words[(entered % SIZE) as usize] = 0;
        }
        self.entered = self.entered.max(word + 1);
        let word = &mut self.words[(word % SIZE) as usize];
        let before = *word & bit != 0;
        *word |= bit;
        if before { Seen::Before } else { Seen::First }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::Arrival::{Duplicate, Late, Latest, Stale};
    use super::*;

    const FLOWS: usize = 3;

    /// The same with unlimited memory, but for what is said of old numbers.
    #[derive(Default)]
    struct Model {
        latest: u64,
        flows: [u64; FLOWS],
        seen: HashSet<u64>,
    }

    impl Model {
        fn arrive(&mut self, number: u64) -> Arrival {
            let new = self.seen.insert(number);
            self.latest = self.latest.max(number);
            if self.latest / 64 - number / 64 >= WORDS as u64 {
                return Stale;
            }
            let (flow, sequence) = ((number % 4) as usize, number / 4);
            if !new {
                return Duplicate;
            }
            if sequence < self.flows[flow] {
                return Late;
            }
            let skipped = sequence - self.flows[flow];
            self.flows[flow] = sequence + 1;
            Latest { skipped }
        }
    }

    proptest! {
        /// Steps forth and back around the latest number, across the wrap of the bits that frames have.
        #[test]
        fn behaves_as_the_model(
            start in prop_oneof![Just(0_u64), Just((1 << NUMBER_BITS) - 700)],
            steps in prop::collection::vec(
                prop_oneof![
                    64 => -3_i64..4,
                    8 => -1100_i64..1100,
                    4 => 0_i64..5000,
                    1 => -(REMEMBERED as i64) - 100..100 - REMEMBERED as i64,
                    1 => REMEMBERED as i64 - 100..2 * REMEMBERED as i64,
                ],
                1..200,
            ),
        ) {
            let (mut tracker, mut model) = (Tracker::new(FLOWS), Model::default());
            // Up to the start in strides that the bits can tell.
            let mut number = 0;
            loop {
                prop_assert_eq!(tracker.arrive(number & ((1 << NUMBER_BITS) - 1)), model.arrive(number));
                if number == start {
                    break;
                }
                number = start.min(number + (1 << (NUMBER_BITS - 2)));
            }
            for step in steps {
                number = number.saturating_add_signed(step).max(start);
                number -= u64::from(number % 4 == 3);
                let arrival = tracker.arrive(number & ((1 << NUMBER_BITS) - 1));
                prop_assert_eq!(arrival, model.arrive(number), "number {}", number);
            }
        }
    }

    #[test]
    fn loss_shows_as_skipped_numbers_until_they_arrive() {
        let mut tracker = Tracker::new(1);
        let arrivals = [0, 3, 2, 2, 3, 1, 4].map(|number| tracker.arrive(number));
        let latest = |skipped| Latest { skipped };
        assert_eq!(arrivals, [latest(0), latest(2), Late, Duplicate, Duplicate, Late, latest(0)]);
    }

    /// RFC 4737, section 3.3: what comes again is not reordered, whenever it comes.
    #[test]
    fn a_copy_is_one_as_long_as_it_can_be_told() {
        let mut tracker = Tracker::new(1);
        tracker.arrive(0);
        tracker.arrive(REMEMBERED - 1);
        assert_eq!([0, 1].map(|number| tracker.arrive(number)), [Duplicate, Late]);
        tracker.arrive(REMEMBERED + 63);
        assert_eq!([1, 2, 64].map(|number| tracker.arrive(number)), [Stale, Stale, Late]);
    }

    #[test]
    fn flows_have_orders_of_their_own() {
        let mut tracker = Tracker::new(FLOWS);
        let numbers = [(0, 0), (2, 0), (2, 1), (1, 0), (0, 2), (0, 1), (3, 0)];
        let numbering = tracker.numbering;
        let arrivals = numbers.map(|(flow, sequence)| tracker.arrive(numbering.number(flow, sequence)));
        let next = Latest { skipped: 0 };
        assert_eq!(arrivals, [next, next, next, next, Latest { skipped: 1 }, Late, Stale]);
    }

    #[test]
    fn it_reaches_as_far_as_the_latest_in_the_order_of_leaving() {
        let mut tracker = Tracker::new(FLOWS);
        let numbering = tracker.numbering;
        let mut reached = |flow, sequence| {
            tracker.arrive(numbering.number(flow, sequence));
            tracker.reached()
        };
        assert_eq!([reached(0, 0), reached(2, 1), reached(1, 0), reached(0, 2)], [1, 6, 6, 7]);
        tracker.arrive_damaged();
        assert_eq!(tracker.reached(), 8);
        // It was another one: the next that arrives puts it right.
        tracker.arrive(numbering.number(1, 2));
        assert_eq!(tracker.reached(), 8);
    }
}
