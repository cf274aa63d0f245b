//! The counters of accounts, and the way a charge takes on the data path.
//!
//! ```text
//!                     limit
//!   ledger  reserved ───────────────────────── shared by all threads, changed a batch at a time
//!             ├── stock of thread 0  ┐
//!             ├── stock of thread 1  ├──────── reserved, charged to nobody yet: a thread's own, plain loads and stores
//!             ├── ...                ┘
//!             └── held = reserved - stocks ─── what packets carry
//! ```
//!
//! It is the kernel's forward allocation (`sk_forward_alloc`, `__sk_mem_raise_allocated`) with a stock for each thread in the place of
//! one for each socket, so that a packet may be freed by any thread.
//!
//! **Never above the limit.** `reserved` is raised only by a compare-and-swap whose new value is within the limit, and held never
//! exceeds reserved: a charge moves buffers from stock to held, an uncharge back, and stock is lowered before reserved is. When the
//! limit is lowered below what is reserved, the stocks do not help: a charge uses one only after it has seen that reserved is within
//! the limit, else it trades it in.
//!
//! **How far below it a charge can be refused.** A thread cannot take another one's stock. So stock is for large accounts
//! ([`STOCKED_FROM`]), and not near the limit: there each thread gives its stock back as soon as it touches the account. What is left
//! is the stock of threads that do not touch it any more: at most [`MAX_STOCK`] for each other thread, 1/32 of the limit or less. Below
//! [`STOCKED_FROM`] there is none and the limit is exact.

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::thread::{self, MAX_THREADS};

/// Account numbers, [`NOBODY`] among them: twelve bits. (Fewer under miri, which looks at a whole table at each access.)
pub(crate) const MAX_ACCOUNTS: usize = if cfg!(miri) { 8 } else { 4096 };

/// The number of packets that are charged to no account.
pub(crate) const NOBODY: u16 = 0;

/// Buffers that a thread reserves beyond its need, and keeps of a stock that has grown too large.
const BATCH: u32 = 64;

/// Buffers that a thread has in stock at most.
pub(super) const MAX_STOCK: u32 = 2 * BATCH;

/// The least limit of an account that threads keep in stock: below it their stocks would be a good part of the limit.
pub(super) const STOCKED_FROM: u32 = 32 * MAX_STOCK;

/// What all threads share of an account: one line.
#[repr(align(64))]
pub(super) struct Ledger {
    /// Buffers held and in stock.
    reserved: AtomicU32,
    /// Threads keep stock while `reserved` is not above this.
    ceiling: AtomicU32,
    limit: AtomicU32,
    /// Handles to the account; 0 if it is closing or there is none.
    pub(super) handles: AtomicUsize,
    /// Buffers refused.
    refused: AtomicU64,
}

static LEDGERS: [Ledger; MAX_ACCOUNTS] = [const {
    Ledger {
        reserved: AtomicU32::new(0),
        ceiling: AtomicU32::new(0),
        limit: AtomicU32::new(0),
        handles: AtomicUsize::new(0),
        refused: AtomicU64::new(0),
    }
}; MAX_ACCOUNTS];

/// The stocks of one thread, by account number. Two lines' alignment: the adjacent-line prefetcher couples them.
#[repr(align(128))]
struct Stocks([AtomicU32; MAX_ACCOUNTS]);

/// By thread number. Only the thread that has it writes to a row.
static STOCKS: [Stocks; MAX_THREADS] = [const { Stocks([const { AtomicU32::new(0) }; MAX_ACCOUNTS]) }; MAX_THREADS];

/// The highest account number that was ever given out.
static HIGHEST: AtomicU16 = AtomicU16::new(0);

/// The ledger of the account with this number.
#[inline(always)]
pub(super) fn ledger(number: u16) -> &'static Ledger {
    &LEDGERS[usize::from(number) % MAX_ACCOUNTS]
}

/// This thread's stock of an account; `None` if it has no number.
#[inline(always)]
fn stock(number: u16) -> Option<&'static AtomicU32> {
    let thread = thread::index();
    (thread < MAX_THREADS).then(|| stock_of(thread, number))
}

/// The stock of an account that the thread of this number has.
#[inline(always)]
fn stock_of(thread: usize, number: u16) -> &'static AtomicU32 {
    &STOCKS[thread].0[usize::from(number) % MAX_ACCOUNTS]
}

/// Charges `count` buffers to an account, all or none. False if that would exceed its limit (see the head of this file).
///
/// The caller has a handle to the account, or a buffer that is charged to it: either keeps the number. One that is closing gets nothing more. [`NOBODY`] may have everything.
#[inline]
pub(crate) fn charge(number: u16, count: u32) -> bool {
    if number == NOBODY {
        return true;
    }
    if let Some(stock) = stock(number) {
        let stocked = stock.load(Ordering::Relaxed);
        if stocked >= count && ledger(number).has_room_for_stock() {
            stock.store(stocked - count, Ordering::Relaxed);
            return true;
        }
    }
    charge_slow(number, count)
}

#[inline(never)]
fn charge_slow(number: u16, count: u32) -> bool {
    let ledger = ledger(number);
    let Some(stock) = stock(number) else {
        return ledger.reserve(0, count, 0).is_some();
    };
    let stocked = stock.load(Ordering::Relaxed);
    stock.store(0, Ordering::Relaxed);
    match ledger.reserve(stocked, count, BATCH) {
        Some(left) => {
            stock.store(left, Ordering::Relaxed);
            true
        }
        None => {
            ledger.give_back(stocked);
            false
        }
    }
}

