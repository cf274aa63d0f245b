//! What the tests of this folder share. Each uses a part of it.
#![allow(dead_code, unreachable_pub)]

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use gannet_harness::PATIENCE;
use gannet_mempool::dma::{DmaMapper, External, Iova};
use gannet_mempool::region::{PageSize, Pages, Region, RegionOptions};
use gannet_mempool::{BlockOptions, Census, Packet, Pool, PoolOptions, Result};

/// Options for a small pool on normal pages, so that it works on any machine and says nothing.
pub fn options(buffers: u32, cache: u32) -> PoolOptions {
    let region = RegionOptions { pages: Pages::Exactly(PageSize::Normal), ..RegionOptions::default() };
    PoolOptions { buffers, cache, data_room: 512, headroom: 64, region, ..PoolOptions::default() }
}

pub fn pool(buffers: u32, cache: u32) -> Pool {
    Pool::new(&options(buffers, cache)).unwrap()
}

/// Options for a small pool of blocks.
pub fn blocks(blocks: u32, block_kib: u8, headroom: u16) -> BlockOptions {
    BlockOptions { blocks, block_kib, headroom, region: options(1, 0).region, ..BlockOptions::default() }
}

/// Checks that nothing is out and nothing lost. A thread that `thread::scope` takes for ended may still be emptying its cache, in its last
/// destructors, and what moves from cache to ring is in neither for a moment: one count that is complete is waited for, and is enough.
#[track_caller]
pub fn assert_all_home(pool: &Pool) {
    let start = Instant::now();
    loop {
        let census = pool.census();
        let Census { total, ring, cached, out } = census;
        if (out, ring + cached) == (0, total) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "not all are home: {census:?}");
        std::thread::yield_now();
    }
}

/// All that can be taken one by one.
pub fn drain(pool: &Pool) -> Vec<Packet> {
    std::iter::from_fn(|| pool.alloc()).collect()
}

/// Which buffer of its pool a packet is in.
pub fn index(pool: &Pool, packet: &Packet) -> usize {
    let offset = packet.data().as_ptr() as usize - pool.region().base().as_ptr() as usize;
    assert!(offset + packet.len() <= pool.region().len());
    offset / pool.stride() as usize
}

/// Makes `packet` hold `bytes`.
pub fn fill(packet: &mut Packet, bytes: &[u8]) {
    packet.trim(packet.len()).unwrap();
    packet.append(bytes.len()).unwrap().copy_from_slice(bytes);
}

/// A packet that holds `bytes`.
pub fn frame(pool: &Pool, bytes: &[u8]) -> Packet {
    let mut packet = pool.alloc().expect("a free buffer");
    fill(&mut packet, bytes);
    packet
}

/// A frame of several segments.
pub fn chain(pool: &Pool, segments: &[&[u8]]) -> Packet {
    let mut segments = segments.iter().map(|bytes| frame(pool, bytes));
    let mut first = segments.next().expect("a first segment");
    segments.for_each(|segment| first.append_segment(segment).unwrap());
    first
}

/// The bytes of all segments.
pub fn content(packet: &Packet) -> Vec<u8> {
    packet.segments().flatten().copied().collect()
}

/// Memory of these bytes, and the count of its releases.
pub fn lent(bytes: &[u8]) -> (External, Arc<AtomicUsize>) {
    let releases = Arc::new(AtomicUsize::new(0));
    let count = releases.clone();
    let memory = External::new(bytes.to_vec(), move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    (memory, releases)
}

/// The seed of random tests: `GANNET_SEED` repeats a run or makes another.
pub fn seed() -> u64 {
    let seed = std::env::var("GANNET_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(82_599);
    println!("GANNET_SEED={seed}");
    seed
}

/// Gives each region 4 GiB of addresses of its own, and remembers what is mapped.
#[derive(Debug, Default)]
pub struct FixedMapper {
    pub mapped: Mutex<Vec<Iova>>,
}

impl FixedMapper {
    /// Where the first region goes; the next ones follow at the same distance.
    pub const FIRST: u64 = 1 << 32;
}

impl DmaMapper for FixedMapper {
    fn map(&self, _region: &Arc<Region>) -> Result<Iova> {
        let mut mapped = self.mapped.lock().unwrap();
        let iova = Iova(mapped.iter().map(|iova| iova.0 + Self::FIRST).max().unwrap_or(Self::FIRST));
        mapped.push(iova);
        Ok(iova)
    }

    fn unmap(&self, iova: Iova, _region: &Region) {
        self.mapped.lock().unwrap().retain(|&other| other != iova);
    }
}
