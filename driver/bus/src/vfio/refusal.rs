//! Why a card cannot be had through VFIO, and what mends it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::users::{Holder, Users};
use crate::sysfs::{PciAddress, PciDevice, Sysfs};
use crate::{Error, Result};

/// The kernel driver that hands a card to programs.
pub(super) const DRIVER: &str = "vfio-pci";

/// Longest wait for a group that another process has. A reset takes a tenth of a second, and a process may have several cards.
const BUSY_PATIENCE: Duration = Duration::from_secs(3);

/// How often to try.
const BUSY_STEP: Duration = Duration::from_millis(50);

/// Why a card cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No IOMMU confines the card.
    #[error(
        "no IOMMU stands before it: switch it on in the firmware (Intel: \"VT-d\", AMD: \"IOMMU\") and start the kernel with \
         intel_iommu=on (Intel; AMD needs no argument)"
    )]
    NoIommu,
    /// The card belongs to another driver.
    #[error("it is {}, not with {DRIVER}: `sudo nicctl bind {address}` changes that", with(.driver.as_deref()))]
    NotBound {
        /// The card.
        address: PciAddress,
        /// Its driver.
        driver: Option<String>,
    },
    /// Other members of its IOMMU group are in use by the kernel.
    #[error("IOMMU group {group} can only be had as a whole, and the kernel uses {}: bind them to {DRIVER} too, or put the card into another slot", list(.blockers))]
    NotViable {
        /// The group.
        group: u32,
        /// Who blocks it.
        blockers: Vec<Blocker>,
    },
    /// This process has it open, and a card has one driver.
    #[error("this process has it open already: name each card once")]
    AlreadyOpen,
    /// Memory is mapped where this card's IOMMU does not reach.
    #[error(
        "memory of this process is mapped at addresses that its IOMMU does not reach: open all cards before mapping memory"
    )]
    OutOfReach,
    /// A BAR that is there, but not for mapping.
    #[error(
        "BAR {index} cannot be mapped: it has I/O ports, or it is smaller than a page and shares one with another BAR"
    )]
    Unmappable {
        /// Its number.
        index: u8,
    },
    /// vfio-pci has the card, but there is no file to open it through.
    #[error(
        "{} is not there, although {DRIVER} has the card: a container must be given it (`docker run --device {}`), and the kernel must \
         have it (CONFIG_VFIO_GROUP and CONFIG_VFIO_CONTAINER)", node.display(), node.display()
    )]
    NoNode {
        /// The file that is missing.
        node: PathBuf,
    },
    /// The VFIO modules are not loaded.
    #[error("{}: {source}: `sudo modprobe vfio-pci` loads VFIO", node.display())]
    NoModule {
        /// The file that is missing.
        node: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The files belong to somebody else.
    #[error(
        "no permission to open {}: `sudo chown $USER {}` until the next start, or for good the udev rule \
         SUBSYSTEM==\"vfio\", OWNER=\"your user name\"", node.display(), node.display()
    )]
    Permission {
        /// The file.
        node: PathBuf,
    },
    /// The kernel keeps this process from the file, whoever owns it.
    #[error(
        "the kernel lets nobody in this control group open {}: allow it (`docker run --device {}`, DeviceAllow= in a systemd unit)",
        node.display(), node.display()
    )]
    Forbidden {
        /// The file.
        node: PathBuf,
    },
    /// Another process has the group.
    #[error("{} is in use{}: a group belongs to one process at a time", node.display(), by(.holders))]
    InUse {
        /// The file.
        node: PathBuf,
        /// Who has it open, as far as this user may see.
        holders: Vec<Holder>,
    },
    /// Interrupts could be forged.
    #[error(
        "the IOMMU does not remap interrupts, so a card could forge them: switch on interrupt remapping (x2APIC) in the firmware; \
         on a machine of your own, `echo 1 | sudo tee /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts` takes the risk"
    )]
    NoInterruptRemapping,
    /// A step that the kernel refuses for a reason of its own.
    #[error("{step}: {source}")]
    System {
        /// What was being done.
        step: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl Refusal {
    /// A [`Refusal::System`].
    pub(super) fn system(step: impl Into<String>, source: impl Into<io::Error>) -> Refusal {
        Refusal::System { step: step.into(), source: source.into() }
    }
}

/// A member of a group that the kernel uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// The device.
    pub device: PciDevice,
    /// Its driver.
    pub driver: String,
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.device.address(), self.driver)
    }
}

