//! The address space that all cards of this process share, and the memory mapped into it.
//!
//! ```text
//!   VfioContainer
//!   ├── space: the IOMMU's side (Type1v2 container, or iommufd); there while a card is open
//!   └── mappings: IOVA -> region, ports that use it
//! ```
#![allow(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use gannet_mempool::dma::{DmaMapper, Iova};
use gannet_mempool::region::{PageSize, Region};
use nix::sys::resource::{Resource, getrlimit};

use super::iova::IovaSpace;
use super::refusal::Refusal;
use crate::sysfs::{PciAddress, Sysfs};

/// The IOMMU's side: cards that share an address space. Dropping it takes all mappings back.
pub(super) trait AddressSpace: Send {
    /// Opens a card of this IOMMU group and puts it into the space. (It keeps the IOMMU busy until [`Self::remove`].)
    fn add(&mut self, address: PciAddress, group: u32, sysfs: &Sysfs) -> Result<File, Refusal>;

    /// A card of this group has been closed.
    fn remove(&mut self, group: u32);

    /// Maps the whole region at `iova`, for reading, and for writing if its [`Access`](gannet_mempool::region::Access) says so.
    ///
    /// # Safety
    /// The region is not dropped before [`Self::unmap`] has succeeded or the space is dropped.
    unsafe fn map(&self, iova: u64, region: &Region) -> io::Result<()>;

    /// Takes back what [`Self::map`] has mapped.
    fn unmap(&self, iova: u64, len: usize) -> io::Result<()>;

    /// Addresses that all cards in the space can use. `None`: the kernel does not tell.
    fn ranges(&self) -> io::Result<Option<Vec<RangeInclusive<u64>>>>;

    /// How many more regions can be mapped, if that is limited and the kernel tells.
    fn mappings_left(&self) -> Option<u32>;
}

/// Makes an address space without cards.
type Open = fn(&Sysfs) -> Result<Box<dyn AddressSpace>, Refusal>;

/// The address space of this process's cards. A pool that two ports use is mapped once.
pub struct VfioContainer {
    open: Open,
    state: Mutex<State>,
}

/// Fields in the order in which they are dropped: memory is freed when no card can reach it any more.
struct State {
    /// There while cards are.
    space: Option<Box<dyn AddressSpace>>,
    /// Those that are open. Each once: two drivers of one card would fight over its registers, and the kernel would not object.
    cards: BTreeSet<PciAddress>,
    addresses: IovaSpace,
    mappings: BTreeMap<u64, Mapping>,
    /// Where a region is mapped. (Not where unmapping it has failed.)
    places: BTreeMap<RegionId, u64>,
}

/// Address of the `Region` itself, not of its memory: regions of lent memory may share pages. Of one region as long as `mappings` keeps it.
type RegionId = usize;

struct Mapping {
    /// Keeps the memory as long as the cards can reach it.
    region: Arc<Region>,
    /// 0: unmapping it has failed, and whether it is mapped is not known.
    users: usize,
}

/// The place of an open card in the container.
#[derive(Debug)]
pub(super) struct Membership {
    container: Arc<VfioContainer>,
    address: PciAddress,
    group: u32,
}

