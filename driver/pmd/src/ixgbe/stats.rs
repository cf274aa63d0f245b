//! The card's counters (8.2.3.23): cleared by reading, so they are added up here.

use gannet_bus::Device;
use gannet_spec::x82599::regs::*;
use gannet_spec::{ClearOnRead, Reg};

use crate::mmio::Mmio;
use crate::stats::PortStats;

/// A 36-bit counter: the low half first, which holds the high half still until it is read.
fn pair<D: Device>(mmio: &Mmio<D>, low: Reg<ClearOnRead>, high: Reg<ClearOnRead>) -> u64 {
    let low = u64::from(mmio.read(low));
    low | u64::from(mmio.read(high) & 0xF) << 32
}

/// Adds what has been counted since the last time to `stats`.
pub(crate) fn count<D: Device>(mmio: &Mmio<D>, stats: &mut PortStats) {
    let read = |register| u64::from(mmio.read(register));
    let sets = |counters: &dyn Fn(u32) -> u64| (0..QPRC.count()).map(counters).sum::<u64>();
    // GPRC counts missed frames too (82599 specification update), so the queues' own counters are added up.
    read(GPRC);
    stats.rx_packets += sets(&|set| read(QPRC.get(set)));
    stats.rx_bytes += pair(mmio, GORCL, GORCH);
    stats.rx_broadcast += read(BPRC);
    stats.rx_multicast += read(MPRC);
    stats.rx_missed += (0..MPC.count()).map(|class| read(MPC.get(class))).sum::<u64>();
    stats.rx_no_descriptor += sets(&|set| read(QPRDC.get(set)));
    stats.rx_crc_errors += read(CRCERRS);
    stats.rx_errors += read(ILLERRC) + read(ERRBC) + read(RLEC) + read(RFC) + read(RJC) + read(MSPDC);
    stats.rx_undersize += read(RUC);
    stats.rx_oversize += read(ROC);
    stats.rx_checksum_errors += read(XEC);
    let pause_sent = read(LXONTXC) + read(LXOFFTXC);
    stats.tx_pause += pause_sent;
    stats.rx_pause += read(LXONRXCNT) + read(LXOFFRXCNT);
    // Pause frames are in the counters of what was sent: multicasts of 64 bytes.
    stats.tx_packets += read(GPTC).saturating_sub(pause_sent);
    stats.tx_bytes += pair(mmio, GOTCL, GOTCH).saturating_sub(pause_sent * 64);
    stats.tx_broadcast += read(BPTC);
    stats.tx_multicast += read(MPTC).saturating_sub(pause_sent);
    for (size, (rx, tx)) in (0..).zip(stats.rx_sizes.iter_mut().zip(&mut stats.tx_sizes)) {
        *rx += read(PRC.get(size));
        *tx += read(PTC.get(size)).saturating_sub(if size == 0 { pause_sent } else { 0 });
    }
    stats.link_faults += read(MLFC) + read(MRFC);
}
