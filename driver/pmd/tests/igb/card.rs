//! The registers of a card of the 82576 family without anything behind them: no frames, but answers, delays and failures as told.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use gannet_bus::pci::{self, COMMAND, PciId};
use gannet_bus::{Condition, Device, DmaFault, Error, Registers, Result};
use gannet_mempool::dma::DmaMapper;
use gannet_spec::phy::Mdic;
use gannet_spec::x82576::nvm;
use gannet_spec::x82576::regs::*;
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
    /// EERD never has data.
    NvmIsSilent,
    /// SW_FW_SYNC says that the firmware has everything.
    FirmwareKeepsAll,
    /// MDIC reports an error.
    PhyIsAbsent,
    /// No queue's enable bit is ever 1.
    QueuesDoNotStart,
    /// Requests stay outstanding for ever.
    MasterHangs,
    /// Configuration space takes no writes but those to the command register.
    ConfigRefuses,
    /// Everything reads as ones.
    Gone,
}

/// What a card is like.
#[derive(Debug, Clone)]
pub(crate) struct Make {
    pub(crate) device: u16,
    /// Which port of the card.
    pub(crate) port: u8,
    /// The address that it has loaded.
    pub(crate) mac: [u8; 6],
    /// As [`CtrlExt::link_mode`].
    pub(crate) link_mode: u8,
    pub(crate) eecd: Eecd,
    pub(crate) nvm: Vec<u16>,
    /// After power-up.
    pub(crate) gcr: Gcr,
    /// Configuration space.
    pub(crate) config: [u8; 256],
    pub(crate) failure: Failure,
}

impl Make {
    /// Copper port 0 with an NVM whose blocks all add up.
    pub(crate) fn new(device: u16) -> Make {
        let mut words = vec![0; 0x140];
        for block in words.chunks_exact_mut(0x40) {
            block[usize::from(nvm::CHECKSUM)] = nvm::CHECKSUM_SUM;
        }
        let eecd = Eecd::new().with_present(true).with_auto_read_done(true).with_flash_present(true);
        Make {
            device,
            port: 0,
            mac: super::MAC,
            link_mode: 0,
            eecd,
            nvm: words,
            gcr: Gcr::new(),
            config: [0; 256],
            failure: Failure::None,
        }
    }

    /// Writes words of the NVM, and corrects the sum of the first block.
    pub(crate) fn store(&mut self, first: u16, words: &[u16]) {
        let first = usize::from(first);
        self.nvm[first..first + words.len()].copy_from_slice(words);
        let sum = self.nvm[..usize::from(nvm::CHECKSUM)].iter().fold(0u16, |sum, word| sum.wrapping_add(*word));
        self.nvm[usize::from(nvm::CHECKSUM)] = nvm::CHECKSUM_SUM.wrapping_sub(sum);
    }

    pub(crate) fn build(self) -> Card {
        let mut state = State {
            make: self,
            registers: HashMap::new(),
            accesses: Vec::new(),
            clock: Duration::ZERO,
            phy: HashMap::new(),
            memory: Memory::new(),
        };
        state.power_up();
        Card(Arc::new(Mutex::new(state)))
    }
}

struct State {
    make: Make,
    registers: HashMap<u32, u32>,
    /// Oldest first.
    accesses: Vec<Access>,
    clock: Duration,
    phy: HashMap<u8, u16>,
    memory: Arc<Memory>,
}

/// The card, and the bus that it is on.
#[derive(Clone)]
pub(crate) struct Card(Arc<Mutex<State>>);

impl Card {
    /// What has been mapped for it.
    pub(crate) fn memory(&self) -> Arc<Memory> {
        self.state().memory.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic while it is held")
    }

    /// Time that the driver has waited.
    pub(crate) fn clock(&self) -> Duration {
        self.state().clock
    }

    pub(crate) fn command(&self) -> u16 {
        self.config_word(COMMAND)
    }

    /// A word of configuration space.
    pub(crate) fn config_word(&self, offset: u16) -> u16 {
        pci::read_u16(self, offset).expect("it can be read")
    }

    /// What a register holds.
    pub(crate) fn value<A, V: From<u32>>(&self, register: Reg<A, V>) -> V {
        V::from(self.state().stored(register.offset()))
    }

