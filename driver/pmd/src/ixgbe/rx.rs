//! Receive: read what the card has written back, hand packets on, give it new buffers.
//!
//! ```text
//!   descriptors:  | done done done | armed armed ...... armed | being refilled |
//!                   ^ buffers.tail                            ^ buffers.head = RDT
//! ```
//!
//! The hot path is [`IxgbeRx::receive`], its per-descriptor part [`inspect`].

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gannet_bus::descriptors::{DescriptorRing, Descriptors};
use gannet_bus::{Device, Registers};
use gannet_mempool::Burst;
use gannet_mempool::buffers::{Arrival, RxBuffers};
use gannet_mempool::dma::{DmaTable, Iova};
use gannet_spec::x82599::desc::{RxRead, RxWriteBack, rx_status};
use gannet_spec::x82599::regs::*;

use super::metadata::metadata;
use super::{BUFFER_GRANULE, Hardware};
use crate::config::{PortConfig, VlanTags};
use crate::mmio::Patience;
use crate::queue::Receive;
use crate::stats::RxCounters;
use crate::{Error, Result};

/// One look every 100 us, ten times what the datasheet's 10 ms need.
pub(crate) const QUEUE_PATIENCE: Patience = Patience { looks: 1_000, every_us: 100 };

/// A receive queue of the card.
pub(crate) struct IxgbeRx<D: Device> {
    hardware: Arc<Hardware<D>>,
    index: u32,
    ring: DescriptorRing,
    buffers: RxBuffers,
    /// IOVA of the pool's first byte.
    pool_iova: Iova,
    tail_register: u32,
    /// Descriptors refilled at a time; divides the ring.
    refill: u32,
    frames: Frames,
    counters: Arc<RxCounters>,
    running: bool,
    /// Keeps the pool mapped.
    _dma: DmaTable,
}

/// What a queue knows about the frames in its descriptors.
struct Frames {
    /// Bytes of a buffer that the card may fill.
    buffer: u32,
    /// Status bits that mean something: where tags stay in the frame, VP may say that there is one.
    status: u32,
    /// Longest length that is taken: `buffer`, or 0 after a descriptor without an end of packet, when what follows is the rest of a frame
    /// that is being dropped.
    longest: u32,
}

impl<D: Device> IxgbeRx<D> {
    /// Sets the queue up, fills its ring and enables it (4.6.7.1).
    pub(crate) fn start(
        hardware: Arc<Hardware<D>>,
        index: u32,
        ring: DescriptorRing,
        dma: &DmaTable,
        config: &PortConfig,
        counters: Arc<RxCounters>,
    ) -> Result<Self> {
        let pool = &config.rx[index as usize].pool;
        let mut dma = dma.clone();
        let pool_iova = dma.map(pool, &hardware.mmio.device.dma())?;
        let buffer_kib = (pool.data_room() / BUFFER_GRANULE).min(16);
        let mut queue = IxgbeRx {
            index,
            buffers: RxBuffers::new(pool.clone(), ring.len())?,
            pool_iova,
            tail_register: RDT.get(index).offset(),
            refill: (ring.len() / 4).min(32),
            frames: Frames {
                buffer: u32::from(buffer_kib) * u32::from(BUFFER_GRANULE),
                status: if config.vlan_tags == VlanTags::Strip { u32::MAX } else { !rx_status::VP },
                longest: u32::from(buffer_kib) * u32::from(BUFFER_GRANULE),
            },
            ring,
            hardware,
            counters,
            running: false,
            _dma: dma,
        };
        queue.fill()?;
        queue.enable(buffer_kib as u8, config)?;
        Ok(queue)
    }

