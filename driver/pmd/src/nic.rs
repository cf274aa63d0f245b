//! A card in a driver's hands: probing, starting, stopping, the same for all families.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gannet_bus::descriptors::{DescriptorRing, RingMemory};
use gannet_bus::pci::{self, BusMaster};
use gannet_bus::{Condition, Device, DmaFault, Registers};
use gannet_mempool::dma::{self, Checked, DmaMapper, DmaTable};
use gannet_mempool::region::RegionOptions;
use gannet_spec::RegisterValue;
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::cards::Card;
use crate::config::{Limits, PortConfig, RxInterrupts};
use crate::datapath::{RxRing, TxRing};
use crate::family::Family;
use crate::filter::Filter;
use crate::mmio::Mmio;
use crate::port::{Driver, Link, PortInfo, Started};
use crate::queue::{Queues, RxQueue, TxQueue};
use crate::stats::{PortStats, QueueCounters, RxCounters, TxCounters};
use crate::tap::{Direction, TapSeat};
use crate::{Error, Result};

/// What queues and management share.
pub(crate) struct Hardware<D: Device, F: Family> {
    pub(crate) mmio: Mmio<D>,
    /// The way to memory, one for all: who maps something and who asks where it is mean the same by it.
    pub(crate) dma: Arc<dyn DmaMapper>,
    /// The same, if the tunable `dma.debug` asks for it to be watched.
    checked: Option<Arc<Checked>>,
    pub(crate) family: F,
    /// The card did not stop a queue when it was told to. Its engines may hang (82576: a refused DMA wedges them until the function is reset).
    disobeyed: AtomicBool,
}

impl<D: Device, F: Family> Hardware<D, F> {
    /// Stops all DMA in configuration space, for a card that does not obey. Its buffers are safe afterwards.
    pub(crate) fn cut_off(&self) {
        self.disobeyed.store(true, Ordering::Relaxed);
        self.bus_master_off();
    }

    fn bus_master_off(&self) {
        if let Err(why) = pci::set_bus_master(&self.mmio.device, BusMaster::Off) {
            // Configuration space is unreachable only for a device that is gone, and that does no DMA.
            tracing::warn!("{}: cutting off its DMA: {why}", self.mmio.name());
        }
    }

    fn disconnect_interrupts(&self) {
        if let Err(why) = self.mmio.device.connect_interrupts(&[]) {
            tracing::debug!("{why}");
        }
    }
}

impl<D: Device, F: Family> Drop for Hardware<D, F> {
    fn drop(&mut self) {
        // The last one out: no queue is left, so nothing is lost, and the card falls silent.
        self.disconnect_interrupts();
        self.family.silence(&self.mmio);
        self.bus_master_off();
    }
}

/// A card of family `F`.
pub(crate) struct Nic<D: Device, F: Family> {
    hardware: Arc<Hardware<D, F>>,
    info: PortInfo,
    stats: PortStats,
    /// Set by the first start; a later one has a used card before it.
    started: bool,
}

impl<D: Device, F: Family> Nic<D, F> {
    /// Opens the register BAR, resets the card and finds out its address.
    pub(crate) fn probe(device: D, card: &'static Card) -> Result<Self> {
        // Whoever had the card before may have left queues running: no DMA until it starts for us.
        pci::set_bus_master(&device, BusMaster::Off)?;
        let bar = device.bar(0)?;
        let mmio = Mmio::new(device, bar, F::ALIVE);
        mmio.check_present()?;
        let (family, mac) = F::probe(&mmio, card)?;
        if card.tested_on.is_none() {
            tracing::warn!(
                "{}: no test has ever run on an {}: the driver follows its datasheet",
                mmio.name(),
                card.name
            );
        }
        let info = PortInfo { name: mmio.name().into(), card, mac, numa_node: mmio.device.numa_node() };
        // Throws away what was counted before.
        family.count(&mmio, &mut PortStats::default());
        let (dma, checked) = dma::mapper(mmio.device.dma());
        let hardware = Arc::new(Hardware { mmio, dma, checked, family, disobeyed: AtomicBool::new(false) });
        Ok(Nic { hardware, info, stats: PortStats::default(), started: false })
    }

    /// Brings a used card back to the state after power-up.
    fn reset(&mut self) -> Result<()> {
        // The counters would be lost with the reset.
        self.count();
        let Hardware { mmio, family, disobeyed, .. } = &*self.hardware;
        if disobeyed.load(Ordering::Relaxed) {
            match mmio.device.reset() {
                Ok(()) => disobeyed.store(false, Ordering::Relaxed),
                Err(why) => tracing::warn!("{why}: going on with a reset by the card's own register"),
            }
        }
        family.reset(mmio)
    }

