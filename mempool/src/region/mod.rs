//! Regions: large, page-aligned pieces of memory that a device can be given.
//!
//! A region is a memory file (memfd) where anything else must map it too (a software card, a device served by
//! another process), or anonymous huge pages. Either way it is gone when its last user is gone: SIGKILL leaves no huge page
//! behind, as no file in a hugetlbfs mount ever exists. [`crate::dma`] makes a region known to a device;
//! [`crate::Pool`] cuts it into buffers. Memory that someone else owns is a region too, one that devices only read
//! ([`crate::dma::External`]). Under miri, which knows no mappings, regions come from the heap.
#![allow(unsafe_code)]

use std::alloc::Layout;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::Arc;

use memmap2::{MmapOptions, MmapRaw};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::error::{Error, Result};

mod foreign;
mod pages;
mod sealed;

use foreign::Loan;
pub use pages::{PageSize, Pages};
use pages::{check_available, default_huge_page, no_huge_pages, only_node};
pub(crate) use sealed::sealed_copy;

/// Where the memory comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backing {
    /// A memory file, which others can map through its descriptor. Software cards and vfio-user need it.
    #[default]
    Shared,
    /// Anonymous huge pages of the default size (through `hugepage-rs`). For VFIO devices only, which need no descriptor.
    Anonymous,
}

/// How to make a [`Region`].
#[derive(Debug, Clone, Copy, Default)]
pub struct RegionOptions {
    /// Page size.
    pub pages: Pages,
    /// Provider.
    pub backing: Backing,
    /// NUMA node that the pages must come from; `None` leaves it to the kernel (the node of the allocating core).
    pub numa_node: Option<u32>,
}

/// Page-aligned memory, freed on drop: fresh, zeroed and populated, or somebody else's.
///
/// A region hands out no references: what lies in it may be written by a device at any time.
pub struct Region {
    base: NonNull<u8>,
    len: usize,
    page_size: PageSize,
    memory: Memory,
}

/// Owner of the mapping; dropping it unmaps.
enum Memory {
    Shared {
        _map: MmapRaw,
        file: File,
    },
    Anonymous(Layout),
    /// For miri only.
    Heap(Layout),
    /// Somebody else's.
    Lent(Loan),
}

/// What a device may do with a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read and write it.
    ReadWrite,
    /// Read it. A write is a fault.
    ReadOnly,
}

