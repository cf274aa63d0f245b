//! Cards behind VFIO: the kernel hands a PCI function to this process, behind the IOMMU.
//!
//! ```text
//!   VfioDevice ──► Function (the card's file) ──► Membership ──► VfioContainer ──► Type1 (groups)
//!   Bar ─────────────┘ unmapped first              its group       mappings: one a region
//! ```
//!
//! [`VfioDevice::open`] needs a card that is bound to vfio-pci (`nicctl bind`), and no privilege but access to its group's file and enough
//! memory that may be locked. What is missing is said by [`Refusal`] or [`gannet_mempool::Error::DmaMap`], with the command that mends it.
//! Binding is not done here, nor is there a mode without an IOMMU. Cards are opened by IOMMU group (Type1v2); the feature `iommufd`, untested, opens
//! them one by one where the kernel can.

mod bar;
mod capability;
mod container;
mod faults;
mod function;
#[cfg(feature = "iommufd")]
mod iommufd;
mod iova;
mod msix;
mod refusal;
mod sys;
mod type1;
mod users;

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use gannet_mempool::dma::DmaMapper;

pub use bar::Bar;
pub use container::VfioContainer;
pub use refusal::{Blocker, Refusal, blockers};
pub use users::{Holder, Users};

use crate::pci::{self, BusMaster, PciId};
use crate::sysfs::{PciAddress, Sysfs};
use crate::{Condition, Device, DmaFault, Error, Result};
use container::AddressSpace;
use faults::KernelLog;
use function::Function;
use type1::Type1;

/// A PCI card in the hands of this process. It is given back when this and all BARs are dropped, with DMA and memory space off.
#[derive(Debug)]
pub struct VfioDevice {
    function: Arc<Function>,
    address: PciAddress,
    numa_node: Option<u32>,
    log: KernelLog,
}

impl VfioDevice {
    /// Opens the card at `address`, in the container of this process ([`VfioContainer::shared`]). The kernel tries to reset it; memory space is on, bus
    /// mastering off.
    ///
    /// # Errors
    /// [`Error::NoDevice`]; [`Error::Vfio`] with what stands in the way, this process itself if it has the card open; configuration space that cannot be written.
    pub fn open(address: PciAddress) -> Result<VfioDevice> {
        let sysfs = Sysfs::new();
        let found = sysfs.device(address)?;
        let group = refusal::check(&found)?;
        let function = VfioContainer::shared()
            .join(address, group, &sysfs)
            .and_then(|(file, membership)| Function::new(address, membership, file))
            .map_err(|refusal| Error::Vfio { device: name(address), refusal })?;
        let device = VfioDevice {
            function: Arc::new(function),
            address,
            numa_node: found.numa_node()?,
            log: KernelLog::from_now(),
        };
        pci::set_bus_master(&device, BusMaster::Off)?;
        Ok(device)
    }
}

impl Device for VfioDevice {
    type Bar = Bar;

    fn name(&self) -> &str {
        self.function.name()
    }

    fn id(&self) -> Result<PciId> {
        PciId::read(self)
    }

    fn numa_node(&self) -> Option<u32> {
        self.numa_node
    }

    fn bar(&self, index: u8) -> Result<Bar> {
        self.function.bar(index)
    }

    fn config_read(&self, offset: u16, bytes: &mut [u8]) -> Result<()> {
        self.function.config_read(offset, bytes)
    }

    fn config_write(&self, offset: u16, bytes: &[u8]) -> Result<()> {
        self.function.config_write(offset, bytes)
    }

    fn dma(&self) -> Arc<dyn DmaMapper> {
        self.function.membership().container().clone()
    }

    fn interrupts(&self) -> u16 {
        self.function.interrupts()
    }

    fn connect_interrupts(&self, signals: &[BorrowedFd<'_>]) -> Result<()> {
        self.function.connect_interrupts(signals)
    }

    fn reset(&self) -> Result<()> {
        self.function.reset()
    }

    fn condition(&self) -> Condition {
        self.function.condition()
    }

    fn dma_faults(&self) -> Vec<DmaFault> {
        self.log.faults(self.address)
    }

    fn delay(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// The IOMMU's side of a container.
fn open_address_space(sysfs: &Sysfs) -> Result<Box<dyn AddressSpace>, Refusal> {
    #[cfg(feature = "iommufd")]
    if iommufd::Iommufd::is_there(sysfs) {
        return Ok(Box::new(iommufd::Iommufd::open(sysfs)?));
    }
    Ok(Box::new(Type1::open(sysfs)?))
}

/// A card's name, as in `--port`.
fn name(address: PciAddress) -> String {
    format!("pci:{address}")
}
