//! Where frames to be sent come from: made of a template, or read from a capture.

use gannet::{Packet, Pool};

use crate::replay::Recording;
use crate::traffic::Template;

/// Frames of one sending port, one after the other.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    Generated(Generated<'a>),
    Replayed(Replayed<'a>),
}

/// Why there is no next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoFrame {
    /// The pool is empty.
    NoBuffer,
    /// All have been sent.
    End,
}

impl Source<'_> {
    /// When the next frame is due, in nanoseconds after the first; `None` if it has no time of its own.
    #[inline]
    pub(crate) fn due(&self) -> Option<u64> {
        match self {
            Source::Generated(_) => None,
            Source::Replayed(replayed) => replayed.due(),
        }
    }

    /// The next frame.
    #[inline]
    pub(crate) fn next(&mut self, pool: &Pool) -> Result<Packet, NoFrame> {
        match self {
            Source::Generated(generated) => generated.next(pool),
            Source::Replayed(replayed) => replayed.next(pool),
        }
    }

    /// Sets the time at which a frame leaves, if frames have a place for it.
    #[inline]
    pub(crate) fn stamp(&self, frame: &mut [u8], time: u64) {
        if let Source::Generated(generated) = self {
            generated.template.stamp(frame, time);
        }
    }

    /// Whether there are no more frames.
    pub(crate) fn is_at_end(&self) -> bool {
        matches!(self, Source::Replayed(replayed) if replayed.is_at_end())
    }
}

/// Flows and sizes take turns.
#[derive(Debug)]
pub(crate) struct Generated<'a> {
    template: &'a Template,
    flow: usize,
    shape: usize,
    /// Number of the next frame in its flow.
    sequence: u64,
}

impl<'a> Generated<'a> {
    /// From the first frame of the first flow.
    pub(crate) fn new(template: &'a Template) -> Generated<'a> {
        Generated { template, flow: 0, shape: 0, sequence: 0 }
    }

    #[inline]
    fn next(&mut self, pool: &Pool) -> Result<Packet, NoFrame> {
        let mut packet = pool.alloc().ok_or(NoFrame::NoBuffer)?;
        // There is room: frames that do not fit a buffer have been refused.
        let frame = packet.append(self.template.length(self.shape)).map_err(|_| NoFrame::NoBuffer)?;
        self.template.write(frame, self.flow, self.shape, self.sequence);
        self.shape = (self.shape + 1) % self.template.shapes();
        self.flow += 1;
        if self.flow == self.template.flows() {
            self.flow = 0;
            self.sequence += 1;
        }
        Ok(packet)
    }
}

/// Frames of a capture.
#[derive(Debug)]
pub(crate) struct Replayed<'a> {
    recording: &'a Recording,
    next: usize,
    rounds: Rounds,
    /// Nanoseconds from the first frame of the first round to that of this one.
    round: u64,
}

/// How often a capture is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounds {
    Once,
    Endless,
}

impl<'a> Replayed<'a> {
    /// From the first frame.
    pub(crate) fn new(recording: &'a Recording, rounds: Rounds) -> Replayed<'a> {
        Replayed { recording, next: 0, rounds, round: 0 }
    }

    #[inline]
    fn due(&self) -> Option<u64> {
        Some(self.round.saturating_add(self.recording.due(self.next)?))
    }

    #[inline]
    fn next(&mut self, pool: &Pool) -> Result<Packet, NoFrame> {
        let bytes = self.recording.frame(self.next).ok_or(NoFrame::End)?;
        let mut packet = pool.alloc().ok_or(NoFrame::NoBuffer)?;
        packet.append(bytes.len()).map_err(|_| NoFrame::NoBuffer)?.copy_from_slice(bytes);
        self.next += 1;
        if self.rounds == Rounds::Endless && self.next == self.recording.frames() {
            self.next = 0;
            self.round = self.round.saturating_add(self.recording.round());
        }
        Ok(packet)
    }

    fn is_at_end(&self) -> bool {
        self.next == self.recording.frames()
    }
}
