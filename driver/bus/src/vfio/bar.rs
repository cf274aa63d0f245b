//! A memory BAR of a VFIO device: registers on mapped pages.
//!
//! ```text
//!   offset 0            first.end                                    size of the BAR
//!   | first area: one    |  hole: MSI-X table   |  further areas: by a      |
//!   | compare, one load  |  (the kernel's alone)|  look-up                  |
//! ```
#![allow(unsafe_code)]

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("gannet-bus knows the order of register accesses on x86-64 and aarch64 only");

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use memmap2::{MmapOptions, MmapRaw};

use super::function::Function;
use crate::Registers;

/// Pages are what is mapped or left out. Those of the kernel are taken to be as small (as `gannet-mempool` does): one with larger pages, as some
/// for aarch64, refuses to map the areas around an MSI-X table.
const PAGE: u64 = 4096;

/// Registers of a card. Clones share the mapping; the card stays open until the last of them is dropped.
#[derive(Clone)]
pub struct Bar {
    first: NonNull<u32>,
    /// Registers in the first area, which begins at offset 0. None of them if that cannot be mapped.
    registers: u32,
    mapping: Arc<Mapping>,
}

// SAFETY: registers have no thread affinity, an access is one volatile instruction, and the mapping lives as long as the handle.
unsafe impl Send for Bar {}
// SAFETY: as above; concurrent accesses meet in the device, which takes them one by one.
unsafe impl Sync for Bar {}

/// The mapped areas of a BAR. Unmapped before the function is closed, which is what the order of the fields says.
struct Mapping {
    areas: Vec<Area>,
    /// Held, so that memory space stays on while it can be accessed.
    _function: Option<Arc<Function>>,
}

/// A mapped part of a BAR.
struct Area {
    offset: u64,
    pages: MmapRaw,
}

impl Bar {
    /// Maps `areas` (offsets in the BAR, whole pages, ascending) of the BAR that lies at `base` in the device's file.
    pub(super) fn map(
        file: &File,
        base: u64,
        areas: &[Range<u64>],
        function: Option<Arc<Function>>,
    ) -> io::Result<Bar> {
        let area = |area: &Range<u64>| {
            let len = usize::try_from(area.end - area.start).map_err(io::Error::other)?;
            let pages = MmapOptions::new().offset(base + area.start).len(len).map_raw(file)?;
            Ok(Area { offset: area.start, pages })
        };
        let areas = areas.iter().map(area).collect::<io::Result<Vec<Area>>>()?;
        let (first, registers) = match areas.first() {
            // Offsets are of 32 bits, so there are at most 2^30 registers.
            Some(Area { offset: 0, pages }) => (pages.as_mut_ptr(), (pages.len() / 4).min(1 << 30) as u32),
            _ => (ptr::null_mut(), 0),
        };
        let first = NonNull::new(first.cast()).unwrap_or(NonNull::dangling());
        Ok(Bar { first, registers, mapping: Arc::new(Mapping { areas, _function: function }) })
    }

    /// Where the register at `offset` is. `None`: beyond the BAR, in a hole, or not aligned.
    #[inline(always)]
    fn register(&self, offset: u32) -> Option<NonNull<u32>> {
        // The two low bits become the highest: an offset that is not aligned is beyond any BAR.
        let index = offset.rotate_right(2);
        if index < self.registers {
            // SAFETY: `index` is below the number of registers in the first area, whose mapping `self.mapping` keeps.
            return Some(unsafe { self.first.add(index as usize) });
        }
        self.mapping.register(offset)
    }
}

impl Mapping {
    /// The same for all areas.
    #[cold]
    fn register(&self, offset: u32) -> Option<NonNull<u32>> {
        let area = self.areas.iter().rev().find(|area| area.offset <= offset.into())?;
        let inside = usize::try_from(u64::from(offset) - area.offset).ok()?;
        if !inside.is_multiple_of(4) || inside >= area.pages.len() {
            return None;
        }
        // SAFETY: `inside` is below the length of the mapping.
        NonNull::new(unsafe { area.pages.as_mut_ptr().add(inside) }.cast())
    }
}

impl Registers for Bar {
    #[inline(always)]
    fn read(&self, offset: u32) -> u32 {
        match self.register(offset) {
            // SAFETY: inside a mapping that `self` keeps, aligned to 4. The function is open as long, with memory space on, so the load is answered.
            Some(register) => u32::from_le(unsafe { register.read_volatile() }),
            None => u32::MAX,
        }
    }

    #[inline(always)]
    fn write(&self, offset: u32, value: u32) {
        if let Some(register) = self.register(offset) {
            release_to_device();
            // SAFETY: as for `read`; a store to a register harms no memory of this process, and what the device does then is confined by its IOMMU.
            unsafe { register.write_volatile(value.to_le()) };
        }
    }
}

impl fmt::Debug for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let areas = self.mapping.areas.iter().map(|area| area.offset..area.offset + area.pages.len() as u64);
        f.debug_list().entries(areas).finish()
    }
}

/// What was stored to memory before is seen by the device no later than the register that is written next.
#[inline(always)]
fn release_to_device() {
    // Stores are seen in their order by devices too: registers are uncached, and the processor keeps the order of such stores with all earlier
    // ones (Intel SDM volume 3, 11.3). Only the compiler must.
    #[cfg(target_arch = "x86_64")]
    std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::Release);
    // Memory and device are different for the processor, and no fence of Rust's covers devices: stores before stores, outer shareable domain (as
    // Linux's `dma_wmb`).
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a barrier; it changes no register and no memory.
    unsafe {
        std::arch::asm!("dmb oshst", options(nostack, preserves_flags));
    }
}

