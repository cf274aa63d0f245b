//! Interrupts: causes, masks, moderation, and the messages that come of them (datasheet 7.3).
//!
//! ```text
//!   write-back ─► IVAR ─┐                                                        ┌─ connected ─► eventfd
//!   link, EICS ─────────┴─► cause (EICR) ─► mask (EIMS) ─► throttle (EITR) ─► message
//!                             ▲               ▲                              │   └─ not ─► pending bit, until it is
//!                             └─ auto-clear ──┴─ auto-mask ──────────────────┘
//! ```
//!
//! A vector owes a message when a cause of it becomes both set and enabled; a cause that is set already owes no second one. Since
//! nothing here runs by itself, a message that waits for its interval goes out at the first step or register access after it.

use std::fs::File;
use std::io::Write;

use gannet_spec::x82599::regs::{self, Allocation, EICR_LSC, EICR_TCP_TIMER, EITR_UNIT_NS, Eitr, Gpie};

use super::core::Core;
use super::probe::Violation;
use super::registers::Register;
use super::reset::write_mask;

/// MSI-X vectors.
pub(super) const VECTORS: usize = regs::VECTORS as usize;

/// A bit a cause: 63:0 those of queues, by their vector; above them EICR's 30:16, [`OTHER_SHIFT`] places up.
pub(super) type Causes = u128;

const OTHER_SHIFT: u32 = 64;
/// EICR's bits of queues, and of all else.
const EICR_QUEUES: u32 = 0x0000_FFFF;
const EICR_OTHERS: u32 = 0x7FFF_0000;
const VISIBLE: Causes = from_eicr(EICR_QUEUES | EICR_OTHERS);
const QUEUES: Causes = u64::MAX as Causes;
const TCP_TIMER: Causes = from_eicr(EICR_TCP_TIMER);
/// What IVAR_MISC allots as other causes.
const OTHERS: Causes = from_eicr(EICR_OTHERS & !EICR_TCP_TIMER);
/// The link went up or down.
pub(super) const LINK: Causes = from_eicr(EICR_LSC);

/// Causes of a value of EICR, EICS, EIMS, EIMC, EIAC or EIAM.
const fn from_eicr(value: u32) -> Causes {
    (value & EICR_QUEUES) as Causes | ((value & EICR_OTHERS) as Causes) << OTHER_SHIFT
}

/// The reverse.
const fn to_eicr(causes: Causes) -> u32 {
    causes as u32 & EICR_QUEUES | (causes >> OTHER_SHIFT) as u32 & EICR_OTHERS
}

/// Causes of a value of register `index` of an extended array.
const fn extended(index: u8, value: u32) -> Causes {
    (value as Causes) << (32 * index as u32)
}

/// Which of a queue pair interrupts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Receive,
    Transmit,
}

/// What there is besides the plain registers.
#[derive(Debug)]
pub(super) struct Interrupts {
    /// EICR, and what of it is not visible.
    set: Causes,
    /// EIMS.
    enabled: Causes,
    /// EIAM.
    auto_mask: Causes,
    /// Vectors that owe a message.
    owed: u64,
    /// Vectors whose message could not leave the card: the pending bit array.
    pending: u64,
    /// When each vector's interval ends.
    ready_at: [u64; VECTORS],
    /// Where the messages of the first vectors go: the MSI-X table.
    signals: Vec<File>,
}

impl Default for Interrupts {
    fn default() -> Interrupts {
        Interrupts {
            set: 0,
            enabled: 0,
            auto_mask: 0,
            owed: 0,
            pending: 0,
            ready_at: [0; VECTORS],
            signals: Vec::new(),
        }
    }
}

impl Interrupts {
    /// As after a reset of the card; the MSI-X table is the bus's, and stays.
    pub(super) fn reset(&mut self) {
        let signals = std::mem::take(&mut self.signals);
        *self = Interrupts { signals, ..Interrupts::default() };
    }

    fn active(&self) -> Causes {
        self.set & self.enabled
    }

    fn read(&self, register: Register) -> Option<u32> {
        Some(match register {
            Register::Eicr | Register::Eics => to_eicr(self.set),
            Register::Eims => to_eicr(self.enabled),
            Register::EimsEx(index) => (self.enabled >> (32 * index)) as u32,
            Register::Eiam => to_eicr(self.auto_mask),
            Register::EiamEx(index) => (self.auto_mask >> (32 * index)) as u32,
            Register::Eimc | Register::EimcEx(_) | Register::EicsEx(_) => 0,
            _ => return None,
        })
    }

