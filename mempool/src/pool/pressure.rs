//! Memory pressure: how much of a pool is in use, and what follows from it.
//!
//! ```text
//!   in use   0 ........ low ........ pressure ........ high ..... all
//!            Calm ───────────────────►│ Pressure ──────►│ Critical
//!                 ◄──────│────────────────────── ◄──────│
//! ```
//!
//! *In use* are buffers that are not in the shared ring: in caches, cards and packets. It is looked at whenever the ring is touched, which
//! is seldom while the caches serve. Under pressure nobody uses a cache: all that comes home is everybody's at once.
//! The kernel's counterpart is `sk_enter_memory_pressure` with the three values of `tcp_mem`.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use gannet_ring::mpmc::Ring;

use super::options::{Priority, Watermarks};

/// Events that are kept until somebody asks for them.
const KEPT_EVENTS: usize = 64;

/// How short of buffers a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum Level {
    /// Not at all.
    Calm,
    /// Above [`Watermarks::pressure`].
    Pressure,
    /// Above [`Watermarks::high`].
    Critical,
}

impl Level {
    const ALL: [Level; 3] = [Level::Calm, Level::Pressure, Level::Critical];

    fn of(number: u8) -> Level {
        Self::ALL[usize::from(number).min(2)]
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Calm => "calm",
            Level::Pressure => "pressure",
            Level::Critical => "critical",
        })
    }
}

/// A pool has come to another level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PressureEvent {
    /// The new one.
    pub level: Level,
    /// Buffers in use then.
    pub in_use: u32,
}

/// The level of a pool, and how it came there.
pub(crate) struct Pressure {
    level: AtomicU8,
    marks: Marks,
    entered: AtomicU64,
    critical: AtomicU64,
    /// Level and buffers in use, in one number each: the newest.
    events: Ring<u64>,
}

/// [`Watermarks`] in buffers.
#[derive(Clone, Copy)]
struct Marks {
    low: u32,
    pressure: u32,
    high: u32,
}

impl Pressure {
    pub(super) fn new(buffers: u32, watermarks: Watermarks) -> Result<Pressure, gannet_ring::Error> {
        let part = |percent: u8| (u64::from(buffers) * u64::from(percent) / 100) as u32;
        Ok(Pressure {
            level: AtomicU8::new(Level::Calm as u8),
            marks: Marks {
                low: part(watermarks.low),
                pressure: part(watermarks.pressure),
                high: part(watermarks.high),
            },
            entered: AtomicU64::new(0),
            critical: AtomicU64::new(0),
            events: Ring::with_capacity(KEPT_EVENTS)?,
        })
    }

    pub(super) fn level(&self) -> Level {
        Level::of(self.level.load(Ordering::Relaxed))
    }

    /// Buffers that may still be taken before pressure begins.
    pub(super) fn room(&self, in_use: u32) -> u32 {
        self.marks.pressure.saturating_sub(in_use)
    }

    /// Buffers of `all` that a request of this priority leaves in the ring.
    pub(super) fn reserve(&self, all: u32, priority: Priority) -> u32 {
        match priority {
            Priority::Low => all - self.marks.pressure,
            Priority::Normal => all - self.marks.high,
            Priority::High => 0,
        }
    }

    /// Notes how many buffers are in use. Returns the level.
    pub(super) fn observe(&self, in_use: u32) -> Level {
        let old = self.level.load(Ordering::Relaxed);
        let new = self.marks.level(Level::of(old), in_use);
        if new as u8 != old {
            self.change(old, new, in_use);
        }
        new
    }

    #[cold]
    fn change(&self, old: u8, new: Level, in_use: u32) {
        // Of threads that see the same change one tells it.
        if self.level.compare_exchange(old, new as u8, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        if Level::of(old) == Level::Calm {
            self.entered.fetch_add(1, Ordering::Relaxed);
        }
        if new == Level::Critical {
            self.critical.fetch_add(1, Ordering::Relaxed);
        }
        let event = (new as u64) << 32 | u64::from(in_use);
        if self.events.push(event).is_err() {
            // Full of what nobody has asked for: the newest is worth more than the oldest, and the counters tell that there was more.
            let _ = self.events.pop();
            let _ = self.events.push(event);
        }
    }

    pub(super) fn next_event(&self) -> Option<PressureEvent> {
        let event = self.events.pop()?;
        Some(PressureEvent { level: Level::of((event >> 32) as u8), in_use: event as u32 })
    }

    /// Times that pressure began, and that it became critical.
    pub(super) fn times(&self) -> (u64, u64) {
        (self.entered.load(Ordering::Relaxed), self.critical.load(Ordering::Relaxed))
    }
}

impl Marks {
    fn level(self, old: Level, in_use: u32) -> Level {
        match old {
            _ if in_use > self.high => Level::Critical,
            _ if in_use > self.pressure => Level::Pressure,
            // Between low and pressure it stays as it is: no flapping.
            Level::Pressure | Level::Critical if in_use >= self.low.max(1) => Level::Pressure,
            _ => Level::Calm,
        }
    }
}