/// Takes back the charge of `count` buffers, on whichever thread: each that was charged is uncharged once.
#[inline]
pub(crate) fn uncharge(number: u16, count: u32) {
    if number == NOBODY {
        return;
    }
    if let Some(stock) = stock(number) {
        let stocked = stock.load(Ordering::Relaxed) + count;
        if stocked <= MAX_STOCK && ledger(number).has_room_for_stock() {
            stock.store(stocked, Ordering::Relaxed);
            return;
        }
    }
    uncharge_slow(number, count);
}

#[inline(never)]
fn uncharge_slow(number: u16, count: u32) {
    let ledger = ledger(number);
    let Some(stock) = stock(number) else {
        return ledger.give_back(count);
    };
    let stocked = stock.load(Ordering::Relaxed) + count;
    let kept = if ledger.has_room_for_stock() { stocked.min(BATCH) } else { 0 };
    stock.store(kept, Ordering::Relaxed);
    ledger.give_back(stocked - kept);
}

/// Gives back what the thread with this number (below [`MAX_THREADS`]) has in stock. It calls this at its end, while the number is still its own; it keeps no
/// stock afterwards.
pub(crate) fn thread_ends(index: usize) {
    // Relaxed: the thread has stock only of accounts that it was handed, or a packet of theirs, after the number was given out.
    for number in 1..=HIGHEST.load(Ordering::Relaxed) {
        let stock = stock_of(index, number);
        let stocked = stock.load(Ordering::Relaxed);
        if stocked > 0 {
            stock.store(0, Ordering::Relaxed);
            ledger(number).give_back(stocked);
        }
    }
}

impl Ledger {
    #[inline(always)]
    fn has_room_for_stock(&self) -> bool {
        self.reserved.load(Ordering::Relaxed) <= self.ceiling.load(Ordering::Relaxed)
    }

    /// Reserves `count` buffers in exchange for the `in_hand` that the caller has reserved already: with `batch` on top if there is room
    /// for stock, else without. Returns what the caller has left then; `None`, and nothing is changed, if the limit forbids it.
    fn reserve(&self, in_hand: u32, count: u32, batch: u32) -> Option<u32> {
        let mut reserved = self.reserved.load(Ordering::Relaxed);
        loop {
            let limit = self.limit.load(Ordering::Relaxed);
            let Some(needed) = (reserved - in_hand).checked_add(count).filter(|&needed| needed <= limit) else {
                self.refused.fetch_add(u64::from(count), Ordering::Relaxed);
                return None;
            };
            let left = match needed.checked_add(batch) {
                Some(sum) if sum <= self.ceiling.load(Ordering::Relaxed) => batch,
                _ => 0,
            };
            match self.reserved.compare_exchange_weak(reserved, needed + left, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return Some(left),
                Err(now) => reserved = now,
            }
        }
    }

    /// Lowers `reserved` by what has been taken out of a stock, or of a packet. Release: see [`count`].
    fn give_back(&self, count: u32) {
        self.reserved.fetch_sub(count, Ordering::Release);
    }

    /// Buffers held and in stock.
    pub(super) fn reserved(&self) -> u32 {
        self.reserved.load(Ordering::Relaxed)
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Buffers refused since [`open`].
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Called with the registry locked. A limit of 0 makes all threads give back their stock when they next touch the account.
    pub(super) fn set_limit(&self, limit: u32) {
        self.limit.store(limit, Ordering::Relaxed);
        let ceiling = if limit < STOCKED_FROM { 0 } else { limit - BATCH };
        self.ceiling.store(ceiling, Ordering::Relaxed);
    }
}

/// Makes the ledger of a number that nothing is charged to that of a new account with one handle. What idle threads still have in stock
/// of this number stays there, and reserved goes on counting it.
pub(super) fn open(number: u16, limit: u32) {
    HIGHEST.fetch_max(number, Ordering::Relaxed);
    let ledger = ledger(number);
    ledger.refused.store(0, Ordering::Relaxed);
    ledger.set_limit(limit);
    ledger.handles.store(1, Ordering::Relaxed);
}

/// Where the reserved buffers of an account are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) held: u32,
    pub(super) stocked: u32,
}

/// Counts what is held of an account: a snapshot while it is being charged, and once it is closing (the last handle was dropped, and the
/// caller knows it) never less than what is held.
///
/// Why: all charges were made with a handle, so they are behind, and everything that they stored is seen. From then on a thread raises its
/// stock only by what it uncharges. It lowers it before it lowers reserved (a release), and here reserved is read first (an acquire): what
/// has been given back is missing from reserved only if it is missing from the stock as well. So the difference is too large if anything,
/// and 0 only when all charges have come back; the number may then be used again.
pub(super) fn count(number: u16) -> Count {
    let reserved = ledger(number).reserved.load(Ordering::Acquire);
    let stocks = (0..MAX_THREADS).map(|thread| stock_of(thread, number).load(Ordering::Relaxed));
    let stocked = stocks.fold(0, u32::saturating_add).min(reserved);
    Count { held: reserved - stocked, stocked }
}
