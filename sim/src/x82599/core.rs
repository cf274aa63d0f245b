//! The card's state behind its lock: register file, queues, link, statistics.

use std::sync::Arc;
use std::time::Duration;

use gannet_bus::pci::{COMMAND_BUS_MASTER, PciId};
use gannet_spec::INTEL;
use gannet_spec::x82599::{DEVICE_82599_SFP, QUEUES, regs};
use gannet_spec::{Reg, RegArray};

use super::eeprom::Eeprom;
use super::fault::Faults;
use super::interrupts::{self, Interrupts};
use super::link::Link;
use super::probe::Log;
use super::queue::{Doorbells, Turned};
use super::registers::BAR_BYTES;
use super::reset;
use super::rx::{ReceiveSettings, RxQueue};
use super::rx_buffer::PacketBuffer;
use super::stats::Statistics;
use super::tx::{TransmitSettings, TxQueue};
use crate::config_space::ConfigSpace;

/// Nanoseconds until CTRL's reset bits clear: software polls them ten times, a microsecond apart (4.2.1.6).
const RESET_NS: u64 = 3_000;
/// Nanoseconds after a reset until the EEPROM is read and the DMA is initialised (8.2.3.1.1: at least 1 ms).
const SETTLE_NS: u64 = 1_000_000;

/// The register file and all that hangs on it.
pub(super) struct Core {
    values: Box<[u32]>,
    pub(super) config: ConfigSpace,
    pub(super) eeprom: Eeprom,
    pub(super) stats: Statistics,
    pub(super) interrupts: Interrupts,
    pub(super) link: Link,
    pub(super) faults: Faults,
    pub(super) log: Log,
    pub(super) rx: Vec<RxQueue>,
    pub(super) tx: Vec<TxQueue>,
    pub(super) buffer: PacketBuffer,
    /// What the receive path makes of the registers; `None` after they changed.
    pub(super) receive: Option<ReceiveSettings>,
    /// The same for the transmit path.
    pub(super) transmit: Option<TransmitSettings>,
    doorbells: Arc<Doorbells>,
    /// Until when CTRL's reset bits read 1.
    reset_until: Option<u64>,
    settled_at: u64,
    /// When a queue goes on or off next.
    next_turn: u64,
}

impl Core {
    pub(super) fn new(name: &str, mac: [u8; 6], link: Link, doorbells: Arc<Doorbells>) -> Core {
        let id = PciId {
            vendor: INTEL,
            device: DEVICE_82599_SFP,
            subsystem_vendor: INTEL,
            subsystem_device: 0x0003,
            revision: 1,
        };
        let mut core = Core {
            values: vec![0; (BAR_BYTES / 4) as usize].into(),
            config: ConfigSpace::new(id),
            eeprom: Eeprom::new(mac),
            stats: Statistics::default(),
            interrupts: Interrupts::default(),
            link,
            faults: Faults::default(),
            log: Log::new(name),
            rx: (0..QUEUES).map(|_| RxQueue::default()).collect(),
            tx: (0..QUEUES).map(|_| TxQueue::default()).collect(),
            buffer: PacketBuffer::default(),
            receive: None,
            transmit: None,
            doorbells,
            reset_until: None,
            settled_at: 0,
            next_turn: u64::MAX,
        };
        core.load_defaults();
        core
    }

    /// Value of a register as it is stored.
    #[inline]
    pub(super) fn get<A, V: From<u32>>(&self, register: Reg<A, V>) -> V {
        V::from(self.values[(register.offset() / 4) as usize])
    }

    /// Value of register `index` of an array.
    #[inline]
    pub(super) fn get_at<A, V: From<u32>>(&self, array: RegArray<A, V>, index: u32) -> V {
        self.get(array.get(index))
    }

    /// Stores a register.
    pub(super) fn set<A, V: Into<u32>>(&mut self, register: Reg<A, V>, value: V) {
        self.values[(register.offset() / 4) as usize] = value.into();
    }

    /// The stored value at `offset`.
    pub(super) fn raw(&self, offset: u32) -> u32 {
        self.values[(offset / 4) as usize]
    }

    /// Stores a value at `offset`. What the data path derives from registers is derived again.
    pub(super) fn set_raw(&mut self, offset: u32, value: u32) {
        self.values[(offset / 4) as usize] = value;
        self.forget_settings();
    }

    fn forget_settings(&mut self) {
        self.receive = None;
        self.transmit = None;
    }

