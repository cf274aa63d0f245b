//! A cable with a packet generator: it sends numbered frames and checks the numbered frames that arrive.
//!
//! Two generators test a forwarder, one at each of its ports:
//!
//! ```text
//!   generator A ──stream 0──► port 0 ┌───────────┐ port 1 ──stream 0──► generator B
//!                                    │ forwarder │
//!   generator A ◄──stream 1── port 0 └───────────┘ port 1 ◄──stream 1── generator B
//! ```
//!
//! A generator compares whole frames, so it must know what the sender made: both are built from the same
//! [`GeneratorOptions`], the second from [`GeneratorOptions::other_end`], which swaps the stream that is sent and the one that is
//! expected. Length and number of flows must be the same. (A generator that expects what it sends itself checks an echo.)
//! MAC addresses may arrive as they were sent or exactly swapped; any other byte that differs is corruption, a VLAN tag or a
//! decreased TTL included.
//!
//! Loss is what one generator `offered` and the other did not accept intact:
//! `lost = offered - (accepted - foreign - corrupted)`, with duplicates (counted as `reordered`) taken off.

use std::sync::Arc;
use std::sync::atomic::Ordering;

pub use super::numbered::Stream;
use super::numbered::{MAX_FLOWS, Template, Verdict};
use super::{Accepted, Error, MAX_FRAME, MIN_FRAME, Offered, Pacing, Peer, PeerStats, add};

const FCS: usize = 4;
const NANOS: u64 = 1_000_000_000;

/// How fast a generator sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// As fast as the card takes frames; nothing is lost to overload ([`Pacing::OnDemand`]).
    OnDemand,
    /// This many frames a second; a card without room misses them ([`Pacing::Timed`]).
    PerSecond(u64),
}

/// What a generator sends and what it expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratorOptions {
    /// The stream that it sends.
    pub sends: Stream,
    /// The stream that it checks.
    pub expects: Stream,
    /// Length of a frame with FCS, 64 to 15876.
    pub frame_length: usize,
    /// How fast it sends.
    pub rate: Rate,
    /// How many frames it sends; `None` for no end.
    pub count: Option<u64>,
    /// Over how many flows (UDP source ports) the frames are spread, 1 to 16384. Order is checked within a flow; with one flow it
    /// is the order of all frames. Duplicates and frames that come after a later one are `reordered`.
    pub flows: u32,
}

impl GeneratorOptions {
    /// 64-byte frames of stream `stream` in one flow, as fast as possible and without end; the other end sends `stream ^ 1`.
    pub fn new(stream: u16) -> Self {
        Self {
            sends: Stream::new(stream),
            expects: Stream::new(stream ^ 1),
            frame_length: 64,
            rate: Rate::OnDemand,
            count: None,
            flows: 1,
        }
    }

    /// The options of the generator at the other end: it expects what this one sends and sends what this one expects.
    pub fn other_end(&self) -> Self {
        Self { sends: self.expects, expects: self.sends, ..self.clone() }
    }
}

/// Sends numbered frames and checks numbered frames.
#[derive(Debug)]
pub struct Generator {
    sends: Template,
    expects: Template,
    /// Sequence number of the next frame, which is also how many were sent.
    next: u64,
    count: u64,
    schedule: Option<Schedule>,
    /// For each flow, the sequence number above all that have arrived.
    arrived: Vec<u64>,
    stats: Arc<PeerStats>,
}

impl Generator {
    /// A generator, and its counters.
    pub fn new(options: &GeneratorOptions) -> Result<(Self, Arc<PeerStats>), Error> {
        let GeneratorOptions { sends, expects, frame_length, rate, count, flows } = *options;
        let invalid =
            |option, value: &dyn ToString, expected| Error::Option { option, value: value.to_string(), expected };
        if !(MIN_FRAME + FCS..=MAX_FRAME + FCS).contains(&frame_length) {
            return Err(invalid("frame_length", &frame_length, "needs 64 to 15876 bytes (with FCS)"));
        }
        if !(1..=MAX_FLOWS).contains(&flows) {
            return Err(invalid("flows", &flows, "needs 1 to 16384 flows"));
        }
        if rate == Rate::PerSecond(0) {
            return Err(invalid("rate", &0, "needs at least one frame a second; give count=0 for a silent generator"));
        }
        let length = frame_length - FCS;
        let stats = Arc::new(PeerStats::default());
        stats.finished.store(count == Some(0), Ordering::Release);
        let generator = Self {
            sends: Template::new(sends, length, flows),
            expects: Template::new(expects, length, flows),
            next: 0,
            count: count.unwrap_or(u64::MAX),
            schedule: match rate {
                Rate::OnDemand => None,
                Rate::PerSecond(rate) => Some(Schedule::new(rate)),
            },
            arrived: vec![0; flows as usize],
            stats: stats.clone(),
        };
        Ok((generator, stats))
    }
}

impl Peer for Generator {
    #[inline]
    fn accept(&mut self, frame: &[u8], _now: u64) -> Accepted {
        add(&self.stats.accepted, 1);
        match self.expects.check(frame) {
            Verdict::Intact { sequence, flow } => {
                let arrived = &mut self.arrived[flow];
                if sequence < *arrived {
                    add(&self.stats.reordered, 1);
                } else {
                    *arrived = sequence.saturating_add(1);
                }
            }
            Verdict::Damaged => add(&self.stats.corrupted, 1),
            Verdict::Foreign => add(&self.stats.foreign, 1),
        }
        Accepted::Taken
    }

    #[inline]
    fn offer(&mut self, frame: &mut Vec<u8>, now: u64) -> Offered {
        let due = self.next < self.count
            && !self.stats.stop.load(Ordering::Relaxed)
            && self.schedule.as_mut().is_none_or(|schedule| schedule.is_due(now));
        if !due {
            frame.clear();
            return Offered::Nothing;
        }
        self.sends.write(self.next, frame);
        self.next += 1;
        self.stats.offered.store(self.next, Ordering::Relaxed);
        if self.next == self.count {
            self.stats.finished.store(true, Ordering::Release);
        }
        Offered::Frame
    }

    fn pacing(&self) -> Pacing {
        if self.schedule.is_some() { Pacing::Timed } else { Pacing::OnDemand }
    }
}

/// When the frames of a fixed rate are due, without rounding error: the n-th at n / rate seconds after the first look.
#[derive(Debug)]
struct Schedule {
    rate: u64,
    /// When the next frame is due: nanoseconds, and the rest in parts of `rate`.
    due: Option<u64>,
    rest: u64,
}

impl Schedule {
    fn new(rate: u64) -> Self {
        Self { rate, due: None, rest: 0 }
    }

    /// Whether a frame is due at `now`; if so, the next is scheduled.
    fn is_due(&mut self, now: u64) -> bool {
        let due = *self.due.get_or_insert(now);
        if now < due {
            return false;
        }
        let rest = u128::from(self.rest) + u128::from(NANOS % self.rate);
        let (carry, rest) = if rest >= u128::from(self.rate) { (1, rest - u128::from(self.rate)) } else { (0, rest) };
        self.rest = rest as u64;
        self.due = Some(due.saturating_add(NANOS / self.rate + carry));
        true
    }
}

#[cfg(test)]
mod tests;
