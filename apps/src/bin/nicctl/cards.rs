//! What Gannet knows of a card.

use gannet::{Card, Pmd};
use gannet_bus::sysfs::PciDevice;
use gannet_spec::{Named, x82574, x82576, x82599};

/// The card, if Gannet has a driver for it.
pub(crate) fn known(device: &PciDevice) -> Option<&'static Card> {
    gannet::cards().iter().find(|card| (card.vendor, card.device) == (device.vendor(), device.device()))
}

/// The registers to show of a driver's cards; `None` if nobody has named them.
pub(crate) fn registers(driver: Pmd) -> Option<&'static [Named]> {
    match driver {
        Pmd::Ixgbe => Some(x82599::names::REGISTERS),
        Pmd::Igb => Some(x82576::names::REGISTERS),
        Pmd::E1000e => Some(x82574::names::REGISTERS),
        _ => None,
    }
}

/// Whether it is an Ethernet controller (class 0x0200).
pub(crate) fn is_network(device: &PciDevice) -> bool {
    device.class() >> 8 == 0x0200
}

/// "8086:10fb".
pub(crate) fn id(device: &PciDevice) -> String {
    format!("{:04x}:{:04x}", device.vendor(), device.device())
}
