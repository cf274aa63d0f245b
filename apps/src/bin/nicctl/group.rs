//! IOMMU groups: what a program has all of, or none.

use gannet_bus::sysfs::PciDevice;

use crate::cards;
use crate::host::Host;

/// A device whose driver keeps its IOMMU group from being used through VFIO.
#[derive(Debug)]
pub(crate) struct Blocker {
    pub(crate) device: PciDevice,
    pub(crate) driver: String,
}

impl Blocker {
    /// The command that takes it out of the way.
    pub(crate) fn remedy(&self) -> String {
        let address = self.device.address();
        if cards::is_network(&self.device) {
            format!("sudo nicctl bind {address}")
        } else {
            format!("sudo nicctl unbind --force {address}")
        }
    }
}

/// The other devices of the card's group whose drivers are in the way.
///
/// # Errors
/// Files that cannot be read.
pub(crate) fn blockers(host: &Host, card: &PciDevice) -> anyhow::Result<Vec<Blocker>> {
    let Some(group) = card.iommu_group()? else { return Ok(Vec::new()) };
    let mut blockers = Vec::new();
    for device in host.sysfs.group_members(group)? {
        if device.address() == card.address() || is_bridge(&device) {
            continue;
        }
        if let Some(driver) = device.driver()?
            && !is_harmless(&driver)
        {
            blockers.push(Blocker { device, driver });
        }
    }
    Ok(blockers)
}

/// Bridges (class 0x06) do no DMA of their own: VFIO lets them be.
fn is_bridge(device: &PciDevice) -> bool {
    device.class() >> 16 == 0x06
}

/// Drivers that leave the DMA of their device to user space.
fn is_harmless(driver: &str) -> bool {
    driver == "pci-stub" || driver.contains("vfio")
}
