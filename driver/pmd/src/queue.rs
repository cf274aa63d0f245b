//! The two ends of the data path, for any card.
//!
//! A queue belongs to one core: `Send`, not `Sync`, not `Clone`. Dispatch to the driver is dynamic, once a burst.

use std::fmt;
use std::sync::Arc;

use gannet_mempool::Burst;
use nix::sys::eventfd::EventFd;

use crate::Result;
use crate::stats::{RxCounters, RxQueueStats, TxCounters, TxQueueStats};
use crate::tap::{MAX_SHOWN, Tap, TapSeat};

/// What a driver does for a receive queue. Dropping it stops the queue in the card first.
pub(crate) trait Receive: Send {
    fn receive(&mut self, burst: &mut Burst) -> usize;

    /// Whether the card has written back a descriptor that has not been received.
    fn has_frames(&self) -> bool;

    /// What the card signals; `None` if the port has no interrupts.
    fn signal(&self) -> Option<&EventFd>;

    fn unmask_interrupt(&mut self);

    fn mask_interrupt(&mut self);

    /// Stops the queue in the card and brings its buffers home.
    fn stop(&mut self) -> Result<()>;
}

/// What a driver does for a transmit queue. Dropping it stops the queue in the card first.
pub(crate) trait Transmit: Send {
    fn send(&mut self, burst: &mut Burst) -> usize;

    /// [`Self::send`] with somebody looking.
    fn send_shown(&mut self, burst: &mut Burst, tap: &mut dyn Tap) -> usize;

    fn reclaim(&mut self) -> usize;

    /// Lets the card send what it has, within bounds, stops the queue and brings its buffers home.
    fn stop(&mut self) -> Result<()>;
}

/// A receive queue.
pub struct RxQueue {
    pub(crate) port: Arc<str>,
    pub(crate) driver: Box<dyn Receive>,
    pub(crate) counters: Arc<RxCounters>,
    pub(crate) seat: TapSeat,
}

impl RxQueue {
    /// Appends the frames that have arrived to `burst`, as many as it has room for, and refills the ring. Returns how many.
    ///
    /// Never blocks. Frames that are damaged or too long for a buffer are dropped and counted ([`Self::stats`]), and all frames while
    /// the pool has no buffers to replace theirs: the ring keeps its last ones, so that frames arrive again as soon as there are some.
    #[inline]
    pub fn receive(&mut self, burst: &mut Burst) -> usize {
        if self.seat.is_free() { self.driver.receive(burst) } else { self.receive_shown(burst) }
    }

    /// [`Self::receive`] with somebody looking.
    #[cold]
    #[inline(never)]
    fn receive_shown(&mut self, burst: &mut Burst) -> usize {
        let old = burst.len();
        let received = self.driver.receive(burst);
        if let Some(tap) = self.seat.tap() {
            for packets in burst[old..].chunks(MAX_SHOWN) {
                tap.look(packets);
                tap.commit(packets.len());
            }
        }
        received
    }

    /// Whether frames wait to be received.
    pub fn has_frames(&self) -> bool {
        self.driver.has_frames()
    }

    /// What the queue has done so far.
    pub fn stats(&self) -> RxQueueStats {
        self.counters.stats()
    }
}

/// A transmit queue.
pub struct TxQueue {
    pub(crate) port: Arc<str>,
    pub(crate) driver: Box<dyn Transmit>,
    pub(crate) counters: Arc<TxCounters>,
    pub(crate) seat: TapSeat,
}

impl TxQueue {
    /// Hands packets from the front of `burst` to the card, as many as it has room for, and leaves the rest. Returns how many.
    ///
    /// Buffers of sent packets come home here. With an empty burst this is [`Self::reclaim`], so a loop that always calls it keeps no
    /// buffer in an idle queue. A packet that the card cannot send is dropped and counted ([`Self::stats`]).
    #[inline]
    pub fn send(&mut self, burst: &mut Burst) -> usize {
        if self.seat.is_free() { self.driver.send(burst) } else { self.send_shown(burst) }
    }

    /// [`Self::send`] with somebody looking.
    #[cold]
    #[inline(never)]
    fn send_shown(&mut self, burst: &mut Burst) -> usize {
        match self.seat.tap() {
            Some(tap) => self.driver.send_shown(burst, tap),
            None => self.driver.send(burst),
        }
    }

    /// Brings the buffers of sent packets home. Returns how many.
    #[inline]
    pub fn reclaim(&mut self) -> usize {
        self.driver.reclaim()
    }

    /// What the queue has done so far.
    pub fn stats(&self) -> TxQueueStats {
        self.counters.stats()
    }
}

impl fmt::Debug for RxQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RxQueue").field("port", &self.port).field("stats", &self.stats()).finish()
    }
}

impl fmt::Debug for TxQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TxQueue").field("port", &self.port).field("stats", &self.stats()).finish()
    }
}

/// The queues of a started port.
#[derive(Debug)]
pub struct Queues {
    /// Receive queues, in the order of [`crate::PortConfig::rx`].
    pub rx: Vec<RxQueue>,
    /// Transmit queues, in the order of [`crate::PortConfig::tx`].
    pub tx: Vec<TxQueue>,
}