    /// Adds what the card has counted since the last time.
    fn count(&mut self) {
        let mut stats = self.stats;
        self.hardware.family.count(&self.hardware.mmio, &mut stats);
        // All ones are no counts.
        if !self.hardware.mmio.is_gone() {
            self.stats = stats;
        }
    }

    /// One region for all descriptor rings of the port, on the card's NUMA node, mapped for the card: (memory, offset of each ring).
    fn ring_memory(&self, config: &PortConfig) -> Result<(Arc<RingMemory>, Vec<usize>)> {
        let sizes =
            config.rx.iter().map(|queue| queue.descriptors).chain(config.tx.iter().map(|queue| queue.descriptors));
        let mut offsets = Vec::new();
        let mut bytes = 0;
        for descriptors in sizes {
            offsets.push(bytes);
            bytes += DescriptorRing::bytes(descriptors);
        }
        let allocate = |numa_node| {
            let options = RegionOptions { numa_node, ..RegionOptions::default() };
            RingMemory::new(self.hardware.dma.clone(), bytes, options)
        };
        let memory = match (allocate(self.info.numa_node), self.info.numa_node) {
            (Err(why), Some(node)) => {
                tracing::warn!(
                    "{}: descriptor rings elsewhere than on the card's NUMA node {node}, which costs some speed: {why}",
                    self.info.name
                );
                allocate(None)
            }
            (memory, _) => memory,
        };
        Ok((memory?, offsets))
    }

    /// The pools that the card can reach.
    fn map_pools(&self, config: &PortConfig) -> Result<DmaTable> {
        let mapper = &self.hardware.dma;
        let mut table = DmaTable::new();
        for pool in config.rx.iter().map(|queue| &queue.pool).chain(&config.tx_pools) {
            table.map(pool, mapper)?;
        }
        if let Some(pool) = &config.bounce {
            table.bounce_into(pool, mapper)?;
        }
        Ok(table)
    }

    /// An eventfd for each receive queue, connected to the vector of its number, if the port is to have interrupts.
    fn connect_interrupts(&self, config: &PortConfig) -> Result<Vec<Option<EventFd>>> {
        let Hardware { mmio, family, .. } = &*self.hardware;
        let queues = config.rx.len();
        if config.rx_interrupts == RxInterrupts::Off {
            return Ok((0..queues).map(|_| None).collect());
        }
        let vectors = mmio.device.interrupts();
        if usize::from(vectors) < queues {
            let reason = format!("{queues} receive queues need as many interrupts, it has {vectors}: poll instead");
            return Err(Error::Config { port: mmio.name().to_owned(), reason });
        }
        let made: Result<Vec<_>> = (0..queues)
            .map(|_| {
                EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(|errno| {
                    let reason = format!("an eventfd: {errno}");
                    gannet_bus::Error::Interrupts { device: mmio.name().to_owned(), reason }.into()
                })
            })
            .collect();
        let signals = made?;
        let descriptors: Vec<_> = signals.iter().map(std::os::fd::AsFd::as_fd).collect();
        mmio.device.connect_interrupts(&descriptors)?;
        family.init_interrupts(mmio, queues as u32);
        Ok(signals.into_iter().map(Some).collect())
    }

    fn start_rx(
        &self,
        config: &PortConfig,
        dma: &DmaTable,
        rings: &mut impl FnMut(u32) -> Result<DescriptorRing>,
        started: &mut Started,
    ) -> Result<()> {
        let signals = self.connect_interrupts(config)?;
        let mut queues = Vec::new();
        // Queues made so far stop themselves when a later one fails.
        for ((index, queue), signal) in (0..).zip(&config.rx).zip(signals) {
            let counters = Arc::<RxCounters>::default();
            let ring = rings(queue.descriptors)?;
            queues.push(RxRing::start(self.hardware.clone(), index, ring, dma, config, signal, counters)?);
        }
        let Hardware { mmio, family, .. } = &*self.hardware;
        family.enable_receive(mmio, queues.len() as u32)?;
        for queue in queues {
            queue.ring_doorbell();
            let counters = queue.counters().clone();
            started.counters.rx.push(counters.clone());
            let (seat, point) = TapSeat::new(&self.info, Direction::Rx, started.queues.rx.len());
            started.taps.push(point);
            let driver = Box::new(queue);
            started.queues.rx.push(RxQueue { port: self.info.name.clone(), driver, counters, seat });
        }
        Ok(())
    }

