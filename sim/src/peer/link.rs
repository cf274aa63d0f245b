//! A cable between two cards: what one sends the other receives, in order and without loss.
//!
//! ```text
//!   end A  accept ──► frames ──► offer  end B        and the same the other way round
//!             ▲                    │
//!             └───── empties ◄─────┘
//! ```
//!
//! The buffers of a direction are made once and go round between its two queues, so that after a warm-up no frame costs an
//! allocation. The sender is out of buffers exactly when the receiver is behind: then it is busy and its card waits.

use std::mem;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rtrb::{Consumer, Producer, RingBuffer};

use super::{Accepted, Offered, Pacing, Peer, PeerStats, add};

/// One end of a cable between two cards.
#[derive(Debug)]
pub struct LinkEnd {
    outgoing: Producer<Vec<u8>>,
    outgoing_empties: Consumer<Vec<u8>>,
    incoming: Consumer<Vec<u8>>,
    incoming_empties: Producer<Vec<u8>>,
    stats: Arc<PeerStats>,
    far: Arc<PeerStats>,
}

/// A cable that holds at most `frames` in each direction.
pub fn pair(frames: NonZeroUsize) -> (LinkEnd, LinkEnd) {
    let (a_to_b, b_to_a) = (Direction::new(frames.get()), Direction::new(frames.get()));
    let (a_stats, b_stats) = (Arc::new(PeerStats::default()), Arc::new(PeerStats::default()));
    let a = LinkEnd {
        outgoing: a_to_b.sender,
        outgoing_empties: a_to_b.empties,
        incoming: b_to_a.receiver,
        incoming_empties: b_to_a.returns,
        stats: a_stats.clone(),
        far: b_stats.clone(),
    };
    let b = LinkEnd {
        outgoing: b_to_a.sender,
        outgoing_empties: b_to_a.empties,
        incoming: a_to_b.receiver,
        incoming_empties: a_to_b.returns,
        stats: b_stats,
        far: a_stats,
    };
    (a, b)
}

/// The two queues of one direction.
struct Direction {
    sender: Producer<Vec<u8>>,
    receiver: Consumer<Vec<u8>>,
    returns: Producer<Vec<u8>>,
    empties: Consumer<Vec<u8>>,
}

impl Direction {
    /// Queues for `frames` buffers, and the buffers, all empty.
    fn new(frames: usize) -> Self {
        let (sender, receiver) = RingBuffer::new(frames);
        let (mut returns, empties) = RingBuffer::new(frames);
        while returns.push(Vec::new()).is_ok() {}
        Self { sender, receiver, returns, empties }
    }
}

impl LinkEnd {
    /// Counters of this end: `offered` to its card, `accepted` from its card.
    pub fn stats(&self) -> Arc<PeerStats> {
        self.stats.clone()
    }

    /// Whether the far end will never take another frame.
    fn far_is_gone(&self) -> bool {
        self.outgoing.is_abandoned() || self.far.stop.load(Ordering::Relaxed)
    }
}

impl Peer for LinkEnd {
    fn accept(&mut self, frame: &[u8], _now: u64) -> Accepted {
        if let Ok(mut buffer) = self.outgoing_empties.pop() {
            buffer.clear();
            buffer.extend_from_slice(frame);
            // Cannot fail: there are no more buffers in this direction than its queue has room for.
            let pushed = self.outgoing.push(buffer);
            debug_assert!(pushed.is_ok());
        } else if self.far_is_gone() {
            // Refusing for ever would keep this card from finishing its sends.
            add(&self.stats.dropped, 1);
        } else {
            return Accepted::Busy;
        }
        add(&self.stats.accepted, 1);
        Accepted::Taken
    }

    fn offer(&mut self, frame: &mut Vec<u8>, _now: u64) -> Offered {
        frame.clear();
        if self.stats.stop.load(Ordering::Relaxed) {
            return Offered::Nothing;
        }
        let Ok(next) = self.incoming.pop() else {
            return Offered::Nothing;
        };
        // The caller's old buffer takes the place of the one it gets: no copy, and the number of buffers stays.
        let returned = self.incoming_empties.push(mem::replace(frame, next));
        debug_assert!(returned.is_ok());
        add(&self.stats.offered, 1);
        Offered::Frame
    }

    fn pacing(&self) -> Pacing {
        Pacing::OnDemand
    }

    fn carrier(&mut self, _now: u64) -> bool {
        !self.outgoing.is_abandoned()
    }
}

#[cfg(test)]
mod tests;
