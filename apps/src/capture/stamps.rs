//! Time stamps: the system's clock as it was when the capture began, and the time stamp counter since.

use std::time::{SystemTime, UNIX_EPOCH};

use quanta::{Clock, Instant};

/// Gives time stamps that all queues of a capture share. A clone goes on with the same time.
#[derive(Debug, Clone)]
pub(super) struct Stamps {
    clock: Clock,
    begun: Instant,
    begun_ns: u64,
}

impl Stamps {
    pub(super) fn begin() -> Stamps {
        // May measure the counter against the system's clock, which takes a while: not on a core that polls.
        let clock = Clock::new();
        let begun = clock.now();
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Stamps { clock, begun, begun_ns: since_epoch.as_nanos() as u64 }
    }

    /// Nanoseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.begun_ns + self.clock.now().saturating_duration_since(self.begun).as_nanos() as u64
    }
}
