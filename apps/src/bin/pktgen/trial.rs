//! One measured run: what is asked for, what came of it, and who can do it.

use std::num::NonZeroU32;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::rate::Rate;
use crate::signature::TIME_BITS;
use crate::traffic::Traffic;

/// Times that a histogram tells apart: 1 ns to the longest that a time stamp can tell, 18 minutes, to three digits.
const LONGEST: u64 = (1 << TIME_BITS) - 1;
const DIGITS: u8 = 3;

/// What to send, how fast, until when.
#[derive(Debug, Clone)]
pub(crate) struct TrialPlan {
    pub(crate) traffic: Traffic,
    /// Of each sending port.
    pub(crate) rate: Rate,
    pub(crate) end: End,
    /// At most so many frames are on their way at a time; `None` for no limit.
    pub(crate) window: Option<NonZeroU32>,
    /// How long to wait for frames that are still on their way when all have been sent (RFC 2544, section 23). The trial ends before if
    /// all have arrived.
    pub(crate) settle: Duration,
}

/// When a trial has sent enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum End {
    /// After this time.
    After(Duration),
    /// After so many frames from each sending port.
    Frames(u64),
    /// When it is interrupted, or all has been sent that there is.
    Open,
}

/// What came of a trial.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// Of all ways together.
    pub(crate) total: Figures,
    /// Of each way.
    pub(crate) ways: Vec<(Way, Figures)>,
    /// It was interrupted before it had sent all.
    pub(crate) interrupted: bool,
    /// What else went wrong.
    pub(crate) problems: Vec<String>,
}

/// A way of frames, by the numbers of its ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Way {
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// What came of the frames of one way, or of several.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    pub(crate) counts: Counts,
    /// Time of sending, in seconds.
    pub(crate) seconds: f64,
    /// Bits of all frames sent, as they are on the wire (preamble, FCS and gap included).
    pub(crate) wire_bits: u64,
    /// Frames a second that were asked for, or bits a second on the wire; both `None` for as many as possible.
    pub(crate) asked_pps: Option<f64>,
    pub(crate) asked_bits: Option<f64>,
    /// From just before a frame was handed to the card to when it was received, in nanoseconds.
    pub(crate) latency: Histogram<u64>,
    /// How much later than planned frames left, in nanoseconds. Empty if as many as possible were asked for.
    pub(crate) lateness: Histogram<u64>,
}

/// Frames by their fate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Handed to the cards.
    pub(crate) sent: u64,
    /// Intact, each once.
    pub(crate) received: u64,
    /// Sent, and arrived neither intact nor damaged.
    pub(crate) lost: u64,
    /// Arrived, intact or damaged, beyond those sent: copies or frames of others that could not be told from them.
    pub(crate) surplus: u64,
    /// Arrived again.
    pub(crate) duplicated: u64,
    /// Arrived after a later one of the same flow.
    pub(crate) reordered: u64,
    /// Arrived so late that it is not known whether for the first time: neither received nor reordered.
    pub(crate) stale: u64,
    /// Arrived with wrong bytes.
    pub(crate) corrupted: u64,
    /// Of those received: with another Ethernet header than they were sent with, as behind a router. No fault.
    pub(crate) rewritten: u64,
    /// Not of this trial.
    pub(crate) foreign: u64,
}

impl Counts {
    /// Adds those of other frames.
    pub(crate) fn add(&mut self, other: &Counts) {
        self.sent += other.sent;
        self.received += other.received;
        self.lost += other.lost;
        self.surplus += other.surplus;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.stale += other.stale;
        self.corrupted += other.corrupted;
        self.rewritten += other.rewritten;
        self.foreign += other.foreign;
    }
}

impl Default for Figures {
    /// Nothing was sent, as fast as possible.
    fn default() -> Figures {
        let (latency, lateness) = (histogram(), histogram());
        let (counts, asked_pps, asked_bits) = (Counts::default(), None, None);
        Figures { counts, seconds: 0.0, wire_bits: 0, asked_pps, asked_bits, latency, lateness }
    }
}

impl Figures {
    /// Of several ways that were measured at the same time.
    pub(crate) fn sum<'a>(ways: impl Iterator<Item = &'a Figures>) -> Figures {
        let mut sum = Figures::default();
        for way in ways {
            sum.counts.add(&way.counts);
            sum.seconds = sum.seconds.max(way.seconds);
            sum.wire_bits += way.wire_bits;
            sum.asked_pps = way.asked_pps.map(|asked| asked + sum.asked_pps.unwrap_or(0.0));
            sum.asked_bits = way.asked_bits.map(|asked| asked + sum.asked_bits.unwrap_or(0.0));
            add_to(&mut sum.latency, &way.latency);
            add_to(&mut sum.lateness, &way.lateness);
        }
        sum
    }

    /// Frames a second that were sent.
    pub(crate) fn pps(&self) -> f64 {
        per_second(self.counts.sent as f64, self.seconds)
    }

    /// Bits a second on the wire.
    pub(crate) fn bits_per_second(&self) -> f64 {
        per_second(self.wire_bits as f64, self.seconds)
    }

    /// Share of the rate that was asked for, 1 if it was reached. Bits are compared with bits: frames of several sizes are more or fewer
    /// a second from one moment to the next.
    pub(crate) fn share_of_asked(&self) -> f64 {
        let share = |asked: Option<f64>, reached: f64| asked.map_or(1.0, |asked| (reached / asked).min(1.0));
        share(self.asked_pps, self.pps()).min(share(self.asked_bits, self.bits_per_second()))
    }
}

/// Where a trial is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    /// Since its begin.
    pub(crate) elapsed: Duration,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Frames that later ones have overtaken and that have not arrived.
    pub(crate) missing: u64,
    /// Frames a second since the last progress.
    pub(crate) sent_pps: f64,
    pub(crate) received_pps: f64,
    /// Bits a second on the wire since the last progress.
    pub(crate) sent_bits: f64,
    /// Of all frames so far; `None` before the first.
    pub(crate) latency: Option<Latency>,
}

/// A histogram of latencies in short, nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Latency {
    pub(crate) mean: f64,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

impl Latency {
    /// `None` for an empty histogram.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Option<Latency> {
        (!histogram.is_empty()).then(|| Latency {
            mean: histogram.mean(),
            p50: histogram.value_at_quantile(0.50),
            p99: histogram.value_at_quantile(0.99),
            max: histogram.max(),
        })
    }
}

/// Who runs trials: ports ([`crate::bench`]), or what a test puts in their place.
pub(crate) trait Bench {
    /// Runs a trial to its end. `watch` is called several times a second.
    ///
    /// # Errors
    /// The traffic does not fit the ports, or a port is gone.
    fn run(&mut self, plan: &TrialPlan, watch: &mut dyn FnMut(&Progress)) -> anyhow::Result<Outcome>;

    /// Speed of the slowest link that frames are sent on.
    fn line_rate_bits(&self) -> u64;
}

/// An empty histogram of times. It never grows: longer ones count as the longest.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LONGEST, DIGITS).expect("bounds that make sense")
}

/// Adds to one histogram what another one has.
pub(crate) fn add_to(sum: &mut Histogram<u64>, more: &Histogram<u64>) {
    sum.add(more).expect("all histograms have the same bounds");
}

/// A rate; 0 if no time has passed.
pub(crate) fn per_second(amount: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { amount / seconds } else { 0.0 }
}
