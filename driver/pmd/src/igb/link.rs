//! The link: a copper PHY, reached over the management bus.

use gannet_bus::Device;
use gannet_spec::phy::{self, ANAR, BMCR, Mdic, PhyReg};
use gannet_spec::x82576::Chip;
use gannet_spec::x82576::regs::*;
use gannet_spec::{Readable, Writable};

use crate::mmio::{Mmio, Patience};
use crate::port::Link;
use crate::{Error, Result};

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
    super::lock("the PHY", resource::PHY[usize::from(port)]).hold(mmio, || {
        modify(mmio, ANAR, |value| value.with_pause(true).with_asymmetric_pause(true))?;
        modify(mmio, BMCR, |value| {
            let awake = value.with_power_down(false).with_isolate(false).with_loopback(false);
            awake.with_negotiate(true).with_restart_negotiation(true)
        })
    })
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

fn modify<D, A, V>(mmio: &Mmio<D>, register: PhyReg<A, V>, change: impl FnOnce(V) -> V) -> Result<()>
where
    D: Device,
    A: Readable + Writable,
    V: From<u16> + Into<u16>,
{
    let address = Mdic::new().with_phy(phy::ADDRESS).with_register(register.number());
    let value = access(mmio, address.with_read(true))?.data();
    access(mmio, address.with_write(true).with_data(change(value.into()).into()))?;
    Ok(())
}

/// One access to the management bus. One that fails is waited for in vain: its error bit stays.
fn access<D: Device>(mmio: &Mmio<D>, request: Mdic) -> Result<Mdic> {
    mmio.write(MDIC, request);
    let patience = Patience { looks: 1_920, every_us: 50 };
    mmio.wait("an answer of the PHY", MDIC, patience, |answer| answer.ready() && !answer.error())
}
