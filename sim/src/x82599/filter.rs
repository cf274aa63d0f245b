//! Which frames are for this card: addresses and VLANs (datasheet 7.1.1).

use gannet_spec::x82599::regs;

use super::core::Core;

/// Valid bits of an address in a word, byte 0 lowest.
const ADDRESS: u64 = 0xFFFF_FFFF_FFFF;
/// Set in the first byte of multicast and broadcast addresses.
const GROUP: u64 = 1;

/// What the filter registers say.
#[derive(Debug, Default)]
pub(super) struct Filter {
    exact: Vec<u64>,
    broadcast: bool,
    all_unicast: bool,
    all_multicast: bool,
    /// Where the 12 bits of the address begin that index the multicast table.
    hash_shift: Option<u32>,
    multicast: Vec<u32>,
    vlans: Option<Vec<u32>>,
}

/// The kind of a frame's destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cast {
    Uni,
    Multi,
    Broad,
}

/// The destination of a frame as a word.
#[inline(always)]
pub(super) fn destination(frame: &[u8]) -> u64 {
    frame.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes) & ADDRESS)
}

impl Cast {
    #[inline(always)]
    pub(super) fn of(address: u64) -> Cast {
        match address {
            ADDRESS => Cast::Broad,
            _ if address & GROUP != 0 => Cast::Multi,
            _ => Cast::Uni,
        }
    }
}

impl Filter {
    /// Takes over what the registers say.
    pub(super) fn new(core: &Core) -> Filter {
        let fctrl = core.get(regs::FCTRL);
        let multicast = core.get(regs::MCSTCTRL);
        let valid = |index: &u32| core.get_at(regs::RAH, *index).valid();
        let address =
            |index| u64::from(core.get_at(regs::RAL, index)) | u64::from(core.get_at(regs::RAH, index).bytes()) << 32;
        let table =
            |array: gannet_spec::RegArray<_>| (0..array.count()).map(|index| core.get_at(array, index)).collect();
        Filter {
            exact: (0..regs::RAH.count()).filter(valid).map(address).collect(),
            broadcast: fctrl.broadcast_accept(),
            all_unicast: fctrl.unicast_promiscuous(),
            all_multicast: fctrl.multicast_promiscuous(),
            // Offset 0 takes bits 47:36, each step one bit lower, but the last, which is 43:32 (8.2.3.7.7).
            hash_shift: multicast.filter_enable().then(|| [36, 35, 34, 32][usize::from(multicast.offset())]),
            multicast: table(regs::MTA),
            vlans: core.get(regs::VLNCTRL).filter_enable().then(|| table(regs::VFTA)),
        }
    }

    /// Whether a frame to this address is for the card.
    #[inline(always)]
    pub(super) fn accepts(&self, address: u64, cast: Cast) -> bool {
        match cast {
            Cast::Uni => self.all_unicast || self.exact.contains(&address),
            Cast::Broad => self.broadcast,
            Cast::Multi => self.all_multicast || self.exact.contains(&address) || self.hashed(address),
        }
    }

    fn hashed(&self, address: u64) -> bool {
        self.hash_shift.is_some_and(|shift| bit(&self.multicast, (address >> shift) as u16 & 0xFFF))
    }

    /// Whether a frame with this tag is for the card; without a tag it always is.
    #[inline(always)]
    pub(super) fn accepts_vlan(&self, tag: Option<u16>) -> bool {
        match (&self.vlans, tag) {
            (Some(vlans), Some(tag)) => bit(vlans, tag & 0xFFF),
            _ => true,
        }
    }
}

fn bit(table: &[u32], index: u16) -> bool {
    table.get(usize::from(index / 32)).is_some_and(|word| word >> (index % 32) & 1 != 0)
}
