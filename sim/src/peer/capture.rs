//! A cable with a capture file at its end: plays one to the card, records what the card sends to another.
//!
//! Reads pcap (both byte orders, micro- and nanoseconds) and pcapng, told apart by their first bytes; `player` has the details.
//! Writes either, by file extension; `recorder` has the details. Files are read and written in the caller's thread as the card
//! asks, with a buffer of a megabyte: a capture may be larger than memory, but a slow disk holds up the card.
//!
//! A file that turns out bad half-way does not stop the card: what was good is played, then [`CaptureStatus::error`] says what
//! happened.

mod player;
mod recorder;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use self::player::{Frame, Player};
use self::recorder::Recorder;
use super::{Accepted, Error, Offered, Pacing, Peer, PeerStats, add};

/// When the frames of a capture are played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Timing {
    /// As fast as the card takes them; nothing is lost to overload ([`Pacing::OnDemand`]).
    OnDemand,
    /// With the gaps that they were captured with ([`Pacing::Timed`]).
    Original {
        /// How much faster: 1.0 is as captured, 2.0 in half the time.
        speed: f64,
    },
}

/// What to play and what to record.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureOptions {
    /// The capture whose frames the card receives.
    pub play: Option<PathBuf>,
    /// When they are played.
    pub timing: Timing,
    /// The capture that the frames of the card are written to; erased if it exists. A pcap file if its name ends in `.pcap`, else
    /// pcapng. Without it they are taken and forgotten.
    pub record: Option<PathBuf>,
}

impl CaptureOptions {
    /// Plays `file` as fast as the card takes it.
    pub fn play(file: impl Into<PathBuf>) -> Self {
        Self { play: Some(file.into()), timing: Timing::OnDemand, record: None }
    }

    /// Records to `file`.
    pub fn record(file: impl Into<PathBuf>) -> Self {
        Self { play: None, timing: Timing::OnDemand, record: Some(file.into()) }
    }
}

/// What became of the files, beside the [`PeerStats`]. Written by the peer alone.
#[derive(Debug, Default)]
pub struct CaptureStatus {
    /// Records longer than a card can carry, or empty: not played.
    pub skipped: AtomicU64,
    /// Records that were cut when they were captured (snap length): played as far as they go.
    pub cut: AtomicU64,
    /// Records shorter than a frame on the wire: filled up with zeros.
    pub padded: AtomicU64,
    error: Mutex<Option<String>>,
}

impl CaptureStatus {
    /// The first error since the peer was built, in words. Playing or recording has ended with it.
    pub fn error(&self) -> Option<String> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_error(&self, error: &Error) {
        tracing::error!("{error}");
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.to_string());
    }
}

/// Plays and records captures.
#[derive(Debug)]
pub struct Capture {
    player: Option<Player>,
    recorder: Option<Recorder>,
    speed: Option<f64>,
    /// The card's clock when the first frame was asked for, and the time of that frame in the file.
    start: Option<(u64, u64)>,
    stats: Arc<PeerStats>,
    status: Arc<CaptureStatus>,
}

impl Capture {
    /// Opens the files. The capture to play is read up to its first frame, so that a file that is no use is refused here.
    pub fn new(options: &CaptureOptions) -> Result<(Self, Arc<PeerStats>), Error> {
        if options.play.is_none() && options.record.is_none() {
            let expected = "needs a file to play or a file to record";
            return Err(Error::Option { option: "capture", value: "none".into(), expected });
        }
        let speed = match options.timing {
            Timing::OnDemand => None,
            Timing::Original { speed } if speed.is_finite() && speed > 0.0 => Some(speed),
            Timing::Original { speed } => {
                return Err(Error::Option {
                    option: "speed",
                    value: speed.to_string(),
                    expected: "needs a number above 0",
                });
            }
        };
        if let (Some(play), Some(record)) = (&options.play, &options.record)
            && let (Ok(play), Ok(record)) = (play.canonicalize(), record.canonicalize())
            && play == record
        {
            return Err(Error::SameFile { path: record });
        }
        let (stats, status) = (Arc::new(PeerStats::default()), Arc::new(CaptureStatus::default()));
        let player = options.play.clone().map(|path| Player::open(path, status.clone())).transpose()?;
        let recorder = options.record.clone().map(Recorder::create).transpose()?;
        let capture = Self { player, recorder, speed, start: None, stats: stats.clone(), status };
        capture.note_end();
        Ok((capture, stats))
    }

    /// What becomes of the files.
    pub fn status(&self) -> Arc<CaptureStatus> {
        self.status.clone()
    }

    /// Writes out what is buffered and closes the recorded file. Frames that the card sends later are dropped and counted.
    /// Dropping a `Capture` does the same, but then only [`CaptureStatus::error`] tells of a full disk.
    pub fn finish(&mut self) -> Result<(), Error> {
        let Some(recorder) = &mut self.recorder else {
            return Ok(());
        };
        recorder.finish().inspect_err(|error| self.note_failure(error))
    }

    /// Remembers that recording failed.
    fn note_failure(&self, error: &Error) {
        if let Error::Record { lost, .. } = error {
            add(&self.stats.dropped, *lost);
        }
        self.status.set_error(error);
    }

    fn note_end(&self) {
        if self.player.as_ref().is_none_or(|player| player.frame().is_none()) {
            self.stats.finished.store(true, Ordering::Release);
        }
    }

    /// Whether a frame that was captured at `captured` is due at `now`.
    fn is_due(&mut self, captured: u64, now: u64) -> bool {
        let Some(speed) = self.speed else {
            return true;
        };
        let (start, first) = *self.start.get_or_insert((now, captured));
        // Frames out of order in the file are due at once. 53 bits of nanoseconds are a hundred days of capture.
        let gap = captured.saturating_sub(first) as f64 / speed;
        now.saturating_sub(start) as f64 >= gap
    }
}

impl Peer for Capture {
    fn accept(&mut self, frame: &[u8], now: u64) -> Accepted {
        add(&self.stats.accepted, 1);
        if let Some(recorder) = &mut self.recorder {
            if recorder.is_open() {
                if let Err(error) = recorder.record(frame, now) {
                    self.note_failure(&error);
                }
            } else {
                add(&self.stats.dropped, 1);
            }
        }
        Accepted::Taken
    }

    fn offer(&mut self, frame: &mut Vec<u8>, now: u64) -> Offered {
        frame.clear();
        let next = self.player.as_ref().and_then(Player::frame).map(|next| next.captured);
        let Some(captured) = next.filter(|_| !self.stats.stop.load(Ordering::Relaxed)) else {
            return Offered::Nothing;
        };
        if !self.is_due(captured, now) {
            return Offered::Nothing;
        }
        if let Some(player) = &mut self.player {
            player.take(frame);
        }
        add(&self.stats.offered, 1);
        self.note_end();
        Offered::Frame
    }

    fn pacing(&self) -> Pacing {
        if self.speed.is_some() { Pacing::Timed } else { Pacing::OnDemand }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // The error is remembered in the status, which outlives the peer.
        let _ = self.finish();
    }
}

#[cfg(test)]
mod tests;