    /// Clears causes because software read or wrote EICR.
    fn clear(&mut self, causes: Causes, gpie: Gpie) {
        self.set &= !causes;
        if !gpie.auto_mask() {
            self.enabled &= !(causes & self.auto_mask);
        }
    }

    fn set_auto_mask(&mut self, places: Causes, value: Causes) {
        self.auto_mask = self.auto_mask & !places | value;
    }
}

impl Core {
    /// Reads a register of the interrupts, with all that the read causes.
    pub(super) fn read_interrupts(&mut self, register: Register, stored: u32) -> u32 {
        let value = self.interrupts.read(register).unwrap_or(stored);
        if register == Register::Eicr {
            let gpie = self.get(regs::GPIE);
            let cleared = if gpie.other_clear_disable() { VISIBLE & !QUEUES } else { VISIBLE };
            self.interrupts.clear(cleared, gpie);
        }
        value
    }

    /// Writes a register of the interrupts, with all that the write causes.
    pub(super) fn write_interrupts(&mut self, register: Register, value: u32, now: u64) {
        let before = self.interrupts.active();
        let gpie = self.get(regs::GPIE);
        match register {
            Register::Eicr => self.interrupts.clear(from_eicr(value), gpie),
            Register::Eics => self.set_causes(from_eicr(value)),
            Register::EicsEx(index) => self.set_causes(extended(index, value)),
            Register::Eims => self.enable_causes(from_eicr(value)),
            Register::EimsEx(index) => self.enable_causes(extended(index, value)),
            Register::Eimc => self.interrupts.enabled &= !from_eicr(value),
            Register::EimcEx(index) => self.interrupts.enabled &= !extended(index, value),
            Register::Eiam => self.interrupts.set_auto_mask(VISIBLE, from_eicr(value)),
            Register::EiamEx(index) => {
                self.interrupts.set_auto_mask(extended(index, u32::MAX), extended(index, value));
            }
            _ => self.configure_interrupts(register, value),
        }
        self.owe_for_risen(before);
        self.send_messages(now);
    }

    /// Registers that say how interrupts work.
    fn configure_interrupts(&mut self, register: Register, value: u32) {
        let not_stored = match register {
            Register::Eitr(_) => Eitr::new().with_counter(0x7F).with_keep_counter(true).into(),
            _ => 0,
        };
        if value & !write_mask(register) & !not_stored != 0 {
            self.log.violation(Violation::ReservedBits, || format!("{register:?} = {value:#x}"));
        }
        if register == Register::Gpie && Gpie::from(value).vt_mode() != 0 {
            self.log.violation(Violation::Unsupported, || format!("GPIE = {value:#x}: pools"));
        }
        self.store(register, value);
        if let Register::Eitr(vector) = register
            && let Some(ready_at) = self.interrupts.ready_at.get_mut(usize::from(vector))
            && !Eitr::from(value).keep_counter()
        {
            *ready_at = 0;
        }
    }

    /// EICS.
    fn set_causes(&mut self, causes: Causes) {
        let gpie = self.get(regs::GPIE);
        if !gpie.auto_mask() {
            self.interrupts.enabled |= causes & self.interrupts.auto_mask;
        }
        if gpie.immediate() {
            bits(self.vectors_of(causes)).for_each(|vector| self.interrupts.ready_at[vector] = 0);
        }
        self.interrupts.set |= causes;
    }

    /// EIMS.
    fn enable_causes(&mut self, causes: Causes) {
        if self.get(regs::GPIE).pba_support() {
            self.interrupts.pending &= !self.vectors_of(causes);
        }
        self.interrupts.enabled |= causes;
    }

    /// Causes happened. Their messages go with the next [`Self::send_messages`].
    pub(super) fn raise(&mut self, causes: Causes) {
        let before = self.interrupts.active();
        self.interrupts.set |= causes;
        self.owe_for_risen(before);
    }

    fn owe_for_risen(&mut self, before: Causes) {
        let risen = self.interrupts.active() & !before;
        self.interrupts.owed |= self.vectors_of(risen);
    }

    /// The cause that a write-back of a queue is, as IVAR has it; none without its valid bit.
    pub(super) fn cause_of_queue(&self, queue: u32, direction: Direction) -> Causes {
        let ivar = self.get_at(regs::IVAR, queue / 2);
        let allocation = match direction {
            Direction::Receive => ivar.rx(queue),
            Direction::Transmit => ivar.tx(queue),
        };
        // Without MSI-X the entry names one of EICR's sixteen bits.
        let vectors = if self.get(regs::GPIE).msix() { VECTORS } else { 16 };
        if allocation.valid() { 1 << (usize::from(allocation.vector()) % vectors) } else { 0 }
    }

