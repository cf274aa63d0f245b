//! What there is to know about packet memory at this moment: pools, accounts, tunables, counters, drops.
//!
//! [`Display`](fmt::Display) for people, [`Serialize`] for programs. Reading disturbs nobody: counters are read as they are.
//!
//! ```
//! use gannet_mempool::{Pool, PoolOptions, report};
//!
//! let pool = Pool::new(&PoolOptions { name: "received".into(), buffers: 1024, ..PoolOptions::default() })?;
//! let packet = pool.alloc();
//! let report = report::memory();
//! assert!(report.pools.iter().any(|pool| pool.name == "received" && pool.census.out == 1));
//! println!("{report}");
//! # Ok::<(), gannet_mempool::Error>(())
//! ```

use std::fmt;

use serde::Serialize;

use crate::account::{AccountUsage, accounts};
use crate::cache::PoolStats;
use crate::pool::{Census, Level, Shared};
use crate::registry::{self, Column, Row, Snapshot, Table};
use crate::table;

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemoryReport {
    /// The pools, closing ones included.
    pub pools: Vec<PoolReport>,
    /// The accounts.
    pub accounts: Vec<AccountUsage>,
    /// Tunables, counters and drops.
    #[serde(flatten)]
    pub registry: Snapshot,
}

/// A pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PoolReport {
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: u8,
    /// Bytes of a frame that a buffer holds.
    pub data_room: u16,
    /// Bytes of memory.
    pub bytes: usize,
    /// Bytes of the pages that the memory is in.
    pub page_bytes: usize,
    /// Where the buffers are.
    pub census: Census,
    /// How short of buffers it is.
    pub level: Level,
    /// Times that pressure began.
    pub pressure_entered: u64,
    /// Times that pressure became critical.
    pub pressure_critical: u64,
    /// What has been done with it.
    pub stats: PoolStats,
    /// Its last handle is gone: it waits for buffers.
    pub is_closing: bool,
}

/// What there is to know of packet memory.
pub fn memory() -> MemoryReport {
    MemoryReport { pools: pools(), accounts: accounts(), registry: registry::snapshot() }
}

/// The pools, by number.
pub fn pools() -> Vec<PoolReport> {
    let mut pools = Vec::new();
    table::for_each(|pool, is_closing| pools.push(pool.report(is_closing)));
    pools
}

impl Shared {
    fn report(&self, is_closing: bool) -> PoolReport {
        let (pressure_entered, pressure_critical) = self.pressure_times();
        PoolReport {
            name: self.name().to_owned(),
            number: self.number(),
            data_room: self.data_room(),
            bytes: self.region().len(),
            page_bytes: self.region().page_size().bytes(),
            census: self.census(),
            level: self.level(),
            pressure_entered,
            pressure_critical,
            stats: self.caches().stats(),
            is_closing,
        }
    }
}

/// A pool's line in the table of where its buffers are.
struct Places<'a>(&'a PoolReport);

impl Row<8> for Places<'_> {
    const COLUMNS: [Column; 8] = [
        Column::Left("POOL"),
        Column::Right("BUFFERS"),
        Column::Right("OUT"),
        Column::Right("CACHED"),
        Column::Right("FREE"),
        Column::Left("LEVEL"),
        Column::Right("PRESSURE"),
        Column::Right("MIB"),
    ];

    fn cells(&self) -> [String; 8] {
        let PoolReport { name, census, level, pressure_entered, bytes, is_closing, .. } = self.0;
        [
            if *is_closing { format!("{name} (closing)") } else { name.clone() },
            census.total.to_string(),
            census.out.to_string(),
            census.cached.to_string(),
            census.ring.to_string(),
            level.to_string(),
            format!("{pressure_entered} times"),
            (bytes >> 20).to_string(),
        ]
    }
}

/// A pool's line in the table of what has been done with it.
struct Traffic<'a>(&'a PoolReport);

impl Row<9> for Traffic<'_> {
    const COLUMNS: [Column; 9] = [
        Column::Left("POOL"),
        Column::Right("ALLOC FAST"),
        Column::Right("SLOW"),
        Column::Right("REFILLS"),
        Column::Right("EMPTY"),
        Column::Right("RECYCLE CACHE"),
        Column::Right("RING"),
        Column::Right("FULL"),
        Column::Right("FOREIGN"),
    ];

    fn cells(&self) -> [String; 9] {
        let stats = &self.0.stats;
        [
            self.0.name.clone(),
            stats.alloc_fast.to_string(),
            stats.alloc_slow.to_string(),
            stats.alloc_refills.to_string(),
            stats.alloc_empty.to_string(),
            stats.recycle_cache.to_string(),
            stats.recycle_ring.to_string(),
            stats.recycle_full.to_string(),
            stats.recycle_foreign.to_string(),
        ]
    }
}

impl Row<5> for AccountUsage {
    const COLUMNS: [Column; 5] = [
        Column::Left("ACCOUNT"),
        Column::Right("LIMIT"),
        Column::Right("HELD"),
        Column::Right("STOCKED"),
        Column::Right("REFUSED"),
    ];

    fn cells(&self) -> [String; 5] {
        let AccountUsage { name, limit, held, stocked, refused } = self;
        [name.clone(), limit.to_string(), held.to_string(), stocked.to_string(), refused.to_string()]
    }
}

impl MemoryReport {
    /// The two tables of pools: where their buffers are, what has been done with them.
    pub fn pool_tables(&self) -> String {
        let places: Vec<Places<'_>> = self.pools.iter().map(Places).collect();
        let traffic: Vec<Traffic<'_>> = self.pools.iter().map(Traffic).collect();
        format!("{}\n{}", Table::of(&places), Table::of(&traffic))
    }
}

impl fmt::Display for MemoryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}", self.pool_tables(), Table::of(&self.accounts), self.registry)
    }
}
