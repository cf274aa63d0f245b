//! Typed registers over a bus: what may be read is read, what may be written is written, and every wait is bounded.

use std::time::Duration;

use gannet_bus::{Device, Registers};
use gannet_spec::{Readable, Reg, Writable};

use crate::{Error, Result};

/// What a register of a device that is gone reads as.
const ALL_ONES: u32 = u32::MAX;

/// A device and its register BAR.
pub(crate) struct Mmio<D: Device> {
    pub(crate) device: D,
    pub(crate) bar: D::Bar,
    /// A register that is never all ones while the device is there.
    alive: u32,
}

/// How long a wait may take: so many looks, so far apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) looks: u32,
    pub(crate) every_us: u64,
}

impl<D: Device> Mmio<D> {
    pub(crate) fn new(device: D, bar: D::Bar, alive: u32) -> Self {
        Mmio { device, bar, alive }
    }

    pub(crate) fn name(&self) -> &str {
        self.device.name()
    }

    pub(crate) fn read<A: Readable, V: From<u32>>(&self, register: Reg<A, V>) -> V {
        V::from(self.bar.read(register.offset()))
    }

    pub(crate) fn write<A: Writable, V: Into<u32>>(&self, register: Reg<A, V>, value: V) {
        self.bar.write(register.offset(), value.into());
    }

    pub(crate) fn modify<A, V>(&self, register: Reg<A, V>, change: impl FnOnce(V) -> V)
    where
        A: Readable + Writable,
        V: From<u32> + Into<u32>,
    {
        self.write(register, change(self.read(register)));
    }

    /// Whether the device still answers.
    pub(crate) fn is_gone(&self) -> bool {
        self.bar.read(self.alive) == ALL_ONES
    }

    /// # Errors
    /// The device does not answer any more.
    pub(crate) fn check_present(&self) -> Result<()> {
        if self.is_gone() {
            return Err(gannet_bus::Error::Gone { device: self.name().to_owned() }.into());
        }
        Ok(())
    }

    pub(crate) fn delay_us(&self, us: u64) {
        self.device.delay(Duration::from_micros(us));
    }

    /// Reads `register` until its value is as wanted.
    ///
    /// # Errors
    /// [`Error::Timeout`] naming `what`, or that the device is gone.
    pub(crate) fn wait<A: Readable, V: From<u32> + Copy>(
        &self,
        what: &'static str,
        register: Reg<A, V>,
        patience: Patience,
        wanted: impl Fn(V) -> bool,
    ) -> Result<V> {
        for look in 0..=patience.looks {
            let raw = self.bar.read(register.offset());
            if raw == ALL_ONES && self.is_gone() {
                return Err(gannet_bus::Error::Gone { device: self.name().to_owned() }.into());
            }
            if wanted(V::from(raw)) {
                return Ok(V::from(raw));
            }
            if look < patience.looks {
                self.delay_us(patience.every_us);
            }
        }
        let waited_us = u64::from(patience.looks) * patience.every_us;
        Err(Error::Timeout { port: self.name().to_owned(), what, waited_us })
    }
}
