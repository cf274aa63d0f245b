//! What each register does when it is read or written.

use gannet_spec::x82599::TX_ON_CHIP_DESCRIPTORS;
use gannet_spec::x82599::regs::{
    self, Autoc, Ctrl, DcaRxctrl, Eec, Eerd, Hlreg0, Msca, Rdrxctl, Rxdctl, Status, Swsm, Txdctl,
};

use super::core::Core;
use super::probe::Violation;
use super::queue::Doorbells;
use super::registers::{Access, Register};
use super::reset::write_mask;

/// Bits of HLREG0 that must keep their values: 9:3 and 14:11 (8.2.3.22.8).
const HLREG0_RESERVED: u32 = 0x0000_7BF8;

impl Core {
    /// Reads a register, with all that the read causes.
    pub(super) fn read(&mut self, register: Register, now: u64, bells: &Doorbells) -> u32 {
        let stored = self.raw(register.offset());
        match register.access() {
            Access::Statistic => self.stats.read(register),
            Access::Stored | Access::ReadOnly => stored,
            Access::Command => 0,
            Access::Interrupt => self.read_interrupts(register, stored),
            Access::Active => self.read_active(register, stored, now, bells),
        }
    }

    /// Reads a register that is more than what was written to it.
    fn read_active(&mut self, register: Register, stored: u32, now: u64, bells: &Doorbells) -> u32 {
        match register {
            Register::Status => self.status().into(),
            Register::Eec => Eec::from(stored).with_auto_read_done(self.settled(now)).into(),
            Register::Rdrxctl => Rdrxctl::from(stored).with_dma_init_done(self.settled(now)).into(),
            Register::Swsm => {
                // A read takes the semaphore: whoever sees 0 has it (10.5.4).
                let value = Swsm::from(stored);
                self.set(regs::SWSM, value.with_smbi(true));
                stored
            }
            Register::Links => self.link.status().into(),
            Register::Rdh(queue) => self.rx[usize::from(queue)].ring.head,
            Register::Tdh(queue) => self.tx[usize::from(queue)].ring.head,
            Register::Rdt(queue) => bells.rx[usize::from(queue)].tail(),
            Register::Tdt(queue) => bells.tx[usize::from(queue)].tail(),
            Register::Rxdctl(queue) => Rxdctl::from(stored).with_enable(self.rx[usize::from(queue)].ring.runs()).into(),
            Register::Txdctl(queue) => Txdctl::from(stored).with_enable(self.tx[usize::from(queue)].ring.runs()).into(),
            _ => stored,
        }
    }

    fn status(&self) -> Status {
        // Requests may be outstanding until software forbids them and the queues are off (5.2.5.3.2).
        let busy = !self.rx.iter().all(|queue| queue.ring.is_off()) || !self.tx.iter().all(|queue| queue.ring.is_off());
        let master = !self.get(regs::CTRL).master_disable() || busy;
        Status::new().with_link_up(self.link.is_up()).with_master_enabled(master)
    }

    /// Writes a register, with all that the write causes.
    pub(super) fn write(&mut self, register: Register, value: u32, now: u64) {
        if self.in_reset() && register != Register::Ctrl {
            return self.log.violation(Violation::WriteDuringReset, || format!("{register:?} = {value:#x}"));
        }
        match register.access() {
            Access::Statistic | Access::ReadOnly => self.log.read_only_write(register.offset()),
            Access::Stored => self.store(register, value),
            Access::Interrupt => self.write_interrupts(register, value, now),
            Access::Command | Access::Active => self.write_active(register, value, now),
        }
    }

