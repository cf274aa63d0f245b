//! The main thread's part of a trial: tells how it goes, and when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gannet::Link;
use gannet_apps::monitor::Monitor;
use gannet_apps::running::Running;
use hdrhistogram::Histogram;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::gauge::{Gauge, Orders, Stage};
use crate::receiver::Exchange;
use crate::trial::{Latency, Progress, add_to, histogram, per_second};

/// How often it looks around.
const TICK: Duration = Duration::from_millis(10);
/// How often it tells how the trial goes.
const TELL: Duration = Duration::from_millis(200);
/// Quiet time after which a trial is over if all frames have arrived: only copies may follow.
const QUIET: Duration = Duration::from_millis(20);

/// Looks after a trial.
pub(crate) struct Supervisor<'a> {
    pub(crate) running: &'a mut [Running],
    pub(crate) monitor: &'a mut Monitor,
    pub(crate) interrupted: &'a AtomicBool,
    pub(crate) gauges: &'a [Arc<Gauge>],
    pub(crate) orders: &'a Orders,
    pub(crate) samples: Samples,
    /// How long to wait for the last frames.
    pub(crate) settle: Duration,
    pub(crate) problems: Vec<String>,
}

/// The latencies so far.
pub(crate) struct Samples {
    /// Of each way.
    ways: Vec<Histogram<u64>>,
    exchanges: Vec<Inspector>,
}

/// The main thread's end of an [`Exchange`].
struct Inspector {
    way: usize,
    empty: Producer<Histogram<u64>>,
    full: Consumer<Histogram<u64>>,
}

impl Samples {
    /// Of so many ways.
    pub(crate) fn new(ways: usize) -> Samples {
        Samples { ways: vec![histogram(); ways], exchanges: Vec::new() }
    }

    /// The other end, for the receiver of a way.
    pub(crate) fn exchange(&mut self, way: usize) -> Exchange {
        let ((mut give, empty), (full, take)) = (RingBuffer::new(1), RingBuffer::new(1));
        // It is new, so there is room.
        let _ = give.push(histogram());
        self.exchanges.push(Inspector { way, empty: give, full: take });
        Exchange { empty, full }
    }

    /// Adds what receivers have handed over, and asks for more.
    fn collect(&mut self) {
        let Samples { ways, exchanges } = self;
        for exchange in exchanges {
            if let Ok(mut full) = exchange.full.pop() {
                add_to(&mut ways[exchange.way], &full);
                full.clear();
                let _ = exchange.empty.push(full);
            }
        }
    }

    /// Of all ways together.
    fn total(&self) -> Histogram<u64> {
        let mut total = histogram();
        self.ways.iter().for_each(|way| add_to(&mut total, way));
        total
    }

    /// Of each way, once the receivers have ended.
    pub(crate) fn into_ways(mut self) -> Vec<Histogram<u64>> {
        self.collect();
        self.ways
    }
}

/// Sums over all ways.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sums {
    sent: u64,
    wire_bytes: u64,
    received: u64,
    /// Sent, and arrived neither intact nor damaged. (No way makes up for another.)
    unanswered: u64,
    missing: u64,
}

/// Says when a trial is over. What has not arrived by then is lost.
struct Settling {
    settle: Duration,
    /// When all had been sent.
    finished: Option<Instant>,
    seen: Sums,
    quiet_since: Instant,
}

impl Settling {
    fn new(settle: Duration, now: Instant) -> Settling {
        Settling { settle, finished: None, seen: Sums::default(), quiet_since: now }
    }

    /// Takes in where the trial is at `now`: whether the senders have `finished`, and frames are still `queued` at a card.
    fn is_over(&mut self, now: Instant, sums: Sums, finished: bool, queued: bool) -> bool {
        let just_finished = finished && self.finished.is_none();
        if just_finished {
            self.finished = Some(now);
        }
        if just_finished || queued || sums != self.seen {
            (self.seen, self.quiet_since) = (sums, now);
        }
        let complete = sums.unanswered == 0 && now - self.quiet_since >= QUIET;
        self.finished.is_some_and(|at| complete || now - at >= self.settle)
    }
}

