//! The driver of the 82599 family.
//!
//! [`reset`] brings the card from anything to a known state, [`init`] from there to running; [`rx`] and [`tx`] are the data path. The order
//! of register accesses is the datasheet's (4.6); its sections are cited where they are followed. Not done: reading the SFP+ module
//! over I2C and its analog initialisation list (the link mode that the EEPROM loads is kept), receive side coalescing, DCB, virtual
//! functions.

mod init;
mod metadata;
mod reset;
mod rx;
mod stats;
mod tx;

use std::sync::Arc;
use std::time::Duration;

use gannet_bus::Device;
use gannet_bus::descriptors::{DescriptorRing, RingMemory};
use gannet_bus::pci::{self, BusMaster, PciId};
use gannet_mempool::dma::DmaTable;
use gannet_mempool::region::RegionOptions;
use gannet_spec::x82599::regs::{CTRL_EXT, FCTRL, LINKS, Links, RXCTRL, STATUS};
use gannet_spec::x82599::{self, regs};

use crate::config::{Limits, PortConfig, Promiscuous};
use crate::mmio::Mmio;
use crate::port::{Driver, Link, PortInfo, Started};
use crate::queue::{Queues, RxQueue, TxQueue};
use crate::stats::{PortStats, RxCounters, TxCounters};
use crate::{Error, Result};

/// Receive queues that the RSS redirection table can name (4-bit entries).
const RSS_QUEUES: usize = 16;

/// Transmit queues without DCB and virtualisation (MTQC = 0).
const TX_QUEUES: usize = 64;

/// Granule of the receive buffer size (SRRCTL.BSIZEPACKET).
const BUFFER_GRANULE: u16 = 1024;

/// Whether this driver knows the device.
pub(crate) fn supports(id: PciId) -> bool {
    id.vendor == x82599::VENDOR && id.device == x82599::DEVICE_82599_SFP
}

/// What queues and management share.
struct Hardware<D: Device> {
    mmio: Mmio<D>,
}

impl<D: Device> Hardware<D> {
    /// Stops all DMA in configuration space, for a card that does not obey. Its buffers are safe afterwards.
    fn cut_off(&self) {
        if let Err(why) = pci::set_bus_master(&self.mmio.device, BusMaster::Off) {
            // Configuration space is unreachable only for a device that is gone, and that does no DMA.
            tracing::warn!("{}: cutting off its DMA: {why}", self.mmio.name());
        }
    }
}

impl<D: Device> Drop for Hardware<D> {
    fn drop(&mut self) {
        // The last one out: no queue is left, so nothing is lost, and the card falls silent. The firmware has it to itself again.
        self.mmio.write(RXCTRL, regs::Rxctrl::new());
        self.mmio.modify(CTRL_EXT, |value| value.with_driver_loaded(false));
        self.cut_off();
    }
}

/// A card of the family.
pub(crate) struct Ixgbe<D: Device> {
    hardware: Arc<Hardware<D>>,
    info: PortInfo,
    stats: PortStats,
    /// Set by the first start; a later one has a used card before it.
    started: bool,
}

impl<D: Device> Ixgbe<D> {
    /// Opens the register BAR, resets the card and reads its EEPROM.
    pub(crate) fn probe(device: D) -> Result<Self> {
        // Whoever had the card before may have left queues running: no DMA until it starts for us.
        pci::set_bus_master(&device, BusMaster::Off)?;
        let bar = device.bar(0)?;
        let mmio = Mmio::new(device, bar, STATUS.offset());
        if mmio.is_gone() {
            return Err(gannet_bus::Error::Gone { device: mmio.name().to_owned() }.into());
        }
        reset::reset(&mmio)?;
        let mac = reset::read_mac_address(&mmio)?;
        let info = PortInfo {
            name: mmio.name().into(),
            model: "Intel 82599 10 GbE SFP+",
            mac,
            numa_node: mmio.device.numa_node(),
        };
        stats::clear(&mmio);
        let hardware = Arc::new(Hardware { mmio });
        Ok(Ixgbe { hardware, info, stats: PortStats::default(), started: false })
    }

    /// One region for all descriptor rings of the port, mapped for the card: (memory, offset of each ring).
    fn ring_memory(&self, config: &PortConfig) -> Result<(Arc<RingMemory>, Vec<usize>)> {
        let sizes =
            config.rx.iter().map(|queue| queue.descriptors).chain(config.tx.iter().map(|queue| queue.descriptors));
        let mut offsets = Vec::new();
        let mut bytes = 0;
        for descriptors in sizes {
            offsets.push(bytes);
            bytes += DescriptorRing::bytes(descriptors);
        }
        let options = RegionOptions { numa_node: self.info.numa_node, ..RegionOptions::default() };
        let memory = RingMemory::new(self.hardware.mmio.device.dma(), bytes, options)?;
        Ok((memory, offsets))
    }

