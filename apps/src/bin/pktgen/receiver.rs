//! The receiving side of a way: knows frames again, notes which are missing, measures how long they took.

use std::sync::Arc;

use gannet::{Burst, RxQueue};
use gannet_sim::Clock;
use hdrhistogram::Histogram;
use rtrb::{Consumer, Producer};

use crate::gauge::Gauge;
use crate::sequence::{Arrival, Tracker};
use crate::signature::{Signature, TIME_BITS};
use crate::traffic::{Template, Verdict};
use crate::trial::{Counts, histogram};

/// What a receiver looks for.
pub(crate) enum Expected<'a> {
    /// Frames of this template.
    Generated { template: &'a Template, tracker: Tracker },
    /// Frames without a signature: all are counted.
    Anything,
    /// None: nobody sends to this port.
    Nothing,
}

impl<'a> Expected<'a> {
    /// Frames of a template, none of which has arrived.
    pub(crate) fn generated(template: &'a Template) -> Expected<'a> {
        Expected::Generated { template, tracker: Tracker::new(template.flows()) }
    }
}

/// The way of histograms between a receiver and the main thread: the empty ones there, the full ones back. So latencies can be looked
/// at while they are measured, and nobody waits for anybody.
pub(crate) struct Exchange {
    pub(crate) empty: Consumer<Histogram<u64>>,
    pub(crate) full: Producer<Histogram<u64>>,
}

/// Receives on one queue.
pub(crate) struct Receiver<'a> {
    rx: &'a mut RxQueue,
    burst: Burst,
    expected: Expected<'a>,
    gauge: Arc<Gauge>,
    counts: Counts,
    latency: Histogram<u64>,
    exchange: Option<Exchange>,
    turns: u32,
}

/// A receiver that is never idle hands its latencies over once in so many turns.
const HAND_OVER_EVERY: u32 = 1024;

impl<'a> Receiver<'a> {
    pub(crate) fn new(
        rx: &'a mut RxQueue,
        expected: Expected<'a>,
        burst: usize,
        gauge: Arc<Gauge>,
        exchange: Option<Exchange>,
    ) -> Receiver<'a> {
        let (burst, counts, latency) = (Burst::new(burst), Counts::default(), histogram());
        Receiver { rx, burst, expected, gauge, counts, latency, exchange, turns: 0 }
    }

    /// Takes what has arrived. Returns how many frames.
    #[inline]
    pub(crate) fn turn(&mut self, clock: &Clock) -> usize {
        let received = self.rx.receive(&mut self.burst);
        self.turns = self.turns.wrapping_add(1);
        if received == 0 || self.turns.is_multiple_of(HAND_OVER_EVERY) {
            self.hand_over();
        }
        if received == 0 {
            return 0;
        }
        let now = clock.now();
        let before = self.counts;
        for packet in &self.burst[..] {
            match &mut self.expected {
                Expected::Generated { template, tracker } => match template.inspect(packet.data()) {
                    Verdict::Intact(signature) => {
                        self.counts.note(&mut self.latency, &self.gauge, tracker, signature, now);
                    }
                    Verdict::Rewritten(signature) => {
                        if self.counts.note(&mut self.latency, &self.gauge, tracker, signature, now) {
                            self.counts.rewritten += 1;
                        }
                    }
                    Verdict::Damaged => {
                        self.counts.corrupted += 1;
                        tracker.arrive_damaged();
                    }
                    Verdict::Foreign => self.counts.foreign += 1,
                },
                Expected::Anything => self.counts.received += 1,
                Expected::Nothing => self.counts.foreign += 1,
            }
        }
        self.burst.clear();
        let intact = self.counts.received - before.received;
        self.gauge.received.add(intact);
        if let Expected::Generated { tracker, .. } = &self.expected {
            self.gauge.reached.set(tracker.reached());
        }
        self.gauge.answered.add(intact + self.counts.corrupted - before.corrupted);
        received
    }

    /// Gives the main thread what has been measured since the last time, if it wants to know.
    #[inline]
    fn hand_over(&mut self) {
        if let Some(exchange) = &mut self.exchange
            && let Ok(empty) = exchange.empty.pop()
        {
            let full = std::mem::replace(&mut self.latency, empty);
            // There is room: no more are under way than the main thread has sent.
            let _ = exchange.full.push(full);
        }
    }

    /// What it has counted, and the latencies that have not been handed over.
    pub(crate) fn into_result(self) -> (Counts, Histogram<u64>) {
        (self.counts, self.latency)
    }
}

impl Counts {
    /// Notes an intact frame. Returns whether it is the first with its number.
    #[inline]
    fn note(
        &mut self,
        latency: &mut Histogram<u64>,
        gauge: &Gauge,
        tracker: &mut Tracker,
        signature: Signature,
        now: u64,
    ) -> bool {
        match tracker.arrive(signature.number) {
            Arrival::Latest { skipped: 0 } => {}
            Arrival::Latest { skipped } => gauge.missing.add(skipped),
            Arrival::Late => {
                gauge.missing.take_off(1);
                self.reordered += 1;
            }
            Arrival::Duplicate => {
                self.duplicated += 1;
                return false;
            }
            Arrival::Stale => {
                self.stale += 1;
                return false;
            }
        }
        self.received += 1;
        latency.saturating_record(now.wrapping_sub(signature.time) & ((1 << TIME_BITS) - 1));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is counted of frames with these numbers, each a microsecond after it left.
    fn counted(numbers: impl Iterator<Item = u64>) -> (Counts, Histogram<u64>) {
        let (mut counts, mut latency, gauge) = (Counts::default(), histogram(), Gauge::default());
        let mut tracker = Tracker::new(1);
        for number in numbers {
            counts.note(&mut latency, &gauge, &mut tracker, Signature { mark: 1, number, time: 0 }, 1000);
        }
        (counts, latency)
    }

    /// A copy stands in for no frame that is lost, however late it is.
    #[test]
    fn a_late_copy_is_not_received() {
        let (lost, copied) = (100, 200);
        let numbers = (0..5000).filter(|&number| number != lost);
        let late = |delay| numbers.clone().take(delay).chain([copied]).chain(numbers.clone().skip(delay));
        for delay in [1000, 2000, 4000] {
            let (counts, latency) = counted(late(delay));
            assert_eq!(counts, Counts { received: 4999, duplicated: 1, ..Counts::default() }, "after {delay}");
            assert_eq!(latency.len(), 4999);
        }
    }

    #[test]
    fn what_is_too_late_to_tell_is_counted_apart() {
        let (counts, latency) = counted([0, 1 << 30, 1].into_iter());
        assert_eq!((counts, latency.len()), (Counts { received: 2, stale: 1, ..Counts::default() }, 2));
    }

    /// Time stamps have fewer bits than the clock.
    #[test]
    fn a_frame_may_be_on_its_way_for_minutes() {
        let (mut counts, mut latency, gauge) = (Counts::default(), histogram(), Gauge::default());
        let (left, held) = ((1 << TIME_BITS) - 7, 600_000_000_000);
        let signature = Signature { mark: 1, number: 0, time: left };
        counts.note(&mut latency, &gauge, &mut Tracker::new(1), signature, left + held);
        assert!(latency.equivalent(latency.max(), held), "{} instead of {held} ns", latency.max());
    }
}
