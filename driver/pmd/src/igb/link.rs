//! The link, over the built-in copper PHY.

use gannet_bus::Device;
use gannet_spec::x82576::Chip;
use gannet_spec::x82576::regs::*;

use crate::mmio::Mmio;
use crate::{Error, Result, gigabit, phy};

/// # Errors
/// The port is not a copper port with the built-in PHY.
pub(crate) fn check_medium<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    let medium = match mmio.read(CTRL_EXT).link_mode() {
        0 => return Ok(()),
        1 => "1000BASE-KX backplane",
        2 => "SGMII",
        _ => "SerDes",
    };
    Err(Error::Medium { port: mmio.name().to_owned(), medium })
}

/// Negotiates anew. The link comes up a few seconds later.
pub(crate) fn start<D: Device>(mmio: &Mmio<D>, chip: Chip, port: u8) -> Result<()> {
    mmio.modify(CTRL, gigabit::follow_phy);
    if chip != Chip::I82576 {
        mmio.modify(PHPM, |value| value.with_link_disconnect(false).with_low_power_d0(false));
    }
    super::lock("the PHY", resource::PHY[usize::from(port)]).hold(mmio, || {
        if matches!(chip, Chip::I210 | Chip::I211) {
            phy::select_standard_page(mmio)?;
        }
        phy::negotiate(mmio)
    })
}
