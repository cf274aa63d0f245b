//! The VFIO system calls (the kernel's `include/uapi/linux/vfio.h`), each as a safe function that keeps the kernel's answer.
//!
//! What they mean together is said by the neighbours: [`super::container`] for groups and containers, [`super::function`] for devices.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::ops::{Range, RangeInclusive};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};

use libc::c_int;
use vfio_bindings::bindings::vfio::*;

/// The numbers are `_IO(';', 100 + n)`, whatever the direction of the argument.
mod call {
    use libc::{c_char, c_int};
    use nix::{ioctl_none_bad, ioctl_read_bad, ioctl_write_int_bad, ioctl_write_ptr_bad, request_code_none};
    use vfio_bindings::bindings::vfio::*;

    ioctl_write_int_bad!(set_iommu, request_code_none!(VFIO_TYPE, VFIO_BASE + 2));
    ioctl_read_bad!(group_status, request_code_none!(VFIO_TYPE, VFIO_BASE + 3), vfio_group_status);
    ioctl_write_ptr_bad!(group_set_container, request_code_none!(VFIO_TYPE, VFIO_BASE + 4), c_int);
    ioctl_none_bad!(group_unset_container, request_code_none!(VFIO_TYPE, VFIO_BASE + 5));
    ioctl_write_ptr_bad!(group_device_fd, request_code_none!(VFIO_TYPE, VFIO_BASE + 6), c_char);
    ioctl_read_bad!(region_info, request_code_none!(VFIO_TYPE, VFIO_BASE + 8), vfio_region_info);
    ioctl_read_bad!(irq_info, request_code_none!(VFIO_TYPE, VFIO_BASE + 9), vfio_irq_info);
    ioctl_write_ptr_bad!(set_irqs, request_code_none!(VFIO_TYPE, VFIO_BASE + 10), vfio_irq_set);
    ioctl_none_bad!(device_reset, request_code_none!(VFIO_TYPE, VFIO_BASE + 11));
    ioctl_read_bad!(iommu_info, request_code_none!(VFIO_TYPE, VFIO_BASE + 12), vfio_iommu_type1_info);
}

/// Whether all devices of a group are free or in VFIO's hands.
pub(super) fn is_viable(group: BorrowedFd<'_>) -> io::Result<bool> {
    let mut status = vfio_group_status { argsz: size_of::<vfio_group_status>() as u32, flags: 0 };
    // SAFETY: the kernel fills the structure, whose size it is told, and keeps no address of it.
    unsafe { call::group_status(group.as_raw_fd(), &mut status) }?;
    Ok(status.flags & VFIO_GROUP_FLAGS_VIABLE != 0)
}

/// Puts a group into a container.
pub(super) fn attach_group(group: BorrowedFd<'_>, container: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the kernel reads one descriptor number, which is open for the length of the call.
    unsafe { call::group_set_container(group.as_raw_fd(), &container.as_raw_fd()) }?;
    Ok(())
}

/// Takes a group out of its container. Devices of the group must be closed.
pub(super) fn detach_group(group: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no argument.
    unsafe { call::group_unset_container(group.as_raw_fd()) }?;
    Ok(())
}

/// Gives a container its IOMMU. It must have a group, and no IOMMU yet.
pub(super) fn set_type1v2(container: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the argument is a number.
    unsafe { call::set_iommu(container.as_raw_fd(), VFIO_TYPE1v2_IOMMU as c_int) }?;
    Ok(())
}

/// Opens the device at this PCI address, a member of the group.
pub(super) fn open_device(group: BorrowedFd<'_>, address: &str) -> io::Result<File> {
    let name = CString::new(address)?;
    // SAFETY: the kernel reads a string that ends with 0.
    let fd = unsafe { call::group_device_fd(group.as_raw_fd(), name.as_ptr()) }?;
    // SAFETY: the descriptor is new, and nobody else knows of it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Resets the function.
pub(super) fn reset(device: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no argument.
    unsafe { call::device_reset(device.as_raw_fd()) }?;
    Ok(())
}

/// What the IOMMU of a container can do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IommuInfo {
    /// Addresses that devices may use. `None`: a kernel before 5.4, which does not say.
    pub ranges: Option<Vec<RangeInclusive<u64>>>,
    /// Mappings that can still be made. `None`: a kernel before 5.10.
    pub mappings_left: Option<u32>,
}

