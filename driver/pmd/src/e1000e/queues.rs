//! Starting and stopping queues. A queue runs if its direction is enabled and its ring has a length. Heads and tails are 0 since the reset:
//! they may not be written while the direction is enabled.

use gannet_bus::Device;
use gannet_spec::x82574::{QUEUES, regs::*};

use crate::Result;
use crate::family::{QUEUE_PATIENCE, RingPlace, RxSetup};
use crate::gigabit::disable_master;
use crate::mmio::Mmio;

/// What the engines may take to finish the frame at hand.
const SETTLE_US: u64 = 10_000;

/// Sets a receive queue up. Reception is off.
pub(crate) fn start_rx<D: Device>(mmio: &Mmio<D>, queue: u32, ring: RingPlace, setup: RxSetup) {
    mmio.write(RDBAL.get(queue), ring.base.0 as u32);
    mmio.write(RDBAH.get(queue), (ring.base.0 >> 32) as u32);
    mmio.write(RDLEN.get(queue), ring.bytes);
    // The port has one buffer size: that of the smallest buffers.
    mmio.modify(RCTL, |value| value.with_buffer_kib(value.buffer_kib().min(setup.buffer_kib)));
}

/// Sets a transmit queue up, which starts it.
pub(crate) fn start_tx<D: Device>(mmio: &Mmio<D>, queue: u32, ring: RingPlace) {
    mmio.write(TDBAL.get(queue), ring.base.0 as u32);
    mmio.write(TDBAH.get(queue), (ring.base.0 >> 32) as u32);
    mmio.write(TDLEN.get(queue), ring.bytes);
}

/// Stops reception for all queues. It does not start again without a reset: frames that were on their way would come out then.
pub(crate) fn stop_receive<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    mmio.modify(RCTL, |value| value.with_enable(false));
    finish_dma(mmio)
}

/// Stops transmission for all queues. The others' frames go out first.
pub(crate) fn stop_transmit<D: Device>(mmio: &Mmio<D>, queue: u32) -> Result<()> {
    for other in (0..QUEUES).filter(|&other| other != queue) {
        let end = mmio.read(TDT.get(other));
        // A link that is down holds frames back for ever: their queue counts them when it is stopped itself.
        let _ = mmio.wait("the other queue to drain", TDH.get(other), QUEUE_PATIENCE, |head| head == end);
    }
    mmio.modify(TCTL, |value| value.with_enable(false));
    finish_dma(mmio)
}

/// Waits until the card has no request outstanding: no new ones are let out meanwhile. The direction that is still enabled goes on
/// afterwards.
fn finish_dma<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    mmio.read(STATUS);
    mmio.delay_us(SETTLE_US);
    let finished = disable_master(mmio);
    mmio.modify(CTRL, |value| value.with_master_disable(false));
    finished
}
