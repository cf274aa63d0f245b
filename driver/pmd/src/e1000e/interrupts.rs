//! Receive interrupts by MSI-X (7.4): queue n raises vector n.
//!
//! Causes are masked explicitly, in IMC. The masks that a firing vector applies by itself are left off: they are shared by all vectors.

use gannet_bus::Device;
use gannet_spec::x82574::regs::*;

use crate::mmio::Mmio;

fn cause(queue: u32) -> Causes {
    Causes::new().with_rx_queues(1 << queue)
}

/// Queue n to vector n; other causes to none.
pub(crate) fn init<D: Device>(mmio: &Mmio<D>, queues: u32) {
    let route = |queue: u32| Route::new().with_vector(queue as u8).with_valid(queue < queues);
    mmio.write(IVAR, Ivar::new().with_rx_0(route(0)).with_rx_1(route(1)));
    for vector in 0..queues {
        mmio.write(EITR.get(vector), Eitr::new());
    }
    // A cause is taken back when its vector fires: nobody reads ICR.
    mmio.write(EIAC, Causes::new().with_rx_queues((1 << queues) - 1));
    mmio.modify(CTRL_EXT, |value| {
        value.with_pending_clear(true).with_vector_auto_mask(false).with_read_auto_mask(false)
    });
}

/// Takes back what was signalled, then unmasks: what comes in between is pending and signals at once.
pub(crate) fn unmask<D: Device>(mmio: &Mmio<D>, queue: u32) {
    mmio.write(ICR, cause(queue));
    mmio.write(IMS, cause(queue));
    // Both are posted: a read pushes them through.
    mmio.read(IMS);
}

pub(crate) fn mask<D: Device>(mmio: &Mmio<D>, queue: u32) {
    mmio.write(IMC, cause(queue));
}

/// Masks every cause, and forgets those that are pending.
pub(crate) fn mask_all<D: Device>(mmio: &Mmio<D>) {
    mmio.write(IMC, Causes::from(u32::MAX));
    // Reading a register flushes the posted write; reading this one clears what was pending.
    mmio.read(ICR);
}
