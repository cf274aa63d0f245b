//! The registers of an 82574 without anything behind them: no frames, but answers, delays and failures as told.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use gannet_bus::pci::{COMMAND, PciId};
use gannet_bus::{Condition, Device, DmaFault, Error, Registers, Result};
use gannet_mempool::dma::DmaMapper;
use gannet_spec::phy::{MDIC, Mdic};
use gannet_spec::x82574::regs::*;
use gannet_spec::x82574::{DEVICE_82574L, nvm};
use gannet_spec::{INTEL, Reg};

use crate::memory::Memory;

/// An access to a register: offset, and what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read(u32),
    Write(u32, u32),
}

impl Access {
    fn offset(self) -> u32 {
        match self {
            Access::Read(offset) | Access::Write(offset, _) => offset,
        }
    }
}

/// What is wrong with a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    None,
    /// CTRL.RST never clears.
    ResetHangs,
    /// EECD.AUTO_RD never comes.
    NvmIsNotLoaded,
    /// EERD never has data.
    NvmIsSilent,
    /// MDIC never is ready.
    PhyIsSilent,
    /// MDIC reports an error.
    PhyIsAbsent,
    /// EXTCNF_CTRL never gives software the PHY.
    FirmwareKeepsPhy,
    /// Requests stay outstanding for ever.
    MasterHangs,
    /// Everything reads as ones.
    Gone,
}

struct State {
    failure: Failure,
    nvm: [u16; 64],
    registers: HashMap<u32, u32>,
    command: u16,
    /// Oldest first.
    accesses: Vec<Access>,
    clock: Duration,
    memory: Arc<Memory>,
}

/// The card, and the bus that it is on.
#[derive(Clone)]
pub(crate) struct Card(Arc<Mutex<State>>);

impl Card {
    pub(crate) fn new(mac: [u8; 6], failure: Failure) -> Card {
        let mut words = [0; 64];
        for (word, bytes) in words.iter_mut().zip(mac.chunks_exact(2)) {
            *word = u16::from_le_bytes([bytes[0], bytes[1]]);
        }
        let sum = words.iter().fold(0u16, |sum, word| sum.wrapping_add(*word));
        words[usize::from(nvm::CHECKSUM)] = nvm::CHECKSUM_SUM.wrapping_sub(sum);
        Card(Arc::new(Mutex::new(State {
            failure,
            nvm: words,
            registers: HashMap::new(),
            command: 0,
            accesses: Vec::new(),
            clock: Duration::ZERO,
            memory: Memory::new(),
        })))
    }

    /// What has been mapped for it.
    pub(crate) fn memory(&self) -> Arc<Memory> {
        self.state().memory.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic while it is held")
    }

    pub(crate) fn fail(&self, failure: Failure) {
        self.state().failure = failure;
    }

    pub(crate) fn spoil_nvm(&self, word: u16) {
        self.state().nvm[usize::from(word)] ^= 0x1000;
    }

    /// Time that the driver has waited.
    pub(crate) fn clock(&self) -> Duration {
        self.state().clock
    }

    pub(crate) fn command(&self) -> u16 {
        self.state().command
    }

    /// What a register holds.
    pub(crate) fn value<A, V: From<u32>>(&self, register: Reg<A, V>) -> V {
        V::from(self.state().registers.get(&register.offset()).copied().unwrap_or(0))
    }

    /// Forgets the accesses so far, and returns those to `offsets`.
    pub(crate) fn take_accesses(&self, offsets: &[u32]) -> Vec<Access> {
        let mut accesses = std::mem::take(&mut self.state().accesses);
        accesses.retain(|access| offsets.contains(&access.offset()));
        accesses
    }

    /// Forgets the accesses so far, and returns the register of the PHY that was accessed first.
    pub(crate) fn take_first_phy_register(&self) -> Option<u8> {
        let first = self.take_accesses(&[MDIC.offset()]).into_iter().next();
        first.map(|access| match access {
            Access::Write(_, command) => Mdic::from(command).register(),
            Access::Read(_) => panic!("nothing was asked"),
        })
    }
}

