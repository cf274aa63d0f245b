//! The software IOMMU: a card reaches only what was mapped for it.
//!
//! A [`Domain`] maps a region by its memory file, into a mapping of its own, as another process would. What a card sees is
//! an IOVA, which is never an address of this process, so a driver that mixes them up faults. A `Session` is the card's
//! side: it holds the domain's lock for one step, so [`DmaMapper::unmap`] returns only when no step can touch the memory.
//!
//! ```text
//!   IOVA ── DeviceTlb (per queue) ──hit──► region, offset
//!              └─miss─► Iotlb ─► SLOT | offset ─► region         (SLOT: number of the region in the domain)
//! ```

use std::collections::VecDeque;
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use gannet_bus::DmaAccess;
use gannet_bus::descriptors::DESCRIPTOR_BYTES;
use gannet_mempool::dma::{DmaMapper, Iova};
use gannet_mempool::region::{Access, Region};
use gannet_mempool::{Error, Result};
use nix::sys::mman::{MapFlags, ProtFlags};
use vm_memory::iommu::Iotlb;
use vm_memory::{
    AtomicAccess, Bytes, FileOffset, GuestAddress, GuestRegionMmap, MmapRegion, Permissions, VolatileMemory,
    VolatileSlice,
};

/// Address bits inside a region: its number lies above them.
const SLOT_SHIFT: u32 = 40;
/// IOVAs of a domain: 1 TiB from a base of its own.
const DOMAIN_BYTES: u64 = 1 << SLOT_SHIFT;
/// IOVAs start at multiples of this, with at least as much unmapped space between two regions.
const ALIGNMENT: u64 = 2 << 20;
/// Smallest translation that is worth caching.
const PAGE: u64 = 4096;
/// Faults that are kept in full.
const KEPT_FAULTS: usize = 64;

/// Which way data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The card reads memory.
    Read,
    /// The card writes memory.
    Write,
}

/// An access of the card to memory that is not mapped for it, or mapped for reading only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DmaFault {
    /// Where it began.
    pub iova: u64,
    /// How many bytes.
    pub len: usize,
    /// Which way.
    pub direction: Direction,
}

impl Direction {
    /// What a mapping must allow for it.
    fn needs(self) -> Permissions {
        match self {
            Direction::Read => Permissions::Read,
            Direction::Write => Permissions::Write,
        }
    }
}

impl From<DmaFault> for gannet_bus::DmaFault {
    fn from(fault: DmaFault) -> gannet_bus::DmaFault {
        let access = match fault.direction {
            Direction::Read => DmaAccess::Read,
            Direction::Write => DmaAccess::Write,
        };
        gannet_bus::DmaFault { iova: Iova(fault.iova), access }
    }
}

/// The mappings of one card, and the faults it caused.
#[derive(Debug)]
pub struct Domain {
    name: String,
    map: RwLock<Map>,
    fault_count: AtomicU64,
    faults: Mutex<Faults>,
}

/// The last faults.
#[derive(Debug, Default)]
struct Faults {
    kept: VecDeque<DmaFault>,
    /// How many of them, the last ones, [`Domain::take_faults`] has not told yet.
    untold: usize,
}

#[derive(Debug)]
struct Map {
    iotlb: Iotlb,
    /// Region `n` is at address `n << SLOT_SHIFT` of the space that the Iotlb maps to.
    regions: Vec<Option<Mapped>>,
    /// Counts unmaps: cached translations of an earlier epoch are void.
    epoch: u64,
    base: u64,
    next: u64,
}

#[derive(Debug)]
struct Mapped {
    iova: u64,
    len: u64,
    permissions: Permissions,
    memory: GuestRegionMmap,
}

impl Domain {
    /// A domain without mappings. The name is that of the card, for messages.
    pub fn new(name: impl Into<String>) -> Arc<Domain> {
        static DOMAINS: AtomicU64 = AtomicU64::new(0);
        // Above 4 GiB, below 2^47, never identical to the virtual address, and another base for each domain.
        let number = DOMAINS.fetch_add(1, Ordering::Relaxed) % 64;
        let base = number * DOMAIN_BYTES + (1 << 32);
        let map = Map { iotlb: Iotlb::new(), regions: Vec::new(), epoch: 0, base, next: base };
        Arc::new(Domain {
            name: name.into(),
            map: RwLock::new(map),
            fault_count: AtomicU64::new(0),
            faults: Mutex::default(),
        })
    }

    /// Accesses to what is not mapped, ever.
    pub fn fault_count(&self) -> u64 {
        self.fault_count.load(Ordering::Relaxed)
    }

    /// The last of them, oldest first.
    pub fn last_faults(&self) -> Vec<DmaFault> {
        self.lock_faults().kept.iter().copied().collect()
    }

