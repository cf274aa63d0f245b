//! A buffer's name: eight bits of pool number, twenty-four of index.
//!
//! One `u32` in the caches, rings and packets says which buffer, in whichever pool. Pool number 0 does not exist, so a slot is
//! never 0.

/// Bits of the index.
const INDEX_BITS: u32 = 24;

/// Buffers that a pool can have.
pub(crate) const MAX_BUFFERS: u32 = 1 << INDEX_BITS;

/// Pools that can exist at once, number 0 not counted.
pub(crate) const MAX_POOLS: usize = 255;

#[inline(always)]
pub(crate) const fn new(pool: u8, index: u32) -> u32 {
    (pool as u32) << INDEX_BITS | index
}

#[inline(always)]
pub(crate) const fn pool(slot: u32) -> usize {
    (slot >> INDEX_BITS) as usize
}

#[inline(always)]
pub(crate) const fn index(slot: u32) -> u32 {
    slot & (MAX_BUFFERS - 1)
}

/// Whether all slots that differ from each other by the bits in `difference` are of one pool.
#[inline(always)]
pub(crate) const fn same_pool(difference: u32) -> bool {
    pool(difference) == 0
}
