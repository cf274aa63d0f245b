//! The traits that a bus implements.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use gannet_mempool::dma::{DmaMapper, Iova};

use crate::Result;
use crate::pci::PciId;

/// A memory BAR: 32-bit registers at 4-byte aligned offsets.
///
/// On hardware an access is one volatile instruction on a mapped page; the drivers are generic over this trait so that nothing
/// is added to it. A device that is gone reads as all ones and ignores writes, as PCI Express does.
///
/// Ordering: [`Self::write`] is a release of all earlier stores to memory shared with the device (a descriptor written
/// before a tail register is seen by the device that sees the tail).
pub trait Registers: Clone + Send + Sync + 'static {
    /// Reads the register at `offset`; all ones beyond the BAR or when the device is gone.
    fn read(&self, offset: u32) -> u32;

    /// Writes the register at `offset`; ignored beyond the BAR or when the device is gone.
    fn write(&self, offset: u32, value: u32);
}

/// Whether a device can be used on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It can.
    Present,
    /// The machine wants it back (hot-unplug, unbinding): the request waits until all of this process's handles to it are dropped.
    Wanted,
    /// It is gone.
    Gone,
}

/// An access of a device that its IOMMU has refused: memory is unharmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DmaFault {
    /// Where it wanted to go.
    pub iova: Iova,
    /// What it wanted there.
    pub access: DmaAccess,
}

/// Direction of a device's access to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DmaAccess {
    /// From memory.
    Read,
    /// To memory.
    Write,
}

impl fmt::Display for DmaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = match self.access {
            DmaAccess::Read => "read of",
            DmaAccess::Write => "write to",
        };
        write!(f, "the IOMMU has refused its {access} address {:#x}, which is not mapped for it", self.iova.0)
    }
}

/// A PCI device in the hands of this process.
pub trait Device: Send + Sync + 'static {
    /// How its registers are reached.
    type Bar: Registers;

    /// Its name, as in `--port` ("pci:0000:01:00.0", "sim:ixgbe#0").
    fn name(&self) -> &str;

    /// Vendor, device, subsystem, revision.
    ///
    /// # Errors
    /// Configuration space that cannot be read.
    fn id(&self) -> Result<PciId>;

    /// The NUMA node that it is attached to, if the machine has several.
    fn numa_node(&self) -> Option<u32>;

    /// Opens memory BAR `index`.
    ///
    /// # Errors
    /// No such BAR.
    fn bar(&self, index: u8) -> Result<Self::Bar>;

    /// Reads configuration space from byte `offset` on.
    ///
    /// # Errors
    /// Beyond its end, or the device is gone.
    fn config_read(&self, offset: u16, bytes: &mut [u8]) -> Result<()>;

    /// Writes configuration space from byte `offset` on.
    ///
    /// # Errors
    /// As [`Self::config_read`].
    fn config_write(&self, offset: u16, bytes: &[u8]) -> Result<()>;

    /// The IOMMU that stands before it. The device reaches only what is mapped here.
    fn dma(&self) -> Arc<dyn DmaMapper>;

    /// Message-signalled interrupts (MSI-X vectors) that it has. 0: it has none, or its bus carries none.
    fn interrupts(&self) -> u16;

    /// Connects vector n with eventfd `signals[n]`, for all of them, and the other vectors with nothing. An empty list
    /// disconnects all. A reset of the function disconnects them too.
    ///
    /// # Errors
    /// More signals than vectors, or the bus refuses.
    fn connect_interrupts(&self, signals: &[BorrowedFd<'_>]) -> Result<()>;

    /// Resets the function (PCI Express 6.6.2, or what the bus has in its place): queues, registers and interrupts are as after power-up.
    ///
    /// # Errors
    /// The device cannot be reset, or is gone.
    fn reset(&self) -> Result<()>;

    /// What stands between this process and the device's further use.
    fn condition(&self) -> Condition;

    /// Accesses of the device that the IOMMU has refused since the last call, as far as the bus can tell. A driver's or a device's
    /// mistake either way.
    fn dma_faults(&self) -> Vec<DmaFault>;

    /// Waits at least this long in the device's time. A stepped software card advances its clock instead of sleeping.
    fn delay(&self, time: Duration);
}
