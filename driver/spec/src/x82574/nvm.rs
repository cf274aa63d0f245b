//! Words of the NVM (6.1), read through [`super::regs::EERD`].

/// Words 0 to 2: the MAC address, low byte first, as in RAL and RAH.
pub const MAC_ADDRESS: u16 = 0x00;

/// Checksum word: words 0 to 0x3F add up to [`CHECKSUM_SUM`] modulo 2^16.
pub const CHECKSUM: u16 = 0x3F;

/// What the checksum makes the sum.
pub const CHECKSUM_SUM: u16 = 0xBABA;
