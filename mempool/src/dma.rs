//! DMA: making memory known to a device.
//!
//! [`DmaMapper`] is what a bus implements (VFIO's container, a software IOMMU); [`DmaMapping`] is a region mapped through it,
//! unmapped on drop. A pool is mapped once, as one segment, so a buffer's IOVA is arithmetic and not a look-up.

use std::fmt;
use std::sync::Arc;

use crate::error::Result;
use crate::region::Region;

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
    /// Maps the whole region as one segment, readable and writable by the device, and returns the IOVA of its first byte.
    ///
    /// # Errors
    /// [`crate::Error::DmaMap`], with the limit that was hit and its remedy.
    fn map(&self, region: &Arc<Region>) -> Result<Iova>;

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
    pub fn new(mapper: Arc<dyn DmaMapper>, region: Arc<Region>) -> Result<DmaMapping> {
        let iova = mapper.map(&region)?;
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
