//! What a port shall be like: queues, pools, MTU, filters.

use gannet_mempool::Pool;

use crate::filter::Filter;
use crate::{Error, Result};

/// Receive buffers are filled in multiples of this many bytes, on all cards.
pub(crate) const BUFFER_GRANULE: u16 = 1024;

/// Smallest and largest descriptor ring.
pub const RING_SIZES: std::ops::RangeInclusive<u32> = 64..=4096;

/// Smallest and largest MTU: the least that IPv4 works with (RFC 791), and the most of any card. What a card really can its driver says.
pub const MTUS: std::ops::RangeInclusive<u16> = 68..=15_854;

/// MTU of a port unless it is told otherwise: that of Ethernet.
pub const DEFAULT_MTU: u16 = 1500;

/// Bytes of a frame that the MTU does not count: the Ethernet header and a VLAN tag. The FCS is in no buffer.
pub const FRAME_OVERHEAD: u16 = 14 + VLAN_TAG;

/// Bytes of a VLAN tag.
pub(crate) const VLAN_TAG: u16 = 4;

/// Bytes of the FCS.
pub(crate) const FCS: u16 = 4;

/// Longest frame of the default MTU, with VLAN tag and FCS.
pub(crate) const STANDARD_FRAME: u16 = DEFAULT_MTU + FRAME_OVERHEAD + FCS;

/// Bytes of a buffer ([`gannet_mempool::PoolOptions::data_room`]) that holds any frame of this MTU: cards fill multiples of 1024.
pub fn data_room_for(mtu: u16) -> u16 {
    mtu.saturating_add(FRAME_OVERHEAD).div_ceil(BUFFER_GRANULE).saturating_mul(BUFFER_GRANULE)
}

/// What becomes of a VLAN tag on receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VlanTags {
    /// It stays in the frame.
    #[default]
    Keep,
    /// The card takes it out and hands it over as [`gannet_mempool::Packet::vlan_tag`].
    Strip,
}

/// Whether receive queues can signal that frames have arrived, for programs that sleep when idle ([`crate::Sleeper`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RxInterrupts {
    /// They cannot: the program polls.
    #[default]
    Off,
    /// They can. Costs nothing while the program polls.
    On,
}

/// A receive queue.
#[derive(Debug, Clone)]
pub struct RxQueueConfig {
    /// Size of its ring, a power of two in [`RING_SIZES`].
    pub descriptors: u32,
    /// Where its buffers come from.
    pub pool: Pool,
}

/// A transmit queue.
#[derive(Debug, Clone)]
pub struct TxQueueConfig {
    /// Size of its ring, a power of two in [`RING_SIZES`].
    pub descriptors: u32,
}

/// Configuration of a port.
#[derive(Debug, Clone)]
pub struct PortConfig {
    /// Receive queues. With several, frames are spread over them by RSS.
    pub rx: Vec<RxQueueConfig>,
    /// Transmit queues.
    pub tx: Vec<TxQueueConfig>,
    /// Pools whose packets may be sent, besides those of the receive queues.
    pub tx_pools: Vec<Pool>,
    /// Where packets are copied to that refer to memory which the card cannot reach ([`crate::Packet::from_external`] without
    /// [`crate::Control::map`]): a bounce pool. Frames must fit in its buffers. Without one, or while it is empty, such packets are dropped.
    pub bounce: Option<Pool>,
    /// L3 bytes that a frame carries at most, in [`MTUS`]. Packets longer than that by more than a VLAN tag are neither sent
    /// ([`crate::TxQueueStats::invalid`]) nor received. Above [`DEFAULT_MTU`] the card takes jumbo frames, which the receive buffers must hold
    /// ([`data_room_for`]); below, it goes on to take frames of the default's length.
    pub mtu: u16,
    /// Address filter at start; [`crate::Control::set_filter`] changes it.
    pub filter: Filter,
    /// VLAN tags of received frames.
    pub vlan_tags: VlanTags,
    /// Whether receive queues can wake a sleeping program.
    pub rx_interrupts: RxInterrupts,
}

