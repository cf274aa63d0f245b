//! A container over an IOMMU that exists only here.

use std::os::fd::AsFd;

use gannet_mempool::dma::{DmaMapping, External};
use gannet_mempool::region::{Access, Pages, RegionOptions};

use super::*;

/// What the IOMMU has been asked, and what it answers.
#[derive(Default)]
struct Iommu {
    spaces: usize,
    /// How often a card was opened.
    opened: usize,
    mapped: BTreeMap<u64, usize>,
    read_only: usize,
    /// Errors that calls of `map` and `unmap` answer with.
    refuse_map: Option<i32>,
    refuse_unmap: Option<i32>,
}

thread_local! {
    /// The tests' IOMMU. Each test has a thread of its own.
    static IOMMU: Mutex<Iommu> = Mutex::default();
}

fn iommu<T>(look: impl FnOnce(&mut Iommu) -> T) -> T {
    IOMMU.with(|iommu| look(&mut iommu.lock().expect("the IOMMU")))
}

/// Its group 13 cannot be opened.
struct Space;

impl AddressSpace for Space {
    fn add(&mut self, _: PciAddress, group: u32, _: &Sysfs) -> Result<File, Refusal> {
        match group {
            13 => Err(Refusal::NoInterruptRemapping),
            _ => {
                iommu(|iommu| iommu.opened += 1);
                Ok(tempfile::tempfile().expect("a file"))
            }
        }
    }

    fn remove(&mut self, _: u32) {}

    unsafe fn map(&self, iova: u64, region: &Region) -> io::Result<()> {
        iommu(|iommu| match iommu.refuse_map {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => {
                assert_eq!(iommu.mapped.insert(iova, region.len()), None, "mapped twice");
                iommu.read_only += usize::from(region.access() == Access::ReadOnly);
                Ok(())
            }
        })
    }

    fn unmap(&self, iova: u64, len: usize) -> io::Result<()> {
        iommu(|iommu| match iommu.refuse_unmap {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => {
                assert_eq!(iommu.mapped.remove(&iova), Some(len), "not mapped");
                Ok(())
            }
        })
    }

    fn ranges(&self) -> io::Result<Option<Vec<RangeInclusive<u64>>>> {
        Ok(None)
    }

    fn mappings_left(&self) -> Option<u32> {
        Some(1)
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        iommu(|iommu| {
            iommu.spaces -= 1;
            iommu.mapped.clear();
        });
    }
}

fn container() -> Arc<VfioContainer> {
    Arc::new(VfioContainer::new(|_| {
        iommu(|iommu| iommu.spaces += 1);
        Ok(Box::new(Space))
    }))
}

/// The card of this group: each has one.
fn card(container: &Arc<VfioContainer>, group: u32) -> Result<(File, Membership), Refusal> {
    let address = PciAddress { domain: 0, bus: group as u8, device: 0, function: 0 };
    container.join(address, group, &Sysfs::new())
}

fn region() -> Arc<Region> {
    let pages = Pages::Exactly(PageSize::Normal);
    Region::new(4 << 20, RegionOptions { pages, ..RegionOptions::default() }).expect("memory")
}

#[test]
fn a_region_is_mapped_once_and_unmapped_with_its_last_user() {
    let container = container();
    let cards = [card(&container, 1).expect("a card"), card(&container, 2).expect("a card")];
    assert!(cards.iter().all(|(file, _)| file.as_fd().try_clone_to_owned().is_ok()));
    let (shared, other) = (region(), region());
    let first = DmaMapping::new(container.clone(), shared.clone()).expect("a mapping");
    let second = DmaMapping::new(container.clone(), shared.clone()).expect("a mapping");
    let third = DmaMapping::new(container.clone(), other).expect("a mapping");
    assert_eq!(first.iova(), second.iova());
    assert_ne!(first.iova(), third.iova());
    assert_eq!(iommu(|iommu| (iommu.spaces, iommu.mapped.len())), (1, 2));
    drop(first);
    assert_eq!(iommu(|iommu| iommu.mapped.len()), 2, "the second user has it still");
    drop(second);
    assert_eq!(iommu(|iommu| iommu.mapped.len()), 1);
    assert_eq!(Arc::strong_count(&shared), 1);
}

