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
use crate::trial::{Latency, Progress, histogram, per_second};

/// How often it looks around.
const TICK: Duration = Duration::from_millis(10);
/// How often it tells how the trial goes.
const TELL: Duration = Duration::from_millis(200);
/// Quiet time after which no more frames are on their way, if some are missing: a core may not have had its turn for long.
const QUIET: Duration = Duration::from_millis(500);
/// The same if all have arrived: only copies may follow.
const QUIET_AND_COMPLETE: Duration = Duration::from_millis(20);

/// Looks after a trial.
pub(crate) struct Supervisor<'a> {
    pub(crate) running: &'a mut [Running],
    pub(crate) monitor: &'a mut Monitor,
    pub(crate) interrupted: &'a AtomicBool,
    pub(crate) gauges: &'a [Arc<Gauge>],
    pub(crate) orders: &'a Orders,
    pub(crate) samples: Samples,
    /// Longest wait for the last frames.
    pub(crate) settle: Duration,
    pub(crate) problems: Vec<String>,
}

/// The latencies so far, of all receivers.
pub(crate) struct Samples {
    total: Histogram<u64>,
    exchanges: Vec<Inspector>,
}

/// The main thread's end of an [`Exchange`].
struct Inspector {
    empty: Producer<Histogram<u64>>,
    full: Consumer<Histogram<u64>>,
}

impl Samples {
    pub(crate) fn new() -> Samples {
        Samples { total: histogram(), exchanges: Vec::new() }
    }

    /// The other end, for a receiver.
    pub(crate) fn exchange(&mut self) -> Exchange {
        let ((mut give, empty), (full, take)) = (RingBuffer::new(1), RingBuffer::new(1));
        // It is new, so there is room.
        let _ = give.push(histogram());
        self.exchanges.push(Inspector { empty: give, full: take });
        Exchange { empty, full }
    }

    /// Adds what receivers have handed over, and asks for more.
    fn collect(&mut self) {
        let Samples { total, exchanges } = self;
        for exchange in exchanges {
            if let Ok(mut full) = exchange.full.pop() {
                add_to(total, &full);
                full.clear();
                let _ = exchange.empty.push(full);
            }
        }
    }

    /// Adds what a receiver had left in the end.
    pub(crate) fn add(&mut self, latency: &Histogram<u64>) {
        add_to(&mut self.total, latency);
    }

    /// All of them, once the receivers have ended.
    pub(crate) fn into_total(mut self) -> Histogram<u64> {
        self.collect();
        self.total
    }
}

fn add_to(total: &mut Histogram<u64>, more: &Histogram<u64>) {
    total.add(more).expect("all histograms have the same bounds");
}

/// Sums over all ways.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sums {
    sent: u64,
    wire_bytes: u64,
    received: u64,
    answered: u64,
    missing: u64,
}

impl Supervisor<'_> {
    /// Watches until all is sent and has arrived, or is lost, or `is_alive` says that a core has ended. Then the cores may end.
    pub(crate) fn watch(&mut self, is_alive: &dyn Fn() -> bool, tell: &mut dyn FnMut(&Progress)) {
        let begin = Instant::now();
        let (mut told, mut last) = (begin, Sums::default());
        let (mut seen, mut quiet_since) = (Sums::default(), begin);
        let mut finished = None;
        while is_alive() {
            thread::sleep(TICK);
            let (now, sums) = (Instant::now(), self.sums());
            self.look_after_ports();
            self.monitor.refresh(self.running);
            if self.interrupted.load(Ordering::Relaxed) {
                self.orders.set(Stage::Receive);
            }
            if sums != seen {
                (seen, quiet_since) = (sums, now);
            }
            if finished.is_none() && self.gauges.iter().all(|gauge| gauge.finished.load(Ordering::Acquire)) {
                (finished, quiet_since) = (Some(now), now);
            }
            if self.running.iter().any(|port| port.in_rings().1 > 0) {
                // A card has not sent what it was given: others wait for it, or its core has not had its turn.
                quiet_since = now;
            }
            let quiet = if sums.answered >= sums.sent { QUIET_AND_COMPLETE } else { QUIET };
            if finished.is_some_and(|at| now - quiet_since >= quiet || now - at >= self.settle) {
                return;
            }
            if now - told >= TELL {
                self.samples.collect();
                tell(&progress(now - begin, (now - told).as_secs_f64(), &sums, &last, &self.samples.total));
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
            sums.answered += gauge.answered.now();
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
