//! The receive packet buffer: frames that wait for a descriptor.

use std::collections::VecDeque;

/// A frame, and whether its FCS is wrong.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) frame: Vec<u8>,
    pub(super) bad_fcs: bool,
}

/// First in, first out: a frame without a descriptor holds up all behind it (4.6.11.3).
#[derive(Debug, Default)]
pub(super) struct PacketBuffer {
    frames: VecDeque<Waiting>,
    /// Empty vectors with capacity.
    spare: Vec<Vec<u8>>,
    bytes: usize,
}

impl PacketBuffer {
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Takes the frame and leaves an empty vector, unless that would be more than `limit` bytes in all.
    pub(super) fn push(&mut self, frame: &mut Vec<u8>, bad_fcs: bool, limit: usize) -> bool {
        if self.bytes + frame.len() > limit {
            return false;
        }
        self.bytes += frame.len();
        let taken = std::mem::replace(frame, self.spare.pop().unwrap_or_default());
        self.frames.push_back(Waiting { frame: taken, bad_fcs });
        true
    }

    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.frames.pop_front()?;
        self.bytes -= waiting.frame.len();
        Some(waiting)
    }

    /// Puts the first frame back.
    pub(super) fn unpop(&mut self, waiting: Waiting) {
        self.bytes += waiting.frame.len();
        self.frames.push_front(waiting);
    }

    /// Gives back the memory of a frame that left.
    pub(super) fn recycle(&mut self, mut frame: Vec<u8>) {
        frame.clear();
        self.spare.push(frame);
    }

    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }
}
