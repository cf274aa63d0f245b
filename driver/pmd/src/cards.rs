//! The cards that have a driver, by PCI id.

use gannet_bus::pci::PciId;
use gannet_spec::{INTEL, Named, x82574, x82576, x82599};

/// A kind of card that Gannet drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Card {
    /// PCI vendor.
    pub vendor: u16,
    /// PCI device.
    pub device: u16,
    /// The card, in words.
    pub name: &'static str,
    /// Which driver.
    pub driver: Pmd,
    /// What the driver has been tested on for this id; `None`: nothing, it is written after the datasheet only.
    pub tested_on: Option<&'static str>,
}

/// A poll-mode driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pmd {
    /// 10 Gb/s: 82599, X540.
    Ixgbe,
    /// 1 Gb/s: 82576, I350, I210, I211.
    Igb,
    /// 1 Gb/s: 82574.
    E1000e,
}

impl Pmd {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Pmd::Ixgbe => "ixgbe",
            Pmd::Igb => "igb",
            Pmd::E1000e => "e1000e",
        }
    }

    /// The registers of its cards that are worth a look and not changed by it: no statistics, no interrupt causes, no semaphores.
    pub fn registers(self) -> &'static [Named] {
        match self {
            Pmd::Ixgbe => x82599::names::REGISTERS,
            Pmd::Igb => x82576::names::REGISTERS,
            Pmd::E1000e => x82574::names::REGISTERS,
        }
    }
}

const fn card(device: u16, name: &'static str, driver: Pmd) -> Card {
    Card { vendor: INTEL, device, name, driver, tested_on: None }
}

const fn tested(device: u16, name: &'static str, driver: Pmd, on: &'static str) -> Card {
    Card { tested_on: Some(on), ..card(device, name, driver) }
}

static CARDS: &[Card] = &[
    tested(0x10FB, "Intel 82599 10 GbE SFP+", Pmd::Ixgbe, "Gannet's software 82599"),
    card(0x10F7, "Intel 82599 10 GbE KX4", Pmd::Ixgbe),
    card(0x1514, "Intel 82599 10 GbE KX4 mezzanine", Pmd::Ixgbe),
    card(0x1517, "Intel 82599 10 GbE KR", Pmd::Ixgbe),
    card(0x10F8, "Intel 82599 10 GbE backplane", Pmd::Ixgbe),
    card(0x10F9, "Intel 82599 10 GbE CX4", Pmd::Ixgbe),
    card(0x10FC, "Intel 82599 10 GbE XAUI", Pmd::Ixgbe),
    card(0x151C, "Intel 82599 10GBASE-T", Pmd::Ixgbe),
    card(0x1507, "Intel 82599 10 GbE SFP+ EM", Pmd::Ixgbe),
    card(0x154D, "Intel 82599 10 GbE SFP+ SF2", Pmd::Ixgbe),
    card(0x154A, "Intel 82599 10 GbE quad SFP+", Pmd::Ixgbe),
    card(0x1558, "Intel 82599 40 GbE QSFP+", Pmd::Ixgbe),
    card(0x1557, "Intel 82599EN 10 GbE SFP+", Pmd::Ixgbe),
    card(0x1529, "Intel 82599 10 GbE SFP+ FCoE", Pmd::Ixgbe),
    card(0x152A, "Intel 82599 10 GbE backplane FCoE", Pmd::Ixgbe),
    card(0x154F, "Intel 82599 10 GbE LS", Pmd::Ixgbe),
    card(0x1528, "Intel X540 10GBASE-T", Pmd::Ixgbe),
    card(0x1560, "Intel X540 10GBASE-T, one port", Pmd::Ixgbe),
    tested(0x10C9, "Intel 82576 gigabit", Pmd::Igb, "QEMU's igb"),
    card(0x10E8, "Intel 82576 gigabit, four ports", Pmd::Igb),
    card(0x150A, "Intel 82576NS gigabit", Pmd::Igb),
    card(0x1526, "Intel 82576 gigabit ET2, four ports", Pmd::Igb),
    card(0x1521, "Intel I350 gigabit", Pmd::Igb),
    card(0x1546, "Intel I350 gigabit, DA4", Pmd::Igb),
    card(0x1533, "Intel I210 gigabit", Pmd::Igb),
    card(0x1534, "Intel I210 gigabit, OEM", Pmd::Igb),
    card(0x1535, "Intel I210 gigabit, IT", Pmd::Igb),
    card(0x157B, "Intel I210 gigabit, without flash", Pmd::Igb),
    card(0x1539, "Intel I211 gigabit", Pmd::Igb),
    tested(0x10D3, "Intel 82574L gigabit", Pmd::E1000e, "QEMU's e1000e"),
    card(0x10F6, "Intel 82574LA gigabit", Pmd::E1000e),
];

/// All cards that have a driver.
pub fn cards() -> &'static [Card] {
    CARDS
}

/// The card with this id, if it has a driver.
pub(crate) fn find(id: PciId) -> Option<&'static Card> {
    CARDS.iter().find(|card| (card.vendor, card.device) == (id.vendor, id.device))
}

#[cfg(test)]
mod tests {
    use gannet_spec::x82576::Chip;

    use super::*;

    #[test]
    fn every_card_is_listed_once_and_known_to_its_driver() {
        for device in 0..=u16::MAX {
            let listed: Vec<&Card> = CARDS.iter().filter(|card| card.device == device).collect();
            assert!(listed.len() <= 1, "{listed:?}");
            let is_igb = listed.iter().any(|card| card.driver == Pmd::Igb);
            assert_eq!(is_igb, Chip::of(device).is_some(), "{device:#06x}");
        }
    }

    /// PCI id, driver and what it was tested on, as the table of docs/hardware.md has them: `8086:1533 to 1535, 157b`.
    fn documented() -> Vec<(u16, String, String)> {
        let hex = |text: &str| u16::from_str_radix(text, 16).unwrap_or_else(|why| panic!("{text:?}: {why}"));
        let mut cards = Vec::new();
        for row in include_str!("../../../docs/hardware.md").lines().filter(|line| line.starts_with('|')) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            // A row about the software card repeats an id in words.
            let Some(ids) = cells[2].strip_prefix("8086:") else { continue };
            for ids in ids.split(", ") {
                let (first, last) = ids.split_once(" to ").unwrap_or((ids, ids));
                cards.extend((hex(first)..=hex(last)).map(|id| (id, cells[3].to_owned(), cells[4].to_owned())));
            }
        }
        cards
    }

    #[test]
    fn the_documentation_lists_the_same_cards() {
        let mut listed: Vec<_> = CARDS
            .iter()
            .map(|card| (card.device, card.driver.name().to_owned(), card.tested_on.unwrap_or("nothing").to_owned()))
            .collect();
        let mut documented = documented();
        listed.sort();
        documented.sort();
        assert_eq!(listed, documented);
    }
}
