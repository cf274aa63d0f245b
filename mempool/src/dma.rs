//! DMA: making memory known to a device.
//!
//! [`DmaMapper`] is what a bus implements (VFIO's container, a software IOMMU); [`DmaMapping`] is a region mapped through it,
//! unmapped on drop. A pool is mapped once, as one segment, so a buffer's IOVA is arithmetic and not a look-up; [`DmaTable`] holds
//! what that arithmetic needs for each pool that a device can reach.

use std::fmt;
use std::sync::Arc;

use crate::error::Result;
use crate::packet::Packet;
use crate::pool::Pool;
use crate::region::Region;
use crate::slot::{self, POOL_NAMES};

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

/// The pools that a device can reach: from a packet to the IOVA of its buffer.
///
/// It keeps the pools and their mappings alive, so that no number in it can come to mean another pool.
#[derive(Clone)]
pub struct DmaTable {
    segments: Box<[Segment; POOL_NAMES]>,
    mapped: Vec<(Pool, Arc<DmaMapping>)>,
}

/// Where a pool's buffers are for the device. A stride of 0 means that it cannot reach them.
#[derive(Clone, Copy)]
struct Segment {
    iova: u64,
    stride: u64,
}

impl DmaTable {
    /// A device that reaches no pool.
    pub fn new() -> DmaTable {
        DmaTable { segments: Box::new([Segment { iova: 0, stride: 0 }; POOL_NAMES]), mapped: Vec::new() }
    }

    /// Maps `pool` through `mapper`, unless the table has it already, and returns the IOVA of its first byte.
    ///
    /// # Errors
    /// As [`DmaMapper::map`].
    pub fn map(&mut self, pool: &Pool, mapper: &Arc<dyn DmaMapper>) -> Result<Iova> {
        let segment = &mut self.segments[usize::from(pool.number())];
        if segment.stride == 0 {
            let mapping = DmaMapping::new(mapper.clone(), pool.region().clone())?;
            *segment = Segment { iova: mapping.iova().0, stride: pool.shared().granule().into() };
            self.mapped.push((pool.clone(), Arc::new(mapping)));
        }
        Ok(Iova(segment.iova))
    }

    /// Where the bytes of a packet with a note are for the device; `None` if it cannot reach them.
    pub(crate) fn iova(&self, packet: &Packet) -> Option<u64> {
        match packet.external() {
            None => Some(self.reach().buffer(packet.slot() & !slot::NOTED)? + u64::from(packet.offset())),
            Some((_memory, _start)) => None,
        }
    }

    /// For the data path: what it needs, without a detour.
    #[inline(always)]
    pub(crate) fn reach(&self) -> Reach<'_> {
        Reach(&self.segments)
    }
}

/// [`DmaTable`] as the data path sees it.
#[derive(Clone, Copy)]
pub(crate) struct Reach<'a>(&'a [Segment; POOL_NAMES]);

impl Reach<'_> {
    /// IOVA of the first byte of the buffer `slot`; `None` if the device cannot reach it.
    #[inline(always)]
    pub(crate) fn buffer(self, slot: u32) -> Option<u64> {
        let segment = &self.0[slot::pool(slot)];
        (segment.stride != 0).then(|| segment.iova + u64::from(slot::index(slot)) * segment.stride)
    }
}

impl Default for DmaTable {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for DmaTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.mapped.iter().map(|(pool, mapping)| (pool.number(), mapping.iova()))).finish()
    }
}

/// stub
#[derive(Debug, Clone)]
pub struct External(Arc<Vec<u8>>);
impl External {
    /// stub
    pub fn stub(bytes: Vec<u8>) -> External {
        External(Arc::new(bytes))
    }
    /// stub
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
    /// stub
    pub fn len(&self) -> usize {
        self.0.len()
    }
    pub(crate) fn into_raw(self) -> std::ptr::NonNull<()> {
        std::ptr::NonNull::new(Arc::into_raw(self.0).cast_mut().cast()).unwrap()
    }
    #[allow(unsafe_code)]
    pub(crate) unsafe fn from_raw(raw: std::ptr::NonNull<()>) -> External {
        External(unsafe { Arc::from_raw(raw.as_ptr().cast()) })
    }
}
