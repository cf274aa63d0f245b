//! IOMMU groups: what a program has all of, or none.

use gannet_bus::sysfs::PciDevice;
use gannet_bus::vfio::{self, Blocker};

use crate::cards;
use crate::host::Host;

/// The other devices of the card's group whose drivers are in the way.
///
/// # Errors
/// Files that cannot be read.
pub(crate) fn blockers(host: &Host, card: &PciDevice) -> anyhow::Result<Vec<Blocker>> {
    let Some(group) = card.iommu_group()? else { return Ok(Vec::new()) };
    let mut blockers = vfio::blockers(&host.sysfs, group)?;
    blockers.retain(|blocker| blocker.device.address() != card.address());
    Ok(blockers)
}

/// The command that takes a device out of the way.
pub(crate) fn remedy(blocker: &Blocker) -> String {
    let address = blocker.device.address();
    if cards::is_network(&blocker.device) {
        format!("sudo nicctl bind {address}")
    } else {
        format!("sudo nicctl unbind --force {address}")
    }
}
