//! An address space as an object of iommufd (Linux 6.6 and later), with cards opened one by one (`/dev/vfio/devices/vfioN`) and not by group.
//!
//! Untested: no kernel of Debian's has it. `vfio-ioctls` has it too, but with the bindings of KVM in its wake; so `iommufd-ioctls`, which lies
//! below it, is used, and what that lacks is called here (the kernel's `include/uapi/linux/iommufd.h` and `vfio.h`).
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use gannet_mempool::region::{Access, Region};
use iommufd_bindings::iommufd::*;
use iommufd_ioctls::{IommuFd, IommufdError};
use nix::{ioctl_readwrite_bad, request_code_none};
use vfio_bindings::bindings::vfio::*;

use super::container::AddressSpace;
use super::refusal::{self, Refusal};
use super::users::Users;
use crate::sysfs::{PciAddress, Sysfs};

/// The file of iommufd.
const IOMMU: &str = "/dev/iommu";

/// Where cards are opened.
const DEVICES: &str = "/dev/vfio/devices";

/// Ranges that the kernel is asked for. An IOMMU has a handful.
const RANGES: usize = 64;

ioctl_readwrite_bad!(iova_ranges, request_code_none!(VFIO_TYPE, 0x84), iommu_ioas_iova_ranges);
ioctl_readwrite_bad!(bind_iommufd, request_code_none!(VFIO_TYPE, VFIO_BASE + 18), vfio_device_bind_iommufd);
ioctl_readwrite_bad!(attach_iommufd, request_code_none!(VFIO_TYPE, VFIO_BASE + 19), vfio_device_attach_iommufd_pt);

/// An I/O address space (IOAS). Closing iommufd frees it.
pub(super) struct Iommufd {
    iommufd: IommuFd,
    ioas: u32,
}

impl Iommufd {
    /// Whether this kernel has all that is needed.
    pub(super) fn is_there(sysfs: &Sysfs) -> bool {
        sysfs.path(IOMMU).exists() && sysfs.path(DEVICES).exists()
    }

    /// An address space without cards.
    pub(super) fn open(sysfs: &Sysfs) -> Result<Iommufd, Refusal> {
        let iommufd = IommuFd::new_from_fd(refusal::open(Path::new(IOMMU), sysfs)?);
        let mut ioas = iommu_ioas_alloc { size: size_of::<iommu_ioas_alloc>() as u32, flags: 0, out_ioas_id: 0 };
        iommufd.alloc_iommu_ioas(&mut ioas).map_err(|why| Refusal::system("making an address space", io_error(why)))?;
        Ok(Iommufd { iommufd, ioas: ioas.out_ioas_id })
    }
}

impl AddressSpace for Iommufd {
    fn add(&mut self, address: PciAddress, group: u32, sysfs: &Sysfs) -> Result<File, Refusal> {
        let node = node(address, sysfs).map_err(|why| Refusal::system("finding its file in /dev/vfio/devices", why))?;
        let device = refusal::open(&node, sysfs)?;
        let mut bind = vfio_device_bind_iommufd {
            argsz: size_of::<vfio_device_bind_iommufd>() as u32,
            flags: 0,
            iommufd: self.iommufd.as_raw_fd(),
            out_devid: 0,
            token_uuid_ptr: 0,
        };
        // SAFETY: the kernel fills the structure, whose size it is told, and keeps no address of it.
        unsafe { bind_iommufd(device.as_raw_fd(), &mut bind) }.map_err(|why| match why {
            nix::Error::EBUSY => Refusal::InUse { holders: Users::find(sysfs).of_node(&node), node: node.clone() },
            // Who has the group is asked first, then the interrupts.
            nix::Error::EPERM => match refusal::blockers(sysfs, group).unwrap_or_default() {
                blockers if blockers.is_empty() => Refusal::system(
                    "binding it without interrupt remapping (only with iommufd.allow_unsafe_interrupts=1)",
                    why,
                ),
                blockers => Refusal::NotViable { group, blockers },
            },
            why => Refusal::system("binding it to iommufd", why),
        })?;
        let mut attach = vfio_device_attach_iommufd_pt {
            argsz: size_of::<vfio_device_attach_iommufd_pt>() as u32,
            flags: 0,
            pt_id: self.ioas,
            pasid: 0,
        };
        // SAFETY: as above.
        unsafe { attach_iommufd(device.as_raw_fd(), &mut attach) }.map_err(|why| match why {
            nix::Error::EADDRINUSE => Refusal::OutOfReach,
            why => Refusal::system("attaching it to the address space of this process's cards", why),
        })?;
        Ok(device)
    }

