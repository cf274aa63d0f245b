//! An address space as a Type1v2 container: `/dev/vfio/vfio`, with IOMMU groups (`/dev/vfio/N`) in it.
//!
//! The crate `vfio-ioctls` opens the container and unmaps memory; it maps for reading and writing only, so mapping is done here. Groups and devices are opened here: its `VfioDevice` closes the device and then
//! reads the device's files in sysfs, which the kernel removes in that moment when the card is unplugged, and panics; and its errors of groups,
//! interrupts, resets and configuration space do not say why.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use gannet_mempool::region::{Access, Region};
use nix::{ioctl_write_ptr_bad, request_code_none};
use vfio_bindings::bindings::vfio::*;
use vfio_ioctls::{VfioContainer, VfioError};

use super::container::AddressSpace;
use super::refusal::{self, Refusal};
use super::sys;
use crate::sysfs::{PciAddress, Sysfs};

/// Where groups and containers are opened.
const NODES: &str = "/dev/vfio";

ioctl_write_ptr_bad!(map_dma, request_code_none!(VFIO_TYPE, VFIO_BASE + 13), vfio_iommu_type1_dma_map);

/// A container and the groups in it.
pub(super) struct Type1 {
    container: VfioContainer,
    groups: BTreeMap<u32, Group>,
}

/// A group that is in the container.
struct Group {
    file: File,
    devices: usize,
}

impl Type1 {
    /// A container without groups.
    pub(super) fn open(sysfs: &Sysfs) -> Result<Type1, Refusal> {
        let container = VfioContainer::new(None).map_err(|why| match why {
            VfioError::OpenContainer(why) => refusal::cannot_open(Path::new(NODES).join("vfio"), why, sysfs),
            VfioError::VfioExtension => Refusal::system(
                "VFIO has no Type1v2 IOMMU (`sudo modprobe vfio_iommu_type1`)",
                io::ErrorKind::Unsupported,
            ),
            why => Refusal::system("opening a container", io::Error::other(why)),
        })?;
        Ok(Type1 { container, groups: BTreeMap::new() })
    }

    /// Puts a group into the container. The first one brings the IOMMU.
    fn attach(&self, group: u32, sysfs: &Sysfs) -> Result<File, Refusal> {
        let file = refusal::open(&Path::new(NODES).join(group.to_string()), sysfs)?;
        let viable =
            sys::is_viable(file.as_fd()).map_err(|why| Refusal::system("asking for the group's state", why))?;
        if !viable {
            let blockers = refusal::blockers(sysfs, group).unwrap_or_default();
            return Err(Refusal::NotViable { group, blockers });
        }
        sys::attach_group(file.as_fd(), self.fd()).map_err(|why| match why.raw_os_error() {
            // With its first group the container gets an IOMMU; another group's must reach what is mapped.
            Some(libc::EINVAL) if !self.groups.is_empty() => Refusal::OutOfReach,
            _ => Refusal::system(format!("adding IOMMU group {group} to the container of this process's cards"), why),
        })?;
        if self.groups.is_empty() {
            sys::set_type1v2(self.fd()).map_err(|why| match why.raw_os_error() {
                Some(libc::EPERM) => Refusal::NoInterruptRemapping,
                _ => Refusal::system("giving the container its IOMMU", why),
            })?;
        }
        Ok(file)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the container has the file open for as long as it lives.
        unsafe { BorrowedFd::borrow_raw(self.container.as_raw_fd()) }
    }
}

impl AddressSpace for Type1 {
    fn add(&mut self, address: PciAddress, group: u32, sysfs: &Sysfs) -> Result<File, Refusal> {
        if !self.groups.contains_key(&group) {
            let file = self.attach(group, sysfs)?;
            self.groups.insert(group, Group { file, devices: 0 });
        }
        let member =
            self.groups.get_mut(&group).ok_or(Refusal::system("finding the group", io::ErrorKind::NotFound))?;
        member.devices += 1;
        let device = sys::open_device(member.file.as_fd(), &address.to_string());
        device.map_err(|why| {
            self.remove(group);
            not_opened(why, group, sysfs)
        })
    }