impl State {
    fn read(&mut self, offset: u32) -> u32 {
        self.accesses.push(Access::Read(offset));
        let stored = self.registers.get(&offset).copied().unwrap_or(0);
        let is = |at: u32| offset == at;
        match self.failure {
            Failure::Gone => u32::MAX,
            Failure::FirmwareKeepsPhy if is(EXTCNF_CTRL.offset()) => 0,
            _ if is(STATUS.offset()) => {
                let ctrl = Ctrl::from(self.registers.get(&CTRL.offset()).copied().unwrap_or(0));
                let master = !ctrl.master_disable() || self.failure == Failure::MasterHangs;
                Status::new().with_link_up(true).with_speed(2).with_master_enabled(master).into()
            }
            _ if is(EECD.offset()) => {
                Eecd::new().with_present(true).with_auto_read_done(self.failure != Failure::NvmIsNotLoaded).into()
            }
            _ if is(EERD.offset()) => {
                let command = Eerd::from(stored);
                let word = self.nvm.get(usize::from(command.address())).copied().unwrap_or(0xFFFF);
                command.with_done(self.failure != Failure::NvmIsSilent).with_data(word).into()
            }
            _ if is(MDIC.offset()) => {
                let command = Mdic::from(stored).with_ready(self.failure != Failure::PhyIsSilent);
                let data = if command.read() { 0 } else { command.data() };
                command.with_data(data).with_error(self.failure == Failure::PhyIsAbsent).into()
            }
            _ => stored,
        }
    }

    fn write(&mut self, offset: u32, value: u32) {
        self.accesses.push(Access::Write(offset, value));
        if offset == CTRL.offset() && Ctrl::from(value).reset() {
            // The division of the packet buffer stays.
            self.registers.retain(|&register, _| register == PBA.offset());
            if self.failure != Failure::ResetHangs {
                return;
            }
        }
        self.registers.insert(offset, value);
    }
}

impl Registers for Card {
    fn read(&self, offset: u32) -> u32 {
        let value = self.state().read(offset);
        if [RCTL.offset(), TCTL.offset(), CTRL.offset()].contains(&offset) {
            // Whoever writes it back with a bit changed must not be overtaken: another thread gets the chance.
            std::thread::yield_now();
        }
        value
    }

    fn write(&self, offset: u32, value: u32) {
        self.state().write(offset, value);
    }
}

impl Device for Card {
    type Bar = Card;

    fn name(&self) -> &str {
        "card"
    }

    fn id(&self) -> Result<PciId> {
        Ok(PciId { vendor: INTEL, device: DEVICE_82574L, subsystem_vendor: INTEL, subsystem_device: 0, revision: 0 })
    }

    fn numa_node(&self) -> Option<u32> {
        None
    }

    fn bar(&self, _index: u8) -> Result<Card> {
        Ok(self.clone())
    }

    fn config_read(&self, offset: u16, bytes: &mut [u8]) -> Result<()> {
        assert_eq!(offset, COMMAND);
        bytes.copy_from_slice(&self.state().command.to_le_bytes());
        Ok(())
    }

    fn config_write(&self, offset: u16, bytes: &[u8]) -> Result<()> {
        assert_eq!(offset, COMMAND);
        self.state().command = u16::from_le_bytes([bytes[0], bytes[1]]);
        Ok(())
    }

    fn dma(&self) -> Arc<dyn DmaMapper> {
        self.memory()
    }

    fn interrupts(&self) -> u16 {
        5
    }

    fn connect_interrupts(&self, _signals: &[BorrowedFd<'_>]) -> Result<()> {
        Ok(())
    }

    fn reset(&self) -> Result<()> {
        // As the 82574: it has no function level reset.
        Err(Error::Gone { device: self.name().to_owned() })
    }

    fn condition(&self) -> Condition {
        Condition::Present
    }

    fn dma_faults(&self) -> Vec<DmaFault> {
        Vec::new()
    }

    fn delay(&self, time: Duration) {
        self.state().clock += time;
    }
}
