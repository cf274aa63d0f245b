//! The card's counters (8.18): cleared by reading, so they are added up here.

use gannet_bus::Device;
use gannet_spec::x82576::Chip;
use gannet_spec::x82576::regs::*;
use gannet_spec::{ClearOnRead, Reg};

use crate::mmio::Mmio;
use crate::stats::PortStats;

/// A 64-bit counter: the low half first; reading the high half clears both.
fn pair<D: Device>(mmio: &Mmio<D>, low: Reg<ClearOnRead>, high: Reg<ClearOnRead>) -> u64 {
    let low = u64::from(mmio.read(low));
    low | u64::from(mmio.read(high)) << 32
}

/// Frames that the queues have dropped for lack of a descriptor.
fn dropped<D: Device>(mmio: &Mmio<D>, chip: Chip) -> u64 {
    let queue = |queue| {
        let dropped = mmio.read(RQDPC.get(queue));
        // The read has cleared it already, but in an I210.
        mmio.write(RQDPC.get(queue), 0);
        u64::from(dropped)
    };
    (0..chip.queues()).map(queue).sum()
}

/// Adds what has been counted since the last time to `stats`.
pub(crate) fn count<D: Device>(mmio: &Mmio<D>, chip: Chip, stats: &mut PortStats) {
    let read = |register| u64::from(mmio.read(register));
    // GPRC counts what has passed the packet buffer; these frames have, but no queue took them. They are read first, so that every one of
    // them is in GPRC already.
    let dropped = dropped(mmio, chip);
    stats.rx_no_descriptor += dropped;
    stats.rx_packets += read(GPRC).saturating_sub(dropped);
    stats.rx_bytes += pair(mmio, GORCL, GORCH);
    stats.rx_broadcast += read(BPRC);
    stats.rx_multicast += read(MPRC);
    stats.rx_missed += read(MPC);
    stats.rx_crc_errors += read(CRCERRS);
    stats.rx_errors += read(ALGNERRC) + read(RXERRC) + read(RLEC) + read(RFC) + read(RJC);
    stats.rx_undersize += read(RUC);
    stats.rx_oversize += read(ROC);
    stats.tx_pause += read(XONTXC) + read(XOFFTXC);
    stats.rx_pause += read(XONRXC) + read(XOFFRXC);
    stats.tx_packets += read(GPTC);
    stats.tx_bytes += pair(mmio, GOTCL, GOTCH);
    stats.tx_broadcast += read(BPTC);
    stats.tx_multicast += read(MPTC);
    for (size, (rx, tx)) in (0..).zip(stats.rx_sizes.iter_mut().zip(&mut stats.tx_sizes)) {
        *rx += read(PRC.get(size));
        *tx += read(PTC.get(size));
    }
}
