//! Statistics, cleared by reading (8.2.3.23).

use super::array;
use crate::{ClearOnRead, ReadWrite, Reg, RegArray};

// ---- 8.2.3.23 Statistics, cleared by reading ----

/// Frames with a bad FCS.
pub const CRCERRS: Reg<ClearOnRead> = Reg::at(0x04000);
/// Frames with an illegal byte.
pub const ILLERRC: Reg<ClearOnRead> = Reg::at(0x04004);
/// Frames with error bytes.
pub const ERRBC: Reg<ClearOnRead> = Reg::at(0x04008);
/// MAC short packet discards.
pub const MSPDC: Reg<ClearOnRead> = Reg::at(0x04010);
/// Missed packets: the packet buffer was full.
pub const MPC: RegArray<ClearOnRead> = array(0x03FA0, 4, 8);
/// Local faults.
pub const MLFC: Reg<ClearOnRead> = Reg::at(0x04034);
/// Remote faults.
pub const MRFC: Reg<ClearOnRead> = Reg::at(0x04038);
/// Frames whose length field lies.
pub const RLEC: Reg<ClearOnRead> = Reg::at(0x04040);
/// XON sent.
pub const LXONTXC: Reg<ClearOnRead> = Reg::at(0x03F60);
/// XOFF sent.
pub const LXOFFTXC: Reg<ClearOnRead> = Reg::at(0x03F68);
/// XON received.
pub const LXONRXCNT: Reg<ClearOnRead> = Reg::at(0x041A4);
/// XOFF received.
pub const LXOFFRXCNT: Reg<ClearOnRead> = Reg::at(0x041A8);
/// Good frames received by size: 64, -127, -255, -511, -1023, -max.
pub const PRC: RegArray<ClearOnRead> = array(0x0405C, 4, 6);
/// Good frames received (filtered ones not counted).
pub const GPRC: Reg<ClearOnRead> = Reg::at(0x04074);
/// Broadcast frames received.
pub const BPRC: Reg<ClearOnRead> = Reg::at(0x04078);
/// Multicast frames received.
pub const MPRC: Reg<ClearOnRead> = Reg::at(0x0407C);
/// Good frames sent.
pub const GPTC: Reg<ClearOnRead> = Reg::at(0x04080);
/// Good bytes received, FCS included, low half: read it first.
pub const GORCL: Reg<ClearOnRead> = Reg::at(0x04088);
/// High half, 4 bits.
pub const GORCH: Reg<ClearOnRead> = Reg::at(0x0408C);
/// Good bytes sent, FCS included, low half: read it first.
pub const GOTCL: Reg<ClearOnRead> = Reg::at(0x04090);
/// High half, 4 bits.
pub const GOTCH: Reg<ClearOnRead> = Reg::at(0x04094);
/// Undersize frames.
pub const RUC: Reg<ClearOnRead> = Reg::at(0x040A4);
/// Fragments: undersize with a bad FCS.
pub const RFC: Reg<ClearOnRead> = Reg::at(0x040A8);
/// Oversize frames.
pub const ROC: Reg<ClearOnRead> = Reg::at(0x040AC);
/// Jabber: oversize with a bad FCS.
pub const RJC: Reg<ClearOnRead> = Reg::at(0x040B0);
/// Bytes received, low half: read it first.
pub const TORL: Reg<ClearOnRead> = Reg::at(0x040C0);
/// High half, 4 bits.
pub const TORH: Reg<ClearOnRead> = Reg::at(0x040C4);
/// Frames received, good or bad.
pub const TPR: Reg<ClearOnRead> = Reg::at(0x040D0);
/// Frames sent.
pub const TPT: Reg<ClearOnRead> = Reg::at(0x040D4);
/// Frames sent by size, as [`PRC`].
pub const PTC: RegArray<ClearOnRead> = array(0x040D8, 4, 6);
/// Multicast frames sent.
pub const MPTC: Reg<ClearOnRead> = Reg::at(0x040F0);
/// Broadcast frames sent.
pub const BPTC: Reg<ClearOnRead> = Reg::at(0x040F4);
/// Frames with an IP or L4 checksum error.
pub const XEC: Reg<ClearOnRead> = Reg::at(0x04120);
/// Frames received by a statistics set.
pub const QPRC: RegArray<ClearOnRead> = array(0x01030, 0x40, 16);
/// Bytes received by a statistics set, low half: read it first.
pub const QBRC_L: RegArray<ClearOnRead> = array(0x01034, 0x40, 16);
/// High half, 4 bits.
pub const QBRC_H: RegArray<ClearOnRead> = array(0x01038, 0x40, 16);
/// Frames dropped by a statistics set: its queue had no descriptor.
pub const QPRDC: RegArray<ClearOnRead> = array(0x01430, 0x40, 16);
/// Frames sent by a statistics set.
pub const QPTC: RegArray<ClearOnRead> = array(0x08680, 4, 16);
/// Bytes sent by a statistics set, low half: read it first.
pub const QBTC_L: RegArray<ClearOnRead> = array(0x08700, 8, 16);
/// High half, 4 bits.
pub const QBTC_H: RegArray<ClearOnRead> = array(0x08704, 8, 16);
/// Statistics set of each receive queue, four a register.
pub const RQSMR: RegArray<ReadWrite> = array(0x02300, 4, 32);
/// Statistics set of each transmit queue, four a register.
pub const TQSM: RegArray<ReadWrite> = array(0x08600, 4, 32);
