//! When the next frame is due.
//!
//! Each frame moves the due time on by what it costs at the asked rate, and whoever polls often enough sends each frame by itself. A sender that
//! was held up sends what it missed at once, at most of the last [`MOST_BEHIND_NS`]: what is beyond is not made up for, and the
//! report says that the rate was not reached.

use crate::rate::Cost;

/// How far behind its plan a sender may catch up.
pub(crate) const MOST_BEHIND_NS: u64 = 10_000_000;

/// Due times count in 2^-32 nanoseconds, so that no rate drifts.
const FRACTION: u32 = 32;

/// The plan of departures.
#[derive(Debug, Clone)]
pub(crate) struct Pacer {
    plan: Plan,
    /// When the next frame is due.
    due: u128,
    /// When a frame of a schedule at 0 is due, in nanoseconds.
    origin: u64,
}

#[derive(Debug, Clone, Copy)]
enum Plan {
    /// As fast as possible.
    Free,
    /// At a rate: time for each frame and for each of its bytes.
    Rate { frame: u128, byte: u128 },
    /// Each frame has its time.
    Schedule,
}

impl Pacer {
    /// At this rate; `None` for no limit.
    pub(crate) fn at_rate(cost: Option<Cost>) -> Pacer {
        let fixed = |ns: f64| (ns * (1_u64 << FRACTION) as f64) as u128;
        let plan =
            cost.map_or(Plan::Free, |cost| Plan::Rate { frame: fixed(cost.frame_ns), byte: fixed(cost.byte_ns) });
        Pacer { plan, due: 0, origin: 0 }
    }

    /// Each frame at its own time after the start, which [`Self::schedule`] says.
    pub(crate) fn on_schedule() -> Pacer {
        Pacer { plan: Plan::Schedule, due: 0, origin: 0 }
    }

    /// The first frame is due at `now`, in nanoseconds.
    pub(crate) fn start(&mut self, now: u64) {
        self.origin = now;
        self.due = u128::from(now) << FRACTION;
    }

    /// The next frame is due `offset` nanoseconds after the start.
    pub(crate) fn schedule(&mut self, offset: u64) {
        self.due = u128::from(self.origin.saturating_add(offset)) << FRACTION;
    }

    /// How late the next frame is at `now`; `None` if it is not due.
    #[inline]
    pub(crate) fn lateness(&self, now: u64) -> Option<u64> {
        now.checked_sub((self.due >> FRACTION) as u64)
    }

    /// A frame that takes so many bytes of the wire has left.
    #[inline]
    pub(crate) fn advance(&mut self, wire_bytes: usize) {
        if let Plan::Rate { frame, byte } = self.plan {
            self.due += frame + byte * wire_bytes as u128;
        }
    }

    /// Forgets what is too far behind `now`.
    #[inline]
    pub(crate) fn forgive(&mut self, now: u64) {
        let earliest = now.saturating_sub(MOST_BEHIND_NS);
        let due = (self.due >> FRACTION) as u64;
        if due < earliest && !matches!(self.plan, Plan::Free) {
            // A schedule moves as a whole.
            self.origin += earliest - due;
            self.due = u128::from(earliest) << FRACTION;
        }
    }

    /// Whether frames have a time at which they should leave.
    pub(crate) fn is_planned(&self) -> bool {
        !matches!(self.plan, Plan::Free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::XorShift;
    use crate::rate::Rate;

    /// Polls every 1 ns to 2 us for a second, beginning at an odd time. Returns frames sent and the most at once.
    fn second(rate: Rate, wire_bytes: usize) -> (u64, u64) {
        let start = 12_345;
        let mut pacer = Pacer::at_rate(rate.cost(10_000_000_000));
        pacer.start(start);
        let mut random = XorShift::new(3);
        let (mut now, mut sent, mut most) = (start, 0, 0);
        while now < start + 1_000_000_000 {
            pacer.forgive(now);
            let before = sent;
            while sent - before < 32 && pacer.lateness(now).is_some() {
                pacer.advance(wire_bytes);
                sent += 1;
            }
            most = most.max(sent - before);
            now += 1 + random.next() % 2000;
        }
        (sent, most)
    }

    #[test]
    fn rates_are_exact_over_a_second() {
        for (rate, wire_bytes, frames) in [
            (Rate::Packets(1.0), 84, 1),
            (Rate::Packets(1000.0), 84, 1000),
            (Rate::Packets(333_333.0), 1538, 333_333),
            (Rate::Percent(100.0), 84, 14_880_952),
            (Rate::Percent(10.0), 1538, 81_274),
            (Rate::Bits(1e6), 84, 1488),
        ] {
            let (sent, _) = second(rate, wire_bytes);
            // The last poll may come a little before the second is over.
            assert!(sent.abs_diff(frames) <= 1 + frames / 100_000, "{rate:?}: {sent} instead of {frames}");
        }
    }

    #[test]
    fn frames_leave_one_by_one_unless_polls_are_too_few() {
        assert_eq!(second(Rate::Packets(400_000.0), 84).1, 1);
        assert_eq!(second(Rate::Packets(2_000_000.0), 84).1, 4);
        assert_eq!(second(Rate::Percent(100.0), 84).1, 30);
    }

    #[test]
    fn no_limit_is_always_due() {
        let mut pacer = Pacer::at_rate(None);
        pacer.start(7);
        for _ in 0..1000 {
            assert!(pacer.lateness(7).is_some());
            pacer.advance(1538);
        }
        assert!(!pacer.is_planned());
    }

    #[test]
    fn what_is_far_behind_is_forgiven() {
        let mut pacer = Pacer::at_rate(Rate::Packets(1e6).cost(0));
        pacer.start(0);
        let now = 10 * MOST_BEHIND_NS;
        pacer.forgive(now);
        let mut sent = 0;
        while pacer.lateness(now).is_some() {
            pacer.advance(84);
            sent += 1;
        }
        // A frame each microsecond of the last 10 ms, and the one that is due now.
        assert_eq!(sent, 10_001);
    }

    #[test]
    fn a_schedule_moves_as_a_whole_when_it_is_far_behind() {
        let mut pacer = Pacer::on_schedule();
        pacer.start(500);
        pacer.schedule(100);
        assert_eq!((pacer.lateness(599), pacer.lateness(600), pacer.lateness(607)), (None, Some(0), Some(7)));
        let now = 600 + MOST_BEHIND_NS + 40;
        pacer.forgive(now);
        assert_eq!(pacer.lateness(now), Some(MOST_BEHIND_NS));
        pacer.schedule(200);
        assert_eq!(pacer.lateness(now), Some(MOST_BEHIND_NS - 100));
    }
}