    /// The vectors that causes belong to.
    fn vectors_of(&self, causes: Causes) -> u64 {
        if !self.get(regs::GPIE).msix() {
            return u64::from(causes != 0);
        }
        let misc = self.get(regs::IVAR_MISC);
        let vector = |some: Causes, allocation: Allocation| {
            if causes & some != 0 && allocation.valid() { 1 << allocation.vector() } else { 0 }
        };
        causes as u64 | vector(TCP_TIMER, misc.tcp_timer()) | vector(OTHERS, misc.other())
    }

    /// The causes that belong to a vector: the reverse.
    fn causes_of(&self, vector: usize) -> Causes {
        if !self.get(regs::GPIE).msix() {
            return if vector == 0 { Causes::MAX } else { 0 };
        }
        let misc = self.get(regs::IVAR_MISC);
        let of = |some: Causes, allocation: Allocation| {
            if allocation.valid() && usize::from(allocation.vector()) == vector { some } else { 0 }
        };
        1 << vector | of(TCP_TIMER, misc.tcp_timer()) | of(OTHERS, misc.other())
    }

    /// Sends the messages whose time has come.
    #[inline(always)]
    pub(super) fn send_messages(&mut self, now: u64) {
        if self.interrupts.owed | self.interrupts.pending != 0 {
            self.send_owed(now);
            self.send_pending();
        }
    }

    #[cold]
    fn send_owed(&mut self, now: u64) {
        for vector in bits(self.interrupts.owed) {
            let causes = self.causes_of(vector) & self.interrupts.active();
            if causes != 0 && now < self.interrupts.ready_at[vector] {
                continue;
            }
            self.interrupts.owed &= !(1 << vector);
            // Otherwise software cleared or masked it before its time.
            if causes != 0 {
                self.send(vector, causes, now);
            }
        }
    }

    /// A message for `causes` leaves the interrupt logic. Causes are cleared and masked even if it then waits in the pending bit array.
    fn send(&mut self, vector: usize, causes: Causes, now: u64) {
        let interval = u64::from(self.get_at(regs::EITR, vector as u32).interval()) * EITR_UNIT_NS;
        let auto_clear = from_eicr(self.get(regs::EIAC)) | QUEUES & !VISIBLE;
        let interrupts = &mut self.interrupts;
        interrupts.pending |= 1 << vector;
        interrupts.ready_at[vector] = now.saturating_add(interval);
        interrupts.set &= !(causes & auto_clear);
        if self.get(regs::GPIE).auto_mask() {
            self.interrupts.enabled &= !(causes & self.interrupts.auto_mask);
        }
    }

    /// Writes messages to memory, as far as the bus lets them: MSI-X is on, the card may write, the vector is connected.
    fn send_pending(&mut self) {
        if !self.config.msix_on() || !self.may_master() || self.faults.gone {
            return;
        }
        for vector in bits(self.interrupts.pending) {
            let Some(signal) = self.interrupts.signals.get_mut(vector) else { break };
            self.interrupts.pending &= !(1 << vector);
            // Fails only when the counter is full: whoever reads it is woken all the same.
            let _ = signal.write(&1_u64.to_ne_bytes());
        }
    }

    /// Connects the first vectors with eventfds, in order, and the others with nothing.
    pub(super) fn connect_interrupts(&mut self, signals: Vec<File>, now: u64) {
        self.config.switch_msix(!signals.is_empty());
        self.interrupts.signals = signals;
        self.send_messages(now);
    }
}

/// Numbers of the bits that are set.
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (word != 0).then(|| word.trailing_zeros() as usize);
        word &= word.wrapping_sub(1);
        lowest
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_and_eicr_are_two_views_of_the_same() {
        for bit in 0..31 {
            assert_eq!(to_eicr(from_eicr(1 << bit)), 1 << bit);
        }
        assert_eq!(from_eicr(1 << 31), 0, "reserved");
        assert_eq!(to_eicr(extended(0, 0xFFFF_0000) | extended(1, u32::MAX)), 0, "vectors above 15 are not visible");
        assert_eq!(to_eicr(extended(0, 0x8001)), 0x8001);
    }

    #[test]
    fn bits_come_in_order() {
        assert_eq!(bits(0).next(), None);
        assert_eq!(bits(1 << 63 | 0b101).collect::<Vec<_>>(), [0, 2, 63]);
    }
}
