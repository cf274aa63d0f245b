//! Receive interrupts (7.3): queue n raises vector n.
//!
//! A cause clears itself when its interrupt is sent (EIAC). Vectors are masked and unmasked by hand: whoever sleeps does so around
//! the sleep, and automatic masking (EIAM) would only have to be kept in step with that.

use gannet_bus::Device;
use gannet_spec::x82576::Chip;
use gannet_spec::x82576::regs::*;

use crate::mmio::Mmio;

/// Queue n to vector n, all of them masked.
pub(crate) fn init<D: Device>(mmio: &Mmio<D>, chip: Chip, queues: u32) {
    // First, or what follows does not stay written.
    mmio.write(GPIE, Gpie::new().with_non_selective_clear(true).with_msix(true).with_pba_support(true));
    mmio.write(EIMC, u32::MAX);
    for queue in 0..queues {
        let place = chip.rx_vector(queue);
        mmio.modify(IVAR.get(place.register), |vectors| {
            vectors & !(0xFF << place.shift) | (queue | IVAR_VALID) << place.shift
        });
        // At once: a reset does not take a throttle back that somebody else has set.
        mmio.write(EITR.get(queue), Eitr::new());
    }
    mmio.write(EIAC, (1 << queues) - 1);
}

/// Takes back what was signalled, then unmasks: what comes in between is pending and signals at once.
pub(crate) fn unmask<D: Device>(mmio: &Mmio<D>, queue: u32) {
    mmio.write(EICR, 1 << queue);
    mmio.write(EIMS, 1 << queue);
    // Both are posted: a read pushes them through.
    mmio.read(EIMS);
}

pub(crate) fn mask<D: Device>(mmio: &Mmio<D>, queue: u32) {
    mmio.write(EIMC, 1 << queue);
}

/// Masks everything, and forgets what is pending.
pub(crate) fn mask_all<D: Device>(mmio: &Mmio<D>) {
    mmio.write(IMC, Causes::from(u32::MAX));
    mmio.write(EIMC, u32::MAX);
    // Reading a register flushes the posted writes; reading this one clears what was pending.
    mmio.read(ICR);
}
