//! The card's counters (8.18): cleared by reading, so they are added up here.

use gannet_bus::Device;
use gannet_spec::x82576::Chip;
use gannet_spec::x82576::regs::RQDPC;

use crate::gigabit;
use crate::mmio::Mmio;
use crate::stats::PortStats;

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
    let known = stats.rx_packets;
    // GPRC counts what has passed the packet buffer; these frames have, but no queue took them. They are read first, so that every one of
    // them is in GPRC already.
    let dropped = dropped(mmio, chip);
    gigabit::count(mmio, stats);
    stats.rx_no_descriptor += dropped;
    stats.rx_packets = stats.rx_packets.saturating_sub(dropped).max(known);
}
