//! A capture file in memory: nothing is read while frames are sent.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{bail, ensure};
use gannet_sim::peer::capture::{CaptureStatus, Player};
use serde::Serialize;

/// Most bytes of frames that are held.
const MOST_BYTES: usize = 1 << 30;

/// When the frames of a capture are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Timing {
    /// With the gaps that they were captured with, so many times faster.
    Scaled(f64),
    /// At a rate that is given elsewhere.
    Unbound,
}

impl FromStr for Timing {
    type Err = String;

    fn from_str(text: &str) -> Result<Timing, String> {
        match text {
            "original" => Ok(Timing::Scaled(1.0)),
            "fast" => Ok(Timing::Unbound),
            _ => match text.strip_suffix('x').map(str::parse::<f64>) {
                Some(Ok(speed)) if speed > 0.0 && speed.is_finite() => Ok(Timing::Scaled(speed)),
                _ => Err("a timing is original, fast, or so many times faster, as in 2.5x".into()),
            },
        }
    }
}

/// Frames of a capture file.
#[derive(Debug)]
pub(crate) struct Recording {
    bytes: Vec<u8>,
    frames: Vec<Frame>,
    /// `None` if frames are not sent at times of their own.
    speed: Option<f64>,
    pub(crate) deviations: Deviations,
}

/// Frames of a capture that are not sent as they once were on a wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Deviations {
    /// Too long, or empty: not sent.
    pub(crate) skipped: u64,
    /// Cut when they were captured (snap length): sent as far as they go.
    pub(crate) cut: u64,
    /// Shorter than a frame on a wire: filled up with zeros.
    pub(crate) padded: u64,
}

#[derive(Debug)]
struct Frame {
    /// Where its bytes end; they begin where those of the frame before end.
    end: usize,
    /// Nanoseconds after the first frame.
    due: u64,
}

impl Recording {
    /// Reads a capture, pcap or pcapng. Frames with more bytes than `longest` are left out.
    ///
    /// # Errors
    /// The file cannot be read to its end, is larger than memory should be, or has no frame that can be sent.
    pub(crate) fn read(path: &Path, timing: Timing, longest: usize) -> anyhow::Result<Recording> {
        let speed = match timing {
            Timing::Scaled(speed) => Some(speed),
            Timing::Unbound => None,
        };
        let status = Arc::new(CaptureStatus::default());
        let mut player = Player::open(path.to_owned(), status.clone())?;
        let deviations = Deviations::default();
        let mut recording = Recording { bytes: Vec::new(), frames: Vec::new(), speed, deviations };
        let (mut first, mut buffer) = (None, Vec::new());
        while let Some(frame) = player.frame() {
            let first = *first.get_or_insert(frame.captured);
            // Captures of several queues are not always in order: what is earlier than the frame before is due with it.
            let due = (frame.captured.saturating_sub(first) as f64 / speed.unwrap_or(1.0)) as u64;
            let due = recording.frames.last().map_or(due, |last| last.due.max(due));
            if frame.bytes.len() > longest {
                recording.deviations.skipped += 1;
            } else {
                recording.bytes.extend_from_slice(&frame.bytes);
                recording.frames.push(Frame { end: recording.bytes.len(), due });
            }
            ensure!(
                recording.bytes.len() <= MOST_BYTES,
                "{}: more than {} MiB of frames; cut it into parts with editcap -c",
                path.display(),
                MOST_BYTES >> 20
            );
            player.take(&mut buffer);
        }
        if let Some(why) = status.error() {
            bail!(why);
        }
        recording.deviations.skipped += status.skipped.load(Ordering::Relaxed);
        recording.deviations.cut = status.cut.load(Ordering::Relaxed);
        recording.deviations.padded = status.padded.load(Ordering::Relaxed);
        ensure!(!recording.frames.is_empty(), "{}: has no frame that can be sent", path.display());
        Ok(recording)
    }

    /// How many frames there are.
    pub(crate) fn frames(&self) -> usize {
        self.frames.len()
    }

    /// A frame's bytes, without FCS.
    #[inline]
    pub(crate) fn frame(&self, number: usize) -> Option<&[u8]> {
        let start = number.checked_sub(1).map_or(0, |before| self.frames[before].end);
        self.frames.get(number).map(|frame| &self.bytes[start..frame.end])
    }

    /// When a frame is due, in nanoseconds after the first.
    #[inline]
    pub(crate) fn due(&self, number: usize) -> Option<u64> {
        self.speed.and_then(|_| self.frames.get(number)).map(|frame| frame.due)
    }

    /// Whether frames have times.
    pub(crate) fn is_scheduled(&self) -> bool {
        self.speed.is_some()
    }

    /// Nanoseconds until it begins again: after the last frame, the mean gap.
    pub(crate) fn round(&self) -> u64 {
        let length = self.frames.last().map_or(0, |last| last.due);
        length + length / (self.frames.len() as u64 - 1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timings_are_read() {
        assert_eq!("original".parse(), Ok(Timing::Scaled(1.0)));
        assert_eq!("fast".parse(), Ok(Timing::Unbound));
        assert_eq!("2.5x".parse(), Ok(Timing::Scaled(2.5)));
        for text in ["", "x", "0x", "-1x", "infx", "NaNx", "2", "slow"] {
            assert!(text.parse::<Timing>().is_err(), "{text}");
        }
    }
}
