//! Starting and stopping queues (4.5.9, 4.5.10).

use gannet_bus::Device;
use gannet_spec::x82576::Chip;
use gannet_spec::x82576::regs::*;

use crate::Result;
use crate::config::VlanTags;
use crate::family::{QUEUE_PATIENCE, RingPlace, RxSetup};
use crate::mmio::Mmio;

/// Sets a receive queue up. It does not run before [`enable_receive`]: until then its enable bit reads 0 (8.10.10).
pub(crate) fn start_rx<D: Device>(mmio: &Mmio<D>, chip: Chip, queue: u32, ring: RingPlace, setup: RxSetup) {
    // Queue 0 is enabled by a reset.
    mmio.write(RXDCTL.get(queue), Rxdctl::new());
    mmio.write(RDBAL.get(queue), ring.base.0 as u32);
    mmio.write(RDBAH.get(queue), (ring.base.0 >> 32) as u32);
    mmio.write(RDLEN.get(queue), ring.bytes);
    let one_buffer = Srrctl::new().with_buffer_kib(setup.buffer_kib).with_header_64b(4).with_descriptor_type(1);
    // With several queues one that is not polled must not block the others' frames.
    mmio.write(SRRCTL.get(queue), one_buffer.with_drop_enable(setup.queues > 1));
    if chip != Chip::I82576 {
        let vlan_strip = setup.vlan_tags == VlanTags::Strip;
        mmio.modify(DVMOLR.get(queue), |value| value.with_vlan_strip(vlan_strip).with_crc_strip(true));
    }
    mmio.write(RDH.get(queue), 0);
    // The vendor's thresholds; the 82576 loses write-backs in batches of more than one (its drivers' erratum).
    let thresholds = Rxdctl::new().with_prefetch(8).with_host(8).with_write_back(1);
    mmio.write(RXDCTL.get(queue), thresholds.with_enable(true));
}

/// Lets frames into the queues (4.5.9: the tails follow).
pub(crate) fn enable_receive<D: Device>(mmio: &Mmio<D>, queues: u32) -> Result<()> {
    mmio.modify(RCTL, |value| value.with_enable(true));
    for queue in 0..queues {
        mmio.wait("a receive queue to start", RXDCTL.get(queue), QUEUE_PATIENCE, |value| value.enable())?;
    }
    Ok(())
}

/// 4.5.10.
pub(crate) fn start_tx<D: Device>(mmio: &Mmio<D>, queue: u32, ring: RingPlace) -> Result<()> {
    // Queue 0 is enabled by a reset.
    mmio.write(TXDCTL.get(queue), Txdctl::new());
    mmio.write(TDBAL.get(queue), ring.base.0 as u32);
    mmio.write(TDBAH.get(queue), (ring.base.0 >> 32) as u32);
    mmio.write(TDLEN.get(queue), ring.bytes);
    // No head write-back: the done bits tell.
    mmio.write(TDWBAL.get(queue), 0);
    mmio.write(TDWBAH.get(queue), 0);
    mmio.modify(DCA_TXCTRL.get(queue), |value| value.with_write_back_relaxed(false));
    mmio.write(TDH.get(queue), 0);
    mmio.write(TDT.get(queue), 0);
    // The vendor's thresholds; see `start_rx`.
    let thresholds = Txdctl::new().with_prefetch(8).with_host(1).with_write_back(1);
    mmio.write(TXDCTL.get(queue), thresholds.with_enable(true));
    mmio.wait("a transmit queue to start", TXDCTL.get(queue), QUEUE_PATIENCE, |value| value.enable())?;
    Ok(())
}

/// The enable bit reads 0 once the card has ended its accesses to ring and buffers.
pub(crate) fn stop_rx<D: Device>(mmio: &Mmio<D>, queue: u32) -> Result<()> {
    let register = RXDCTL.get(queue);
    mmio.modify(register, |value| value.with_enable(false));
    mmio.wait("a receive queue to stop", register, QUEUE_PATIENCE, |value| !value.enable())?;
    Ok(())
}

/// As [`stop_rx`].
pub(crate) fn stop_tx<D: Device>(mmio: &Mmio<D>, queue: u32) -> Result<()> {
    let register = TXDCTL.get(queue);
    // The write-backs that wait go out first.
    let running = mmio.read(register);
    mmio.write(register, running.with_flush(true));
    mmio.write(register, running.with_enable(false));
    mmio.wait("a transmit queue to stop", register, QUEUE_PATIENCE, |value| !value.enable())?;
    Ok(())
}
