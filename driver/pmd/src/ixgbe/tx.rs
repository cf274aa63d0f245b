//! Transmit: write descriptors, and bring buffers home when the card says that it is done.
//!
//! ```text
//!   descriptors:  | sent, DD on the marks | on the way ......M.......M | free |
//!                   ^ buffers.tail                                    ^ buffers.head = TDT
//! ```
//!
//! The card reports only where it is asked to (RS): on the last descriptor of each run of at most [`RUN`]. These positions are the
//! marks. The last descriptor of a burst is always one, so an idle queue can give everything back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gannet_bus::descriptors::DescriptorRing;
use gannet_bus::{Device, Registers};
use gannet_mempool::Burst;
use gannet_mempool::buffers::TxBuffers;
use gannet_mempool::dma::DmaTable;
use gannet_spec::x82599::desc::{TxData, TxWriteBack, tx_command};
use gannet_spec::x82599::{TX_ON_CHIP_DESCRIPTORS, regs::*};

use super::Hardware;
use super::rx::QUEUE_PATIENCE;
use crate::queue::Transmit;
use crate::stats::TxCounters;
use crate::{Error, Result};

/// Descriptors to one status report, at most. The card holds 40 on the chip and needs a report at least that often (7.2.3.5.2).
const RUN: u32 = 32;
const _: () = assert!(RUN < TX_ON_CHIP_DESCRIPTORS);

/// Lengths that can be sent: an Ethernet header at least (the card pads to 60), at most what the card takes without jumbo frames: 1518 bytes
/// with FCS, and a VLAN tag.
const LENGTHS: std::ops::RangeInclusive<u16> = 14..=1518;

/// A single-descriptor packet: data, advanced, end of packet, FCS inserted.
const COMMAND: u32 = tx_command::DTYP_DATA | tx_command::DEXT | tx_command::EOP | tx_command::IFCS;

/// A transmit queue of the card.
pub(crate) struct IxgbeTx<D: Device> {
    hardware: Arc<Hardware<D>>,
    index: u32,
    ring: DescriptorRing,
    buffers: TxBuffers,
    marks: Marks,
    dma: DmaTable,
    tail_register: u32,
    counters: Arc<TxCounters>,
    running: bool,
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

impl<D: Device> IxgbeTx<D> {
    /// Sets the queue up and enables it (4.6.8.1). The transmit engine is on already.
    pub(crate) fn start(
        hardware: Arc<Hardware<D>>,
        index: u32,
        ring: DescriptorRing,
        dma: DmaTable,
        counters: Arc<TxCounters>,
    ) -> Result<Self> {
        let mut queue = IxgbeTx {
            index,
            buffers: TxBuffers::new(ring.len())?,
            marks: Marks::new(ring.len()),
            dma,
            tail_register: TDT.get(index).offset(),
            ring,
            hardware,
            counters,
            running: false,
        };
        queue.enable()?;
        Ok(queue)
    }

    fn enable(&mut self) -> Result<()> {
        let (mmio, n) = (&self.hardware.mmio, self.index);
        let base = self.ring.iova().0;
        mmio.write(TDBAL.get(n), base as u32);
        mmio.write(TDBAH.get(n), (base >> 32) as u32);
        mmio.write(TDLEN.get(n), DescriptorRing::bytes(self.ring.len()) as u32);
        // No head write-back: the done bits tell.
        mmio.write(TDWBAL.get(n), 0);
        mmio.write(TDWBAH.get(n), 0);
        mmio.modify(DCA_TXCTRL.get(n), |value| value.with_write_back_relaxed(false));
        mmio.write(TDH.get(n), 0);
        mmio.write(TDT.get(n), 0);
        self.running = true;
        // Prefetch below 32 when at least one waits; write-backs one by one, as few are asked for.
        mmio.write(TXDCTL.get(n), Txdctl::new().with_prefetch(32).with_host(1).with_write_back(0).with_enable(true));
        mmio.wait("a transmit queue to start", TXDCTL.get(n), QUEUE_PATIENCE, |value| value.enable())?;
        Ok(())
    }

