//! The PHY's bus and the NVM, which the firmware uses too (EXTCNF_CTRL).

use gannet_bus::Device;
use gannet_spec::x82574::phy::{BIAS_1, BIAS_2};
use gannet_spec::x82574::regs::EXTCNF_CTRL;

use crate::mmio::{Mmio, Patience};
use crate::{Result, phy};

/// Firmware keeps them for milliseconds.
const PATIENCE: Patience = Patience { looks: 10, every_us: 2_000 };

/// Takes PHY and NVM from the firmware. A reset gives them back, and so does [`disown`].
pub(crate) fn own<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    let request = || mmio.modify(EXTCNF_CTRL, |value| value.with_software_owns_mdio(true));
    request();
    let owned = mmio.wait("the firmware to let go of the PHY", EXTCNF_CTRL, PATIENCE, |value| {
        // A request while the firmware owns them is lost.
        if !value.software_owns_mdio() {
            request();
        }
        value.software_owns_mdio()
    });
    owned.map(|_| ())
}

pub(crate) fn disown<D: Device>(mmio: &Mmio<D>) {
    mmio.modify(EXTCNF_CTRL, |value| value.with_software_owns_mdio(false));
}

/// Runs `work` while PHY and NVM are ours.
pub(crate) fn owning<D: Device, T>(mmio: &Mmio<D>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    own(mmio)?;
    let outcome = work();
    disown(mmio);
    outcome
}

/// Establishes the link anew.
pub(crate) fn start_link<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    owning(mmio, || {
        phy::select_standard_page(mmio)?;
        phy::write(mmio, BIAS_1, 0x0003)?;
        phy::write(mmio, BIAS_2, 0x0000)?;
        phy::reset(mmio)?;
        phy::negotiate(mmio)
    })
}
