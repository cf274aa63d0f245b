//! The 82576 family: 82576, I350, I210 and I211, copper ports.
//!
//! [`reset`] brings the card from anything to a known state, [`init`] from there to running, [`link`] the link up, [`queues`] starts and stops
//! its queues. Section numbers are those of the 82576's datasheet. Not done: SerDes and SGMII ports (an error at probe), energy-efficient
//! Ethernet (the NVM's settings are kept), time stamps, the transmit schedulers of the I210, virtual functions.

mod init;
mod interrupts;
mod link;
mod metadata;
mod nvm;
mod queues;
mod reset;
mod stats;

use gannet_bus::Device;
use gannet_mempool::Metadata;
use gannet_mempool::buffers::Segment;
use gannet_spec::x82576::Chip;
use gannet_spec::x82576::desc::{RxWriteBack, rx_status};
use gannet_spec::x82576::regs::*;
use gannet_spec::{ReadWrite, Reg};

use crate::cards::Card;
use crate::config::{BUFFER_GRANULE, FCS, FRAME_OVERHEAD, Limits, PortConfig};
use crate::family::{Family, RingPlace, RxSetup};
use crate::filter::{Filter, MacAddress};
use crate::lock::Lock;
use crate::mmio::Mmio;
use crate::port::Link;
use crate::stats::PortStats;
use crate::{Error, Result, advanced, gigabit};

/// Longest frame in bytes, with FCS and tag: 9.5 KiB, which is what RLPML holds after a reset.
const LONGEST_FRAME: u16 = 9_728;

/// A card of the family: one port of it.
pub(crate) struct Igb {
    chip: Chip,
    /// Which port of the card it is, 0 to 3.
    port: u8,
}

/// The right to a [`resource`], of which the firmware's bit is sixteen up.
const fn lock(what: &'static str, resource: u32) -> Lock {
    Lock { what, semaphore: SWSM, owners: SW_FW_SYNC, software: resource, firmware: resource << 16 }
}

impl Family for Igb {
    const ALIVE: u32 = STATUS.offset();
    const RX_DAMAGED: u32 = rx_status::CE | rx_status::SE | rx_status::SEQ | rx_status::CXE | rx_status::RXE;

    #[inline(always)]
    fn metadata(descriptor: RxWriteBack, status: u32) -> Metadata {
        metadata::metadata(descriptor, status)
    }

    #[inline(always)]
    fn tx_descriptor(segment: Segment) -> [u64; 2] {
        advanced::tx_descriptor(segment)
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

    fn probe<D: Device>(mmio: &Mmio<D>, card: &'static Card) -> Result<(Self, MacAddress)> {
        let Some(chip) = Chip::of(card.device) else {
            return Err(Error::Unsupported { port: mmio.name().into(), vendor: card.vendor, device: card.device });
        };
        reset::reset(mmio)?;
        link::check_medium(mmio)?;
        let status: Status = mmio.read(STATUS);
        let igb = Igb { chip, port: status.lan_id() };
        Ok((igb, nvm::mac_address(mmio, chip, status.lan_id())?))
    }

    fn limits(&self) -> Limits {
        let queues = self.chip.queues() as usize;
        Limits {
            rx_queues: queues,
            tx_queues: queues,
            min_buffer: BUFFER_GRANULE,
            max_mtu: LONGEST_FRAME - FCS - FRAME_OVERHEAD,
            unicast_filters: self.chip.receive_addresses() as usize - 1,
        }
    }

    fn reset<D: Device>(&self, mmio: &Mmio<D>) -> Result<()> {
        reset::reset(mmio)
    }

    fn init<D: Device>(&self, mmio: &Mmio<D>, mac: MacAddress, config: &PortConfig) -> Result<()> {
        init::global(mmio, self.chip, mac, config);
        Ok(())
    }

    fn set_filter<D: Device>(&self, mmio: &Mmio<D>, mac: MacAddress, filter: &Filter) {
        init::set_filter(mmio, self.chip, mac, filter);
    }

    fn start_link<D: Device>(&self, mmio: &Mmio<D>) -> Result<()> {
        link::start(mmio, self.chip, self.port)
    }

    fn link<D: Device>(&self, mmio: &Mmio<D>) -> Link {
        gigabit::link(mmio)
    }

    fn count<D: Device>(&self, mmio: &Mmio<D>, stats: &mut PortStats) {
        stats::count(mmio, self.chip, stats);
    }

    fn start_rx<D: Device>(&self, mmio: &Mmio<D>, queue: u32, ring: RingPlace, setup: RxSetup) -> Result<()> {
        queues::start_rx(mmio, self.chip, queue, ring, setup);
        Ok(())
    }

    fn enable_receive<D: Device>(&self, mmio: &Mmio<D>, queues: u32) -> Result<()> {
        queues::enable_receive(mmio, queues)
    }

    fn enable_transmit<D: Device>(&self, mmio: &Mmio<D>) {
        mmio.modify(TCTL, |value| value.with_enable(true));
    }

    fn start_tx<D: Device>(&self, mmio: &Mmio<D>, queue: u32, ring: RingPlace) -> Result<()> {
        queues::start_tx(mmio, queue, ring)
    }

    fn stop_rx<D: Device>(&self, mmio: &Mmio<D>, queue: u32) -> Result<()> {
        queues::stop_rx(mmio, queue)
    }

    fn stop_tx<D: Device>(&self, mmio: &Mmio<D>, queue: u32) -> Result<()> {
        queues::stop_tx(mmio, queue)
    }

    fn silence<D: Device>(&self, mmio: &Mmio<D>) {
        mmio.modify(RCTL, |value| value.with_enable(false));
        mmio.modify(TCTL, |value| value.with_enable(false));
        mmio.modify(CTRL_EXT, |value| value.with_driver_loaded(false));
    }

    fn init_interrupts<D: Device>(&self, mmio: &Mmio<D>, queues: u32) {
        interrupts::init(mmio, self.chip, queues);
    }

    fn unmask_rx<D: Device>(&self, mmio: &Mmio<D>, queue: u32) {
        interrupts::unmask(mmio, queue);
    }

    fn mask_rx<D: Device>(&self, mmio: &Mmio<D>, queue: u32) {
        interrupts::mask(mmio, queue);
    }
}
