//! What the card noticed about its driver, and how a test makes the card misbehave.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::fault::Fault;
use super::shared::Shared;
use crate::iommu::DmaFault;

/// Violations that are kept with their text.
const KEPT: usize = 64;

/// A rule of the datasheet that the driver broke, or a feature that the model lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Violation {
    /// A tail was written before its queue's enable bit read 1 (4.6.7, 4.6.8). The write was ignored.
    TailWhileDisabled,
    /// A tail beyond the end of the ring. The write was ignored.
    TailBeyondRing,
    /// A ring base that is no multiple of 128 (8.2.3.8.1).
    RingMisaligned,
    /// Base or length of a ring was changed while its queue ran.
    RingWhileEnabled,
    /// A head was changed while its queue ran. The write was ignored.
    HeadWhileEnabled,
    /// A transmit queue was enabled with its head beyond the ring. The head is 0 then.
    HeadBeyondRing,
    /// A queue was enabled without a ring. It stays off.
    QueueWithoutRing,
    /// A transmit queue was enabled before DMATXCTL.TE (4.6.8). It stays off.
    TransmitDisabled,
    /// PTHRESH and WTHRESH exceed the 40 descriptors on the chip (7.2.3.4).
    Thresholds,
    /// HTHRESH is 0 with a PTHRESH above 0 (7.2.3.4.1).
    HostThreshold,
    /// RXCSUM was changed with RXCTRL.RXEN set.
    ChecksumWhileReceiving,
    /// RDRXCTL.CRCSTRIP differs from HLREG0.RXCRCSTRP with RXEN set (8.2.3.8.8).
    CrcStripMismatch,
    /// MTQC was written without RTTDCS.ARBDIS (4.6.11.3). The write was ignored.
    QueuesWithArbiter,
    /// A reserved bit was written with a value that it must not have.
    ReservedBits,
    /// A register was written while a reset was in progress. The write was ignored.
    WriteDuringReset,
    /// A transmitted packet uses more than 40 - WTHRESH descriptors (7.2.3.4). It was dropped.
    TooManyDescriptors,
    /// A transmit descriptor of an unknown kind. It was skipped.
    DescriptorType,
    /// An offload names a context that was not loaded, or one that does not fit the frame.
    Context,
    /// PAYLEN is not the length of the packet (7.2.3.2.4).
    PayloadLength,
    /// A packet without IFCS: the frame would go out without a FCS.
    NoFcs,
    /// A transmitted frame is longer than any cable carries. It was dropped.
    FrameTooLong,
    /// A transmitted frame is shorter than 60 bytes without padding, or has no header. It was dropped.
    FrameTooShort,
    /// The header buffer address of a receive descriptor has bit 0, the done bit, set (7.1.6.1).
    DoneBitSet,
    /// A feature that the model lacks was switched on. It has no effect.
    Unsupported,
}

/// A violation that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViolationRecord {
    /// Which rule.
    pub violation: Violation,
    /// Where and how.
    pub detail: String,
}

/// What the model keeps of it.
#[derive(Debug, Default)]
pub(super) struct Log {
    name: String,
    counts: BTreeMap<Violation, u64>,
    kept: Vec<ViolationRecord>,
    unknown: BTreeMap<u32, u64>,
    read_only_writes: u64,
}

impl Log {
    pub(super) fn new(name: &str) -> Log {
        Log { name: name.into(), ..Log::default() }
    }

    #[cold]
    pub(super) fn violation(&mut self, violation: Violation, detail: impl FnOnce() -> String) {
        let count = self.counts.entry(violation).or_default();
        *count += 1;
        if *count == 1 || self.kept.len() < KEPT {
            let detail = detail();
            if *count == 1 {
                tracing::warn!(
                    "{}: driver error {violation:?}: {detail} (the first is logged, all are counted)",
                    self.name
                );
            }
            self.kept.push(ViolationRecord { violation, detail });
        }
    }

    #[cold]
    pub(super) fn unknown(&mut self, offset: u32) {
        let count = self.unknown.entry(offset).or_default();
        *count += 1;
        if *count == 1 {
            tracing::warn!("{}: access to register {offset:#07x}, which the model does not know: reads 0", self.name);
        }
    }

    #[cold]
    pub(super) fn read_only_write(&mut self, offset: u32) {
        self.read_only_writes += 1;
        tracing::debug!("{}: write to read-only register {offset:#07x}", self.name);
    }
}

/// A look into a card from outside, for tests and fuzzers. Clones look into the same card.
#[derive(Clone)]
pub struct Probe {
    pub(super) shared: Arc<Shared>,
}

impl Probe {
    /// Accesses of the card to memory that was not mapped for it.
    pub fn dma_fault_count(&self) -> u64 {
        self.shared.domain.fault_count()
    }

    /// The last of them, oldest first.
    pub fn dma_faults(&self) -> Vec<DmaFault> {
        self.shared.domain.last_faults()
    }

    /// The driver's errors in order, as far as they are kept: the first of each kind always.
    pub fn violations(&self) -> Vec<ViolationRecord> {
        self.shared.lock().log.kept.clone()
    }

    /// How often a rule was broken.
    pub fn violation_count(&self, violation: Violation) -> u64 {
        self.shared.lock().log.counts.get(&violation).copied().unwrap_or(0)
    }

    /// Offsets that the model does not know, with the number of accesses.
    pub fn unknown_registers(&self) -> Vec<(u32, u64)> {
        self.shared.lock().log.unknown.iter().map(|(offset, count)| (*offset, *count)).collect()
    }

    /// Writes to registers that can only be read.
    pub fn read_only_writes(&self) -> u64 {
        self.shared.lock().log.read_only_writes
    }

    /// Makes the card misbehave from now on.
    pub fn inject(&self, fault: Fault) {
        self.shared.inject(fault);
    }

    /// Ends all misbehaviour. A card that was gone is back, as it was.
    pub fn heal(&self) {
        self.shared.heal();
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Probe").field(&self.shared.name).finish()
    }
}
