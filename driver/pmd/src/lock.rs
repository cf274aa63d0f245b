//! Parts of a card that its drivers share with the firmware and with the card's other ports (82599 10.5.4; the gigabit cards do the same).
//!
//! A register says who owns what; a semaphore guards that register.

use gannet_bus::Device;
use gannet_spec::{ReadSideEffect, ReadWrite, Reg, Swsm};

use crate::mmio::{Mmio, Patience};
use crate::{Error, Result};

const SEMAPHORE_PATIENCE: Patience = Patience { looks: 2_000, every_us: 50 };

/// A second is far longer than anybody keeps anything: software that still has it was killed, and no reset gives it back.
const PATIENCE: Patience = Patience { looks: 200, every_us: 5_000 };

/// The right to use a part of a card.
pub(crate) struct Lock {
    /// What it is the right to, for errors.
    pub(crate) what: &'static str,
    pub(crate) semaphore: Reg<ReadSideEffect, Swsm>,
    /// Who owns which part, a bit each.
    pub(crate) owners: Reg<ReadWrite>,
    /// Our bit of the part.
    pub(crate) software: u32,
    /// The firmware's.
    pub(crate) firmware: u32,
}

impl Lock {
    /// Runs `work` while we own the part.
    ///
    /// # Errors
    /// Those of `work`, and that the firmware does not give it up.
    pub(crate) fn hold<D: Device, R>(&self, mmio: &Mmio<D>, work: impl FnOnce() -> Result<R>) -> Result<R> {
        for look in 1..=PATIENCE.looks {
            self.take_semaphore(mmio)?;
            let owners = mmio.read(self.owners);
            let free = owners & self.firmware == 0 && (owners & self.software == 0 || look == PATIENCE.looks);
            if free {
                mmio.write(self.owners, owners | self.software);
            }
            self.release_semaphore(mmio);
            if free {
                let outcome = work();
                let taken = self.take_semaphore(mmio);
                mmio.modify(self.owners, |owners| owners & !self.software);
                self.release_semaphore(mmio);
                return taken.and(outcome);
            }
            mmio.delay_us(PATIENCE.every_us);
        }
        Err(Self::timeout(mmio, self.what, PATIENCE))
    }

    /// SMBI against other software, then SWESMBI against the firmware.
    fn take_semaphore<D: Device>(&self, mmio: &Mmio<D>) -> Result<()> {
        // A read that returns 0 has taken it. If it stays taken, its owner was killed: once more after giving it back.
        let take = || mmio.wait("the software semaphore", self.semaphore, SEMAPHORE_PATIENCE, |value| !value.smbi());
        match take() {
            Err(Error::Timeout { .. }) => {
                self.release_semaphore(mmio);
                take()?
            }
            answer => answer?,
        };
        for _ in 0..SEMAPHORE_PATIENCE.looks {
            mmio.modify(self.semaphore, |value| value.with_swesmbi(true));
            if mmio.read(self.semaphore).swesmbi() {
                return Ok(());
            }
            mmio.delay_us(SEMAPHORE_PATIENCE.every_us);
        }
        self.release_semaphore(mmio);
        Err(Self::timeout(mmio, "the firmware semaphore", SEMAPHORE_PATIENCE))
    }

    fn release_semaphore<D: Device>(&self, mmio: &Mmio<D>) {
        mmio.write(self.semaphore, Swsm::new());
    }

    fn timeout<D: Device>(mmio: &Mmio<D>, what: &'static str, patience: Patience) -> Error {
        let waited_us = u64::from(patience.looks) * patience.every_us;
        Error::Timeout { port: mmio.name().to_owned(), what, waited_us }
    }
}
