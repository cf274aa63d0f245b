//! Statistics, cleared by reading (10.2.7).

use crate::{ClearOnRead, Reg, RegArray};

/// Frames with a bad FCS.
pub const CRCERRS: Reg<ClearOnRead> = Reg::at(0x04000);
/// Frames with a bad FCS that do not end at a byte.
pub const ALGNERRC: Reg<ClearOnRead> = Reg::at(0x04004);
/// Frames with an error that the PHY signalled.
pub const RXERRC: Reg<ClearOnRead> = Reg::at(0x0400C);
/// Missed packets: the packet buffer was full.
pub const MPC: Reg<ClearOnRead> = Reg::at(0x04010);
/// Frames given up after too many collisions.
pub const ECOL: Reg<ClearOnRead> = Reg::at(0x04018);
/// Frames whose length field lies.
pub const RLEC: Reg<ClearOnRead> = Reg::at(0x04040);
/// XON received.
pub const XONRXC: Reg<ClearOnRead> = Reg::at(0x04048);
/// XON sent.
pub const XONTXC: Reg<ClearOnRead> = Reg::at(0x0404C);
/// XOFF received.
pub const XOFFRXC: Reg<ClearOnRead> = Reg::at(0x04050);
/// XOFF sent.
pub const XOFFTXC: Reg<ClearOnRead> = Reg::at(0x04054);
/// Good frames received by size: 64, -127, -255, -511, -1023, -max.
pub const PRC: RegArray<ClearOnRead> = RegArray::new(0x0405C, 4, 6);
/// Good frames received (filtered ones not counted).
pub const GPRC: Reg<ClearOnRead> = Reg::at(0x04074);
/// Broadcast frames received.
pub const BPRC: Reg<ClearOnRead> = Reg::at(0x04078);
/// Multicast frames received.
pub const MPRC: Reg<ClearOnRead> = Reg::at(0x0407C);
/// Good frames sent.
pub const GPTC: Reg<ClearOnRead> = Reg::at(0x04080);
/// Good bytes received, FCS included, low half: read it first, the high half clears both.
pub const GORCL: Reg<ClearOnRead> = Reg::at(0x04088);
/// High half.
pub const GORCH: Reg<ClearOnRead> = Reg::at(0x0408C);
/// Good bytes sent, FCS included, low half: read it first, the high half clears both.
pub const GOTCL: Reg<ClearOnRead> = Reg::at(0x04090);
/// High half.
pub const GOTCH: Reg<ClearOnRead> = Reg::at(0x04094);
/// Frames that found no descriptor and waited in the packet buffer.
pub const RNBC: Reg<ClearOnRead> = Reg::at(0x040A0);
/// Undersize frames.
pub const RUC: Reg<ClearOnRead> = Reg::at(0x040A4);
/// Fragments: undersize with a bad FCS.
pub const RFC: Reg<ClearOnRead> = Reg::at(0x040A8);
/// Oversize frames.
pub const ROC: Reg<ClearOnRead> = Reg::at(0x040AC);
/// Jabber: oversize with a bad FCS.
pub const RJC: Reg<ClearOnRead> = Reg::at(0x040B0);
/// Frames sent by size, as [`PRC`].
pub const PTC: RegArray<ClearOnRead> = RegArray::new(0x040D8, 4, 6);
/// Multicast frames sent.
pub const MPTC: Reg<ClearOnRead> = Reg::at(0x040F0);
/// Broadcast frames sent.
pub const BPTC: Reg<ClearOnRead> = Reg::at(0x040F4);
