//! Pools whose buffers are cut into pieces: what is noted of blocks and pieces.
//!
//! ```text
//!   block (a buffer of the pool)     [ piece | piece .... | piece | not cut yet ...... ]
//!   slots name granules of 64 bytes:   0       2            7
//!   references[block] = pieces out + what the cache that cuts it holds ahead
//! ```
//!
//! A slot's index is its first granule's, so a piece has a note and a record of its own and is a packet like any other. The
//! caches of such a pool are closed: each piece that is dropped is looked at here.
#![allow(unsafe_code)]

use std::sync::atomic::AtomicU16;

use super::tracks::Place;
use crate::slot;
use crate::sync::{AtomicU32, Ordering};
use crate::table::Entry;

/// Bytes that pieces are multiples of.
pub(crate) const GRANULE: u32 = 64;

/// The blocks of a pool.
pub(crate) struct Blocks {
    /// Bytes of a block: a power of two below 2^16.
    bytes: u32,
    /// Of each block.
    references: Box<[AtomicU32]>,
    /// Bytes of the piece that begins at a granule.
    sizes: Box<[AtomicU16]>,
}

impl Blocks {
    pub(crate) fn new(blocks: u32, bytes: u32) -> Blocks {
        Blocks {
            bytes,
            references: (0..blocks).map(|_| AtomicU32::new(0)).collect(),
            sizes: (0..blocks * (bytes / GRANULE)).map(|_| AtomicU16::new(0)).collect(),
        }
    }

    pub(crate) fn bytes(&self) -> u32 {
        self.bytes
    }

    fn references(&self, slot: u32) -> &AtomicU32 {
        &self.references[(slot::index(slot) / (self.bytes / GRANULE)) as usize]
    }

    /// Bytes of a piece.
    #[inline(always)]
    pub(crate) fn size(&self, slot: u32) -> u32 {
        self.sizes[slot::index(slot) as usize].load(Ordering::Relaxed).into()
    }

    /// Makes `slot` the name of a piece of `bytes` bytes.
    #[inline(always)]
    pub(crate) fn cut(&self, slot: u32, bytes: u16) {
        self.sizes[slot::index(slot) as usize].store(bytes, Ordering::Relaxed);
    }

    /// Sets the references of a block that the caller has alone.
    pub(crate) fn hold(&self, slot: u32, count: u32) {
        self.references(slot).store(count, Ordering::Relaxed);
    }

    /// Whether these are all references to the block of `slot`: the caller, who holds them, has it alone. Acquire: what others did with their
    /// pieces is done.
    pub(crate) fn is_held_by(&self, slot: u32, count: u32) -> bool {
        self.references(slot).load(Ordering::Acquire) == count
    }

    /// Takes references to the block of `slot` back, for somebody who keeps the pool. True if these were the last: the caller has the block alone.
    pub(crate) fn let_go(&self, slot: u32, count: u32) -> bool {
        let_go(self.references(slot), count)
    }

    /// The slot that is a block's name in the pool's ring: its first granule's.
    fn first(&self, slot: u32) -> u32 {
        slot & !(self.bytes / GRANULE - 1)
    }
}

/// Takes references back. True if these were the last. Everyone else does not touch the block, nor the pool, after the call: so this is a
/// function of the counter alone, which may be gone when it returns, as an atomic may.
fn let_go(references: &AtomicU32, count: u32) -> bool {
    // As in `Sharers::leave`.
    references.fetch_sub(count, Ordering::AcqRel) == count
}

/// Takes back the references that pieces were. The blocks that nobody has any more are left in the front of `slots`; returns how many.
///
/// # Safety
/// All are plain slots of the pool that `entry` is of, in the caller's hands, and that pool has blocks.
pub(super) unsafe fn settle(entry: &'static Entry, slots: &mut [u32]) -> usize {
    let (mut home, mut at) = (0, 0);
    while at < slots.len() {
        // SAFETY: this slot is in the caller's hands until `let_go`, after which `pool` is not used.
        let pool = unsafe { entry.pool() };
        let Some(blocks) = pool.blocks() else { return slots.len() };
        let block = blocks.first(slots[at]);
        let run = slots[at..].iter().take_while(|&&slot| blocks.first(slot) == block).count();
        pool.mark(&slots[at..at + run], Place::Home);
        at += run;
        if let_go(blocks.references(block), run as u32) {
            slots[home] = block;
            home += 1;
        }
    }
    home
}
