//! A place on each queue where somebody can look at its packets while it runs, to capture them for example.
//!
//! ```text
//!   outside: TapPoint::attach ──► offer ──► the queue takes it with its next burst, and shows it every packet
//!            Attachment dropped ──────────► the queue drops the tap with its next burst
//! ```
//!
//! The two sides share a word, [`Shared::state`], and a pointer that is swapped; nobody waits for anybody. A queue that has no tap reads the
//! word once a burst. All else is out of the way in cold functions.
//!
//! | state | set by | meaning |
//! |---|---|---|
//! | `FREE` | the queue | the queue has no tap, nor is there one for it |
//! | `ATTACHED` | outside | a tap is offered or in use |
//! | `LEAVING` | outside | the queue is to drop its tap; a new one can be offered meanwhile |
//! | `CLOSED` | the queue | the queue is gone |

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use crossbeam_utils::CachePadded;
use crossbeam_utils::atomic::AtomicCell;
use gannet_mempool::Packet;

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
        self.shared.claim().map_err(|state| self.refusal(state))?;
        self.shared.offer.store(Some(Box::new(Offer(tap))));
        self.shared.offered.store(true, Ordering::SeqCst);
        if self.is_closed() {
            // Since the claim: the queue may have looked for an offer before there was one.
            drop(self.shared.offer.take());
            return Err(self.refusal(CLOSED));
        }
        Ok(Attachment { shared: self.shared.clone() })
    }

    /// Whether the queue is gone: nothing can be attached any more.
    pub fn is_closed(&self) -> bool {
        self.shared.state.load(Ordering::SeqCst) == CLOSED
    }

    /// Why nothing can be attached in this state.
    fn refusal(&self, state: u8) -> Error {
        let (port, queue) = (self.port.name.to_string(), self.queue);
        match state {
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
}

impl Drop for Attachment {
    fn drop(&mut self) {
        // Not taken yet: nobody else will want it. While this attachment lasts the offer can only be its own.
        drop(self.shared.offer.take());
        // A queue that is closed stays closed.
        let _ = self.shared.pass(ATTACHED, LEAVING);
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attachment")
    }
}

const FREE: u8 = 0;
const ATTACHED: u8 = 1;
const LEAVING: u8 = 2;
const CLOSED: u8 = 3;

/// A box of its own, so that a pointer of one word can be swapped.
struct Offer(Box<dyn Tap>);

/// What a queue and its tap point share.
struct Shared {
    /// Read by the queue with every burst, so on a line of its own.
    state: CachePadded<AtomicU8>,
    offer: AtomicCell<Option<Box<Offer>>>,
    /// There may be an offer. Set after it is made, cleared before it is taken, by a swap: whoever clears it sees the offer.
    offered: AtomicBool,
}

impl Shared {
    /// Makes the place the caller's, or says what state is in the way.
    fn claim(&self) -> std::result::Result<(), u8> {
        self.pass(FREE, ATTACHED).or_else(|_| self.pass(LEAVING, ATTACHED)).or_else(|state| {
            // The queue has let go of its tap between the two.
            if state == FREE { self.pass(FREE, ATTACHED) } else { Err(state) }
        })
    }

    /// From one state to another, if it is in it; else the state that it is in.
    fn pass(&self, from: u8, to: u8) -> std::result::Result<(), u8> {
        // One order with the swaps of the offer: of a queue that closes and somebody who attaches, one sees what the other has done.
        self.state.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).map(drop)
    }
}

/// The queue's side.
pub(crate) struct TapSeat {
    shared: Arc<Shared>,
    tap: Option<Box<Offer>>,
}

impl TapSeat {
    /// The place of a queue, and the way to it from outside.
    pub(crate) fn new(port: &PortInfo, direction: Direction, queue: usize) -> (TapSeat, TapPoint) {
        const { assert!(AtomicCell::<Option<Box<Offer>>>::is_lock_free()) };
        let shared = Arc::new(Shared {
            state: CachePadded::new(AtomicU8::new(FREE)),
            offer: AtomicCell::new(None),
            offered: AtomicBool::new(false),
        });
        let point = TapPoint { port: port.clone(), direction, queue, shared: shared.clone() };
        (TapSeat { shared, tap: None }, point)
    }

    /// Nobody looks, nor wants to.
    #[inline(always)]
    pub(crate) fn is_free(&self) -> bool {
        self.shared.state.load(Ordering::Relaxed) == FREE
    }

    /// Who looks now: does first what has been asked for from outside.
    #[cold]
    pub(crate) fn tap(&mut self) -> Option<&mut dyn Tap> {
        if self.shared.state.load(Ordering::SeqCst) == LEAVING {
            self.tap = None;
            // Somebody may have attached meanwhile; then there is an offer at the next burst.
            let _ = self.shared.pass(LEAVING, FREE);
        // A load first: a swap with every burst costs as much as the rest of being watched.
        } else if self.shared.offered.load(Ordering::Relaxed)
            && self.shared.offered.swap(false, Ordering::SeqCst)
            && let Some(tap) = self.shared.offer.take()
        {
            self.tap = Some(tap);
        }
        match &mut self.tap {
            Some(offer) => Some(&mut *offer.0),
            None => None,
        }
    }
}

impl Drop for TapSeat {
    fn drop(&mut self) {
        self.shared.state.store(CLOSED, Ordering::SeqCst);
        drop(self.shared.offer.take());
    }
}
