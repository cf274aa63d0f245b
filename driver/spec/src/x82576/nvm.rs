//! Words of the NVM (chapter 6), read through EERD.

use super::Chip;

/// Words 0 to 2: the MAC address of port 0, low byte first, as in RAL/RAH. The address of the 82576's second port has the lowest bit of the
/// last byte inverted; an I350 has an address in each port's block ([`port_block`]).
pub const MAC_ADDRESS: u16 = 0x00;

/// Pointer to alternate MAC addresses, three words a port; 0 and 0xFFFF mean none.
pub const ALTERNATE_MAC_POINTER: u16 = 0x37;

/// Checksum word: it and the 63 before it add up to [`CHECKSUM_SUM`] modulo 2^16.
pub const CHECKSUM: u16 = 0x3F;

/// What the checksum makes the sum.
pub const CHECKSUM_SUM: u16 = 0xBABA;

/// First word of the block that belongs to `port`. A block is laid out like the first one, checksum included.
pub const fn port_block(chip: Chip, port: u8) -> u16 {
    match (chip, port) {
        (Chip::I350, 1..) => 0x40 + 0x40 * port as u16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_i350_has_a_block_for_each_port() {
        assert_eq!([0, 1, 3].map(|port| port_block(Chip::I350, port)), [0, 0x80, 0x100]);
        assert_eq!(port_block(Chip::I82576, 1), 0);
    }
}
