//! What a pool knows about single buffers beside their bytes: whose charge, how many owners, what follows.
//!
//! ```text
//!   notes:    [ account | RECORD? ]  two bytes a buffer          read only for noted packets (slot::NOTED)
//!   records:  [ sharers, next segment, foreign bytes, token ]    read only where the note says so; one line a buffer
//! ```
//!
//! A plain packet touches neither: most packets never do. Whoever makes a packet noted writes the note first, so what it was before
//! does not matter; a record that is not in use is all zeroes.
//!
//! The record belongs to the buffer, not to the packet: packets that share a buffer share what hangs on it too, and the last of them
//! lets go of it.
#![allow(unsafe_code)]

use std::mem::{self, ManuallyDrop};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU16, AtomicU64, Ordering};

use crate::account;
use crate::dma::{External, Lent};
use crate::packet::Packet;
use crate::sharers::Sharers;
use crate::slot;
use crate::table::{self, Entry};
use crate::token::Token;

/// In a note: the account that the buffer is charged to, 0 for none.
const ACCOUNT: u16 = 0x0FFF;
const _: () = assert!(account::MAX_ACCOUNTS <= ACCOUNT as usize + 1);

/// In a note: the record is in use.
const RECORD: u16 = 0x8000;

/// Notes and records of a pool's buffers.
pub(crate) struct Notes {
    notes: Box<[AtomicU16]>,
    records: Box<[Record]>,
}

/// What hangs on a buffer. All zeroes: nothing, and one owner.
///
/// All but `sharers` is written by the only owner, and read by all. They are atomics because the type is shared, not for
/// their order: that comes with the packet, and at the end from [`Sharers::leave`].
#[repr(C, align(64))]
pub(crate) struct Record {
    /// The segment behind, as the bits of a [`Packet`]; all zeroes if there is none. This record owns it.
    next: [AtomicU64; 2],
    sharers: Sharers,
    /// A count of an [`External`], owned by this record; null if the bytes are the buffer's own.
    external: AtomicPtr<()>,
    /// First of the foreign bytes.
    bytes: AtomicPtr<u8>,
    /// Dropped when the last owner is gone.
    token: AtomicPtr<()>,
}

const _: () = assert!(size_of::<Record>() == 64 && size_of::<Packet>() == 16 && align_of::<Packet>() <= 16);

impl Notes {
    /// For buffers at places 0 to `places` - 1.
    pub(crate) fn new(places: usize) -> Notes {
        // Zeroed by the kernel: what is never touched takes no memory.
        // SAFETY: all zeroes is valid for both: atomics of 0 and null.
        unsafe {
            Notes {
                notes: Box::new_zeroed_slice(places).assume_init(),
                records: Box::new_zeroed_slice(places).assume_init(),
            }
        }
    }

    #[inline(always)]
    fn note(&self, slot: u32) -> &AtomicU16 {
        // SAFETY: slots of this pool have an index below the number of places.
        unsafe { self.notes.get_unchecked(slot::index(slot) as usize) }
    }

    /// The record of a noted packet's buffer, if it is in use.
    #[inline(always)]
    pub(crate) fn record(&self, slot: u32) -> Option<&Record> {
        (self.note(slot).load(Ordering::Relaxed) & RECORD != 0).then(|| self.record_at(slot))
    }

    #[inline(always)]
    fn record_at(&self, slot: u32) -> &Record {
        // SAFETY: as in `note`.
        unsafe { self.records.get_unchecked(slot::index(slot) as usize) }
    }

    /// The record of a buffer, in use from now on. The slot belongs to the caller, who makes it a noted one.
    pub(crate) fn open_record(&self, slot: u32) -> &Record {
        let note = self.note(slot);
        if slot::is_noted(slot) {
            if note.load(Ordering::Relaxed) & RECORD == 0 {
                // Not noted by anybody else: with the record closed there is one owner.
                note.fetch_or(RECORD, Ordering::Relaxed);
            }
        } else {
            note.store(RECORD, Ordering::Relaxed);
        }
        self.record_at(slot)
    }

    /// Notes that a plain packet's buffer is charged to an account; its owner makes it a noted one.
    #[inline(always)]
    pub(crate) fn write_account(&self, slot: u32, account: u16) {
        self.note(slot).store(account & ACCOUNT, Ordering::Relaxed);
    }

