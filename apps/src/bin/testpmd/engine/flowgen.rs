//! Sends UDP datagrams of many flows in turn, so that a receiver with several queues has something for each, and receives what comes.

use gannet::Burst;

use super::datagram::Datagram;
use super::txonly::Quota;
use super::{Engine, Settings, Stream};

/// The engine.
pub(super) struct Flowgen {
    datagram: Datagram,
    quota: Quota,
    flows: u32,
    next: u32,
    incoming: Burst,
}

impl Flowgen {
    pub(super) fn new(settings: &Settings, stream: &Stream) -> Flowgen {
        Flowgen {
            datagram: Datagram::new(settings, stream),
            quota: Quota::new(settings.count),
            // At most 65536.
            flows: settings.flows as u32,
            next: 0,
            incoming: Burst::new(stream.burst.limit()),
        }
    }
}

impl Engine for Flowgen {
    fn turn(&mut self, stream: &mut Stream) -> usize {
        let received = stream.receive_into(&mut self.incoming);
        stream.swallow(&mut self.incoming);
        let fresh = self.quota.fill(stream);
        let Flowgen { datagram, flows, next, .. } = self;
        stream.edit(fresh, |packet| {
            datagram.set_flow(*next);
            *next = (*next + 1) % *flows;
            datagram.write(packet)
        });
        received + stream.send()
    }
}