    /// The faults since the last call, oldest first, as far as they are kept.
    pub(crate) fn take_faults(&self) -> Vec<DmaFault> {
        let mut faults = self.lock_faults();
        let told = faults.kept.len() - std::mem::take(&mut faults.untold);
        faults.kept.iter().skip(told).copied().collect()
    }

    fn lock_faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a step of the card: nothing is unmapped until the session is dropped.
    pub(crate) fn session(&self) -> Session<'_> {
        Session { map: self.map.read().unwrap_or_else(PoisonError::into_inner), domain: self }
    }

    #[cold]
    fn record(&self, fault: DmaFault) {
        if self.fault_count.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!("{}: DMA to unmapped memory: {fault:x?} (only the first fault is logged)", self.name);
        }
        let mut faults = self.lock_faults();
        if faults.kept.len() == KEPT_FAULTS {
            faults.kept.pop_front();
        }
        faults.kept.push_back(fault);
        faults.untold = (faults.untold + 1).min(KEPT_FAULTS);
    }

    fn refused(&self, region: &Region, reason: String) -> Error {
        Error::DmaMap { device: self.name.clone(), bytes: region.len(), reason }
    }
}

impl DmaMapper for Domain {
    fn map(&self, region: &Arc<Region>) -> Result<Iova> {
        let Some(fd) = region.file() else {
            let remedy = match region.access() {
                Access::ReadWrite => "use Backing::Shared",
                Access::ReadOnly => "lend it a file (External::file), or have the bytes copied to a pool's buffer",
            };
            let reason = format!("a software card sees memory through its file, which this has not: {remedy}");
            return Err(self.refused(region, reason));
        };
        let file = fd.try_clone_to_owned().map_err(|e| self.refused(region, format!("duplicating its file: {e}")))?;
        let (protection, permissions) = match region.access() {
            Access::ReadWrite => (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, Permissions::ReadWrite),
            Access::ReadOnly => (ProtFlags::PROT_READ, Permissions::Read),
        };
        let file = FileOffset::new(File::from(file), 0);
        let flags = MapFlags::MAP_NORESERVE | MapFlags::MAP_SHARED;
        let memory = MmapRegion::build(Some(file), region.len(), protection.bits(), flags.bits())
            .map_err(|e| self.refused(region, format!("mapping its file: {e}")))?;
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        let placed = map.insert(memory, permissions);
        placed.map(Iova).ok_or_else(|| self.refused(region, "the card's I/O address space (1 TiB) is full".into()))
    }

    fn unmap(&self, iova: Iova, region: &Region) {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        if !map.remove(iova.0, region.len() as u64) {
            tracing::warn!("{}: unmap of {iova:?}, which is not mapped", self.name);
        }
    }
}

impl Map {
    fn insert(&mut self, memory: MmapRegion, permissions: Permissions) -> Option<u64> {
        let len = memory.size() as u64;
        let iova = self.place(len)?;
        let slot = self.regions.iter().position(Option::is_none).unwrap_or(self.regions.len());
        let address = GuestAddress((slot as u64) << SLOT_SHIFT);
        let memory = GuestRegionMmap::new(memory, address)?;
        self.iotlb.set_mapping(GuestAddress(iova), address, len as usize, permissions).ok()?;
        if slot == self.regions.len() {
            self.regions.push(None);
        }
        self.regions[slot] = Some(Mapped { iova, len, permissions, memory });
        Some(iova)
    }

    /// Finds a free range. It goes round the whole space, so that a stale IOVA stays unmapped for as long as can be.
    fn place(&mut self, len: u64) -> Option<u64> {
        let needed = len.checked_next_multiple_of(ALIGNMENT)?.checked_add(ALIGNMENT)?;
        let end = self.base + (DOMAIN_BYTES - (1 << 32));
        let mut wrapped = false;
        loop {
            let candidate = self.next;
            if candidate.checked_add(needed).is_none_or(|last| last > end) {
                if std::mem::replace(&mut wrapped, true) {
                    return None;
                }
                self.next = self.base;
                continue;
            }
            let taken =
                self.regions.iter().flatten().find(|m| m.iova < candidate + needed && candidate < m.iova + m.len);
            match taken {
                Some(taken) => self.next = (taken.iova + taken.len).next_multiple_of(ALIGNMENT) + ALIGNMENT,
                None => {
                    self.next = candidate + needed;
                    return Some(candidate);
                }
            }
        }
    }

    fn remove(&mut self, iova: u64, len: u64) -> bool {
        let found = self.regions.iter().position(|m| m.as_ref().is_some_and(|m| m.iova == iova && m.len == len));
        let Some(slot) = found else { return false };
        self.iotlb.invalidate_mapping(GuestAddress(iova), len as usize);
        self.regions[slot] = None;
        self.epoch += 1;
        true
    }

