//! Receive: read what the card has written back, hand packets on, give it new buffers.
//!
//! ```text
//!   descriptors:  | done done done | armed armed ...... armed | being refilled |
//!                   ^ buffers.tail                            ^ buffers.head = RDT
//! ```
//!
//! The hot path is [`RxRing::receive`], its per-descriptor part [`inspect`].
//!
//! The ring always keeps one refill's worth of buffers: `receive` hands none of these on. When the pool is dry and nothing else is left, the
//! frames in them are dropped where they are and the buffers given back to the card ([`RxRing::starve`]), so that a program that
//! hoards buffers loses frames, counted, and not its port.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gannet_bus::descriptors::{DescriptorRing, Descriptors};
use gannet_bus::{Device, Registers};
use gannet_mempool::Burst;
use gannet_mempool::buffers::{Arrival, RxBuffers};
use gannet_mempool::dma::{DmaTable, Iova};
use gannet_spec::advanced::{RxRead, RxWriteBack, rx_status};
use nix::sys::eventfd::EventFd;

use crate::config::{BUFFER_GRANULE, FCS, PortConfig, VlanTags};
use crate::family::{Family, RingPlace, RxSetup};
use crate::nic::Hardware;
use crate::queue::Receive;
use crate::reasons;
use crate::stats::RxCounters;
use crate::{Error, Result};

/// Largest buffer that a card fills, in KiB.
const MAX_BUFFER_KIB: u16 = 16;

/// A receive queue of a card.
pub(crate) struct RxRing<D: Device, F: Family> {
    hardware: Arc<Hardware<D, F>>,
    index: u32,
    ring: DescriptorRing,
    buffers: RxBuffers,
    /// IOVA of the pool's first byte.
    pool_iova: Iova,
    tail_register: u32,
    /// Descriptors refilled at a time, which is also the number of buffers that the ring keeps; divides the ring.
    refill: u32,
    frames: Frames,
    counters: Arc<RxCounters>,
    running: bool,
    /// What the card signals, if the port has interrupts.
    signal: Option<EventFd>,
    /// Keeps the pool mapped.
    _dma: DmaTable,
}

/// What a queue knows about the frames in its descriptors.
struct Frames {
    /// Bytes of a buffer that the card may fill.
    buffer: u32,
    /// Status bits that mean something: where tags stay in the frame, VP may say that there is one.
    status: u32,
    /// Bytes of the longest frame that is taken: of the MTU's, with a tag, if the buffer holds it.
    most: u32,
    /// Longest length that is taken: `most`, or 0 after a descriptor without an end of packet, when what follows is the rest of a frame
    /// that is being dropped.
    longest: u32,
}

impl<D: Device, F: Family> RxRing<D, F> {
    /// Fills a ring and sets the queue up. Frames arrive once the card is told of its tail ([`Self::ring_doorbell`]).
    pub(crate) fn start(
        hardware: Arc<Hardware<D, F>>,
        index: u32,
        ring: DescriptorRing,
        dma: &DmaTable,
        config: &PortConfig,
        signal: Option<EventFd>,
        counters: Arc<RxCounters>,
    ) -> Result<Self> {
        let pool = &config.rx[index as usize].pool;
        let mut dma = dma.clone();
        let pool_iova = dma.map(pool, &hardware.dma)?;
        let buffer_kib = (pool.data_room() / BUFFER_GRANULE).min(MAX_BUFFER_KIB);
        let buffer = u32::from(buffer_kib) * u32::from(BUFFER_GRANULE);
        // A card that cannot be told the MTU takes all that the buffer holds.
        let most = buffer.min((config.longest_received() - FCS).into());
        let mut queue = RxRing {
            index,
            buffers: RxBuffers::new(pool.clone(), ring.len())?,
            pool_iova,
            tail_register: F::rx_tail(index).offset(),
            refill: (ring.len() / 4).min(32),
            frames: Frames {
                buffer,
                status: if config.vlan_tags == VlanTags::Strip { u32::MAX } else { !rx_status::VP },
                most,
                longest: most,
            },
            ring,
            hardware,
            counters,
            running: false,
            signal,
            _dma: dma,
        };
        queue.fill()?;
        queue.running = true;
        let place = RingPlace { base: queue.ring.iova(), bytes: DescriptorRing::bytes(queue.ring.len()) as u32 };
        let queues = config.rx.len() as u32;
        let setup = RxSetup { buffer_kib: buffer_kib as u8, vlan_tags: config.vlan_tags, queues };
        queue.hardware.family.start_rx(&queue.hardware.mmio, index, place, setup)?;
        Ok(queue)
    }

    pub(crate) fn counters(&self) -> &Arc<RxCounters> {
        &self.counters
    }

    /// Fills the ring but for one refill's worth: head = tail would mean an empty ring to the card (7.1.9).
    fn fill(&mut self) -> Result<()> {
        let wanted = self.ring.len() - self.refill;
        while self.buffers.len() < wanted {
            if self.arm(self.refill) == 0 {
                return Err(Error::PoolTooSmall {
                    port: self.hardware.mmio.name().to_owned(),
                    free: self.buffers.len() + self.buffers.pool().census().ring,
                    needed: wanted,
                    descriptors: self.ring.len(),
                });
            }
        }
        self.publish();
        Ok(())
    }

    /// Tells the card how far it may go. Release: the descriptors are written before.
    #[inline(always)]
    pub(crate) fn ring_doorbell(&self) {
        self.hardware.mmio.bar.write(self.tail_register, self.buffers.head() & (self.ring.len() - 1));
    }

