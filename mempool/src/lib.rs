//! Packet memory: huge-page regions, DMA mapping, packet pools and packets.
//!
//! [`region`] gets memory, [`dma`] makes it known to a device, [`Pool`] cuts it into buffers, a [`Packet`] owns one of them, and
//! [`buffers`] holds those that a card has. No networking here: what is in a frame, and what a descriptor looks like, is others'
//! business.
//!
//! | wanted | to be found at |
//! |---|---|
//! | a buffer, with headroom, aligned, for a tenant | [`Pool::alloc_bulk`], [`Pool::alloc_with`] |
//! | one frame in several places, in several buffers | [`Packet::share`], [`Packet::append_segment`] |
//! | small packets of large buffers | [`FragCache`] |
//! | memory that somebody else owns, and word when it is sent | [`dma::External`], [`Packet::from_external`], [`Completion`] |
//! | order when buffers run short | [`Watermarks`], [`Priority`], [`Pool::next_event`] |
//! | who may have how many | [`Account`] |
//! | why packets were dropped | [`Reason`], [`Packet::drop_with`] |
//! | settings and figures | [`registry`], [`report`] |
//! | who has a buffer that does not come home | [`Tracking`], [`Pool::holdings`], [`Pool::destroy`] |
//!
//! `docs/memory.md` in the repository describes all of it, with its limits.
//!
//! ```
//! use gannet_mempool::{Burst, Pool, PoolOptions};
//!
//! let pool = Pool::new(&PoolOptions { buffers: 1024, ..PoolOptions::default() })?;
//! let mut burst = Burst::new(32);
//! assert!(pool.alloc_bulk(&mut burst, 32));
//! for packet in burst.iter_mut() {
//!     packet.append(60)?.fill(0);
//! }
//! assert_eq!(pool.census().out, 32);
//! drop(burst);
//! assert_eq!(pool.census().out, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod account;
mod burst;
mod cache;
mod error;
mod fragments;
#[cfg(all(test, loom))]
mod loom;
mod notes;
mod packet;
mod pool;
mod sharers;
mod slot;
mod sync;
mod table;
mod thread;
mod token;

pub mod buffers;
pub mod dma;
pub mod region;
pub mod registry;
pub mod report;

pub use account::{Account, AccountUsage, OverLimit, accounts};
pub use burst::{Burst, MAX_BURST};
pub use cache::PoolStats;
pub use error::{Error, Result};
pub use fragments::FragCache;
pub use packet::{Checksum, Flags, L3, L4, Metadata, Packet, Refused, Segments};
pub use pool::{
    BlockOptions, Census, Holding, Holdings, Level, Place, Pool, PoolOptions, PressureEvent, Priority, Request,
    Tracking, Watermarks,
};
pub use registry::Reason;
pub use thread::MAX_THREADS;
pub use token::{Completion, Token};

/// Its examples are tests of this crate.
#[cfg(doctest)]
#[doc = include_str!("../../docs/memory.md")]
mod guide {}
