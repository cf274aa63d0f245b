//! Memory: normal and huge pages, what is missing and what remains.
//!
//! Cases that need free huge pages are skipped, saying so, where there are none:
//! `echo 64 | sudo tee /proc/sys/vm/nr_hugepages` makes them possible.
#![cfg(not(miri))]

mod common;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use common::{assert_all_home, drain, fill, options};
use gannet_harness::skip;
use gannet_mempool::buffers::{Arrival, RxBuffers};
use gannet_mempool::region::{Backing, PageSize, Pages, Region, RegionOptions};
use gannet_mempool::{Burst, Error, Metadata, Pool, PoolOptions};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const MIB: usize = 1 << 20;
const ENABLE: &str = "no free huge pages; `echo 64 | sudo tee /proc/sys/vm/nr_hugepages` makes some";

/// The tests here look at counters of the whole machine, so one runs at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Free huge pages of 2 MiB that nobody has reserved.
fn free_huge_pages() -> usize {
    let counter = |name: &str| -> usize {
        let text = fs::read_to_string(format!("/sys/kernel/mm/hugepages/hugepages-2048kB/{name}"));
        text.map_or(0, |text| text.trim().parse().unwrap())
    };
    counter("free_hugepages") - counter("resv_hugepages")
}

fn meminfo_mib(key: &str) -> usize {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() >> 10
}

fn region(pages: Pages, backing: Backing) -> RegionOptions {
    RegionOptions { pages, backing, numa_node: None }
}

const HUGE: Pages = Pages::Exactly(PageSize::Huge2M);

#[test]
fn normal_pages_are_there_for_anyone() {
    let region = Region::new(10_000, region(Pages::Exactly(PageSize::Normal), Backing::Shared)).unwrap();
    assert_eq!((region.len(), region.page_size()), (12_288, PageSize::Normal));
    assert_eq!(region.base().as_ptr() as usize % 4096, 0);
}

#[test]
fn nothing_is_refused() {
    let refused = Region::new(0, RegionOptions::default()).unwrap_err();
    assert_eq!(refused.to_string(), "a region of 0 bytes was asked for");
}

#[test]
fn more_than_the_address_space_is_refused() {
    for pages in [HUGE, Pages::Exactly(PageSize::Normal), Pages::Prefer2M] {
        assert!(matches!(Region::new(usize::MAX, region(pages, Backing::Shared)), Err(Error::Invalid(_))));
    }
}

#[test]
fn a_pool_beyond_the_machine_is_refused_and_kills_nobody() {
    if meminfo_mib("MemTotal:") > 300 << 10 {
        return skip("this machine has room for the largest pool");
    }
    for pages in [Pages::Exactly(PageSize::Normal), Pages::Prefer2M] {
        let region = region(pages, Backing::Shared);
        let options = PoolOptions {
            buffers: 16_500_000,
            data_room: 16_384,
            headroom: 4_096,
            cache: 0,
            region,
            ..PoolOptions::default()
        };
        let error = Pool::new(&options).unwrap_err();
        let Error::OutOfMemory { needed_mib, available_mib } = error else { panic!("{error:?}") };
        // With the places that stay empty.
        assert_eq!(needed_mib, 16_662_722 * 321 * 64 / MIB);
        assert!(available_mib <= meminfo_mib("MemTotal:"));
        let text = error.to_string();
        assert!(text.starts_with("packet memory of 326460 MiB asked for, "), "{text}");
        assert!(text.ends_with(" MiB available: use fewer or smaller buffers"), "{text}");
    }
}

