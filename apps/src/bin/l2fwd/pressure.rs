//! What is told of the pressure on the packet pool.
//!
//! All ports share one pool, so that a packet can leave on any of them. Only receive rings allocate from it, all with the same right: a
//! reserve for them (a watermark `high` below 100) would be kept from nobody.

use std::time::{Duration, Instant};

use gannet::Pool;
use gannet_mempool::PressureEvent;

/// Shortest time between two times that pressure is told of. A pool at its limit can come and go many times a millisecond.
const BETWEEN: Duration = Duration::from_millis(500);

/// Tells when the pool runs short, and when it does not any more.
pub(crate) struct PressureWatch<'a> {
    pool: &'a Pool,
    /// The gravest event and the last one since something was told.
    untold: Option<(PressureEvent, PressureEvent)>,
    told: Option<Instant>,
}

impl PressureWatch<'_> {
    pub(crate) fn new(pool: &Pool) -> PressureWatch<'_> {
        PressureWatch { pool, untold: None, told: None }
    }

    /// Tells of what has happened, as long as it is not too often.
    pub(crate) fn look(&mut self, mut tell: impl FnMut(&str)) {
        while let Some(event) = self.pool.next_event() {
            let gravest = self.untold.map(|(gravest, _)| gravest).filter(|gravest| gravest.level >= event.level);
            self.untold = Some((gravest.unwrap_or(event), event));
        }
        if self.told.is_some_and(|told| told.elapsed() < BETWEEN) {
            return;
        }
        let Some((gravest, last)) = self.untold.take() else { return };
        self.told = Some(Instant::now());
        tell(&self.in_words(gravest));
        if last.level != gravest.level {
            tell(&self.in_words(last));
        }
    }

    fn in_words(&self, event: PressureEvent) -> String {
        let PressureEvent { level, in_use } = event;
        format!("pool {}: {level}, {in_use} of {} buffers in use", self.pool.name(), self.pool.census().total)
    }
}
