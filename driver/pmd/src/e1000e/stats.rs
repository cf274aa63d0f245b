//! The card's counters (10.2.7): cleared by reading, so they are added up here.

use gannet_bus::Device;
use gannet_spec::x82574::regs::*;
use gannet_spec::{ClearOnRead, Reg};

use crate::mmio::Mmio;
use crate::stats::PortStats;

/// A 64-bit counter: the low half first, as reading the high half clears both.
fn pair<D: Device>(mmio: &Mmio<D>, low: Reg<ClearOnRead>, high: Reg<ClearOnRead>) -> u64 {
    let low = u64::from(mmio.read(low));
    low | u64::from(mmio.read(high)) << 32
}

/// Adds what has been counted since the last time to `stats`. Pause frames are in none of the other counters.
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