#[test]
fn huge_pages_that_are_missing_are_named_with_the_command_that_gives_them() {
    let _alone = alone();
    let free = free_huge_pages();
    for backing in [Backing::Shared, Backing::Anonymous] {
        let error = Region::new((free + 3) * 2 * MIB, region(HUGE, backing)).unwrap_err();
        let Error::NoHugePages { needed, page, free: there, nr, ref sysfs } = error else { panic!("{error:?}") };
        assert_eq!((needed, page, there), (free + 3, "2 MiB", free));
        let total: usize = fs::read_to_string(sysfs).unwrap().trim().parse().unwrap();
        assert_eq!(nr, total + 3);
        let command = format!("`echo {nr} | sudo tee /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages`");
        assert!(error.to_string().contains(&command), "{error}");
    }
    let error = Region::new(1 << 50, region(Pages::Exactly(PageSize::Huge1G), Backing::Shared)).unwrap_err();
    assert!(error.to_string().contains("hugepages-1048576kB/nr_hugepages"), "{error}");
}

/// Counts events, and does with the pools what an application's log output might.
struct Log(Arc<AtomicUsize>);

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        assert_eq!(*event.metadata().level(), tracing::Level::WARN);
        self.0.fetch_add(1, Ordering::Relaxed);
        let pool = Pool::new(&options(4, 2)).unwrap();
        let packet = pool.alloc();
        drop(pool);
        drop(packet);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn without_enough_huge_pages_a_pool_falls_back_to_normal_ones_and_warns() {
    let _alone = alone();
    let bytes = (free_huge_pages() + 1) * 2 * MIB;
    if bytes > 512 * MIB {
        return skip("too many free huge pages to ask for more");
    }
    let warnings = Arc::new(AtomicUsize::new(0));
    let options = PoolOptions {
        buffers: (bytes / 2048) as u32,
        region: region(Pages::Prefer2M, Backing::Shared),
        ..PoolOptions::default()
    };
    let pool = tracing::subscriber::with_default(Log(warnings.clone()), || Pool::new(&options)).unwrap();
    assert_eq!((pool.region().page_size(), warnings.load(Ordering::Relaxed)), (PageSize::Normal, 1));
    assert_eq!(drain(&pool).len(), options.buffers as usize);
}

#[test]
fn anonymous_regions_have_no_normal_pages_to_fall_back_to() {
    let _alone = alone();
    let bytes = (free_huge_pages() + 1) * 2 * MIB;
    let error = Region::new(bytes, region(Pages::Prefer2M, Backing::Anonymous)).unwrap_err();
    assert!(matches!(error, Error::NoHugePages { .. }), "{error}");
    for size in [PageSize::Normal, PageSize::Huge1G] {
        let error = Region::new(1, region(Pages::Exactly(size), Backing::Anonymous)).unwrap_err();
        assert!(!matches!(error, Error::System { .. }), "{error}");
    }
}

#[test]
fn free_huge_pages_are_used_and_given_back() {
    let _alone = alone();
    let before = free_huge_pages();
    if before < 2 {
        return skip(ENABLE);
    }
    for (pages, backing) in
        [(Pages::Prefer2M, Backing::Shared), (HUGE, Backing::Shared), (Pages::Prefer2M, Backing::Anonymous)]
    {
        let options = PoolOptions { region: region(pages, backing), buffers: 1000, ..PoolOptions::default() };
        let pool = Pool::new(&options).unwrap();
        assert_eq!((pool.region().page_size(), pool.region().len()), (PageSize::Huge2M, 4 * MIB));
        assert_eq!(pool.region().base().as_ptr() as usize % (2 * MIB), 0);
        assert_eq!(pool.region().file().is_some(), backing == Backing::Shared);
        assert_eq!(free_huge_pages(), before - 2);
        let mut packets = drain(&pool);
        packets.iter_mut().for_each(|packet| fill(packet, &[1; 2048]));
        drop(packets);
        assert_all_home(&pool);
        drop(pool);
        assert_eq!(free_huge_pages(), before);
    }
}