#[test]
fn memory_is_mapped_again_when_the_first_card_comes_back() {
    let container = container();
    let memory = region();
    let one = card(&container, 1).expect("a card");
    let mapping = DmaMapping::new(container.clone(), memory.clone()).expect("a mapping");
    drop(one);
    assert_eq!(iommu(|iommu| (iommu.spaces, iommu.mapped.len())), (0, 0), "the space went with the card");
    assert!(container.iova_ranges().is_empty());
    let _one = card(&container, 1).expect("a card");
    let _two = card(&container, 2).expect("a card");
    assert_eq!(iommu(|iommu| iommu.mapped.get(&mapping.iova().0).copied()), Some(memory.len()));
    drop(mapping);
    assert_eq!(iommu(|iommu| iommu.mapped.len()), 0);
}

#[test]
fn without_cards_nothing_is_mapped() {
    let container = container();
    let why = DmaMapping::new(container.clone(), region()).expect_err("no card").to_string();
    assert!(why.contains("open one first"), "{why}");
    let one = card(&container, 1).expect("a card");
    let mapping = DmaMapping::new(container.clone(), region()).expect("a mapping");
    drop(one);
    drop(mapping);
    assert_eq!(container.lock().mappings.len(), 0);
}

#[test]
fn a_card_that_is_refused_leaves_nothing_behind() {
    let container = container();
    assert!(card(&container, 13).is_err());
    assert_eq!(iommu(|iommu| iommu.spaces), 0);
    let _one = card(&container, 1).expect("a card");
    assert!(card(&container, 13).is_err());
    assert_eq!((iommu(|iommu| iommu.spaces), container.lock().cards.len()), (1, 1), "the first card's space stays");
}

#[test]
fn memory_in_use_that_cannot_be_mapped_again_refuses_the_card() {
    let container = container();
    let one = card(&container, 1).expect("a card");
    let _mapping = DmaMapping::new(container.clone(), region()).expect("a mapping");
    drop(one);
    iommu(|iommu| iommu.refuse_map = Some(libc::ENOMEM));
    let why = card(&container, 1).expect_err("the mapping").to_string();
    assert!(why.starts_with("mapping the memory that is in use: "), "{why}");
    assert_eq!((iommu(|iommu| iommu.spaces), container.lock().cards.len()), (0, 0));
}

#[test]
fn memory_beyond_a_card_s_reach_refuses_the_card() {
    let container = container();
    let one = card(&container, 1).expect("a card");
    let _mapping = DmaMapping::new(container.clone(), region()).expect("a mapping");
    drop(one);
    iommu(|iommu| iommu.refuse_map = Some(libc::EINVAL));
    let why = card(&container, 2).expect_err("the mapping").to_string();
    assert!(why.contains("open all cards before"), "{why}");
}

#[test]
fn a_card_is_opened_once() {
    let container = container();
    let one = card(&container, 1).expect("a card");
    let why = card(&container, 1).expect_err("it is open").to_string();
    assert!(why.starts_with("this process has it open already"), "{why}");
    assert_eq!((iommu(|iommu| iommu.opened), container.lock().cards.len()), (1, 1), "the IOMMU was not asked");
    let two = card(&container, 2).expect("another card");
    drop(one);
    let _again = card(&container, 1).expect("it was closed");
    drop(two);
    assert!(card(&container, 1).is_err(), "open again");
}

#[test]
fn memory_that_stays_mapped_is_kept_until_all_cards_are_closed() {
    let container = container();
    let memory = region();
    let one = card(&container, 1).expect("a card");
    let mapping = DmaMapping::new(container.clone(), memory.clone()).expect("a mapping");
    let iova = mapping.iova();
    iommu(|iommu| iommu.refuse_unmap = Some(libc::EIO));
    drop(mapping);
    assert_eq!(Arc::strong_count(&memory), 2, "a card may reach it");
    let again = DmaMapping::new(container.clone(), memory.clone()).expect("a mapping of its own");
    assert_ne!(again.iova(), iova, "whether the first is there still is not known");
    assert!(iommu(|iommu| iommu.mapped.contains_key(&again.iova().0)));
    drop(again);
    drop(one);
    assert_eq!(Arc::strong_count(&memory), 1);
}

