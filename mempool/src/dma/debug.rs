//! The debug mode of DMA: an account of all mappings.
//!
//! A [`Checked`] mapper passes everything on to another one and remembers who has mapped what, and what was unmapped. It finds mistakes that
//! a device only shows as a fault, or not at all (Linux: `CONFIG_DMA_API_DEBUG`). It costs a lock and an entry a mapping, nothing a packet.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{DmaMapper, Iova};
use crate::error::Result;
use crate::region::Region;
use crate::registry::tunables::DMA_DEBUG;

/// Unmapped regions that are remembered.
const PAST: usize = 1024;
/// Misuses that are remembered. The first ones: those that follow are often their consequence.
const MISUSES: usize = 64;

/// A mapper that keeps account of what goes through it to another one.
///
/// ```text
///   DmaMapping, External, ... ──map──► Checked ──map──► VFIO, software IOMMU
///                                        └─ live, past, misuses ──► report(), explain(iova)
/// ```
///
/// What a device must reach has to be mapped through the same `Checked`: one a device, made when the device is opened.
pub struct Checked {
    inner: Arc<dyn DmaMapper>,
    account: Mutex<Account>,
}

#[derive(Default)]
struct Account {
    /// By first address. More than one where the mapper behind gives a region that it has already the same address again.
    live: BTreeMap<u64, Vec<Record>>,
    /// Newest last.
    past: VecDeque<(Record, Instant)>,
    misuses: Vec<Misuse>,
}

/// A mapping, there or gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Its first address.
    pub iova: Iova,
    /// Its length in bytes.
    pub len: usize,
    /// The line that has asked for it, if it is known.
    pub caller: Option<&'static Location<'static>>,
    /// When it was made.
    pub mapped: Instant,
    /// Address of the memory in this process.
    memory: usize,
}

/// An unmapping that should not have been. It was not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// It was unmapped before.
    DoubleUnmap {
        /// What had been there.
        record: Record,
        /// How long before.
        ago: Duration,
    },
    /// Other memory is mapped at this address.
    OtherMemory {
        /// What is there.
        record: Record,
    },
    /// Nothing was ever mapped there, as far as is remembered.
    NeverMapped {
        /// The address.
        iova: Iova,
        /// Length of the region that was named.
        len: usize,
    },
}

/// What is known of an address that a device has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is mapped. A fault there: the device wrote to memory that it may only read, or it is another device's.
    Mapped(Record),
    /// Use after unmap.
    Unmapped {
        /// What had been there last.
        record: Record,
        /// How long ago it was unmapped.
        ago: Duration,
    },
    /// Nothing was mapped there, as far as is remembered: an address that was made up, or one of this process's own.
    NeverMapped,
}

/// Mistakes so far.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What is mapped still. Leaks, if all users should be gone.
    pub mapped: Vec<Record>,
    /// Wrong unmappings: the first 64.
    pub misuses: Vec<Misuse>,
}

/// The way to memory for a port: `inner`, watched if the tunable `dma.debug` asks for that.
pub fn mapper(inner: Arc<dyn DmaMapper>) -> (Arc<dyn DmaMapper>, Option<Arc<Checked>>) {
    if DMA_DEBUG.value() == 0 {
        return (inner, None);
    }
    let checked = Checked::new(inner);
    (checked.clone(), Some(checked))
}

impl Checked {
    /// Keeps account of what is mapped through `inner` from now on.
    pub fn new(inner: Arc<dyn DmaMapper>) -> Arc<Checked> {
        Arc::new(Checked { inner, account: Mutex::default() })
    }

    /// What is mapped, and what went wrong.
    pub fn report(&self) -> Report {
        let account = self.lock();
        Report { mapped: account.live.values().flatten().copied().collect(), misuses: account.misuses.clone() }
    }