    fn start_tx(
        &self,
        config: &PortConfig,
        dma: &DmaTable,
        rings: &mut impl FnMut(u32) -> Result<DescriptorRing>,
        started: &mut Started,
    ) -> Result<()> {
        let Hardware { mmio, family, .. } = &*self.hardware;
        family.enable_transmit(mmio);
        for (index, queue) in (0..).zip(&config.tx) {
            let counters = Arc::<TxCounters>::default();
            let ring = rings(queue.descriptors)?;
            let (hardware, dma) = (self.hardware.clone(), dma.clone());
            let driver = Box::new(TxRing::start(hardware, index, ring, dma, config, counters.clone())?);
            started.counters.tx.push(counters.clone());
            let (seat, point) = TapSeat::new(&self.info, Direction::Tx, started.queues.tx.len());
            started.taps.push(point);
            started.queues.tx.push(TxQueue { port: self.info.name.clone(), driver, counters, seat });
        }
        Ok(())
    }
}

impl<D: Device, F: Family> Driver for Nic<D, F> {
    fn info(&self) -> &PortInfo {
        &self.info
    }

    fn limits(&self) -> Limits {
        self.hardware.family.limits()
    }

    fn start(&mut self, config: &PortConfig) -> Result<Started> {
        self.hardware.mmio.check_present()?;
        if self.started {
            self.reset()?;
        }
        self.started = true;
        let Hardware { mmio, family, .. } = &*self.hardware;
        // Only now: a queue that did not stop and was cut off has forgotten its ring.
        pci::set_bus_master(&mmio.device, BusMaster::On)?;
        family.init(mmio, self.info.mac, config)?;

        let dma = self.map_pools(config)?;
        let (memory, offsets) = self.ring_memory(config)?;
        let mut offsets = offsets.into_iter();
        let mut rings =
            |descriptors| Ok(DescriptorRing::new(&memory, offsets.next().unwrap_or(usize::MAX), descriptors)?);
        let queues = Queues { rx: Vec::new(), tx: Vec::new() };
        let mut started = Started { queues, counters: QueueCounters::default(), taps: Vec::new() };
        self.start_rx(config, &dma, &mut rings, &mut started)?;
        self.start_tx(config, &dma, &mut rings, &mut started)?;
        family.start_link(mmio)?;
        Ok(started)
    }

    fn stop(&mut self) -> Result<()> {
        // A queue that is still out would ring the bells of its successor after the next start.
        if Arc::get_mut(&mut self.hardware).is_none() {
            return Err(Error::QueuesOut { port: self.info.name.to_string() });
        }
        self.hardware.disconnect_interrupts();
        self.hardware.family.silence(&self.hardware.mmio);
        self.hardware.mmio.check_present()?;
        Ok(pci::set_bus_master(&self.hardware.mmio.device, BusMaster::Off)?)
    }

    fn dma(&self) -> &Arc<dyn DmaMapper> {
        &self.hardware.dma
    }

    fn link(&self) -> Link {
        self.hardware.family.link(&self.hardware.mmio)
    }

    fn condition(&self) -> Condition {
        self.hardware.mmio.device.condition()
    }

    fn dma_faults(&self) -> Vec<DmaFault> {
        let faults = self.hardware.mmio.device.dma_faults();
        for (fault, checked) in faults.iter().zip(self.hardware.checked.iter().cycle()) {
            tracing::warn!("{}: {fault:?}: {}", self.info.name, checked.explain(fault.iova));
        }
        faults
    }

    fn delay(&self, time: Duration) {
        self.hardware.mmio.device.delay(time);
    }

    fn set_filter(&mut self, filter: &Filter) {
        self.hardware.family.set_filter(&self.hardware.mmio, self.info.mac, filter);
    }

    fn registers(&self) -> Result<Vec<RegisterValue>> {
        let mmio = &self.hardware.mmio;
        let registers = self.info.card.driver.registers();
        let values = registers.iter().flat_map(|named| named.values(|offset| mmio.bar.read(offset))).collect();
        // Last: a card that leaves in the middle reads as ones from there on.
        mmio.check_present()?;
        Ok(values)
    }

    fn stats(&mut self) -> PortStats {
        self.count();
        self.stats
    }
}
