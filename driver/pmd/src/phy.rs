//! The copper PHY of the gigabit controllers, over its management bus. The firmware uses the bus too: whoever calls owns it.

use gannet_bus::Device;
use gannet_spec::phy::{ADDRESS, ANAR, BMCR, Bmcr, GBCR, MDIC, Mdic, PAGE, PhyReg};
use gannet_spec::{Readable, Writable};

use crate::mmio::{Mmio, Patience};
use crate::{Error, Result};

/// An access takes 64 us on the wire.
const ACCESS_PATIENCE: Patience = Patience { looks: 1_920, every_us: 50 };

/// Selects the page of the standard registers, for PHYs with pages ([`PAGE`]): whoever had the card before may have left another one.
pub(crate) fn select_standard_page<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    write(mmio, PAGE, 0)
}

/// Negotiates the link anew: all speeds that the PHY advertises by itself, 1 Gb/s, and pause frames both ways. A PHY that was powered
/// down wakes up.
pub(crate) fn negotiate<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    write(mmio, ANAR, read(mmio, ANAR)?.with_pause(true).with_asymmetric_pause(false))?;
    write(mmio, GBCR, read(mmio, GBCR)?.with_full_1000(true))?;
    write(mmio, BMCR, Bmcr::new().with_negotiate(true).with_restart_negotiation(true))
}

/// Has the PHY take over what has been written to its own registers (22.2.4.1.1: half a second at most).
pub(crate) fn reset<D: Device>(mmio: &Mmio<D>) -> Result<()> {
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

pub(crate) fn write<D: Device, A, V>(mmio: &Mmio<D>, register: PhyReg<A, V>, value: V) -> Result<()>
where
    A: Writable,
    V: Into<u16>,
{
    let write = Mdic::new().with_write(true).with_register(register.number());
    access(mmio, write.with_data(value.into())).map(|_| ())
}

/// One access. The error bit is final: it does not go away by itself.
fn access<D: Device>(mmio: &Mmio<D>, command: Mdic) -> Result<Mdic> {
    mmio.write(MDIC, command.with_phy(ADDRESS));
    let answer = mmio.wait("an answer of the PHY", MDIC, ACCESS_PATIENCE, |value| {
        value.ready() && (value.error() || value.register() == command.register())
    })?;
    if answer.error() {
        return Err(Error::Phy { port: mmio.name().to_owned(), register: command.register() });
    }
    Ok(answer)
}
