//! How a number is counted up without slowing anyone down, and the list of all that are counted.
//!
//! ```text
//!                 place 0   place 1  ...  place 511
//!   PLACES        counter   reason   ...             who counts there
//!   ROWS[0]       cell      cell     ...             written by thread 0 only
//!   ...
//!   ROWS[63]      cell      cell     ...             written by thread 63 only
//!   ROWS + own                                       value = the column's sum and the tally's own cell
//! ```
//!
//! A thread writes to its own row, with a plain load and store. Two cases go to the tally's own cell with an atomic addition: threads
//! without a number ([`crate::thread`]), and tallies beyond the last place. The latter are exact too, but the list shows only
//! their total.
//!
//! A tally takes its place at its first count, or earlier by [`Tally::enlist`]. Nobody waits for anybody there: a place goes by one
//! compare-and-swap.

use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use super::{Counter, Reason};
use crate::thread::{self, MAX_THREADS};

/// Counters and drop reasons that are listed one by one: 512.
// Miri walks over the whole table at each access to it.
pub const MAX_LISTED: usize = if cfg!(miri) { 32 } else { 512 };

/// Not in the list yet. This and [`UNLISTED`] are beyond every row: the check of the bounds finds them.
const NEW: u32 = u32::MAX;
/// Came when all places were taken.
const UNLISTED: u32 = u32::MAX - 1;

/// The cells of one thread. A page: the kernel gives it memory of the node of the thread that writes it first.
#[repr(align(4096))]
struct Row([AtomicU64; MAX_LISTED]);

static ROWS: [Row; MAX_THREADS] = [const { Row([const { AtomicU64::new(0) }; MAX_LISTED]) }; MAX_THREADS];

/// What is counted at a place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry {
    Counter(&'static Counter),
    Reason(&'static Reason),
}

struct Place {
    /// Whose place it is. Only compared, never followed.
    owner: AtomicPtr<Tally>,
    /// Set by the owner alone, so that setting it never waits.
    entry: OnceLock<Entry>,
}

static PLACES: [Place; MAX_LISTED] =
    [const { Place { owner: AtomicPtr::new(ptr::null_mut()), entry: OnceLock::new() } }; MAX_LISTED];

/// Counts of all counters without a place.
static UNLISTED_COUNTERS: AtomicU64 = AtomicU64::new(0);
/// Packets of all reasons without a place.
static UNLISTED_REASONS: AtomicU64 = AtomicU64::new(0);

/// A number that many threads count up.
#[derive(Debug)]
pub(super) struct Tally {
    /// The place in the list, [`NEW`] or [`UNLISTED`].
    place: AtomicU32,
    own: AtomicU64,
}

impl Tally {
    pub(super) const fn new() -> Tally {
        Tally { place: AtomicU32::new(NEW), own: AtomicU64::new(0) }
    }

    /// Counts; `entry` is what to list it as.
    #[inline(always)]
    pub(super) fn add(&'static self, amount: u64, entry: Entry) {
        let row = ROWS.get(thread::index());
        match row.and_then(|row| row.0.get(self.place.load(Ordering::Relaxed) as usize)) {
            // Only this thread writes the cell: no atomic read-modify-write needed.
            Some(cell) => cell.store(cell.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed),
            None => self.add_out_of_row(amount, entry),
        }
    }

    #[cold]
    #[inline(never)]
    fn add_out_of_row(&'static self, amount: u64, entry: Entry) {
        self.own.fetch_add(amount, Ordering::Relaxed);
        if self.enlist(entry) == UNLISTED {
            entry.unlisted().fetch_add(amount, Ordering::Relaxed);
        }
    }

    /// Takes a place in the list unless it has one. The answer is the place, or [`UNLISTED`].
    pub(super) fn enlist(&'static self, entry: Entry) -> u32 {
        let place = self.place.load(Ordering::Relaxed);
        if place != NEW {
            return place;
        }
        // All threads search from the front and a place is never given back: they find the same one.
        let place = PLACES.iter().position(|place| place.is_taken_by(self, entry));
        let place = place.map_or(UNLISTED, |place| place as u32);
        self.place.store(place, Ordering::Relaxed);
        place
    }

    /// The sum over all threads. What threads count meanwhile is in it or not.
    pub(super) fn value(&self) -> u64 {
        let place = self.place.load(Ordering::Relaxed) as usize;
        let cells = ROWS.iter().filter_map(|row| row.0.get(place)).chain([&self.own]);
        cells.fold(0, |sum, cell| sum.wrapping_add(cell.load(Ordering::Relaxed)))
    }
}

impl Place {
    /// Whether the place is the tally's, after taking it if it was free.
    fn is_taken_by(&self, tally: &'static Tally, entry: Entry) -> bool {
        let tally = ptr::from_ref(tally).cast_mut();
        match self.owner.compare_exchange(ptr::null_mut(), tally, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => self.entry.set(entry).is_ok(),
            Err(owner) => owner == tally,
        }
    }
}

impl Entry {
    fn unlisted(self) -> &'static AtomicU64 {
        match self {
            Entry::Counter(_) => &UNLISTED_COUNTERS,
            Entry::Reason(_) => &UNLISTED_REASONS,
        }
    }
}

/// All that have a place. Places are taken in order: the first free one ends the list.
pub(super) fn listed() -> impl Iterator<Item = Entry> {
    let taken = PLACES.iter().take_while(|place| !place.owner.load(Ordering::Relaxed).is_null());
    taken.filter_map(|place| place.entry.get().copied())
}

/// What counters without a place have counted, all together.
pub(super) fn unlisted_counts() -> u64 {
    UNLISTED_COUNTERS.load(Ordering::Relaxed)
}

/// What reasons without a place have counted, all together.
pub(super) fn unlisted_drops() -> u64 {
    UNLISTED_REASONS.load(Ordering::Relaxed)
}