    /// The one range that `len` bytes from `iova` lie in, if they are all mapped and contiguous: slot and offset.
    fn translate(&self, iova: u64, len: u64) -> Option<(usize, u64)> {
        // Iotlb adds without a check, and an empty range has no answer.
        if len == 0 || iova.checked_add(len).is_none() {
            return None;
        }
        let mut found = Iotlb::lookup(&self.iotlb, GuestAddress(iova), len as usize, Permissions::Read).ok()?;
        let range = found.next().filter(|range| range.length as u64 == len)?;
        Some(((range.base.0 >> SLOT_SHIFT) as usize, range.base.0 & (DOMAIN_BYTES - 1)))
    }

    /// The largest translation around `iova` that can be cached: its region as a whole, or its page.
    fn cacheable(&self, iova: u64) -> Option<Translation> {
        let (slot, offset) = self.translate(iova, 1)?;
        let region = self.regions.get(slot)?.as_ref()?;
        let (len, writable) = (region.len, region.permissions.has_write());
        let whole = iova.checked_sub(offset).map(|first| (first, len));
        let page = Some((iova & !(PAGE - 1), PAGE));
        [whole, page].into_iter().flatten().find_map(|(first, len)| {
            let (slot, offset) = self.translate(first, len)?;
            Some(Translation { first, len, slot, offset, writable })
        })
    }
}

/// `len` bytes from IOVA `first` on are at `offset` of region `slot`.
#[derive(Debug, Clone, Copy, Default)]
struct Translation {
    first: u64,
    len: u64,
    slot: usize,
    offset: u64,
    writable: bool,
}

/// Cached translations of one queue.
#[derive(Debug, Default)]
pub(crate) struct DeviceTlb {
    epoch: u64,
    entries: [Translation; 4],
    victim: usize,
}

impl DeviceTlb {
    /// Slot and offset of `len` bytes from `iova` on, if they may be accessed this way.
    #[inline(always)]
    fn find(&self, iova: u64, len: u64, direction: Direction) -> Option<(usize, u64)> {
        self.entries.iter().find_map(|entry| {
            let distance = iova.wrapping_sub(entry.first);
            let hit = distance < entry.len && len <= entry.len - distance;
            (hit && (direction == Direction::Read || entry.writable)).then_some((entry.slot, entry.offset + distance))
        })
    }

    #[cold]
    fn fill(&mut self, map: &Map, iova: u64) {
        if let Some(translation) = map.cacheable(iova) {
            self.entries[self.victim] = translation;
            self.victim = (self.victim + 1) % self.entries.len();
        }
    }
}

/// A card's access to memory during one step.
pub(crate) struct Session<'a> {
    map: RwLockReadGuard<'a, Map>,
    domain: &'a Domain,
}

