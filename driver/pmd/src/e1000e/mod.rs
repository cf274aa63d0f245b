//! The 82574: gigabit, copper.
//!
//! [`reset`] brings the card from anything to a known state, [`init`] from there to running, [`queues`] starts and stops its queues, [`firmware`]
//! shares PHY and NVM with the card's firmware. Receive descriptors are the extended ones. Not done: MDI-X and downshift (the PHY's own settings are kept),
//! writing the NVM (a checksum that the firmware has left unfinished is not mended), packet split, transmit offloads, timestamps.
//!
//! A queue has no enable bit of its own. Stopping one receive queue stops the port's reception, stopping one transmit queue its
//! transmission.

mod firmware;
mod init;
mod interrupts;
mod metadata;
mod queues;
mod reset;

use std::sync::{Mutex, MutexGuard, PoisonError};

use gannet_bus::Device;
use gannet_mempool::Metadata;
use gannet_mempool::buffers::Segment;
use gannet_spec::x82574::desc::{RxWriteBack, TxData, rx_status, tx_command};
use gannet_spec::x82574::{QUEUES, regs::*};
use gannet_spec::{ReadWrite, Reg};

use crate::cards::Card;
use crate::config::{BUFFER_GRANULE, FCS, FRAME_OVERHEAD, Limits, PortConfig, STANDARD_FRAME};
use crate::family::{Family, RingPlace, RxSetup};
use crate::filter::{Filter, MacAddress};
use crate::mmio::Mmio;
use crate::port::Link;
use crate::stats::PortStats;
use crate::{Result, gigabit};

/// A piece of a frame: data, extended, FCS inserted.
const TX_COMMAND: u32 = tx_command::DTYP_DATA | tx_command::DEXT | tx_command::IFCS;

/// Longest frame in bytes, with FCS and tag: the vendor's drivers go no further.
const LONGEST_FRAME: u16 = 9_234;

/// A card of the family. They do not differ.
#[derive(Default)]
pub(crate) struct E1000e {
    /// Held by whoever changes bits of [`RCTL`], [`TCTL`] or [`CTRL`] while queues run. Their fields belong to the whole port, so a thread that
    /// stops a queue and one that sets a filter would write each other's old bits back.
    shared_registers: Mutex<()>,
}

impl E1000e {
    fn take_turns(&self) -> MutexGuard<'_, ()> {
        // It guards registers, which a panic leaves as consistent as they were.
        self.shared_registers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Family for E1000e {
    const ALIVE: u32 = STATUS.offset();
    const RX_DAMAGED: u32 = rx_status::DAMAGED;

    #[inline(always)]
    fn metadata(descriptor: RxWriteBack, status: u32) -> Metadata {
        metadata::metadata(descriptor, status)
    }

    #[inline(always)]
    fn tx_descriptor(segment: Segment) -> [u64; 2] {
        let end = if segment.is_last { tx_command::EOP } else { 0 };
        TxData { buffer: segment.iova, length: segment.len, command: TX_COMMAND | end }.words()
    }

    fn rx_tail(queue: u32) -> Reg<ReadWrite> {
        RDT.get(queue)
    }

    fn tx_tail(queue: u32) -> Reg<ReadWrite> {
        TDT.get(queue)
    }

    fn tx_head(queue: u32) -> Reg<ReadWrite> {
        TDH.get(queue)
    }

    fn probe<D: Device>(mmio: &Mmio<D>, _card: &'static Card) -> Result<(Self, MacAddress)> {
        // Most ports keep it so, and start without another reset.
        mmio.write(PBA, init::packet_buffer(STANDARD_FRAME));
        reset::reset(mmio)?;
        Ok((E1000e::default(), reset::read_mac_address(mmio)?))
    }

    fn limits(&self) -> Limits {
        Limits {
            rx_queues: QUEUES as usize,
            tx_queues: QUEUES as usize,
            min_buffer: BUFFER_GRANULE,
            max_mtu: LONGEST_FRAME - FCS - FRAME_OVERHEAD,
            unicast_filters: RAH.count() as usize - 1,
        }
    }

    fn reset<D: Device>(&self, mmio: &Mmio<D>) -> Result<()> {
        reset::reset(mmio)
    }

    fn init<D: Device>(&self, mmio: &Mmio<D>, mac: MacAddress, config: &PortConfig) -> Result<()> {
        let packet_buffer = init::packet_buffer(config.longest_received());
        reset::divide(mmio, packet_buffer)?;
        init::global(mmio, packet_buffer, mac, config);
        Ok(())
    }

    fn set_filter<D: Device>(&self, mmio: &Mmio<D>, mac: MacAddress, filter: &Filter) {
        let _turn = self.take_turns();
        init::set_filter(mmio, mac, filter);
    }

    fn start_link<D: Device>(&self, mmio: &Mmio<D>) -> Result<()> {
        firmware::start_link(mmio)
    }

    fn link<D: Device>(&self, mmio: &Mmio<D>) -> Link {
        gigabit::link(mmio)
    }

    fn count<D: Device>(&self, mmio: &Mmio<D>, stats: &mut PortStats) {
        gigabit::count(mmio, stats);
    }

    fn start_rx<D: Device>(&self, mmio: &Mmio<D>, queue: u32, ring: RingPlace, setup: RxSetup) -> Result<()> {
        queues::start_rx(mmio, queue, ring, setup);
        Ok(())
    }

    fn enable_receive<D: Device>(&self, mmio: &Mmio<D>, _queues: u32) -> Result<()> {
        mmio.modify(RCTL, |value| value.with_enable(true));
        Ok(())
    }

    fn enable_transmit<D: Device>(&self, mmio: &Mmio<D>) {
        mmio.modify(TCTL, |value| value.with_enable(true));
    }

    fn start_tx<D: Device>(&self, mmio: &Mmio<D>, queue: u32, ring: RingPlace) -> Result<()> {
        queues::start_tx(mmio, queue, ring);
        Ok(())
    }

    fn stop_rx<D: Device>(&self, mmio: &Mmio<D>, _queue: u32) -> Result<()> {
        let _turn = self.take_turns();
        queues::stop_receive(mmio)
    }

    fn stop_tx<D: Device>(&self, mmio: &Mmio<D>, queue: u32) -> Result<()> {
        let _turn = self.take_turns();
        queues::stop_transmit(mmio, queue)
    }

    fn silence<D: Device>(&self, mmio: &Mmio<D>) {
        interrupts::mask_all(mmio);
        mmio.modify(RCTL, |value| value.with_enable(false));
        mmio.modify(TCTL, |value| value.with_enable(false));
        mmio.modify(CTRL_EXT, |value| value.with_driver_loaded(false));
    }

    fn init_interrupts<D: Device>(&self, mmio: &Mmio<D>, queues: u32) {
        interrupts::init(mmio, queues);
    }

    fn unmask_rx<D: Device>(&self, mmio: &Mmio<D>, queue: u32) {
        interrupts::unmask(mmio, queue);
    }

    fn mask_rx<D: Device>(&self, mmio: &Mmio<D>, queue: u32) {
        interrupts::mask(mmio, queue);
    }
}
