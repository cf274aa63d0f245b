//! A software card as a device on a bus: what a driver gets to see.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gannet_bus::pci::PciId;
use gannet_bus::{Condition, Device, DmaFault, Error, Registers, Result};
use gannet_mempool::dma::DmaMapper;

use crate::clock::Clock;
use crate::iommu::Domain;

/// What a model of a card must answer. Calls come from any thread, at any time.
pub(crate) trait Model: Send + Sync + 'static {
    fn name(&self) -> &str;
    fn clock(&self) -> &Clock;
    fn domain(&self) -> &Arc<Domain>;
    fn read(&self, offset: u32) -> u32;
    fn write(&self, offset: u32, value: u32);
    fn config_read(&self, offset: u16, bytes: &mut [u8]) -> Result<()>;
    fn config_write(&self, offset: u16, bytes: &[u8]) -> Result<()>;
    fn interrupts(&self) -> u16;
    /// Connects as many vectors as there are eventfds, and the others with nothing.
    fn connect_interrupts(&self, signals: Vec<File>) -> Result<()>;
    fn reset(&self) -> Result<()>;
    fn condition(&self) -> Condition;
}

/// A software card, as the driver holds it.
#[derive(Clone)]
pub struct SimDevice(Arc<dyn Model>);

/// Its register BAR.
#[derive(Clone)]
pub struct SimBar(Arc<dyn Model>);

impl SimDevice {
    pub(crate) fn new(model: Arc<dyn Model>) -> SimDevice {
        SimDevice(model)
    }

    /// The clock that the card lives by.
    pub fn clock(&self) -> &Clock {
        self.0.clock()
    }

    /// The IOMMU before it, with its faults.
    pub fn domain(&self) -> &Arc<Domain> {
        self.0.domain()
    }
}

impl Device for SimDevice {
    type Bar = SimBar;

    fn name(&self) -> &str {
        self.0.name()
    }

    fn id(&self) -> Result<PciId> {
        PciId::read(self)
    }

    fn numa_node(&self) -> Option<u32> {
        None
    }

    fn bar(&self, index: u8) -> Result<SimBar> {
        match index {
            0 => Ok(SimBar(self.0.clone())),
            _ => Err(Error::NoBar { device: self.0.name().into(), index }),
        }
    }

    fn config_read(&self, offset: u16, bytes: &mut [u8]) -> Result<()> {
        self.0.config_read(offset, bytes)
    }

    fn config_write(&self, offset: u16, bytes: &[u8]) -> Result<()> {
        self.0.config_write(offset, bytes)
    }

    fn dma(&self) -> Arc<dyn DmaMapper> {
        self.0.domain().clone()
    }

    fn interrupts(&self) -> u16 {
        self.0.interrupts()
    }

    fn connect_interrupts(&self, signals: &[BorrowedFd<'_>]) -> Result<()> {
        let refused = |reason| Error::Interrupts { device: self.name().into(), reason };
        let vectors = self.interrupts();
        if signals.len() > usize::from(vectors) {
            return Err(refused(format!(
                "{} signals, but it has {vectors} vectors: connect at most these",
                signals.len()
            )));
        }
        // Of anything else a write may block; the kernel refuses it too.
        if let Some(place) = signals.iter().position(|signal| !is_eventfd(*signal)) {
            return Err(refused(format!("what is to be connected with vector {place} is no eventfd")));
        }
        let own: io::Result<Vec<File>> =
            signals.iter().map(|signal| signal.try_clone_to_owned().map(File::from)).collect();
        let own = own
            .map_err(|e| refused(format!("duplicating an eventfd: {e}: raise the limit of open files (ulimit -n)")))?;
        self.0.connect_interrupts(own)
    }

    fn reset(&self) -> Result<()> {
        self.0.reset()
    }

    fn condition(&self) -> Condition {
        self.0.condition()
    }

    fn dma_faults(&self) -> Vec<DmaFault> {
        self.0.domain().take_faults().into_iter().map(DmaFault::from).collect()
    }

    fn delay(&self, time: Duration) {
        self.0.clock().advance(time);
    }
}

fn is_eventfd(fd: BorrowedFd<'_>) -> bool {
    let target = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    target.is_ok_and(|target| target == Path::new("anon_inode:[eventfd]"))
}

impl Registers for SimBar {
    #[inline]
    fn read(&self, offset: u32) -> u32 {
        self.0.read(offset)
    }

    #[inline]
    fn write(&self, offset: u32, value: u32) {
        self.0.write(offset, value);
    }
}

impl fmt::Debug for SimDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimDevice").field(&self.0.name()).finish()
    }
}

impl fmt::Debug for SimBar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimBar").field(&self.0.name()).finish()
    }
}