impl Session<'_> {
    /// Voids the cache if something was unmapped since it was filled. Once a step is enough: the session holds the lock.
    pub(crate) fn refresh(&self, tlb: &mut DeviceTlb) {
        if tlb.epoch != self.map.epoch {
            *tlb = DeviceTlb { epoch: self.map.epoch, ..DeviceTlb::default() };
        }
    }

    /// The memory at `iova`, if it is mapped for this and contiguous; no fault is recorded.
    #[inline(always)]
    fn find(&self, tlb: &mut DeviceTlb, iova: u64, len: usize, direction: Direction) -> Option<VolatileSlice<'_>> {
        let (slot, offset) = match tlb.find(iova, len as u64, direction) {
            Some(hit) => hit,
            None => {
                tlb.fill(&self.map, iova);
                tlb.find(iova, len as u64, direction)?
            }
        };
        let region = self.map.regions.get(slot)?.as_ref()?;
        region.memory.get_slice(offset as usize, len).ok()
    }

    /// Calls `access` with each piece of `len` bytes from `iova` on and its place in them. `None` and a fault, with nothing
    /// accessed, if not all of it is mapped.
    #[inline(always)]
    fn pieces(
        &self,
        tlb: &mut DeviceTlb,
        (iova, len): (u64, usize),
        direction: Direction,
        mut access: impl FnMut(VolatileSlice<'_>, usize),
    ) -> Option<()> {
        if let Some(slice) = self.find(tlb, iova, len, direction) {
            access(slice, 0);
            return Some(());
        }
        self.fragments(iova, len, direction, &mut access)
    }

    #[cold]
    fn fragments(
        &self,
        iova: u64,
        len: usize,
        direction: Direction,
        access: &mut dyn FnMut(VolatileSlice<'_>, usize),
    ) -> Option<()> {
        if len == 0 {
            return Some(());
        }
        let ranges = iova
            .checked_add(len as u64)
            .and_then(|_| Iotlb::lookup(&self.map.iotlb, GuestAddress(iova), len, direction.needs()).ok());
        let Some(ranges) = ranges else {
            self.domain.record(DmaFault { iova, len, direction });
            return None;
        };
        let mut done = 0;
        for range in ranges {
            let slot = (range.base.0 >> SLOT_SHIFT) as usize;
            let region = self.map.regions.get(slot)?.as_ref()?;
            let slice = region.memory.get_slice((range.base.0 & (DOMAIN_BYTES - 1)) as usize, range.length).ok()?;
            access(slice, done);
            done += range.length;
        }
        Some(())
    }

    /// Reads from `iova` on into `data`.
    #[inline]
    pub(crate) fn read(&self, tlb: &mut DeviceTlb, iova: u64, data: &mut [u8]) -> Option<()> {
        self.pieces(tlb, (iova, data.len()), Direction::Read, |slice, at| {
            slice.copy_to(&mut data[at..]);
        })
    }

    /// Writes `data` from `iova` on.
    #[inline]
    pub(crate) fn write(&self, tlb: &mut DeviceTlb, iova: u64, data: &[u8]) -> Option<()> {
        self.pieces(tlb, (iova, data.len()), Direction::Write, |slice, at| slice.copy_from(&data[at..]))
    }

    /// Loads descriptors, the first at `iova`. The caller has acquired the tail register that hands them over.
    #[inline]
    pub(crate) fn load(&self, tlb: &mut DeviceTlb, iova: u64, descriptors: &mut [[u64; 2]]) -> Option<()> {
        let len = descriptors.len() * DESCRIPTOR_BYTES;
        if let Some(slice) = self.find(tlb, iova, len, Direction::Read) {
            return load_words(&slice, descriptors);
        }
        for (index, descriptor) in descriptors.iter_mut().enumerate() {
            let at = iova.wrapping_add((index * DESCRIPTOR_BYTES) as u64);
            let slice = self.find_or_fault(tlb, at, DESCRIPTOR_BYTES, Direction::Read)?;
            load_words(&slice, std::slice::from_mut(descriptor))?;
        }
        Some(())
    }

    /// Stores a descriptor: the low word, then the high one, which holds the done bit, as a release. Whoever acquires the high
    /// word sees the low one and all data written before.
    #[inline]
    pub(crate) fn store(&self, tlb: &mut DeviceTlb, iova: u64, [low, high]: [u64; 2]) -> Option<()> {
        let slice = self.find_or_fault(tlb, iova, DESCRIPTOR_BYTES, Direction::Write)?;
        slice.store(low.to_le(), 0, Ordering::Relaxed).ok()?;
        slice.store(high.to_le(), 8, Ordering::Release).ok()
    }

    /// Stores descriptors one after the other, the first at `iova`, each as [`Self::store`] does.
    #[inline]
    pub(crate) fn store_all(&self, tlb: &mut DeviceTlb, iova: u64, descriptors: &[[u64; 2]]) -> Option<()> {
        let len = descriptors.len() * DESCRIPTOR_BYTES;
        let Some(slice) = self.find(tlb, iova, len, Direction::Write) else {
            let places = (iova..).step_by(DESCRIPTOR_BYTES);
            return places.zip(descriptors).try_for_each(|(at, words)| self.store(tlb, at, *words));
        };
        for (at, [low, high]) in (0..).step_by(DESCRIPTOR_BYTES).zip(descriptors) {
            slice.store(low.to_le(), at, Ordering::Relaxed).ok()?;
            slice.store(high.to_le(), at + 8, Ordering::Release).ok()?;
        }
        Some(())
    }

    /// Stores one word as a release.
    #[inline]
    pub(crate) fn store_word<T: AtomicAccess>(&self, tlb: &mut DeviceTlb, iova: u64, word: T) -> Option<()> {
        let slice = self.find_or_fault(tlb, iova, size_of::<T>(), Direction::Write)?;
        slice.store(word, 0, Ordering::Release).ok()
    }

    #[inline(always)]
    fn find_or_fault(
        &self,
        tlb: &mut DeviceTlb,
        iova: u64,
        len: usize,
        direction: Direction,
    ) -> Option<VolatileSlice<'_>> {
        let found = self.find(tlb, iova, len, direction);
        if found.is_none() {
            self.domain.record(DmaFault { iova, len, direction });
        }
        found
    }
}

#[inline(always)]
fn load_words(slice: &VolatileSlice<'_>, descriptors: &mut [[u64; 2]]) -> Option<()> {
    for (index, [low, high]) in descriptors.iter_mut().enumerate() {
        let at = index * DESCRIPTOR_BYTES;
        *high = u64::from_le(slice.load(at + 8, Ordering::Relaxed).ok()?);
        *low = u64::from_le(slice.load(at, Ordering::Relaxed).ok()?);
    }
    Some(())
}
