//! A way for packets: a receive queue, a burst, a transmit queue, and what engines do with all three.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gannet::{Burst, MacAddress, Packet, Pool, RxQueue, TxQueue};
use gannet_mempool::Reason;

use super::drops;

/// From a port's receive queue to a transmit queue of its partner, or of its own ([`super::Route`]). Belongs to one core.
pub(crate) struct Stream {
    /// Number of the port that it receives on.
    pub(crate) from: usize,
    /// Number of the port that it sends on.
    pub(crate) to: usize,
    /// `None` once the port has been given up.
    pub(crate) rx: Option<RxQueue>,
    /// `None` once the port has been given up.
    pub(crate) tx: Option<TxQueue>,
    /// Packets on their way; between two rounds those that the transmit queue had no room for.
    pub(crate) burst: Burst,
    /// For packets that engines make.
    pub(crate) pool: Pool,
    /// Address of the port that it sends on.
    pub(crate) address: MacAddress,
    /// Who is at the other end of that port's cable, as far as the user has said.
    pub(crate) peer: MacAddress,
    /// What it has moved so far.
    pub(crate) counters: Arc<Counters>,
}

/// Packets of a stream. Written by its core alone.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Received.
    pub(crate) received: AtomicU64,
    /// Handed to the transmit queue.
    pub(crate) sent: AtomicU64,
    /// Dropped by the engine, which has counted why.
    pub(crate) dropped: AtomicU64,
}

/// Adds to a counter that nobody else writes: a load and a store, without the locked instruction of `fetch_add`.
#[inline]
fn add(counter: &AtomicU64, packets: usize) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(packets as u64), Ordering::Relaxed);
}

impl Stream {
    /// Receives behind the packets that still wait. Returns how many.
    #[inline]
    pub(super) fn receive(&mut self) -> usize {
        let received = self.rx.as_mut().map_or(0, |rx| rx.receive(&mut self.burst));
        add(&self.counters.received, received);
        received
    }

    /// Receives into another burst. Returns how many.
    #[inline]
    pub(super) fn receive_into(&mut self, burst: &mut Burst) -> usize {
        let received = self.rx.as_mut().map_or(0, |rx| rx.receive(burst));
        add(&self.counters.received, received);
        received
    }

    /// Sends what there is room for. Returns how many; 0 if the port has been given up, and the packets with it.
    #[inline]
    pub(super) fn send(&mut self) -> usize {
        let Some(tx) = &mut self.tx else {
            self.abandon();
            return 0;
        };
        let sent = tx.send(&mut self.burst);
        add(&self.counters.sent, sent);
        sent
    }

    /// Calls `change` for each of the last `count` packets, and drops those that it refuses, for the reason it gives.
    #[inline]
    pub(super) fn edit(&mut self, count: usize, change: impl FnMut(&mut Packet) -> Result<(), &'static Reason>) {
        let dropped = edit(&mut self.burst, count, change);
        if dropped > 0 {
            add(&self.counters.dropped, dropped);
        }
    }

    /// Drops a burst that has been received, but for no more than that.
    #[inline]
    pub(super) fn swallow(&mut self, burst: &mut Burst) {
        add(&self.counters.dropped, burst.len());
        burst.drop_with(&drops::RECEIVED);
    }

    /// Drops a packet that forwarding ends before.
    pub(super) fn drop_late(&mut self, packet: Packet) {
        add(&self.counters.dropped, 1);
        packet.drop_with(&drops::LATE);
    }

    /// Drops what cannot go anywhere any more.
    #[cold]
    fn abandon(&mut self) {
        add(&self.counters.dropped, self.burst.len());
        self.burst.drop_with(&drops::ABANDONED);
    }
}

/// [`Stream::edit`] on a burst. Returns how many packets have been dropped.
#[inline]
fn edit(burst: &mut Burst, count: usize, mut change: impl FnMut(&mut Packet) -> Result<(), &'static Reason>) -> usize {
    let old = burst.len().saturating_sub(count);
    for at in old..burst.len() {
        if let Err(reason) = change(&mut burst[at]) {
            return drop_refused(burst, at, reason, change);
        }
    }
    0
}

/// Drops the packet at `refused`, and goes on behind it: the packets go once round the burst, in their order.
#[inline(never)]
fn drop_refused(
    burst: &mut Burst,
    refused: usize,
    reason: &'static Reason,
    mut change: impl FnMut(&mut Packet) -> Result<(), &'static Reason>,
) -> usize {
    let mut dropped = 0;
    for at in 0..burst.len() {
        let Some(mut packet) = burst.pop_front() else { break };
        let verdict = match at {
            _ if at < refused => Ok(()),
            _ if at == refused => Err(reason),
            _ => change(&mut packet),
        };
        match verdict {
            Ok(()) => {
                // There is room: one has been taken out.
                let _ = burst.push(packet);
            }
            Err(reason) => {
                packet.drop_with(reason);
                dropped += 1;
            }
        }
    }
    dropped
}

#[cfg(test)]
mod tests {
    use gannet::PoolOptions;

    use super::*;

    static ODD: Reason = Reason::new("testpmd-tests", "odd", "an odd number");

    #[test]
    fn what_is_refused_is_dropped_and_the_others_stay_in_order() {
        let pool = Pool::new(&PoolOptions { buffers: 16, cache: 0, ..PoolOptions::default() }).unwrap();
        let mut burst = Burst::new(8);
        assert!(pool.alloc_bulk(&mut burst, 8));
        for (number, packet) in (0..).zip(burst.iter_mut()) {
            packet.append(1).unwrap()[0] = number;
        }
        let mut seen = Vec::new();
        // The first three are left over from another round.
        let dropped = edit(&mut burst, 5, |packet| {
            let byte = &mut packet.data_mut().unwrap()[0];
            seen.push(*byte);
            *byte += 100;
            if *byte % 2 == 1 { Err(&ODD) } else { Ok(()) }
        });
        assert_eq!(seen, [3, 4, 5, 6, 7]);
        assert_eq!((dropped, ODD.value()), (3, 3));
        assert_eq!(burst.iter().map(|packet| packet.data()[0]).collect::<Vec<_>>(), [0, 1, 2, 104, 106]);
        drop(burst);
        assert_eq!(pool.census().out, 0);
    }
}
