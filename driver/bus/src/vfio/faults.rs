//! Accesses that the IOMMU has refused.
//!
//! VFIO's Type1 interface does not report them to the program; the kernel's log is the only place where they show. Reading it may be reserved to
//! root (`kernel.dmesg_restrict`), and the kernel limits how many it logs: an empty list proves nothing.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

use gannet_mempool::dma::Iova;

use crate::sysfs::PciAddress;
use crate::{DmaAccess, DmaFault};

/// Records that one call reads at most: the log may be filled as fast as it is read.
const RECORDS: usize = 4096;

/// The kernel's log from a moment on.
#[derive(Debug)]
pub(super) struct KernelLog(Option<File>);

impl KernelLog {
    /// From now on. Without permission to read it, it stays empty.
    pub(super) fn from_now() -> KernelLog {
        let open = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg");
        let at_end = open.and_then(|mut log| log.seek(SeekFrom::End(0)).map(|_| log));
        KernelLog(at_end.ok())
    }

    /// The refused accesses of one device since the last call.
    pub(super) fn faults(&self, device: PciAddress) -> Vec<DmaFault> {
        let Some(mut log) = self.0.as_ref() else { return Vec::new() };
        let mut faults = Vec::new();
        let mut record = [0; 8192];
        for _ in 0..RECORDS {
            match log.read(&mut record) {
                Ok(0) => break,
                Ok(len) => faults.extend(parse(&String::from_utf8_lossy(&record[..len]), device)),
                // Records were overwritten before they were read: the next read goes on behind the gap.
                Err(why) if why.raw_os_error() == Some(libc::EPIPE) => {}
                Err(_) => break,
            }
        }
        faults
    }
}

/// Reads a record of the log, if it tells of an access of `device`.
fn parse(record: &str, device: PciAddress) -> Option<DmaFault> {
    if record.contains("DMAR:") { parse_vtd(record, device) } else { parse_amd(record, device) }
}

/// Intel VT-d (`drivers/iommu/intel/dmar.c`):
/// `DMAR: [DMA Write NO_PASID] Request device [01:00.0] fault addr 0xdead000 [fault reason 0x05] PTE Write access is not set`.
fn parse_vtd(record: &str, device: PciAddress) -> Option<DmaFault> {
    let (_, rest) = record.split_once("[DMA ")?;
    let access = match rest.split([' ', ']']).next()? {
        "Read" => DmaAccess::Read,
        "Write" => DmaAccess::Write,
        _ => return None,
    };
    let same = is_same(after(rest, "device [")?.split(']').next()?, device)?;
    let iova = hexadecimal(after(rest, "fault addr ")?)?;
    same.then_some(DmaFault { iova: Iova(iova), access })
}

/// AMD-Vi (`drivers/iommu/amd/iommu.c`):
/// `AMD-Vi: Event logged [IO_PAGE_FAULT device=01:00.0 domain=0x000e address=0xdead000 flags=0x0020]`, or, where the kernel knows the device,
/// `vfio-pci 0000:01:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000e address=0xdead000 flags=0x0020]`.
fn parse_amd(record: &str, device: PciAddress) -> Option<DmaFault> {
    /// Bit of the flags: the access was a write.
    const WRITE: u64 = 0x20;
    let (before, event) = record.split_once("AMD-Vi: Event logged [IO_PAGE_FAULT ")?;
    let requester = match after(event, "device=") {
        Some(name) => name.split(' ').next()?,
        None => before.trim_end().trim_end_matches(':').rsplit(' ').next()?,
    };
    let same = is_same(requester, device)?;
    let access = match hexadecimal(after(event, "flags=")?)? & WRITE {
        0 => DmaAccess::Read,
        _ => DmaAccess::Write,
    };
    let iova = hexadecimal(after(event, "address=")?)?;
    same.then_some(DmaFault { iova: Iova(iova), access })
}

/// Whether a message that names this requester means the device. VT-d's and older ones do not name the domain: on a machine with several the
/// fault may be that of another domain's device.
fn is_same(requester: &str, device: PciAddress) -> Option<bool> {
    let its: PciAddress = requester.parse().ok()?;
    let names_domain = requester.matches(':').count() == 2;
    Some(its == if names_domain { device } else { PciAddress { domain: 0, ..device } })
}

fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split_once(key).map(|(_, rest)| rest)
}

/// The hexadecimal number at the start of a text, with or without 0x.
fn hexadecimal(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
    u64::from_str_radix(&digits[..end], 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(device: &str, record: &str) -> Option<DmaFault> {
        parse(record, device.parse().expect("an address"))
    }

    #[test]
    fn faults_are_read_as_each_kernel_writes_them() {
        let read = |iova| Some(DmaFault { iova: Iova(iova), access: DmaAccess::Read });
        let write = |iova| Some(DmaFault { iova: Iova(iova), access: DmaAccess::Write });
        for (record, expected) in [
            (
                "3,734,20140917,-;DMAR: [DMA Write NO_PASID] Request device [01:00.0] fault addr 0xdead000 [fault reason 0x05] \
                 PTE Write access is not set\n",
                write(0xDEAD000),
            ),
            (
                "3,7,2,-;DMAR: [DMA Read PASID 0x1] Request device [01:00.0] fault addr 0xfeed0000 [fault reason 0x06]",
                read(0xFEED_0000),
            ),
            (
                "DMAR: [DMA Read] Request device [01:00.0] fault addr dead000 [fault reason 06] PTE Read access",
                read(0xDEAD000),
            ),
            ("DMAR:[DMA Write] Request device [01:00.0] fault addr ffffffffffff0000", write(0xFFFF_FFFF_FFFF_0000)),
            (
                "AMD-Vi: Event logged [IO_PAGE_FAULT device=01:00.0 domain=0x000e address=0x00000000dead0000 flags=0x0020]",
                write(0xDEAD_0000),
            ),
            (
                "AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:01:00.0 domain=0x000e address=0xdead000 flags=0x0000]",
                read(0xDEAD000),
            ),
            (
                "3,9,1,-;vfio-pci 0000:01:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000e address=0xdead000 flags=0x0070]",
                write(0xDEAD000),
            ),
        ] {
            assert_eq!(faults_of("0000:01:00.0", record), expected, "{record}");
        }
    }

    #[test]
    fn the_domain_counts_where_it_is_named() {
        let amd = "AMD-Vi: Event logged [IO_PAGE_FAULT device=01:00.0 domain=0x000e address=0xdead000 flags=0x0000]";
        let vtd = "DMAR: [DMA Read] Request device [01:00.0] fault addr dead000 [fault reason 06] PTE Read access";
        let fault = Some(DmaFault { iova: Iova(0xDEAD000), access: DmaAccess::Read });
        for record in [amd, vtd] {
            assert_eq!(faults_of("0001:01:00.0", record), fault, "{record}");
        }
        let named = amd.replace("01:00.0", "0001:01:00.0");
        assert_eq!((faults_of("0001:01:00.0", &named), faults_of("0000:01:00.0", &named)), (fault, None));
    }

    #[test]
    fn what_is_not_of_this_device_is_passed_over() {
        for record in [
            "",
            "6,1,0,-;DMAR: IOMMU enabled",
            "DMAR: DRHD: handling fault status reg 2",
            "DMAR: [DMA Write NO_PASID] Request device [01:00.1] fault addr 0xdead000 [fault reason 0x05]",
            "DMAR: [INTR-REMAP] Request device [01:00.0] fault index 0x25 [fault reason 0x22]",
            "DMAR: [DMA Write NO_PASID] Request device [01:00.0] fault addr",
            "DMAR: [DMA Write NO_PASID] Request device [01:00.0",
            "AMD-Vi: Event logged [IO_PAGE_FAULT device=02:00.0 domain=0x000e address=0xdead000 flags=0x0020]",
            "AMD-Vi: Event logged [IO_PAGE_FAULT device=01:00.0 domain=0x000e address=xyz flags=0x0020]",
            "AMD-Vi: Event logged [IO_PAGE_FAULT",
        ] {
            assert_eq!(faults_of("0000:01:00.0", record), None, "{record}");
        }
    }
}
