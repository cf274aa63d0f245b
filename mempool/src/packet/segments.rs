//! Frames of several segments.
//!
//! ```text
//!   Packet ──► buffer ── record.next ──► Packet ──► buffer ── record.next ──► ...
//!   [ first segment ]                    [ second ]
//! ```
//!
//! A packet is its first segment, and all that is behind belongs to that segment's buffer. [`Packet::len`], [`Packet::data`] and what
//! changes them mean the first segment; [`Packet::total_len`] and [`Packet::segments`] the frame.

use std::iter::FusedIterator;

use super::{Packet, Refused, fits};

impl Packet {
    /// Bytes of the frame, all segments together.
    pub fn total_len(&self) -> usize {
        self.segments().map(<[u8]>::len).sum()
    }

    /// The bytes of each segment, in their order.
    pub fn segments(&self) -> Segments<'_> {
        Segments { next: Some(self) }
    }

    /// The packets of the chain: this one and those behind.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &Packet> {
        let mut next = Some(self);
        std::iter::from_fn(move || {
            let this = next?;
            next = this.behind();
            Some(this)
        })
    }

    /// The packets of the chain up to the first that others share: what is behind that is theirs too.
    pub(super) fn unshared(&self) -> impl Iterator<Item = &Packet> {
        self.chain().take_while(|segment| !segment.is_shared())
    }

    /// Puts `segment`, which may be a chain itself, behind the last segment.
    ///
    /// # Errors
    /// [`Refused::Shared`] if the buffer of this packet or of a segment behind is shared. `segment` comes back.
    pub fn append_segment(&mut self, segment: Packet) -> Result<(), (Refused, Packet)> {
        if self.chain().any(Packet::is_shared) {
            return Err((Refused::Shared, segment));
        }
        let mut segment = segment;
        // So that it can be shared from where it lies.
        segment.open_record();
        self.open_record();
        let last = self.chain().last().and_then(Packet::record);
        match last {
            Some(record) => record.set_next(segment),
            // Every packet of a chain has a record.
            None => return Err((Refused::Shared, segment)),
        }
        Ok(())
    }

    /// Takes off all segments behind the first, as a packet of their own; `None` if there are none. A completion waits for both.
    ///
    /// # Errors
    /// [`Refused::Shared`].
    pub fn detach_tail(&mut self) -> Result<Option<Packet>, Refused> {
        if self.is_shared() {
            return Err(Refused::Shared);
        }
        let mut tail = self.detach();
        if let Some(tail) = &mut tail {
            self.lend_completion_to(tail);
        }
        Ok(tail)
    }

    /// Takes off what is behind, if that is this packet's alone.
    pub(crate) fn detach(&mut self) -> Option<Packet> {
        let record = self.record()?;
        if record.sharers().is_shared() { None } else { record.take_next() }
    }

    /// Keeps the first `at` bytes of the frame, and returns the rest; `None` if there is no rest. A completion waits for both. Bytes are copied only in the segment that the
    /// cut goes through, into a buffer of the same pool.
    ///
    /// # Errors
    /// [`Refused::Shared`], or no buffer for the part behind the cut; the packet is unchanged.
    pub fn split(&mut self, at: usize) -> Result<Option<Packet>, Refused> {
        if at <= self.len() {
            return self.cut(at);
        }
        // The segment that the cut goes through, and the one before it.
        let (mut before, mut at) = (&*self, at - self.len());
        while let Some(segment) = before.behind().filter(|segment| segment.len() < at && !before.is_shared()) {
            (before, at) = (segment, at - segment.len());
        }
        if before.is_shared() {
            return Err(Refused::Shared);
        }
        let Some(record) = before.record() else { return Ok(None) };
        let Some(mut segment) = record.take_next() else { return Ok(None) };
        let mut rest = segment.cut(at);
        record.set_next(segment);
        if let Ok(Some(rest)) = &mut rest {
            self.lend_completion_to(rest);
        }
        rest
    }

    /// [`Self::split`] in or at the end of the first segment.
    fn cut(&mut self, at: usize) -> Result<Option<Packet>, Refused> {
        if at == self.len() {
            return self.detach_tail();
        }
        self.own_record()?;
        let mut rest = self.part(at)?;
        self.lend_completion_to(&mut rest);
        // The part shares what is behind; now it is behind the part alone.
        drop(self.detach());
        self.trim(self.len() - at)?;
        Ok(Some(rest))
    }

    /// Makes the frame one segment: copies all that is behind into the first segment's buffer.
    ///
    /// # Errors
    /// [`Refused::NoRoom`] if the tailroom is less, and as [`Self::make_own`]; the frame is unchanged.
    pub fn linearize(&mut self) -> Result<(), Refused> {
        if self.behind().is_none() {
            return Ok(());
        }
        let behind = self.total_len() - self.len();
        fits(behind, self.tailroom_of_own())?;
        self.make_own()?;
        let Some(tail) = self.detach() else { return Ok(()) };
        let mut at = self.len();
        // At most the buffer's room, which is below 2^16.
        self.len += behind as u16;
        let bytes = self.own_bytes();
        for segment in tail.segments() {
            bytes[at..at + segment.len()].copy_from_slice(segment);
            at += segment.len();
        }
        tail.unshared().for_each(|segment| self.take_completion_of(segment));
        Ok(())
    }

    /// The tailroom that the packet has once it has its buffer alone.
    fn tailroom_of_own(&self) -> usize {
        if !self.is_foreign() {
            return self.tailroom();
        }
        usize::from(self.pool().data_room()).saturating_sub(self.len())
    }

    /// The packet behind.
    pub(super) fn behind(&self) -> Option<&Packet> {
        self.record()?.next()
    }
}

/// The segments of a frame.
#[derive(Debug, Clone)]
pub struct Segments<'a> {
    next: Option<&'a Packet>,
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let this = self.next?;
        self.next = this.behind();
        Some(this.data())
    }
}

impl FusedIterator for Segments<'_> {}
