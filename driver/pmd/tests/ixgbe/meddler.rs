//! A software card behind a man in the middle who answers register reads in its place.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use gannet_bus::pci::PciId;
use gannet_bus::{Condition, Device, DmaFault, Registers, Result};
use gannet_mempool::dma::DmaMapper;
use gannet_sim::{SimBar, SimDevice};

use crate::memory::Memory;

/// An access to a register, before the card sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read(u32),
    Write(u32, u32),
}

type Meddle = Arc<dyn Fn(Access, &SimBar) -> Option<u32> + Send + Sync>;

/// The device. `meddle` sees each access first; what it returns is what a read gives, or swallows a write.
pub(crate) struct Meddled {
    inner: SimDevice,
    meddle: Meddle,
    id: Option<PciId>,
    memory: Option<Arc<Memory>>,
    numa_node: Option<u32>,
}

#[derive(Clone)]
pub(crate) struct MeddledBar {
    inner: SimBar,
    meddle: Meddle,
}

impl Meddled {
    pub(crate) fn new(
        inner: &SimDevice,
        meddle: impl Fn(Access, &SimBar) -> Option<u32> + Send + Sync + 'static,
    ) -> Meddled {
        Meddled { inner: inner.clone(), meddle: Arc::new(meddle), id: None, memory: None, numa_node: None }
    }

    /// The same card under another name.
    pub(crate) fn posing_as(inner: &SimDevice, id: PciId) -> Meddled {
        Meddled { id: Some(id), ..Meddled::new(inner, |_, _| None) }
    }

    /// The same card, all of whose mappings can be looked at.
    pub(crate) fn watched(inner: &SimDevice) -> (Meddled, Arc<Memory>) {
        let memory = Memory::before(inner.dma());
        (Meddled { memory: Some(memory.clone()), ..Meddled::new(inner, |_, _| None) }, memory)
    }

    /// The same card, attached to a NUMA node.
    pub(crate) fn on_node(inner: &SimDevice, node: u32) -> Meddled {
        Meddled { numa_node: Some(node), ..Meddled::new(inner, |_, _| None) }
    }
}

impl Registers for MeddledBar {
    fn read(&self, offset: u32) -> u32 {
        (self.meddle)(Access::Read(offset), &self.inner).unwrap_or_else(|| self.inner.read(offset))
    }

    fn write(&self, offset: u32, value: u32) {
        if (self.meddle)(Access::Write(offset, value), &self.inner).is_none() {
            self.inner.write(offset, value);
        }
    }
}

impl Device for Meddled {
    type Bar = MeddledBar;

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn id(&self) -> Result<PciId> {
        self.id.map_or_else(|| self.inner.id(), Ok)
    }

    fn numa_node(&self) -> Option<u32> {
        self.numa_node.or_else(|| self.inner.numa_node())
    }

    fn bar(&self, index: u8) -> Result<MeddledBar> {
        Ok(MeddledBar { inner: self.inner.bar(index)?, meddle: self.meddle.clone() })
    }

    fn config_read(&self, offset: u16, bytes: &mut [u8]) -> Result<()> {
        self.inner.config_read(offset, bytes)
    }

    fn config_write(&self, offset: u16, bytes: &[u8]) -> Result<()> {
        self.inner.config_write(offset, bytes)
    }

    fn dma(&self) -> Arc<dyn DmaMapper> {
        match &self.memory {
            Some(memory) => memory.clone(),
            None => self.inner.dma(),
        }
    }

    fn interrupts(&self) -> u16 {
        self.inner.interrupts()
    }

    fn connect_interrupts(&self, signals: &[BorrowedFd<'_>]) -> Result<()> {
        self.inner.connect_interrupts(signals)
    }

    fn reset(&self) -> Result<()> {
        self.inner.reset()
    }

    fn condition(&self) -> Condition {
        self.inner.condition()
    }

    fn dma_faults(&self) -> Vec<DmaFault> {
        self.inner.dma_faults()
    }

    fn delay(&self, time: Duration) {
        self.inner.delay(time);
    }
}
