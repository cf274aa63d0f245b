//! DMA from outside: coherent memory, files that are lent, and the debug mode.

mod common;

use std::sync::Arc;

use common::{FixedMapper, pool};
use gannet_mempool::dma::{
    Checked, DmaMapper, DmaMapping, DmaRegion, DmaTable, External, Iova, Misuse, Report, Verdict,
};
use gannet_mempool::region::{Access, PageSize, Pages, Region, RegionOptions};

const NORMAL: RegionOptions = RegionOptions {
    pages: Pages::Exactly(PageSize::Normal),
    backing: gannet_mempool::region::Backing::Shared,
    numa_node: None,
};

fn region(bytes: usize) -> Arc<Region> {
    Region::new(bytes, NORMAL).unwrap()
}

#[test]
fn dma_coherent_memory_is_mapped_as_long_as_it_lives() {
    let mapper = Arc::new(FixedMapper::default());
    let memory = DmaRegion::new(mapper.clone(), 5000, NORMAL).unwrap();
    assert_eq!((memory.len(), memory.region().access()), (8192, Access::ReadWrite));
    assert_eq!(*mapper.mapped.lock().unwrap(), [memory.iova()]);
    drop(memory);
    assert!(mapper.mapped.lock().unwrap().is_empty());
}

#[test]
#[cfg(not(miri))]
fn dma_coherent_memory_on_the_card_s_node_works_where_there_is_only_that_node() {
    let only =
        std::fs::read_to_string("/sys/devices/system/node/online").map_or(Some(0), |text| text.trim().parse().ok());
    let Some(numa_node) = only else { return gannet_harness::skip("this machine has several NUMA nodes") };
    for numa_node in [None, Some(numa_node)] {
        let options = RegionOptions { numa_node, ..NORMAL };
        assert!(DmaRegion::new(Arc::new(FixedMapper::default()), 1 << 20, options).is_ok());
    }
}

#[cfg(not(miri))]
mod files {
    use std::fs::File;
    use std::io::Write as _;
    use std::os::unix::fs::FileExt as _;

    use nix::fcntl::{FcntlArg, SealFlag, fcntl};
    use nix::sys::memfd::{MFdFlags, memfd_create};

    use super::*;

    fn memory_file(content: &[u8]) -> File {
        let file = memfd_create(c"test", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING).unwrap();
        let mut file = File::from(file);
        file.write_all(content).unwrap();
        file
    }

    #[test]
    fn dma_streaming_file_that_may_change_is_copied_once() {
        let content: Vec<u8> = (0..200_000).map(|at| (at % 251) as u8).collect();
        let file = memory_file(&content);
        let memory = External::file(&file).unwrap();
        file.write_all_at(&[0; 1000], 0).unwrap();
        file.set_len(10).unwrap();
        assert_eq!(memory.bytes(), content);
    }

    #[test]
    fn dma_streaming_file_that_is_sealed_is_used_where_it_is() {
        let file = memory_file(&[9; 5000]);
        fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK)).unwrap();
        let memory = External::file(&file).unwrap();
        assert_eq!(memory.bytes(), [9; 5000]);
        let inode = format!(" {} ", std::os::linux::fs::MetadataExt::st_ino(&file.metadata().unwrap()));
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let address = format!("{:x}-", memory.bytes().as_ptr().addr());
        assert!(maps.lines().any(|line| line.starts_with(&address) && line.contains(&inode)), "{maps}");
    }

    #[test]
    fn dma_streaming_empty_file_and_a_folder() {
        assert!(External::file(&memory_file(&[])).unwrap().is_empty());
        let why = External::file(&File::open("/proc/self").unwrap()).unwrap_err().to_string();
        assert!(why.starts_with("reading a file to be sent: "), "{why}");
    }
}

fn checked() -> (Arc<FixedMapper>, Arc<Checked>) {
    let inner = Arc::new(FixedMapper::default());
    (inner.clone(), Checked::new(inner))
}

#[test]
fn dma_debug_report_is_clean_when_all_is_unmapped() {
    let (inner, checked) = checked();
    let mapping = DmaMapping::new(checked.clone(), region(4096)).unwrap();
    assert_eq!(inner.mapped.lock().unwrap().len(), 1);
    assert!(!checked.report().is_clean());
    drop(mapping);
    assert!(inner.mapped.lock().unwrap().is_empty());
    assert!(checked.report().is_clean());
    assert_eq!(checked.report().to_string(), "nothing is mapped, nothing went wrong");
}

