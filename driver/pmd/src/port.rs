//! A port's life, in types.
//!
//! ```text
//!   Port::probe ──► Port<Probed> ──configure──► Port<Configured> ──start──► Control + Queues
//!                                     ▲                  ▲                        │
//!                                     └────configure─────┴──────────stop──────────┘
//! ```
//!
//! While a port runs its queues are in the hands of the cores that poll them, and [`Control`] stays with whoever manages it. Stopping
//! takes both back; then every buffer is home.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gannet_bus::{Condition, Device, DmaFault};
use gannet_mempool::dma::{DmaMapper, External};
use gannet_spec::RegisterValue;

use crate::cards::{self, Card};
use crate::config::{Limits, PortConfig};
use crate::e1000e::E1000e;
use crate::filter::{Filter, MacAddress};
use crate::igb::Igb;
use crate::ixgbe::Ixgbe;
use crate::nic::Nic;
use crate::queue::Queues;
use crate::stats::{PortStats, QueueCounters, RxQueueStats, TxQueueStats};
use crate::tap::TapPoint;
use crate::{Error, Result};

/// What a driver does for a port. One implementation a family of cards.
pub(crate) trait Driver: Send {
    fn info(&self) -> &PortInfo;

    fn limits(&self) -> Limits;

    /// Brings the card from reset state to running, with queues as configured.
    fn start(&mut self, config: &PortConfig) -> Result<Started>;

    /// Stops what the queues share. The queues have been stopped before.
    fn stop(&mut self) -> Result<()>;

    /// The way to memory that all mappings of the port go.
    fn dma(&self) -> &Arc<dyn DmaMapper>;

    fn link(&self) -> Link;

    fn delay(&self, time: Duration);

    fn condition(&self) -> Condition;

    fn dma_faults(&self) -> Vec<DmaFault>;

    fn set_filter(&mut self, filter: &Filter);

    /// The registers that a look does not change.
    fn registers(&self) -> Result<Vec<RegisterValue>>;

    /// The card's counters since probing.
    fn stats(&mut self) -> PortStats;
}

/// What [`Driver::start`] gives.
pub(crate) struct Started {
    pub(crate) queues: Queues,
    pub(crate) counters: QueueCounters,
    pub(crate) taps: Vec<TapPoint>,
}

/// A port in a state `S`: [`Probed`] or [`Configured`].
pub struct Port<S> {
    driver: Box<dyn Driver>,
    state: S,
}

/// The card has been reset and identified.
#[derive(Debug)]
pub struct Probed(());

/// The port has a configuration that its card can run.
#[derive(Debug)]
pub struct Configured(PortConfig);

/// Who a port is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortInfo {
    /// Name of the device, as in `--port`.
    pub name: Arc<str>,
    /// The kind of card.
    pub card: &'static Card,
    /// Its own address.
    pub mac: MacAddress,
    /// NUMA node that it is attached to.
    pub numa_node: Option<u32>,
}

/// State of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// No signal, or not yet negotiated.
    Down,
    /// Up, at this speed.
    Up {
        /// Megabits a second.
        mbps: u32,
    },
}

impl Port<Probed> {
    /// Resets the device and finds out what it is.
    ///
    /// # Errors
    /// No driver for it, or a card that does not come out of reset as it should.
    pub fn probe<D: Device>(device: D) -> Result<Port<Probed>> {
        let id = device.id()?;
        let Some(card) = cards::find(id) else {
            return Err(Error::Unsupported { port: device.name().into(), vendor: id.vendor, device: id.device });
        };
        let driver: Box<dyn Driver> = match card.driver {
            cards::Pmd::Igb => Box::new(Nic::<D, Igb>::probe(device, card)?),
            cards::Pmd::Ixgbe => Box::new(Nic::<D, Ixgbe>::probe(device, card)?),
            cards::Pmd::E1000e => Box::new(Nic::<D, E1000e>::probe(device, card)?),
        };
        Ok(Port { driver, state: Probed(()) })
    }
}

impl<S> Port<S> {
    /// Who it is.
    pub fn info(&self) -> &PortInfo {
        self.driver.info()
    }