    /// Gives the card `count` buffers, without telling it yet. Returns how many.
    #[inline(always)]
    fn arm(&mut self, count: u32) -> u32 {
        let (ring, base) = (self.ring.descriptors(), self.pool_iova.0);
        self.buffers.arm(count, |position, offset| ring.store(position, RxRead { buffer: base + offset }.words()))
    }

    /// Replaces what has been handed on, as soon as it is worth it. `passed` descriptors were passed before.
    #[inline(always)]
    fn replenish(&mut self, passed: u32) {
        if self.buffers.room() < 2 * self.refill {
            return;
        }
        let before = self.buffers.head();
        while self.buffers.room() >= 2 * self.refill {
            if self.arm(self.refill) == 0 {
                self.starve(passed);
                break;
            }
        }
        if self.buffers.head() != before {
            self.ring_doorbell();
        }
    }

    /// The pool has no refill of buffers: makes do with fewer or, if nothing could be handed on, drops what has arrived.
    #[cold]
    #[inline(never)]
    fn starve(&mut self, passed: u32) {
        self.counters.no_buffers.add(1);
        if self.buffers.len() > self.refill {
            return;
        }
        let mut run = self.refill / 2;
        while run > 0 {
            if self.arm(run) > 0 {
                return;
            }
            run /= 2;
        }
        if passed > 0 {
            // The program has just got packets: their buffers may be home before the next call.
            return;
        }
        let (ring, base, frames, counters) =
            (self.ring.descriptors(), self.pool_iova.0, &mut self.frames, &*self.counters);
        let dropped = self.buffers.rearm(
            |position| inspect::<F>(ring, position, frames, counters, &mut 0),
            |position, offset| ring.store(position, RxRead { buffer: base + offset }.words()),
        );
        counters.no_buffer_drops.lose(dropped.into(), &reasons::RX_NO_BUFFER);
    }

    #[inline(always)]
    fn publish(&self) {
        self.counters.in_ring.store(self.buffers.len(), Ordering::Relaxed);
    }
}

/// Reads the descriptor at `position`.
#[inline(always)]
fn inspect<F: Family>(
    ring: Descriptors<'_>,
    position: u32,
    frames: &mut Frames,
    counters: &RxCounters,
    bytes: &mut u64,
) -> Arrival {
    // The word with the done bit first (acquire), the other after it.
    let high = ring.load_high(position);
    if high as u32 & rx_status::DD == 0 {
        return Arrival::Pending;
    }
    let descriptor = RxWriteBack { low: ring.load_low(position), high };
    let whole = descriptor.status() & (rx_status::EOP | F::RX_DAMAGED) == rx_status::EOP;
    let length = u32::from(descriptor.length());
    if !whole || length.wrapping_sub(1) >= frames.longest {
        reject::<F>(descriptor, frames, counters);
        return Arrival::Discard;
    }
    *bytes += u64::from(length);
    Arrival::Frame { len: length as u16, metadata: F::metadata(descriptor, frames.status) }
}

/// A descriptor without a good, whole frame: counts why.
#[cold]
#[inline(never)]
fn reject<F: Family>(descriptor: RxWriteBack, frames: &mut Frames, counters: &RxCounters) {
    let ends = descriptor.status() & rx_status::EOP != 0;
    let length = u32::from(descriptor.length());
    let continues = frames.longest == 0;
    frames.longest = if ends { frames.most } else { 0 };
    if continues {
        // Counted at its first part.
    } else if !ends {
        counters.oversize.lose(1, &reasons::RX_OVERSIZE);
    } else if descriptor.status() & F::RX_DAMAGED != 0 {
        counters.damaged.lose(1, &reasons::RX_DAMAGED);
    } else if (1..=frames.buffer).contains(&length) {
        counters.oversize.lose(1, &reasons::RX_OVERSIZE);
    } else {
        counters.nonsense.lose(1, &reasons::RX_NONSENSE);
    }
}

impl<D: Device, F: Family> Receive for RxRing<D, F> {
    fn receive(&mut self, burst: &mut Burst) -> usize {
        let before = burst.len();
        let mut bytes = 0;
        let (ring, frames, counters) = (self.ring.descriptors(), &mut self.frames, &*self.counters);
        let spare = self.buffers.len().saturating_sub(self.refill);
        let passed =
            self.buffers.receive(burst, spare, |position| inspect::<F>(ring, position, frames, counters, &mut bytes));
        let received = burst.len() - before;
        if passed > 0 {
            self.counters.packets.add(received as u64);
            self.counters.bytes.add(bytes);
        }
        self.replenish(passed);
        self.publish();
        received
    }

    fn has_frames(&self) -> bool {
        self.ring.descriptors().load_high(self.buffers.tail()) as u32 & rx_status::DD != 0
    }

    fn unmask_interrupt(&mut self) {
        self.hardware.family.unmask_rx(&self.hardware.mmio, self.index);
    }

    fn mask_interrupt(&mut self) {
        self.hardware.family.mask_rx(&self.hardware.mmio, self.index);
    }

    fn signal(&self) -> Option<&EventFd> {
        self.signal.as_ref()
    }

    /// Stops the queue in the card. One that does not obey is cut off, so that its buffers can go home.
    fn stop(&mut self) -> Result<()> {
        if !self.running {
            return Ok(());
        }
        self.running = false;
        let stopped = self.hardware.family.stop_rx(&self.hardware.mmio, self.index);
        if stopped.is_err() {
            self.hardware.cut_off();
        }
        self.buffers.release_all();
        self.publish();
        stopped
    }
}

impl<D: Device, F: Family> Drop for RxRing<D, F> {
    fn drop(&mut self) {
        if let Err(why) = self.stop() {
            tracing::warn!("{why}");
        }
    }
}
