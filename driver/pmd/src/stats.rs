//! Counters: the card's, and those that the queues keep in software.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use gannet_mempool::Reason;

/// Counters of a port, from the card's registers since the port was probed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortStats {
    /// Good frames that have reached a queue.
    pub rx_packets: u64,
    /// Bytes of good frames that have passed the filters, FCS included. Those that were lost later count here and in the next three.
    pub rx_bytes: u64,
    /// Broadcast frames among them.
    pub rx_broadcast: u64,
    /// Multicast frames among them.
    pub rx_multicast: u64,
    /// Frames lost because the card's packet buffer was full: no descriptors for too long.
    pub rx_missed: u64,
    /// Frames dropped because their queue had no descriptor.
    pub rx_no_descriptor: u64,
    /// Frames with a bad FCS.
    pub rx_crc_errors: u64,
    /// Frames damaged otherwise: illegal bytes, wrong lengths, fragments, jabber.
    pub rx_errors: u64,
    /// Frames shorter than 64 bytes.
    pub rx_undersize: u64,
    /// Frames longer than the port takes.
    pub rx_oversize: u64,
    /// Frames with a wrong IP or L4 checksum.
    pub rx_checksum_errors: u64,
    /// Good frames that have passed the filters, by size with FCS: 64, 65-127, 128-255, 256-511, 512-1023, 1024 and more.
    pub rx_sizes: [u64; 6],
    /// Good frames sent.
    pub tx_packets: u64,
    /// Their bytes, FCS included.
    pub tx_bytes: u64,
    /// Broadcast frames among them.
    pub tx_broadcast: u64,
    /// Multicast frames among them.
    pub tx_multicast: u64,
    /// Frames sent by size, as `rx_sizes`.
    pub tx_sizes: [u64; 6],
    /// Pause frames received.
    pub rx_pause: u64,
    /// Pause frames sent.
    pub tx_pause: u64,
    /// Losses of the link's signal at this end and at the other.
    pub link_faults: u64,
}

/// Counters of a receive queue, kept by the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RxQueueStats {
    /// Packets handed to the program.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames that did not fit in one buffer, or are longer than the MTU's, dropped.
    pub oversize: u64,
    /// Frames that the card marked as damaged, dropped.
    pub damaged: u64,
    /// Descriptors whose content makes no sense (a length of 0 or beyond the buffer), dropped.
    pub nonsense: u64,
    /// Times that the pool had no buffers to refill the ring with.
    pub no_buffers: u64,
    /// Frames dropped meanwhile: the ring kept its last buffers for those that follow.
    pub no_buffer_drops: u64,
    /// Buffers that wait in the ring for frames, or hold frames not yet received.
    pub in_ring: u32,
}

/// Counters of a transmit queue, kept by the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TxQueueStats {
    /// Packets handed to the card.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets dropped because the card cannot reach their memory (see [`crate::PortConfig::tx_pools`], [`crate::Control::map`]), nor has
    /// the bounce pool a buffer for them ([`crate::PortConfig::bounce`]).
    pub unmapped: u64,
    /// Packets dropped for their length: shorter than the cards can pad (17 bytes), or longer than a tagged frame of the MTU
    /// ([`crate::PortConfig::mtu`] and 18 bytes, without FCS); or because they have more than 32 segments with bytes in them.
    pub invalid: u64,
    /// Times that the ring had no room for the whole burst.
    pub full: u64,
    /// Packets that the card had not sent when the queue was stopped: the link was down, or the card gone.
    pub unsent: u64,
    /// Buffers in the ring, sent or not, that have not been reclaimed.
    pub in_ring: u32,
}

/// A counter that one queue writes and anyone reads: a plain store suffices.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    #[inline(always)]
    pub(crate) fn add(&self, amount: u64) {
        self.0.store(self.value().wrapping_add(amount), Ordering::Relaxed);
    }

    /// Counts packets that are dropped, here and for all ports. In cold places only.
    #[cold]
    pub(crate) fn lose(&self, packets: u64, reason: &'static Reason) {
        if packets > 0 {
            self.add(packets);
            reason.count(packets);
        }
    }

    #[inline(always)]
    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a receive queue publishes. On lines of its own: a reader must not slow a neighbour down.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct RxCounters {
    pub(crate) packets: Counter,
    pub(crate) bytes: Counter,
    pub(crate) oversize: Counter,
    pub(crate) damaged: Counter,
    pub(crate) nonsense: Counter,
    pub(crate) no_buffers: Counter,
    pub(crate) no_buffer_drops: Counter,
    pub(crate) in_ring: AtomicU32,
}

impl RxCounters {
    pub(crate) fn stats(&self) -> RxQueueStats {
        RxQueueStats {
            packets: self.packets.value(),
            bytes: self.bytes.value(),
            oversize: self.oversize.value(),
            damaged: self.damaged.value(),
            nonsense: self.nonsense.value(),
            no_buffers: self.no_buffers.value(),
            no_buffer_drops: self.no_buffer_drops.value(),
            in_ring: self.in_ring.load(Ordering::Relaxed),
        }
    }
}

/// The counters of a port's queues. They can be read on when the port is stopped and its queues are gone.
#[derive(Debug, Clone, Default)]
pub struct QueueCounters {
    pub(crate) rx: Vec<Arc<RxCounters>>,
    pub(crate) tx: Vec<Arc<TxCounters>>,
}

impl QueueCounters {
    /// The counters of each receive queue.
    pub fn rx_stats(&self) -> impl Iterator<Item = RxQueueStats> + '_ {
        self.rx.iter().map(|counters| counters.stats())
    }

    /// The counters of each transmit queue.
    pub fn tx_stats(&self) -> impl Iterator<Item = TxQueueStats> + '_ {
        self.tx.iter().map(|counters| counters.stats())
    }
}

/// What a transmit queue publishes.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct TxCounters {
    pub(crate) packets: Counter,
    pub(crate) bytes: Counter,
    pub(crate) unmapped: Counter,
    pub(crate) invalid: Counter,
    pub(crate) full: Counter,
    pub(crate) unsent: Counter,
    pub(crate) in_ring: AtomicU32,
}

impl TxCounters {
    pub(crate) fn stats(&self) -> TxQueueStats {
        TxQueueStats {
            packets: self.packets.value(),
            bytes: self.bytes.value(),
            unmapped: self.unmapped.value(),
            invalid: self.invalid.value(),
            full: self.full.value(),
            unsent: self.unsent.value(),
            in_ring: self.in_ring.load(Ordering::Relaxed),
        }
    }
}
