//! The QEMU lab: virtual machines with network cards for the drivers and for Linux. `docs/lab.md` shows how they are cabled.
//!
//! [`assets`] finds or fetches QEMU, a kernel and programs; [`image`] packs them as the guest's root; [`machine`] describes a virtual
//! machine and boots it; [`guest`] runs commands in it, [`qmp`] unplugs its cables and cards. [`mod@bench`] shares one machine
//! between tests.
//!
//! Nothing here touches the network of the host: all cables are inside the virtual machine.

pub mod assets;
pub mod bench;
pub mod guest;
pub mod image;
pub mod machine;
pub mod qmp;

mod accelerator;
mod kernel;

pub use self::bench::Bench;
pub use self::machine::{Card, Iommu, Machine, Vm};
