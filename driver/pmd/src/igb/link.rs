//! The link, over the built-in copper PHY.

use gannet_bus::Device;
use gannet_spec::x82576::Chip;
use gannet_spec::x82576::regs::*;

use crate::mmio::Mmio;
use crate::port::Link;
use crate::{Error, Result, phy};

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
    mmio.modify(CTRL, |value| {
        // Speed and duplex come from the PHY. Pause frames both ways: a partner that has not agreed to them sends none and ignores ours.
        let from_phy = value.with_set_link_up(true).with_force_speed(false).with_force_duplex(false);
        from_phy.with_rx_pause(true).with_tx_pause(true)
    });
    if chip != Chip::I82576 {
        mmio.modify(PHPM, |value| value.with_link_disconnect(false).with_low_power_d0(false));
    }
    super::lock("the PHY", resource::PHY[usize::from(port)]).hold(mmio, || phy::negotiate(mmio))
}

/// As the MAC sees it.
pub(crate) fn state<D: Device>(mmio: &Mmio<D>) -> Link {
    let status: Status = mmio.read(STATUS);
    // All ones is a card that is gone, not one with a perfect link.
    if !status.link_up() || u32::from(status) == u32::MAX {
        return Link::Down;
    }
    let mbps = match status.speed() {
        0 => 10,
        1 => 100,
        _ => 1_000,
    };
    Link::Up { mbps }
}
