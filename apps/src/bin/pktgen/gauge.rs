//! How far a way has got, for all that look on while it is measured.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Counts of one way. Each is written by one core.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    /// Frames handed to the card.
    pub(crate) sent: Count,
    /// Bytes that they take on the wire.
    pub(crate) wire_bytes: Count,
    /// The sender has sent all it will.
    pub(crate) finished: AtomicBool,
    /// Frames received intact, each once.
    pub(crate) received: Count,
    /// Frames of which it is known what became of them: received intact or damaged.
    pub(crate) answered: Count,
    /// Frames that had left when the latest that has arrived did, it included.
    pub(crate) reached: Count,
    /// Frames that later ones have overtaken and that have not arrived.
    pub(crate) missing: Count,
}

/// A counter with one writer: a load and a store, no locked instruction.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn add(&self, amount: u64) {
        self.set(self.now() + amount);
    }

    #[inline]
    pub(crate) fn set(&self, to: u64) {
        self.0.store(to, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn take_off(&self, amount: u64) {
        self.set(self.now().saturating_sub(amount));
    }
}

/// What the cores are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub(crate) enum Stage {
    /// Send and receive.
    Send,
    /// Send nothing more; what is on its way is received.
    Receive,
    /// End.
    End,
}

/// The stage that all are in, which the main thread sets.
#[derive(Debug, Default)]
pub(crate) struct Orders(AtomicU8);

impl Orders {
    #[inline]
    pub(crate) fn stage(&self) -> Stage {
        match self.0.load(Ordering::Relaxed) {
            0 => Stage::Send,
            1 => Stage::Receive,
            _ => Stage::End,
        }
    }

    pub(crate) fn set(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Relaxed);
    }
}
