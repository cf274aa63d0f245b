//! The part of a capture that runs on the core that polls: copies packets into a ring.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gannet::{Direction, MAX_SHOWN, Packet, Tap};
use rtrb::Producer;

use super::frame::{Frame, HEAD, Place};
use super::stamps::Stamps;

/// Bytes of the longest frame that any card takes (82599: jumbo frames up to 15.5 KiB).
const LONGEST_FRAME: usize = 16 << 10;

/// Copies the first bytes of packets into a ring, as [`Frame`]s. A frame is in the ring whole or not at all.
pub(super) struct Recorder {
    place: Place,
    snaplen: usize,
    stamps: Stamps,
    /// The frames of the packets shown, and where each of them ends.
    staged: Vec<u8>,
    ends: Vec<usize>,
    ring: Producer<u8>,
    /// Packets that found no room.
    lost: Arc<AtomicU64>,
}

impl Recorder {
    pub(super) fn new(
        place: Place,
        snaplen: usize,
        stamps: Stamps,
        ring: Producer<u8>,
        lost: Arc<AtomicU64>,
    ) -> Recorder {
        let snaplen = snaplen.min(LONGEST_FRAME);
        // Never grows: nothing is allocated while it records. Written to, so that its memory is there and the core need not wait for it.
        let mut staged = vec![u8::MAX; MAX_SHOWN * (HEAD + snaplen)];
        staged.clear();
        Recorder { place, snaplen, stamps, staged, ends: Vec::with_capacity(MAX_SHOWN), ring, lost }
    }

    /// Packets and bytes that can be staged.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> (usize, usize) {
        (self.ends.capacity(), self.staged.capacity())
    }

    /// Puts the packet behind those that are staged.
    fn stage(&mut self, packet: &Packet, time: u64) {
        let head = self.staged.len();
        self.staged.extend_from_slice(&[0; HEAD]);
        let mut tag = packet.vlan_tag().filter(|_| self.place.direction == Direction::Rx);
        let mut length = packet.total_len();
        let mut room = self.snaplen;
        let mut copy = |bytes: &[u8]| {
            let bytes = &bytes[..bytes.len().min(room)];
            room -= bytes.len();
            self.staged.extend_from_slice(bytes);
        };
        let mut addresses = ADDRESSES;
        for segment in packet.segments() {
            let (front, rest) = segment.split_at(segment.len().min(addresses));
            copy(front);
            addresses -= front.len();
            // The card has taken the tag out: back where it was on the wire.
            if let Some(tag) = tag.take_if(|_| addresses == 0) {
                copy(&[0x81, 0x00]);
                copy(&tag.to_be_bytes());
                length += TAG;
            }
            copy(rest);
        }
        let captured = (self.staged.len() - head - HEAD) as u32;
        let frame = Frame::Packet { place: self.place, captured, length: length as u32, time };
        self.staged[head..head + HEAD].copy_from_slice(&frame.head());
        self.ends.push(self.staged.len());
    }
}

/// Bytes of the addresses in front of a tag, and of the tag.
const ADDRESSES: usize = 12;
const TAG: usize = 4;

impl Tap for Recorder {
    fn look(&mut self, packets: &[Packet]) {
        self.staged.clear();
        self.ends.clear();
        let time = self.stamps.now();
        packets.iter().take(MAX_SHOWN).for_each(|packet| self.stage(packet, time));
    }

    fn commit(&mut self, count: usize) {
        let ends = &self.ends[..count.min(self.ends.len())];
        let room = self.ring.slots();
        let fit = ends.partition_point(|end| *end <= room);
        if let Some(last) = fit.checked_sub(1) {
            // There is room.
            let _ = self.ring.push_entire_slice(&self.staged[..ends[last]]);
        }
        if fit < ends.len() {
            self.lost.fetch_add((ends.len() - fit) as u64, Ordering::Relaxed);
        }
    }
}
