//! A cable into the void: takes every frame, sends none.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Accepted, Offered, Pacing, Peer, PeerStats, add};

/// Swallows what the card sends.
#[derive(Debug)]
pub struct Sink {
    stats: Arc<PeerStats>,
}

impl Sink {
    /// A sink, `finished` from the start.
    pub fn new() -> (Self, Arc<PeerStats>) {
        let stats = Arc::new(PeerStats::default());
        stats.finished.store(true, Ordering::Release);
        (Self { stats: stats.clone() }, stats)
    }
}

impl Peer for Sink {
    fn accept(&mut self, _frame: &[u8], _now: u64) -> Accepted {
        add(&self.stats.accepted, 1);
        Accepted::Taken
    }

    fn offer(&mut self, frame: &mut Vec<u8>, _now: u64) -> Offered {
        frame.clear();
        Offered::Nothing
    }

    fn pacing(&self) -> Pacing {
        Pacing::OnDemand
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_everything_and_offers_nothing() {
        let (mut sink, stats) = Sink::new();
        for _ in 0..1000 {
            assert_eq!(sink.accept(&[0; 60], 0), Accepted::Taken);
        }
        let mut frame = vec![1];
        assert_eq!(sink.offer(&mut frame, 0), Offered::Nothing);
        assert_eq!(stats.accepted.load(Ordering::Relaxed), 1000);
        assert_eq!(stats.offered.load(Ordering::Relaxed), 0);
        assert!(stats.finished.load(Ordering::Relaxed));
    }
}