impl PortConfig {
    /// One receive and one transmit queue of `descriptors` each, with buffers from `pool`.
    pub fn new(pool: &Pool, descriptors: u32) -> PortConfig {
        PortConfig {
            rx: vec![RxQueueConfig { descriptors, pool: pool.clone() }],
            tx: vec![TxQueueConfig { descriptors }],
            tx_pools: Vec::new(),
            bounce: None,
            mtu: DEFAULT_MTU,
            filter: Filter::default(),
            vlan_tags: VlanTags::Keep,
            rx_interrupts: RxInterrupts::Off,
        }
    }

    /// Checks it against what the card can.
    pub(crate) fn check(&self, port: &str, limits: &Limits) -> Result<()> {
        let wrong = |reason: String| Err(Error::Config { port: port.to_owned(), reason });
        for (what, count, max) in
            [("receive", self.rx.len(), limits.rx_queues), ("transmit", self.tx.len(), limits.tx_queues)]
        {
            if count == 0 || count > max {
                return wrong(format!("{count} {what} queues: 1 to {max} are possible"));
            }
        }
        let rings = self.rx.iter().map(|queue| queue.descriptors).chain(self.tx.iter().map(|queue| queue.descriptors));
        for descriptors in rings {
            if !descriptors.is_power_of_two() || !RING_SIZES.contains(&descriptors) {
                let (low, high) = (RING_SIZES.start(), RING_SIZES.end());
                return wrong(format!(
                    "a ring of {descriptors} descriptors: powers of two from {low} to {high} are possible"
                ));
            }
        }
        for queue in &self.rx {
            if queue.pool.data_room() < limits.min_buffer {
                let (room, min) = (queue.pool.data_room(), limits.min_buffer);
                return wrong(format!(
                    "buffers of {room} bytes: the card needs at least {min} (PoolOptions::data_room)"
                ));
            }
        }
        self.check_mtu(port, limits)?;
        self.filter.check(port, limits)
    }

    fn check_mtu(&self, port: &str, limits: &Limits) -> Result<()> {
        let (mtu, low, high) = (self.mtu, *MTUS.start(), limits.max_mtu);
        if !(low..=high).contains(&mtu) {
            let reason = format!("an MTU of {mtu} bytes: {low} to {high} are possible");
            return Err(Error::Config { port: port.to_owned(), reason });
        }
        // The default goes with any buffers: whoever has smaller ones knows why.
        let smallest = self.rx.iter().map(|queue| queue.pool.data_room()).min().unwrap_or(0);
        let needed = data_room_for(mtu);
        if self.is_jumbo() && smallest < needed {
            return Err(Error::BuffersTooSmall { port: port.to_owned(), mtu, room: smallest, needed });
        }
        match &self.bounce {
            Some(pool) if self.is_jumbo() && pool.data_room() < self.longest_sent() => {
                let (room, needed) = (pool.data_room(), self.longest_sent());
                let reason = format!(
                    "an MTU of {mtu} bytes: the bounce pool's buffers need {needed} bytes, they have {room} (PoolOptions::data_room)"
                );
                Err(Error::Config { port: port.to_owned(), reason })
            }
            _ => Ok(()),
        }
    }

    /// Whether frames may be longer than the standard has them.
    pub(crate) fn is_jumbo(&self) -> bool {
        self.mtu > DEFAULT_MTU
    }

    /// Longest packet that is sent, without FCS.
    pub(crate) fn longest_sent(&self) -> u16 {
        self.mtu + FRAME_OVERHEAD
    }

    /// Longest frame that the card must take, with VLAN tag and FCS. No card takes less than the standard's.
    pub(crate) fn longest_received(&self) -> u16 {
        (self.longest_sent() + FCS).max(STANDARD_FRAME)
    }
}

/// What a card can.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) rx_queues: usize,
    pub(crate) tx_queues: usize,
    /// Smallest receive buffer in bytes.
    pub(crate) min_buffer: u16,
    pub(crate) max_mtu: u16,
    /// Addresses that it can filter besides its own.
    pub(crate) unicast_filters: usize,
}