    /// Whether its card can run a configuration. [`Self::configure`] asks too, but closes the port that it refuses.
    ///
    /// # Errors
    /// [`Error::Config`] with what the card can, [`Error::BuffersTooSmall`] for the MTU.
    pub fn check(&self, config: &PortConfig) -> Result<()> {
        config.check(&self.driver.info().name, &self.driver.limits())
    }

    /// The card's registers: see [`Control::registers`].
    ///
    /// # Errors
    /// The card is gone.
    pub fn registers(&self) -> Result<Vec<RegisterValue>> {
        self.driver.registers()
    }

    /// Gives it a configuration.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn configure(self, config: PortConfig) -> Result<Port<Configured>> {
        self.check(&config)?;
        Ok(Port { driver: self.driver, state: Configured(config) })
    }
}

impl Port<Configured> {
    /// Starts the card and hands out its queues. The link may come up later: [`Control::wait_for_link`].
    ///
    /// # Errors
    /// Memory that cannot be mapped, a pool too small for the rings, a card that does not do as it should.
    pub fn start(mut self) -> Result<(Control, Queues)> {
        let Started { queues, counters, taps } = self.driver.start(&self.state.0)?;
        Ok((Control { driver: self.driver, config: self.state.0, counters, taps }, queues))
    }
}

/// The management side of a running port.
pub struct Control {
    driver: Box<dyn Driver>,
    config: PortConfig,
    counters: QueueCounters,
    taps: Vec<TapPoint>,
}

impl Control {
    /// Who it is.
    pub fn info(&self) -> &PortInfo {
        self.driver.info()
    }

    /// State of the link.
    pub fn link(&self) -> Link {
        self.driver.link()
    }

    /// Waits until the link is up, at most `patience`, and returns its state then.
    pub fn wait_for_link(&self, patience: Duration) -> Link {
        const LOOK_EVERY: Duration = Duration::from_millis(1);
        let mut waited = Duration::ZERO;
        loop {
            let link = self.driver.link();
            if link != Link::Down || waited >= patience {
                return link;
            }
            self.driver.delay(LOOK_EVERY);
            waited += LOOK_EVERY;
        }
    }

    /// Whether its card can run a configuration: see [`Port::check`].
    ///
    /// # Errors
    /// As there.
    pub fn check(&self, config: &PortConfig) -> Result<()> {
        config.check(&self.driver.info().name, &self.driver.limits())
    }

    /// Replaces the address filter. Frames that arrive meanwhile pass the old one, the new one, or none.
    ///
    /// # Errors
    /// [`Error::Config`] with what the card can.
    pub fn set_filter(&mut self, filter: Filter) -> Result<()> {
        filter.check(&self.driver.info().name, &self.driver.limits())?;
        self.driver.set_filter(&filter);
        self.config.filter = filter;
        Ok(())
    }

    /// Lets the card read `memory`, so that packets of it ([`crate::Packet::from_external`]) are sent without a copy. It stays mapped, also while the
    /// port is stopped, until [`Self::unmap`] or until its last handle is gone.
    ///
    /// Done once for a file or a cache of answers, not for each packet: it is a system call, and IOTLB entries that the card has to load. The
    /// kernel's counterpart for a single send is `dma_map_single`, DPDK's `rte_extmem_register` and `rte_dev_dma_map`.
    ///
    /// ```no_run
    /// # fn answer(control: gannet::Control, mut queues: gannet::Queues, pool: gannet::Pool, header: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    /// use gannet::{Burst, Completion, External, Packet};
    ///
    /// let file = External::file(&std::fs::File::open("index.html")?)?;
    /// control.map(&file)?;
    ///
    /// // A header of its own in front of the file's first bytes.
    /// let mut packet = pool.alloc().ok_or("no buffer")?;
    /// packet.append(header.len())?.copy_from_slice(header);
    /// let payload = Packet::from_external(&pool, &file, 0, file.len().min(1400))?;
    /// packet.append_segment(payload).map_err(|(why, _)| why)?;
    ///
    /// let (completion, token) = Completion::new();
    /// packet.complete_with(token)?;
    /// let mut burst = Burst::new(1);
    /// burst.push(packet).map_err(|_| "no room")?;
    /// while !completion.is_done() {
    ///     // Sends, and brings home what has been sent.
    ///     queues.tx[0].send(&mut burst);
    /// }
    /// assert_eq!(completion.copied(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The IOMMU, or a software card, cannot map it: a [`crate::PortConfig::bounce`] pool takes it then.
    #[track_caller]
    pub fn map(&self, memory: &External) -> Result<()> {
        Ok(memory.map(self.driver.dma())?)
    }