    /// The pools that the card can reach.
    fn map_pools(&self, config: &PortConfig) -> Result<DmaTable> {
        let mapper = self.hardware.mmio.device.dma();
        let mut table = DmaTable::new();
        for pool in config.rx.iter().map(|queue| &queue.pool).chain(&config.tx_pools) {
            table.map(pool, &mapper)?;
        }
        Ok(table)
    }
}

impl<D: Device> Driver for Ixgbe<D> {
    fn info(&self) -> &PortInfo {
        &self.info
    }

    fn limits(&self) -> Limits {
        Limits { rx_queues: RSS_QUEUES, tx_queues: TX_QUEUES, min_buffer: BUFFER_GRANULE }
    }

    fn start(&mut self, config: &PortConfig) -> Result<Started> {
        let mmio = &self.hardware.mmio;
        if mmio.is_gone() {
            return Err(gannet_bus::Error::Gone { device: mmio.name().to_owned() }.into());
        }
        if self.started {
            // The counters would be lost with the reset.
            stats::accumulate(mmio, &mut self.stats);
            reset::reset(mmio)?;
        }
        self.started = true;
        // Only now: a queue that did not stop and was cut off has forgotten its ring.
        pci::set_bus_master(&mmio.device, BusMaster::On)?;
        init::global(mmio, self.info.mac, config);

        let dma = self.map_pools(config)?;
        let (memory, offsets) = self.ring_memory(config)?;
        let mut offsets = offsets.into_iter();
        let mut ring = |descriptors| DescriptorRing::new(&memory, offsets.next().unwrap_or(usize::MAX), descriptors);
        let mut started = Started {
            queues: Queues { rx: Vec::new(), tx: Vec::new() },
            rx_counters: Vec::new(),
            tx_counters: Vec::new(),
        };
        // Queues made so far stop themselves when a later one fails.
        for (index, queue) in (0..).zip(&config.rx) {
            let counters = Arc::<RxCounters>::default();
            let driver = Box::new(rx::IxgbeRx::start(
                self.hardware.clone(),
                index,
                ring(queue.descriptors)?,
                &dma,
                config,
                counters.clone(),
            )?);
            started.queues.rx.push(RxQueue { port: self.info.name.clone(), driver, counters: counters.clone() });
            started.rx_counters.push(counters);
        }
        init::enable_receive(mmio)?;
        init::enable_transmit(mmio);
        for (index, queue) in (0..).zip(&config.tx) {
            let counters = Arc::<TxCounters>::default();
            let ring = ring(queue.descriptors)?;
            let driver =
                Box::new(tx::IxgbeTx::start(self.hardware.clone(), index, ring, dma.clone(), counters.clone())?);
            started.queues.tx.push(TxQueue { port: self.info.name.clone(), driver, counters: counters.clone() });
            started.tx_counters.push(counters);
        }
        init::start_link(mmio)?;
        Ok(started)
    }

    fn stop(&mut self) -> Result<()> {
        // A queue that is still out would ring the bells of its successor after the next start.
        if Arc::get_mut(&mut self.hardware).is_none() {
            return Err(Error::QueuesOut { port: self.info.name.to_string() });
        }
        init::stop_engines(&self.hardware.mmio);
        if self.hardware.mmio.is_gone() {
            return Err(gannet_bus::Error::Gone { device: self.info.name.to_string() }.into());
        }
        Ok(pci::set_bus_master(&self.hardware.mmio.device, BusMaster::Off)?)
    }

    fn link(&self) -> Link {
        // The first read only shows that there was a change (sheet, section "Link"): the second one counts.
        self.hardware.mmio.read(LINKS);
        let links: Links = self.hardware.mmio.read(LINKS);
        // All ones is a card that is gone, not one with a perfect link.
        if !links.up() || u32::from(links) == u32::MAX {
            return Link::Down;
        }
        let mbps = match links.speed() {
            1 => 100,
            2 => 1_000,
            _ => 10_000,
        };
        Link::Up { mbps }
    }

    fn delay(&self, time: Duration) {
        self.hardware.mmio.device.delay(time);
    }

    fn set_promiscuous(&mut self, state: Promiscuous) {
        self.hardware.mmio.modify(FCTRL, |value| init::promiscuous(value, state));
    }

    fn stats(&mut self) -> PortStats {
        let mut stats = self.stats;
        stats::accumulate(&self.hardware.mmio, &mut stats);
        // All ones are no counts.
        if !self.hardware.mmio.is_gone() {
            self.stats = stats;
        }
        self.stats
    }
}
