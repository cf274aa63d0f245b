//! DMA: making memory known to a device.
//!
//! [`DmaMapper`] is what a bus implements (VFIO's container, a software IOMMU); [`DmaMapping`] is a region mapped through it,
//! unmapped on drop. Three kinds of memory use it:
//!
//! | memory | type | mapped | Linux has |
//! |---|---|---|---|
//! | descriptor rings | [`DmaRegion`] | as long as it lives, both ways | `dma_alloc_coherent` |
//! | packet pools | [`DmaTable`] | once, as one segment: a buffer's IOVA is arithmetic and not a look-up | `page_pool` |
//! | what the application owns | [`External`] | when asked, for reading; mapping it again is a look-up | `dma_map_single`, `sendfile` |
//!
//! [`Checked`] stands before any mapper and keeps account of all mappings (Linux: `CONFIG_DMA_API_DEBUG`).
//!
//! There is no `dma_sync_single_for_cpu` and `..._for_device`, since they have nothing to do. On x86, PCI Express accesses snoop the
//! caches; VFIO maps with IOMMU_CACHE, so that accesses with the no-snoop attribute are coherent too, wherever the IOMMU can enforce it,
//! and on other machines opens only devices whose DMA is coherent by itself. What is left is order: descriptors are read with acquire
//! and handed over with a release before the tail register is written. Nor is there memory that must be synchronised because the
//! device has a copy: where memory cannot be mapped, the copy to a pool's buffer is made before the buffer is handed over.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::error::Result;
use crate::region::Region;

mod debug;
mod external;
mod region;
mod table;

pub use debug::{Checked, Misuse, Record, Report, Verdict, mapper};
pub use external::External;
pub(crate) use external::Lent;
pub use region::DmaRegion;
pub use table::DmaTable;

/// An address as a device sees it (I/O virtual address).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iova(pub u64);

impl fmt::Debug for Iova {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "iova:{:#x}", self.0)
    }
}

/// The IOMMU's side of a bus: maps regions for one device or one container of devices.
pub trait DmaMapper: fmt::Debug + Send + Sync {
    /// Maps the whole region as one segment, for what the device may do with it ([`Region::access`]), and returns the IOVA of its first
    /// byte.
    ///
    /// # Errors
    /// [`crate::Error::DmaMap`], with the limit that was hit and its remedy.
    fn map(&self, region: &Arc<Region>) -> Result<Iova>;

    /// As [`Self::map`], saying which line asks for it. For mappers that keep account ([`Checked`]); all others leave it as it is.
    ///
    /// # Errors
    /// As [`Self::map`].
    fn map_for(&self, region: &Arc<Region>, _caller: &'static Location<'static>) -> Result<Iova> {
        self.map(region)
    }

    /// Takes a mapping back. After it returns the device can no longer reach the memory.
    fn unmap(&self, iova: Iova, region: &Region);
}

/// A region that a device can reach, for as long as this value lives.
#[derive(Debug)]
pub struct DmaMapping {
    mapper: Arc<dyn DmaMapper>,
    region: Arc<Region>,
    iova: Iova,
}

impl DmaMapping {
    /// Maps `region` through `mapper`.
    ///
    /// # Errors
    /// As [`DmaMapper::map`].
    #[track_caller]
    pub fn new(mapper: Arc<dyn DmaMapper>, region: Arc<Region>) -> Result<DmaMapping> {
        let iova = mapper.map_for(&region, Location::caller())?;
        Ok(DmaMapping { mapper, region, iova })
    }

    /// IOVA of the region's first byte.
    pub fn iova(&self) -> Iova {
        self.iova
    }

    /// The region.
    pub fn region(&self) -> &Arc<Region> {
        &self.region
    }
}

impl Drop for DmaMapping {
    fn drop(&mut self) {
        self.mapper.unmap(self.iova, &self.region);
    }
}