fn with(driver: Option<&str>) -> String {
    driver.map_or("without a driver".into(), |driver| format!("with the kernel's driver {driver}"))
}

fn list<T: fmt::Display>(of: &[T]) -> String {
    if of.is_empty() {
        return "one of its devices".into();
    }
    of.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn by(holders: &[Holder]) -> String {
    if holders.is_empty() { String::new() } else { format!(" by {}", list(holders)) }
}

/// Whether VFIO can open the device, as far as the kernel's files tell, and the group that it is in.
pub(super) fn check(device: &PciDevice) -> Result<u32> {
    let refused = |refusal| Error::Vfio { device: super::name(device.address()), refusal };
    let group = device.iommu_group()?.ok_or(refused(Refusal::NoIommu))?;
    let driver = device.driver()?;
    if driver.as_deref() != Some(DRIVER) {
        return Err(refused(Refusal::NotBound { address: device.address(), driver }));
    }
    Ok(group)
}

/// Members of an IOMMU group whose drivers keep it from being used through VFIO, as far as their names tell: the kernel has the last word when
/// the group is opened.
///
/// # Errors
/// Files that cannot be read.
pub fn blockers(sysfs: &Sysfs, group: u32) -> Result<Vec<Blocker>> {
    let mut blockers = Vec::new();
    for device in sysfs.group_members(group)?.into_iter().filter(|device| !is_bridge(device)) {
        match device.driver()? {
            Some(driver) if !leaves_dma_alone(&driver) => blockers.push(Blocker { device, driver }),
            _ => {}
        }
    }
    Ok(blockers)
}

/// Bridges to PCI (0x0604) and to CardBus (0x0607) do no DMA of their own.
fn is_bridge(device: &PciDevice) -> bool {
    [0x0604, 0x0607].contains(&(device.class() >> 8))
}

/// Drivers that do no DMA with their device (the kernel's `driver_managed_dma`): the port driver, the stub, and those that hand it to programs.
fn leaves_dma_alone(driver: &str) -> bool {
    ["pcieport", "pci-stub"].contains(&driver) || driver.contains("vfio")
}

/// Opens one of VFIO's files. A process that has been killed has its cards until the kernel has reset them: so one that takes
/// its place waits for them.
pub(super) fn open(node: &Path, sysfs: &Sysfs) -> Result<File, Refusal> {
    let start = Instant::now();
    loop {
        match OpenOptions::new().read(true).write(true).open(sysfs.path(node)) {
            Err(why) if why.raw_os_error() == Some(libc::EBUSY) && start.elapsed() < BUSY_PATIENCE => {
                thread::sleep(BUSY_STEP);
            }
            file => return file.map_err(|why| cannot_open(node.into(), why, sysfs)),
        }
    }
}

/// Why one of VFIO's files cannot be opened. vfio-pci has the card, so a file that is missing is not for want of a module.
pub(super) fn cannot_open(node: PathBuf, why: io::Error, sysfs: &Sysfs) -> Refusal {
    match why.raw_os_error() {
        Some(libc::ENOENT) => Refusal::NoNode { node },
        Some(libc::ENODEV | libc::ENXIO) => Refusal::NoModule { node, source: why },
        Some(libc::EACCES) => Refusal::Permission { node },
        Some(libc::EPERM) => Refusal::Forbidden { node },
        Some(libc::EBUSY) => Refusal::InUse { holders: Users::find(sysfs).of_node(&node), node },
        _ => Refusal::system(format!("opening {}", node.display()), why),
    }
}

#[cfg(test)]
mod tests;
