//! What can go wrong with packet memory, each with the remedy in its text.

use std::io;
use std::time::Duration;

/// Errors of this crate. None of them is raised on the data path, which returns counts instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel could not give that many huge pages of that size.
    #[error("{needed} huge pages of {page} needed, {free} free: `echo {nr} | sudo tee {sysfs}` gives them")]
    NoHugePages {
        /// Pages that the region needs.
        needed: usize,
        /// Page size in words ("2 MiB").
        page: &'static str,
        /// Pages free when it was tried.
        free: usize,
        /// The value of `nr_hugepages` that would be enough.
        nr: usize,
        /// The file to write it to.
        sysfs: String,
    },
    /// More memory asked for than the machine has left.
    #[error("packet memory of {needed_mib} MiB asked for, {available_mib} MiB available: use fewer or smaller buffers")]
    OutOfMemory {
        /// MiB asked for.
        needed_mib: usize,
        /// MiB that `/proc/meminfo` calls available.
        available_mib: usize,
    },
    /// A system call failed.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A pool was to be destroyed, and some of its buffers did not come home in time.
    #[error("{pool}: {out} of {buffers} buffers did not come home within {waited:?}; {holders}")]
    NotHome {
        /// The pool's name.
        pool: String,
        /// Buffers that are out.
        out: u32,
        /// All its buffers.
        buffers: u32,
        /// How long was waited.
        waited: Duration,
        /// Who holds them, or how to find out.
        holders: String,
    },
    /// A setting that cannot work.
    #[error("{0}")]
    Invalid(String),
    /// All pool numbers are taken.
    #[error("{max} pools exist already: drop one, or share a pool between ports")]
    TooManyPools {
        /// The most there can be at once.
        max: usize,
    },
    /// All account numbers are taken.
    #[error(
        "{max} accounts exist already, or are gone with packets still out: drop one and its packets, or let tenants share one"
    )]
    TooManyAccounts {
        /// The most there can be at once.
        max: usize,
    },
    /// The memory cannot be reached by the device.
    #[error("mapping {bytes} bytes for {device}: {reason}")]
    DmaMap {
        /// The device, or the container it is in.
        device: String,
        /// Length of the region.
        bytes: usize,
        /// Why, with the remedy.
        reason: String,
    },
}

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::System`] with the text of what was being done.
    pub(crate) fn system(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Error::System { what: what.into(), source: source.into() }
    }
}
