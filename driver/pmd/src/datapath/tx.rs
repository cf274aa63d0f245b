//! Transmit: write descriptors, and bring buffers home when the card says that it is done.
//!
//! ```text
//!   descriptors:  | sent, DD on the marks | on the way ......M.......M | free |
//!                   ^ buffers.tail                                    ^ buffers.head = TDT
//! ```
//!
//! The card reports only where it is asked to (RS): on the last descriptor of each run of at most [`RUN`]. These positions are the
//! marks. The last descriptor of a burst is always one, so an idle queue can give everything back.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gannet_bus::descriptors::DescriptorRing;
use gannet_bus::{Device, Registers};
use gannet_mempool::buffers::{Obstacle, TxBuffers};
use gannet_mempool::dma::DmaTable;
use gannet_mempool::{Burst, Packet};
use gannet_spec::advanced::{TxWriteBack, tx_command};
use gannet_spec::x82599::TX_ON_CHIP_DESCRIPTORS;

use crate::config::PortConfig;
use crate::family::{Family, QUEUE_PATIENCE, RingPlace};
use crate::nic::Hardware;
use crate::queue::Transmit;
use crate::reasons;
use crate::stats::TxCounters;
use crate::tap::{MAX_SHOWN, Tap};
use crate::{Error, Result};

/// Descriptors to one status report, at most. The 82599 holds 40 on the chip and needs a report at least that often (7.2.3.5.2).
const RUN: u32 = 32;
const _: () = assert!(RUN < TX_ON_CHIP_DESCRIPTORS);
// No run hands over more packets than a tap has been shown.
const _: () = assert!(RUN as usize <= MAX_SHOWN);

/// Shortest packet that can be sent: the cards pad it to 60 bytes by themselves (the vendor's drivers fill up to this before).
const SHORTEST: u16 = 17;

/// A transmit queue of a card.
pub(crate) struct TxRing<D: Device, F: Family> {
    hardware: Arc<Hardware<D, F>>,
    index: u32,
    ring: DescriptorRing,
    buffers: TxBuffers,
    marks: Marks,
    dma: DmaTable,
    tail_register: u32,
    /// Longest packet that is sent: the MTU's.
    longest: u16,
    counters: Arc<TxCounters>,
    running: bool,
}

/// Nobody looks.
struct Unseen;

impl Tap for Unseen {
    #[inline(always)]
    fn look(&mut self, _packets: &[Packet]) {}

    #[inline(always)]
    fn commit(&mut self, _count: usize) {}
}

/// Positions of the descriptors that asked for a report, oldest first. There are never more than descriptors.
struct Marks {
    positions: Box<[u32]>,
    head: u32,
    tail: u32,
}

impl Marks {
    fn new(places: u32) -> Marks {
        Marks { positions: vec![0; places as usize].into(), head: 0, tail: 0 }
    }

    #[inline(always)]
    fn push(&mut self, position: u32) {
        let mask = self.positions.len() - 1;
        self.positions[self.head as usize & mask] = position;
        self.head = self.head.wrapping_add(1);
    }

    #[inline(always)]
    fn oldest(&self) -> Option<u32> {
        let mask = self.positions.len() - 1;
        (self.head != self.tail).then(|| self.positions[self.tail as usize & mask])
    }

    #[inline(always)]
    fn pop(&mut self) {
        self.tail = self.tail.wrapping_add(1);
    }
}

impl<D: Device, F: Family> TxRing<D, F> {
    /// Sets the queue up and enables it. The transmit engine is on already.
    pub(crate) fn start(
        hardware: Arc<Hardware<D, F>>,
        index: u32,
        ring: DescriptorRing,
        dma: DmaTable,
        config: &PortConfig,
        counters: Arc<TxCounters>,
    ) -> Result<Self> {
        let mut queue = TxRing {
            index,
            buffers: TxBuffers::new(ring.len())?,
            marks: Marks::new(ring.len()),
            dma,
            tail_register: F::tx_tail(index).offset(),
            longest: config.longest_sent(),
            ring,
            hardware,
            counters,
            running: false,
        };
        queue.running = true;
        let place = RingPlace { base: queue.ring.iova(), bytes: DescriptorRing::bytes(queue.ring.len()) as u32 };
        queue.hardware.family.start_tx(&queue.hardware.mmio, index, place)?;
        Ok(queue)
    }

    /// Descriptors that can be written. One place stays free: head = tail would mean an empty ring to the card.
    #[inline(always)]
    fn free(&self) -> u32 {
        self.ring.len() - 1 - self.buffers.len()
    }

    /// Lengths that can be sent.
    #[inline(always)]
    fn lengths(&self) -> RangeInclusive<u16> {
        SHORTEST..=self.longest
    }

    /// Writes descriptors for packets from the front of `burst`, at most a run of descriptors. Returns how many packets.
    #[inline(always)]
    fn send_run(&mut self, burst: &mut Burst, bytes: &mut u64) -> u32 {
        let (free, lengths) = (self.free(), self.lengths());
        let ring = self.ring.descriptors();
        let sent = self.buffers.send(burst, free.min(RUN), &self.dma, lengths, |position, segment| {
            *bytes += u64::from(segment.len);
            ring.store(position, F::tx_descriptor(segment));
        });
        if sent > 0 {
            let last = self.buffers.head().wrapping_sub(1);
            ring.or_high(last, u64::from(tx_command::RS));
            self.marks.push(last);
        }
        sent
    }

