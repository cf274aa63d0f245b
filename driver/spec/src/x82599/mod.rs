//! Intel 82599 and X540, 10 Gb/s.
//!
//! Section numbers are those of the "Intel 82599 10 GbE Controller Datasheet"; the register groups are 8.2.3.1 to 8.2.3.27.

pub mod context;
pub mod desc;
pub mod eeprom;
pub mod names;
pub mod regs;

/// 82599 with an SFP+ cage, the common board.
pub const DEVICE_82599_SFP: u16 = 0x10FB;

/// Queues of each direction in hardware.
pub const QUEUES: u32 = 128;

/// Descriptors that the on-chip transmit ring holds (7.2.3.4): a packet may use at most this many less TXDCTL.WTHRESH.
pub const TX_ON_CHIP_DESCRIPTORS: u32 = 40;
