//! Sends UDP datagrams, all alike, as fast as the card takes them. Receives nothing.

use super::datagram::Datagram;
use super::{Engine, Settings, Stream};

/// The engine.
pub(super) struct Txonly {
    datagram: Datagram,
    quota: Quota,
}

impl Txonly {
    pub(super) fn new(settings: &Settings, stream: &Stream) -> Txonly {
        Txonly { datagram: Datagram::new(settings, stream), quota: Quota::new(settings.count) }
    }
}

impl Engine for Txonly {
    fn turn(&mut self, stream: &mut Stream) -> usize {
        let fresh = self.quota.fill(stream);
        stream.edit(fresh, |packet| self.datagram.write(packet));
        stream.send()
    }
}

/// Packets that may still be made.
pub(super) struct Quota {
    left: u64,
}

impl Quota {
    /// For `count` packets; 0 is for no end.
    pub(super) fn new(count: u64) -> Quota {
        Quota { left: if count == 0 { u64::MAX } else { count } }
    }

    /// Fills the stream's burst with empty packets: all that there is room for, or none if the pool has not so many. Returns how many.
    pub(super) fn fill(&mut self, stream: &mut Stream) -> usize {
        let room = stream.burst.room().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if room == 0 || stream.tx.is_none() || !stream.pool.alloc_bulk(&mut stream.burst, room) {
            return 0;
        }
        self.left -= room as u64;
        room
    }
}
