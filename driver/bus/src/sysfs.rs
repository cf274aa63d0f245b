//! What the kernel says of PCI devices: the files below `/sys/bus/pci` and `/sys/kernel/iommu_groups`.
//!
//! Reading only; nothing here changes a device. Formats: the kernel's `Documentation/ABI/testing/sysfs-bus-pci` and
//! `sysfs-kernel-iommu_groups`. A [`Sysfs`] can stand on another folder than `/`, so programs are tested on trees that no machine has.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::{Error, Result};

/// Where a function is on the PCI buses of the machine. Ordered as `lspci` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    /// Domain: 0 but on large machines. (Those behind Intel's VMD have more than 16 bits.)
    pub domain: u32,
    /// Bus.
    pub bus: u8,
    /// Device on the bus, 0 to 31.
    pub device: u8,
    /// Function of the device, 0 to 7.
    pub function: u8,
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PciAddress { domain, bus, device, function } = self;
        // Through `pad`, so that tables can align it.
        f.pad(&format!("{domain:04x}:{bus:02x}:{device:02x}.{function}"))
    }
}

impl FromStr for PciAddress {
    type Err = Error;

    /// Reads "0000:01:00.0", or "01:00.0" in domain 0.
    fn from_str(text: &str) -> Result<PciAddress> {
        parse(text).ok_or_else(|| Error::PciAddress { text: text.into() })
    }
}

fn parse(text: &str) -> Option<PciAddress> {
    let (slot, function) = text.split_once('.')?;
    let (rest, device) = slot.rsplit_once(':')?;
    let (domain, bus) = rest.rsplit_once(':').unwrap_or(("0000", rest));
    let address = PciAddress {
        domain: hex(domain, 4..=8)?,
        bus: hex(bus, 2..=2)?.try_into().ok()?,
        device: hex(device, 2..=2)?.try_into().ok()?,
        function: hex(function, 1..=1)?.try_into().ok()?,
    };
    (address.device < 32 && address.function < 8).then_some(address)
}

/// A hexadecimal number of so many digits, without a sign.
fn hex(text: &str, digits: RangeInclusive<usize>) -> Option<u32> {
    let plain = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if plain { u32::from_str_radix(text, 16).ok() } else { None }
}

/// The kernel's files: `/sys`, `/proc`, `/dev`.
#[derive(Debug, Clone)]
pub struct Sysfs {
    root: PathBuf,
}

impl Default for Sysfs {
    fn default() -> Self {
        Sysfs::new()
    }
}

impl Sysfs {
    /// The machine's.
    pub fn new() -> Sysfs {
        Sysfs::at("/")
    }

    /// Those of a tree in which `root` stands for `/`.
    pub fn at(root: impl Into<PathBuf>) -> Sysfs {
        Sysfs { root: root.into() }
    }

    /// Where a file of the machine is in this tree.
    pub fn path(&self, of: impl AsRef<Path>) -> PathBuf {
        let of = of.as_ref();
        self.root.join(of.strip_prefix("/").unwrap_or(of))
    }

    /// The device at `address`.
    ///
    /// # Errors
    /// There is none; its files cannot be read.
    pub fn device(&self, address: PciAddress) -> Result<PciDevice> {
        let path = self.path("/sys/bus/pci/devices").join(address.to_string());
        let read = || {
            let (vendor, device) = (number(&path.join("vendor"))?, number(&path.join("device"))?);
            Ok(PciDevice { address, vendor, device, class: number(&path.join("class"))?, path: path.clone() })
        };
        // Its folder last: a device that is unplugged while its files are read is not there either.
        read().map_err(|why| match path.try_exists() {
            Ok(false) => Error::NoDevice { address },
            _ => why,
        })
    }

    /// All PCI devices, by address. None on a machine without PCI.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn devices(&self) -> Result<Vec<PciDevice>> {
        self.devices_in(&self.path("/sys/bus/pci/devices"))
    }

    /// The PCI devices that share IOMMU group `group`, by address: a program has all of them or none. Bridges among them are named too.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn group_members(&self, group: u32) -> Result<Vec<PciDevice>> {
        self.devices_in(&self.path("/sys/kernel/iommu_groups").join(group.to_string()).join("devices"))
    }

    fn devices_in(&self, folder: &Path) -> Result<Vec<PciDevice>> {
        // A group may hold devices of other buses, whose names are no PCI addresses.
        let mut addresses: Vec<PciAddress> = names(folder)?.iter().filter_map(|name| parse(name)).collect();
        addresses.sort_unstable();
        let devices = addresses.into_iter().map(|address| self.device(address));
        // One that was unplugged between the two looks is no error.
        devices.filter(|device| !matches!(device, Err(Error::NoDevice { .. }))).collect()
    }
}

