//! From a packet to the address of its buffer.

use std::fmt;
use std::sync::Arc;

use super::{DmaMapper, DmaMapping, Iova};
use crate::error::Result;
use crate::packet::Packet;
use crate::pool::Pool;
use crate::registry::Counter;
use crate::slot::{self, POOL_NAMES};

static BOUNCED: Counter = Counter::new("dma.bounced", "packets", "copied for a device that cannot reach their memory");

/// The pools that a device can reach: from a packet to the IOVA of its buffer.
///
/// It keeps the pools and their mappings alive, so that no number in it can come to mean another pool.
#[derive(Clone)]
pub struct DmaTable {
    segments: Box<[Segment; POOL_NAMES]>,
    mapped: Vec<(Pool, Arc<DmaMapping>)>,
    /// Through which all is mapped; `None`: nothing is.
    mapper: Option<Arc<dyn DmaMapper>>,
    /// Where packets are copied to whose memory the device cannot reach.
    bounce: Option<Pool>,
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
        DmaTable {
            segments: Box::new([Segment { iova: 0, stride: 0 }; POOL_NAMES]),
            mapped: Vec::new(),
            mapper: None,
            bounce: None,
        }
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
            *segment = Segment { iova: mapping.iova().0, stride: pool.shared().granule().into() };
            self.mapped.push((pool.clone(), Arc::new(mapping)));
            self.mapper = Some(mapper.clone());
        }
        Ok(Iova(segment.iova))
    }

    /// Maps `pool`, and has packets with foreign bytes that the device cannot reach sent from copies in its buffers: a bounce pool.
    ///
    /// # Errors
    /// As [`DmaMapper::map`].
    #[track_caller]
    pub fn bounce_into(&mut self, pool: &Pool, mapper: &Arc<dyn DmaMapper>) -> Result<()> {
        self.map(pool, mapper)?;
        self.bounce = Some(pool.clone());
        Ok(())
    }

    /// Puts a packet that the device cannot reach into the bounce pool. False: there is none, it has no buffer, or one too small.
    pub(crate) fn bounce(&self, packet: &mut Packet) -> bool {
        let copied = self.bounce.as_ref().is_some_and(|pool| packet.copy_into(pool).is_ok());
        if copied {
            BOUNCED.add(1);
        }
        copied
    }

    /// Where the bytes of a packet with a note are for the device; `None` if it cannot reach them.
    pub(crate) fn iova(&self, packet: &Packet) -> Option<u64> {
        match packet.lent() {
            None => Some(self.reach().buffer(packet.slot() & !slot::NOTED)? + u64::from(packet.offset())),
            Some((memory, start)) => Some(memory.iova(self.mapper.as_ref()?)?.0 + start as u64),
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
