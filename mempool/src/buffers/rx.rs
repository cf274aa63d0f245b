//! Buffers that wait for frames.

use super::Places;
use crate::Result;
use crate::burst::Burst;
use crate::packet::{Metadata, Packet};
use crate::pool::{Place, Pool, Priority};
use crate::slot;
use crate::table;

/// The buffers of a receive queue, all of one pool. Dropping it brings them home, so whoever drops it has stopped the card.
#[derive(Debug)]
pub struct RxBuffers {
    places: Places,
    pool: Pool,
}

/// What a driver read in a receive descriptor.
#[derive(Debug, Clone, Copy)]
pub enum Arrival {
    /// The card still has it.
    Pending,
    /// A frame of `len` bytes. What is beyond the buffer's data room is cut off: the driver has checked before.
    Frame {
        /// Bytes.
        len: u16,
        /// What the card found out.
        metadata: Metadata,
    },
    /// Nothing to hand on; the buffer goes home.
    Discard,
}

impl RxBuffers {
    /// `places` for buffers of `pool`, none filled.
    ///
    /// # Errors
    /// Not a power of two, or more than 2^16.
    pub fn new(pool: Pool, places: u32) -> Result<RxBuffers> {
        Ok(RxBuffers { places: Places::new(places)?, pool })
    }

    /// The pool.
    pub fn pool(&self) -> &Pool {
        &self.pool
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

    /// Free places.
    #[inline(always)]
    pub fn room(&self) -> u32 {
        self.places.room()
    }

    /// Position that the next armed buffer gets.
    #[inline(always)]
    pub fn head(&self) -> u32 {
        self.places.head
    }

    /// Position of the buffer that comes back next.
    #[inline(always)]
    pub fn tail(&self) -> u32 {
        self.places.tail
    }

    /// Takes `count` free buffers from the pool (at most as many as there is room for) and has `arm` write their descriptors: it gets the
    /// position and the offset of the buffer's data in the pool's region.
    ///
    /// Returns how many were armed. Fewer than wanted means that the pool ran dry: it gives a run of places all or none.
    #[inline(always)]
    pub fn arm(&mut self, count: u32, mut arm: impl FnMut(u32, u64)) -> u32 {
        let count = count.min(self.room());
        let before_wrap = count.min(self.places.until_wrap(self.places.head));
        let mut armed = self.arm_run(before_wrap, &mut arm);
        if armed == before_wrap && count > before_wrap {
            armed += self.arm_run(count - before_wrap, &mut arm);
        }
        armed
    }

    /// [`Self::arm`] for places that are free and do not wrap, all or none.
    #[inline(always)]
    fn arm_run(&mut self, count: u32, arm: &mut impl FnMut(u32, u64)) -> u32 {
        let shared = self.pool.shared();
        let head = self.places.head;
        let places = self.places.at_mut(head);
        // SAFETY: `count` places from the head on are free and do not wrap (the caller's arithmetic).
        if count == 0 || !unsafe { shared.take(places, count as usize, Priority::High) } {
            return 0;
        }
        // First: should `arm` panic, the buffers are the ring's.
        self.places.head = head.wrapping_add(count);
        // SAFETY: `take` has initialised `count` places.
        shared.mark(unsafe { std::slice::from_raw_parts(places, count as usize) }, Place::Receive);
        let stride = u64::from(shared.granule());
        let headroom = u64::from(shared.headroom());
        for at in 0..count {
            // SAFETY: `take` has initialised `count` places.
            let slot = unsafe { *places.add(at as usize) };
            arm(head.wrapping_add(at), u64::from(slot::index(slot)) * stride + headroom);
        }
        count
    }

    /// Drops what is in the oldest buffers, as long as `inspect` says that the card is done with the position it gets, and gives them
    /// back to the card, as [`Self::arm`] does with those of the pool. They do not leave the ring: nobody can take them meanwhile. Each is
    /// looked at once. Returns how many frames were dropped.
    #[cold]
    pub fn rearm(&mut self, mut inspect: impl FnMut(u32) -> Arrival, mut arm: impl FnMut(u32, u64)) -> u32 {
        let (stride, headroom) = (u64::from(self.pool.shared().granule()), u64::from(self.pool.headroom()));
        let mut dropped = 0;
        for _ in 0..self.len() {
            let (tail, head) = (self.places.tail, self.places.head);
            match inspect(tail) {
                Arrival::Pending => break,
                Arrival::Discard => {}
                Arrival::Frame { .. } => dropped += 1,
            }
            // SAFETY: the place at the tail is filled. That at the head is free, or the same one.
            let slot = unsafe {
                let slot = *self.places.at(tail);
                *self.places.at_mut(head) = slot;
                slot
            };
            // The buffer has moved from one place to the other: both at once, before `arm` might panic.
            self.places.tail = tail.wrapping_add(1);
            self.places.head = head.wrapping_add(1);
            arm(head, u64::from(slot::index(slot)) * stride + headroom);
        }
        dropped
    }

    /// Takes up to `max` buffers from the tail, as long as `inspect` says that the card is done with the position it gets, and appends the
    /// frames to `burst` as packets. Returns the number of positions passed, discarded ones included.
    #[inline(always)]
    pub fn receive(&mut self, burst: &mut Burst, max: u32, mut inspect: impl FnMut(u32) -> Arrival) -> u32 {
        let (start, old) = (self.places.tail, burst.len());
        let end = start.wrapping_add(max.min(self.len()));
        while self.receive_run(burst, end, &mut inspect) == Run::Discard {
            self.discard();
        }
        if self.pool.shared().is_tracked() {
            self.pool.shared().mark_packets(burst.iter().skip(old));
        }
        self.places.tail.wrapping_sub(start)
    }

    /// Receives frames up to the position `end` or to what ends the run. All or, should `inspect` panic, none of them change hands.
    #[inline(always)]
    fn receive_run(&mut self, burst: &mut Burst, end: u32, inspect: &mut impl FnMut(u32) -> Arrival) -> Run {
        let (headroom, data_room) = (self.pool.headroom(), self.pool.data_room());
        // All in registers: for the compiler, each store to the burst could change what is in memory.
        let (filled, mut position) = (self.places.filled(), self.places.tail);
        let left = end.wrapping_sub(position) as usize;
        let mut outcome = Run::Over;
        let mut received = 0;
        for space in burst.space().iter_mut().take(left) {
            match inspect(position) {
                Arrival::Pending => break,
                Arrival::Discard => {
                    outcome = Run::Discard;
                    break;
                }
                Arrival::Frame { len, metadata } => {
                    // SAFETY: the place is filled (`end` is not beyond the head) and passed below; its buffer is one of `pool`, the
                    // length is within its room.
                    space.write(unsafe {
                        Packet::received(filled.at(position), headroom, len.min(data_room), metadata)
                    });
                }
            }
            position = position.wrapping_add(1);
            received += 1;
        }
        self.places.tail = position;
        // SAFETY: that many of the places in `space` have been written, from the first on.
        unsafe { burst.extend(received) };
        outcome
    }

    /// Brings the buffer at the tail home, which holds nothing to hand on.
    #[cold]
    #[inline(never)]
    fn discard(&mut self) {
        self.places.release(1);
    }

    /// Brings all buffers home. The caller has stopped the card.
    #[inline]
    pub fn release_all(&mut self) {
        let entry = table::entry_of(self.pool.number());
        self.places.release_runs(self.len(), |_| Some(entry));
    }
}

/// How a run of received frames ended.
#[derive(PartialEq)]
enum Run {
    /// The burst is full, or the card has the next one still, or `max` is reached.
    Over,
    /// At a buffer to discard.
    Discard,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PoolOptions;

