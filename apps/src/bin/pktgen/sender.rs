//! The sending side of a way: makes frames when they are due, stamps them, hands them to the card.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gannet::{Burst, Pool, TxQueue};
use gannet_sim::Clock;
use hdrhistogram::Histogram;

use crate::gauge::{Gauge, Stage};
use crate::pacer::Pacer;
use crate::rate::{Cost, WIRE_OVERHEAD};
use crate::source::Source;
use crate::trial::{End, histogram};

/// After this time in which none of a window has arrived all of it are given up, and others may leave.
const WINDOW_PATIENCE_NS: u64 = 100_000_000;

/// What a sender sends, and how.
#[derive(Debug)]
pub(crate) struct Task<'a> {
    pub(crate) source: Source<'a>,
    /// `None` for as fast as possible, or at the frames' own times.
    pub(crate) cost: Option<Cost>,
    pub(crate) end: End,
    /// Most frames on their way at a time: those that left after the latest that has arrived.
    pub(crate) window: Option<u64>,
}

/// Sends on one queue.
pub(crate) struct Sender<'a> {
    tx: &'a mut TxQueue,
    pool: &'a Pool,
    source: Source<'a>,
    burst: Burst,
    pacer: Pacer,
    end: End,
    window: Option<Window>,
    gauge: Arc<Gauge>,
    /// Frames made so far; those that the card has not taken yet are in the burst.
    made: u64,
    started: u64,
    ended: Option<u64>,
    cut_short: bool,
    refused: u64,
    lateness: Histogram<u64>,
}

/// Frames that may be on their way. Which those are is told from the latest that has arrived, not from how many have (as TCP does with
/// forward acknowledgment): so what was given up and arrives in the end is not counted twice, and an overtaken frame holds up nobody.
#[derive(Debug)]
struct Window {
    size: u64,
    /// Frames, from the first, that are waited for no more.
    given_up: u64,
    /// Frames up to the latest that had arrived at the last look, and when it changed.
    reached: u64,
    since: u64,
}

/// What a sender has measured.
#[derive(Debug)]
pub(crate) struct Sent {
    /// Nanoseconds from the start to the end of sending.
    pub(crate) time: u64,
    /// It was told to end before it had sent all.
    pub(crate) cut_short: bool,
    /// Frames that the driver could not send.
    pub(crate) refused: u64,
    /// How much later than planned frames left, in nanoseconds.
    pub(crate) lateness: Histogram<u64>,
}

