//! Numbers that can be set while the program runs.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::error::{Error, Result};

/// A whole number with a range. All there are stand in the list of [`tunables`](super::tunables()), found by name with
/// [`find`](super::find).
#[derive(Debug)]
pub struct Tunable {
    pub(super) name: &'static str,
    unit: &'static str,
    default: u64,
    low: u64,
    high: u64,
    description: &'static str,
    value: AtomicU64,
}

impl Tunable {
    /// A tunable at its default, which lies in the range `low` to `high`, both included.
    pub(crate) const fn new(
        name: &'static str,
        unit: &'static str,
        default: u64,
        (low, high): (u64, u64),
        description: &'static str,
    ) -> Tunable {
        assert!(low <= default && default <= high, "the default is out of range");
        Tunable { name, unit, default, low, high, description, value: AtomicU64::new(default) }
    }

    /// The value now, in [`TunableRow::low`] to [`TunableRow::high`]. One load.
    #[inline]
    pub fn value(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }

    /// Sets the value.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is out of range; nothing has changed then.
    pub fn set(&self, value: u64) -> Result<()> {
        if !(self.low..=self.high).contains(&value) {
            return Err(self.refuse(value));
        }
        self.value.store(value, Ordering::Relaxed);
        Ok(())
    }

    /// Sets the value back to the default.
    pub fn reset(&self) {
        self.value.store(self.default, Ordering::Relaxed);
    }

    /// [`Self::set`] from decimal digits.
    pub(super) fn set_text(&self, text: &str) -> Result<()> {
        // A number too long for 64 bits is out of range too: one answer fits all.
        self.set(text.parse().map_err(|_| self.refuse(text))?)
    }

    fn refuse(&self, value: impl fmt::Display) -> Error {
        let Tunable { name, unit, low, high, .. } = self;
        Error::Invalid(format!("{name}={value}: a whole number from {low} to {high} is expected ({unit})"))
    }

    pub(super) fn row(&self) -> TunableRow {
        let &Tunable { name, unit, default, low, high, description, .. } = self;
        TunableRow { name, value: self.value(), default, low, high, unit, description }
    }
}

/// A tunable as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TunableRow {
    /// Its name, `place.what`.
    pub name: &'static str,
    /// The value now.
    pub value: u64,
    /// The value that nobody has changed.
    pub default: u64,
    /// Least value that is taken.
    pub low: u64,
    /// Greatest value that is taken.
    pub high: u64,
    /// What the values mean.
    pub unit: &'static str,
    /// What it does.
    pub description: &'static str,
}
