//! How to make a pool, and how to ask one for buffers.

use super::blocks::GRANULE;
use crate::account::Account;
use crate::cache::Amounts;
use crate::error::{Error, Result};
use crate::region::{PageSize, RegionOptions};
use crate::registry::tunables::{
    FRAGMENT_BLOCK_KIB, POOL_CACHE, POOL_CACHE_FLUSH_PERCENT, POOL_CACHE_REFILL_PERCENT, POOL_TRACKING,
    POOL_WATERMARK_HIGH_PERCENT, POOL_WATERMARK_LOW_PERCENT, POOL_WATERMARK_PRESSURE_PERCENT,
};
use crate::slot::MAX_BUFFERS;

/// Most buffers of a pool: a slot number has 24 bits, and of the largest buffers one place in a hundred stays empty.
const MOST_BUFFERS: u32 = 16_500_000;

/// How to make a [`crate::Pool`].
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// What reports call it; empty: `pool` and its number.
    pub name: String,
    /// Number of buffers, 1 to 16,500,000. Enough for all descriptors of all rings, the caches of all cores and what the application
    /// holds, and a ninth more: above [`Watermarks::pressure`] a pool works without caches.
    pub buffers: u32,
    /// Bytes of a frame that a buffer holds, 64 to 16,384.
    pub data_room: u16,
    /// Bytes before the frame, room for headers to prepend; at most 4,096.
    pub headroom: u16,
    /// Free buffers that a core keeps for itself, 0 to 65,536; at most a quarter of the pool, better an eighth: what a core keeps is missing to the
    /// others, and counts as in use. The default is the tunable `pool.cache`.
    pub cache: u32,
    /// Per cent of `cache` that are in it after it was filled from the shared ring, beside those asked for: 1 to 100. The default is the
    /// tunable `pool.cache_refill_percent`.
    pub cache_refill: u8,
    /// Per cent of its buffers that a full cache gives to the shared ring: 1 to 100. The default is the tunable
    /// `pool.cache_flush_percent`.
    pub cache_flush: u8,
    /// Where pressure begins and ends.
    pub watermarks: Watermarks,
    /// Whether each buffer is followed on its way.
    pub tracking: Tracking,
    /// Where the memory comes from.
    pub region: RegionOptions,
}

impl Default for PoolOptions {
    fn default() -> Self {
        PoolOptions {
            name: String::new(),
            buffers: 8192,
            data_room: 2048,
            headroom: 128,
            cache: POOL_CACHE.value() as u32,
            cache_refill: POOL_CACHE_REFILL_PERCENT.value() as u8,
            cache_flush: POOL_CACHE_FLUSH_PERCENT.value() as u8,
            watermarks: Watermarks::default(),
            tracking: Tracking::default(),
            region: RegionOptions::default(),
        }
    }
}

/// How many buffers may be in use, in per cent of the pool's: not in the shared ring, that is, but in caches, cards and packets. The
/// defaults are the tunables `pool.watermark_*_percent`.
///
/// The kernel's counterpart are the three values of `tcp_mem`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// Pressure ends below this many.
    pub low: u8,
    /// Pressure begins above this many: each core gives its cache back when it next touches the pool, and [`Priority::Low`] gets no more.
    pub pressure: u8,
    /// Above this many only receive rings and [`Priority::High`] get buffers. 100: the last buffer is anybody's.
    pub high: u8,
}

impl Default for Watermarks {
    fn default() -> Self {
        Watermarks {
            low: POOL_WATERMARK_LOW_PERCENT.value() as u8,
            pressure: POOL_WATERMARK_PRESSURE_PERCENT.value() as u8,
            high: POOL_WATERMARK_HIGH_PERCENT.value() as u8,
        }
    }
}

/// Whether a pool knows where each of its buffers is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracking {
    /// It knows how many are out.
    Off,
    /// It knows where each is, since when, and who had it last: [`crate::Pool::holdings`]. Costs some hundred cycles a packet.
    On,
}

impl Default for Tracking {
    fn default() -> Self {
        if POOL_TRACKING.value() == 0 { Tracking::Off } else { Tracking::On }
    }
}

/// Who is served last when buffers are few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Priority {
    /// Gets none under pressure.
    Low,
    /// Gets buffers until [`Watermarks::high`].
    #[default]
    Normal,
    /// Gets the last buffer. Receive rings have this.
    High,
}

/// What is wanted of [`crate::Pool::alloc_with`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// Bytes before the data, at least; `None`: as the pool has them.
    pub headroom: Option<u16>,
    /// The data's address is a multiple of this, a power of two up to 64; 0 or 1: of anything.
    pub align: u16,
    /// Who is served first.
    pub priority: Priority,
    /// Who is charged.
    pub account: Option<&'a Account>,
}

