//! A buffer's name: one bit, seven of pool number, twenty-four of index.
//!
//! ```text
//!    31    30     24 23                                0
//!   noted | pool    | index: place of the buffer in its pool
//! ```
//!
//! One `u32` in the caches, rings and packets says which buffer, in whichever pool. Pool number 0 does not exist, so a slot is
//! never 0.
//!
//! The top bit says that the pool has a note about this packet ([`crate::notes`]). To the table of pools and to the tables of
//! devices a noted slot is one of another pool, which has no cache and which no device reaches: so the fast paths, which
//! ask for nothing but "of one pool", "a cache" and "within reach", leave noted packets to the slow ones without a test of their own.

/// Bits of the index.
const INDEX_BITS: u32 = 24;

/// Buffers that a pool can have.
pub(crate) const MAX_BUFFERS: u32 = 1 << INDEX_BITS;

/// Pools that can exist at once, number 0 not counted.
pub(crate) const MAX_POOLS: usize = 127;

/// Values of [`pool`]: pools as plain packets name them, and once more as noted ones do.
pub(crate) const POOL_NAMES: usize = 256;

/// The bit of a packet about which its pool has a note.
pub(crate) const NOTED: u32 = 1 << 31;

#[inline(always)]
pub(crate) const fn new(pool: u8, index: u32) -> u32 {
    (pool as u32) << INDEX_BITS | index
}

/// Which entry of the tables: the pool's number, plus 128 for a noted packet.
#[inline(always)]
pub(crate) const fn pool(slot: u32) -> usize {
    (slot >> INDEX_BITS) as usize
}

#[inline(always)]
pub(crate) const fn is_noted(slot: u32) -> bool {
    slot & NOTED != 0
}

#[inline(always)]
pub(crate) const fn index(slot: u32) -> u32 {
    slot & (MAX_BUFFERS - 1)
}

/// No difference that [`same_pool`] minds: for slots that are known to be of one pool.
pub(crate) const SAME_POOL: u32 = 0;

/// Whether all slots that differ from each other by the bits in `difference` are of one pool, and all noted or none.
#[inline(always)]
pub(crate) const fn same_pool(difference: u32) -> bool {
    pool(difference) == 0
}
