//! Intel 82574L, 1 Gb/s, copper: QEMU's e1000e.
//!
//! Section numbers are those of the "Intel 82574 GbE Controller Family Datasheet"; the register groups are 10.2.2 to 10.2.7. Bits that
//! the datasheet reserves and the vendor's drivers must set nevertheless are marked so.

pub mod desc;
pub mod names;
pub mod nvm;
pub mod phy;
pub mod regs;

/// 82574L.
pub const DEVICE_82574L: u16 = 0x10D3;

/// 82574LA: the same for software.
pub const DEVICE_82574LA: u16 = 0x10F6;

/// Queues of each direction in hardware.
pub const QUEUES: u32 = 2;

/// MSI-X vectors.
pub const VECTORS: u32 = 5;

/// Packet buffer in KiB, which [`regs::PBA`] divides between receive and transmit.
pub const PACKET_BUFFER_KIB: u16 = 40;
