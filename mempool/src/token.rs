//! Completion: knowing when a card is done with what it was given to send.
//!
//! A [`Token`] goes with a packet ([`crate::Packet::complete_with`]) and is dropped with it: once its last descriptor is done, or
//! when it is dropped anywhere else. The [`Completion`] tells. The kernel's counterpart is the notification of MSG_ZEROCOPY.
#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug, Default)]
struct Inner {
    /// Tokens that are not dropped yet.
    pending: AtomicUsize,
    /// Packets whose bytes had to be copied for the card.
    copied: AtomicUsize,
}

/// Goes with a packet. A clone goes with another packet of the same send: the completion waits for all.
#[derive(Debug)]
pub struct Token(Arc<Inner>);

/// Tells whether the packets with its tokens are gone.
#[derive(Debug)]
pub struct Completion(Arc<Inner>);

impl Completion {
    /// A completion and its first token.
    pub fn new() -> (Completion, Token) {
        let inner = Arc::new(Inner { pending: AtomicUsize::new(1), ..Inner::default() });
        (Completion(inner.clone()), Token(inner))
    }

    /// Whether all tokens are gone: the memory that their packets referred to may be written again.
    pub fn is_done(&self) -> bool {
        self.pending() == 0
    }

    /// Tokens that are not gone yet. Acquire: what the last holder of a token read was read before.
    pub fn pending(&self) -> usize {
        self.0.pending.load(Ordering::Acquire)
    }

    /// Packets whose bytes were copied: for a card that cannot reach their memory, or to be changed.
    pub fn copied(&self) -> usize {
        self.0.copied.load(Ordering::Relaxed)
    }
}

impl Token {
    /// Notes that a packet's bytes were copied.
    pub(crate) fn note_copy(&self) {
        self.0.copied.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn into_raw(self) -> *mut () {
        // Counted as pending until it is a token again, and dropped.
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, and not used again.
        Arc::into_raw(unsafe { std::ptr::read(&this.0) }).cast_mut().cast()
    }

    /// # Safety
    /// `raw` is from [`Self::into_raw`], and used once.
    pub(crate) unsafe fn from_raw(raw: NonNull<()>) -> Token {
        // SAFETY: per contract; the count of the forgotten token is taken over.
        Token(unsafe { Arc::from_raw(raw.as_ptr().cast::<Inner>()) })
    }
}

impl Clone for Token {
    fn clone(&self) -> Self {
        self.0.pending.fetch_add(1, Ordering::Relaxed);
        Token(self.0.clone())
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::Release);
    }
}
