//! Starting and stopping queues (4.6.7, 4.6.8).

use gannet_bus::Device;
use gannet_spec::x82599::regs::*;

use crate::Result;
use crate::config::VlanTags;
use crate::family::{QUEUE_PATIENCE, RingPlace, RxSetup};
use crate::mmio::Mmio;

/// 4.6.7.1.
pub(crate) fn start_rx<D: Device>(mmio: &Mmio<D>, queue: u32, ring: RingPlace, setup: RxSetup) -> Result<()> {
    mmio.write(RDBAL.get(queue), ring.base.0 as u32);
    mmio.write(RDBAH.get(queue), (ring.base.0 >> 32) as u32);
    mmio.write(RDLEN.get(queue), ring.bytes);
    let one_buffer = Srrctl::new().with_buffer_kib(setup.buffer_kib).with_header_64b(4).with_descriptor_type(1);
    // With several queues one that is not polled must not block the others' frames.
    mmio.write(SRRCTL.get(queue), one_buffer.with_drop_enable(setup.queues > 1));
    mmio.modify(DCA_RXCTRL.get(queue), |value| value.with_reserved_zero(false));
    mmio.write(RSCCTL.get(queue), 0);
    mmio.write(RDH.get(queue), 0);
    let control = Rxdctl::new().with_enable(true).with_vlan_strip(setup.vlan_tags == VlanTags::Strip);
    mmio.write(RXDCTL.get(queue), control);
    mmio.wait("a receive queue to start", RXDCTL.get(queue), QUEUE_PATIENCE, |value| value.enable())?;
    Ok(())
}

/// 4.6.8.1.
pub(crate) fn start_tx<D: Device>(mmio: &Mmio<D>, queue: u32, ring: RingPlace) -> Result<()> {
    mmio.write(TDBAL.get(queue), ring.base.0 as u32);
    mmio.write(TDBAH.get(queue), (ring.base.0 >> 32) as u32);
    mmio.write(TDLEN.get(queue), ring.bytes);
    // No head write-back: the done bits tell.
    mmio.write(TDWBAL.get(queue), 0);
    mmio.write(TDWBAH.get(queue), 0);
    mmio.modify(DCA_TXCTRL.get(queue), |value| value.with_write_back_relaxed(false));
    mmio.write(TDH.get(queue), 0);
    mmio.write(TDT.get(queue), 0);
    // Prefetch below 32 when at least one waits; write-backs one by one, as few are asked for.
    mmio.write(TXDCTL.get(queue), Txdctl::new().with_prefetch(32).with_host(1).with_write_back(0).with_enable(true));
    mmio.wait("a transmit queue to start", TXDCTL.get(queue), QUEUE_PATIENCE, |value| value.enable())?;
    Ok(())
}

/// 4.6.7.1.2.
pub(crate) fn stop_rx<D: Device>(mmio: &Mmio<D>, queue: u32) -> Result<()> {
    let register = RXDCTL.get(queue);
    mmio.modify(register, |value| value.with_enable(false));
    mmio.wait("a receive queue to stop", register, QUEUE_PATIENCE, |value| !value.enable())?;
    settle(mmio);
    Ok(())
}

/// 4.6.8.2.
pub(crate) fn stop_tx<D: Device>(mmio: &Mmio<D>, queue: u32) -> Result<()> {
    let register = TXDCTL.get(queue);
    // The write-backs that wait go out first.
    let running = mmio.read(register);
    mmio.write(register, running.with_flush(true));
    mmio.write(register, running.with_enable(false));
    mmio.wait("a transmit queue to stop", register, QUEUE_PATIENCE, |value| !value.enable())?;
    settle(mmio);
    Ok(())
}

/// The datasheet asks for this much more before a stopped ring's memory is touched.
fn settle<D: Device>(mmio: &Mmio<D>) {
    mmio.delay_us(100);
}