    #[test]
    fn positions_may_pass_2_to_the_32() {
        let start = u32::MAX - 5;
        let pool = Pool::new(&PoolOptions { buffers: 16, cache: 4, ..PoolOptions::default() }).unwrap();
        let mut rx = RxBuffers::new(pool.clone(), 8).unwrap();
        (rx.places.head, rx.places.tail) = (start, start);
        let mut burst = Burst::new(8);
        let mut next = start;
        for _ in 0..4 {
            let mut expected = next;
            let armed = rx.arm(8, |position, _| {
                assert_eq!(position, expected);
                expected = expected.wrapping_add(1);
            });
            assert_eq!((armed, rx.len(), rx.room()), (8, 8, 0));
            let passed = rx.receive(&mut burst, 8, |position| {
                let metadata = Metadata { hash: position, ..Metadata::default() };
                Arrival::Frame { len: position.wrapping_sub(start) as u16, metadata }
            });
            assert_eq!((passed, rx.len()), (8, 0));
            for packet in burst.iter() {
                assert_eq!(packet.len() as u32, next.wrapping_sub(start));
                next = next.wrapping_add(1);
            }
            burst.clear();
        }
        rx.arm(3, |_, _| {});
        drop(rx);
        assert_eq!(pool.census().out, 0);
    }

    #[test]
    fn what_is_armed_again_does_not_leave_the_ring_wherever_its_ends_are() {
        // Under miri, which is slow, the least and the most.
        for filled in (1..=8).step_by(if cfg!(miri) { 7 } else { 1 }) {
            for done in 0..=filled {
                let pool = Pool::new(&PoolOptions { buffers: filled, cache: 0, ..PoolOptions::default() }).unwrap();
                let mut rx = RxBuffers::new(pool.clone(), 8).unwrap();
                let start = u32::MAX - 2;
                (rx.places.head, rx.places.tail) = (start, start);
                let mut offsets = Vec::new();
                assert_eq!(rx.arm(filled, |_, offset| offsets.push(offset)), filled);
                let mut again = Vec::new();
                let frames = rx.rearm(
                    |position| match position.wrapping_sub(start) {
                        at if at >= done => Arrival::Pending,
                        1 => Arrival::Discard,
                        _ => Arrival::Frame { len: 60, metadata: Metadata::default() },
                    },
                    |position, offset| again.push((position, offset)),
                );
                assert_eq!(frames, if done > 1 { done - 1 } else { done });
                let oldest = offsets.iter().take(done as usize).copied();
                let positions = (0..).map(|at| start.wrapping_add(filled + at));
                assert!(again.into_iter().eq(positions.zip(oldest)));
                assert_eq!((rx.len(), rx.tail()), (filled, start.wrapping_add(done)));
                assert_eq!(pool.census().out, filled);
                drop(rx);
                assert_eq!(pool.census().out, 0);
            }
        }
    }
}
