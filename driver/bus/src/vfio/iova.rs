//! Where in the address space of an IOMMU regions are put.
//!
//! The search for a free place goes through all that is taken. Programs that lend memory map and unmap pieces of a few sizes over and over, so
//! places that were given back are remembered by size and asked first (the kernel's `iova_magazine`).

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

/// Writes to these addresses are interrupts on x86, not memory. Kernels report it as reserved; those that report nothing do not.
const MSI_WINDOW: RangeInclusive<u64> = 0xFEE0_0000..=0xFEEF_FFFF;

/// What every IOMMU that VFIO drives can translate (VT-d of desktop processors: 39 bits), for kernels that report nothing.
const LEAST: RangeInclusive<u64> = 0..=(1 << 39) - 1;

/// Address 0 is never given out: a descriptor that nobody filled in shall fault.
const FIRST: u64 = 4096;

/// Places that are remembered, of each size and sizes.
const PLACES: usize = 128;
const SIZES: usize = 16;

/// The addresses of one IOMMU: which there are, and which are taken.
#[derive(Debug)]
pub(super) struct IovaSpace {
    usable: Vec<RangeInclusive<u64>>,
    /// First and last address of what is taken.
    taken: BTreeMap<u64, u64>,
    recent: Recent,
}

/// Places that were free when they were given back. Hints: they are not kept free.
#[derive(Debug, Default)]
struct Recent {
    /// Length and places, the last used length first.
    sizes: VecDeque<(u64, VecDeque<u64>)>,
}

impl IovaSpace {
    /// A space of these ranges, as the kernel reports them, or of what is always there.
    pub(super) fn new(ranges: Option<Vec<RangeInclusive<u64>>>) -> IovaSpace {
        let mut space = IovaSpace { usable: Vec::new(), taken: BTreeMap::new(), recent: Recent::default() };
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

    /// Takes `len` bytes: at `wish` if that is free, else where as many were before, else at the lowest free multiple of `alignment`, a power of
    /// two. `None`: there is no such place.
    pub(super) fn take(&mut self, len: u64, alignment: u64, wish: u64) -> Option<u64> {
        let start = match self.is_free(wish, len) {
            true => wish,
            false => self.again(len, alignment).or_else(|| self.lowest(len, alignment))?,
        };
        self.taken.insert(start, start + (len - 1));
        Some(start)
    }

    /// Gives back what [`Self::take`] has returned.
    pub(super) fn give_back(&mut self, start: u64) {
        if let Some(last) = self.taken.remove(&start) {
            self.recent.remember(start, last - start + 1);
        }
    }

    /// A place that was given back and is still free.
    fn again(&mut self, len: u64, alignment: u64) -> Option<u64> {
        while let Some(start) = self.recent.recall(len) {
            if start.is_multiple_of(alignment) && self.is_free(start, len) {
                return Some(start);
            }
        }
        None
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

impl Recent {
    fn remember(&mut self, start: u64, len: u64) {
        let known = self.sizes.iter().position(|(known, _)| *known == len);
        let (_, mut places) = known.and_then(|at| self.sizes.remove(at)).unwrap_or_default();
        if places.len() == PLACES {
            places.pop_front();
        }
        places.push_back(start);
        self.sizes.truncate(SIZES - 1);
        self.sizes.push_front((len, places));
    }

    /// Where this many bytes were last; it is forgotten.
    fn recall(&mut self, len: u64) -> Option<u64> {
        self.sizes.iter_mut().find(|(known, _)| *known == len)?.1.pop_back()
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

    /// 39 bits, as of desktop processors, where no virtual address can be had.
    fn narrow() -> IovaSpace {
        space(&[0..=(1 << 39) - 1])
    }

    const NEVER: u64 = 0x7F12_3440_0000;

    #[test]
    fn dma_iova_cache_hands_out_the_last_place_of_a_size_first() {
        let mut space = narrow();
        let [a, b, c] = [4096, 8192, 4096].map(|len| space.take(len, 4096, NEVER).expect("room"));
        space.give_back(a);
        space.give_back(b);
        space.give_back(c);
        assert_eq!(space.take(8192, 4096, NEVER), Some(b));
        assert_eq!(space.take(4096, 4096, NEVER), Some(c));
        assert_eq!(space.take(4096, 4096, NEVER), Some(a));
        assert_ne!(space.take(4096, 4096, NEVER), Some(a), "once");
    }

    #[test]
    fn dma_iova_cache_keeps_nothing_from_other_sizes_and_wishes() {
        let mut space = space(&[0..=HUGE - 1]);
        let pages: Vec<u64> = (1..512).map(|_| space.take(4096, 4096, NEVER).expect("room")).collect();
        pages.iter().for_each(|page| space.give_back(*page));
        assert_eq!(space.take(MIB, 4096, 8192), Some(8192), "a wish in their midst");
        let again: Vec<u64> = (0..255).map_while(|_| space.take(4096, 4096, NEVER)).collect();
        assert_eq!(again.len(), 255, "all that is left, cached or not");
        assert!(again.iter().all(|page| !(8192..8192 + MIB).contains(page)));
        assert_eq!(space.take(4096, 4096, NEVER), None);
    }

    #[test]
    fn dma_iova_cache_gives_no_place_that_is_misaligned_or_out_of_range() {
        let mut space = narrow();
        let small = space.take(HUGE, 4096, 3 << 20).expect("room");
        space.give_back(small);
        assert_eq!(space.take(HUGE, HUGE, NEVER), Some(HUGE), "not at 3 MiB");
        let high = space.take(4096, 4096, 1 << 38).expect("room");
        space.give_back(high);
        space.set_ranges(Some(vec![0..=(1 << 32) - 1]));
        assert!(space.take(4096, 4096, NEVER).expect("room") < 1 << 32);
    }

    #[test]
    fn dma_iova_cache_is_bounded() {
        let mut space = narrow();
        for len in (1..100).map(|pages| pages * 4096) {
            let places: Vec<u64> = (0..200).map(|_| space.take(len, 4096, NEVER).expect("room")).collect();
            places.iter().for_each(|place| space.give_back(*place));
        }
        assert_eq!(space.recent.sizes.len(), SIZES);
        assert!(space.recent.sizes.iter().all(|(_, places)| places.len() <= PLACES));
    }

    /// Prints what the cache saves: `cargo test --release -p gannet-bus dma_iova_cache -- --nocapture`.
    #[test]
    fn dma_iova_cache_measured() {
        for mapped in [200, 1000, 10_000] {
            let mut space = narrow();
            let places = (0..mapped).map(|at| space.take(16 << 10, 4096, FIRST + (at << 14)).expect("room"));
            let places: Vec<u64> = places.collect();
            let rounds = 200;
            let mut measure = |cached: bool| {
                let begin = std::time::Instant::now();
                for place in places.iter().rev().take(rounds) {
                    space.give_back(*place);
                    if !cached {
                        space.recent = Recent::default();
                    }
                    assert_eq!(space.take(16 << 10, 4096, NEVER), Some(*place), "the only gap");
                }
                begin.elapsed().as_nanos() / rounds as u128
            };
            let (with, without) = (measure(true), measure(false));
            println!("{mapped} mapped: an address in {with} ns with the cache, {without} ns without");
        }
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
