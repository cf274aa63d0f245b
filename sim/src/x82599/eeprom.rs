//! The EEPROM's words (datasheet 6.2, 6.3).

use gannet_spec::x82599::eeprom;

/// Words that the model holds: the rest reads as erased.
const WORDS: usize = 0x100;

// Where the model keeps its modules: anywhere past the words that the checksum covers.
const FIRMWARE: u16 = 0x50;
const FIRMWARE_PATCH: u16 = 0x60;
const SFP_LIST: u16 = 0x70;
const SFP_COMMANDS: u16 = 0x90;

/// Firmware below version 6 counts as pre-production: DPDK then refuses the card.
const FIRMWARE_VERSION: u16 = 7;
/// No pointer.
const NONE: u16 = 0xFFFF;

/// Non-volatile configuration of one card.
#[derive(Debug)]
pub(super) struct Eeprom {
    words: Vec<u16>,
}

impl Eeprom {
    /// Content that the drivers of Intel, Linux and DPDK accept, for a card with this address.
    pub(super) fn new(mac: [u8; 6]) -> Eeprom {
        let mut eeprom = Eeprom { words: vec![NONE; WORDS] };
        for (index, pair) in mac.chunks_exact(2).enumerate() {
            eeprom.set(eeprom::MAC_ADDRESS + index as u16, u16::from_le_bytes([pair[0], pair[1]]));
        }
        // Capabilities: any SFP+ module, and no work-around for crosstalk in an empty cage.
        eeprom.set(eeprom::DEVICE_CAPS, 1 << 0 | 1 << 7);
        // The driver follows firmware module -> patch module -> version.
        eeprom.set(eeprom::FIRMWARE_POINTER, FIRMWARE);
        eeprom.set(FIRMWARE + 4, FIRMWARE_PATCH);
        eeprom.set(FIRMWARE_PATCH + 7, FIRMWARE_VERSION);
        // Pairs of SFP+ type and pointer to its CORECTL words, from the word after the start on; 0xFFFF ends both lists.
        eeprom.set(eeprom::SFP_INIT_LIST, SFP_LIST);
        for kind in 0..=13 {
            eeprom.set(SFP_LIST + 1 + 2 * kind, kind);
            eeprom.set(SFP_LIST + 2 + 2 * kind, SFP_COMMANDS);
        }
        eeprom.seal();
        eeprom
    }

    fn set(&mut self, address: u16, word: u16) {
        self.words[usize::from(address)] = word;
    }

    fn seal(&mut self) {
        // No section pointers are used, so the checksum covers words 0 to 0x3E only (6.2.6).
        let covered = &self.words[..usize::from(eeprom::CHECKSUM)];
        let sum = covered.iter().fold(0_u16, |sum, word| sum.wrapping_add(*word));
        self.set(eeprom::CHECKSUM, eeprom::CHECKSUM_SUM.wrapping_sub(sum));
    }

    /// Word `address`; erased beyond the end.
    pub(super) fn word(&self, address: u16) -> u16 {
        self.words.get(usize::from(address)).copied().unwrap_or(NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_holds_and_the_firmware_chain_leads_somewhere() {
        let eeprom = Eeprom::new([0x02, 0, 0, 0, 0, 1]);
        let sum = (0..=eeprom::CHECKSUM).fold(0_u16, |sum, address| sum.wrapping_add(eeprom.word(address)));
        assert_eq!(sum, eeprom::CHECKSUM_SUM);
        let module = eeprom.word(eeprom::FIRMWARE_POINTER);
        assert!(eeprom.word(eeprom.word(module + 4) + 7) > 5);
        assert_eq!(eeprom.word(0x3FFF), 0xFFFF);
    }
}
