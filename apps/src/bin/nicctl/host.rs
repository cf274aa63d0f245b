//! The machine: what the kernel says in `/sys`, `/proc` and `/dev`.

use std::io::{self, ErrorKind};
use std::path::Path;

use anyhow::{Context, anyhow};
use gannet_bus::sysfs::{PciDevice, Sysfs};

/// A machine, or a copy of its files.
#[derive(Debug)]
pub(crate) struct Host {
    /// Its PCI devices.
    pub(crate) sysfs: Sysfs,
}

impl Host {
    /// The machine whose root folder is `root`.
    pub(crate) fn at(root: &Path) -> Host {
        Host { sysfs: Sysfs::at(root) }
    }

    /// The text of a file without its end of line; `None` if it is not there or cannot be read.
    pub(crate) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        std::fs::read_to_string(self.sysfs.path(path)).ok().map(|text| text.trim_end().to_owned())
    }

    /// Whether a file or folder is there.
    pub(crate) fn has(&self, path: impl AsRef<Path>) -> bool {
        self.sysfs.path(path).exists()
    }

    /// The names in a folder, sorted; none if it is not there or cannot be read.
    pub(crate) fn names(&self, folder: impl AsRef<Path>) -> Vec<String> {
        let entries = std::fs::read_dir(self.sysfs.path(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names
    }

    /// The words of the kernel's command line.
    pub(crate) fn kernel_arguments(&self) -> Vec<String> {
        let line = self.text("/proc/cmdline").unwrap_or_default();
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// What `/proc/self/status` says under `key`.
    pub(crate) fn own_status(&self, key: &str) -> Option<String> {
        let text = self.text("/proc/self/status")?;
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        value.map(|value| value.trim().to_owned())
    }

    /// All Ethernet cards on PCI.
    pub(crate) fn network_cards(&self) -> anyhow::Result<Vec<PciDevice>> {
        let mut devices = self.sysfs.devices().context("listing the PCI devices")?;
        devices.retain(crate::cards::is_network);
        Ok(devices)
    }
}

/// A file that could not be changed, and why.
pub(crate) fn refused(file: impl AsRef<Path>, why: &io::Error) -> anyhow::Error {
    let file = file.as_ref().display();
    match why.kind() {
        ErrorKind::PermissionDenied => anyhow!("{file}: {why}: run it as root (sudo)"),
        _ => anyhow!("{file}: {why}"),
    }
}