    /// [`Self::write_account`] for many buffers; makes their slots noted ones.
    #[inline(always)]
    pub(crate) fn charging(&self, account: u16) -> impl Fn(u32) -> u32 {
        // Outside the loop that this is for: to the compiler, what is stored there could change where the notes are.
        let (notes, note) = (&*self.notes, account & ACCOUNT);
        move |slot| {
            // SAFETY: as in `note`.
            unsafe { notes.get_unchecked(slot::index(slot) as usize) }.store(note, Ordering::Relaxed);
            slot | slot::NOTED
        }
    }

    /// The account that the buffer of a noted packet is charged to, 0 for none.
    pub(crate) fn account(&self, slot: u32) -> u16 {
        self.note(slot).load(Ordering::Relaxed) & ACCOUNT
    }

    /// Notes another account for the buffer of a noted packet. Returns the one before. An exchange: of owners who do this at the same
    /// time each settles the charge of the one before it.
    pub(crate) fn exchange_account(&self, slot: u32, account: u16) -> u16 {
        let exchanged = self
            .note(slot)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |note| Some(note & !ACCOUNT | account & ACCOUNT));
        exchanged.unwrap_or_else(|note| note) & ACCOUNT
    }
}

impl Record {
    pub(crate) fn sharers(&self) -> &Sharers {
        &self.sharers
    }

    /// The segment behind, to look at.
    #[inline(always)]
    pub(crate) fn next(&self) -> Option<&Packet> {
        let is_there = self.next[0].load(Ordering::Relaxed) != 0;
        // SAFETY: the bits of a packet, written by `set_next`, at an address that suits one (the record's first field). They change only by
        // the hand of the buffer's only owner, who has no such reference then: it borrows from a packet of this buffer.
        is_there.then(|| unsafe { &*ptr::from_ref(&self.next).cast::<Packet>() })
    }

    /// Puts a segment behind, which must be a noted packet with a record, so that it can be shared from here. The caller is the only
    /// owner of the buffer, and nothing is behind it.
    pub(crate) fn set_next(&self, segment: Packet) {
        debug_assert!(slot::is_noted(segment.slot()) && self.next().is_none());
        // SAFETY: sixteen bytes without padding.
        let bits: [u64; 2] = unsafe { mem::transmute(segment) };
        self.next[1].store(bits[1], Ordering::Relaxed);
        self.next[0].store(bits[0], Ordering::Relaxed);
    }

    /// Takes the segment behind. The caller is the only owner of the buffer.
    pub(crate) fn take_next(&self) -> Option<Packet> {
        let bits = [self.next[0].load(Ordering::Relaxed), self.next[1].load(Ordering::Relaxed)];
        self.next[0].store(0, Ordering::Relaxed);
        // SAFETY: the bits of a packet, written by `set_next`, which are nobody's now.
        (bits[0] != 0).then(|| unsafe { mem::transmute::<[u64; 2], Packet>(bits) })
    }

    /// First of the foreign bytes; `None` if the bytes are the buffer's own.
    #[inline(always)]
    pub(crate) fn foreign_bytes(&self) -> Option<*mut u8> {
        let bytes = self.bytes.load(Ordering::Relaxed);
        (!bytes.is_null()).then_some(bytes)
    }

    /// The foreign memory, and where in it the packet's bytes begin.
    pub(crate) fn lent(&self) -> Option<(&Lent, usize)> {
        let external = ptr::NonNull::new(self.external.load(Ordering::Relaxed))?;
        // SAFETY: the record owns a count, which stays in it as long as a packet of this buffer is there.
        let lent = unsafe { Lent::borrow(external) };
        Some((lent, self.bytes.load(Ordering::Relaxed).addr() - lent.bytes().as_ptr().addr()))
    }

    /// The foreign memory once more.
    pub(crate) fn external(&self) -> Option<External> {
        let external = ptr::NonNull::new(self.external.load(Ordering::Relaxed))?;
        // SAFETY: as in `lent`.
        Some(unsafe { External::of_raw(external) })
    }

    /// Makes the bytes from `start` of `external` those of the packet. The caller is the only owner of the buffer.
    pub(crate) fn set_external(&self, external: External, start: usize) {
        debug_assert!(start <= external.len() && self.foreign_bytes().is_none());
        let bytes = external.bytes().as_ptr().wrapping_add(start).cast_mut();
        self.bytes.store(bytes, Ordering::Relaxed);
        self.external.store(external.into_raw().as_ptr(), Ordering::Relaxed);
    }

    /// Takes the foreign memory off. The caller is the only owner.
    fn take_external(&self) -> Option<External> {
        let external = ptr::NonNull::new(self.external.load(Ordering::Relaxed))?;
        self.external.store(ptr::null_mut(), Ordering::Relaxed);
        self.bytes.store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: put there by `set_external`, and gone from there now.
        Some(unsafe { External::from_raw(external) })
    }

