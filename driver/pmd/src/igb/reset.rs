//! From any state to a card that has just been reset (4.2.1.6, 5.2.3.3).

use gannet_bus::Device;
use gannet_spec::x82576::regs::*;

use super::interrupts;
use crate::mmio::{Mmio, Patience};
use crate::{Error, Result, gigabit};

/// What the card needs to end the frames that it is receiving and sending.
const ENGINES_SETTLE_US: u64 = 10_000;

/// Stops the engines and the bus master, resets the card and waits until it has configured itself.
pub(crate) fn reset<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    if let Err(why) = gigabit::disable_master(mmio) {
        // The reset ends the requests of a master that does not stop.
        mmio.check_present()?;
        tracing::warn!("{why}: going on with the reset");
    }
    interrupts::mask_all(mmio);
    mmio.modify(RCTL, |value| value.with_enable(false));
    mmio.modify(TCTL, |value| value.with_enable(false));
    mmio.read(STATUS);
    mmio.delay_us(ENGINES_SETTLE_US);

    mmio.modify(CTRL, |value| value.with_reset(true));
    // 4.2.1.6.1: no access for a millisecond.
    mmio.delay_us(1_000);
    mmio.wait("the end of the reset", CTRL, Patience { looks: 10, every_us: 1_000 }, |value| !value.reset())?;
    wait_for_nvm(mmio)?;
    // The reset unmasks nothing, but the firmware may have.
    interrupts::mask_all(mmio);
    Ok(())
}

/// Waits for the card to load its configuration. A card without an NVM (an I210 without flash, QEMU's model) never says that it has.
fn wait_for_nvm<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    let patience = Patience { looks: 20, every_us: 1_000 };
    match mmio.wait("the NVM's automatic read", EECD, patience, |value| value.auto_read_done()) {
        Err(Error::Timeout { .. }) => Ok(()),
        outcome => outcome.map(|_| ()),
    }
}
