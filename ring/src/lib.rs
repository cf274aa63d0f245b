//! Lock-free bounded rings between cores, with bulk and burst operations.
//!
//! Two rings share one storage and one calling style:
//!
//! - [`spsc`]: one producer, one consumer. Two handles, one for each core; wait-free.
//! - [`mpmc`]: any number of both. One shared [`mpmc::Ring`]; what is lock-free about it and what
//!   is not is told there.
//!
//! Each operation comes in three sizes: *single* (`push`, `pop`), *bulk* (all or nothing) and
//! *burst* (as many as fit). `Copy` elements go through slices, all others move through a `Vec`.
//!
//! # Indices
//!
//! A slot is found by masking an index that only ever grows, so all of the capacity is usable:
//! equal indices mean empty, indices a whole capacity apart mean full.
//!
//! ```text
//!   capacity 8, mask 7           consumer's index = 13         producer's index = 18
//!                                       │                             │
//!   index   ...   10    11    12        13    14    15    16    17    18    19    20  ...
//!   slot           2     3     4         5     6     7     0     1     2     3     4
//!              ───────────────────┬───────────────────┬───────────┬─────────────────────
//!                    read         │ filled: segment 1 │ segment 2 │   free: 18, 19, 20
//!              ───────────────────┴───────────────────┴───────────┴─────────────────────
//!   len = 18 - 13 = 5            free = 13 + 8 - 18 = 3
//! ```
//!
//! A range of indices is at most two segments of memory, each copied in one go: there is no
//! per-element state, so no per-element atomic.
//!
//! Indices are 64 bits wide. A 32-bit one would come full circle within seconds at the speed of
//! these rings, and a compare-and-swap by a thread that was preempted for just that long could
//! then succeed on a stale view of the ring.
//!
//! # What this crate does not do
//!
//! It never blocks, wakes or parks a thread: a full or empty ring is an answer (`false`, 0,
//! `Err`, `None`), and what to do then is the caller's business.

mod copy;
mod error;
mod owned;
mod sync;
mod want;

#[cfg(not(loom))]
mod slots;
#[cfg(loom)]
#[path = "slots_loom.rs"]
mod slots;

pub mod mpmc;
pub mod spsc;

pub use error::{Error, MAX_CAPACITY};

#[cfg(all(test, not(loom)))]
mod tests;
