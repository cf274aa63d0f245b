//! Whose a packet's bytes are: shared with other packets, somebody else's, charged to an account.
//!
//! ```text
//!   share()                 two packets ──► one buffer        bytes are copied when one of them is to be changed
//!   from_external()         packet ──► buffer (a name only) ──► bytes of somebody else
//!   charge()                the buffer counts for an account until it is home
//! ```

use super::{Packet, Refused, fits};
use crate::account::{self, Account, OverLimit};
use crate::dma::{External, Lent};
use crate::notes::{self, Record};
use crate::pool::{Place, Pool, Priority};
use crate::slot;
#[cfg(doc)]
use crate::token::Completion;
use crate::token::Token;

impl Packet {
    /// What hangs on the buffer, if anything does.
    #[inline(always)]
    pub(super) fn record(&self) -> Option<&Record> {
        if self.is_noted() { self.pool().notes().record(self.slot()) } else { None }
    }

    /// The buffer's record, in use from now on.
    pub(super) fn open_record(&mut self) -> &Record {
        let plain = self.slot;
        self.slot = plain | slot::NOTED;
        // The note of a plain packet is an old one.
        self.pool().notes().open_record(plain.get())
    }

    /// The record, if this packet is the buffer's only owner: what hangs on it may be changed.
    pub(super) fn own_record(&mut self) -> Result<&Record, Refused> {
        if self.is_shared() { Err(Refused::Shared) } else { Ok(self.open_record()) }
    }

    /// The foreign memory, and where in it the frame begins.
    pub(crate) fn lent(&self) -> Option<(&Lent, usize)> {
        let (memory, start) = self.record()?.lent()?;
        Some((memory, start + usize::from(self.offset)))
    }

    /// Notes that a card has this packet and those behind, if their pools are tracked.
    pub(crate) fn mark_sent(&self) {
        for segment in self.chain() {
            segment.pool().mark(&[segment.slot()], Place::Transmit);
        }
    }

    /// Another packet with the same bytes, without a copy: the buffer goes home when both are gone. Which packet is changed first
    /// gets a buffer of its own ([`Self::data_mut`]). What is behind a first segment is shared with it; a completion is told when the last
    /// is gone. The charge stays with the buffer.
    ///
    /// DPDK's counterpart is `rte_pktmbuf_clone`, which needs another buffer's header, the kernel's `skb_clone`.
    #[inline]
    #[must_use]
    pub fn share(&mut self) -> Packet {
        self.open_record().sharers().join_by_holder();
        self.twin()
    }

    /// Another value for the same buffer; the caller has made it an owner.
    fn twin(&self) -> Packet {
        Packet { slot: self.slot, offset: self.offset, len: self.len, metadata: self.metadata }
    }

    /// [`Self::share`] for a segment of a chain, which has a record.
    fn share_segment(&self) -> Option<Packet> {
        self.record()?.sharers().join();
        Some(self.twin())
    }

    /// Whether other packets have the same buffer.
    pub fn is_shared(&self) -> bool {
        self.record().is_some_and(|record| record.sharers().is_shared())
    }

    /// Whether the bytes are somebody else's ([`Self::from_external`]).
    pub fn is_foreign(&self) -> bool {
        self.record().is_some_and(|record| record.foreign_bytes().is_some())
    }

    /// Copies the bytes into a buffer of this packet's own, if others have them too. What is behind is shared, not copied.
    ///
    /// # Errors
    /// The pool has no free buffer, the account that the old one is charged to has no more, or a buffer is too small for foreign bytes.
    #[inline(never)]
    pub fn make_own(&mut self) -> Result<(), Refused> {
        match self.record() {
            Some(record) if record.sharers().is_shared() || record.foreign_bytes().is_some() => self.copy(),
            _ => Ok(()),
        }
    }

    #[cold]
    #[inline(never)]
    fn copy(&mut self) -> Result<(), Refused> {
        let pool = self.pool();
        let offset = if self.is_foreign() { pool.headroom() } else { self.offset };
        fits(self.len(), (pool.room_of(self.slot()) as usize).saturating_sub(offset.into()))?;
        let mut copy = pool.take_packet_for_packet()?;
        (copy.offset, copy.len, copy.metadata) = (offset, self.len, self.metadata);
        self.hand_charge_to(&mut copy)?;
        copy.own_bytes().copy_from_slice(self.data());
        if let Some(next) = self.record().and_then(Record::next).and_then(Packet::share_segment) {
            copy.open_record().set_next(next);
        }
        copy.take_completion_of(self);
        if self.behind().is_some_and(|tail| tail.chain().any(Packet::is_foreign)) {
            // If the completion stays with others: it may be about somebody's memory, which the copy reaches too.
            self.lend_completion_to(&mut copy);
        }
        *self = copy;
        Ok(())
    }

    /// Puts the whole frame into one buffer of `pool`. The charge and the first segment's completion go along.
    pub(crate) fn copy_into(&mut self, pool: &Pool) -> Result<(), Refused> {
        let mut copy = pool.shared().take_packet(Priority::Normal)?;
        let len = self.total_len();
        let mut space = copy.append(len)?;
        for bytes in self.segments() {
            let (place, rest) = space.split_at_mut(bytes.len());
            place.copy_from_slice(bytes);
            space = rest;
        }
        copy.metadata = self.metadata;
        self.hand_charge_to(&mut copy)?;
        self.unshared().for_each(|segment| copy.take_completion_of(segment));
        *self = copy;
        Ok(())
    }