    /// Hangs a token on the buffer; returns the one before. The caller is the only owner.
    pub(crate) fn set_token(&self, token: Option<Token>) -> Option<Token> {
        let new = token.map_or(ptr::null_mut(), Token::into_raw);
        let old = self.token.swap(new, Ordering::Relaxed);
        // SAFETY: put there by this function, and gone from there now.
        ptr::NonNull::new(old).map(|old| unsafe { Token::from_raw(old) })
    }

    /// One more token of the same completion, if a token hangs on the buffer.
    pub(crate) fn token(&self) -> Option<Token> {
        let token = ptr::NonNull::new(self.token.load(Ordering::Relaxed))?;
        // SAFETY: put there by `set_token`; it stays there, as this one is not dropped.
        let token = ManuallyDrop::new(unsafe { Token::from_raw(token) });
        Some(Token::clone(&token))
    }

    /// One owner less. True for the last, and nothing hangs on the buffer any more; everyone else does not touch it, nor its pool.
    #[inline(always)]
    fn let_go(&self) -> bool {
        let is_last = self.sharers.leave();
        if is_last {
            self.clear();
        }
        is_last
    }

    /// Lets go of all that hangs on the buffer. The caller is its last owner.
    #[inline(never)]
    fn clear(&self) {
        let mut next = self.take_next();
        // One by one: a chain that drops its own tail would need a stack as long as itself.
        while let Some(mut segment) = next {
            next = segment.detach();
        }
        drop(self.take_external());
        drop(self.set_token(None));
    }
}

/// Settles what is noted about packets that are gone: charges, and what hangs on the buffers. Those that have no other owner are left in
/// the front of `slots`, as plain ones; returns how many.
///
/// # Safety
/// All are noted slots of the pool that `entry` is of, in the caller's hands. Those not left in the front are not any more.
pub(crate) unsafe fn settle(entry: &'static Entry, slots: &mut [u32]) -> usize {
    // SAFETY: the pool is there as long as one of the slots is in the caller's hands, and is not used after.
    let Notes { notes, records } = unsafe { entry.pool() }.notes();
    // Here, once: a load behind the barrier that `let_go` is waits for it.
    let (notes, records) = (&**notes, &**records);
    // SAFETY: slots of this pool have an index below the number of places.
    let note_of = |slot: u32| unsafe { notes.get_unchecked(slot::index(slot) as usize) }.load(Ordering::Relaxed);
    let (mut home, mut at) = (0, 0);
    while at < slots.len() {
        let slot = slots[at];
        let note = note_of(slot);
        if note & RECORD == 0 {
            // Charges of one account in a row are given back together.
            let count = slots[at..].iter().take_while(|&&slot| note_of(slot) == note).count();
            slots.copy_within(at..at + count, home);
            slots[home..home + count].iter_mut().for_each(|slot| *slot &= !slot::NOTED);
            uncharge(note, count as u32);
            home += count;
            at += count;
        } else {
            // SAFETY: as above.
            if unsafe { records.get_unchecked(slot::index(slot) as usize) }.let_go() {
                // Now, not before: an owner may have changed it until it left.
                uncharge(note_of(slot) & ACCOUNT, 1);
                slots[home] = slot & !slot::NOTED;
                home += 1;
            }
            at += 1;
        }
    }
    home
}

/// [`settle`] for one packet. True if its buffer has no other owner.
///
/// # Safety
/// As there, and if this returns false the slot is not in the caller's hands any more.
#[inline(always)]
pub(crate) unsafe fn settle_one(entry: &'static Entry, slot: u32) -> bool {
    // SAFETY: the slot is in the caller's hands until `let_go` says otherwise, after which `notes` is not used.
    let notes = unsafe { entry.pool() }.notes();
    if notes.record(slot).is_some_and(|record| !record.let_go()) {
        return false;
    }
    uncharge(notes.account(slot), 1);
    true
}

/// Gives back what is charged to an account, 0 being nobody's.
pub(crate) fn uncharge(account: u16, count: u32) {
    if account != 0 {
        account::uncharge(account, count);
    }
}

/// The notes of the pool of a packet that is out.
///
/// # Safety
/// As [`Entry::pool`].
#[inline(always)]
pub(crate) unsafe fn of<'a>(slot: u32) -> &'a Notes {
    // SAFETY: per contract.
    unsafe { table::entry(slot).pool() }.notes()
}