    /// Fills the ring but for one refill's worth: head = tail would mean an empty ring to the card (7.1.9).
    fn fill(&mut self) -> Result<()> {
        let wanted = self.ring.len() - self.refill;
        while self.buffers.len() < wanted {
            if self.arm() == 0 {
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

    fn enable(&mut self, buffer_kib: u8, config: &PortConfig) -> Result<()> {
        let (mmio, n) = (&self.hardware.mmio, self.index);
        let base = self.ring.iova().0;
        mmio.write(RDBAL.get(n), base as u32);
        mmio.write(RDBAH.get(n), (base >> 32) as u32);
        mmio.write(RDLEN.get(n), DescriptorRing::bytes(self.ring.len()) as u32);
        let one_buffer = Srrctl::new().with_buffer_kib(buffer_kib).with_header_64b(4).with_descriptor_type(1);
        // With several queues one that is not polled must not block the others' frames.
        mmio.write(SRRCTL.get(n), one_buffer.with_drop_enable(config.rx.len() > 1));
        mmio.modify(DCA_RXCTRL.get(n), |value| value.with_reserved_zero(false));
        mmio.write(RSCCTL.get(n), 0);
        mmio.write(RDH.get(n), 0);
        self.running = true;
        let control = Rxdctl::new().with_enable(true).with_vlan_strip(config.vlan_tags == VlanTags::Strip);
        mmio.write(RXDCTL.get(n), control);
        mmio.wait("a receive queue to start", RXDCTL.get(n), QUEUE_PATIENCE, |value| value.enable())?;
        self.ring_doorbell();
        Ok(())
    }

    /// Tells the card how far it may go. Release: the descriptors are written before.
    #[inline(always)]
    fn ring_doorbell(&self) {
        self.hardware.mmio.bar.write(self.tail_register, self.buffers.head() & (self.ring.len() - 1));
    }

    /// Gives the card one refill of buffers, without telling it yet. Returns how many.
    #[inline(always)]
    fn arm(&mut self) -> u32 {
        let (ring, base) = (self.ring.descriptors(), self.pool_iova.0);
        self.buffers.arm(self.refill, |position, offset| ring.store(position, RxRead { buffer: base + offset }.words()))
    }

    /// Replaces what has been handed on, as soon as it is worth it.
    #[inline(always)]
    fn replenish(&mut self) {
        if self.buffers.room() < 2 * self.refill {
            return;
        }
        let before = self.buffers.head();
        while self.buffers.room() >= 2 * self.refill {
            if self.arm() == 0 {
                self.counters.no_buffers.add(1);
                break;
            }
        }
        if self.buffers.head() != before {
            self.ring_doorbell();
        }
    }

    #[inline(always)]
    fn publish(&self) {
        self.counters.in_ring.store(self.buffers.len(), Ordering::Relaxed);
    }
}

/// Reads the descriptor at `position`.
#[inline(always)]
fn inspect(
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
    let whole = descriptor.status() & (rx_status::EOP | rx_status::RXE) == rx_status::EOP;
    let length = u32::from(descriptor.length());
    if !whole || length.wrapping_sub(1) >= frames.longest {
        reject(descriptor, frames, counters);
        return Arrival::Discard;
    }
    *bytes += u64::from(length);
    Arrival::Frame { len: length as u16, metadata: metadata(descriptor, frames.status) }
}

/// A descriptor without a good, whole frame: counts why.
#[cold]
#[inline(never)]
fn reject(descriptor: RxWriteBack, frames: &mut Frames, counters: &RxCounters) {
    let ends = descriptor.status() & rx_status::EOP != 0;
    let length = u32::from(descriptor.length());
    let continues = frames.longest == 0;
    frames.longest = if ends { frames.buffer } else { 0 };
    if continues {
        // Counted at its first part.
    } else if !ends {
        counters.oversize.add(1);
    } else if descriptor.status() & rx_status::RXE != 0 {
        counters.damaged.add(1);
    } else {
        debug_assert!(length == 0 || length > frames.buffer);
        counters.nonsense.add(1);
    }
}

impl<D: Device> Receive for IxgbeRx<D> {
    fn receive(&mut self, burst: &mut Burst) -> usize {
        let before = burst.len();
        let mut bytes = 0;
        let (ring, frames, counters) = (self.ring.descriptors(), &mut self.frames, &*self.counters);
        let passed = self
            .buffers
            .receive(burst, self.ring.len(), |position| inspect(ring, position, frames, counters, &mut bytes));
        let received = burst.len() - before;
        if passed > 0 {
            self.counters.packets.add(received as u64);
            self.counters.bytes.add(bytes);
        }
        self.replenish();
        self.publish();
        received
    }

    /// Disables the queue (4.6.7.1.2). One that does not obey is cut off, so that its buffers can go home.
    fn stop(&mut self) -> Result<()> {
        if !self.running {
            return Ok(());
        }
        self.running = false;
        let mmio = &self.hardware.mmio;
        let register = RXDCTL.get(self.index);
        mmio.modify(register, |value| value.with_enable(false));
        let stopped = mmio.wait("a receive queue to stop", register, QUEUE_PATIENCE, |value| !value.enable());
        match &stopped {
            // The datasheet asks for this much more before the ring's memory is touched.
            Ok(_) => mmio.delay_us(100),
            Err(_) => self.hardware.cut_off(),
        }
        self.buffers.release_all();
        self.publish();
        stopped.map(|_| ())
    }
}

impl<D: Device> Drop for IxgbeRx<D> {
    fn drop(&mut self) {
        if let Err(why) = self.stop() {
            tracing::warn!("{why}");
        }
    }
}
