//! The half of a card that moves frames.

use std::fmt;
use std::sync::Arc;

use super::probe::Probe;
use super::rx::Receiver;
use super::shared::Shared;
use super::tx::Transmitter;
use crate::peer::Peer;

/// A card's data path, and the cable at its end. Whoever holds it decides when it moves.
pub struct Nic {
    shared: Arc<Shared>,
    peer: Box<dyn Peer>,
    receiver: Receiver,
    transmitter: Transmitter,
}

impl Nic {
    pub(super) fn new(shared: Arc<Shared>, peer: Box<dyn Peer>) -> Nic {
        Nic { shared, peer, receiver: Receiver::default(), transmitter: Transmitter::default() }
    }

    /// A look into the card from outside.
    pub fn probe(&self) -> Probe {
        Probe { shared: self.shared.clone() }
    }

    /// Moves up to `budget` frames each way and returns how many it moved, or lost, in all.
    ///
    /// Registers of this card wait meanwhile, but for the tails: a peer must not touch them.
    pub fn step(&mut self, budget: usize) -> usize {
        let now = self.shared.clock.now();
        let carrier = self.peer.carrier(now);
        let mut core = self.shared.lock_for_step();
        core.link.carrier = carrier;
        core.tick(now);
        if core.faults.gone {
            return 0;
        }
        let session = self.shared.domain.session();
        let bells = &self.shared.doorbells;
        let peer = &mut *self.peer;
        let sent = self.transmitter.step(&mut core, &session, &bells.tx, peer, (budget, now));
        let received = self.receiver.step(&mut core, &session, &bells.rx, peer, (budget, now));
        core.send_messages(now);
        sent + received
    }
}

impl fmt::Debug for Nic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Nic").field(&self.shared.name).finish()
    }
}
