//! From any state to a card that has just been reset, and its NVM.

use gannet_bus::Device;
use gannet_spec::x82574::nvm;
use gannet_spec::x82574::regs::*;

use super::firmware::{disown, own, owning};
use super::interrupts;
use crate::family::port_address;
use crate::filter::MacAddress;
use crate::gigabit::{disable_master, read_word};
use crate::mmio::{Mmio, Patience};
use crate::{Error, Result};

/// Value of EECD's NVM type that means flash.
const FLASH: u8 = 3;

/// How often the NVM is read before its checksum counts as wrong: the vendor's drivers have seen a first reading fail.
const NVM_READINGS: u32 = 2;

/// Stops the card, resets it and waits until it has configured itself.
pub(crate) fn reset<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    // A semaphore of a driver that was killed: nobody else drives the card now.
    mmio.write(SWSM, Swsm::new());
    interrupts::mask_all(mmio);
    mmio.write(RCTL, Rctl::new());
    mmio.modify(TCTL, |value| value.with_enable(false));
    mmio.read(STATUS);
    mmio.delay_us(10_000);
    if let Err(why) = disable_master(mmio) {
        mmio.check_present()?;
        tracing::debug!("{why}: resetting it all the same");
    }
    software_reset(mmio)?;
    // After the end of the automatic read: the firmware configures the PHY meanwhile.
    mmio.delay_us(25_000);
    interrupts::mask_all(mmio);
    Ok(())
}

/// Divides the packet buffer: takes a reset, unless it is divided so already.
pub(crate) fn divide<D: Device>(mmio: &Mmio<D>, packet_buffer: Pba) -> Result<()> {
    if mmio.read(PBA).rx_kib() == packet_buffer.rx_kib() {
        return Ok(());
    }
    mmio.write(PBA, packet_buffer);
    reset(mmio)
}

fn software_reset<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    // So that the firmware is not in the middle of an access to the PHY. It may hang, and the reset mends that.
    if let Err(why) = own(mmio) {
        mmio.check_present()?;
        tracing::debug!("{why}: resetting it all the same");
    }
    mmio.modify(CTRL, |value| value.with_reset(true));
    // No access for a millisecond.
    mmio.delay_us(1_000);
    let ended =
        mmio.wait("the end of the reset", CTRL, Patience { looks: 10, every_us: 1_000 }, |value| !value.reset());
    disown(mmio);
    ended?;
    if mmio.read(EECD).nvm_type() == FLASH {
        // The reset does not load the configuration from flash.
        mmio.delay_us(10);
        mmio.modify(CTRL_EXT, |value| value.with_nvm_reload(true));
    }
    mmio.wait("the NVM's automatic read", EECD, Patience { looks: 10, every_us: 1_000 }, |eecd| eecd.auto_read_done())?;
    Ok(())
}

/// Checks the NVM and returns the address that it gives the port.
pub(crate) fn read_mac_address<D: Device>(mmio: &Mmio<D>) -> Result<MacAddress> {
    let words = owning(mmio, || read_words(mmio))?;
    let sum = checksum(&words);
    if sum != nvm::CHECKSUM_SUM {
        let reason = format!("its words add up to {sum:#06x} instead of {:#06x}", nvm::CHECKSUM_SUM);
        return Err(Error::Eeprom { port: mmio.name().to_owned(), reason });
    }
    let mut mac = [0; 6];
    for (bytes, word) in mac.chunks_exact_mut(2).zip(&words[usize::from(nvm::MAC_ADDRESS)..]) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    port_address(mmio, mac)
}

type NvmWords = [u16; nvm::CHECKSUM as usize + 1];

fn checksum(words: &NvmWords) -> u16 {
    words.iter().fold(0, |sum, word| sum.wrapping_add(*word))
}

/// All words that the checksum covers (6.1).
fn read_words<D: Device>(mmio: &Mmio<D>) -> Result<NvmWords> {
    let mut words = [0; _];
    for _ in 0..NVM_READINGS {
        for (word, address) in words.iter_mut().zip(0..) {
            *word = read_word(mmio, address)?;
        }
        if checksum(&words) == nvm::CHECKSUM_SUM {
            break;
        }
    }
    Ok(words)
}
