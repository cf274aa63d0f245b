//! Buffers on their way to the wire.

use std::ops::RangeInclusive;

use super::{NOTHING, Places};
use crate::Result;
use crate::burst::Burst;
use crate::dma::DmaTable;
use crate::packet::Packet;
use crate::slot;

/// The buffers of a transmit queue, of any pools. Dropping it brings them home, so whoever drops it has stopped the card.
#[derive(Debug)]
pub struct TxBuffers {
    places: Places,
}

/// Why a packet cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// There is no room in the ring now.
    Full,
    /// The frame is too short or too long.
    Length,
    /// It has more segments than the ring takes at a time.
    Segments,
    /// The device cannot reach its memory.
    Unreachable,
}

/// What a driver writes a descriptor for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Where the bytes are for the device.
    pub iova: u64,
    /// How many.
    pub len: u16,
    /// Bytes of the whole frame.
    pub frame_len: u16,
    /// Whether the frame ends here.
    pub is_last: bool,
}

impl TxBuffers {
    /// `places`, none filled.
    ///
    /// # Errors
    /// Not a power of two, or more than 2^16.
    pub fn new(places: u32) -> Result<TxBuffers> {
        Ok(TxBuffers { places: Places::new(places)? })
    }

    /// Places that the card has not done with.
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

    /// Packets that end at `position` or behind it: those that the card has not sent when it is there.
    pub fn packets_from(&self, position: u32) -> u32 {
        let count = self.places.head.wrapping_sub(position);
        // SAFETY: the places from the tail up to the head are filled.
        let ends = (0..count.min(self.len()))
            .filter(|&back| unsafe { self.places.filled().at(self.places.head.wrapping_sub(back + 1)) != NOTHING });
        ends.count() as u32
    }

    /// Moves packets from the front of `burst` into the ring while there are places, at most `max` places, and has `arm` write their
    /// descriptors: it gets the position and what is to be sent from there. A packet of several segments takes a place for each, and
    /// goes home with the last. Returns how many packets were moved.
    ///
    /// Stops before a packet that the card cannot send ([`Self::obstacle`] tells why) or for which there is no place.
    #[inline(always)]
    pub fn send(
        &mut self,
        burst: &mut Burst,
        max: u32,
        dma: &DmaTable,
        lengths: RangeInclusive<u16>,
        mut arm: impl FnMut(u32, Segment),
    ) -> u32 {
        let max = max.min(self.places.room());
        let end = self.places.head.wrapping_add(max);
        let mut moved = 0;
        loop {
            moved += self.send_plain(burst, end.wrapping_sub(self.places.head), dma, &lengths, &mut arm);
            let is_noted = burst.first().is_some_and(|packet| slot::is_noted(packet.slot()));
            if !is_noted || !self.send_noted(burst, end.wrapping_sub(self.places.head), dma, &lengths, &mut arm) {
                return moved;
            }
            moved += 1;
        }
    }

    /// Why [`Self::send`] stops at `packet`, given the same and a ring that takes `places` places at a time. `None`: it does not, or not
    /// any more.
    pub fn obstacle(
        &self,
        packet: &Packet,
        places: u32,
        dma: &DmaTable,
        lengths: &RangeInclusive<u16>,
    ) -> Option<Obstacle> {
        let pieces = || pieces(packet);
        let count = pieces().count();
        if !u16::try_from(packet.total_len()).is_ok_and(|len| lengths.contains(&len)) {
            Some(Obstacle::Length)
        } else if count > places as usize {
            Some(Obstacle::Segments)
        } else if !pieces().all(|segment| dma.iova(segment).is_some()) {
            Some(Obstacle::Unreachable)
        } else {
            (count > self.places.room() as usize).then_some(Obstacle::Full)
        }
    }

    /// [`Self::send`] up to the first packet with a note, which no device reaches.
    #[inline(always)]
    fn send_plain(
        &mut self,
        burst: &mut Burst,
        max: u32,
        dma: &DmaTable,
        lengths: &RangeInclusive<u16>,
        arm: &mut impl FnMut(u32, Segment),
    ) -> u32 {
        let (shortest, longest) = (*lengths.start(), *lengths.end());
        let start = self.places.head;
        let reach = dma.reach();
        // In a register, not in the ring: the stores to the descriptors could alias it.
        let mut head = start;
        for packet in burst.iter().take(max as usize) {
            let slot = packet.slot();
            let len = packet.len() as u16;
            let Some(buffer) = reach.buffer(slot) else { break };
            if len < shortest || len > longest {
                break;
            }
            // SAFETY: the place is free: no more packets than there is room for are taken.
            unsafe { *self.places.at_mut(head) = slot };
            let iova = buffer + u64::from(packet.offset());
            arm(head, Segment { iova, len, frame_len: len, is_last: true });
            head = head.wrapping_add(1);
        }
        // Now, all at once, the buffers are the ring's. Not one by one above: should `arm` panic, they would have two owners.
        self.places.head = head;
        let moved = head.wrapping_sub(start);
        burst.take_front(moved as usize);
        moved
    }

    /// [`Self::send`] for the noted packet at the front: one that is shared, in segments, foreign or charged.
    #[inline(never)]
    fn send_noted(
        &mut self,
        burst: &mut Burst,
        max: u32,
        dma: &DmaTable,
        lengths: &RangeInclusive<u16>,
        arm: &mut impl FnMut(u32, Segment),
    ) -> bool {
        let Some(packet) = burst.first_mut() else { return false };
        let mut obstacle = self.obstacle(packet, max, dma, lengths);
        if obstacle == Some(Obstacle::Unreachable) && dma.bounce(packet) {
            obstacle = self.obstacle(packet, max, dma, lengths);
        }
        if obstacle.is_some() {
            return false;
        }
        let packet = &*packet;
        // Below 2^16, and within `max`: checked just now.
        let frame_len = packet.total_len() as u16;
        let pieces = || pieces(packet);
        let count = pieces().count() as u32;
        let mut head = self.places.head;
        let last = head.wrapping_add(count).wrapping_sub(1);
        for segment in pieces() {
            // Checked above.
            let Some(iova) = dma.iova(segment) else { return false };
            let is_last = head == last;
            // SAFETY: the place is free: `count` is within `max`, and that within the room.
            unsafe { *self.places.at_mut(head) = if is_last { packet.slot() } else { NOTHING } };
            arm(head, Segment { iova, len: segment.len() as u16, frame_len, is_last });
            head = head.wrapping_add(1);
        }
        packet.mark_sent();
        // Now the packet is the ring's, see `send_plain`.
        self.places.head = head;
        burst.take_front(1);
        true
    }

    /// Brings the buffers of the `count` oldest places home (at most those there are), in bulk.
    #[inline(always)]
    pub fn release(&mut self, count: u32) {
        self.places.release(count);
    }
}

/// The segments that a card is given: those with bytes, of a frame without any the first.
fn pieces(packet: &Packet) -> impl Iterator<Item = &Packet> {
    let empty = (packet.total_len() == 0).then_some(packet);
    packet.chain().filter(|segment| !segment.is_empty()).chain(empty)
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
            let sent = tx.send(&mut burst, 8, &dma, 0..=64, |position, segment| {
                assert_eq!((position, Some(segment.iova)), (next, addresses.next()));
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
