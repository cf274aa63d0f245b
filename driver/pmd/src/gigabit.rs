//! What the gigabit controllers (igb, e1000e) do in the same way: master disable, NVM words, pause frames, the link as the MAC sees it,
//! statistics.

use gannet_bus::Device;
use gannet_spec::gigabit::*;
use gannet_spec::{ClearOnRead, Reg};

use crate::family::PAUSE_TIME;
use crate::mmio::{Mmio, Patience};
use crate::port::Link;
use crate::stats::PortStats;
use crate::{Error, Result};

/// Master disable (82576 5.2.3.3): no new requests, and wait for the outstanding ones.
pub(crate) fn disable_master<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    mmio.modify(CTRL, |value| value.with_master_disable(true));
    mmio.wait("the bus master to stop", STATUS, Patience { looks: 800, every_us: 100 }, |value| {
        !value.master_enabled()
    })?;
    Ok(())
}

/// One 16-bit word of the NVM through EERD, whose address field is 14 bits wide.
pub(crate) fn read_word<D: Device>(mmio: &Mmio<D>, address: u16) -> Result<u16> {
    const WORDS: u16 = 1 << 14;
    if address >= WORDS {
        let reason = format!("a pointer leads to word {address:#06x}, it has {WORDS:#06x} at most");
        return Err(Error::Eeprom { port: mmio.name().to_owned(), reason });
    }
    mmio.write(EERD, Eerd::new().with_start(true).with_address(address));
    let patience = Patience { looks: 10_000, every_us: 5 };
    Ok(mmio.wait("a word of the NVM", EERD, patience, |value| value.done())?.data())
}

/// What IEEE 802.3x pause frames look like: they go to 01-80-C2-00-00-01, with the Ethertype of MAC control. When they are sent is the
/// family's business.
pub(crate) fn pause_frames<D: Device>(mmio: &Mmio<D>) {
    mmio.write(FCAL, 0x00C2_8001);
    mmio.write(FCAH, 0x0100);
    mmio.write(FCT, 0x8808);
    mmio.write(FCTTV, PAUSE_TIME);
}

/// Has the MAC follow the PHY. Pause frames go both ways, as the PHY advertises: a partner that has not agreed to them sends none and ignores
/// ours.
pub(crate) fn follow_phy(control: Ctrl) -> Ctrl {
    let from_phy = control.with_set_link_up(true).with_force_speed(false).with_force_duplex(false);
    from_phy.with_rx_pause(true).with_tx_pause(true)
}

/// The link as the MAC sees it.
pub(crate) fn link<D: Device>(mmio: &Mmio<D>) -> Link {
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

/// A 64-bit counter: the low half first, as reading the high half clears both.
fn pair<D: Device>(mmio: &Mmio<D>, low: Reg<ClearOnRead>, high: Reg<ClearOnRead>) -> u64 {
    let low = u64::from(mmio.read(low));
    low | u64::from(mmio.read(high)) << 32
}

/// Adds what the port's counters have counted since the last time to `stats`: reading clears them. Pause frames are in none of the other
/// counters.
pub(crate) fn count<D: Device>(mmio: &Mmio<D>, stats: &mut PortStats) {
    let read = |register| u64::from(mmio.read(register));
    stats.rx_packets += read(GPRC);
    stats.rx_bytes += pair(mmio, GORCL, GORCH);
    stats.rx_broadcast += read(BPRC);
    stats.rx_multicast += read(MPRC);
    stats.rx_missed += read(MPC);
    stats.rx_crc_errors += read(CRCERRS);
    stats.rx_errors += read(ALGNERRC) + read(RXERRC) + read(RLEC) + read(RFC) + read(RJC);
    stats.rx_undersize += read(RUC);
    stats.rx_oversize += read(ROC);
    stats.rx_pause += read(XONRXC) + read(XOFFRXC);
    stats.tx_packets += read(GPTC);
    stats.tx_bytes += pair(mmio, GOTCL, GOTCH);
    stats.tx_broadcast += read(BPTC);
    stats.tx_multicast += read(MPTC);
    stats.tx_pause += read(XONTXC) + read(XOFFTXC);
    for (size, (rx, tx)) in (0..).zip(stats.rx_sizes.iter_mut().zip(&mut stats.tx_sizes)) {
        *rx += read(PRC.get(size));
        *tx += read(PTC.get(size));
    }
}
