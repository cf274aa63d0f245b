//! A place on each queue where somebody can look at its packets while it runs, to capture them for example.
//!
//! ```text
//!   outside: TapPoint::attach ──► offer ──► the queue takes it with its next burst, and shows it every packet
//!            Attachment dropped ──────────► the queue drops the tap with its next burst
//! ```
//!
//! The two sides share a word, [`Turns`], and a pointer that is swapped; nobody waits for anybody. A queue that has no tap reads the
//! word once a burst. All else is out of the way in cold functions. `loom.rs` checks all of it.
//!
//! | turn | set by | meaning |
//! |---|---|---|
//! | even | outside | nobody is attached; the queue drops the tap that it has |
//! | odd | outside | somebody is: the tap with this number is offered, in use, or about to be offered |
//! | `CLOSED` | the queue | the queue is gone |

use std::fmt;
use std::sync::Arc;

use crossbeam_utils::CachePadded;
use gannet_mempool::Packet;

use crate::sync::{AtomicCell, AtomicU64, Ordering};
use crate::{Error, PortInfo, Result};

/// Most packets that a [`Tap`] is shown at once.
pub const MAX_SHOWN: usize = 32;

/// Looks at the packets of a queue, on the core that polls it: what it does costs the program time. It must not block, and should
/// not allocate. The queue drops it, so that should be cheap too.
pub trait Tap: Send {
    /// Packets, at most [`MAX_SHOWN`] and maybe none, that have just been received or that the card is about to get. [`Self::commit`]
    /// follows.
    fn look(&mut self, packets: &[Packet]);

    /// The first `count` of the packets shown have been received or handed to the card. The others have not: forget them, they are shown
    /// again with their next turn, or never.
    fn commit(&mut self, count: usize);
}

/// Which way packets go through a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the card to the program.
    Rx,
    /// From the program to the card.
    Tx,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Rx => "rx",
            Direction::Tx => "tx",
        })
    }
}

/// A place on a queue for a [`Tap`], one at a time.
#[derive(Clone)]
pub struct TapPoint {
    port: PortInfo,
    direction: Direction,
    queue: usize,
    shared: Arc<Shared>,
}

impl TapPoint {
    /// The queue's port.
    pub fn port(&self) -> &PortInfo {
        &self.port
    }

    /// Which way packets go.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The queue's number, of those in its direction.
    pub fn queue(&self) -> usize {
        self.queue
    }

    /// Lets `tap` look at the queue's packets, from the next burst on until what this returns is dropped, or the queue.
    ///
    /// # Errors
    /// [`Error::Tapped`] if there is another one, [`Error::QueueClosed`].
    pub fn attach(&self, tap: Box<dyn Tap>) -> Result<Attachment> {
        let turn = self.shared.turns.begin().map_err(|turn| self.refusal(turn))?;
        self.shared.offer.store(Some(Box::new(Offer { turn, tap })));
        if self.is_closed() {
            // Since the turn began: the queue may have looked for an offer before there was one. If so, the swap of the offer has shown it
            // closed here.
            drop(self.shared.offer.take());
            return Err(self.refusal(CLOSED));
        }
        Ok(Attachment { shared: self.shared.clone(), turn })
    }

    /// Whether the queue is gone: nothing can be attached any more.
    pub fn is_closed(&self) -> bool {
        self.shared.turns.0.load(Ordering::Relaxed) == CLOSED
    }

    /// Why nothing can be attached in this turn.
    fn refusal(&self, turn: u64) -> Error {
        let (port, queue) = (self.port.name.to_string(), self.queue);
        match turn {
            CLOSED => Error::QueueClosed { port, direction: self.direction, queue },
            _ => Error::Tapped { port, direction: self.direction, queue },
        }
    }
}

impl fmt::Debug for TapPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TapPoint({} {} {})", self.port.name, self.direction, self.queue)
    }
}

/// A tap that has been attached to a queue. Dropping this detaches it: the queue drops the tap with its next burst, or when it is dropped
/// itself.
pub struct Attachment {
    shared: Arc<Shared>,
    turn: u64,
}

