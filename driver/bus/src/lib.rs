//! How a network device is reached: registers, configuration space, DMA, time.
//!
//! [`Device`] is the seam between the poll-mode drivers and the world: a card behind VFIO ([`vfio`]) and a software card implement
//! the same few calls. [`descriptors`] holds the one accessor of memory that driver and device share. Nothing here knows any
//! controller; registers and descriptor layouts are in `gannet-spec`, the drivers in `gannet`.

mod device;
mod error;

pub mod descriptors;
pub mod pci;
pub mod resource;
pub mod sysfs;
pub mod vfio;

pub use device::{Condition, Device, DmaAccess, DmaFault, Registers};
pub use error::{Error, Result};
