//! What a core does in a trial: polls its senders and receivers until it is over.

use gannet_apps::cores;
use gannet_apps::monitor::CoreMeter;
use gannet_sim::Clock;
use hdrhistogram::Histogram;

use crate::gauge::{Orders, Stage};
use crate::receiver::Receiver;
use crate::sender::{Sender, Sent};
use crate::trial::Counts;

/// Idle rounds after which the core is offered to others, once: on a machine with one core the software cards need it.
const IDLE_ROUNDS: u32 = 1024;

/// The work of one core.
#[derive(Default)]
pub(crate) struct Worker<'a> {
    pub(crate) core: usize,
    /// Each with the number of its way.
    pub(crate) senders: Vec<(usize, Sender<'a>)>,
    pub(crate) receivers: Vec<(usize, Receiver<'a>)>,
}

/// What a core has measured, each with the number of its way.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) sent: Vec<(usize, Sent)>,
    pub(crate) received: Vec<(usize, (Counts, Histogram<u64>))>,
}

impl Worker<'_> {
    /// Polls until told to end.
    pub(crate) fn run(mut self, clock: &Clock, orders: &Orders, mut meter: CoreMeter) -> Measured {
        if let Err(why) = cores::pin(self.core) {
            tracing::warn!("{why:#}");
        }
        let start = clock.now();
        self.senders.iter_mut().for_each(|(_, sender)| sender.start(start));
        let mut idle = 0;
        loop {
            let stage = orders.stage();
            if stage == Stage::End {
                return self.into_result();
            }
            let moved = self.round(clock, stage);
            meter.round(moved);
            if moved > 0 {
                idle = 0;
                continue;
            }
            idle += 1;
            if idle == IDLE_ROUNDS {
                idle = 0;
                std::thread::yield_now();
            }
        }
    }

    /// One turn for each. Returns how many frames have moved.
    #[inline]
    pub(crate) fn round(&mut self, clock: &Clock, stage: Stage) -> usize {
        let received: usize = self.receivers.iter_mut().map(|(_, receiver)| receiver.turn(clock)).sum();
        let sent: usize = self.senders.iter_mut().map(|(_, sender)| sender.turn(clock, stage)).sum();
        received + sent
    }

    pub(crate) fn into_result(self) -> Measured {
        Measured {
            sent: self.senders.into_iter().map(|(way, sender)| (way, sender.into_result())).collect(),
            received: self.receivers.into_iter().map(|(way, receiver)| (way, receiver.into_result())).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
