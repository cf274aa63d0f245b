//! The container: IOMMU groups that share one address space, and the memory mapped into it.
//!
//! ```text
//!   VfioContainer (/dev/vfio/vfio)
//!   ├── groups:   number -> /dev/vfio/N, devices of it that are open
//!   └── mappings: IOVA -> region, ports that use it
//! ```
//!
//! The crate `vfio-ioctls` opens the container and maps memory. Groups and devices are opened here and in [`super::function`]: its `VfioDevice`
//! closes the device and then reads the device's files in sysfs, which the kernel removes in that moment when the card is unplugged, and panics;
//! and its errors of groups, interrupts, resets and configuration space do not say why.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use gannet_mempool::dma::{DmaMapper, Iova};
use gannet_mempool::region::{PageSize, Region};
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use vfio_ioctls::VfioError;

use super::iova::IovaSpace;
use super::refusal::{self, Refusal};
use super::sys;
use crate::sysfs::Sysfs;
use crate::{Error, Result};

/// Where groups and containers are opened.
const NODES: &str = "/dev/vfio";

/// An address space of the IOMMU, shared by all cards that this process has opened. A pool that two ports use is mapped once.
pub struct VfioContainer {
    /// Closed before the memory of the mappings is freed: the kernel then forgets whatever is still mapped.
    type1: vfio_ioctls::VfioContainer,
    state: Mutex<State>,
}

struct State {
    groups: BTreeMap<u32, Group>,
    space: IovaSpace,
    mappings: BTreeMap<u64, Mapping>,
}

struct Group {
    file: File,
    devices: usize,
}

struct Mapping {
    /// Keeps the memory as long as the cards can reach it.
    region: Arc<Region>,
    users: usize,
}

/// A group's place in a container, for one open device.
#[derive(Debug)]
pub(super) struct Membership {
    container: Arc<VfioContainer>,
    group: u32,
}

impl VfioContainer {
    /// The container of this process: the one that is there, else a new one. It goes with its last card and mapping.
    ///
    /// # Errors
    /// [`Error::Vfio`]: VFIO is not loaded, or not for this user.
    pub fn shared() -> Result<Arc<VfioContainer>> {
        Self::join_shared().map_err(|refusal| Error::Vfio { device: "VFIO".into(), refusal })
    }

    pub(super) fn join_shared() -> Result<Arc<VfioContainer>, Refusal> {
        static SHARED: Mutex<Weak<VfioContainer>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(container) = shared.upgrade() {
            return Ok(container);
        }
        let container = Arc::new(Self::open()?);
        *shared = Arc::downgrade(&container);
        Ok(container)
    }

    fn open() -> Result<VfioContainer, Refusal> {
        let type1 = vfio_ioctls::VfioContainer::new(None).map_err(|why| match why {
            VfioError::OpenContainer(why) => cannot_open(Path::new(NODES).join("vfio"), why, &Sysfs::new()),
            VfioError::VfioExtension => Refusal::system(
                "VFIO has no Type1v2 IOMMU (`sudo modprobe vfio_iommu_type1`)",
                io::ErrorKind::Unsupported,
            ),
            why => Refusal::system("opening a container", io::Error::other(why)),
        })?;
        let state = State { groups: BTreeMap::new(), space: IovaSpace::new(None), mappings: BTreeMap::new() };
        Ok(VfioContainer { type1, state: Mutex::new(state) })
    }

    /// The addresses that its cards can use, by address. All of them share the narrowest IOMMU's.
    pub fn iova_ranges(&self) -> Vec<RangeInclusive<u64>> {
        self.lock().space.ranges().to_vec()
    }

    /// How many more regions can be mapped, where the kernel tells (since 5.10).
    pub fn mappings_left(&self) -> Option<u32> {
        sys::iommu_info(self.as_fd()).ok()?.mappings_left
    }

    /// Makes a group a member, or finds that it is one, and opens the device at `address` in it.
    pub(super) fn join(self: &Arc<Self>, group: u32, sysfs: &Sysfs) -> Result<Membership, Refusal> {
        let mut state = self.lock();
        if let Some(member) = state.groups.get_mut(&group) {
            member.devices += 1;
        } else {
            let file = open_group(group, sysfs)?;
            self.attach(&file, group, &mut state, sysfs)?;
            state.groups.insert(group, Group { file, devices: 1 });
        }
        Ok(Membership { container: self.clone(), group })
    }

    fn attach(&self, file: &File, group: u32, state: &mut State, sysfs: &Sysfs) -> Result<(), Refusal> {
        let viable =
            sys::is_viable(file.as_fd()).map_err(|why| Refusal::system("asking for the group's state", why))?;
        if !viable {
            let blockers = refusal::blockers(sysfs, group).unwrap_or_default();
            return Err(Refusal::NotViable { group, blockers });
        }
        sys::attach_group(file.as_fd(), self.as_fd()).map_err(|why| {
            Refusal::system(format!("adding IOMMU group {group} to the container of this process's other cards"), why)
        })?;
        let ready = if state.groups.is_empty() { self.start_iommu(state) } else { Ok(()) };
        ready.and_then(|()| self.read_ranges(state)).inspect_err(|_| {
            // The error to tell is the first one.
            let _ = sys::detach_group(file.as_fd());
        })
    }