impl Drop for Attachment {
    fn drop(&mut self) {
        // Not taken yet: nobody else will want it. While this turn lasts the offer can only be its own.
        drop(self.shared.offer.take());
        self.shared.turns.end(self.turn);
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attachment")
    }
}

const CLOSED: u64 = u64::MAX;

fn is_vacant(turn: u64) -> bool {
    turn.is_multiple_of(2)
}

/// Whose turn it is to look. No number comes twice.
#[derive(Default)]
pub(crate) struct Turns(CachePadded<AtomicU64>);

impl Turns {
    /// Makes the next turn the caller's and returns its number, or says which turn is in the way.
    pub(crate) fn begin(&self) -> std::result::Result<u64, u64> {
        // Acquire, and release in `end`: who had the turn before has withdrawn its offer by then, and cannot take this one's by mistake.
        let next = |turn| is_vacant(turn).then(|| turn + 1);
        self.0.fetch_update(Ordering::Acquire, Ordering::Relaxed, next).map(|turn| turn + 1)
    }

    /// The caller's turn is over. A queue that is closed stays closed.
    pub(crate) fn end(&self, turn: u64) {
        let _ = self.0.compare_exchange(turn, turn + 1, Ordering::Release, Ordering::Relaxed);
    }

    /// Whose turn it is.
    fn now(&self) -> u64 {
        // Acquire: the offers of the turns before have been withdrawn, and their taps are dropped after all that was done in those turns.
        self.0.load(Ordering::Acquire)
    }

    /// No turn follows.
    fn close(&self) {
        // Relaxed: the swap of the offer that follows orders it. A swap here too, because to loom a store could fall between the two halves
        // of somebody's exchange.
        self.0.swap(CLOSED, Ordering::Relaxed);
    }
}

/// A box of its own, so that a pointer of one word can be swapped.
struct Offer {
    /// Tells a tap that has left from one that has followed.
    turn: u64,
    tap: Box<dyn Tap>,
}

/// What a queue and its tap point share.
struct Shared {
    /// Read by the queue with every burst, so on a line of its own.
    turns: Turns,
    offer: AtomicCell<Option<Box<Offer>>>,
}

/// The queue's side.
pub(crate) struct TapSeat {
    shared: Arc<Shared>,
    tap: Option<Box<Offer>>,
    /// The last turn in which the queue found nobody attached. It has no tap while that lasts.
    vacant: u64,
}

impl TapSeat {
    /// The place of a queue, and the way to it from outside.
    pub(crate) fn new(port: &PortInfo, direction: Direction, queue: usize) -> (TapSeat, TapPoint) {
        const { assert!(AtomicCell::<Option<Box<Offer>>>::is_lock_free()) };
        let shared = Arc::new(Shared { turns: Turns::default(), offer: AtomicCell::new(None) });
        let point = TapPoint { port: port.clone(), direction, queue, shared: shared.clone() };
        (TapSeat { shared, tap: None, vacant: 0 }, point)
    }

    /// Nobody looks, nor wants to.
    #[inline(always)]
    pub(crate) fn is_free(&self) -> bool {
        // Relaxed: it is for `tap` to see more than the number.
        self.shared.turns.0.load(Ordering::Relaxed) == self.vacant
    }

    /// Who looks now: does first what has been asked for from outside.
    #[cold]
    pub(crate) fn tap(&mut self) -> Option<&mut dyn Tap> {
        let turn = self.shared.turns.now();
        if self.tap.as_ref().is_none_or(|offer| offer.turn != turn) {
            self.tap = None;
            if is_vacant(turn) {
                self.vacant = turn;
            } else {
                // There is none yet, or that of this turn, or of a later one that has begun meanwhile.
                self.tap = self.shared.offer.take();
            }
        }
        match &mut self.tap {
            Some(offer) => Some(&mut *offer.tap),
            None => None,
        }
    }
}

impl Drop for TapSeat {
    fn drop(&mut self) {
        // In this order: whoever makes an offer too late to be taken here finds the queue closed.
        self.shared.turns.close();
        drop(self.shared.offer.take());
    }
}
