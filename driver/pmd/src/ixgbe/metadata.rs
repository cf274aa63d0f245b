//! From a receive descriptor's bits to a packet's metadata.

use gannet_mempool::{Flags, Metadata};
use gannet_spec::x82599::desc::{RxWriteBack, rx_status};

use crate::advanced::{TypeTable, type_table};

/// 82599 specification update: UDP without a checksum is reported as wrong. IPv6 tunnels have none either (RFC 6935).
static TYPES: TypeTable = type_table(Flags::L4_BAD_UNSURE);

/// Status and error bits that are flags already, once they are shifted to their places.
#[inline(always)]
const fn flags_of_status(status: u32) -> u16 {
    const CHECKED: u32 = rx_status::L4CS | rx_status::IPCS;
    const WRONG: u32 = rx_status::L4E | rx_status::IPE;
    const { assert!(CHECKED >> 5 == (Flags::L4_CHECKED.0 | Flags::IP_CHECKED.0) as u32) };
    const { assert!(WRONG >> 28 == (Flags::L4_BAD.0 | Flags::IP_BAD.0) as u32) };
    const { assert!(rx_status::VP << 1 == Flags::VLAN.0 as u32) };
    ((status & CHECKED) >> 5 | (status & WRONG) >> 28 | (status & rx_status::VP) << 1) as u16
}

/// What the card found out about a frame, as far as the bits of `status` go.
#[inline(always)]
pub(crate) fn metadata(descriptor: RxWriteBack, status: u32) -> Metadata {
    let flags = TYPES[descriptor.packet_type() as usize] | flags_of_status(descriptor.status() & status);
    Metadata { hash: descriptor.hash(), vlan: descriptor.vlan_tag(), flags: Flags(flags) }
}
