//! From a packet to the address of its buffer.

use std::fmt;
use std::sync::Arc;

use super::{DmaMapper, DmaMapping, Iova};
use crate::error::Result;
use crate::pool::Pool;
use crate::slot::{self, MAX_POOLS};

/// The pools that a device can reach: from a packet to the IOVA of its buffer.
///
/// It keeps the pools and their mappings alive, so that no number in it can come to mean another pool.
#[derive(Clone)]
pub struct DmaTable {
    segments: Box<[Segment; MAX_POOLS + 1]>,
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
        DmaTable { segments: Box::new([Segment { iova: 0, stride: 0 }; MAX_POOLS + 1]), mapped: Vec::new() }
    }

    /// Maps `pool` through `mapper`, unless the table has it already, and returns the IOVA of its first byte.
    ///
    /// # Errors
    /// As [`DmaMapper::map`].
    #[track_caller]
    pub fn map(&mut self, pool: &Pool, mapper: &Arc<dyn DmaMapper>) -> Result<Iova> {
        let segment = &mut self.segments[usize::from(pool.number())];
        if segment.stride == 0 {
            let mapping = DmaMapping::new(mapper.clone(), pool.region().clone())?;
            *segment = Segment { iova: mapping.iova().0, stride: pool.stride().into() };
            self.mapped.push((pool.clone(), Arc::new(mapping)));
        }
        Ok(Iova(segment.iova))
    }

    /// For the data path: what it needs, without a detour.
    #[inline(always)]
    pub(crate) fn reach(&self) -> Reach<'_> {
        Reach(&self.segments)
    }
}

/// [`DmaTable`] as the data path sees it.
#[derive(Clone, Copy)]
pub(crate) struct Reach<'a>(&'a [Segment; MAX_POOLS + 1]);

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
