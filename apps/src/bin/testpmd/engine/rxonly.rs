//! Receives, counts, frees.

use gannet::Burst;

use super::{Engine, Stream};

/// The engine.
pub(super) struct Rxonly {
    incoming: Burst,
}

impl Rxonly {
    pub(super) fn new(stream: &Stream) -> Rxonly {
        Rxonly { incoming: Burst::new(stream.burst.limit()) }
    }
}

impl Engine for Rxonly {
    fn turn(&mut self, stream: &mut Stream) -> usize {
        let received = stream.receive_into(&mut self.incoming);
        stream.swallow(&mut self.incoming);
        received
    }
}
