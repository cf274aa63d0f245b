//! Which processes have VFIO's files open.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::sysfs::{PciDevice, Sysfs};

/// Where VFIO's files are.
const NODES: &str = "/dev/vfio";

/// A process that has a file open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

/// All processes that have a file of VFIO's open, as far as this user may see.
#[derive(Debug, Default)]
pub struct Users {
    open: Vec<(PathBuf, Holder)>,
    some_hidden: bool,
}

impl Users {
    /// Looks through the open files of all processes.
    pub fn find(sysfs: &Sysfs) -> Users {
        let mut users = Users::default();
        let processes = fs::read_dir(sysfs.path("/proc")).into_iter().flatten().flatten();
        let number = |name: &OsStr| name.to_str()?.parse().ok();
        for (process, pid) in processes.filter_map(|process| Some((process.path(), number(&process.file_name())?))) {
            match fs::read_dir(process.join("fd")) {
                Ok(files) => {
                    let targets = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
                    let nodes: Vec<PathBuf> = targets.filter(|target| target.starts_with(NODES)).collect();
                    users.open.extend(nodes.into_iter().map(|node| (node, holder(pid, &process))));
                }
                Err(why) => users.some_hidden |= why.kind() == ErrorKind::PermissionDenied,
            }
        }
        users.open.sort_unstable_by_key(|(_, holder)| holder.pid);
        users
    }

    /// Whether there are processes of others, whose open files only root may see.
    pub fn some_hidden(&self) -> bool {
        self.some_hidden
    }

    /// Those that have this card, or another one of its IOMMU group: nobody else can open either.
    ///
    /// # Errors
    /// The card's files cannot be read.
    pub fn of(&self, device: &PciDevice) -> Result<Vec<Holder>> {
        let group = device.iommu_group()?.map(|group| Path::new(NODES).join(group.to_string()));
        // The card's own node, for programs that use iommufd.
        let own = fs::read_dir(device.path().join("vfio-dev")).into_iter().flatten().flatten();
        let own = own.map(|entry| Path::new(NODES).join("devices").join(entry.file_name()));
        let nodes: Vec<PathBuf> = own.chain(group).collect();
        Ok(self.with(|node| nodes.iter().any(|its| its == node)))
    }

    /// Those that have this file open.
    pub(super) fn of_node(&self, node: &Path) -> Vec<Holder> {
        self.with(|its| its == node)
    }

    fn with(&self, is_meant: impl Fn(&Path) -> bool) -> Vec<Holder> {
        let mut holders: Vec<Holder> =
            self.open.iter().filter(|(node, _)| is_meant(node)).map(|(_, holder)| holder.clone()).collect();
        holders.dedup();
        holders
    }
}

fn holder(pid: u32, process: &Path) -> Holder {
    let name = fs::read_to_string(process.join("comm")).unwrap_or_else(|_| "?".into());
    Holder { pid, name: name.trim_end().into() }
}
