//! A bad cable: loses, doubles, damages and reorders frames, and lets go of the link, with given probabilities.
//!
//! [`Impaired`] wraps any peer and works on both directions. Each frame gets one roll of a seeded generator and at most one fault,
//! and each direction has its own generator: what happens to the n-th frame of a direction depends on the seed and on n alone, not
//! on how the calls interleave or how often the card had to wait. (Only whether a held frame is overtaken in time depends on the
//! clock, and one that would have to be held while another is passes.) Every fault is counted, so that a test can say exactly what
//! must be missing at the other end.
//!
//! ```text
//!   card ──accept──► roll ──► ready ──► peer          ready: frames on their way (a duplicate, or one the peer was busy for)
//!                     └─► held ──┘                    held:  one frame that waits to be overtaken
//!   card ◄──offer──── ready ◄── roll ◄── peer
//! ```

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::random::SplitMix;
use super::{Accepted, Error, Offered, Pacing, Peer, add};

const MILLION: u32 = 1_000_000;

/// How long a frame waits to be overtaken before it goes on in its place: the last frame of a run must not stay in the cable.
pub const HOLD_NS: u64 = 1_000_000;

/// Probabilities of the faults of one direction, in parts per million of its frames. Together at most a million.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// The frame disappears.
    pub loss_ppm: u32,
    /// The frame arrives twice, one right after the other.
    pub duplication_ppm: u32,
    /// A byte of the frame is damaged. Towards the card its FCS is then wrong; a peer gets the damaged frame.
    pub corruption_ppm: u32,
    /// The frame arrives after the next good one. If none comes within [`HOLD_NS`] it arrives in order and is not counted.
    pub reordering_ppm: u32,
    /// The link goes down at this frame, for [`ImpairOptions::down_ns`]; the frame is lost.
    pub flap_ppm: u32,
}

/// What is wrong with the cable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImpairOptions {
    /// Faults of the frames that the card receives.
    pub to_card: Faults,
    /// Faults of the frames that the card sends.
    pub from_card: Faults,
    /// How long the link stays down after a flap. Frames that the card sends meanwhile are lost, frames for the card wait.
    pub down_ns: u64,
    /// The same seed gives the same faults.
    pub seed: u64,
}

/// What was done to the frames of one direction.
#[derive(Debug, Default)]
pub struct FaultCounts {
    /// Frames that disappeared.
    pub lost: AtomicU64,
    /// Frames that arrived twice.
    pub duplicated: AtomicU64,
    /// Frames that were damaged.
    pub corrupted: AtomicU64,
    /// Frames that were overtaken.
    pub reordered: AtomicU64,
    /// Frames that were lost because the link went or was down.
    pub cut: AtomicU64,
}

/// What the cable did. Written by the cable alone.
#[derive(Debug, Default)]
pub struct ImpairStats {
    /// Towards the card.
    pub to_card: FaultCounts,
    /// From the card.
    pub from_card: FaultCounts,
    /// How often the link went down.
    pub flaps: AtomicU64,
    /// Frames in the cable now: wait for 0 before counting what arrived.
    pub held: AtomicU64,
}

/// A peer behind a bad cable.
#[derive(Debug)]
pub struct Impaired<P> {
    peer: P,
    to_card: Direction,
    from_card: Direction,
    down_ns: u64,
    down_until: u64,
    stats: Arc<ImpairStats>,
}

impl<P: Peer> Impaired<P> {
    /// Puts a bad cable between the card and `peer`.
    pub fn new(peer: P, options: &ImpairOptions) -> Result<(Self, Arc<ImpairStats>), Error> {
        let stats = Arc::new(ImpairStats::default());
        let impaired = Self {
            peer,
            to_card: Direction::new(options.to_card, options.seed)?,
            // Any other seed: the two directions must not suffer in step.
            from_card: Direction::new(options.from_card, !options.seed)?,
            down_ns: options.down_ns,
            down_until: 0,
            stats: stats.clone(),
        };
        Ok((impaired, stats))
    }

    fn is_down(&self, now: u64) -> bool {
        now < self.down_until
    }

    fn flap(&mut self, now: u64) {
        add(&self.stats.flaps, 1);
        self.down_until = now.saturating_add(self.down_ns);
    }

    /// Gives the peer what is ready for it, as much as it takes.
    fn deliver(&mut self, now: u64) {
        self.from_card.expire(now);
        while let Some(frame) = self.from_card.ready.front() {
            if self.peer.accept(frame, now) == Accepted::Busy {
                break;
            }
            let delivered = self.from_card.ready.pop_front();
            self.from_card.spare.extend(delivered);
        }
    }

    fn count_held(&self) {
        self.stats.held.store(self.to_card.held() + self.from_card.held(), Ordering::Relaxed);
    }

    /// Takes a frame from the card that the cable has room for.
    fn take(&mut self, frame: &[u8], now: u64) {
        let counts = &self.stats.from_card;
        let way = &mut self.from_card;
        match way.roll() {
            Fate::Lose => add(&counts.lost, 1),
            Fate::Flap => {
                add(&counts.cut, 1);
                self.flap(now);
            }
            Fate::Corrupt => {
                add(&counts.corrupted, 1);
                way.push(frame);
                if let Some(frame) = way.ready.back_mut() {
                    damage(&mut way.random, frame);
                }
            }
            Fate::Reorder => way.hold(frame, now),
            Fate::Duplicate => {
                add(&counts.duplicated, 1);
                way.push(frame);
                way.push(frame);
                way.release(counts);
            }
            Fate::Pass => {
                if self.peer.accept(frame, now) == Accepted::Busy {
                    way.push(frame);
                }
                way.release(counts);
            }
        }
    }

