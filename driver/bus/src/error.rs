//! What can go wrong on the way to a device.

use std::path::PathBuf;

use crate::sysfs::PciAddress;
use crate::vfio::Refusal;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Configuration space could not be read or written.
    #[error("{device}: configuration space at {offset:#x}: {reason}")]
    Config {
        /// Name of the device.
        device: String,
        /// Offset of the access.
        offset: u16,
        /// Why.
        reason: String,
    },
    /// The device has no such memory BAR.
    #[error("{device} has no memory BAR {index}: is it the network function?")]
    NoBar {
        /// Name of the device.
        device: String,
        /// Number of the BAR.
        index: u8,
    },
    /// The device left the bus.
    #[error("{device} is gone: it was removed, or its link to the machine failed")]
    Gone {
        /// Name of the device.
        device: String,
    },
    /// Interrupts could not be connected.
    #[error("{device}: interrupts: {reason}")]
    Interrupts {
        /// Name of the device.
        device: String,
        /// Why.
        reason: String,
    },
    /// The function could not be reset.
    #[error("{device}: reset of the function: {reason}")]
    Reset {
        /// Name of the device.
        device: String,
        /// Why.
        reason: String,
    },
    /// A text that is no PCI address.
    #[error("{text:?} is no PCI address: it looks like 0000:01:00.0, or 01:00.0 in domain 0")]
    PciAddress {
        /// The text.
        text: String,
    },
    /// No PCI device has this address.
    #[error("there is no PCI device {address}: `lspci -D` lists those that are there")]
    NoDevice {
        /// The address.
        address: PciAddress,
    },
    /// A file of the kernel that tells of a device could not be read, or says what it cannot say.
    #[error("{}: {reason}", path.display())]
    Sysfs {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A card cannot be had through VFIO.
    #[error("{device}: {refusal}")]
    Vfio {
        /// Name of the device.
        device: String,
        /// Why, with the remedy.
        refusal: Refusal,
    },
    /// A setting that cannot work.
    #[error("{0}")]
    Invalid(String),
    /// Memory could not be had or mapped.
    #[error(transparent)]
    Memory(#[from] gannet_mempool::Error),
}

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
