//! How busy a polling core is. It never sleeps, so the system's own measure says 100 %.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quanta::Clock;

/// One round in so many is timed, on average. Where the kernel does not trust the time stamp counter, as in many virtual machines, a
/// look at the clock is a system call: dearer than all else in a round.
const TIMED_ROUNDS: u32 = 256;

/// What a core publishes. On lines of its own: a reader must not slow a neighbour down.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct CoreCounters {
    pub(super) busy_rounds: AtomicU64,
    pub(super) idle_rounds: AtomicU64,
    pub(super) packets: AtomicU64,
    /// In units of [`Clock::raw`].
    pub(super) busy: AtomicU64,
    pub(super) idle: AtomicU64,
}

/// Adds to a counter that only this thread writes: no locked instruction is needed.
#[inline(always)]
fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}

/// Measures how busy a polling core is. Belongs to the core's thread.
///
/// One round in some 256 is timed, and stands for all of them: a busy one for so much busy time. All other time was idle. The distance
/// between timed rounds varies, or traffic with the same period would be seen always or never.
#[derive(Debug)]
pub struct CoreMeter {
    counters: Arc<CoreCounters>,
    clock: Clock,
    /// Rounds until the clock is looked at.
    countdown: u32,
    /// When the round began that is being timed, if one is.
    began: Option<u64>,
    /// Until here time has been counted.
    counted: u64,
    /// Busy time that has been seen and not yet been counted: a timed round can stand for more time than has passed.
    seen_busy: u64,
    random: u32,
}

impl CoreMeter {
    pub(super) fn new(counters: Arc<CoreCounters>) -> CoreMeter {
        let clock = Clock::new();
        let counted = clock.raw();
        // xorshift takes any seed but 0.
        CoreMeter { counters, clock, countdown: 1, began: None, counted, seen_busy: 0, random: counted as u32 | 1 }
    }

    /// A round of the polling loop ends, in which so many packets were received or sent.
    #[inline(always)]
    pub fn round(&mut self, moved: usize) {
        if moved > 0 {
            add(&self.counters.busy_rounds, 1);
            add(&self.counters.packets, moved as u64);
        } else {
            add(&self.counters.idle_rounds, 1);
        }
        self.countdown -= 1;
        if self.countdown == 0 {
            self.look_at_clock(moved > 0);
        }
    }

    /// The core has slept: its time up to now is counted, however few rounds there are.
    pub fn slept(&mut self) {
        let now = self.clock.raw();
        self.count_until(now);
    }

    /// Either the next round is to be timed, or it has been.
    #[cold]
    fn look_at_clock(&mut self, busy: bool) {
        let now = self.clock.raw();
        match self.began.take() {
            None => {
                self.began = Some(now);
                self.countdown = 1;
            }
            Some(began) => {
                if busy {
                    self.seen_busy += now.saturating_sub(began) * u64::from(TIMED_ROUNDS);
                }
                self.countdown = self.draw() - 1;
            }
        }
        self.count_until(now);
    }

    /// Rounds to the next one that is timed: 2 to 510, [`TIMED_ROUNDS`] on average. Marsaglia's xorshift.
    fn draw(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        2 + self.random % (2 * TIMED_ROUNDS - 3)
    }

    fn count_until(&mut self, now: u64) {
        // A clock that the kernel corrects, or that differs between cores, may go back a little.
        let passed = now.saturating_sub(self.counted);
        let busy = self.seen_busy.min(passed);
        self.seen_busy -= busy;
        self.counted = now;
        add(&self.counters.busy, busy);
        add(&self.counters.idle, passed - busy);
    }
}
