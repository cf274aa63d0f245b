//! The tunables of this crate, all in one list: they are seen before they are used.

use super::Tunable;

/// In the order in which they are shown.
pub(super) static TUNABLES: &[&Tunable] = &[
    &POOL_CACHE,
    &POOL_CACHE_REFILL_PERCENT,
    &POOL_CACHE_FLUSH_PERCENT,
    &POOL_WATERMARK_LOW_PERCENT,
    &POOL_WATERMARK_PRESSURE_PERCENT,
    &POOL_WATERMARK_HIGH_PERCENT,
    &POOL_DESTROY_WARN_MS,
    &POOL_TRACKING,
    &FRAGMENT_BLOCK_KIB,
    &DMA_DEBUG,
];

const SWITCH: &str = "0 off, 1 on";
const PERCENT: (u64, u64) = (1, 100);

pub(crate) static POOL_CACHE: Tunable =
    Tunable::new("pool.cache", "buffers", 512, (0, 65_536), "free buffers that a core keeps for itself");

pub(crate) static POOL_CACHE_REFILL_PERCENT: Tunable = Tunable::new(
    "pool.cache_refill_percent",
    "percent",
    50,
    PERCENT,
    "part of a core's cache that is filled from the pool's ring at a time",
);

pub(crate) static POOL_CACHE_FLUSH_PERCENT: Tunable = Tunable::new(
    "pool.cache_flush_percent",
    "percent",
    50,
    PERCENT,
    "part of a core's full cache that goes back to the pool's ring at a time",
);

pub(crate) static POOL_WATERMARK_LOW_PERCENT: Tunable = Tunable::new(
    "pool.watermark_low_percent",
    "percent",
    75,
    PERCENT,
    "part of a pool that is in use below which pressure ends",
);

pub(crate) static POOL_WATERMARK_PRESSURE_PERCENT: Tunable = Tunable::new(
    "pool.watermark_pressure_percent",
    "percent",
    90,
    PERCENT,
    "part of a pool that is in use above which pressure begins",
);

pub(crate) static POOL_WATERMARK_HIGH_PERCENT: Tunable = Tunable::new(
    "pool.watermark_high_percent",
    "percent",
    100,
    PERCENT,
    "part of a pool that is in use above which only receive rings get buffers",
);

pub(crate) static POOL_DESTROY_WARN_MS: Tunable = Tunable::new(
    "pool.destroy_warn_ms",
    "milliseconds",
    1_000,
    (10, 3_600_000),
    "time between two warnings of a closed pool whose buffers are not home",
);

pub(crate) static POOL_TRACKING: Tunable =
    Tunable::new("pool.tracking", SWITCH, 0, (0, 1), "remember who holds each buffer");

pub(crate) static FRAGMENT_BLOCK_KIB: Tunable =
    Tunable::new("fragment.block_kib", "KiB", 32, (4, 32), "size of the blocks that fragments are cut from");

pub(crate) static DMA_DEBUG: Tunable =
    Tunable::new("dma.debug", SWITCH, 0, (0, 1), "remember each mapping of memory for a card, and tell misuse");
