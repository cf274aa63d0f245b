//! Where in the address space of an IOMMU regions are put.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Writes to these addresses are interrupts on x86, not memory. Kernels report it as reserved; those that report nothing do not.
const MSI_WINDOW: RangeInclusive<u64> = 0xFEE0_0000..=0xFEEF_FFFF;

/// What every IOMMU that VFIO drives can translate (VT-d of desktop processors: 39 bits), for kernels that report nothing.
const LEAST: RangeInclusive<u64> = 0..=(1 << 39) - 1;

/// Address 0 is never given out: a descriptor that nobody filled in shall fault.
const FIRST: u64 = 4096;

/// The addresses of one IOMMU: which there are, and which are taken.
#[derive(Debug)]
pub(super) struct IovaSpace {
    usable: Vec<RangeInclusive<u64>>,
    /// First and last address of what is taken.
    taken: BTreeMap<u64, u64>,
}

impl IovaSpace {
    /// A space of these ranges, as the kernel reports them, or of what is always there.
    pub(super) fn new(ranges: Option<Vec<RangeInclusive<u64>>>) -> IovaSpace {
        let mut space = IovaSpace { usable: Vec::new(), taken: BTreeMap::new() };
        space.set_ranges(ranges);
        space
    }

    /// The ranges have changed: another device came or went. What is taken stays taken.
    pub(super) fn set_ranges(&mut self, ranges: Option<Vec<RangeInclusive<u64>>>) {
        let ranges = ranges.unwrap_or_else(|| vec![LEAST]);
        let below =
            |range: &RangeInclusive<u64>| *range.start().max(&FIRST)..=*range.end().min(&(MSI_WINDOW.start() - 1));
        let above = |range: &RangeInclusive<u64>| *range.start().max(&(MSI_WINDOW.end() + 1))..=*range.end();
        let usable = ranges.iter().flat_map(|range| [below(range), above(range)]);
        self.usable = usable.filter(|range| !range.is_empty()).collect();
        self.usable.sort_unstable_by_key(|range| *range.start());
    }

    /// The ranges that can be used, by address.
    pub(super) fn ranges(&self) -> &[RangeInclusive<u64>] {
        &self.usable
    }

    /// Takes `len` bytes: at `wish` if that is free, else at the lowest free multiple of `alignment`, a power of two. `None`: there is no such
    /// place.
    pub(super) fn take(&mut self, len: u64, alignment: u64, wish: u64) -> Option<u64> {
        let start = if self.is_free(wish, len) { wish } else { self.lowest(len, alignment)? };
        self.taken.insert(start, start + (len - 1));
        Some(start)
    }

    /// Gives back what [`Self::take`] has returned.
    pub(super) fn give_back(&mut self, start: u64) {
        self.taken.remove(&start);
    }

    fn is_free(&self, start: u64, len: u64) -> bool {
        let Some(last) = len.checked_sub(1).and_then(|more| start.checked_add(more)) else { return false };
        let usable = self.usable.iter().any(|range| range.contains(&start) && range.contains(&last));
        usable && self.first_taken(start, last).is_none()
    }

    /// Last address of something that is taken and overlaps these addresses.
    fn first_taken(&self, start: u64, last: u64) -> Option<u64> {
        let (_, &end) = self.taken.range(..=last).next_back()?;
        (end >= start).then_some(end)
    }

    fn lowest(&self, len: u64, alignment: u64) -> Option<u64> {
        let more = len.checked_sub(1)?;
        self.usable.iter().find_map(|range| {
            let mut start = range.start().checked_next_multiple_of(alignment)?;
            loop {
                let last = start.checked_add(more).filter(|last| range.contains(last))?;
                match self.first_taken(start, last) {
                    None => return Some(start),
                    Some(end) => start = end.checked_add(1)?.checked_next_multiple_of(alignment)?,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const HUGE: u64 = 2 * MIB;

    fn space(ranges: &[RangeInclusive<u64>]) -> IovaSpace {
        IovaSpace::new(Some(ranges.to_vec()))
    }

    #[test]
    fn the_virtual_address_is_taken_where_the_iommu_reaches_it() {
        let mut space = space(&[0..=(1 << 48) - 1]);
        assert_eq!(space.take(HUGE, HUGE, 0x7F12_3440_0000), Some(0x7F12_3440_0000));
    }

    #[test]
    fn beyond_the_address_width_the_lowest_aligned_place_is_taken() {
        let mut space = space(&[0..=0xFEDF_FFFF, 0xFEF0_0000..=(1 << 39) - 1]);
        let wish = 0x7F12_3440_0000;
        assert_eq!(space.take(3 * MIB, HUGE, wish), Some(HUGE));
        assert_eq!(space.take(4096, 4096, wish), Some(4096), "below the first, above address 0");
        assert_eq!(space.take(HUGE, HUGE, wish), Some(3 * HUGE), "the fifth MiB is taken");
        space.give_back(HUGE);
        assert_eq!(space.take(4 * MIB, HUGE, wish), Some(HUGE), "freed and exactly as long");
    }

    #[test]
    fn the_interrupt_window_is_never_given_out() {
        for ranges in [Some(vec![0..=u64::MAX]), None] {
            let mut space = IovaSpace::new(ranges);
            for wish in [0xFEE0_0000, 0xFEDF_F000, 0xFEEF_F000, 0xFEC0_0000] {
                let start = space.take(4 * MIB, 4096, wish).expect("room");
                assert!(start + 4 * MIB - 1 < 0xFEE0_0000 || start > 0xFEEF_FFFF, "{wish:#x}: {start:#x}");
            }
        }
    }

    #[test]
    fn a_wish_that_overlaps_is_not_fulfilled() {
        let mut space = space(&[0..=u64::MAX]);
        assert_eq!(space.take(4 * HUGE, HUGE, 8 * HUGE), Some(8 * HUGE));
        for wish in [7 * HUGE + 4096, 9 * HUGE, 11 * HUGE] {
            assert_eq!(space.take(HUGE, HUGE, wish).map(|start| start < 8 * HUGE), Some(true), "{wish:#x}");
        }
    }

    #[test]
    fn no_room_and_no_length_are_refused() {
        let mut space = space(&[0..=HUGE - 1, 3 * MIB..=4 * MIB - 1]);
        assert_eq!(space.take(HUGE, 4096, 0), None, "address 0 is kept free");
        assert_eq!(space.take(u64::MAX, 4096, 1 << 40), None);
        assert_eq!(space.take(0, 4096, HUGE), None);
        assert_eq!(space.take(MIB, HUGE, 8 * HUGE), None, "aligned, it does not fit anywhere");
        assert_eq!(space.take(MIB, MIB, 8 * HUGE), Some(MIB));
        assert_eq!(space.take(MIB, MIB, 8 * HUGE), Some(3 * MIB), "the second range");
        assert_eq!(space.take(MIB, MIB, 8 * HUGE), None, "full");
    }

    #[test]
    fn ranges_may_narrow_while_something_is_taken() {
        let mut space = space(&[0..=u64::MAX]);
        let high = 1 << 47;
        assert_eq!(space.take(HUGE, HUGE, high), Some(high));
        space.set_ranges(Some(vec![0..=(1 << 39) - 1]));
        assert_eq!(space.ranges().len(), 2, "below and above the interrupt window");
        assert_eq!(space.take(HUGE, HUGE, high + HUGE), Some(HUGE));
        space.give_back(high);
    }
}
