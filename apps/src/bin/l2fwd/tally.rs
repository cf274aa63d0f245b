//! Packets forwarded, at a moment or between two.

use std::time::Instant;

use gannet_apps::running::Running;

/// Packets that each port has sent.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    pub(crate) at: Instant,
    seconds: f64,
    /// By receiving port: what its partner has sent.
    forwarded: Vec<u64>,
}

impl Tally {
    pub(crate) fn now(running: &[Running]) -> Tally {
        let forwarded = (0..running.len()).map(|from| running[from ^ 1].forwarded()).collect();
        Tally { at: Instant::now(), seconds: 0.0, forwarded }
    }

    pub(crate) fn since(&self, earlier: &Tally) -> Tally {
        let forwarded = self.forwarded.iter().zip(&earlier.forwarded).map(|(now, then)| now - then).collect();
        Tally { at: self.at, seconds: self.at.saturating_duration_since(earlier.at).as_secs_f64(), forwarded }
    }

    pub(crate) fn packets(&self) -> u64 {
        self.forwarded.iter().sum()
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Packets a second, by receiving port.
    pub(crate) fn rates(&self) -> impl Iterator<Item = f64> + '_ {
        self.forwarded.iter().map(|&packets| rate(packets, self.seconds))
    }
}

pub(crate) fn rate(packets: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { packets as f64 / seconds } else { 0.0 }
}