/// The parts of a BAR to map: what the kernel allows (`sparse`, or the whole of `size` bytes), without the pages that `table` touches. The
/// MSI-X table belongs to the kernel, which fills it; a store of ours would send interrupts astray.
pub(super) fn areas(size: u64, sparse: Option<&[Range<u64>]>, table: Option<Range<u64>>) -> Vec<Range<u64>> {
    let whole = 0..size;
    let allowed = sparse.unwrap_or(std::slice::from_ref(&whole));
    let kept = match table {
        Some(table) => table.start / PAGE * PAGE..table.end.next_multiple_of(PAGE),
        None => size..size,
    };
    let parts = allowed.iter().flat_map(|area| {
        let end = area.end.min(size);
        [area.start..end.min(kept.start), area.start.max(kept.end)..end]
    });
    // A part without a whole page cannot be mapped.
    let mut areas: Vec<Range<u64>> = parts.filter(|part| part.start < part.end && part.start % PAGE == 0).collect();
    areas.sort_unstable_by_key(|area| area.start);
    areas
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // lists of one area
mod tests {
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    use nix::sys::memfd::{MFdFlags, memfd_create};

    use super::*;

    const ONES: u32 = u32::MAX;

    /// A memory file in the place of a device: word n of 16 KiB is n, behind a page of something else.
    fn device() -> File {
        let mut file = File::from(memfd_create(c"bar", MFdFlags::MFD_CLOEXEC).expect("a memory file"));
        file.write_all(&[0xEE; PAGE as usize]).expect("a page");
        let words: Vec<u8> = (0..4096_u32).flat_map(|word| word.to_le_bytes()).collect();
        file.write_all(&words).expect("the registers");
        file
    }

    #[test]
    fn a_register_is_read_and_written_at_its_offset() {
        let device = device();
        let bar = Bar::map(&device, PAGE, &[0..0x4000], None).expect("a BAR");
        assert_eq!([bar.read(0), bar.read(8), bar.read(0x3FFC)], [0, 2, 0xFFF]);
        bar.clone().write(0x10, 0xCAFE_F00D);
        let mut bytes = [0; 4];
        device.read_exact_at(&mut bytes, PAGE + 0x10).expect("the word");
        assert_eq!(u32::from_le_bytes(bytes), 0xCAFE_F00D);
    }

    #[test]
    fn beyond_the_bar_is_all_ones() {
        let bar = Bar::map(&device(), PAGE, &[0..0x4000], None).expect("a BAR");
        for offset in [0x4000, 0x4004, 0x8000_0000, 0xFFFF_FFFC, 1, 2, 3, 0x3FFD, 0x3FFF] {
            assert_eq!(bar.read(offset), ONES, "{offset:#x}");
            bar.write(offset, 0);
        }
        assert_eq!([bar.read(0), bar.read(4), bar.read(0x3FFC)], [0, 1, 0xFFF], "nothing was written");
    }

    #[test]
    fn holes_are_all_ones() {
        let device = device();
        let bar = Bar::map(&device, PAGE, &[0..0x1000, 0x2000..0x3000], None).expect("a BAR");
        assert_eq!([bar.read(0xFFC), bar.read(0x2000), bar.read(0x2FFC)], [0x3FF, 0x800, 0xBFF]);
        assert_eq!([bar.read(0x1000), bar.read(0x1FFC), bar.read(0x3000), bar.read(0x2001)], [ONES; 4]);
        bar.write(0x2004, 7);
        assert_eq!(bar.read(0x2004), 7);
        let late = Bar::map(&device, PAGE, &[0x1000..0x2000, 0x3000..0x4000], None).expect("a BAR");
        assert_eq!([late.read(0), late.read(0x1000), late.read(0x3004)], [ONES, 0x400, 0xC01]);
        let none = Bar::map(&device, PAGE, &[], None).expect("a BAR");
        assert_eq!(none.read(0), ONES);
    }

    #[test]
    fn the_interrupt_table_is_left_out() {
        assert_eq!(areas(0x20000, None, None), [0..0x20000]);
        assert_eq!(areas(0x4000, None, Some(0..0x50)), [0x1000..0x4000]);
        assert_eq!(areas(0x4000, None, Some(0x2010..0x2060)), [0..0x2000, 0x3000..0x4000]);
        assert_eq!(areas(0x4000, None, Some(0x3FF0..0x4000)), [0..0x3000]);
        assert!(areas(0x1000, None, Some(0..0x50)).is_empty());
    }

    #[test]
    fn only_what_the_kernel_allows_is_mapped() {
        assert_eq!(areas(0x8000, Some(&[0x4000..0x8000, 0..0x2000]), None), [0..0x2000, 0x4000..0x8000]);
        let cut = areas(0x8000, Some(&[0..0x3000]), Some(0x1000..0x1050));
        assert_eq!(cut, [0..0x1000, 0x2000..0x3000]);
        assert_eq!(areas(0x8000, Some(&[0..u64::MAX]), None), [0..0x8000], "no further than the BAR");
        assert!(areas(0x8000, Some(&[]), None).is_empty());
    }
}