    /// What a register of the PHY holds.
    pub(crate) fn phy(&self, number: u8) -> u16 {
        self.state().phy.get(&number).copied().unwrap_or(0)
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
    /// What the card loads from its NVM, and what is not 0 otherwise.
    fn power_up(&mut self) {
        let mac = self.make.mac;
        let link_mode = CtrlExt::new().with_link_mode(self.make.link_mode);
        let rah = Rah::new().with_bytes(u16::from_le_bytes([mac[4], mac[5]])).with_valid(true);
        self.registers = HashMap::from([
            (CTRL_EXT.offset(), link_mode.into()),
            (GCR.offset(), self.make.gcr.into()),
            (RAL.get(0).offset(), u32::from_le_bytes([mac[0], mac[1], mac[2], mac[3]])),
            (RAH.get(0).offset(), rah.into()),
            (RXDCTL.get(0).offset(), Rxdctl::new().with_enable(true).into()),
            (TXDCTL.get(0).offset(), Txdctl::new().with_enable(true).into()),
        ]);
    }

    fn stored(&self, offset: u32) -> u32 {
        self.registers.get(&offset).copied().unwrap_or(0)
    }

    fn read(&mut self, offset: u32) -> u32 {
        self.accesses.push(Access::Read(offset));
        let stored = self.stored(offset);
        let is = |at: u32| offset == at;
        match self.make.failure {
            Failure::Gone => u32::MAX,
            Failure::FirmwareKeepsAll if is(SW_FW_SYNC.offset()) => 0xFFFF_0000,
            Failure::QueuesDoNotStart if RXDCTL.index_of(offset).is_some() => 0,
            _ if is(STATUS.offset()) => {
                let ctrl = Ctrl::from(self.stored(CTRL.offset()));
                let master = !ctrl.master_disable() || self.make.failure == Failure::MasterHangs;
                let up = Status::new().with_link_up(true).with_speed(2).with_lan_id(self.make.port);
                up.with_master_enabled(master).into()
            }
            _ if is(EECD.offset()) => self.make.eecd.into(),
            _ if is(EERD.offset()) => {
                let command = Eerd::from(stored);
                let word = self.make.nvm.get(usize::from(command.address())).copied().unwrap_or(0xFFFF);
                command.with_done(self.make.failure != Failure::NvmIsSilent).with_data(word).into()
            }
            _ if is(SWSM.offset()) => {
                self.registers.insert(offset, Swsm::from(stored).with_smbi(true).into());
                stored
            }
            _ if is(MDIC.offset()) => {
                let command = Mdic::from(stored);
                let data = self.phy.get(&command.register()).copied().unwrap_or(0);
                command.with_data(data).with_ready(true).with_error(self.make.failure == Failure::PhyIsAbsent).into()
            }
            // Receive is off: queues do not run, whatever has been written (8.10.10).
            _ if RXDCTL.index_of(offset).is_some() && !Rctl::from(self.stored(RCTL.offset())).enable() => {
                Rxdctl::from(stored).with_enable(false).into()
            }
            _ => stored,
        }
    }

    fn write(&mut self, offset: u32, value: u32) {
        self.accesses.push(Access::Write(offset, value));
        if offset == CTRL.offset() && Ctrl::from(value).reset() && self.make.failure != Failure::ResetHangs {
            self.power_up();
            return;
        }
        if offset == MDIC.offset() && Mdic::from(value).write() {
            self.phy.insert(Mdic::from(value).register(), Mdic::from(value).data());
        }
        self.registers.insert(offset, value);
    }
}

impl Registers for Card {
    fn read(&self, offset: u32) -> u32 {
        self.state().read(offset)
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
        let device = self.state().make.device;
        Ok(PciId { vendor: INTEL, device, subsystem_vendor: INTEL, subsystem_device: 0, revision: 0 })
    }

    fn numa_node(&self) -> Option<u32> {
        None
    }

    fn bar(&self, _index: u8) -> Result<Card> {
        Ok(self.clone())
    }

    fn config_read(&self, offset: u16, bytes: &mut [u8]) -> Result<()> {
        bytes.copy_from_slice(&self.state().make.config[usize::from(offset)..][..bytes.len()]);
        Ok(())
    }

    fn config_write(&self, offset: u16, bytes: &[u8]) -> Result<()> {
        let mut state = self.state();
        if offset != COMMAND && state.make.failure == Failure::ConfigRefuses {
            return Err(Error::Gone { device: self.name().to_owned() });
        }
        state.make.config[usize::from(offset)..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn dma(&self) -> Arc<dyn DmaMapper> {
        self.memory()
    }

    fn interrupts(&self) -> u16 {
        10
    }

    fn connect_interrupts(&self, _signals: &[BorrowedFd<'_>]) -> Result<()> {
        Ok(())
    }

    fn reset(&self) -> Result<()> {
        self.state().power_up();
        Ok(())
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