impl<'a> Sender<'a> {
    /// With buffers from `pool`, at most `burst` frames at once. It is to be started.
    pub(crate) fn new(
        (tx, pool): (&'a mut TxQueue, &'a Pool),
        task: Task<'a>,
        burst: usize,
        gauge: Arc<Gauge>,
    ) -> Sender<'a> {
        let Task { source, cost, end, window } = task;
        let pacer = if source.due().is_some() { Pacer::on_schedule() } else { Pacer::at_rate(cost) };
        let window = window.map(|size| Window { size, given_up: 0, reached: 0, since: 0 });
        Sender {
            tx,
            pool,
            source,
            burst: Burst::new(burst),
            pacer,
            end,
            window,
            gauge,
            made: 0,
            started: 0,
            ended: None,
            cut_short: false,
            refused: 0,
            lateness: histogram(),
        }
    }

    /// The first frame is due at `now`.
    pub(crate) fn start(&mut self, now: u64) {
        self.started = now;
        self.pacer.start(now);
        if let Some(window) = &mut self.window {
            window.since = now;
        }
    }

    /// Sends what is due. Returns how many frames the card took.
    #[inline]
    pub(crate) fn turn(&mut self, clock: &Clock, stage: Stage) -> usize {
        let now = clock.now();
        if self.ended.is_none() {
            if self.is_over(now) {
                self.finish(now);
            } else if stage != Stage::Send {
                self.cut_short = true;
                self.finish(now);
            } else {
                self.make(now);
            }
        }
        let before = wire_bytes(&self.burst);
        // Just before they leave; again if the card had no room for them.
        if !self.burst.is_empty() {
            let time = clock.now();
            for packet in &mut self.burst[..] {
                // Fails for shared packets only, which none of these is.
                if let Ok(frame) = packet.data_mut() {
                    self.source.stamp(frame, time);
                }
            }
        }
        let queued = self.burst.len();
        // With an empty burst too: it brings the buffers of sent frames home.
        let sent = self.tx.send(&mut self.burst);
        self.refused += (queued - self.burst.len() - sent) as u64;
        if sent > 0 {
            self.gauge.wire_bytes.add((before - wire_bytes(&self.burst)) as u64);
            self.gauge.sent.add(sent as u64);
        }
        sent
    }

    /// Makes the frames that are due, as many as may leave.
    #[inline]
    fn make(&mut self, now: u64) {
        self.pacer.forgive(now);
        let mut room = self.burst.room() as u64;
        if let End::Frames(count) = self.end {
            room = room.min(count - self.made);
        }
        if let Some(window) = &mut self.window {
            room = room.min(window.room(self.made, self.gauge.reached.now(), now));
        }
        for _ in 0..room {
            if let Some(offset) = self.source.due() {
                self.pacer.schedule(offset);
            }
            let Some(lateness) = self.pacer.lateness(now) else { break };
            let Ok(packet) = self.source.next(self.pool) else { break };
            if self.pacer.is_planned() {
                self.lateness.saturating_record(lateness);
            }
            self.pacer.advance(packet.len() + WIRE_OVERHEAD);
            self.made += 1;
            // There is room: it has been counted.
            let _ = self.burst.push(packet);
        }
    }

    /// Whether all has been sent. The time that the last frame takes, or its answer, is part of it.
    fn is_over(&mut self, now: u64) -> bool {
        let all_out = self.burst.is_empty() && self.pacer.lateness(now).is_some();
        let all_sent = match self.end {
            End::After(time) => return u128::from(now - self.started) >= time.as_nanos(),
            End::Frames(count) => self.made == count,
            End::Open => false,
        };
        let arrived = match &mut self.window {
            Some(window) => window.room(self.made, self.gauge.reached.now(), now) == window.size,
            None => true,
        };
        all_out && arrived && (all_sent || self.source.is_at_end())
    }

    /// Sends nothing more. What the card has not taken was never sent.
    fn finish(&mut self, now: u64) {
        self.ended = Some(now);
        self.burst.clear();
        self.gauge.finished.store(true, Ordering::Release);
    }

    /// What it has measured.
    pub(crate) fn into_result(self) -> Sent {
        let ended = self.ended.unwrap_or(self.started);
        let Sender { started, cut_short, refused, lateness, .. } = self;
        Sent { time: ended - started, cut_short, refused, lateness }
    }
}

impl Window {
    /// Frames that may be made now.
    fn room(&mut self, made: u64, reached: u64, now: u64) -> u64 {
        if reached != self.reached {
            (self.reached, self.since) = (reached, now);
        } else if now.saturating_sub(self.since) > WINDOW_PATIENCE_NS {
            (self.given_up, self.since) = (made, now);
        }
        self.size.saturating_sub(made.saturating_sub(reached.max(self.given_up)))
    }
}

fn wire_bytes(burst: &Burst) -> usize {
    burst.iter().map(|packet| packet.len() + WIRE_OVERHEAD).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(size: u64) -> Window {
        Window { size, given_up: 0, reached: 0, since: 0 }
    }

    /// All that was given up arrives in the end. Then the window is as large as before.
    #[test]
    fn a_window_that_was_given_up_does_not_grow() {
        let mut window = window(32);
        assert_eq!(window.room(0, 0, 0), 32);
        assert_eq!(window.room(32, 0, WINDOW_PATIENCE_NS), 0);
        // The cable stalls: another window's worth leaves.
        assert_eq!(window.room(32, 0, WINDOW_PATIENCE_NS + 1), 32);
        // It goes on, and the first ones arrive.
        let mut now = WINDOW_PATIENCE_NS + 2;
        assert_eq!(window.room(64, 32, now), 0);
        for reached in 33..1000 {
            now += 1000;
            assert_eq!(window.room(reached + 31, reached, now), 1);
        }
    }

    #[test]
    fn the_end_waits_for_the_last_frame_after_a_stall_too() {
        let mut window = window(4);
        assert_eq!(window.room(4, 0, WINDOW_PATIENCE_NS + 1), 4);
        // Two late ones are no answer to the two that have left since.
        assert_eq!(window.room(6, 2, WINDOW_PATIENCE_NS + 2), 2);
        assert_eq!(window.room(6, 6, WINDOW_PATIENCE_NS + 3), 4);
    }

    #[test]
    fn an_overtaken_frame_holds_up_nobody() {
        assert_eq!(window(4).room(10, 10, 5), 4, "one of the ten is lost");
    }
}
