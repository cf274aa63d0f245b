//! Small pieces of large buffers: for headers and small copies, which would waste a whole buffer each.
//!
//! ```text
//!   FragCache (one a core) ──► block   [ piece | piece | piece | ............ ]
//!                                                               ^ next cut
//!   references of the block, taken ahead: BIAS = pieces out + bias left
//! ```
//!
//! Cutting a piece counts down the cache's own bias and touches no shared counter; dropping one takes a reference from the block. When a
//! block is used up the rest of the bias goes back: if no piece is out then, the same block is cut again, else the last
//! piece brings it home. The kernel's counterpart is `page_frag_cache`.
#![allow(unsafe_code)]

use crate::error::{Error, Result};
use crate::packet::{Packet, Refused};
use crate::pool::{Blocks, GRANULE, Pool, Priority, give_one};
use crate::slot;

/// References that a cache takes of a block at once: more than there can be pieces.
const BIAS: u32 = 1 << 16;

/// Cuts the blocks of a pool of [`Pool::of_blocks`] into pieces. One core's.
#[derive(Debug)]
pub struct FragCache {
    pool: Pool,
    /// Bytes of a block.
    bytes: u32,
    /// The block's name.
    block: u32,
    /// Bytes of it that are cut: all, if there is none.
    cut: u32,
    /// References that are left of those taken ahead.
    bias: u32,
}

impl FragCache {
    /// Cuts blocks of `pool`, none so far.
    ///
    /// # Errors
    /// A pool that is not of blocks.
    pub fn new(pool: &Pool) -> Result<FragCache> {
        match pool.shared().blocks() {
            Some(blocks) => {
                Ok(FragCache { pool: pool.clone(), bytes: blocks.bytes(), block: 0, cut: blocks.bytes(), bias: 0 })
            }
            None => {
                Err(Error::Invalid(format!("{}: pieces are cut from pools made with Pool::of_blocks", pool.name())))
            }
        }
    }

    /// The pool of the blocks.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    #[inline(always)]
    fn blocks(&self) -> Option<&Blocks> {
        self.pool.shared().blocks()
    }

    /// A packet with room for `room` bytes behind the pool's headroom, empty. Takes both together, rounded up to 64 bytes, of a block.
    ///
    /// # Errors
    /// [`Refused::NoRoom`] if a block is smaller, [`Refused::NoBuffer`] if no block is free.
    #[inline]
    pub fn alloc(&mut self, room: usize) -> Result<Packet, Refused> {
        let (headroom, available) = (self.pool.headroom(), usize::from(self.pool.data_room()));
        if room > available {
            return Err(Refused::NoRoom { wanted: room, available });
        }
        let size = (room as u32 + u32::from(headroom)).next_multiple_of(GRANULE).max(GRANULE);
        if self.cut + size > self.bytes && !self.change_block() {
            return Err(Refused::NoBuffer);
        }
        let mut slot = self.block + self.cut / GRANULE;
        self.cut += size;
        self.bias -= 1;
        if let Some(blocks) = self.blocks() {
            blocks.cut(slot, size as u16);
        }
        self.pool.shared().follow(&mut slot);
        // SAFETY: the granules from `slot` on, `size` bytes of a block that this cache has, are nobody else's, and one reference is the
        // packet's now.
        Ok(unsafe { Packet::from_slot(slot, headroom) })
    }

    /// A packet that holds a copy of `bytes`.
    ///
    /// # Errors
    /// As [`Self::alloc`].
    pub fn copy(&mut self, bytes: &[u8]) -> Result<Packet, Refused> {
        let mut packet = self.alloc(bytes.len())?;
        packet.append(bytes.len())?.copy_from_slice(bytes);
        Ok(packet)
    }

    /// Begins another block, or the same one again if all its pieces are gone. False if there is none.
    #[cold]
    #[inline(never)]
    fn change_block(&mut self) -> bool {
        let mut block = self.block;
        // SAFETY: one slot of room.
        if !self.let_go() && !unsafe { self.pool.shared().take(&mut block, 1, Priority::Normal) } {
            return false;
        }
        if let Some(blocks) = self.blocks() {
            blocks.hold(block, BIAS);
        }
        // The name of the block, whose pieces are followed each for itself.
        (self.block, self.cut, self.bias) = (block & !slot::NOTED, 0, BIAS);
        true
    }

    /// Gives the rest of the bias back. True if the block is this cache's alone now, and nobody's otherwise.
    fn let_go(&mut self) -> bool {
        self.cut = self.bytes;
        let bias = std::mem::take(&mut self.bias);
        bias > 0 && self.blocks().is_some_and(|blocks| blocks.let_go(self.block, bias))
    }
}

impl Drop for FragCache {
    fn drop(&mut self) {
        if self.let_go() {
            if let Some(blocks) = self.blocks() {
                blocks.hold(self.block, 1);
            }
            // SAFETY: the block is this cache's alone, with one reference, and gone from here.
            unsafe { give_one(self.block) };
        }
    }
}