    /// Writes descriptors for packets from the front of `burst`, at most a run of them. Returns how many.
    #[inline(always)]
    fn send_run(&mut self, burst: &mut Burst, bytes: &mut u64) -> u32 {
        // One place stays free: head = tail would mean an empty ring to the card.
        let free = self.ring.len() - 1 - self.buffers.len();
        let ring = self.ring.descriptors();
        let sent = self.buffers.send(burst, free.min(RUN), &self.dma, LENGTHS, |position, buffer, length| {
            *bytes += u64::from(length);
            let data = TxData { buffer, length, command: COMMAND, payload_length: length.into() };
            ring.store(position, data.words());
        });
        if sent > 0 {
            let last = self.buffers.head().wrapping_sub(1);
            ring.or_high(last, u64::from(tx_command::RS));
            self.marks.push(last);
        }
        sent
    }

    /// Drops the packet at the front of `burst`, which the card cannot send.
    #[cold]
    #[inline(never)]
    fn reject(&mut self, burst: &mut Burst) {
        if let Some(packet) = burst.pop_front() {
            let sendable = u16::try_from(packet.len()).is_ok_and(|len| LENGTHS.contains(&len));
            let reason = if sendable { &self.counters.unmapped } else { &self.counters.invalid };
            reason.add(1);
        }
    }

    #[inline(always)]
    fn publish(&self) {
        self.counters.in_ring.store(self.buffers.len(), Ordering::Relaxed);
    }
}

impl<D: Device> Transmit for IxgbeTx<D> {
    fn send(&mut self, burst: &mut Burst) -> usize {
        self.reclaim();
        let start = self.buffers.head();
        let mut bytes = 0;
        while !burst.is_empty() {
            if self.send_run(burst, &mut bytes) > 0 {
                continue;
            }
            if self.buffers.len() == self.ring.len() - 1 {
                self.counters.full.add(1);
                break;
            }
            self.reject(burst);
        }
        let sent = self.buffers.head().wrapping_sub(start);
        if sent > 0 {
            self.counters.packets.add(sent.into());
            self.counters.bytes.add(bytes);
            // Release: the descriptors are written before.
            self.hardware.mmio.bar.write(self.tail_register, self.buffers.head() & (self.ring.len() - 1));
            self.publish();
        }
        sent as usize
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

    /// Lets the card send what it has (bounded), then disables the queue (4.6.8.2). One that does not obey is cut off, so that its buffers can
    /// go home.
    fn stop(&mut self) -> Result<()> {
        if !self.running {
            return Ok(());
        }
        self.running = false;
        let mmio = &self.hardware.mmio;
        let (head, tail, register) = (TDH.get(self.index), TDT.get(self.index), TXDCTL.get(self.index));
        let end = mmio.read(tail);
        let mut outcome = match mmio.wait("a transmit queue to drain", head, QUEUE_PATIENCE, |head| head == end) {
            // A link that is down holds frames back for ever. They are lost, and counted.
            Err(Error::Timeout { .. }) => {
                self.counters.unsent.add(u64::from(end.wrapping_sub(mmio.read(head)) & (self.ring.len() - 1)));
                Ok(())
            }
            other => other.map(|_| ()),
        };
        mmio.modify(register, |value| value.with_enable(false).with_flush(true));
        match mmio.wait("a transmit queue to stop", register, QUEUE_PATIENCE, |value| !value.enable()) {
            // As on receive: this much more before the memory is touched.
            Ok(_) => mmio.delay_us(100),
            Err(why) => {
                self.hardware.cut_off();
                outcome = Err(why);
            }
        }
        self.buffers.release(self.buffers.len());
        self.publish();
        outcome
    }
}

impl<D: Device> Drop for IxgbeTx<D> {
    fn drop(&mut self) {
        if let Err(why) = self.stop() {
            tracing::warn!("{why}");
        }
    }
}
