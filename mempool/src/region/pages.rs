//! Pages: their sizes, and what the kernel has of them.

use std::fs;

use crate::error::{Error, Result};

/// Size of the pages behind a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PageSize {
    /// 4 KiB. Always there; costs a TLB and an IOTLB miss for almost every packet on hardware.
    Normal,
    /// 2 MiB huge pages.
    Huge2M,
    /// 1 GiB huge pages, usually reserved on the kernel command line.
    Huge1G,
}

impl PageSize {
    /// Size in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            PageSize::Normal => 4 << 10,
            PageSize::Huge2M => 2 << 20,
            PageSize::Huge1G => 1 << 30,
        }
    }

    /// The size as people write it.
    pub const fn name(self) -> &'static str {
        match self {
            PageSize::Normal => "4 KiB",
            PageSize::Huge2M => "2 MiB",
            PageSize::Huge1G => "1 GiB",
        }
    }

    /// The kernel's directory of huge pages of this size: of a NUMA node that exists, else of the whole machine.
    fn folder(self, node: Option<u32>) -> String {
        let name = format!("hugepages/hugepages-{}kB", self.bytes() >> 10);
        let of_node = node.map(|node| format!("/sys/devices/system/node/node{node}/{name}"));
        of_node.filter(|path| fs::exists(path).unwrap_or(false)).unwrap_or_else(|| format!("/sys/kernel/mm/{name}"))
    }

    /// Free huge pages that no mapping has reserved; on this node, if one is named. (Nodes do not count reservations.)
    pub(super) fn unreserved(self, node: Option<u32>) -> usize {
        let machine = self.folder(None);
        let unreserved = counter(&machine, "free_hugepages").saturating_sub(counter(&machine, "resv_hugepages"));
        unreserved.min(counter(&self.folder(node), "free_hugepages"))
    }
}

/// Which pages a region shall have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pages {
    /// 2 MiB pages where they can be had, else normal pages and, for more than a few, a warning that says what that costs. [`Backing::Anonymous`](super::Backing::Anonymous) has no
    /// normal pages: there it is `Exactly(Huge2M)`.
    #[default]
    Prefer2M,
    /// Exactly this size, or an error.
    Exactly(PageSize),
}

fn counter(folder: &str, file: &str) -> usize {
    fs::read_to_string(format!("{folder}/{file}")).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

pub(super) fn no_huge_pages(len: usize, size: PageSize, node: Option<u32>) -> Error {
    let (needed, free, folder) = (len / size.bytes(), size.unreserved(node), size.folder(node));
    let nr = counter(&folder, "nr_hugepages") + needed.saturating_sub(free);
    let sysfs = format!("{folder}/nr_hugepages");
    Error::NoHugePages { needed, page: size.name(), free, nr, sysfs }
}

/// Populating more than there is would wake the OOM killer instead of failing.
pub(super) fn check_available(len: usize) -> Result<()> {
    match meminfo("MemAvailable:") {
        Some(available) if available < len => {
            Err(Error::OutOfMemory { needed_mib: len >> 20, available_mib: available >> 20 })
        }
        _ => Ok(()),
    }
}

pub(super) fn default_huge_page() -> Option<usize> {
    meminfo("Hugepagesize:")
}

/// A line of /proc/meminfo, in bytes.
fn meminfo(key: &str) -> Option<usize> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

/// The NUMA node of a machine that has only one. A kernel without NUMA has node 0.
pub(super) fn only_node() -> Option<u32> {
    fs::read_to_string("/sys/devices/system/node/online").map_or(Some(0), |nodes| nodes.trim().parse().ok())
}