    /// Takes a frame from the peer; what the card gets of it now.
    fn bring(&mut self, frame: &mut Vec<u8>, now: u64) -> Offered {
        let counts = &self.stats.to_card;
        let way = &mut self.to_card;
        match way.roll() {
            Fate::Lose => add(&counts.lost, 1),
            Fate::Flap => {
                add(&counts.cut, 1);
                self.flap(now);
            }
            Fate::Reorder => way.hold(frame, now),
            Fate::Corrupt => {
                add(&counts.corrupted, 1);
                damage(&mut way.random, frame);
                return Offered::BadFcs;
            }
            Fate::Duplicate => {
                add(&counts.duplicated, 1);
                way.push(frame);
                way.release(counts);
                return Offered::Frame;
            }
            Fate::Pass => {
                way.release(counts);
                return Offered::Frame;
            }
        }
        frame.clear();
        Offered::Nothing
    }
}

impl<P: Peer> Peer for Impaired<P> {
    fn accept(&mut self, frame: &[u8], now: u64) -> Accepted {
        self.deliver(now);
        let accepted = if self.is_down(now) {
            add(&self.stats.from_card.cut, 1);
            Accepted::Taken
        } else if self.from_card.ready.is_empty() {
            self.take(frame, now);
            self.deliver(now);
            Accepted::Taken
        } else {
            Accepted::Busy
        };
        self.count_held();
        accepted
    }

    fn offer(&mut self, frame: &mut Vec<u8>, now: u64) -> Offered {
        self.deliver(now);
        self.to_card.expire(now);
        let offered = if self.is_down(now) {
            frame.clear();
            Offered::Nothing
        } else if let Some(next) = self.to_card.ready.pop_front() {
            self.to_card.spare.push(mem::replace(frame, next));
            Offered::Frame
        } else {
            match self.peer.offer(frame, now) {
                Offered::Frame => self.bring(frame, now),
                other => other,
            }
        };
        self.count_held();
        offered
    }

    fn pacing(&self) -> Pacing {
        self.peer.pacing()
    }

    fn carrier(&mut self, now: u64) -> bool {
        !self.is_down(now) && self.peer.carrier(now)
    }
}

/// What happens to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Pass,
    Lose,
    Duplicate,
    Corrupt,
    Reorder,
    Flap,
}

/// One direction of the cable.
#[derive(Debug)]
struct Direction {
    /// Upper bounds of the roll for each fault, ascending.
    bounds: [(u32, Fate); 5],
    random: SplitMix,
    ready: VecDeque<Vec<u8>>,
    /// The frame that waits to be overtaken, and since when.
    waiting: Option<(Vec<u8>, u64)>,
    spare: Vec<Vec<u8>>,
}

impl Direction {
    fn new(faults: Faults, seed: u64) -> Result<Self, Error> {
        let mut sum = 0u64;
        let mut bounds = [
            (faults.loss_ppm, Fate::Lose),
            (faults.duplication_ppm, Fate::Duplicate),
            (faults.corruption_ppm, Fate::Corrupt),
            (faults.reordering_ppm, Fate::Reorder),
            (faults.flap_ppm, Fate::Flap),
        ];
        for (bound, _) in &mut bounds {
            sum += u64::from(*bound);
            *bound = sum.min(u64::from(MILLION)) as u32;
        }
        if sum > u64::from(MILLION) {
            let expected = "the faults of a direction need to add up to 1000000 parts per million or less";
            return Err(Error::Option { option: "ppm", value: sum.to_string(), expected });
        }
        let random = SplitMix::new(seed);
        Ok(Self { bounds, random, ready: VecDeque::new(), waiting: None, spare: Vec::new() })
    }

    /// What happens to the next frame.
    fn roll(&mut self) -> Fate {
        let roll = self.random.below(MILLION);
        match self.bounds.iter().find(|(bound, _)| roll < *bound) {
            // One frame at a time is overtaken.
            Some((_, Fate::Reorder)) if self.waiting.is_some() => Fate::Pass,
            Some((_, fate)) => *fate,
            None => Fate::Pass,
        }
    }

    fn copy(&mut self, frame: &[u8]) -> Vec<u8> {
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(frame);
        copy
    }

    fn push(&mut self, frame: &[u8]) {
        let copy = self.copy(frame);
        self.ready.push_back(copy);
    }

    fn hold(&mut self, frame: &[u8], now: u64) {
        self.waiting = Some((self.copy(frame), now));
    }

    /// A good frame went by: the one that waited follows it.
    fn release(&mut self, counts: &FaultCounts) {
        if let Some((frame, _)) = self.waiting.take() {
            add(&counts.reordered, 1);
            self.ready.push_back(frame);
        }
    }

    /// Lets the waiting frame go on if nothing has overtaken it.
    fn expire(&mut self, now: u64) {
        if let Some((frame, _)) = self.waiting.take_if(|(_, since)| now.saturating_sub(*since) >= HOLD_NS) {
            self.ready.push_back(frame);
        }
    }

    fn held(&self) -> u64 {
        self.ready.len() as u64 + u64::from(self.waiting.is_some())
    }
}

/// Changes one byte.
fn damage(random: &mut SplitMix, frame: &mut [u8]) {
    let place = random.below(u32::try_from(frame.len()).unwrap_or(u32::MAX)) as usize;
    let flip = 1 + random.below(255) as u8;
    if let Some(byte) = frame.get_mut(place) {
        *byte ^= flip;
    }
}

#[cfg(test)]
mod tests;