/// A PCI device. What never changes was read when it was found; what does is read at each call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PciDevice {
    address: PciAddress,
    path: PathBuf,
    vendor: u16,
    device: u16,
    class: u32,
}

impl PciDevice {
    /// Where it is.
    pub fn address(&self) -> PciAddress {
        self.address
    }

    /// Its folder, in `/sys/bus/pci/devices`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Vendor (0x8086 is Intel).
    pub fn vendor(&self) -> u16 {
        self.vendor
    }

    /// Device of that vendor.
    pub fn device(&self) -> u16 {
        self.device
    }

    /// Base class, sub-class and programming interface in three bytes: 0x020000 is an Ethernet controller.
    pub fn class(&self) -> u32 {
        self.class
    }

    /// The kernel driver that has it.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn driver(&self) -> Result<Option<String>> {
        link_name(&self.path.join("driver"))
    }

    /// The only kernel driver that may take it, when one is set.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn driver_override(&self) -> Result<Option<String>> {
        // The kernel writes "(null)" for none.
        Ok(read(&self.path.join("driver_override"))?.filter(|name| !name.is_empty() && name != "(null)"))
    }

    /// Its IOMMU group. `None`: no IOMMU stands before it.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn iommu_group(&self) -> Result<Option<u32>> {
        let link = self.path.join("iommu_group");
        let Some(name) = link_name(&link)? else { return Ok(None) };
        let group = name
            .parse()
            .map_err(|_| Error::Sysfs { path: link, reason: format!("{name:?} is no number of a group") })?;
        Ok(Some(group))
    }

    /// The NUMA node that it is attached to, where the machine tells.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn numa_node(&self) -> Result<Option<u32>> {
        // -1: the firmware does not say.
        Ok(read(&self.path.join("numa_node"))?.and_then(|node| node.parse().ok()))
    }

    /// Network interfaces that the kernel's driver has made of it, by name.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn interfaces(&self) -> Result<Vec<String>> {
        let mut interfaces = names(&self.path.join("net"))?;
        // virtio puts a device of its own between the card and the interface.
        for name in names(&self.path)?.iter().filter(|name| name.starts_with("virtio")) {
            interfaces.extend(names(&self.path.join(name).join("net"))?);
        }
        interfaces.sort_unstable();
        Ok(interfaces)
    }

    /// Number of its SR-IOV virtual functions that are switched on.
    ///
    /// # Errors
    /// Files that cannot be read, or say no number.
    pub fn virtual_functions(&self) -> Result<u32> {
        let path = self.path.join("sriov_numvfs");
        // Only cards that can have some have the file.
        let Some(text) = read(&path)? else { return Ok(0) };
        text.parse().map_err(|_| Error::Sysfs { path, reason: format!("{text:?} is no number") })
    }
}

fn unreadable(path: &Path, why: &io::Error) -> Error {
    Error::Sysfs { path: path.into(), reason: why.to_string() }
}

/// `None` for what is not there.
fn if_there<T>(path: &Path, result: io::Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
        Err(why) => Err(unreadable(path, &why)),
    }
}

/// The text of a file, without its end of line.
fn read(path: &Path) -> Result<Option<String>> {
    Ok(if_there(path, fs::read_to_string(path))?.map(|text| text.trim_end().to_owned()))
}

/// A hexadecimal number, as in "0x8086".
fn number<T: TryFrom<u32>>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).map_err(|why| unreadable(path, &why))?;
    let digits = text.trim().trim_start_matches("0x");
    let value = hex(digits, 1..=8).and_then(|value| value.try_into().ok());
    value.ok_or_else(|| Error::Sysfs { path: path.into(), reason: format!("{:?} is no such number", text.trim()) })
}

/// The last part of what a symbolic link points to.
fn link_name(path: &Path) -> Result<Option<String>> {
    let target = if_there(path, fs::read_link(path))?;
    Ok(target.and_then(|target| Some(target.file_name()?.to_string_lossy().into_owned())))
}

/// The names in a folder; none if it is not there.
fn names(folder: &Path) -> Result<Vec<String>> {
    let Some(entries) = if_there(folder, fs::read_dir(folder))? else { return Ok(Vec::new()) };
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    entries.map(|entry| entry.map(name).map_err(|why| unreadable(folder, &why))).collect()
}

#[cfg(test)]
mod tests;