    fn remove(&mut self, _group: u32) {
        // Closing the card's file has detached it.
    }

    unsafe fn map(&self, iova: u64, region: &Region) -> io::Result<()> {
        let writeable = match region.access() {
            Access::ReadWrite => iommufd_ioas_map_flags_IOMMU_IOAS_MAP_WRITEABLE,
            Access::ReadOnly => 0,
        };
        let map = iommu_ioas_map {
            size: size_of::<iommu_ioas_map>() as u32,
            flags: iommufd_ioas_map_flags_IOMMU_IOAS_MAP_FIXED_IOVA
                | iommufd_ioas_map_flags_IOMMU_IOAS_MAP_READABLE
                | writeable,
            ioas_id: self.ioas,
            __reserved: 0,
            user_va: region.base().as_ptr() as u64,
            length: region.len() as u64,
            iova,
        };
        self.iommufd.map_iommu_ioas(&map).map_err(io_error)
    }

    fn unmap(&self, iova: u64, len: usize) -> io::Result<()> {
        let size = size_of::<iommu_ioas_unmap>() as u32;
        let mut unmap = iommu_ioas_unmap { size, ioas_id: self.ioas, iova, length: len as u64 };
        self.iommufd.unmap_iommu_ioas(&mut unmap).map_err(io_error)
    }

    fn ranges(&self) -> io::Result<Option<Vec<RangeInclusive<u64>>>> {
        let mut ranges = [iommu_iova_range { start: 0, last: 0 }; RANGES];
        let mut question = iommu_ioas_iova_ranges {
            size: size_of::<iommu_ioas_iova_ranges>() as u32,
            ioas_id: self.ioas,
            num_iovas: RANGES as u32,
            __reserved: 0,
            allowed_iovas: ranges.as_mut_ptr() as u64,
            out_iova_alignment: 0,
        };
        // SAFETY: the kernel fills the structure and at most `num_iovas` ranges, and keeps no address of either.
        unsafe { iova_ranges(self.iommufd.as_raw_fd(), &mut question) }?;
        let known = ranges.iter().take(question.num_iovas as usize);
        Ok(Some(known.map(|range| range.start..=range.last).collect()))
    }

    fn mappings_left(&self) -> Option<u32> {
        None
    }
}

/// The file of a card: the kernel names it by a folder (`vfio-dev/vfioN`) among the card's.
fn node(address: PciAddress, sysfs: &Sysfs) -> io::Result<PathBuf> {
    let folder = sysfs.path("/sys/bus/pci/devices").join(address.to_string()).join("vfio-dev");
    let name = fs::read_dir(folder)?.next().ok_or(io::ErrorKind::NotFound)??.file_name();
    Ok(Path::new(DEVICES).join(name))
}

fn io_error(why: IommufdError) -> io::Error {
    match why {
        IommufdError::IommuIoasAlloc(errno)
        | IommufdError::IommuIoasMap(errno)
        | IommufdError::IommuIoasUnmap(errno) => errno.into(),
        why => io::Error::other(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_s_file_is_found_by_its_number() {
        let root = tempfile::tempdir().expect("a folder");
        let sysfs = Sysfs::at(root.path());
        let card: PciAddress = "01:00.0".parse().expect("an address");
        assert!(!Iommufd::is_there(&sysfs));
        assert_eq!(node(card, &sysfs).expect_err("no card").kind(), io::ErrorKind::NotFound);
        fs::create_dir_all(sysfs.path("/sys/bus/pci/devices/0000:01:00.0/vfio-dev/vfio3")).expect("a folder");
        assert_eq!(node(card, &sysfs).expect("its file"), Path::new("/dev/vfio/devices/vfio3"));
        fs::create_dir_all(sysfs.path(DEVICES)).expect("a folder");
        fs::write(sysfs.path(IOMMU), "").expect("a file");
        assert!(Iommufd::is_there(&sysfs));
        let refused = Iommufd::open(&sysfs).err().expect("a plain file is no iommufd").to_string();
        assert!(refused.starts_with("making an address space: "), "{refused}");
    }
}
