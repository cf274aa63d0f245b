//! Coherent memory: driver and device use it at the same time.

use std::sync::Arc;

use super::{DmaMapper, DmaMapping, Iova};
use crate::error::Result;
use crate::region::{Region, RegionOptions};

/// Fresh memory that a device reaches for as long as this value lives: for descriptor rings (`dma_alloc_coherent`).
///
/// x86 keeps caches and DMA coherent, so it is ordinary, cached memory. Who accesses it needs atomic accesses with an order, and no
/// more: `gannet_bus::descriptors` has them.
#[derive(Debug)]
pub struct DmaRegion(DmaMapping);

impl DmaRegion {
    /// Gets at least `bytes` of zeroed memory, on the NUMA node of `options`, and maps it through `mapper`.
    ///
    /// # Errors
    /// As [`Region::new`] and [`DmaMapper::map`].
    #[track_caller]
    pub fn new(mapper: Arc<dyn DmaMapper>, bytes: usize, options: RegionOptions) -> Result<DmaRegion> {
        Ok(DmaRegion(DmaMapping::new(mapper, Region::new(bytes, options)?)?))
    }

    /// Address of the first byte as the device sees it.
    pub fn iova(&self) -> Iova {
        self.0.iova()
    }

    /// The memory.
    pub fn region(&self) -> &Arc<Region> {
        self.0.region()
    }

    /// Length in bytes: whole pages.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.region().len()
    }
}