impl VfioContainer {
    /// The container of this process: the one that is there, else a new one. It goes with its last card and mapping.
    pub fn shared() -> Arc<VfioContainer> {
        static SHARED: Mutex<Weak<VfioContainer>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let container = Arc::new(Self::new(super::open_address_space));
            *shared = Arc::downgrade(&container);
            container
        })
    }

    fn new(open: Open) -> VfioContainer {
        let addresses = IovaSpace::new(Some(Vec::new()));
        let state = State {
            space: None,
            cards: BTreeSet::new(),
            addresses,
            mappings: BTreeMap::new(),
            places: BTreeMap::new(),
        };
        VfioContainer { open, state: Mutex::new(state) }
    }

    /// The addresses that its cards can use, ascending: those of the narrowest IOMMU among them. None without cards.
    pub fn iova_ranges(&self) -> Vec<RangeInclusive<u64>> {
        self.lock().addresses.ranges().to_vec()
    }

    /// How many more regions can be mapped, if that is limited and the kernel tells (since 5.10).
    pub fn mappings_left(&self) -> Option<u32> {
        self.lock().space.as_ref()?.mappings_left()
    }

    /// Opens a card in this container. It is refused if it is open here already.
    pub(super) fn join(
        self: &Arc<Self>,
        address: PciAddress,
        group: u32,
        sysfs: &Sysfs,
    ) -> Result<(File, Membership), Refusal> {
        let device = self.lock().add(self.open, address, group, sysfs)?;
        Ok((device, Membership { container: self.clone(), address, group }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Opens a card. What has been done of it is undone if it fails.
    fn add(&mut self, open: Open, address: PciAddress, group: u32, sysfs: &Sysfs) -> Result<File, Refusal> {
        if self.cards.contains(&address) {
            return Err(Refusal::AlreadyOpen);
        }
        let is_first = self.cards.is_empty();
        let space = match &mut self.space {
            Some(space) => space,
            None => self.space.insert(open(sysfs)?),
        };
        let device = space.add(address, group, sysfs).inspect_err(|_| {
            if is_first {
                self.space = None;
            }
        })?;
        self.cards.insert(address);
        match self.refresh(is_first) {
            Ok(()) => Ok(device),
            Err(why) => {
                // First: a card that is open keeps the IOMMU busy.
                drop(device);
                // Nothing is unused: this card was the first, or is not the last.
                self.remove(address, group);
                Err(why)
            }
        }
    }

    /// A card has been closed. Returns memory that no card can reach any more, to be dropped without the lock: someone may get it back.
    fn remove(&mut self, address: PciAddress, group: u32) -> Vec<Arc<Region>> {
        self.cards.remove(&address);
        if let Some(space) = &mut self.space {
            space.remove(group);
        }
        if !self.cards.is_empty() {
            return Vec::new();
        }
        self.space = None;
        self.addresses.set_ranges(Some(Vec::new()));
        self.forget_unused()
    }

    /// A card has come: its IOMMU may reach less far. If it is the first, what is mapped from before, when all cards had gone, is mapped again.
    fn refresh(&mut self, is_first: bool) -> Result<(), Refusal> {
        let Some(space) = &self.space else { return Ok(()) };
        let ranges = space.ranges().map_err(|why| Refusal::system("asking for the IOMMU's addresses", why))?;
        self.addresses.set_ranges(ranges);
        for (&iova, mapping) in self.mappings.iter().filter(|_| is_first) {
            // SAFETY: `mappings` keeps the region; it lets go of it only when it is unmapped or the space is dropped.
            unsafe { space.map(iova, &mapping.region) }.map_err(|why| match why.raw_os_error() {
                Some(libc::EINVAL) => Refusal::OutOfReach,
                _ => Refusal::system("mapping the memory that is in use", why),
            })?;
        }
        Ok(())
    }

    /// No card is left: what could not be unmapped now is.
    fn forget_unused(&mut self) -> Vec<Arc<Region>> {
        let unused: Vec<_> = self.mappings.extract_if(.., |_, mapping| mapping.users == 0).collect();
        unused.iter().for_each(|(iova, _)| self.addresses.give_back(*iova));
        unused.into_iter().map(|(_, mapping)| mapping.region).collect()
    }
}

impl DmaMapper for VfioContainer {
    fn map(&self, region: &Arc<Region>) -> gannet_mempool::Result<Iova> {
        let state = &mut *self.lock();
        let known = state.places.get(&id(region)).copied();
        if let Some((iova, mapping)) = known.and_then(|iova| Some((iova, state.mappings.get_mut(&iova)?))) {
            mapping.users += 1;
            return Ok(Iova(iova));
        }
        let refused = |reason: String| {
            let device = "the cards of this process (VFIO)".into();
            gannet_mempool::Error::DmaMap { device, bytes: region.len(), reason }
        };
        let space = state.space.as_ref().ok_or_else(|| refused("none of them is open: open one first".into()))?;
        let (len, address) = (region.len() as u64, region.base().as_ptr() as u64);
        // Addresses that are aligned as the memory is let the IOMMU use its large pages too.
        let huge = if region.len() < PageSize::Huge2M.bytes() { 1 } else { PageSize::Huge2M.bytes() };
        let alignment = region.page_size().bytes().max(huge) as u64;
        let iova = state.addresses.take(len, alignment, address);
        let iova = iova.ok_or_else(|| refused(no_room(state.addresses.ranges())))?;
        // SAFETY: on success `mappings` keeps the region, until it is unmapped or the space is dropped.
        if let Err(why) = unsafe { space.map(iova, region) } {
            state.addresses.give_back(iova);
            let mapped: usize = state.mappings.values().map(|mapping| mapping.region.len()).sum();
            return Err(refused(why_not_mapped(&why, iova, mapped + region.len())));
        }
        state.mappings.insert(iova, Mapping { region: region.clone(), users: 1 });
        state.places.insert(id(region), iova);
        Ok(Iova(iova))
    }

    fn unmap(&self, iova: Iova, region: &Region) {
        let state = &mut *self.lock();
        if state.places.get(&id(region)) != Some(&iova.0) {
            return;
        }
        let Some(mapping) = state.mappings.get_mut(&iova.0) else { return };
        mapping.users -= 1;
        if mapping.users > 0 {
            return;
        }
        state.places.remove(&id(region));
        if let Some(space) = &state.space
            && let Err(why) = space.unmap(iova.0, region.len())
        {
            // As long as a card might reach it, the memory must not become anything else.
            tracing::error!("{region:?} at {iova:?} stays mapped until all cards are closed: {why}");
            return;
        }
        state.mappings.remove(&iova.0);
        state.addresses.give_back(iova.0);
    }
}

fn id(region: &Region) -> RegionId {
    std::ptr::from_ref(region).addr()
}

impl fmt::Debug for VfioContainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let mappings = state.mappings.iter().map(|(iova, mapping)| (Iova(*iova), mapping.users));
        f.debug_struct("VfioContainer")
            .field("cards", &state.cards)
            .field("mappings", &mappings.collect::<BTreeMap<_, _>>())
            .finish()
    }
}

