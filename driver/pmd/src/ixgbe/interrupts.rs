//! Receive interrupts (7.3): queue n raises vector n.

use gannet_bus::Device;
use gannet_spec::x82599::regs::*;

use crate::mmio::Mmio;

/// MSI-X with a vector a queue. Causes clear themselves when their message is sent; masking is left to the driver.
pub(crate) fn init<D: Device>(mmio: &Mmio<D>, queues: u32) {
    mmio.write(GPIE, Gpie::new().with_msix(true).with_other_clear_disable(true).with_pba_support(true));
    mmio.write(EIAC, (1 << queues) - 1);
    for queue in 0..queues {
        let allocation = Allocation::new().with_vector(queue as u8).with_valid(true);
        mmio.modify(IVAR.get(queue / 2), |value| value.with_rx(queue, allocation));
        // A message at once: it is asked for one by one.
        mmio.write(EITR.get(queue), Eitr::new());
    }
}

/// Takes back what was signalled, then unmasks: what comes in between is pending, and signals at once.
pub(crate) fn unmask<D: Device>(mmio: &Mmio<D>, queue: u32) {
    mmio.write(EICR, 1 << queue);
    mmio.write(EIMS, 1 << queue);
    // Both are posted: a read pushes them through.
    mmio.read(EIMS);
}

pub(crate) fn mask<D: Device>(mmio: &Mmio<D>, queue: u32) {
    mmio.write(EIMC, 1 << queue);
}