    /// The first group brings the IOMMU. What is mapped from before, when all cards had gone, is mapped again: the kernel forgot it with them.
    fn start_iommu(&self, state: &State) -> Result<(), Refusal> {
        sys::set_type1v2(self.as_fd()).map_err(|why| match why.raw_os_error() {
            Some(libc::EPERM) => Refusal::NoInterruptRemapping,
            _ => Refusal::system("giving the container its IOMMU", why),
        })?;
        for (&iova, mapping) in &state.mappings {
            self.map_at(iova, &mapping.region)
                .map_err(|why| Refusal::system("mapping memory that is in use", io::Error::other(why)))?;
        }
        Ok(())
    }

    fn read_ranges(&self, state: &mut State) -> Result<(), Refusal> {
        let info =
            sys::iommu_info(self.as_fd()).map_err(|why| Refusal::system("asking for the IOMMU's addresses", why))?;
        state.space.set_ranges(info.ranges);
        Ok(())
    }

    fn leave(&self, group: u32) {
        let mut state = self.lock();
        let Some(member) = state.groups.get_mut(&group) else { return };
        member.devices -= 1;
        if member.devices == 0 {
            // An error means that the card was unplugged and its group has left already. Closing the file does the rest.
            let _ = sys::detach_group(member.file.as_fd());
            state.groups.remove(&group);
        }
    }

    fn map_at(&self, iova: u64, region: &Region) -> Result<(), VfioError> {
        // SAFETY: the memory stays allocated while it is mapped: whoever calls keeps the region in `State::mappings`, and only `unmap` removes it
        // there. A region hands out no reference, so a device that writes to it breaks no promise.
        unsafe { self.type1.vfio_dma_map(iova, region.len(), region.base().as_ptr()) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for VfioContainer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the container has the file open for as long as it lives.
        unsafe { BorrowedFd::borrow_raw(self.type1.as_raw_fd()) }
    }
}

impl DmaMapper for VfioContainer {
    fn map(&self, region: &Arc<Region>) -> gannet_mempool::Result<Iova> {
        let mut state = self.lock();
        if let Some((&iova, mapping)) = state.mappings.iter_mut().find(|(_, known)| Arc::ptr_eq(&known.region, region))
        {
            mapping.users += 1;
            return Ok(Iova(iova));
        }
        let refused = |reason: String| {
            let device = "the cards of this process (VFIO)".into();
            gannet_mempool::Error::DmaMap { device, bytes: region.len(), reason }
        };
        if state.groups.is_empty() {
            return Err(refused("none of them is open any more: open one first".into()));
        }
        let (len, address) = (region.len() as u64, region.base().as_ptr() as u64);
        // Addresses that are aligned as the memory is let the IOMMU use its large pages too.
        let huge = if region.len() < PageSize::Huge2M.bytes() { 1 } else { PageSize::Huge2M.bytes() };
        let alignment = region.page_size().bytes().max(huge) as u64;
        let iova = state.space.take(len, alignment, address).ok_or_else(|| refused(no_room(state.space.ranges())))?;
        if let Err(why) = self.map_at(iova, region) {
            state.space.give_back(iova);
            let mapped: usize = state.mappings.values().map(|mapping| mapping.region.len()).sum();
            return Err(refused(why_not_mapped(&why, iova, mapped + region.len())));
        }
        state.mappings.insert(iova, Mapping { region: region.clone(), users: 1 });
        Ok(Iova(iova))
    }

    fn unmap(&self, iova: Iova, region: &Region) {
        let mut state = self.lock();
        let has_cards = !state.groups.is_empty();
        let known = state.mappings.get_mut(&iova.0).filter(|mapping| mapping.region.base() == region.base());
        let Some(mapping) = known else { return };
        mapping.users = mapping.users.saturating_sub(1);
        if mapping.users > 0 {
            return;
        }
        // The kernel has forgotten all mappings when the last card went.
        if has_cards && let Err(why) = self.type1.vfio_dma_unmap(iova.0, region.len()) {
            // As long as a card might reach it, the memory must not become anything else: it is kept until the container is closed.
            tracing::error!("{region:?} at {iova:?} stays mapped until all cards are closed: {why}");
            return;
        }
        state.mappings.remove(&iova.0);
        state.space.give_back(iova.0);
    }
}

impl fmt::Debug for VfioContainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let mappings = state.mappings.iter().map(|(iova, mapping)| (Iova(*iova), mapping.users));
        f.debug_struct("VfioContainer")
            .field("groups", &state.groups.keys().collect::<Vec<_>>())
            .field("mappings", &mappings.collect::<BTreeMap<_, _>>())
            .finish()
    }
}

