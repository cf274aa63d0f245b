//! What receive and transmit queues have in common: tails written without a lock, and enable bits that take their time.

use std::sync::atomic::{AtomicU32, Ordering};

use gannet_bus::descriptors::DESCRIPTOR_BYTES;
use gannet_spec::x82599::QUEUES;

use super::probe::Violation;
use crate::iommu::DeviceTlb;

/// Nanoseconds from the write of an enable bit until the queue follows.
const ENABLE_NS: u64 = 5_000;

/// A tail register. The driver's data path writes it, so it takes no lock.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Doorbell {
    tail: AtomicU32,
    /// Descriptors of the ring while the queue takes tails, else 0.
    limit: AtomicU32,
}

impl Doorbell {
    /// Writes the tail. A release of all descriptors before it.
    #[inline(always)]
    pub(super) fn ring(&self, tail: u32) -> Result<(), Violation> {
        let limit = self.limit.load(Ordering::Relaxed);
        // Zero is harmless while the queue is off, and drivers write it as part of the set-up.
        if tail < limit || (tail == 0 && limit == 0) {
            self.tail.store(tail, Ordering::Release);
            Ok(())
        } else if limit == 0 {
            Err(Violation::TailWhileDisabled)
        } else {
            Err(Violation::TailBeyondRing)
        }
    }

    /// The tail. An acquire of all descriptors before it.
    #[inline(always)]
    pub(super) fn tail(&self) -> u32 {
        self.tail.load(Ordering::Acquire)
    }
}

/// The tails of all queues.
#[derive(Debug)]
pub(super) struct Doorbells {
    pub(super) rx: Box<[Doorbell]>,
    pub(super) tx: Box<[Doorbell]>,
}

impl Doorbells {
    pub(super) fn new() -> Doorbells {
        let bells = || (0..QUEUES).map(|_| Doorbell::default()).collect();
        Doorbells { rx: bells(), tx: bells() }
    }

    pub(super) fn reset(&self) {
        for bell in self.rx.iter().chain(&self.tx) {
            bell.limit.store(0, Ordering::Relaxed);
            bell.tail.store(0, Ordering::Relaxed);
        }
    }
}

/// Where a queue is between off and on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Off,
    Starting(u64),
    On,
    Stopping(u64),
}

/// Ring and state of a queue.
#[derive(Debug, Default)]
pub(super) struct Ring {
    phase: Phase,
    /// IOVA of descriptor 0.
    pub(super) base: u64,
    /// Number of descriptors.
    pub(super) len: u32,
    /// Next descriptor that the card uses.
    pub(super) head: u32,
    pub(super) tlb: DeviceTlb,
}

impl Ring {
    /// Whether the card uses the ring. So does it until the enable bit reads 0.
    #[inline(always)]
    pub(super) fn runs(&self) -> bool {
        matches!(self.phase, Phase::On | Phase::Stopping(_))
    }

    /// Whether software has switched it off, if it was ever on.
    pub(super) fn is_off(&self) -> bool {
        matches!(self.phase, Phase::Off)
    }

    pub(super) fn enable(&mut self, now: u64) {
        match self.phase {
            Phase::Off => self.phase = Phase::Starting(now + ENABLE_NS),
            Phase::Stopping(_) => self.phase = Phase::On,
            Phase::Starting(_) | Phase::On => {}
        }
    }

    pub(super) fn disable(&mut self, now: u64) {
        match self.phase {
            Phase::Starting(_) => self.phase = Phase::Off,
            Phase::On => self.phase = Phase::Stopping(now + ENABLE_NS),
            Phase::Off | Phase::Stopping(_) => {}
        }
    }

    /// When something happens next.
    pub(super) fn deadline(&self) -> Option<u64> {
        match self.phase {
            Phase::Starting(at) | Phase::Stopping(at) => Some(at),
            Phase::Off | Phase::On => None,
        }
    }

    /// Lets time pass. Whether the queue went on or off now.
    pub(super) fn tick(&mut self, now: u64, bell: &Doorbell, stuck: bool) -> Option<Turned> {
        match self.phase {
            Phase::Starting(at) if now >= at => {
                self.phase = Phase::On;
                bell.limit.store(self.len, Ordering::Relaxed);
                Some(Turned::On)
            }
            Phase::Stopping(at) if now >= at && !stuck => {
                self.phase = Phase::Off;
                bell.limit.store(0, Ordering::Relaxed);
                Some(Turned::Off)
            }
            _ => None,
        }
    }

    /// Descriptors that the card may use now.
    #[inline(always)]
    pub(super) fn available(&self, tail: u32) -> u32 {
        if tail >= self.len {
            // Left over from a longer ring: the driver did not write the tail since.
            0
        } else if tail >= self.head {
            tail - self.head
        } else {
            self.len - self.head + tail
        }
    }

    /// IOVA of descriptor `index`.
    #[inline(always)]
    pub(super) fn at(&self, index: u32) -> u64 {
        self.base.wrapping_add(u64::from(index) * DESCRIPTOR_BYTES as u64)
    }

    /// The descriptor after `index`.
    #[inline(always)]
    pub(super) fn after(&self, index: u32) -> u32 {
        if index + 1 >= self.len { 0 } else { index + 1 }
    }
}

/// A queue changed its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    On,
    Off,
}
