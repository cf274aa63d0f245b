//! A started port, seen by the main thread.

use gannet::{Condition, Control, Link, PortStats, RxQueueStats, TxQueueStats};
use gannet_apps::ports::Cable;

/// A port from its start to the end of the program, even if its card leaves before.
pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) cable: Option<Cable>,
    card: Card,
    link: Link,
    /// What went wrong, for the report.
    pub(crate) problems: Vec<String>,
}

enum Card {
    There(Control),
    /// Given up; its last counters.
    Left(Box<Counters>),
}

/// All counters of a port.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters {
    pub(crate) card: PortStats,
    pub(crate) rx: Vec<RxQueueStats>,
    pub(crate) tx: Vec<TxQueueStats>,
}

impl Counters {
    /// Frames that have arrived at the port, as far as anything counted them.
    pub(crate) fn offered(&self) -> u64 {
        let taken = |queue: &RxQueueStats| queue.packets + queue.oversize + queue.damaged + queue.nonsense;
        self.rx.iter().map(taken).sum::<u64>() + self.card.rx_missed + self.card.rx_no_descriptor
    }

    /// Frames that the card has been given and has sent.
    pub(crate) fn sent(&self) -> u64 {
        self.tx.iter().map(|queue| queue.packets.saturating_sub(queue.unsent)).sum()
    }
}

impl Running {
    pub(crate) fn new(control: Control, cable: Option<Cable>) -> Running {
        let (name, link) = (control.info().name.to_string(), control.link());
        Running { name, cable, card: Card::There(control), link, problems: Vec::new() }
    }

    /// The port's management, unless its card has left.
    pub(crate) fn control(&self) -> Option<&Control> {
        match &self.card {
            Card::There(control) => Some(control),
            Card::Left(_) => None,
        }
    }

    /// Its counters now, or when its card left.
    pub(crate) fn counters(&mut self) -> Counters {
        match &mut self.card {
            Card::There(control) => counters(control),
            Card::Left(last) => (**last).clone(),
        }
    }

    /// Packets handed to the card.
    pub(crate) fn forwarded(&self) -> u64 {
        match &self.card {
            Card::There(control) => control.tx_stats().map(|queue| queue.packets).sum(),
            Card::Left(last) => last.tx.iter().map(|queue| queue.packets).sum(),
        }
    }

    /// Buffers in the rings of the port: receive, transmit.
    pub(crate) fn in_rings(&self) -> (u32, u32) {
        let Some(control) = self.control() else { return (0, 0) };
        (control.rx_stats().map(|queue| queue.in_ring).sum(), control.tx_stats().map(|queue| queue.in_ring).sum())
    }

    /// Times that the pool was empty when a ring wanted buffers.
    pub(crate) fn starved(&self) -> u64 {
        match &self.card {
            Card::There(control) => control.rx_stats().map(|queue| queue.no_buffers).sum(),
            Card::Left(last) => last.rx.iter().map(|queue| queue.no_buffers).sum(),
        }
    }

    /// The link's new state, if it has changed since the last look.
    pub(crate) fn link_change(&mut self) -> Option<Link> {
        let link = self.control()?.link();
        (std::mem::replace(&mut self.link, link) != link).then_some(link)
    }

    /// Why the card must be given up, if so.
    pub(crate) fn reason_to_leave(&self) -> Option<&'static str> {
        match self.control()?.condition() {
            Condition::Present => None,
            Condition::Wanted => Some("the machine wants the card back"),
            Condition::Gone => Some("the card is gone"),
        }
    }

    /// Lets go of the card. It is free once the port's queues are dropped too.
    pub(crate) fn leave(&mut self, reason: &str) {
        if let Card::There(control) = &mut self.card {
            let last = counters(control);
            self.problems.extend(control.dma_faults().iter().map(|fault| format!("{}: {fault}", self.name)));
            self.problems.push(format!("{}: {reason}: given up", self.name));
            self.card = Card::Left(Box::new(last));
        }
    }

    /// The port's management, to stop it.
    pub(crate) fn into_control(self) -> Option<Control> {
        match self.card {
            Card::There(control) => Some(control),
            Card::Left(_) => None,
        }
    }
}

fn counters(control: &mut Control) -> Counters {
    Counters { card: control.stats(), rx: control.rx_stats().collect(), tx: control.tx_stats().collect() }
}
