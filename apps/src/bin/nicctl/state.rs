//! Which kernel driver each card was taken from: a file that `restore` reads.
//!
//! It lies in `/run`, which a restart empties: after one the kernel's drivers have their cards again. It is replaced as a whole, so it is never
//! half written; what keeps two `nicctl` apart is therefore a lock on a file beside it.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gannet_bus::sysfs::PciAddress;

use crate::host::{Host, refused};

/// What the file says, in our hands alone while this lives.
#[derive(Debug)]
pub(crate) struct State {
    path: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
    /// Kernel drivers by address of the card; `None` for one that had none.
    drivers: BTreeMap<String, Option<String>>,
}

impl State {
    /// Reads the file, which is made if it is not there, and keeps others from it.
    ///
    /// # Errors
    /// Not root; another `nicctl` has it; somebody else wrote to it.
    pub(crate) fn open(host: &Host) -> anyhow::Result<State> {
        let path = host.sysfs.path("/run/gannet/nicctl.json");
        let lock = lock(&path.with_extension("lock"))?;
        let drivers = match fs::read_to_string(&path) {
            Ok(text) => {
                serde_json::from_str(&text).with_context(|| format!("{} is damaged: remove it", path.display()))?
            }
            Err(why) if why.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(why) => return Err(refused(&path, &why)),
        };
        Ok(State { path, _lock: lock, drivers })
    }

    /// The kernel driver that the card was taken from, if it had one.
    pub(crate) fn driver(&self, address: PciAddress) -> Option<&str> {
        self.drivers.get(&address.to_string())?.as_deref()
    }

    /// All cards that were taken.
    pub(crate) fn addresses(&self) -> Vec<PciAddress> {
        self.drivers.keys().filter_map(|address| address.parse().ok()).collect()
    }

    /// Writes down that the card is taken from `driver`. One that has none now keeps what was written down of it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn remember(&mut self, address: PciAddress, driver: Option<&str>) -> anyhow::Result<()> {
        let its = self.drivers.entry(address.to_string()).or_default();
        if let Some(driver) = driver {
            *its = Some(driver.to_owned());
        }
        self.save()
    }

    /// Writes down that the card is given back.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn forget(&mut self, address: PciAddress) -> anyhow::Result<()> {
        match self.drivers.remove(&address.to_string()) {
            Some(_) => self.save(),
            None => Ok(()),
        }
    }

    fn save(&self) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(&self.drivers)?;
        let new = self.path.with_extension("new");
        let saved = fs::write(&new, &text).and_then(|()| fs::rename(&new, &self.path));
        saved.with_context(|| format!("writing {}", self.path.display()))
    }
}

/// Makes the file if it is not there, and keeps others from it.
fn lock(path: &Path) -> anyhow::Result<File> {
    let folder = path.parent().unwrap_or(path);
    let opened =
        fs::create_dir_all(folder).and_then(|()| File::options().write(true).create(true).truncate(false).open(path));
    let file = opened.map_err(|why| refused(path, &why))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another nicctl is at work: wait until it has ended"),
        Err(TryLockError::Error(why)) => Err(refused(path, &why)),
    }
}
