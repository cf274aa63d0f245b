//! What can be set and what is counted, in one place: tunables, counters, reasons of dropped packets.
//!
//! ```
//! use gannet_mempool::registry;
//!
//! registry::assign("pool.cache=256")?;
//! assert_eq!(registry::find("pool.cache")?.value(), 256);
//!
//! let refused = registry::assign("pool.cache=70000").unwrap_err();
//! assert_eq!(refused.to_string(), "pool.cache=70000: a whole number from 0 to 65536 is expected (buffers)");
//!
//! println!("{}", registry::snapshot());
//! # Ok::<(), gannet_mempool::Error>(())
//! ```
//!
//! Counters and reasons are `static`s, anywhere in the program, and count without waiting (`tally.rs`). The tunables of the crate
//! stand in one list (`tunables.rs`).

mod counter;
mod reason;
mod show;
mod tally;
mod tunable;
pub(crate) mod tunables;

use serde::Serialize;

pub use counter::{Counter, CounterRow};
pub use reason::{DropRow, Reason};
pub use show::{Column, Row, Table};
pub use tally::MAX_LISTED;
pub use tunable::{Tunable, TunableRow};

use crate::error::{Error, Result};
use tally::Entry;
use tunables::TUNABLES;

/// All there is to show. [`Display`](std::fmt::Display) for people, [`Serialize`] for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// See [`tunables()`].
    pub tunables: Vec<TunableRow>,
    /// See [`counters`].
    pub counters: Vec<CounterRow>,
    /// See [`drops`].
    pub drops: Vec<DropRow>,
}

/// Tunables, counters and drops at this moment, each read for itself.
pub fn snapshot() -> Snapshot {
    Snapshot { tunables: tunables(), counters: counters(), drops: drops() }
}

/// All tunables.
pub fn tunables() -> Vec<TunableRow> {
    TUNABLES.iter().map(|tunable| tunable.row()).collect()
}

/// The counters that have counted or are registered, by name.
///
/// At most [`MAX_LISTED`] counters and reasons are listed; what counters beyond that have counted is in one row, `registry.unlisted`.
pub fn counters() -> Vec<CounterRow> {
    let listed = tally::listed().filter_map(|entry| match entry {
        Entry::Counter(counter) => Some(counter.row()),
        Entry::Reason(_) => None,
    });
    let mut rows: Vec<CounterRow> = listed.chain(counter::unlisted()).collect();
    rows.sort_unstable();
    rows
}

/// The reasons for which packets have been dropped and those that are registered, by place and name.
///
/// At most [`MAX_LISTED`] counters and reasons are listed; the packets of reasons beyond that are in one row, `registry.unlisted`.
pub fn drops() -> Vec<DropRow> {
    let listed = tally::listed().filter_map(|entry| match entry {
        Entry::Counter(_) => None,
        Entry::Reason(reason) => Some(reason.row()),
    });
    let mut rows: Vec<DropRow> = listed.chain(reason::unlisted()).collect();
    rows.sort_unstable();
    rows
}

/// The tunable of that name.
///
/// # Errors
/// [`Error::Invalid`] with the nearest name if there is none.
pub fn find(name: &str) -> Result<&'static Tunable> {
    TUNABLES.iter().copied().find(|tunable| tunable.name == name).ok_or_else(|| {
        // A part of a name means that name, although letters are missing.
        let names = TUNABLES.iter().map(|tunable| tunable.name);
        let nearest = names.min_by_key(|right| (!right.contains(name), distance(name, right)));
        Error::Invalid(format!("{name}: no tunable has this name, the nearest is {}", nearest.unwrap_or_default()))
    })
}

/// Sets the tunable of that name from decimal digits.
///
/// # Errors
/// [`Error::Invalid`] if there is none (says the nearest name), or if the value is no number or out of range (says the range);
/// nothing has changed then.
pub fn set(name: &str, value: &str) -> Result<()> {
    find(name)?.set_text(value)
}

/// Sets a tunable from `NAME=VALUE`, as programs take it on the command line.
///
/// # Errors
/// [`Error::Invalid`] if there is no `=`, and as [`set`].
pub fn assign(text: &str) -> Result<()> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| Error::Invalid(format!("{text}: NAME=VALUE is expected, such as pool.cache=512")))?;
    set(name.trim(), value.trim())
}

/// Least number of characters to insert, delete or replace to make one name of the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, b) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}
