//! What both halves of a card hold: the lock around its state, the tails outside of it, and the gates before it.

use std::fs::File;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use gannet_bus::pci::COMMAND_MEMORY;
use gannet_bus::{Condition, Error, Result};

use super::core::Core;
use super::fault::{Fault, Faults};
use super::interrupts::VECTORS;
use super::probe::Violation;
use super::queue::Doorbells;
use super::registers::{Register, decode};
use crate::clock::Clock;
use crate::config_space::Effect;
use crate::device::Model;
use crate::iommu::Domain;

/// Why the registers do not answer; any bit is enough.
const GATE_MEMORY_OFF: u32 = 1 << 0;
const GATE_GONE: u32 = 1 << 1;

/// How often a step yields to register accesses that wait for the lock.
const PATIENCE: u32 = 1000;

/// One card.
pub(super) struct Shared {
    pub(super) name: String,
    pub(super) clock: Clock,
    pub(super) domain: Arc<Domain>,
    pub(super) doorbells: Arc<Doorbells>,
    gates: AtomicU32,
    /// Register accesses that wait for the lock: a thread that only steps would else hardly ever let them in.
    waiting: AtomicU32,
    core: Mutex<Core>,
}

impl Shared {
    pub(super) fn new(
        name: String,
        clock: Clock,
        domain: Arc<Domain>,
        doorbells: Arc<Doorbells>,
        core: Core,
    ) -> Shared {
        let (gates, waiting) = (AtomicU32::new(0), AtomicU32::new(0));
        Shared { name, clock, domain, doorbells, gates, waiting, core: Mutex::new(core) }
    }

    /// The state, for whoever comes from outside.
    pub(super) fn lock(&self) -> MutexGuard<'_, Core> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let guard = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        guard
    }

    /// The state, for a step: register accesses go first.
    pub(super) fn lock_for_step(&self) -> MutexGuard<'_, Core> {
        for _ in 0..PATIENCE {
            if self.waiting.load(Ordering::Relaxed) == 0 {
                break;
            }
            thread::yield_now();
        }
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn inject(&self, fault: Fault) {
        let mut core = self.lock();
        core.faults.inject(fault);
        if fault == Fault::Gone {
            self.gates.fetch_or(GATE_GONE, Ordering::Relaxed);
        }
    }

    pub(super) fn heal(&self) {
        let mut core = self.lock();
        core.faults = Faults::default();
        core.schedule();
        self.gates.fetch_and(!GATE_GONE, Ordering::Relaxed);
    }

    fn is_gone(&self) -> bool {
        self.gates.load(Ordering::Relaxed) & GATE_GONE != 0
    }

    fn check_present(&self) -> Result<()> {
        if self.is_gone() { Err(Error::Gone { device: self.name.clone() }) } else { Ok(()) }
    }

    fn set_memory_gate(&self, core: &Core) {
        if core.config.command() & COMMAND_MEMORY == 0 {
            self.gates.fetch_or(GATE_MEMORY_OFF, Ordering::Relaxed);
        } else {
            self.gates.fetch_and(!GATE_MEMORY_OFF, Ordering::Relaxed);
        }
    }

    /// Writes a register that needs the lock: all but the tails.
    fn write_locked(&self, offset: u32, register: Option<Register>, value: u32) {
        let now = self.clock.now();
        let mut core = self.lock();
        core.tick(now);
        match register {
            Some(register) => core.write(register, value, now),
            None => core.log.unknown(offset),
        }
    }

    #[cold]
    fn wrong_tail(&self, violation: Violation, register: Register, value: u32) {
        self.lock().log.violation(violation, || format!("{register:?} = {value}"));
    }
}

impl Model for Shared {
    fn name(&self) -> &str {
        &self.name
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }

    fn read(&self, offset: u32) -> u32 {
        if self.gates.load(Ordering::Relaxed) != 0 {
            return u32::MAX;
        }
        let now = self.clock.now();
        let mut core = self.lock();
        core.tick(now);
        match decode(offset) {
            Some(register) => core.read(register, now, &self.doorbells),
            None => {
                core.log.unknown(offset);
                0
            }
        }
    }

    fn write(&self, offset: u32, value: u32) {
        if self.gates.load(Ordering::Relaxed) != 0 {
            return;
        }
        let (register, bell) = match decode(offset) {
            Some(register @ Register::Rdt(queue)) => (register, &self.doorbells.rx[usize::from(queue)]),
            Some(register @ Register::Tdt(queue)) => (register, &self.doorbells.tx[usize::from(queue)]),
            register => return self.write_locked(offset, register, value),
        };
        if let Err(violation) = bell.ring(value) {
            self.wrong_tail(violation, register, value);
        }
    }

    fn config_read(&self, offset: u16, bytes: &mut [u8]) -> Result<()> {
        self.check_present()?;
        self.lock().config.read(offset, bytes).ok_or_else(|| beyond(&self.name, offset))
    }

    fn config_write(&self, offset: u16, bytes: &[u8]) -> Result<()> {
        self.check_present()?;
        let now = self.clock.now();
        let mut core = self.lock();
        if core.config.write(offset, bytes).ok_or_else(|| beyond(&self.name, offset))? == Effect::Reset {
            core.reset_function(now);
        }
        self.set_memory_gate(&core);
        Ok(())
    }

    fn interrupts(&self) -> u16 {
        VECTORS as u16
    }

    fn connect_interrupts(&self, signals: Vec<File>) -> Result<()> {
        self.check_present()?;
        self.lock().connect_interrupts(signals, self.clock.now());
        Ok(())
    }

    fn reset(&self) -> Result<()> {
        self.check_present()?;
        let mut core = self.lock();
        core.reset_function(self.clock.now());
        // The bus restores memory access, as vfio-pci does, but not the right to DMA.
        core.config.answer_memory();
        self.set_memory_gate(&core);
        Ok(())
    }

    fn condition(&self) -> Condition {
        if self.is_gone() {
            Condition::Gone
        } else if self.lock().faults.wanted {
            Condition::Wanted
        } else {
            Condition::Present
        }
    }
}

fn beyond(device: &str, offset: u16) -> Error {
    Error::Config { device: device.into(), offset, reason: "beyond its 4096 bytes".into() }
}