// SAFETY: a region is plain memory with no thread affinity; it gives out only its raw address, so moving or sharing the handle
// accesses nothing. Those who dereference the address (pool, descriptor rings) argue for themselves. An owner and a release function that
// it keeps (`Region::lend`) are `Send`, and touched only when it is dropped.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Gets at least `bytes` of memory, rounded up to whole pages.
    ///
    /// # Errors
    /// Zero bytes, not enough memory or huge pages (with the command that gives them), or a refused NUMA node.
    pub fn new(bytes: usize, options: RegionOptions) -> Result<Arc<Region>> {
        if bytes == 0 {
            return Err(Error::Invalid("a region of 0 bytes was asked for".into()));
        }
        let region = match options.pages {
            Pages::Exactly(size) => Self::with_pages(bytes, size, options)?,
            Pages::Prefer2M => match Self::with_pages(bytes, PageSize::Huge2M, options) {
                // Normal pages are never anonymous.
                Err(why @ Error::NoHugePages { .. }) if options.backing == Backing::Shared => {
                    let region = Self::with_pages(bytes, PageSize::Normal, options)?;
                    // Less than a huge page takes a few entries either way.
                    if bytes >= PageSize::Huge2M.bytes() {
                        tracing::warn!(
                            "packet memory on 4 KiB pages: software cards do not mind; a real card is 2-40 % slower (one IOTLB entry \
                             covers two packets instead of a thousand). {why}"
                        );
                    }
                    region
                }
                other => other?,
            },
        };
        Ok(Arc::new(region))
    }

    fn with_pages(bytes: usize, size: PageSize, options: RegionOptions) -> Result<Region> {
        let len = bytes
            .checked_next_multiple_of(size.bytes())
            .ok_or_else(|| Error::Invalid(format!("a region of {bytes} bytes is beyond any machine")))?;
        if cfg!(miri) {
            return Self::heap(len);
        }
        if size == PageSize::Normal {
            check_available(len)?;
        } else if size.unreserved(options.numa_node) < len / size.bytes() {
            return Err(no_huge_pages(len, size, options.numa_node));
        }
        let region = match (options.backing, size) {
            (Backing::Anonymous, PageSize::Huge2M) => Self::anonymous(len)?,
            (Backing::Anonymous, _) => {
                return Err(Error::Invalid(format!(
                    "anonymous regions come in 2 MiB pages only, {} asked for: use Backing::Shared",
                    size.name()
                )));
            }
            (Backing::Shared, _) => Self::shared(len, size)?,
        };
        if let Some(node) = options.numa_node {
            region.bind_to_node(node)?;
        }
        region.populate()?;
        Ok(region)
    }

    /// For miri only.
    fn heap(len: usize) -> Result<Region> {
        let size = PageSize::Normal;
        let layout = Layout::from_size_align(len, size.bytes()).map_err(|e| Error::Invalid(e.to_string()))?;
        // SAFETY: the layout's size is not 0 (checked by `new`, then rounded up).
        let base = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) });
        let base = base.ok_or(Error::OutOfMemory { needed_mib: len >> 20, available_mib: 0 })?;
        Ok(Region { base, len, page_size: size, memory: Memory::Heap(layout) })
    }

    fn shared(len: usize, size: PageSize) -> Result<Region> {
        let huge = match size {
            PageSize::Normal => MFdFlags::empty(),
            PageSize::Huge2M => MFdFlags::MFD_HUGETLB | MFdFlags::MFD_HUGE_2MB,
            PageSize::Huge1G => MFdFlags::MFD_HUGETLB | MFdFlags::MFD_HUGE_1GB,
        };
        let fd = memfd_create(c"gannet", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING | huge)
            .map_err(|e| Error::system(format!("memory file on {} pages", size.name()), e))?;
        let file = File::from(fd);
        file.set_len(len as u64).map_err(|e| Error::system(format!("growing a memory file to {len} bytes"), e))?;
        // Who is given the descriptor must not be able to cut the file off under this process: that would be a SIGBUS.
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).map_err(|e| Error::system("sealing a memory file's length", e))?;
        // A mapping of a hugetlb file reserves its pages: too few is an error here, never a fault later.
        let map = MmapOptions::new().len(len).map_raw(&file).map_err(|e| match size {
            PageSize::Normal => Error::system(format!("mapping {len} bytes"), e),
            _ => no_huge_pages(len, size, None),
        })?;
        let base = NonNull::new(map.as_mut_ptr()).ok_or_else(|| Error::Invalid("memory mapped at address 0".into()))?;
        Ok(Region { base, len, page_size: size, memory: Memory::Shared { _map: map, file } })
    }

    fn anonymous(len: usize) -> Result<Region> {
        let size = PageSize::Huge2M;
        // hugepage-rs rounds to the kernel's default huge page and panics where there is none.
        if default_huge_page() != Some(size.bytes()) {
            return Err(Error::Invalid(
                "the kernel's default huge page is not 2 MiB: use Backing::Shared, which asks for the size".into(),
            ));
        }
        let layout = Layout::from_size_align(len, PageSize::Normal.bytes())
            .map_err(|_| Error::Invalid(format!("a region of {len} bytes is beyond any machine")))?;
        // SAFETY: the layout's size is not 0 (checked by `new`, then rounded up).
        let base = NonNull::new(unsafe { hugepage_rs::alloc(layout) }).ok_or_else(|| no_huge_pages(len, size, None))?;
        Ok(Region { base, len, page_size: size, memory: Memory::Anonymous(layout) })
    }

    /// Binds all pages, none touched yet, to a NUMA node (mbind(2), MPOL_BIND).
    fn bind_to_node(&self, node: u32) -> Result<()> {
        // They come from nowhere else, and the kernel need not know the call, or allow it (containers).
        if only_node() == Some(node) {
            return Ok(());
        }
        const MPOL_BIND: libc::c_ulong = 2;
        let bits = libc::c_ulong::BITS;
        let mut mask = [0 as libc::c_ulong; 16];
        let word = mask.get_mut((node / bits) as usize).ok_or_else(|| Error::Invalid(format!("NUMA node {node}")))?;
        *word |= 1 << (node % bits);
        // SAFETY: mbind only sets the policy of a range that this region owns and reads `mask`, whose length in bits it is told.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_mbind,
                self.base.as_ptr(),
                self.len,
                MPOL_BIND,
                mask.as_ptr(),
                mask.len() * bits as usize,
                0,
            )
        };
        if answer == 0 {
            return Ok(());
        }
        let why = io::Error::last_os_error();
        Err(Error::system(
            format!("binding memory to NUMA node {node} (`ls /sys/devices/system/node` lists them)"),
            why,
        ))
    }

    /// Faults every page in now: no page fault on the data path, and no SIGBUS when memory runs out.
    fn populate(&self) -> Result<()> {
        // SAFETY: the range is this region's own mapping, which nobody else knows of yet.
        let answer = unsafe { libc::madvise(self.base.as_ptr().cast(), self.len, libc::MADV_POPULATE_WRITE) };
        if answer == 0 {
            return Ok(());
        }
        match io::Error::last_os_error() {
            // Kernels before 5.14: touch the pages by hand.
            why if why.raw_os_error() == Some(libc::EINVAL) => {
                for offset in (0..self.len).step_by(self.page_size.bytes()) {
                    // SAFETY: `offset` is inside the mapping, which is writable and known to nobody else yet.
                    unsafe { self.base.as_ptr().add(offset).write_volatile(0) };
                }
                Ok(())
            }
            why => Err(Error::system(format!("populating {} bytes of packet memory", self.len), why)),
        }
    }

    /// Address of the first byte, aligned to [`Self::page_size`].
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Length in bytes, a multiple of the page size.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.len
    }

    /// The pages behind it.
    pub fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// What a device may do with it.
    pub fn access(&self) -> Access {
        match self.memory {
            Memory::Lent(_) => Access::ReadOnly,
            _ => Access::ReadWrite,
        }
    }

    /// The file that the region is, from its first byte on, for those who map it themselves; `None` where there is none. One that is
    /// [`Access::ReadOnly`] may be open for reading only.
    pub fn file(&self) -> Option<BorrowedFd<'_>> {
        match &self.memory {
            Memory::Shared { file, .. } => Some(file.as_fd()),
            Memory::Lent(loan) => loan.file(),
            Memory::Anonymous(_) | Memory::Heap(_) => None,
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        match self.memory {
            // They drop themselves.
            Memory::Shared { .. } | Memory::Lent(_) => {}
            // SAFETY: `base` came from hugepage_rs::alloc with this very layout, and drop runs once.
            Memory::Anonymous(layout) => unsafe { hugepage_rs::dealloc(self.base.as_ptr(), layout) },
            // SAFETY: likewise, from the heap.
            Memory::Heap(layout) => unsafe { std::alloc::dealloc(self.base.as_ptr(), layout) },
        }
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("base", &self.base)
            .field("len", &self.len)
            .field("page_size", &self.page_size)
            .field("fd", &self.file().map(|fd| fd.as_raw_fd()))
            .finish()
    }
}
