//! Descriptor rings in memory that driver and device share.
//!
//! ```text
//!   RingMemory (one a port)
//!   ├── ring 0: [16 B][16 B] ... count descriptors, 128-byte aligned
//!   ├── ring 1: ...
//! ```
//!
//! A descriptor is two 64-bit little-endian words. Both sides access them as whole atomic words, never through a plain
//! reference: the device may write at any time. The order that keeps them honest is the caller's: read the word with
//! the done bit first, with acquire, and only then the other; write all words before the tail register, whose write is a release
//! ([`crate::Registers::write`]).
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gannet_mempool::dma::{DmaMapper, DmaRegion, Iova};
use gannet_mempool::region::RegionOptions;

use crate::{Error, Result};

/// Size of a descriptor in bytes, on all controllers that Gannet drives.
pub const DESCRIPTOR_BYTES: usize = 16;

/// A ring starts at a multiple of this (82599 datasheet, RDBAL: low 7 bits read 0).
pub const RING_ALIGNMENT: usize = 128;

/// Memory for rings, reachable by a device, and by nobody else in this process: it hands out no address but the device's, so that no packet
/// and no slice can lie in it.
#[derive(Debug)]
pub struct RingMemory(DmaRegion);

impl RingMemory {
    /// Gets at least `bytes` of memory and maps it through `mapper`.
    ///
    /// # Errors
    /// No memory, or a mapping that the IOMMU refuses.
    #[track_caller]
    pub fn new(mapper: Arc<dyn DmaMapper>, bytes: usize, options: RegionOptions) -> Result<Arc<RingMemory>> {
        Ok(Arc::new(RingMemory(DmaRegion::new(mapper, bytes, options)?)))
    }

    /// Address of the first byte as the device sees it.
    pub fn iova(&self) -> Iova {
        self.0.iova()
    }
}

/// One ring: a power of two of descriptors in DMA memory.
#[derive(Debug)]
pub struct DescriptorRing {
    first: NonNull<[AtomicU64; 2]>,
    mask: u32,
    iova: Iova,
    /// Keeps the memory mapped, for us and for the device.
    _memory: Arc<RingMemory>,
}

// SAFETY: the ring only gives out atomic loads and stores; the memory outlives it through `_memory`.
unsafe impl Send for DescriptorRing {}
// SAFETY: as above; concurrent atomic accesses are no data race.
unsafe impl Sync for DescriptorRing {}

impl DescriptorRing {
    /// Bytes that a ring of `count` descriptors takes in shared memory.
    pub const fn bytes(count: u32) -> usize {
        (count as usize * DESCRIPTOR_BYTES).next_multiple_of(RING_ALIGNMENT)
    }

    /// The ring of `count` descriptors at byte `offset` of `memory`. Rings that overlap confuse the device, not Rust.
    ///
    /// # Errors
    /// A count that is no power of two, a misaligned offset, or a ring that does not fit.
    pub fn new(memory: &Arc<RingMemory>, offset: usize, count: u32) -> Result<DescriptorRing> {
        if !count.is_power_of_two() {
            return Err(Error::Invalid(format!("a ring of {count} descriptors: it must be a power of two")));
        }
        let fits = offset.checked_add(Self::bytes(count)).is_some_and(|end| end <= memory.0.len());
        if !fits || !offset.is_multiple_of(RING_ALIGNMENT) {
            return Err(Error::Invalid(format!("a ring of {count} descriptors does not fit at byte {offset}")));
        }
        // SAFETY: `offset` is inside the region (checked above), whose mapping `memory` keeps alive.
        let first = unsafe { memory.0.region().base().add(offset) }.cast();
        let iova = Iova(memory.iova().0 + offset as u64);
        Ok(DescriptorRing { first, mask: count - 1, iova, _memory: memory.clone() })
    }

    /// Number of descriptors.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> u32 {
        self.mask + 1
    }

    /// Address of descriptor 0 as the device sees it.
    pub fn iova(&self) -> Iova {
        self.iova
    }

    /// The descriptors themselves.
    #[inline(always)]
    pub fn descriptors(&self) -> Descriptors<'_> {
        Descriptors { first: self.first, mask: self.mask, ring: PhantomData }
    }
}

/// The descriptors of a ring, for a loop over them: two words that stay in registers, whatever the loop stores.
#[derive(Debug, Clone, Copy)]
pub struct Descriptors<'a> {
    first: NonNull<[AtomicU64; 2]>,
    mask: u32,
    ring: PhantomData<&'a DescriptorRing>,
}

impl Descriptors<'_> {
    #[inline(always)]
    fn at(&self, position: u32) -> &[AtomicU64; 2] {
        // SAFETY: the masked index is below `count`, and `DescriptorRing::new` checked that `count` descriptors lie in the mapping, which
        // is page aligned and lives as long as the ring that `self` borrows. Atomics may be shared with a device that writes.
        unsafe { self.first.add((position & self.mask) as usize).as_ref() }
    }

    /// Loads the high word (the one with the done bit) of the descriptor at `position` modulo the ring's length. Acquire: what
    /// the device wrote before it set the done bit is seen by all later reads.
    #[inline(always)]
    pub fn load_high(&self, position: u32) -> u64 {
        u64::from_le(self.at(position)[1].load(Ordering::Acquire))
    }

    /// Loads the low word. Call it after [`Self::load_high`] showed the done bit.
    #[inline(always)]
    pub fn load_low(&self, position: u32) -> u64 {
        u64::from_le(self.at(position)[0].load(Ordering::Relaxed))
    }

    /// Stores both words. The device sees them once the tail register is written.
    #[inline(always)]
    pub fn store(&self, position: u32, words: [u64; 2]) {
        let descriptor = self.at(position);
        descriptor[0].store(words[0].to_le(), Ordering::Relaxed);
        descriptor[1].store(words[1].to_le(), Ordering::Relaxed);
    }

    /// Sets bits in the high word of a descriptor that the device has not been told of yet.
    #[inline(always)]
    pub fn or_high(&self, position: u32, bits: u64) {
        let high = &self.at(position)[1];
        high.store(high.load(Ordering::Relaxed) | bits.to_le(), Ordering::Relaxed);
    }
}