    /// Drops the packet at the front of `burst` if the card cannot send it. False if there is only no room for it now.
    #[cold]
    #[inline(never)]
    fn reject(&mut self, burst: &mut Burst) -> bool {
        let Some(packet) = burst.first() else { return false };
        let TxCounters { invalid, unmapped, .. } = &*self.counters;
        let places = RUN.min(self.ring.len() - 1);
        let (counter, reason) = match self.buffers.obstacle(packet, places, &self.dma, &self.lengths()) {
            Some(Obstacle::Length) => (invalid, &reasons::TX_LENGTH),
            Some(Obstacle::Segments) => (invalid, &reasons::TX_SEGMENTS),
            Some(Obstacle::Unreachable) => (unmapped, &reasons::TX_UNREACHABLE),
            Some(Obstacle::Full) | None => {
                self.counters.full.add(1);
                return false;
            }
        };
        counter.lose(1, reason);
        drop(burst.pop_front());
        true
    }

    /// Waits until the card has fetched and sent what it has been given. What it does not get round to is lost, and counted.
    fn drain(&mut self) -> Result<()> {
        let (hardware, mask) = (self.hardware.clone(), self.ring.len() - 1);
        let mmio = &hardware.mmio;
        let head = F::tx_head(self.index);
        let end = mmio.read(F::tx_tail(self.index));
        match mmio.wait("a transmit queue to drain", head, QUEUE_PATIENCE, |head| head == end) {
            Ok(_) => Ok(()),
            // A link that is down holds frames back for ever.
            Err(Error::Timeout { .. }) => {
                let left = end.wrapping_sub(mmio.read(head)) & mask;
                self.lose_unsent(self.buffers.head().wrapping_sub(left));
                Ok(())
            }
            // Gone: only what it has reported is known to be sent.
            Err(why) => {
                self.reclaim();
                self.lose_unsent(self.buffers.tail());
                Err(why)
            }
        }
    }

    /// Counts the packets from `position` on as lost.
    fn lose_unsent(&self, position: u32) {
        self.counters.unsent.lose(self.buffers.packets_from(position).into(), &reasons::TX_UNSENT);
    }

    /// Shows `tap` each run before the card gets it: afterwards the packets are gone.
    #[inline(always)]
    fn send_burst<T: Tap + ?Sized>(&mut self, burst: &mut Burst, tap: &mut T) -> usize {
        self.reclaim();
        let (mut sent, mut bytes) = (0, 0);
        while !burst.is_empty() {
            // Each needs a descriptor at least.
            let most = MAX_SHOWN.min(self.free() as usize);
            tap.look(&burst[..burst.len().min(most)]);
            let run = self.send_run(burst, &mut bytes);
            tap.commit(run as usize);
            sent += run;
            if run == 0 && !self.reject(burst) {
                break;
            }
        }
        if sent > 0 {
            self.counters.packets.add(sent.into());
            self.counters.bytes.add(bytes);
            // Release: the descriptors are written before.
            self.hardware.mmio.bar.write(self.tail_register, self.buffers.head() & (self.ring.len() - 1));
            self.publish();
        }
        sent as usize
    }

    #[inline(always)]
    fn publish(&self) {
        self.counters.in_ring.store(self.buffers.len(), Ordering::Relaxed);
    }
}

impl<D: Device, F: Family> Transmit for TxRing<D, F> {
    fn send(&mut self, burst: &mut Burst) -> usize {
        self.send_burst(burst, &mut Unseen)
    }

    #[cold]
    fn send_shown(&mut self, burst: &mut Burst, tap: &mut dyn Tap) -> usize {
        self.send_burst(burst, tap)
    }

    fn reclaim(&mut self) -> usize {
        let mut done = self.buffers.tail();
        while let Some(mark) = self.marks.oldest() {
            if !(TxWriteBack { high: self.ring.descriptors().load_high(mark) }).done() {
                break;
            }
            self.marks.pop();
            done = mark.wrapping_add(1);
        }
        let count = done.wrapping_sub(self.buffers.tail());
        if count > 0 {
            self.buffers.release(count);
            self.publish();
        }
        count as usize
    }

    /// Lets the card send what it has (bounded), then stops the queue. One that does not obey is cut off, so that its buffers can go home.
    fn stop(&mut self) -> Result<()> {
        if !self.running {
            return Ok(());
        }
        self.running = false;
        let drained = self.drain();
        let stopped = self.hardware.family.stop_tx(&self.hardware.mmio, self.index);
        if stopped.is_err() {
            self.hardware.cut_off();
        }
        self.buffers.release(self.buffers.len());
        self.publish();
        stopped.and(drained)
    }
}

impl<D: Device, F: Family> Drop for TxRing<D, F> {
    fn drop(&mut self) {
        if let Err(why) = self.stop() {
            tracing::warn!("{why}");
        }
    }
}
