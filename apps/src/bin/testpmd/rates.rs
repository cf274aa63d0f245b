//! Rates of streams, told now and then while forwarding goes on.

use std::time::{Duration, Instant};

use crate::forward::StreamView;

/// What has been told of the streams, and when.
pub(crate) struct Rates {
    every: Duration,
    told: Instant,
    /// Packets of each stream until then, received and sent.
    moved: Vec<(u64, u64)>,
}

impl Rates {
    /// For forwarding that begins now with so many streams.
    pub(crate) fn new(every: Duration, streams: usize) -> Rates {
        Rates { every, told: Instant::now(), moved: vec![(0, 0); streams] }
    }

    /// The rates of all streams since the last time, if it is time to tell them.
    pub(crate) fn due(&mut self, streams: &[StreamView]) -> Option<String> {
        let elapsed = self.told.elapsed();
        if elapsed < self.every {
            return None;
        }
        self.told = Instant::now();
        let mpps = |now: u64, before: u64| (now - before) as f64 / elapsed.as_secs_f64() / 1e6;
        let rates = streams.iter().zip(&mut self.moved).map(|(stream, moved)| {
            let before = std::mem::replace(moved, stream.moved());
            let (rx, tx) = (mpps(moved.0, before.0), mpps(moved.1, before.1));
            format!("{}->{} rx {rx:.3} tx {tx:.3} Mpps", stream.from, stream.to)
        });
        Some(rates.collect::<Vec<_>>().join("   "))
    }
}