impl Supervisor<'_> {
    /// Watches until all is sent and has arrived, or is lost, or `is_alive` says that a core has ended. Then the cores may end.
    pub(crate) fn watch(&mut self, is_alive: &dyn Fn() -> bool, tell: &mut dyn FnMut(&Progress)) {
        let begin = Instant::now();
        let (mut told, mut last) = (begin, Sums::default());
        let mut settling = Settling::new(self.settle, begin);
        while is_alive() {
            thread::sleep(TICK);
            let (now, sums) = (Instant::now(), self.sums());
            self.look_after_ports();
            self.monitor.refresh(self.running);
            if self.interrupted.load(Ordering::Relaxed) {
                self.orders.set(Stage::Receive);
            }
            let finished = self.gauges.iter().all(|gauge| gauge.finished.load(Ordering::Acquire));
            // A card has not sent what it was given: others wait for it, or its core has not had its turn.
            let queued = self.running.iter().any(|port| port.in_rings().1 > 0);
            if settling.is_over(now, sums, finished, queued) {
                return;
            }
            if now - told >= TELL {
                self.samples.collect();
                tell(&progress(now - begin, (now - told).as_secs_f64(), &sums, &last, &self.samples.total()));
                (told, last) = (now, sums);
            }
        }
    }

    fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for gauge in self.gauges {
            sums.sent += gauge.sent.now();
            sums.wire_bytes += gauge.wire_bytes.now();
            sums.received += gauge.received.now();
            sums.unanswered += gauge.sent.now().saturating_sub(gauge.answered.now());
            sums.missing += gauge.missing.now();
        }
        sums
    }

    /// Notes links that change. A trial on a card that is gone, or wanted by the machine, ends.
    fn look_after_ports(&mut self) {
        for port in self.running.iter_mut() {
            match port.link_change() {
                Some(Link::Down) => self.problems.push(format!("{}: the link went down", port.name)),
                Some(Link::Up { .. }) | None => {}
            }
            if let Some(reason) = port.reason_to_leave() {
                port.leave(reason);
                self.orders.set(Stage::Receive);
            }
        }
    }
}

fn progress(elapsed: Duration, seconds: f64, now: &Sums, last: &Sums, latency: &Histogram<u64>) -> Progress {
    let rate = |now: u64, last: u64| per_second((now - last) as f64, seconds);
    Progress {
        elapsed,
        sent: now.sent,
        received: now.received,
        missing: now.missing,
        sent_pps: rate(now.sent, last.sent),
        received_pps: rate(now.received, last.received),
        sent_bits: rate(now.wire_bytes, last.wire_bytes) * 8.0,
        latency: Latency::of(latency),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(5);

    /// A trial whose ten frames have been sent.
    struct Sent {
        settling: Settling,
        at: Instant,
    }

    impl Sent {
        fn new(settle: Duration) -> Sent {
            let at = Instant::now();
            Sent { settling: Settling::new(settle, at), at }
        }

        /// Whether it is over so many milliseconds after the end of sending, with so many frames answered.
        fn is_over(&mut self, milliseconds: u64, answered: u64, queued: bool) -> bool {
            let sums = Sums { sent: 10, unanswered: 10 - answered, ..Sums::default() };
            self.settling.is_over(self.at + Duration::from_millis(milliseconds), sums, true, queued)
        }
    }

    #[test]
    fn a_missing_frame_is_waited_for_as_long_as_asked() {
        let mut trial = Sent::new(SETTLE);
        assert!([0, 499, 501, 2001, 4999].iter().all(|&at| !trial.is_over(at, 9, false)));
        assert!(trial.is_over(5000, 9, false));
        // It comes late: then nothing is left to wait for but copies.
        let mut trial = Sent::new(SETTLE);
        assert!([(0, 9), (4000, 9), (4010, 10), (4029, 10)].iter().all(|&(at, came)| !trial.is_over(at, came, false)));
        assert!(trial.is_over(4030, 10, false));
    }

    #[test]
    fn without_a_settling_time_nothing_is_waited_for() {
        assert!(Sent::new(Duration::ZERO).is_over(0, 9, false));
    }

    #[test]
    fn a_card_that_still_sends_is_waited_for_as_long_as_asked() {
        let mut trial = Sent::new(SETTLE);
        // All that arrived may be copies.
        assert!([0, 1000, 4999].iter().all(|&at| !trial.is_over(at, 10, true)));
        assert!(trial.is_over(5000, 10, true));
    }

    #[test]
    fn a_trial_is_not_over_while_it_sends() {
        let begin = Instant::now();
        let mut settling = Settling::new(SETTLE, begin);
        let sums = Sums { sent: 10, ..Sums::default() };
        assert!(!settling.is_over(begin + 2 * SETTLE, sums, false, false));
        assert!(!settling.is_over(begin + 2 * SETTLE, sums, true, false), "copies may follow");
    }
}
