//! What is at the other end of a card's cable.
//!
//! A [`Peer`] takes the frames that the card sends and offers the frames that it receives. It lives in the card's model and is
//! called from whoever steps the model (a thread or a test); the program watches and stops it through [`PeerStats`].
//! Frames are without FCS.

pub mod capture;
pub mod echo;
pub mod error;
pub mod generator;
pub mod impair;
pub mod link;
mod numbered;
mod random;
pub mod sink;
pub mod tap;
pub mod wire;

pub use error::Error;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Longest frame that a card or cable carries: jumbo frames of the 82599 (15.5 KiB).
pub const MAX_FRAME: usize = 15_872;

/// Shortest frame on a wire: a sender's MAC pads to this.
pub const MIN_FRAME: usize = 60;

/// What a peer did with a frame from the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It took (or deliberately lost) the frame.
    Taken,
    /// It cannot take it now: the card keeps the frame and offers it again, as if it had received a pause frame.
    Busy,
}

/// What a peer has for the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// Nothing is due now.
    Nothing,
    /// The buffer holds a frame.
    Frame,
    /// The buffer holds a frame that was damaged on the wire: its FCS is wrong.
    BadFcs,
}

/// How a peer's frames arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pacing {
    /// Whenever the card has room; the peer waits otherwise, as with flow control. Nothing is lost to overload.
    OnDemand,
    /// When they are due; a card without room misses them.
    Timed,
}

/// The other end of a cable.
pub trait Peer: Send {
    /// Takes a frame from the card at `now` (nanoseconds of the card's clock).
    fn accept(&mut self, frame: &[u8], now: u64) -> Accepted;

    /// Puts the next frame that is due at `now` into `frame` (cleared and filled by this call, at most [`MAX_FRAME`] bytes).
    ///
    /// Neither this nor [`Self::accept`] may block: the card's registers wait meanwhile.
    fn offer(&mut self, frame: &mut Vec<u8>, now: u64) -> Offered;

    /// How its frames arrive.
    fn pacing(&self) -> Pacing;

    /// Whether the cable carries light.
    fn carrier(&mut self, now: u64) -> bool {
        let _ = now;
        true
    }
}

impl<P: Peer + ?Sized> Peer for Box<P> {
    fn accept(&mut self, frame: &[u8], now: u64) -> Accepted {
        (**self).accept(frame, now)
    }

    fn offer(&mut self, frame: &mut Vec<u8>, now: u64) -> Offered {
        (**self).offer(frame, now)
    }

    fn pacing(&self) -> Pacing {
        (**self).pacing()
    }

    fn carrier(&mut self, now: u64) -> bool {
        (**self).carrier(now)
    }
}

/// Counters of a peer, for the program that watches it, and the switch that stops it. Written by the peer alone (but for `stop`).
#[derive(Debug, Default)]
pub struct PeerStats {
    /// Frames offered to the card.
    pub offered: AtomicU64,
    /// Frames taken from the card.
    pub accepted: AtomicU64,
    /// Taken frames that are not of a numbered stream.
    pub foreign: AtomicU64,
    /// Numbered frames that arrived after a later one of their stream.
    pub reordered: AtomicU64,
    /// Numbered frames whose bytes differ from what was sent.
    pub corrupted: AtomicU64,
    /// Frames that the peer itself had to drop (a full socket, an error of the file).
    pub dropped: AtomicU64,
    /// Set by the program: offer no more frames.
    pub stop: AtomicBool,
    /// Set by the peer: it has no more frames to offer, now or later.
    pub finished: AtomicBool,
}

/// Adds to a counter that nobody else writes: a load and a store, without the locked instruction of `fetch_add`.
#[inline]
fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

/// Fills up a frame from outside to the shortest that a wire carries, as the MAC of its sender would have.
fn pad(frame: &mut Vec<u8>) {
    if frame.len() < MIN_FRAME {
        frame.resize(MIN_FRAME, 0);
    }
}