    fn load_defaults(&mut self) {
        self.values.fill(0);
        reset::load(self);
        let word = |address| u32::from(self.eeprom.word(address));
        let (low, high) = (word(0) | word(1) << 16, word(2));
        self.set(regs::RAL.get(0), low);
        self.set(regs::RAH.get(0), regs::Rah::new().with_bytes(high as u16).with_valid(true));
        self.forget_settings();
    }

    /// Resets everything but configuration space, EEPROM and SW_FW_SYNC, which the firmware shares (4.2.1).
    pub(super) fn reset(&mut self, now: u64) {
        self.doorbells.reset();
        self.rx.iter_mut().for_each(|queue| *queue = RxQueue::default());
        self.tx.iter_mut().for_each(|queue| *queue = TxQueue::default());
        self.stats = Statistics::default();
        self.interrupts.reset();
        self.buffer.clear();
        self.link.restart();
        let semaphore = self.get(regs::SW_FW_SYNC);
        self.load_defaults();
        self.set(regs::SW_FW_SYNC, semaphore);
        self.next_turn = u64::MAX;
        self.reset_until = Some(now + RESET_NS);
        self.settled_at = now + SETTLE_NS;
    }

    /// Resets the function (PCI Express 6.6.2): configuration space and interrupts too.
    pub(super) fn reset_function(&mut self, now: u64) {
        self.config.reset();
        self.reset(now);
        self.interrupts = Interrupts::default();
    }

    /// Restarts the link only (CTRL.LNK_RST).
    pub(super) fn reset_link(&mut self, now: u64) {
        self.restart_link();
        self.reset_until = Some(now + RESET_NS);
    }

    /// Takes the link down, to come up anew.
    pub(super) fn restart_link(&mut self) {
        if self.link.restart() {
            self.raise(interrupts::LINK);
        }
    }

    /// Whether a reset of the whole card goes on: CTRL.RST still reads 1.
    pub(super) fn in_reset(&self) -> bool {
        self.get(regs::CTRL).reset()
    }

    /// Whether EEPROM and DMA are ready after a reset.
    pub(super) fn settled(&self, now: u64) -> bool {
        now >= self.settled_at
    }

    /// Whether the card may start requests: bus mastering is on in configuration space, and CTRL does not forbid it.
    pub(super) fn may_master(&self) -> bool {
        self.config.command() & COMMAND_BUS_MASTER != 0 && !self.get(regs::CTRL).master_disable() && !self.in_reset()
    }

    /// Lets time pass: ends resets, turns queues on and off, moves the link.
    pub(super) fn tick(&mut self, now: u64) {
        if self.reset_until.is_some_and(|until| now >= until) && !self.faults.stuck_reset {
            self.reset_until = None;
            let ctrl = self.get(regs::CTRL).with_reset(false).with_link_reset(false);
            self.set(regs::CTRL, ctrl);
        }
        let ready = !self.in_reset() && !self.faults.link_never_up && !self.get(regs::ESDP).laser_off();
        if self.link.tick(now, ready) {
            self.raise(interrupts::LINK);
        }
        if now >= self.next_turn {
            self.turn_queues(now);
        }
        self.send_messages(now);
    }

    /// A queue's enable bit was written: looks at the deadlines anew.
    pub(super) fn schedule(&mut self) {
        let rx = self.rx.iter().filter_map(|queue| queue.ring.deadline());
        let tx = self.tx.iter().filter_map(|queue| queue.ring.deadline());
        self.next_turn = rx.chain(tx).min().unwrap_or(u64::MAX);
    }

    fn turn_queues(&mut self, now: u64) {
        let stuck = self.faults.stuck_queue_disable;
        for (queue, bell) in self.rx.iter_mut().zip(&self.doorbells.rx) {
            match queue.ring.tick(now, bell, stuck) {
                Some(Turned::On) => queue.ring.head = 0, // 8.2.3.8.5: enabling clears the head
                Some(Turned::Off) => queue.forget(),
                None => {}
            }
        }
        for (queue, bell) in self.tx.iter_mut().zip(&self.doorbells.tx) {
            if queue.ring.tick(now, bell, stuck) == Some(Turned::Off) {
                queue.forget();
            }
        }
        self.forget_settings();
        self.schedule();
        if stuck {
            // Looked at again when healed; without this every access would look at all queues.
            self.next_turn = self.next_turn.max(now + Duration::from_millis(1).as_nanos() as u64);
        }
    }
}