    /// Takes `memory` from the card again. Not mapped is fine too.
    ///
    /// # Errors
    /// Packets refer to it: wait for their completion.
    pub fn unmap(&self, memory: &External) -> Result<()> {
        Ok(memory.unmap(self.driver.dma())?)
    }

    /// Whether the card can be used on. Unless it is [`Condition::Present`], drop this port's queues and its `Control` soon: a machine that
    /// wants a card back waits for that.
    pub fn condition(&self) -> Condition {
        self.driver.condition()
    }

    /// Accesses of the card to memory that was not mapped for it since the last call, as far as the bus tells. The IOMMU has refused
    /// them: memory is unharmed, frames are lost. A card that has done so may need a restart of the port.
    pub fn dma_faults(&self) -> Vec<DmaFault> {
        self.driver.dma_faults()
    }

    /// The card's counters since it was probed. Call it at least every 50 s: the card's own registers are 32 or 36 bits wide (82599: 36 bits of
    /// bytes, 55 s at 10 Gb/s) and do not tell when they overflow.
    pub fn stats(&mut self) -> PortStats {
        self.driver.stats()
    }

    /// The card's registers and what they hold, as far as a look does not change them: no statistics, no interrupt causes, no semaphores
    /// ([`crate::Pmd::registers`]). To be shown to people, while the port runs too; some thousand reads over the bus, of which the queues see nothing.
    /// The arrays are those of the family's largest chip: on smaller ones what lies beyond their queues means nothing.
    ///
    /// The counterparts are `ethtool -d` and DPDK's `rte_eth_dev_get_reg_info`.
    ///
    /// # Errors
    /// The card is gone, before or meanwhile: the ones that it reads as are no content.
    pub fn registers(&self) -> Result<Vec<RegisterValue>> {
        self.driver.registers()
    }

    /// The counters of each receive queue.
    pub fn rx_stats(&self) -> impl Iterator<Item = RxQueueStats> + '_ {
        self.counters.rx_stats()
    }

    /// The counters of each transmit queue.
    pub fn tx_stats(&self) -> impl Iterator<Item = TxQueueStats> + '_ {
        self.counters.tx_stats()
    }

    /// The queues' counters, to be read when this value is gone.
    pub fn counters(&self) -> QueueCounters {
        self.counters.clone()
    }

    /// A place on each queue where a capture can be attached and detached while it runs; receive queues first. They stay of use when this
    /// value is gone.
    pub fn taps(&self) -> &[TapPoint] {
        &self.taps
    }

    /// Takes the queues back, lets the card send what it has been given, and stops it. Afterwards every buffer is home.
    ///
    /// # Errors
    /// A queue of another port, a queue that is still out, or a card that does not stop. Either way all queues handed in are stopped or
    /// their DMA is cut off, their buffers are home, and the port is closed: probe the device anew, once no queue is left.
    pub fn stop(mut self, queues: Queues) -> Result<Port<Configured>> {
        let name = &self.driver.info().name;
        let ports = queues.rx.iter().map(|queue| &queue.port).chain(queues.tx.iter().map(|queue| &queue.port));
        for port in ports {
            if !Arc::ptr_eq(port, name) {
                return Err(Error::ForeignQueue { port: name.to_string(), other: port.to_string() });
            }
        }
        let mut outcome = Ok(());
        for mut queue in queues.tx {
            outcome = outcome.and(queue.driver.stop());
        }
        for mut queue in queues.rx {
            outcome = outcome.and(queue.driver.stop());
        }
        outcome.and(self.driver.stop())?;
        Ok(Port { driver: self.driver, state: Configured(self.config) })
    }
}

impl<S: fmt::Debug> fmt::Debug for Port<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("info", self.info()).field("state", &self.state).finish()
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("info", self.info()).field("link", &self.link()).finish()
    }
}
