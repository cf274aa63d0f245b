//! The NVM: whether it can be trusted, and the address that it gives the port.

use gannet_bus::Device;
use gannet_spec::x82576::regs::*;
use gannet_spec::x82576::{Chip, nvm};

use crate::family::port_address;
use crate::filter::MacAddress;
use crate::gigabit::read_word;
use crate::lock::Lock;
use crate::mmio::Mmio;
use crate::{Error, Result};

const LOCK: Lock = super::lock("the NVM", resource::NVM);

/// Checks the NVM and returns the port's address.
///
/// The card has loaded its address from the NVM itself, which is right for every chip and every port of it.
pub(crate) fn mac_address<D: Device>(mmio: &Mmio<D>, chip: Chip, port: u8) -> Result<MacAddress> {
    let loaded = loaded_address(mmio);
    let mac = if has_words(mmio, chip)? {
        LOCK.hold(mmio, || {
            verify_checksum(mmio, chip, port)?;
            alternate_address(mmio, chip, port)
        })?
        .unwrap_or(loaded)
    } else {
        loaded
    };
    port_address(mmio, mac)
}

fn bad<D: Device>(mmio: &Mmio<D>, reason: String) -> Error {
    Error::Eeprom { port: mmio.name().to_owned(), reason }
}

/// Whether there are words to read. An I210 or I211 without flash has its configuration in fuses, which EERD does not show.
fn has_words<D: Device>(mmio: &Mmio<D>, chip: Chip) -> Result<bool> {
    let eecd: Eecd = mmio.read(EECD);
    match chip {
        Chip::I210 | Chip::I211 => Ok(eecd.flash_present()),
        Chip::I82576 | Chip::I350 if eecd.present() => Ok(true),
        Chip::I82576 | Chip::I350 => Err(bad(mmio, "none is present".into())),
    }
}

fn loaded_address<D: Device>(mmio: &Mmio<D>) -> MacAddress {
    let low = mmio.read(RAL.get(0)).to_le_bytes();
    let high = mmio.read(RAH.get(0)).bytes().to_le_bytes();
    [low[0], low[1], low[2], low[3], high[0], high[1]]
}

/// An address that replaces the card's own, which the machine's maker may have put there. Only the 82576 leaves that to drivers.
fn alternate_address<D: Device>(mmio: &Mmio<D>, chip: Chip, port: u8) -> Result<Option<MacAddress>> {
    if chip != Chip::I82576 {
        return Ok(None);
    }
    let first = match read_word(mmio, nvm::ALTERNATE_MAC_POINTER)? {
        0 | 0xFFFF => return Ok(None),
        pointer => pointer.wrapping_add(3 * u16::from(port)),
    };
    let mut mac = [0; 6];
    for (bytes, offset) in mac.chunks_exact_mut(2).zip(0..) {
        bytes.copy_from_slice(&read_word(mmio, first.wrapping_add(offset))?.to_le_bytes());
    }
    // A group's address: the place is there, and empty.
    Ok((mac[0] & 1 == 0).then_some(mac))
}

/// The sum over the port's 64 words.
fn verify_checksum<D: Device>(mmio: &Mmio<D>, chip: Chip, port: u8) -> Result<()> {
    let first = nvm::port_block(chip, port);
    let mut sum = 0u16;
    for offset in 0..=nvm::CHECKSUM {
        sum = sum.wrapping_add(read_word(mmio, first + offset)?);
    }
    if sum != nvm::CHECKSUM_SUM {
        let expected = nvm::CHECKSUM_SUM;
        return Err(bad(mmio, format!("its words from {first:#x} on add up to {sum:#06x} instead of {expected:#06x}")));
    }
    Ok(())
}