    /// Writes a register that does more than keep the value.
    fn write_active(&mut self, register: Register, value: u32, now: u64) {
        match register {
            Register::Status | Register::Links => self.log.read_only_write(register.offset()),
            Register::Ctrl => self.write_ctrl(value.into(), now),
            Register::Eerd => self.write_eerd(value.into()),
            Register::Swsm => self.set(regs::SWSM, value.into()),
            Register::Msca => self.set(regs::MSCA, Msca::from(value).with_command(false)),
            Register::Autoc => {
                let autoc = Autoc::from(value);
                if autoc.restart() {
                    self.restart_link();
                }
                self.set(regs::AUTOC, autoc.with_restart(false));
            }
            Register::Corectl => {}
            Register::Wus => self.set(regs::WUS, self.get(regs::WUS) & !value),
            Register::Rxctrl | Register::Rxcsum | Register::Hlreg0 | Register::Rdrxctl => {
                self.write_receive(register, value)
            }
            Register::Mtqc if !self.get(regs::RTTDCS).arbiter_disable() => {
                self.log.violation(Violation::QueuesWithArbiter, || format!("MTQC = {value:#x}"));
            }
            Register::Mrqc
            | Register::Synqf
            | Register::Fdirctrl
            | Register::Etqf(_)
            | Register::Ftqf(_)
            | Register::Rscctl(_) => {
                self.write_steering(register, value);
            }
            Register::DcaRxctrl(queue) => {
                if DcaRxctrl::from(value).reserved_zero() {
                    self.log.violation(Violation::ReservedBits, || format!("DCA_RXCTRL({queue}) = {value:#x}"));
                }
                self.store(register, value);
            }
            Register::Rdbal(_) | Register::Rdbah(_) | Register::Rdlen(_) | Register::Rdh(_) | Register::Rxdctl(_) => {
                self.write_rx_ring(register, value, now);
            }
            Register::Tdbal(_) | Register::Tdbah(_) | Register::Tdlen(_) | Register::Tdh(_) | Register::Txdctl(_) => {
                self.write_tx_ring(register, value, now);
            }
            _ => self.store(register, value),
        }
    }

    /// Stores what software may change.
    pub(super) fn store(&mut self, register: Register, value: u32) {
        let (offset, mask) = (register.offset(), write_mask(register));
        self.set_raw(offset, self.raw(offset) & !mask | value & mask);
    }

    fn write_ctrl(&mut self, ctrl: Ctrl, now: u64) {
        if ctrl.reset() {
            self.reset(now);
        } else if ctrl.link_reset() {
            self.reset_link(now);
        }
        // The bit that forbids requests is cleared by the reset.
        self.set(regs::CTRL, ctrl.with_master_disable(ctrl.master_disable() && !ctrl.reset()));
    }

    fn write_eerd(&mut self, eerd: Eerd) {
        if !eerd.start() {
            return self.set(regs::EERD, eerd);
        }
        let mut word = self.eeprom.word(eerd.address());
        if self.faults.bad_eeprom && eerd.address() == gannet_spec::x82599::eeprom::CHECKSUM {
            word = !word;
        }
        self.set(regs::EERD, eerd.with_start(false).with_done(true).with_data(word));
    }

    fn write_receive(&mut self, register: Register, value: u32) {
        let receiving = self.get(regs::RXCTRL).enable();
        if register == Register::Rxcsum && receiving && self.get(regs::RXCSUM).into_bits() != value {
            self.log.violation(Violation::ChecksumWhileReceiving, || format!("RXCSUM = {value:#x}"));
        }
        let reserved = match register {
            Register::Hlreg0 => (value ^ self.get(regs::HLREG0).into_bits()) & HLREG0_RESERVED != 0,
            Register::Rdrxctl => Rdrxctl::from(value).rsc_first_size() != 0,
            _ => false,
        };
        if reserved {
            self.log.violation(Violation::ReservedBits, || format!("{register:?} = {value:#x}"));
        }
        if register == Register::Hlreg0 && Hlreg0::from(value).loopback() {
            self.log.violation(Violation::Unsupported, || "loopback in the MAC".into());
        }
        self.store(register, value);
        let strip = (self.get(regs::HLREG0).rx_crc_strip(), self.get(regs::RDRXCTL).crc_strip());
        if self.get(regs::RXCTRL).enable() && strip.0 != strip.1 {
            self.log.violation(Violation::CrcStripMismatch, || format!("HLREG0 {}, RDRXCTL {}", strip.0, strip.1));
        }
    }

    /// Registers that steer frames to queues: only RSS is modelled.
    fn write_steering(&mut self, register: Register, value: u32) {
        let unsupported = match register {
            Register::Mrqc => regs::Mrqc::from(value).mode() > 1,
            Register::Etqf(_) | Register::Ftqf(_) => value >> 31 != 0,
            Register::Fdirctrl => value & 3 != 0,
            _ => value & 1 != 0,
        };
        if unsupported {
            self.log.violation(Violation::Unsupported, || format!("{register:?} = {value:#x}"));
        }
        self.store(register, value);
    }

