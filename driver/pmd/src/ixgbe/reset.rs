//! From any state to a card that has just been reset (4.2.1, 5.2.5.3.2, 4.6.3), and its EEPROM.

use gannet_bus::Device;
use gannet_spec::x82599::QUEUES;
use gannet_spec::x82599::eeprom;
use gannet_spec::x82599::regs::*;

use super::Kind;
use crate::family::port_address;
use crate::filter::MacAddress;
use crate::mmio::{Mmio, Patience};
use crate::{Error, Result};

/// Stops all queues and the bus master, resets the card and waits until it has configured itself.
pub(crate) fn reset<D: Device>(mmio: &Mmio<D>, kind: Kind) -> Result<()> {
    mask_interrupts(mmio);
    stop_queues(mmio);
    let stuck = disable_master(mmio).is_err();
    if stuck {
        clear_buffers(mmio);
    }
    software_reset(mmio, kind)?;
    if stuck {
        // A master that did not stop makes a second reset necessary (5.2.5.3.2).
        software_reset(mmio, kind)?;
    }
    mmio.wait("the EEPROM's automatic read", EEC, Patience { looks: 100, every_us: 1_000 }, |eec| {
        eec.auto_read_done()
    })?;
    mmio.wait("the DMA engine's initialisation", RDRXCTL, Patience { looks: 100, every_us: 1_000 }, |value| {
        value.dma_init_done()
    })?;
    // 4.6.3.1: disable - reset - disable.
    mask_interrupts(mmio);
    Ok(())
}

fn mask_interrupts<D: Device>(mmio: &Mmio<D>) {
    // Bit 31 is reserved.
    mmio.write(EIMC, 0x7FFF_FFFF);
    for index in 0..EIMC_EX.count() {
        mmio.write(EIMC_EX.get(index), u32::MAX);
    }
    // Reading a register flushes the posted writes; reading this one clears what was pending.
    mmio.read(EICR);
}

/// Disables all 128 queues of each direction (4.5.6).
fn stop_queues<D: Device>(mmio: &Mmio<D>) {
    mmio.modify(RXCTRL, |value| value.with_enable(false));
    for queue in 0..QUEUES {
        mmio.write(TXDCTL.get(queue), Txdctl::new().with_flush(true));
        mmio.modify(RXDCTL.get(queue), |value| value.with_enable(false));
    }
    mmio.read(STATUS);
    mmio.delay_us(2_000);
}

/// Master disable (5.2.5.3.2): no new requests, and wait for the outstanding ones.
fn disable_master<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    mmio.modify(CTRL, |value| value.with_master_disable(true));
    mmio.wait("the bus master to stop", STATUS, Patience { looks: 800, every_us: 100 }, |value| {
        !value.master_enabled()
    })?;
    Ok(())
}

/// Flushes a transmit path that keeps the master busy (5.2.5.3.2).
fn clear_buffers<D: Device>(mmio: &Mmio<D>) {
    let hlreg0: Hlreg0 = mmio.read(HLREG0);
    let gcr_ext: GcrExt = mmio.read(GCR_EXT);
    mmio.write(HLREG0, hlreg0.with_loopback(true));
    mmio.write(GCR_EXT, gcr_ext.with_buffers_clear(true));
    mmio.read(STATUS);
    mmio.delay_us(20);
    mmio.write(HLREG0, hlreg0);
    mmio.write(GCR_EXT, gcr_ext);
}

fn software_reset<D: Device>(mmio: &Mmio<D>, kind: Kind) -> Result<()> {
    mmio.modify(CTRL, |value| value.with_reset(true));
    // 8.2.3.1.1: no access for a millisecond. The bit clears much earlier; the rest of the wait is for what the reset set in motion
    // (firmware, MAC, PHY): the datasheet asks for 10 ms, the vendor's own drivers take 50, and 100 on the X540.
    mmio.delay_us(1_000);
    mmio.wait("the end of the reset", CTRL, Patience { looks: 10, every_us: 1_000 }, |value| !value.reset())?;
    mmio.delay_us(kind.reset_settle_us());
    Ok(())
}

/// Checks the EEPROM and returns the address that it gives the port.
pub(crate) fn read_mac_address<D: Device>(mmio: &Mmio<D>, kind: Kind) -> Result<MacAddress> {
    let bad = |reason: String| Error::Eeprom { port: mmio.name().to_owned(), reason };
    if !mmio.read(EEC).present() {
        return Err(bad("none is present".into()));
    }
    let firmware_error = mmio.read(FWSM).error();
    if firmware_error != 0 {
        return Err(bad(format!("the firmware reports error {firmware_error}")));
    }
    // The X540 sums over other sections, which its public documentation does not list.
    if kind == Kind::X82599 {
        verify_checksum(mmio)?;
    }
    let mut mac = [0; 6];
    for (bytes, word) in mac.chunks_exact_mut(2).zip(eeprom::MAC_ADDRESS..) {
        bytes.copy_from_slice(&read_word(mmio, word)?.to_le_bytes());
    }
    port_address(mmio, mac)
}

/// One 16-bit word through EERD (8.2.3.2.2), whose address field is 14 bits wide.
fn read_word<D: Device>(mmio: &Mmio<D>, address: u16) -> Result<u16> {
    const WORDS: u16 = 1 << 14;
    if address >= WORDS {
        let reason = format!("a section reaches word {address:#06x}, it has {WORDS:#06x} at most");
        return Err(Error::Eeprom { port: mmio.name().to_owned(), reason });
    }
    mmio.write(EERD, Eerd::new().with_start(true).with_address(address));
    let patience = Patience { looks: 10_000, every_us: 5 };
    Ok(mmio.wait("a word of the EEPROM", EERD, patience, |value| value.done())?.data())
}

/// The sum of words 0 to 0x3F and of all sections they point to, firmware excluded, is 0xBABA (6.2.6).
fn verify_checksum<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    let mut sum = 0u16;
    for address in 0..=eeprom::CHECKSUM {
        let word = read_word(mmio, address)?;
        sum = sum.wrapping_add(word);
        let is_pointer = (eeprom::FIRST_POINTER..eeprom::FIRMWARE_POINTER).contains(&address);
        if is_pointer && word != 0 && word != 0xFFFF {
            let length = read_word(mmio, word)?;
            if length != 0 && length != 0xFFFF {
                for offset in 1..=length {
                    sum = sum.wrapping_add(read_word(mmio, word.wrapping_add(offset))?);
                }
            }
        }
    }
    if sum != eeprom::CHECKSUM_SUM {
        let reason = format!("its words add up to {sum:#06x} instead of {:#06x}", eeprom::CHECKSUM_SUM);
        return Err(Error::Eeprom { port: mmio.name().to_owned(), reason });
    }
    Ok(())
}
