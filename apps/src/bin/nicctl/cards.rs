//! The cards that Gannet has drivers for.
//!
//! The one place in this program that knows PCI ids: the drivers' own tables will take its place.

use std::fmt;

use gannet_bus::sysfs::PciDevice;
use gannet_spec::{Named, x82599};

/// A driver of Gannet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driver {
    /// 82599, X540.
    Ixgbe,
    /// 82576, I350, I210.
    Igb,
    /// 82574.
    E1000e,
}

impl Driver {
    /// The registers to show of its cards; `None` as long as nobody has written them down.
    pub(crate) fn registers(self) -> Option<&'static [Named]> {
        match self {
            Driver::Ixgbe => Some(x82599::names::REGISTERS),
            Driver::Igb | Driver::E1000e => None,
        }
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Driver::Ixgbe => "ixgbe",
            Driver::Igb => "igb",
            Driver::E1000e => "e1000e",
        })
    }
}

/// A card that Gannet knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its name in words.
    pub(crate) name: &'static str,
    /// Who drives it.
    pub(crate) driver: Driver,
}

const INTEL: u16 = 0x8086;

/// What Gannet knows of a card, by vendor and device.
pub(crate) fn known(device: &PciDevice) -> Option<Known> {
    let (name, driver) = match (device.vendor(), device.device()) {
        (INTEL, 0x10FB) => ("Intel 82599 SFP+", Driver::Ixgbe),
        (INTEL, 0x1557) => ("Intel 82599EN SFP+", Driver::Ixgbe),
        (INTEL, 0x154D | 0x1507) => ("Intel 82599 SFP+", Driver::Ixgbe),
        (INTEL, 0x154A) => ("Intel 82599 quad SFP+", Driver::Ixgbe),
        (INTEL, 0x1558) => ("Intel 82599 QSFP+", Driver::Ixgbe),
        (INTEL, 0x1529) => ("Intel 82599 SFP+ FCoE", Driver::Ixgbe),
        (INTEL, 0x154F) => ("Intel 82599 LS", Driver::Ixgbe),
        (INTEL, 0x151C) => ("Intel 82599 10GBASE-T", Driver::Ixgbe),
        (INTEL, 0x10F9) => ("Intel 82599 CX4", Driver::Ixgbe),
        (INTEL, 0x10F7 | 0x1514 | 0x1517 | 0x10F8 | 0x10FC | 0x152A) => ("Intel 82599 backplane", Driver::Ixgbe),
        (INTEL, 0x1528 | 0x1560) => ("Intel X540 10GBASE-T", Driver::Ixgbe),
        (INTEL, 0x10C9 | 0x150A) => ("Intel 82576", Driver::Igb),
        (INTEL, 0x10E6) => ("Intel 82576 fibre", Driver::Igb),
        (INTEL, 0x10E7 | 0x1518) => ("Intel 82576 SerDes", Driver::Igb),
        (INTEL, 0x10E8 | 0x1526 | 0x150D) => ("Intel 82576 quad", Driver::Igb),
        (INTEL, 0x1521..=0x1524 | 0x1546) => ("Intel I350", Driver::Igb),
        (INTEL, 0x1533..=0x1538 | 0x157B | 0x157C | 0x15F6) => ("Intel I210", Driver::Igb),
        (INTEL, 0x1539) => ("Intel I211", Driver::Igb),
        (INTEL, 0x10D3 | 0x10F6) => ("Intel 82574L", Driver::E1000e),
        _ => return None,
    };
    Some(Known { name, driver })
}

/// Whether it is an Ethernet controller (class 0x0200).
pub(crate) fn is_network(device: &PciDevice) -> bool {
    device.class() >> 8 == 0x0200
}

/// "8086:10fb".
pub(crate) fn id(device: &PciDevice) -> String {
    format!("{:04x}:{:04x}", device.vendor(), device.device())
}
