//! Which frames a port takes, by destination address.

use crate::config::Limits;
use crate::{Error, Result};

/// An Ethernet address.
pub type MacAddress = [u8; 6];

/// Whether frames for other addresses are received too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Promiscuous {
    /// Only frames that the rest of the filter names, and broadcasts.
    #[default]
    Off,
    /// All frames.
    On,
}

/// Which multicast frames are received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Multicast {
    /// None.
    #[default]
    None,
    /// Those to these groups. The card compares a hash of twelve bits, so frames to a few other addresses pass too.
    Groups(Vec<MacAddress>),
    /// All.
    All,
}

/// The address filter of a port. The default takes frames for the port's own address and broadcasts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Opens the filter for everything.
    pub promiscuous: Promiscuous,
    /// Multicast groups.
    pub multicast: Multicast,
    /// Further addresses of the port, besides that of its card.
    pub unicast: Vec<MacAddress>,
}

impl Filter {
    /// Takes every frame.
    pub fn promiscuous() -> Filter {
        Filter { promiscuous: Promiscuous::On, ..Filter::default() }
    }

    /// Whether all multicast frames pass.
    pub(crate) fn takes_all_multicast(&self) -> bool {
        self.promiscuous == Promiscuous::On || self.multicast == Multicast::All
    }

    /// Checks it against what the card can.
    pub(crate) fn check(&self, port: &str, limits: &Limits) -> Result<()> {
        let wrong = |reason: String| Err(Error::Config { port: port.to_owned(), reason });
        if self.unicast.len() > limits.unicast_filters {
            let (count, max) = (self.unicast.len(), limits.unicast_filters);
            return wrong(format!("{count} further addresses: the card filters {max}; Promiscuous::On takes all"));
        }
        if let Some(address) = self.unicast.iter().find(|address| is_group(address)) {
            return wrong(format!("{address:02x?} is a group's address: it belongs to Filter::multicast"));
        }
        if let Multicast::Groups(groups) = &self.multicast
            && let Some(address) = groups.iter().find(|address| !is_group(address))
        {
            return wrong(format!("{address:02x?} is no group's address: it belongs to Filter::unicast"));
        }
        Ok(())
    }

    /// The multicast hash table, 4096 bits, for cards that hash address bits 47:36 (82599 datasheet 8.2.3.7.7 with MCSTCTRL.MO = 0, 82576
    /// 8.10.15 and 82574 with RCTL.MO = 0).
    pub(crate) fn multicast_table(&self) -> [u32; 128] {
        let mut table = [0; 128];
        // Not all bits for `Multicast::All`: 82574 and 82576 look unicast addresses up here too. They have a bit for that.
        if let Multicast::Groups(groups) = &self.multicast {
            for group in groups {
                let hash = usize::from(group[4] >> 4) | usize::from(group[5]) << 4;
                table[hash / 32] |= 1 << (hash % 32);
            }
        }
        table
    }
}

fn is_group(address: &MacAddress) -> bool {
    address[0] & 1 != 0
}

/// An address as the two registers of a receive address hold it, without the bits that make it valid.
pub(crate) fn address_words(mac: MacAddress) -> (u32, u16) {
    (u32::from_le_bytes([mac[0], mac[1], mac[2], mac[3]]), u16::from_le_bytes([mac[4], mac[5]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_sets_the_bit_of_its_upper_twelve_bits() {
        let groups = vec![[0x01, 0x00, 0x5E, 0x00, 0x00, 0xFB], [0x33, 0x33, 0, 0, 0x20, 0x01]];
        let filter = Filter { multicast: Multicast::Groups(groups), ..Filter::default() };
        let table = filter.multicast_table();
        let set: Vec<usize> = (0..4096).filter(|bit| table[bit / 32] >> (bit % 32) & 1 == 1).collect();
        assert_eq!(set, [0x012, 0xFB0]);
    }

    #[test]
    fn addresses_in_the_wrong_place_are_refused() {
        let limits = Limits { rx_queues: 1, tx_queues: 1, min_buffer: 1024, max_mtu: 1500, unicast_filters: 1 };
        let check = |filter: Filter| filter.check("port", &limits).map_err(|why| why.to_string());
        let (own, group) = ([2, 0, 0, 0, 0, 1], [3, 0, 0, 0, 0, 1]);
        assert_eq!(check(Filter { unicast: vec![own], ..Filter::default() }), Ok(()));
        for (filter, part) in [
            (Filter { unicast: vec![own; 2], ..Filter::default() }, "the card filters 1"),
            (Filter { unicast: vec![group], ..Filter::default() }, "Filter::multicast"),
            (Filter { multicast: Multicast::Groups(vec![own]), ..Filter::default() }, "Filter::unicast"),
        ] {
            assert!(check(filter).is_err_and(|why| why.contains(part)), "{part}");
        }
    }
}
