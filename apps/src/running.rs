//! A started port, seen by the main thread.

use gannet::{Condition, Control, Link, PortStats, QueueCounters, RxQueueStats, TxQueueStats};

use crate::ports::{Cable, Hold};

/// A port from its start to the end of the program, even if its card leaves before.
pub struct Running {
    /// The device's name.
    pub name: String,
    /// The cable of a software card.
    pub cable: Option<Cable>,
    /// `None` once the card has been given up.
    control: Option<Control>,
    queues: QueueCounters,
    /// What the card had counted at the last look, and when its port began to be polled.
    card: PortStats,
    card_before: PortStats,
    /// The counts are final: the port is not polled any more.
    ended: bool,
    link: Link,
    /// What went wrong, for the report.
    pub problems: Vec<String>,
}

/// All counters of a port.
#[derive(Debug, Clone)]
pub struct Counters {
    /// The card's.
    pub card: PortStats,
    /// Of each receive queue.
    pub rx: Vec<RxQueueStats>,
    /// Of each transmit queue.
    pub tx: Vec<TxQueueStats>,
}

impl Counters {
    /// Frames that have arrived at the port, as far as anything counted them.
    pub fn offered(&self) -> u64 {
        let taken = |queue: &RxQueueStats| {
            queue.packets + queue.no_buffer_drops + queue.oversize + queue.damaged + queue.nonsense
        };
        self.rx.iter().map(taken).sum::<u64>() + self.card.rx_missed + self.card.rx_no_descriptor
    }

    /// Frames that the card has been given and has sent.
    pub fn sent(&self) -> u64 {
        self.tx.iter().map(|queue| queue.packets.saturating_sub(queue.unsent)).sum()
    }
}

impl Running {
    /// A port that has been started.
    pub fn new(control: Control, cable: Option<Cable>) -> Running {
        let (name, link, queues) = (control.info().name.to_string(), control.link(), control.counters());
        let none = PortStats::default();
        Running {
            name,
            cable,
            control: Some(control),
            queues,
            card: none,
            card_before: none,
            ended: false,
            link,
            problems: Vec::new(),
        }
    }

    /// Has the peer of a software card send nothing, or lets it go.
    pub fn hold(&self, hold: Hold) {
        if let Some(cable) = &self.cable {
            cable.hold(hold);
        }
    }

    /// The port's management, unless its card has left.
    pub fn control(&self) -> Option<&Control> {
        self.control.as_ref()
    }

    /// The same, to change how it runs.
    pub fn control_mut(&mut self) -> Option<&mut Control> {
        self.control.as_mut()
    }

    /// The counters of its queues, to be read from any thread.
    pub fn queues(&self) -> &QueueCounters {
        &self.queues
    }

    /// State of the link at the last look.
    pub fn link(&self) -> Link {
        self.link
    }

    /// The card's counters at the last look ([`Self::count`]).
    pub fn card(&self) -> &PortStats {
        &self.card
    }

    /// Reads the card's counters: now and then, or they overflow.
    pub fn count(&mut self) {
        if let Some(control) = self.control.as_mut().filter(|_| !self.ended) {
            self.card = control.stats();
        }
    }

    /// Polling begins: what the card has dropped before is not the program's loss.
    pub fn begin(&mut self) {
        self.count();
        self.card_before = self.card;
    }

    /// Polling ends: nor is what it drops from now on. A software card's peer has stopped before, its counts settle still.
    pub fn end(&mut self) {
        self.count();
        self.ended = self.cable.is_none();
    }

    /// Its counters now, or when it ended or its card left.
    pub fn counters(&mut self) -> Counters {
        self.count();
        let mut card = self.card;
        card.rx_missed -= self.card_before.rx_missed;
        card.rx_no_descriptor -= self.card_before.rx_no_descriptor;
        Counters { card, rx: self.queues.rx_stats().collect(), tx: self.queues.tx_stats().collect() }
    }

    /// Packets handed to the card.
    pub fn forwarded(&self) -> u64 {
        self.queues.tx_stats().map(|queue| queue.packets).sum()
    }

    /// Buffers in the rings of the port: receive, transmit.
    pub fn in_rings(&self) -> (u32, u32) {
        let rx = self.queues.rx_stats().map(|queue| queue.in_ring).sum();
        (rx, self.queues.tx_stats().map(|queue| queue.in_ring).sum())
    }

    /// Times that the pool was empty when a ring wanted buffers.
    pub fn starved(&self) -> u64 {
        self.queues.rx_stats().map(|queue| queue.no_buffers).sum()
    }

    /// The link's new state, if it has changed since the last look.
    pub fn link_change(&mut self) -> Option<Link> {
        let link = self.control()?.link();
        (std::mem::replace(&mut self.link, link) != link).then_some(link)
    }

    /// Why the card must be given up, if so.
    pub fn reason_to_leave(&self) -> Option<&'static str> {
        match self.control()?.condition() {
            Condition::Present => None,
            Condition::Wanted => Some("the machine wants the card back"),
            Condition::Gone => Some("the card is gone"),
        }
    }

    /// Lets go of the card if it must be given up. True if it has been: for programs that end without it.
    pub fn has_left(&mut self) -> bool {
        if let Some(reason) = self.reason_to_leave() {
            self.leave(reason);
        }
        self.control.is_none()
    }

    /// Lets go of the card. It is free once the port's queues are dropped too.
    pub fn leave(&mut self, reason: &str) {
        self.count();
        self.note_faults();
        self.problems.push(format!("{}: {reason}: given up", self.name));
        self.control = None;
    }

    /// Adds what the IOMMU has refused to the problems.
    pub fn note_faults(&mut self) {
        let faults = self.control.as_ref().map(Control::dma_faults).unwrap_or_default();
        self.problems.extend(faults.iter().map(|fault| format!("{}: {fault}", self.name)));
    }

    /// The port's management, to stop it.
    pub fn into_control(self) -> Option<Control> {
        self.control
    }
}
