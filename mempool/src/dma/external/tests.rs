//! Lent memory: handles, packets' handles, mappings. Owners lie on the heap, so all of it runs under miri.

use std::sync::mpsc::{Receiver, channel};

use super::*;

/// Maps at addresses of its own, a page apart.
#[derive(Debug, Default)]
struct Iommu(Mutex<Vec<(Iova, usize)>>);

impl DmaMapper for Iommu {
    fn map(&self, region: &Arc<Region>) -> Result<Iova> {
        assert_eq!(region.access(), region::Access::ReadOnly);
        assert!(region.base().addr().get().is_multiple_of(4096) && region.len().is_multiple_of(4096));
        let mut mapped = self.0.lock().unwrap();
        let iova = Iova(mapped.last().map_or(1 << 20, |(iova, len)| iova.0 + *len as u64 + 4096));
        mapped.push((iova, region.len()));
        Ok(iova)
    }

    fn unmap(&self, iova: Iova, region: &Region) {
        let mut mapped = self.0.lock().unwrap();
        let before = mapped.len();
        mapped.retain(|known| *known != (iova, region.len()));
        assert_eq!(mapped.len() + 1, before, "not mapped");
    }
}

fn iommu() -> (Arc<Iommu>, Arc<dyn DmaMapper>) {
    let iommu = Arc::new(Iommu::default());
    (iommu.clone(), iommu)
}

fn mappings(iommu: &Iommu) -> usize {
    iommu.0.lock().unwrap().len()
}

/// Memory of `len` bytes, and who hears of its release.
fn lent(len: usize) -> (External, Receiver<Vec<u8>>) {
    let (sender, receiver) = channel();
    let bytes = (0..len).map(|at| at as u8).collect();
    (
        External::new(bytes, move |owner| {
            // Who does not listen has let go of the receiver.
            let _ = sender.send(owner);
        }),
        receiver,
    )
}

#[test]
fn dma_streaming_owner_comes_back_once_with_the_last_handle() {
    let (memory, released) = lent(5000);
    let handles: Vec<External> = (0..10).map(|_| memory.clone()).collect();
    drop(memory);
    assert_eq!(handles[9].bytes()[4999], (4999 % 256) as u8);
    assert!(released.try_recv().is_err());
    drop(handles);
    assert_eq!(released.try_iter().map(|owner| owner.len()).collect::<Vec<_>>(), [5000]);
}

#[test]
fn dma_streaming_owner_whose_bytes_lie_in_itself_does_not_move() {
    let memory = External::new([3u8; 100], |owner| assert_eq!(owner, [3; 100]));
    let handle = memory.clone();
    let thread = std::thread::spawn(move || handle.bytes().iter().map(|&byte| u32::from(byte)).sum::<u32>());
    assert_eq!(thread.join().unwrap(), 300);
    assert_eq!(memory.bytes(), [3; 100]);
}

#[test]
fn dma_streaming_map_is_a_look_up_the_second_time() {
    let (iommu, mapper) = iommu();
    let (memory, _released) = lent(10_000);
    assert_eq!(memory.iova(&mapper), None);
    memory.map(&mapper).unwrap();
    memory.clone().map(&mapper).unwrap();
    assert_eq!(mappings(&iommu), 1);
    let margin = memory.bytes().as_ptr().addr() as u64 % 4096;
    assert_eq!(memory.iova(&mapper), Some(Iova((1 << 20) + margin)));
    assert_eq!(iommu.0.lock().unwrap()[0].1, (margin as usize + 10_000).next_multiple_of(4096));
    drop(memory);
    assert_eq!(mappings(&iommu), 0);
}

#[test]
fn dma_streaming_memory_is_unmapped_before_it_is_released() {
    let (iommu, mapper) = iommu();
    let seen = iommu.clone();
    let (sender, receiver) = channel();
    let memory = External::new(vec![0; 64], move |_| sender.send(mappings(&seen)).unwrap());
    memory.map(&mapper).unwrap();
    drop(memory);
    assert_eq!(receiver.try_recv(), Ok(0));
}

#[test]
fn dma_streaming_each_mapper_has_an_address_of_its_own() {
    let (memory, _released) = lent(64);
    let mappers: Vec<_> = (0..MAPPERS + 1).map(|_| iommu()).collect();
    let (last, first) = mappers.split_last().unwrap();
    first.iter().for_each(|(_, mapper)| memory.map(mapper).unwrap());
    let why = memory.map(&last.1).unwrap_err().to_string();
    assert_eq!(why, "mapping 64 bytes for one more mapper: it is mapped for 8 others already: unmap it from one");
    memory.unmap(&first[3].1).unwrap();
    memory.unmap(&first[3].1).expect("not mapped is fine");
    memory.map(&last.1).unwrap();
    assert_eq!((mappings(&first[3].0), mappings(&last.0)), (0, 1));
    assert!(memory.iova(&first[3].1).is_none() && memory.iova(&last.1).is_some());
}

#[test]
fn dma_streaming_memory_of_packets_stays_mapped() {
    let (iommu, mapper) = iommu();
    let (memory, released) = lent(64);
    memory.map(&mapper).unwrap();
    let raw = memory.clone().into_raw();
    // SAFETY: `raw` is turned back at the end only.
    let another = unsafe { External::of_raw(raw) }.into_raw();
    let why = memory.unmap(&mapper).unwrap_err().to_string();
    assert!(why.starts_with("2 packets refer to memory that is to be unmapped"), "{why}");
    // SAFETY: `raw` and `another` are turned back once each, below.
    let (seen, bytes) = unsafe { (Lent::borrow(raw).iova(&mapper), Lent::borrow(another).bytes()) };
    assert_eq!((seen, bytes.len(), mappings(&iommu)), (memory.iova(&mapper), 64, 1));
    // SAFETY: each from `into_raw`, once.
    let handles = unsafe { [External::from_raw(raw), External::from_raw(another)] };
    memory.unmap(&mapper).unwrap();
    assert_eq!(mappings(&iommu), 0);
    drop(memory);
    assert!(released.try_recv().is_err());
    drop(handles);
    assert!(released.try_recv().is_ok());
}

#[test]
fn dma_streaming_nothing_is_lent_but_not_mapped() {
    let (iommu, mapper) = iommu();
    let (memory, released) = lent(0);
    assert!(memory.is_empty() && memory.bytes().is_empty());
    assert!(memory.map(&mapper).unwrap_err().to_string().starts_with("no bytes to map"));
    assert_eq!(mappings(&iommu), 0);
    drop(memory);
    assert!(released.try_recv().is_ok());
}

#[test]
fn dma_streaming_panic_of_a_release_function_goes_no_further() {
    drop(External::new(vec![1], |_| panic!("a release function's mistake")));
}

#[test]
fn dma_streaming_unmap_and_new_packets_see_each_other() {
    let (iommu, mapper) = iommu();
    let (memory, _released) = lent(64);
    let rounds = if cfg!(miri) { 20 } else { 20_000 };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds {
                let raw = memory.clone().into_raw();
                // SAFETY: turned back below.
                let seen = unsafe { Lent::borrow(raw) }.iova(&mapper);
                if seen.is_some() {
                    assert_eq!(mappings(&iommu), 1, "a packet's address is mapped");
                }
                // SAFETY: from `into_raw`, once.
                drop(unsafe { External::from_raw(raw) });
            }
        });
        for _ in 0..rounds {
            memory.map(&mapper).unwrap();
            let _ = memory.unmap(&mapper);
        }
    });
}
