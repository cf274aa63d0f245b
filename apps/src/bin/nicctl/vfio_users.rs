//! Which programs have which cards: who has a VFIO node open.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use gannet_bus::sysfs::PciDevice;
use serde::Serialize;

use crate::host::Host;

/// A running program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) name: String,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

/// All programs that have a VFIO node open, as far as this user may see.
#[derive(Debug, Default)]
pub(crate) struct VfioUsers {
    open: Vec<(PathBuf, Process)>,
    /// There are programs of others, whose open files only root may see.
    pub(crate) some_hidden: bool,
}

impl VfioUsers {
    /// Looks through the open files of all processes.
    pub(crate) fn find(host: &Host) -> VfioUsers {
        let mut users = VfioUsers::default();
        for pid in host.names("/proc").iter().filter_map(|name| name.parse::<u32>().ok()) {
            let name = host.text(format!("/proc/{pid}/comm")).unwrap_or_else(|| "?".into());
            match fs::read_dir(host.sysfs.path(format!("/proc/{pid}/fd"))) {
                Ok(files) => {
                    let targets = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
                    let nodes = targets.filter(|target| target.starts_with("/dev/vfio"));
                    users.open.extend(nodes.map(|node| (node, Process { pid, name: name.clone() })));
                }
                Err(why) => users.some_hidden |= why.kind() == ErrorKind::PermissionDenied,
            }
        }
        users
    }

    /// The programs that have this card, or another one of its IOMMU group: nobody else can open either.
    ///
    /// # Errors
    /// The card's files cannot be read.
    pub(crate) fn of(&self, host: &Host, device: &PciDevice) -> anyhow::Result<Vec<Process>> {
        let group = device.iommu_group()?.map(|group| PathBuf::from(format!("/dev/vfio/{group}")));
        // The card's own node, for programs that use iommufd.
        let own = host.names(format!("/sys/bus/pci/devices/{}/vfio-dev", device.address())).into_iter();
        let nodes: Vec<PathBuf> = own.map(|name| PathBuf::from("/dev/vfio/devices").join(name)).chain(group).collect();
        let mut users: Vec<Process> = Vec::new();
        for (node, process) in &self.open {
            if nodes.contains(node) && !users.contains(process) {
                users.push(process.clone());
            }
        }
        Ok(users)
    }
}
