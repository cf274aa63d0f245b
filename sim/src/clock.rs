//! The time a software card lives in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// A clock in nanoseconds from its creation. Clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Real { clock: quanta::Clock, start: u64 },
    Stepped(Arc<AtomicU64>),
}

impl Clock {
    /// Real time, read from the processor's time stamp counter.
    pub fn real() -> Clock {
        let clock = quanta::Clock::new();
        let start = clock.raw();
        Clock(Kind::Real { clock, start })
    }

    /// Time that stands still until [`Self::advance`]: deterministic, and a driver's timeouts pass at once.
    pub fn stepped() -> Clock {
        Clock(Kind::Stepped(Arc::default()))
    }

    /// Nanoseconds since the clock was made.
    pub fn now(&self) -> u64 {
        match &self.0 {
            Kind::Real { clock, start } => clock.delta_as_nanos(*start, clock.raw()),
            Kind::Stepped(now) => now.load(Ordering::Relaxed),
        }
    }

    /// Lets time pass: a stepped clock moves on, a real one is slept on.
    pub fn advance(&self, time: Duration) {
        match &self.0 {
            Kind::Real { .. } => thread::sleep(time),
            Kind::Stepped(now) => {
                now.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stepped_clock_moves_by_hand_and_for_all_its_clones() {
        let clock = Clock::stepped();
        let other = clock.clone();
        clock.advance(Duration::from_micros(3));
        assert_eq!((clock.now(), other.now()), (3000, 3000));
    }

    #[test]
    fn a_real_clock_moves_by_itself() {
        let clock = Clock::real();
        let before = clock.now();
        clock.advance(Duration::from_millis(2));
        assert!(clock.now() - before >= 2_000_000);
    }
}