    fn remove(&mut self, group: u32) {
        let Some(member) = self.groups.get_mut(&group) else { return };
        member.devices -= 1;
        if member.devices == 0 {
            // An error means that the card was unplugged and its group has left already. Closing the file does the rest.
            let _ = sys::detach_group(member.file.as_fd());
            self.groups.remove(&group);
        }
    }

    unsafe fn map(&self, iova: u64, region: &Region) -> io::Result<()> {
        let map = request(iova, region);
        // SAFETY: the kernel reads the structure, whose size it is told. The caller keeps the memory as long as it is mapped. A region hands out
        // no reference to what a device may write, so a device that writes to it breaks no promise.
        unsafe { map_dma(self.container.as_raw_fd(), &map) }?;
        Ok(())
    }

    fn unmap(&self, iova: u64, len: usize) -> io::Result<()> {
        self.container.vfio_dma_unmap(iova, len).map_err(io_error)
    }

    fn ranges(&self) -> io::Result<Option<Vec<RangeInclusive<u64>>>> {
        Ok(sys::iommu_info(self.fd())?.ranges)
    }

    fn mappings_left(&self) -> Option<u32> {
        sys::iommu_info(self.fd()).ok()?.mappings_left
    }
}

/// What the kernel is asked to map.
fn request(iova: u64, region: &Region) -> vfio_iommu_type1_dma_map {
    let flags = match region.access() {
        Access::ReadWrite => VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
        Access::ReadOnly => VFIO_DMA_MAP_FLAG_READ,
    };
    vfio_iommu_type1_dma_map {
        argsz: size_of::<vfio_iommu_type1_dma_map>() as u32,
        flags,
        vaddr: region.base().addr().get() as u64,
        iova,
        size: region.len() as u64,
    }
}

/// Why the kernel opens the group and not the card.
fn not_opened(why: io::Error, group: u32, sysfs: &Sysfs) -> Refusal {
    match why.raw_os_error() {
        Some(libc::EAGAIN) => Refusal::system("opening it while it is being reset (try again)", why),
        Some(libc::EACCES) => Refusal::system("opening a virtual function whose physical function wants a token", why),
        // These two where iommufd stands in for the container: only there is the IOMMU asked this late.
        Some(libc::EPERM) => Refusal::NoInterruptRemapping,
        Some(libc::EBUSY) => {
            Refusal::NotViable { group, blockers: refusal::blockers(sysfs, group).unwrap_or_default() }
        }
        Some(libc::EINVAL) => Refusal::system("enabling it (has a BAR no address? `dmesg | tail` may say)", why),
        _ => Refusal::system("opening it in its IOMMU group", why),
    }
}

fn io_error(why: VfioError) -> io::Error {
    match why {
        VfioError::IommuDmaUnmap(errno) => errno.into(),
        why => io::Error::other(why),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use gannet_mempool::dma::{DmaMapper, DmaMapping, External, Iova};
    use gannet_mempool::region::{PageSize, Pages, RegionOptions};

    use super::*;

    /// Asks no kernel.
    #[derive(Debug, Default)]
    struct Requests(Mutex<Vec<(u32, u64)>>);

    impl DmaMapper for Requests {
        fn map(&self, region: &Arc<Region>) -> gannet_mempool::Result<Iova> {
            let asked = request(1 << 20, region);
            assert_eq!(asked.vaddr % 4096, 0);
            self.0.lock().expect("the requests").push((asked.flags, asked.size));
            Ok(Iova(asked.iova))
        }
        fn unmap(&self, _: Iova, _: &Region) {}
    }

    #[test]
    fn dma_streaming_lent_memory_is_mapped_for_reading_only() {
        let requests = Arc::new(Requests::default());
        let options = RegionOptions { pages: Pages::Exactly(PageSize::Normal), ..RegionOptions::default() };
        DmaMapping::new(requests.clone(), Region::new(1, options).expect("memory")).expect("a mapping");
        let memory = External::new([0; 64], drop);
        memory.map(&(requests.clone() as Arc<dyn DmaMapper>)).expect("a mapping");
        let asked = requests.0.lock().expect("the requests").clone();
        assert_eq!(asked[0], (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE, 4096));
        assert_eq!(asked[1].0, VFIO_DMA_MAP_FLAG_READ);
        assert!(asked[1].1 == 4096 || asked[1].1 == 8192);
    }
}
