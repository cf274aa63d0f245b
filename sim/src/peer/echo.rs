//! A cable whose other end sends back what it gets, byte for byte and in order.

use std::collections::VecDeque;
use std::mem;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Accepted, Offered, Pacing, Peer, PeerStats, add};

/// Sends back what the card sends.
///
/// ```text
///   accept ──► queue ──► offer        buffers go round: offer gives the caller's old buffer
///      ▲                   │          to `spare`, accept fills it again
///      └────── spare ◄─────┘
/// ```
#[derive(Debug)]
pub struct Echo {
    queue: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    capacity: usize,
    stats: Arc<PeerStats>,
}

impl Echo {
    /// An echo that holds at most `frames`; the card waits while it is full.
    pub fn new(frames: NonZeroUsize) -> (Self, Arc<PeerStats>) {
        let stats = Arc::new(PeerStats::default());
        let capacity = frames.get();
        (Self { queue: VecDeque::new(), spare: Vec::new(), capacity, stats: stats.clone() }, stats)
    }
}

impl Peer for Echo {
    fn accept(&mut self, frame: &[u8], _now: u64) -> Accepted {
        if self.queue.len() >= self.capacity {
            if !self.stats.stop.load(Ordering::Relaxed) {
                return Accepted::Busy;
            }
            // A stopped echo never empties its queue: refusing would keep the card from ever finishing its sends.
            add(&self.stats.dropped, 1);
        } else {
            let mut copy = self.spare.pop().unwrap_or_default();
            copy.clear();
            copy.extend_from_slice(frame);
            self.queue.push_back(copy);
        }
        add(&self.stats.accepted, 1);
        Accepted::Taken
    }

    fn offer(&mut self, frame: &mut Vec<u8>, _now: u64) -> Offered {
        frame.clear();
        if self.stats.stop.load(Ordering::Relaxed) {
            return Offered::Nothing;
        }
        let Some(next) = self.queue.pop_front() else {
            return Offered::Nothing;
        };
        self.spare.push(mem::replace(frame, next));
        add(&self.stats.offered, 1);
        Offered::Frame
    }

    fn pacing(&self) -> Pacing {
        Pacing::OnDemand
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(frames: usize) -> (Echo, Arc<PeerStats>) {
        Echo::new(NonZeroUsize::new(frames).unwrap())
    }

    #[test]
    fn sends_back_the_same_bytes_in_order() {
        let (mut echo, stats) = echo(4);
        let mut frame = Vec::new();
        for round in 0..10u8 {
            for i in 0..4 {
                assert_eq!(echo.accept(&[round, i, 0xFF], 0), Accepted::Taken);
            }
            for i in 0..4 {
                assert_eq!(echo.offer(&mut frame, 0), Offered::Frame);
                assert_eq!(frame, [round, i, 0xFF]);
            }
            assert_eq!(echo.offer(&mut frame, 0), Offered::Nothing);
        }
        assert_eq!(stats.offered.load(Ordering::Relaxed), 40);
    }

    #[test]
    fn is_busy_when_full_and_loses_nothing() {
        let (mut echo, stats) = echo(2);
        let mut frame = Vec::new();
        assert_eq!(echo.accept(&[1], 0), Accepted::Taken);
        assert_eq!(echo.accept(&[2], 0), Accepted::Taken);
        assert_eq!(echo.accept(&[3], 0), Accepted::Busy);
        assert_eq!(echo.offer(&mut frame, 0), Offered::Frame);
        assert_eq!(echo.accept(&[3], 0), Accepted::Taken);
        for expected in [2, 3] {
            assert_eq!(echo.offer(&mut frame, 0), Offered::Frame);
            assert_eq!(frame, [expected]);
        }
        assert_eq!(stats.accepted.load(Ordering::Relaxed), 3);
        assert_eq!(stats.dropped.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn when_stopped_and_full_takes_and_counts_as_dropped() {
        let (mut echo, stats) = echo(1);
        assert_eq!(echo.accept(&[1], 0), Accepted::Taken);
        stats.stop.store(true, Ordering::Relaxed);
        assert_eq!(echo.accept(&[2], 0), Accepted::Taken);
        assert_eq!(stats.dropped.load(Ordering::Relaxed), 1);
        assert_eq!(echo.offer(&mut Vec::new(), 0), Offered::Nothing);
    }
}
