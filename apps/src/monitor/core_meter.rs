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
/// All rounds are counted. One in some 256 is timed, so that it is known how long busy and idle rounds typically last; the time that has
/// passed is divided in that proportion. The distance between timed rounds varies, or traffic with the same period would be seen always or
/// never.
#[derive(Debug)]
pub struct CoreMeter {
    counters: Arc<CoreCounters>,
    clock: Clock,
    /// Rounds until the clock is looked at.
    countdown: u32,
    /// When the round began that is being timed, if one is.
    began: Option<u64>,
    busy: Rounds,
    idle: Rounds,
    /// Until here time has been divided.
    divided: u64,
    random: u32,
}

/// Busy rounds, or idle ones.
#[derive(Debug, Default, Clone, Copy)]
struct Rounds {
    /// How many there were when time was last divided.
    before: u64,
    /// How many have been timed, up to [`Rounds::FIRST`].
    timed: u32,
    /// How long one typically lasts.
    typical: f64,
}

impl Rounds {
    /// Of so many rounds the shortest is typical at first.
    const FIRST: u32 = 4;

    /// A round has been timed. That the system has run another program meanwhile should not count as work: it is bounded.
    fn time(&mut self, lasted: f64) {
        const WEIGHT: f64 = 1.0 / 16.0;
        const LONGEST: f64 = 8.0;
        self.typical = match self.timed {
            0 => lasted,
            1..Self::FIRST => self.typical.min(lasted),
            // On a coarse clock rounds may have lasted nothing so far.
            _ => self.typical + (lasted.min((self.typical * LONGEST).max(1.0)) - self.typical) * WEIGHT,
        };
        self.timed = (self.timed + 1).min(Self::FIRST);
    }

    /// Time that the rounds since the last call have taken, if they were typical.
    fn take(&mut self, now: u64) -> f64 {
        now.wrapping_sub(std::mem::replace(&mut self.before, now)) as f64 * self.typical
    }
}

impl CoreMeter {
    pub(super) fn new(counters: Arc<CoreCounters>, clock: Clock) -> CoreMeter {
        let divided = clock.raw();
        // xorshift takes any seed but 0.
        let random = divided as u32 | 1;
        // Another thread may have counted here before.
        let from = |counter: &AtomicU64| Rounds { before: counter.load(Ordering::Relaxed), ..Rounds::default() };
        let (busy, idle) = (from(&counters.busy_rounds), from(&counters.idle_rounds));
        CoreMeter { counters, clock, countdown: 1, began: None, busy, idle, divided, random }
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

    /// The core has slept, and a round of its loop is about to begin: what has passed but for the busy rounds was idle.
    pub fn slept(&mut self) {
        let now = self.clock.raw();
        let passed = self.pass(now);
        let busy = self.busy.take(self.counters.busy_rounds.load(Ordering::Relaxed)).min(passed);
        self.idle.take(self.counters.idle_rounds.load(Ordering::Relaxed));
        self.publish(passed, busy);
        // The round that is being timed has not been sleeping.
        self.began = self.began.map(|_| now);
    }

    /// Either the next round is to be timed, or it has been.
    #[cold]
    fn look_at_clock(&mut self, is_busy: bool) {
        let now = self.clock.raw();
        let Some(began) = self.began.take() else {
            self.began = Some(now);
            self.countdown = 1;
            return;
        };
        let rounds = if is_busy { &mut self.busy } else { &mut self.idle };
        rounds.time(now.saturating_sub(began) as f64);
        self.countdown = self.draw() - 1;
        let passed = self.pass(now);
        let busy = self.busy.take(self.counters.busy_rounds.load(Ordering::Relaxed));
        let idle = self.idle.take(self.counters.idle_rounds.load(Ordering::Relaxed));
        // Both are 0 on a clock too coarse to time a round.
        self.publish(passed, if busy > 0.0 { passed * busy / (busy + idle) } else { 0.0 });
    }

    /// Time since the last call.
    fn pass(&mut self, now: u64) -> f64 {
        // A clock that the kernel corrects, or that differs between cores, may go back a little.
        now.saturating_sub(std::mem::replace(&mut self.divided, now)) as f64
    }

    fn publish(&self, passed: f64, busy: f64) {
        add(&self.counters.busy, busy as u64);
        add(&self.counters.idle, (passed - busy) as u64);
    }

    /// Rounds to the next one that is timed: 2 to 510, [`TIMED_ROUNDS`] on average. Marsaglia's xorshift.
    fn draw(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        2 + self.random % (2 * TIMED_ROUNDS - 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which part of the time the meter calls busy, of rounds that last so long and move so many packets.
    fn busy_part(rounds: impl Iterator<Item = (u64, usize)>) -> f64 {
        let (clock, time) = Clock::mock();
        let counters = Arc::new(CoreCounters::default());
        let mut meter = CoreMeter::new(counters.clone(), clock);
        let mut passed = 0;
        for (lasted, moved) in rounds {
            time.increment(lasted);
            passed += lasted;
            meter.round(moved);
        }
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        let (busy, idle) = (count(&counters.busy), count(&counters.idle));
        // But for the rounds since the last look, all time is one or the other.
        assert!((0.97..=1.0).contains(&((busy + idle) / passed as f64)), "{busy} + {idle} of {passed}");
        busy / (busy + idle)
    }

    #[test]
    fn busy_and_idle_rounds_share_the_time_as_they_last() {
        // Of ten rounds one is busy and as long as the other nine together, also when that comes as regularly as here.
        let mixed = |round: u64| if round.is_multiple_of(10) { (900, 32) } else { (100, 0) };
        let part = busy_part((0..200_000).map(mixed));
        assert!((0.47..0.53).contains(&part), "{part}");
        assert_eq!(busy_part((0..200_000).map(|_| (500, 1))), 1.0);
        assert_eq!(busy_part((0..200_000).map(|_| (50, 0))), 0.0);
    }

    #[test]
    fn a_core_that_other_programs_interrupt_is_not_busier_for_it() {
        // Half of the time is taken by another program, in few long pieces.
        let interrupted = |round: u64| match round % 5_000 {
            0 => (1_000_000, 32),
            round if round.is_multiple_of(10) => (900, 32),
            _ => (100, 0),
        };
        let part = busy_part((0..200_000).map(interrupted));
        assert!((0.4..0.6).contains(&part), "{part}");
    }

    #[test]
    fn sleep_is_idle() {
        let (clock, time) = Clock::mock();
        let counters = Arc::new(CoreCounters::default());
        let mut meter = CoreMeter::new(counters.clone(), clock);
        for _ in 0..10_000 {
            time.increment(100);
            meter.round(1);
            time.increment(900);
            meter.slept();
        }
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        assert_eq!(count(&counters.busy) + count(&counters.idle), 10_000_000);
        // Until the first round has been timed, none is known to have been busy.
        let part = count(&counters.busy) as f64 / 1e7;
        assert!((0.09..=0.1).contains(&part), "{part}");
    }
}