/// A part of a buffer that several own.
struct Part(Arc<Vec<u8>>, std::ops::Range<usize>);

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.0[self.1.clone()]
    }
}

#[test]
fn dma_streaming_two_lent_pieces_of_one_page_are_mapped_apart() {
    let container = container();
    let _one = card(&container, 1).expect("a card");
    let mapper: Arc<dyn DmaMapper> = container.clone();
    let page = Arc::new(vec![0; 64]);
    let lent = [0..32, 32..64].map(|part| External::new(Part(page.clone(), part), drop));
    lent.iter().for_each(|memory| memory.map(&mapper).expect("a mapping"));
    let [first, second] = lent.each_ref().map(|memory| memory.iova(&mapper).expect("mapped").0 & !4095);
    assert_ne!(first, second);
    assert_eq!(iommu(|iommu| (iommu.mapped.len(), iommu.read_only)), (2, 2));
    let [one, two] = lent;
    drop(one);
    assert!(iommu(|iommu| iommu.mapped.contains_key(&second) && iommu.mapped.len() == 1));
    drop(two);
    assert_eq!((iommu(|iommu| iommu.mapped.len()), Arc::strong_count(&page)), (0, 1));
}

#[test]
fn dma_streaming_memory_that_stays_mapped_is_released_when_no_card_is_left() {
    let container = container();
    let one = card(&container, 1).expect("a card");
    let released = Arc::new(Mutex::new(false));
    let (seen, released_by) = (released.clone(), container.clone());
    // What is released may want to use the container.
    let memory = External::new(vec![0; 64], move |_| *seen.lock().expect("") = released_by.iova_ranges().is_empty());
    memory.map(&(container.clone() as Arc<dyn DmaMapper>)).expect("a mapping");
    iommu(|iommu| iommu.refuse_unmap = Some(libc::EIO));
    drop(memory);
    assert!(!*released.lock().expect(""), "a card may read it");
    drop(one);
    assert!(*released.lock().expect(""));
}

#[test]
fn what_was_not_mapped_here_is_not_unmapped() {
    let container = container();
    let _one = card(&container, 1).expect("a card");
    let mapping = DmaMapping::new(container.clone(), region()).expect("a mapping");
    container.unmap(mapping.iova(), &region());
    container.unmap(Iova(mapping.iova().0 + 4096), mapping.region());
    assert_eq!(iommu(|iommu| iommu.mapped.len()), 1);
}

#[test]
fn a_mapping_that_is_refused_names_the_limit_and_takes_no_address() {
    let container = container();
    let _one = card(&container, 1).expect("a card");
    iommu(|iommu| iommu.refuse_map = Some(libc::ENOSPC));
    let why = DmaMapping::new(container.clone(), region()).expect_err("refused").to_string();
    assert!(why.contains("dma_entry_limit"), "{why}");
    assert!(container.lock().mappings.is_empty());
    let text = why_not_mapped(&io::Error::from_raw_os_error(libc::EINVAL), 1 << 40, 4096);
    assert_eq!(text, "the IOMMU cannot use address 0x10000000000");
    let text = too_little_locked(8 << 20, 64 << 20);
    assert!(text.contains("may lock 8192 KiB of memory and needs 65536 KiB: `ulimit -l 65536`"), "{text}");
    assert!(text.contains("LimitMEMLOCK=65536K"), "{text}");
    let text = no_room(&[0x1000..=0xFEDF_FFFF, 0xFEF0_0000..=(1 << 39) - 1]);
    assert!(text.contains("up to 0x7fffffffff (39 bits)"), "{text}");
}

#[test]
fn a_process_that_may_lock_all_memory_is_not_told_of_the_limit() {
    assert!(locks_without_limit("Name:\tl2fwd\nCapEff:\t000001ffffffffff\nCapBnd:\t0000000000000000\n"));
    assert!(!locks_without_limit("Name:\tl2fwd\nCapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\n"));
    assert!(!locks_without_limit(""));
}