#[test]
fn dma_debug_leaks_are_told_with_the_line_that_has_mapped_them() {
    let (_inner, checked) = checked();
    let mapper: Arc<dyn DmaMapper> = checked.clone();
    let first = line!() + 1;
    let _region = DmaRegion::new(mapper.clone(), 4096, NORMAL).unwrap();
    let _mapping = DmaMapping::new(mapper.clone(), region(8192)).unwrap();
    let mut table = DmaTable::new();
    table.map(&pool(8, 0), &mapper).unwrap();
    let memory = External::new(vec![0u8; 64], drop);
    memory.map(&mapper).unwrap();
    let report = checked.report();
    let lines: Vec<u32> = report.mapped.iter().map(|record| record.caller.unwrap().line() - first).collect();
    assert_eq!(lines, [0, 1, 3, 5]);
    assert!(report.mapped.iter().all(|record| record.caller.unwrap().file() == file!()));
    let text = report.to_string();
    let pattern = format!("ms ago by {}:{first}", file!());
    assert!(
        text.starts_with("still mapped: 4096 bytes at iova:0x100000000, mapped ") && text.contains(&pattern),
        "{text}"
    );
}

#[test]
fn dma_debug_double_unmap_is_told_and_not_passed_on() {
    let (inner, checked) = checked();
    let memory = region(4096);
    let iova = checked.map(&memory).unwrap();
    checked.unmap(iova, &memory);
    // By now it is another's at the mapper behind.
    assert_eq!(inner.map(&memory).unwrap(), iova);
    checked.unmap(iova, &memory);
    assert_eq!(*inner.mapped.lock().unwrap(), [iova]);
    let Report { mapped, misuses } = checked.report();
    let [Misuse::DoubleUnmap { record, .. }] = misuses[..] else { panic!("{misuses:?}") };
    assert_eq!((mapped.len(), record.iova, record.len), (0, iova, 4096));
    assert!(misuses[0].to_string().starts_with("unmapped twice, the first time "));
}

#[test]
fn dma_debug_unmap_of_what_was_never_mapped_or_is_other_memory_is_told() {
    let (inner, checked) = checked();
    let memory = region(4096);
    checked.unmap(Iova(0x5000), &memory);
    let iova = checked.map(&memory).unwrap();
    checked.unmap(iova, &region(8192));
    let misuses = checked.report().misuses;
    let [Misuse::NeverMapped { iova: never, len: 4096 }, Misuse::OtherMemory { record }] = misuses[..] else {
        panic!("{misuses:?}")
    };
    assert_eq!((never, record.iova), (Iova(0x5000), iova));
    assert_eq!(misuses[0].to_string(), "unmapped and never mapped: 4096 bytes at iova:0x5000");
    assert_eq!(inner.mapped.lock().unwrap().len(), 1, "it is mapped still");
    checked.unmap(iova, &memory);
}

#[test]
fn dma_debug_address_of_a_fault_is_explained() {
    let (_inner, checked) = checked();
    let memory = region(8192);
    let first = checked.map(&memory).unwrap();
    let last = Iova(first.0 + 8191);
    assert!(matches!(checked.explain(last), Verdict::Mapped(record) if record.iova == first));
    assert_eq!(checked.explain(Iova(first.0 + 8192)), Verdict::NeverMapped);
    assert_eq!(checked.explain(Iova(first.0 - 1)), Verdict::NeverMapped);
    checked.unmap(first, &memory);
    assert!(matches!(checked.explain(last), Verdict::Unmapped { record, .. } if record.iova == first));
    let text = checked.explain(last).to_string();
    assert!(text.starts_with("used after it was unmapped "), "{text}");
    assert!(text.contains(" ms ago: 8192 bytes at iova:0x100000000, mapped "), "{text}");
}

#[test]
#[cfg(not(miri))] // slow there
fn dma_debug_memory_of_what_was_unmapped_is_bounded() {
    let (_inner, checked) = checked();
    let memory = region(4096);
    let [early, kept] = [(); 2].map(|()| checked.map(&memory).unwrap());
    let again = || checked.unmap(checked.map(&memory).unwrap(), &memory);
    checked.unmap(early, &memory);
    (0..1023).for_each(|_| again());
    assert!(matches!(checked.explain(early), Verdict::Unmapped { .. }));
    again();
    assert_eq!(checked.explain(early), Verdict::NeverMapped, "1024 later ones are remembered");
    (0..100).for_each(|page| checked.unmap(Iova(page << 12), &memory));
    assert_eq!(checked.report().misuses.len(), 64);
    assert!(matches!(checked.explain(kept), Verdict::Mapped(_)));
    checked.unmap(kept, &memory);
}

/// Gives each region one address, as VFIO's container does: it counts.
#[derive(Debug)]
struct Shared;

impl DmaMapper for Shared {
    fn map(&self, _region: &Arc<Region>) -> gannet_mempool::Result<Iova> {
        Ok(Iova(1 << 20))
    }
    fn unmap(&self, _iova: Iova, _region: &Region) {}
}

#[test]
fn dma_debug_region_that_two_have_mapped_is_unmapped_twice_rightly() {
    let checked = Checked::new(Arc::new(Shared));
    let memory = region(4096);
    let mappings = [(); 2].map(|()| DmaMapping::new(checked.clone(), memory.clone()).unwrap());
    assert_eq!(checked.report().mapped.len(), 2);
    let [one, two] = mappings;
    drop(one);
    assert!(matches!(checked.explain(two.iova()), Verdict::Mapped(_)));
    drop(two);
    assert!(checked.report().is_clean());
}
