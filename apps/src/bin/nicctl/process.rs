//! The programs that have a card through VFIO.

use std::fmt;

use gannet_bus::sysfs::PciDevice;
use gannet_bus::vfio::{Holder, Users};
use serde::Serialize;

/// A running program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) name: String,
}

impl Process {
    /// Those that have this card, or another one of its IOMMU group.
    ///
    /// # Errors
    /// The card's files cannot be read.
    pub(crate) fn all_of(users: &Users, device: &PciDevice) -> anyhow::Result<Vec<Process>> {
        Ok(users.of(device)?.into_iter().map(|Holder { pid, name }| Process { pid, name }).collect())
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}
