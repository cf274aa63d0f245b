//! Words of the EEPROM (6.2, 6.3), read through EERD.

/// Words 0 to 2: the MAC address, low byte first, as in RAL/RAH.
pub const MAC_ADDRESS: u16 = 0x00;

/// Words 3 to 0xE point to sections that the checksum covers; 0 and 0xFFFF mean none.
pub const FIRST_POINTER: u16 = 0x03;

/// Pointer to the firmware module; not part of the checksum.
pub const FIRMWARE_POINTER: u16 = 0x0F;

/// Pointer to the SFP+ initialisation list.
pub const SFP_INIT_LIST: u16 = 0x2B;

/// Device capabilities: bit 0 allows any SFP+ module.
pub const DEVICE_CAPS: u16 = 0x2C;

/// Checksum word: words 0 to 0x3F and all sections add up to [`CHECKSUM_SUM`] modulo 2^16 (6.2.6).
pub const CHECKSUM: u16 = 0x3F;

/// What the checksum makes the sum.
pub const CHECKSUM_SUM: u16 = 0xBABA;