    fn check_ring(&mut self, register: Register, value: u32, idle: bool) {
        if matches!(register, Register::Rdbal(_) | Register::Tdbal(_)) && value & !write_mask(register) != 0 {
            self.log.violation(Violation::RingMisaligned, || format!("{register:?} = {value:#x}"));
        }
        if !idle {
            self.log.violation(Violation::RingWhileEnabled, || format!("{register:?} = {value:#x}"));
        }
        self.store(register, value);
    }

    fn write_rx_ring(&mut self, register: Register, value: u32, now: u64) {
        match register {
            Register::Rdh(index) => {
                let ring = &self.rx[usize::from(index)].ring;
                if !ring.is_off() && value != ring.head {
                    self.log.violation(Violation::HeadWhileEnabled, || format!("RDH({index}) = {value}"));
                }
            }
            Register::Rxdctl(index) => {
                self.store(register, value);
                self.enable_rx(index, Rxdctl::from(value).enable(), now);
            }
            Register::Rdbal(index) | Register::Rdbah(index) | Register::Rdlen(index) => {
                let idle = self.rx[usize::from(index)].ring.is_off();
                self.check_ring(register, value, idle);
            }
            _ => {}
        }
    }

    fn enable_rx(&mut self, index: u8, enable: bool, now: u64) {
        let (base, len) = self.ring_of(Register::Rdbal(index), Register::Rdbah(index), Register::Rdlen(index));
        let queue = &mut self.rx[usize::from(index)];
        if !enable {
            queue.ring.disable(now);
        } else if len == 0 && queue.ring.is_off() {
            self.log.violation(Violation::QueueWithoutRing, || format!("receive queue {index}"));
        } else {
            if queue.ring.is_off() {
                (queue.ring.base, queue.ring.len) = (base, len);
            }
            queue.ring.enable(now);
        }
        self.schedule();
    }

    fn write_tx_ring(&mut self, register: Register, value: u32, now: u64) {
        match register {
            Register::Tdh(index) => {
                let ring = &mut self.tx[usize::from(index)].ring;
                if ring.is_off() {
                    ring.head = value & 0xFFFF;
                } else if value != ring.head {
                    self.log.violation(Violation::HeadWhileEnabled, || format!("TDH({index}) = {value}"));
                }
            }
            Register::Txdctl(index) => {
                self.store(register, value);
                self.enable_tx(index, Txdctl::from(value), now);
            }
            Register::Tdbal(index) | Register::Tdbah(index) | Register::Tdlen(index) => {
                let idle = self.tx[usize::from(index)].ring.is_off();
                self.check_ring(register, value, idle);
            }
            _ => {}
        }
    }

    fn enable_tx(&mut self, index: u8, txdctl: Txdctl, now: u64) {
        let detail = || format!("TXDCTL({index}) = {:#x}", txdctl.into_bits());
        if u32::from(txdctl.prefetch()) + u32::from(txdctl.write_back()) > TX_ON_CHIP_DESCRIPTORS {
            self.log.violation(Violation::Thresholds, detail);
        }
        if txdctl.prefetch() > 0 && txdctl.host() == 0 {
            self.log.violation(Violation::HostThreshold, detail);
        }
        let transmitting = self.get(regs::DMATXCTL).enable();
        let (base, len) = self.ring_of(Register::Tdbal(index), Register::Tdbah(index), Register::Tdlen(index));
        let queue = &mut self.tx[usize::from(index)];
        queue.most_descriptors = TX_ON_CHIP_DESCRIPTORS.saturating_sub(txdctl.write_back().into());
        if !txdctl.enable() {
            queue.ring.disable(now);
        } else if !queue.ring.is_off() {
            queue.ring.enable(now);
        } else if len == 0 {
            self.log.violation(Violation::QueueWithoutRing, || format!("transmit queue {index}"));
        } else if !transmitting {
            self.log.violation(Violation::TransmitDisabled, || format!("transmit queue {index}"));
        } else {
            (queue.ring.base, queue.ring.len) = (base, len);
            if queue.ring.head >= len {
                self.log.violation(Violation::HeadBeyondRing, || format!("TDH({index}) = {}", queue.ring.head));
                queue.ring.head = 0;
            }
            queue.ring.enable(now);
        }
        self.schedule();
    }

    /// Base and number of descriptors as the registers have them.
    fn ring_of(&self, low: Register, high: Register, bytes: Register) -> (u64, u32) {
        let base = u64::from(self.raw(low.offset())) | u64::from(self.raw(high.offset())) << 32;
        (base, self.raw(bytes.offset()) / gannet_bus::descriptors::DESCRIPTOR_BYTES as u32)
    }
}