/// Asks the IOMMU of a container.
pub(super) fn iommu_info(container: BorrowedFd<'_>) -> io::Result<IommuInfo> {
    let question = |argsz| vfio_iommu_type1_info { argsz, ..Default::default() };
    let (info, answer) = ask(container, question, call::iommu_info)?;
    let ranges = answer.capability(info.cap_offset, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
    let left = answer.capability(info.cap_offset, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
    Ok(IommuInfo {
        ranges: ranges.map(|at| answer.pairs(at).map(|(start, end)| start..=end).collect()),
        mappings_left: left.and_then(|at| answer.u32(at + 8)),
    })
}

/// A window into the device's file: a BAR or configuration space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RegionInfo {
    /// `VFIO_REGION_INFO_FLAG_...`
    pub flags: u32,
    /// Length in bytes; 0: there is none.
    pub size: u64,
    /// Where it is in the file.
    pub offset: u64,
    /// The parts that can be mapped, if not the whole.
    pub sparse: Option<Vec<Range<u64>>>,
}

/// Asks for region `index` of a device.
pub(super) fn region_info(device: BorrowedFd<'_>, index: u32) -> io::Result<RegionInfo> {
    let question = |argsz| vfio_region_info { argsz, index, ..Default::default() };
    let (info, answer) = ask(device, question, call::region_info)?;
    let first = if info.flags & VFIO_REGION_INFO_FLAG_CAPS == 0 { 0 } else { info.cap_offset };
    let sparse = answer.capability(first, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
    Ok(RegionInfo {
        flags: info.flags,
        size: info.size,
        offset: info.offset,
        sparse: sparse.map(|at| answer.pairs(at).map(|(start, len)| start..start.saturating_add(len)).collect()),
    })
}

/// Number of interrupts of one kind (`VFIO_PCI_..._IRQ_INDEX`).
pub(super) fn interrupt_count(device: BorrowedFd<'_>, index: u32) -> io::Result<u32> {
    let mut info = vfio_irq_info { argsz: size_of::<vfio_irq_info>() as u32, flags: 0, index, count: 0 };
    // SAFETY: the kernel fills the structure, whose size it is told, and keeps no address of it.
    unsafe { call::irq_info(device.as_raw_fd(), &mut info) }?;
    Ok(info.count)
}

/// Connects the first interrupts of a kind with these eventfds. None of them: disables the kind. All are connected, or none.
pub(super) fn set_interrupts(device: BorrowedFd<'_>, index: u32, signals: &[BorrowedFd<'_>]) -> io::Result<()> {
    let data = if signals.is_empty() { VFIO_IRQ_SET_DATA_NONE } else { VFIO_IRQ_SET_DATA_EVENTFD };
    let argsz = size_of::<vfio_irq_set>() + size_of_val(signals);
    let mut words = vec![argsz as u32, data | VFIO_IRQ_SET_ACTION_TRIGGER, index, 0, signals.len() as u32];
    words.extend(signals.iter().map(|signal| signal.as_raw_fd() as u32));
    // SAFETY: `words` is a `vfio_irq_set` (five words) with one descriptor number a signal behind it; the kernel reads `argsz` bytes, which is
    // its length.
    let left = unsafe { call::set_irqs(device.as_raw_fd(), words.as_ptr().cast()) }?;
    all_connected(left, signals.len())
}

/// The kernel's answer to [`set_interrupts`], if it is no error: 0, or how many it could have given. It has given none then.
fn all_connected(left: c_int, asked: usize) -> io::Result<()> {
    match left {
        0 => Ok(()),
        _ => Err(io::Error::other(format!(
            "the machine has only {left} of {asked} interrupt vectors left: use fewer queues, or poll"
        ))),
    }
}

/// Asks with a structure that begins with its size (`argsz`) and gets it back together with the capabilities that the kernel has put behind it.
fn ask<T: Copy>(
    fd: BorrowedFd<'_>,
    question: impl Fn(u32) -> T,
    call: unsafe fn(c_int, *mut T) -> nix::Result<c_int>,
) -> io::Result<(T, Answer)> {
    const { assert!(align_of::<T>() <= align_of::<u64>() && size_of::<T>() >= 8) }
    let mut argsz = size_of::<T>();
    // The first answer says how much room the whole takes. It may grow in between, but not for ever.
    for _ in 0..4 {
        let mut memory = vec![0_u64; argsz.div_ceil(8)];
        let first: *mut T = memory.as_mut_ptr().cast();
        // SAFETY: `memory` is aligned for T and at least `argsz` bytes, so at least a T, long.
        unsafe { first.write(question(argsz as u32)) };
        // SAFETY: the kernel fills at most `argsz` bytes and keeps no address of them.
        unsafe { call(fd.as_raw_fd(), first) }?;
        // SAFETY: the T written above, now with the kernel's numbers in it; any bits are valid in these structures of numbers.
        let info = unsafe { first.read() };
        let answer = Answer(memory.iter().flat_map(|word| word.to_ne_bytes()).collect());
        let needed = answer.u32(0).unwrap_or(0) as usize;
        if needed <= argsz {
            return Ok((info, answer));
        }
        argsz = needed;
    }
    Err(io::Error::other("the kernel's answer keeps growing"))
}

/// The bytes of an answer: a structure and a chain of capabilities.
struct Answer(Vec<u8>);

impl Answer {
    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.0.get(at..)?.first_chunk()?;
        Some(u32::from_ne_bytes(*bytes))
    }

    fn u64(&self, at: usize) -> Option<u64> {
        let bytes = self.0.get(at..)?.first_chunk()?;
        Some(u64::from_ne_bytes(*bytes))
    }

    /// Where capability `id` starts, its header (id and version in 16 bits each, offset of the next) included.
    fn capability(&self, first: u32, id: u32) -> Option<usize> {
        let mut at = first as usize;
        // Offsets grow along the chain; one that does not ends the walk.
        while at != 0 {
            let header = self.0.get(at..at + size_of::<vfio_info_cap_header>())?;
            if u32::from(u16::from_ne_bytes([header[0], header[1]])) == id {
                return Some(at);
            }
            let next = self.u32(at + 4)? as usize;
            at = if next > at { next } else { 0 };
        }
        None
    }

    /// The pairs of 64-bit words in a capability that is a list of them: count, one word reserved, pairs.
    fn pairs(&self, at: usize) -> impl Iterator<Item = (u64, u64)> {
        let count = self.u32(at + 8).unwrap_or(0) as usize;
        (0..count).map_while(move |index| {
            let pair = at + 16 + 16 * index;
            Some((self.u64(pair)?, self.u64(pair + 8)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer of a structure of 24 bytes and two capabilities: mappings left, and two ranges.
    fn answer() -> Answer {
        let mut bytes = vec![0; 24];
        let mut put = |words: &[u32]| bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        put(&[3 | 1 << 16, 40, 65535, 0]);
        put(&[1 | 1 << 16, 0, 2, 0]);
        put(&[0, 0, 0xFEDF_FFFF, 0, 0xFEF0_0000, 0, 0xFFFF_FFFF, 0x7F]);
        Answer(bytes)
    }

    #[test]
    fn capabilities_are_found_along_the_chain() {
        let answer = answer();
        assert_eq!(answer.capability(24, 3).and_then(|at| answer.u32(at + 8)), Some(65535));
        let ranges = answer.capability(24, 1).expect("the ranges");
        assert_eq!(answer.pairs(ranges).collect::<Vec<_>>(), [(0, 0xFEDF_FFFF), (0xFEF0_0000, 0x7F_FFFF_FFFF)]);
        assert_eq!(answer.capability(24, 2), None);
        assert_eq!(answer.capability(0, 1), None);
    }

    #[test]
    fn nonsense_ends_the_walk() {
        let mut answer = answer();
        assert_eq!(answer.capability(4096, 1), None, "beyond the end");
        answer.0[28..32].copy_from_slice(&24_u32.to_ne_bytes());
        assert_eq!(answer.capability(24, 1), None, "a chain that bites its tail");
        answer.0[48..52].copy_from_slice(&1000_u32.to_ne_bytes());
        assert_eq!(answer.pairs(40).count(), 2, "more pairs than there are bytes");
    }

    #[test]
    fn fewer_vectors_than_asked_for_are_none() {
        assert!(all_connected(0, 4).is_ok());
        let why = all_connected(3, 4).expect_err("nothing is connected").to_string();
        assert!(why.contains("only 3 of 4") && why.contains("use fewer queues, or poll"), "{why}");
    }

    #[test]
    fn what_is_no_vfio_file_is_refused() {
        let file = tempfile::tempfile().expect("a file");
        use std::os::fd::AsFd;
        assert!(is_viable(file.as_fd()).is_err());
        assert!(iommu_info(file.as_fd()).is_err());
        assert!(region_info(file.as_fd(), 0).is_err());
        assert!(set_interrupts(file.as_fd(), 2, &[file.as_fd()]).is_err());
        assert!(reset(file.as_fd()).is_err());
    }
}