#[test]
fn pages_that_another_mapping_has_reserved_are_not_free() {
    let _alone = alone();
    let before = free_huge_pages();
    if before < 2 {
        return skip(ENABLE);
    }
    // Mapped, and so reserved, but not touched: free_hugepages stays as it is.
    let reserved = memmap2::MmapOptions::new().len(2 * MIB).huge(Some(21)).map_anon().unwrap();
    assert_eq!(free_huge_pages(), before - 1);
    let error = Region::new(before * 2 * MIB, region(HUGE, Backing::Shared)).unwrap_err();
    assert!(matches!(error, Error::NoHugePages { free, .. } if free == before - 1), "{error}");
    drop(reserved);
    assert!(Region::new(before * 2 * MIB, region(HUGE, Backing::Shared)).is_ok());
}

#[test]
fn the_memory_file_is_the_memory() {
    let pool = common::pool(8, 0);
    let region = pool.region().clone();
    let file = File::from(region.file().unwrap().try_clone_to_owned().unwrap());
    let mut rx = RxBuffers::new(pool, 4).unwrap();
    rx.arm(4, |position, offset| file.write_all_at(&[position as u8; 100], offset).unwrap());
    let mut burst = Burst::new(4);
    rx.receive(&mut burst, 4, |_| Arrival::Frame { len: 100, metadata: Metadata::default() });
    assert!(burst.iter().zip(0u8..).all(|(packet, number)| packet.data() == [number; 100]));

    burst[0].data_mut().unwrap().fill(0xAB);
    let offset = burst[0].data().as_ptr() as usize - region.base().as_ptr() as usize;
    let mut seen = [0; 100];
    file.read_exact_at(&mut seen, offset as u64).unwrap();
    assert_eq!(seen, [0xAB; 100]);
}

/// Checks that whoever has the memory file cannot change its length.
fn assert_length_is_sealed(pages: Pages) {
    let region = Region::new(1, region(pages, Backing::Shared)).unwrap();
    let file = File::from(region.file().unwrap().try_clone_to_owned().unwrap());
    assert!(file.set_len(0).is_err());
    assert!(file.set_len(2 * region.len() as u64).is_err());
}

#[test]
fn the_length_of_a_memory_file_is_sealed() {
    assert_length_is_sealed(Pages::Exactly(PageSize::Normal));
}

#[test]
fn the_length_of_a_memory_file_of_huge_pages_is_sealed() {
    let _alone = alone();
    if free_huge_pages() == 0 {
        return skip(ENABLE);
    }
    assert_length_is_sealed(HUGE);
}

#[test]
fn memory_can_be_bound_to_a_node() {
    let mut options = options(8, 0);
    options.region.numa_node = Some(0);
    let pool = Pool::new(&options).unwrap();
    assert_eq!(drain(&pool).len(), 8);
    for node in [1000, 5000, u32::MAX] {
        options.region.numa_node = Some(node);
        let text = Pool::new(&options).unwrap_err().to_string();
        assert!(text.contains(&format!("NUMA node {node}")), "{text}");
    }
}

const CHILD: &str = "GANNET_TEST_CHILD";

/// The other half of the test below: a process with a pool on huge pages, which waits to be killed.
#[test]
fn child_that_holds_huge_pages() {
    let Ok(backing) = std::env::var(CHILD) else { return };
    let backing = if backing == "Shared" { Backing::Shared } else { Backing::Anonymous };
    let options = PoolOptions { buffers: 1000, region: region(HUGE, backing), ..PoolOptions::default() };
    let pool = Pool::new(&options).unwrap();
    let packets = drain(&pool);
    println!("\nready");
    // For ever: the parent keeps the other end open.
    let _ = std::io::stdin().lines().next();
    drop(packets);
}

#[test]
fn a_killed_process_leaves_no_huge_page_behind() {
    let _alone = alone();
    let before = free_huge_pages();
    if before < 2 {
        return skip(ENABLE);
    }
    for backing in ["Shared", "Anonymous"] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_holds_huge_pages", "--nocapture"])
            .env(CHILD, backing)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "ready"), "the child ended before");
        assert_eq!(free_huge_pages(), before - 2);
        kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGKILL).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        assert_eq!(free_huge_pages(), before);
    }
}
