//! The PHY on the chip, over its management bus, which the firmware uses too.

use gannet_bus::Device;
use gannet_spec::phy::{ADDRESS, ANAR, BMCR, Bmcr, GBCR, Mdic, PhyReg};
use gannet_spec::x82574::phy::{BIAS_1, BIAS_2};
use gannet_spec::x82574::regs::*;
use gannet_spec::{Readable, Writable};

use crate::mmio::{Mmio, Patience};
use crate::{Error, Result};

/// Firmware keeps the bus for milliseconds.
const OWNERSHIP_PATIENCE: Patience = Patience { looks: 10, every_us: 2_000 };

/// An access takes 64 us on the wire.
const ACCESS_PATIENCE: Patience = Patience { looks: 1_920, every_us: 50 };

/// Takes the management bus and the NVM from the firmware. A reset gives them back, and so does [`disown`].
pub(crate) fn own<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    mmio.modify(EXTCNF_CTRL, |value| value.with_software_owns_mdio(true));
    let owned = mmio.wait("the firmware to let go of the PHY", EXTCNF_CTRL, OWNERSHIP_PATIENCE, |value| {
        // While the firmware owns it the bit reads 0, and what is written is lost.
        if !value.software_owns_mdio() {
            mmio.write(EXTCNF_CTRL, value.with_software_owns_mdio(true));
        }
        value.software_owns_mdio()
    });
    owned.map(|_| ())
}

pub(crate) fn disown<D: Device>(mmio: &Mmio<D>) {
    mmio.modify(EXTCNF_CTRL, |value| value.with_software_owns_mdio(false));
}

/// Runs `work` while software owns the PHY and the NVM.
pub(crate) fn owning<D: Device, T>(mmio: &Mmio<D>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    own(mmio)?;
    let outcome = work();
    disown(mmio);
    outcome
}

/// Negotiates the link anew: all speeds that the PHY advertises by itself, pause frames both ways.
pub(crate) fn start_link<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    owning(mmio, || {
        write(mmio, BIAS_1, 0x0003)?;
        write(mmio, BIAS_2, 0x0000)?;
        // A PHY that the last driver has switched off wakes up here.
        reset(mmio)?;
        let capabilities = read(mmio, ANAR)?;
        write(mmio, ANAR, capabilities.with_pause(true).with_asymmetric_pause(false))?;
        let gigabit = read(mmio, GBCR)?;
        write(mmio, GBCR, gigabit.with_full_1000(true))?;
        write(mmio, BMCR, Bmcr::new().with_negotiate(true).with_restart_negotiation(true))
    })
}

/// Has the PHY take over what has been written (22.2.4.1.1: half a second at most).
fn reset<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    const LOOKS: u64 = 500;
    write(mmio, BMCR, Bmcr::new().with_negotiate(true).with_reset(true))?;
    for _ in 0..LOOKS {
        if !read(mmio, BMCR)?.reset() {
            return Ok(());
        }
        mmio.delay_us(1_000);
    }
    Err(Error::Timeout { port: mmio.name().to_owned(), what: "the PHY's reset", waited_us: LOOKS * 1_000 })
}

fn read<D: Device, A: Readable, V: From<u16>>(mmio: &Mmio<D>, register: PhyReg<A, V>) -> Result<V> {
    Ok(V::from(access(mmio, Mdic::new().with_read(true).with_register(register.number()))?.data()))
}

fn write<D: Device, A: Writable, V: Into<u16>>(mmio: &Mmio<D>, register: PhyReg<A, V>, value: V) -> Result<()> {
    let write = Mdic::new().with_write(true).with_register(register.number());
    access(mmio, write.with_data(value.into())).map(|_| ())
}

/// One access (10.2.2.7). A PHY that does not answer sets the error bit, and that does not go away by itself.
fn access<D: Device>(mmio: &Mmio<D>, command: Mdic) -> Result<Mdic> {
    mmio.write(MDIC, command.with_phy(ADDRESS));
    mmio.wait("an answer of the PHY", MDIC, ACCESS_PATIENCE, |value| {
        value.ready() && !value.error() && value.register() == command.register()
    })
}
