//! Buffers on their way to the wire.

use std::ops::RangeInclusive;

use super::Places;
use crate::Result;
use crate::burst::Burst;
use crate::dma::DmaTable;

/// The buffers of a transmit queue, of any pools. Dropping it brings them home, so whoever drops it has stopped the card.
#[derive(Debug)]
pub struct TxBuffers {
    places: Places,
}

impl TxBuffers {
    /// `places`, none filled.
    ///
    /// # Errors
    /// Not a power of two, or more than 2^16.
    pub fn new(places: u32) -> Result<TxBuffers> {
        Ok(TxBuffers { places: Places::new(places)? })
    }

    /// Buffers in the card's hands.
    #[inline(always)]
    pub fn len(&self) -> u32 {
        self.places.len()
    }

    /// Whether the card has none.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.places.len() == 0
    }

    /// Position that the next packet gets.
    #[inline(always)]
    pub fn head(&self) -> u32 {
        self.places.head
    }

    /// Position of the oldest buffer.
    #[inline(always)]
    pub fn tail(&self) -> u32 {
        self.places.tail
    }

    /// Moves packets from the front of `burst` into the ring while there are places, at most `max`, and has `arm` write their
    /// descriptors: it gets the position, the IOVA of the data and its length. Returns how many were moved.
    ///
    /// Stops before a packet that the card cannot send: one in a pool that `dma` does not know, or with a length outside `lengths`.
    #[inline(always)]
    pub fn send(
        &mut self,
        burst: &mut Burst,
        max: u32,
        dma: &DmaTable,
        lengths: RangeInclusive<u16>,
        mut arm: impl FnMut(u32, u64, u16),
    ) -> u32 {
        let max = max.min(self.places.room()) as usize;
        let (shortest, longest) = lengths.into_inner();
        let start = self.places.head;
        let reach = dma.reach();
        // In a register, not in the ring: the stores to the descriptors could alias it.
        let mut head = start;
        for packet in burst.iter().take(max) {
            let slot = packet.slot();
            let len = packet.len() as u16;
            let Some(buffer) = reach.buffer(slot) else { break };
            if len < shortest || len > longest {
                break;
            }
            // SAFETY: the place is free: no more packets than there is room for are taken.
            unsafe { *self.places.at_mut(head) = slot };
            arm(head, buffer + u64::from(packet.offset()), len);
            head = head.wrapping_add(1);
        }
        // Now, all at once, the buffers are the ring's. Not one by one above: should `arm` panic, they would have two owners.
        self.places.head = head;
        let moved = head.wrapping_sub(start);
        burst.take_front(moved as usize);
        moved
    }

    /// Brings the `count` oldest buffers home (at most those there are), in bulk.
    #[inline(always)]
    pub fn release(&mut self, count: u32) {
        self.places.release(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dma::{DmaMapper, Iova};
    use crate::region::Region;
    use crate::{Pool, PoolOptions};
    use std::sync::Arc;

    #[derive(Debug)]
    struct Identity;

    impl DmaMapper for Identity {
        fn map(&self, region: &Arc<Region>) -> Result<Iova> {
            Ok(Iova(region.base().as_ptr() as u64))
        }
        fn unmap(&self, _: Iova, _: &Region) {}
    }

    #[test]
    fn positions_may_pass_2_to_the_32() {
        let pool = Pool::new(&PoolOptions { buffers: 16, cache: 4, ..PoolOptions::default() }).unwrap();
        let mut dma = DmaTable::new();
        dma.map(&pool, &(Arc::new(Identity) as Arc<dyn DmaMapper>)).unwrap();
        let mut tx = TxBuffers::new(8).unwrap();
        let start = u32::MAX - 5;
        (tx.places.head, tx.places.tail) = (start, start);
        let mut burst = Burst::new(16);
        let mut next = start;
        for _ in 0..4 {
            assert!(pool.alloc_bulk(&mut burst, 6));
            let addresses: Vec<_> = burst.iter().map(|packet| packet.data().as_ptr() as u64).collect();
            let mut addresses = addresses.into_iter();
            let sent = tx.send(&mut burst, 8, &dma, 0..=64, |position, iova, _| {
                assert_eq!((position, Some(iova)), (next, addresses.next()));
                next = next.wrapping_add(1);
            });
            assert_eq!((sent, tx.len(), tx.head()), (6, 6, next));
            tx.release(5);
            assert_eq!((tx.len(), tx.tail(), pool.census().out), (1, next.wrapping_sub(1), 1));
            tx.release(8);
            assert_eq!(pool.census().out, 0);
        }
    }
}
