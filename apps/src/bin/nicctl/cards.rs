//! What Gannet knows of a card.

use gannet::Card;
use gannet_bus::sysfs::PciDevice;

/// The card, if Gannet has a driver for it.
pub(crate) fn known(device: &PciDevice) -> Option<&'static Card> {
    gannet::cards().iter().find(|card| (card.vendor, card.device) == (device.vendor(), device.device()))
}

/// Whether it is an Ethernet controller (class 0x0200).
pub(crate) fn is_network(device: &PciDevice) -> bool {
    device.class() >> 8 == 0x0200
}

/// "8086:10fb".
pub(crate) fn id(device: &PciDevice) -> String {
    format!("{:04x}:{:04x}", device.vendor(), device.device())
}