impl Membership {
    /// Opens the member device at this PCI address.
    pub(super) fn open_device(&self, address: &str) -> Result<File, Refusal> {
        let state = self.container.lock();
        let group = state.groups.get(&self.group);
        let group = group.ok_or_else(|| Refusal::system("finding the group", io::ErrorKind::NotFound))?;
        sys::open_device(group.file.as_fd(), address).map_err(|why| match why.raw_os_error() {
            Some(libc::EAGAIN) => Refusal::system("opening it while it is being reset (try again)", why),
            Some(libc::EACCES) => {
                Refusal::system("opening a virtual function whose physical function wants a token", why)
            }
            _ => Refusal::system("opening it in its IOMMU group", why),
        })
    }

    /// The container.
    pub(super) fn container(&self) -> &Arc<VfioContainer> {
        &self.container
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.container.leave(self.group);
    }
}

fn open_group(group: u32, sysfs: &Sysfs) -> Result<File, Refusal> {
    let node = Path::new(NODES).join(group.to_string());
    let file = OpenOptions::new().read(true).write(true).open(sysfs.path(&node));
    file.map_err(|why| cannot_open(node, why, sysfs))
}

/// Why a file of VFIO cannot be opened.
fn cannot_open(node: PathBuf, why: io::Error, sysfs: &Sysfs) -> Refusal {
    match why.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT | Errno::ENODEV | Errno::ENXIO) => Refusal::NoModule { node, source: why },
        Some(Errno::EACCES | Errno::EPERM) => Refusal::Permission { node },
        Some(Errno::EBUSY) => Refusal::InUse { holders: refusal::holders(sysfs, &node), node },
        _ => Refusal::system(format!("opening {}", node.display()), why),
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
fn why_not_mapped(why: &VfioError, iova: u64, locked: usize) -> String {
    let VfioError::IommuDmaMap(errno) = why else { return why.to_string() };
    match Errno::from_raw(errno.errno()) {
        Errno::ENOMEM => match getrlimit(Resource::RLIMIT_MEMLOCK) {
            Ok((limit, _)) if limit < locked as u64 => too_little_locked(limit, locked),
            _ => "the kernel has no memory left to map it".into(),
        },
        Errno::ENOSPC => {
            "the container has no free entry left: use fewer and larger pools, or load the module with more \
                          (`modprobe vfio_iommu_type1 dma_entry_limit=...`)"
                .into()
        }
        Errno::EEXIST => format!("something is mapped at {iova:#x} already"),
        Errno::EINVAL => format!("the IOMMU cannot use address {iova:#x}"),
        errno => errno.to_string(),
    }
}

fn too_little_locked(limit: u64, locked: usize) -> String {
    let (limit, needed) = (limit >> 10, locked.div_ceil(1024));
    format!(
        "this process may lock {limit} KiB of memory and needs {needed} KiB: `ulimit -l {needed}` before it is started (as root: \
         `ulimit -l unlimited`), a line `your-user-name - memlock {needed}` in /etc/security/limits.conf, or LimitMEMLOCK={needed}K in its systemd unit"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_opened_says_what_mends_it() {
        let sysfs = Sysfs::at("/nowhere");
        let text = |errno| cannot_open("/dev/vfio/7".into(), io::Error::from_raw_os_error(errno), &sysfs).to_string();
        assert!(text(libc::ENOENT).contains("sudo modprobe vfio-pci"), "{}", text(libc::ENOENT));
        assert!(text(libc::EACCES).contains("sudo chown $USER /dev/vfio/7"), "{}", text(libc::EACCES));
        assert!(text(libc::EACCES).contains("SUBSYSTEM==\"vfio\", OWNER="), "{}", text(libc::EACCES));
        assert!(text(libc::EBUSY).starts_with("/dev/vfio/7 is in use: "), "{}", text(libc::EBUSY));
        assert!(text(libc::EIO).contains("opening /dev/vfio/7: Input/output error"), "{}", text(libc::EIO));
    }

    #[test]
    fn a_mapping_that_is_refused_names_the_limit() {
        let refused = |errno| VfioError::IommuDmaMap(vmm_sys_util::errno::Error::new(errno));
        let text = too_little_locked(8 << 20, 64 << 20);
        assert!(text.contains("may lock 8192 KiB of memory and needs 65536 KiB: `ulimit -l 65536`"), "{text}");
        assert!(text.contains("LimitMEMLOCK=65536K"), "{text}");
        let text = why_not_mapped(&refused(libc::ENOSPC), 0x1000, 4096);
        assert!(text.contains("dma_entry_limit"), "{text}");
        let text = why_not_mapped(&refused(libc::EINVAL), 1 << 40, 4096);
        assert_eq!(text, "the IOMMU cannot use address 0x10000000000");
        let text = no_room(&[0x1000..=0xFEDF_FFFF, 0xFEF0_0000..=(1 << 39) - 1]);
        assert!(text.contains("up to 0x7fffffffff (39 bits)"), "{text}");
    }
}