impl Membership {
    /// The container.
    pub(super) fn container(&self) -> &Arc<VfioContainer> {
        &self.container
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let unused = self.container.lock().remove(self.address, self.group);
        drop(unused);
    }
}

/// The IOMMU's addresses are taken, or do not reach as far.
fn no_room(ranges: &[RangeInclusive<u64>]) -> String {
    let last = ranges.last().map_or(0, |range| *range.end());
    format!(
        "the IOMMU translates addresses up to {last:#x} ({} bits), and no free range there is long enough: use smaller pools, or fewer",
        u64::BITS - last.leading_zeros()
    )
}

/// The kernel's answer to a mapping, in words. `locked` is what this process would have mapped with it, in bytes.
fn why_not_mapped(why: &io::Error, iova: u64, locked: usize) -> String {
    match why.raw_os_error() {
        Some(libc::ENOMEM) => match getrlimit(Resource::RLIMIT_MEMLOCK) {
            Ok((limit, _)) if limit < locked as u64 && !locks_without_limit(&own_status()) => {
                too_little_locked(limit, locked)
            }
            _ => "the kernel has no memory left to map it".into(),
        },
        Some(libc::ENOSPC) => {
            "the container has no free entry left: use fewer and larger pools, or load the module with more \
                               (`modprobe vfio_iommu_type1 dma_entry_limit=...`)"
                .into()
        }
        Some(libc::EEXIST) => format!("something is mapped at {iova:#x} already"),
        Some(libc::EINVAL) => format!("the IOMMU cannot use address {iova:#x}"),
        _ => why.to_string(),
    }
}

/// `/proc/self/status`; empty if it cannot be read.
fn own_status() -> String {
    std::fs::read_to_string("/proc/self/status").unwrap_or_default()
}

/// Whether the process of this status may lock as much memory as it wants.
fn locks_without_limit(status: &str) -> bool {
    /// CAP_IPC_LOCK of the kernel's `capability.h`.
    const IPC_LOCK: u32 = 14;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let mask = effective.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> IPC_LOCK & 1 == 1)
}

fn too_little_locked(limit: u64, locked: usize) -> String {
    let (limit, needed) = (limit >> 10, locked.div_ceil(1024));
    format!(
        "this process may lock {limit} KiB of memory and needs {needed} KiB: `ulimit -l {needed}` before it is started (as root: \
         `ulimit -l unlimited`), a line `your-user-name - memlock {needed}` in /etc/security/limits.conf, or LimitMEMLOCK={needed}K in its systemd unit"
    )
}

#[cfg(test)]
mod tests;