    /// Charges a new packet, which has a copy of this one's bytes, to whom this one is charged: instead of this one if it has its buffer
    /// alone, else once more.
    fn hand_charge_to(&self, copy: &mut Packet) -> Result<(), OverLimit> {
        let account = if self.is_noted() { self.pool().notes().account(self.slot()) } else { 0 };
        if account == 0 {
            return Ok(());
        }
        if !self.is_shared() {
            self.pool().notes().exchange_account(self.slot(), 0);
        } else if !account::charge_exactly(account) {
            return Err(OverLimit::new(account, 1));
        }
        // What was noted about the copy, a tracked one perhaps: nothing.
        copy.note_account(account);
        Ok(())
    }

    /// Has the completion wait for `other` too, unless that has one of its own.
    pub(super) fn lend_completion_to(&self, other: &mut Packet) {
        if let Some(token) = self.record().and_then(Record::token)
            && let Ok(record) = other.own_record()
            && let Some(own) = record.set_token(Some(token))
        {
            record.set_token(Some(own));
        }
    }

    /// Gives the completion of `segment`, unless others of its buffer wait for it too, to this packet, which has a copy of its bytes. If this
    /// packet has one already, the other is told now: its bytes are free.
    pub(super) fn take_completion_of(&mut self, segment: &Packet) {
        if let Some(record) = segment.record()
            && !record.sharers().is_shared()
            && let Some(token) = record.set_token(None)
        {
            token.note_copy();
            let own = self.open_record();
            if let Some(first) = own.set_token(Some(token)) {
                own.set_token(Some(first));
            }
        }
    }

    /// A packet of up to 65,535 bytes that are somebody else's: from `start` on, `len` of them, of `memory`. Nothing is copied; a buffer of
    /// `pool` stands for it in rings and bursts, so a pool of small buffers is good for this. The memory is released when the
    /// last packet and the last handle is gone.
    ///
    /// The bytes are for reading; [`Self::data_mut`] copies them. To be sent they must be mapped ([`External::map`]), or
    /// are copied into the port's bounce pool. DPDK's counterpart is `rte_pktmbuf_attach_extbuf`.
    ///
    /// # Errors
    /// [`Refused::NoRoom`] if the memory, or 65,535, is less; no buffer.
    pub fn from_external(pool: &Pool, memory: &External, start: usize, len: usize) -> Result<Packet, Refused> {
        fits(len, memory.len().saturating_sub(start).min(u16::MAX.into()))?;
        pool.shared().take_packet(Priority::Normal).map(|name| name.around(memory.clone(), start, len as u16))
    }

    /// This new packet as one of `len` foreign bytes, which there are from `start` on.
    fn around(mut self, memory: External, start: usize, len: u16) -> Packet {
        (self.offset, self.len) = (0, len);
        self.open_record().set_external(memory, start);
        self
    }

    /// The bytes from `at` on as a packet of their own: foreign ones under another name, others as a copy. What is behind is shared with it.
    pub(super) fn part(&mut self, at: usize) -> Result<Packet, Refused> {
        let mut part = self.share();
        part.adjust(at)?;
        if part.is_foreign() {
            part.rename()?
        } else {
            part.make_own()?
        }
        Ok(part)
    }

    /// Gives this packet of foreign bytes a buffer of its own to stand for them.
    fn rename(&mut self) -> Result<(), Refused> {
        let pool = self.pool();
        let mut name = pool.take_packet_for_packet()?;
        self.hand_charge_to(&mut name)?;
        if let Some((_, start)) = self.lent()
            && let Some(memory) = self.record().and_then(Record::external)
        {
            name = name.around(memory, start, self.len);
            name.metadata = self.metadata;
        }
        if let Some(next) = self.record().and_then(Record::next).and_then(Packet::share_segment) {
            name.open_record().set_next(next);
        }
        *self = name;
        Ok(())
    }

    /// Has `token`'s completion told when the bytes of this packet are not referred to any more: the frame is sent, its last descriptor done, or
    /// dropped. Give it to the segment whose bytes it is about, or to the first for the whole frame. A packet takes one: the one that it had
    /// comes back. Where bytes are copied ([`Completion::copied`]) it waits for the copy; of several segments copied into one buffer the first
    /// one's does, and those of the others are told at once.
    ///
    /// # Errors
    /// [`Refused::Shared`], and the token is dropped.
    pub fn complete_with(&mut self, token: Token) -> Result<Option<Token>, Refused> {
        Ok(self.own_record()?.set_token(Some(token)))
    }

    /// Charges the buffer to `account` instead of whom it was charged to. Of a chain, the first segment.
    ///
    /// # Errors
    /// The account has what it may have; the charge stays where it was.
    pub fn charge(&mut self, account: &Account) -> Result<(), OverLimit> {
        self.charge_number(account.number())
    }

    fn charge_number(&mut self, account: u16) -> Result<(), OverLimit> {
        if self.is_noted() && self.pool().notes().account(self.slot()) == account {
            return Ok(());
        }
        if !account::charge(account, 1) {
            return Err(OverLimit::new(account, 1));
        }
        if self.is_noted() {
            let before = self.pool().notes().exchange_account(self.slot(), account);
            notes::uncharge(before, 1);
        } else {
            self.note_account(account);
        }
        Ok(())
    }

    /// Notes that this new packet, about which nothing is noted but perhaps its place, is charged to an account already.
    #[inline(always)]
    fn note_account(&mut self, account: u16) {
        debug_assert!(self.record().is_none());
        // SAFETY: this packet's buffer is out.
        unsafe { notes::of(self.slot()) }.write_account(self.slot(), account);
        self.slot |= slot::NOTED;
    }
}