impl PoolOptions {
    pub(super) fn check(&self, shape: Shape) -> Result<()> {
        let range = |name: &str, value: u32, low: u32, high: u32| match (low..=high).contains(&value) {
            true => Ok(()),
            false => Err(Error::Invalid(format!("a pool's {name} of {value}: {low} to {high} is possible"))),
        };
        range("buffers", self.buffers, 1, MOST_BUFFERS)?;
        range("data_room", self.data_room.into(), 64, if shape.is_cut() { 32_768 } else { 16_384 })?;
        range("headroom", self.headroom.into(), 0, 4_096)?;
        range("cache", self.cache, 0, 65_536)?;
        range("cache_refill", self.cache_refill.into(), 1, 100)?;
        range("cache_flush", self.cache_flush.into(), 1, 100)?;
        let Watermarks { low, pressure, high } = self.watermarks;
        match low <= pressure && pressure <= high && high <= 100 {
            true => Ok(()),
            false => Err(Error::Invalid(format!(
                "a pool's watermarks of {low}, {pressure} and {high} per cent: low <= pressure <= high <= 100 is possible"
            ))),
        }
    }

    pub(super) fn cache_amounts(&self) -> Amounts {
        Amounts { capacity: self.cache, refill: self.cache_refill, flush: self.cache_flush }
    }
}

/// How to make a pool of blocks, which [`crate::FragCache`]s cut into pieces.
#[derive(Debug, Clone)]
pub struct BlockOptions {
    /// What reports call it; empty: `pool` and its number.
    pub name: String,
    /// Number of blocks, 1 to 65,536, but no more than 1 GiB of them.
    pub blocks: u32,
    /// KiB of a block: 4, 8, 16 or 32. The default is the tunable `fragment.block_kib`.
    pub block_kib: u8,
    /// Bytes before the data of a piece, at most 1,024.
    pub headroom: u16,
    /// Whether each block is followed on its way.
    pub tracking: Tracking,
    /// Where the memory comes from.
    pub region: RegionOptions,
}

impl Default for BlockOptions {
    fn default() -> Self {
        BlockOptions {
            name: String::new(),
            blocks: 64,
            block_kib: FRAGMENT_BLOCK_KIB.value() as u8,
            headroom: 0,
            tracking: Tracking::default(),
            region: RegionOptions::default(),
        }
    }
}

impl BlockOptions {
    /// The pool of which the blocks are the buffers.
    pub(super) fn pool(&self) -> Result<PoolOptions> {
        // A slot can name so many granules.
        let most = (MAX_BUFFERS / (1024 / GRANULE)) / u32::from(self.block_kib).max(1);
        let is_possible = (1..=most.min(1 << 16)).contains(&self.blocks)
            && [4, 8, 16, 32].contains(&self.block_kib)
            && self.headroom <= 1024;
        if !is_possible {
            return Err(Error::Invalid(format!(
                "{} blocks of {} KiB with {} bytes of headroom: 1 to 65536 of 4, 8, 16 or 32 KiB, 1 GiB together, with 0 to 1024 are possible",
                self.blocks, self.block_kib, self.headroom
            )));
        }
        Ok(PoolOptions {
            name: self.name.clone(),
            buffers: self.blocks,
            data_room: u16::from(self.block_kib) * 1024 - self.headroom,
            headroom: self.headroom,
            cache: 0,
            tracking: self.tracking,
            region: self.region,
            ..PoolOptions::default()
        })
    }
}

/// How buffers lie in the region, and what a slot names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Bytes from one buffer to the next.
    pub(super) stride: u32,
    /// Bytes from one slot to the next: the stride, or that of pieces.
    pub(super) granule: u32,
}

impl Shape {
    /// Whole cache lines, and an odd number of them. A power of two would put the first line of every frame into the same few
    /// sets of the core's cache.
    pub(super) fn of(options: &PoolOptions) -> Shape {
        const LINE: u32 = 64;
        let lines = (u32::from(options.headroom) + u32::from(options.data_room)).div_ceil(LINE);
        let stride = (lines | 1) * LINE;
        Shape { stride, granule: stride }
    }

    /// Blocks next to each other, a power of two of bytes.
    pub(super) fn of_blocks(options: &PoolOptions) -> Shape {
        let stride = u32::from(options.headroom) + u32::from(options.data_room);
        Shape { stride, granule: GRANULE }
    }

    pub(super) fn is_cut(self) -> bool {
        self.granule != self.stride
    }

    /// The slots' indices of the buffers. A place that lies across two huge pages stays empty, one in a thousand: a card's access to
    /// it would need two entries of the IOTLB, and QEMU's cards silently lose what they are to send from there.
    pub(super) fn places(self, buffers: u32) -> impl Iterator<Item = u32> {
        const PAGE: u64 = PageSize::Huge2M.bytes() as u64;
        let stride = u64::from(self.stride);
        let is_in_one_page = move |&place: &u32| {
            let first = u64::from(place) * stride;
            first / PAGE == (first + stride - 1) / PAGE
        };
        let granules = self.stride / self.granule;
        (0..MAX_BUFFERS).filter(is_in_one_page).take(buffers as usize).map(move |place| place * granules)
    }

    /// Indices that slots can have.
    pub(super) fn granules(self, buffers: u32) -> usize {
        self.places(buffers).last().map_or(0, |last| (last + self.stride / self.granule) as usize)
    }

    /// Bytes of memory for so many buffers.
    pub(super) fn bytes(self, buffers: u32) -> usize {
        self.granules(buffers) * self.granule as usize
    }
}