    /// What is known of an address: for the address of a DMA fault.
    pub fn explain(&self, iova: Iova) -> Verdict {
        let account = self.lock();
        let below = account.live.range(..=iova.0).next_back();
        if let Some(record) = below.and_then(|(_, records)| records.last()).filter(|record| record.holds(iova)) {
            return Verdict::Mapped(*record);
        }
        match account.past.iter().rev().find(|(record, _)| record.holds(iova)) {
            Some((record, unmapped)) => Verdict::Unmapped { record: *record, ago: unmapped.elapsed() },
            None => Verdict::NeverMapped,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, region: &Arc<Region>, caller: Option<&'static Location<'static>>) -> Result<Iova> {
        let iova = match caller {
            Some(caller) => self.inner.map_for(region, caller)?,
            None => self.inner.map(region)?,
        };
        let memory = region.base().addr().get();
        let record = Record { iova, len: region.len(), caller, mapped: Instant::now(), memory };
        self.lock().live.entry(iova.0).or_default().push(record);
        Ok(iova)
    }
}

impl DmaMapper for Checked {
    fn map(&self, region: &Arc<Region>) -> Result<Iova> {
        self.record(region, None)
    }

    fn map_for(&self, region: &Arc<Region>, caller: &'static Location<'static>) -> Result<Iova> {
        self.record(region, Some(caller))
    }

    fn unmap(&self, iova: Iova, region: &Region) {
        // Before the address is free: it may be another's the moment after.
        let answer = self.lock().unmap(iova, region);
        match answer {
            Ok(()) => self.inner.unmap(iova, region),
            Err(misuse) => tracing::error!("{misuse}"),
        }
    }
}

impl Account {
    fn unmap(&mut self, iova: Iova, region: &Region) -> std::result::Result<(), Misuse> {
        let misuse = match self.live.get_mut(&iova.0).and_then(|records| Some((records.last().copied()?, records))) {
            Some((record, records)) if record.is_of(region) => {
                records.pop();
                if records.is_empty() {
                    self.live.remove(&iova.0);
                }
                if self.past.len() == PAST {
                    self.past.pop_front();
                }
                self.past.push_back((record, Instant::now()));
                return Ok(());
            }
            Some((record, _)) => Misuse::OtherMemory { record },
            None => match self.past.iter().rev().find(|(record, _)| record.iova == iova) {
                Some((record, unmapped)) => Misuse::DoubleUnmap { record: *record, ago: unmapped.elapsed() },
                None => Misuse::NeverMapped { iova, len: region.len() },
            },
        };
        if self.misuses.len() < MISUSES {
            self.misuses.push(misuse);
        }
        Err(misuse)
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        for record in self.report().mapped {
            tracing::error!("DMA mapping leaked: {record}");
        }
    }
}

impl Record {
    fn holds(&self, iova: Iova) -> bool {
        iova.0.checked_sub(self.iova.0).is_some_and(|offset| offset < self.len as u64)
    }

    fn is_of(&self, region: &Region) -> bool {
        (self.memory, self.len) == (region.base().addr().get(), region.len())
    }
}

impl Report {
    /// Whether nothing is mapped and nothing went wrong.
    pub fn is_clean(&self) -> bool {
        self.mapped.is_empty() && self.misuses.is_empty()
    }
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Checked").field(&self.inner).finish()
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { iova, len, caller, mapped, .. } = self;
        write!(f, "{len} bytes at {iova:?}, mapped {} ms ago by ", mapped.elapsed().as_millis())?;
        match caller {
            Some(caller) => write!(f, "{}:{}", caller.file(), caller.line()),
            None => f.write_str("someone who did not say"),
        }
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misuse::DoubleUnmap { record, ago } => {
                write!(f, "unmapped twice, the first time {} ms before: {record}", ago.as_millis())
            }
            Misuse::OtherMemory { record } => write!(f, "unmapped with the address of other memory: {record}"),
            Misuse::NeverMapped { iova, len } => write!(f, "unmapped and never mapped: {len} bytes at {iova:?}"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Mapped(record) => write!(f, "it is mapped: {record}"),
            Verdict::Unmapped { record, ago } => {
                write!(f, "used after it was unmapped {} ms ago: {record}", ago.as_millis())
            }
            Verdict::NeverMapped => f.write_str("never mapped"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("nothing is mapped, nothing went wrong");
        }
        self.mapped.iter().try_for_each(|record| writeln!(f, "still mapped: {record}"))?;
        self.misuses.iter().try_for_each(|misuse| writeln!(f, "{misuse}"))
    }
}
