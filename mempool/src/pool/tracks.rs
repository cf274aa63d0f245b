//! Tracking: where each buffer of a pool is, since when, and who had it last.
//!
//! For pools made with [`crate::Tracking::On`], which then see every buffer on its slow path. The kernel's counterpart is what
//! `page_pool` warns of when it is destroyed with pages in flight, DPDK's `RTE_LIBRTE_MEMPOOL_DEBUG`.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::slot;
use crate::thread;

/// Where a buffer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[repr(u8)]
pub enum Place {
    /// In the shared ring or a cache.
    Home,
    /// In a packet of the application.
    Packet,
    /// In a receive ring.
    Receive,
    /// In a transmit ring.
    Transmit,
}

impl Place {
    fn of(number: u8) -> Place {
        [Place::Home, Place::Packet, Place::Receive, Place::Transmit][usize::from(number).min(3)]
    }
}

/// What is known of each place of a pool.
pub(crate) struct Tracks(Box<[Track]>);

#[derive(Default)]
struct Track {
    place: AtomicU8,
    thread: AtomicU16,
    /// Milliseconds since the program's first track.
    since: AtomicU32,
}

/// A buffer that is not home.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Holding {
    /// Which buffer.
    pub index: u32,
    /// Where it is.
    pub place: Place,
    /// For how long.
    pub age: Duration,
    /// The thread that had it last.
    pub thread: String,
    /// The account that it is charged to.
    pub account: Option<String>,
    /// Packets that own it.
    pub owners: u64,
}

fn now_ms() -> u32 {
    static START: OnceLock<Instant> = OnceLock::new();
    // 49 days.
    START.get_or_init(Instant::now).elapsed().as_millis() as u32
}

impl Tracks {
    pub(super) fn new(places: usize) -> Tracks {
        Tracks((0..places).map(|_| Track::default()).collect())
    }

    /// Notes that this thread has put the buffer `slot` there.
    pub(crate) fn mark(&self, slot: u32, place: Place) {
        if let Some(track) = self.0.get(slot::index(slot) as usize) {
            track.place.store(place as u8, Ordering::Relaxed);
            track.thread.store(thread::index().min(u16::MAX.into()) as u16, Ordering::Relaxed);
            track.since.store(now_ms(), Ordering::Relaxed);
        }
    }

    /// The places that are not home: index, place, age, thread.
    pub(super) fn out(&self) -> impl Iterator<Item = (u32, Place, Duration, u16)> {
        let now = now_ms();
        self.0.iter().enumerate().filter_map(move |(index, track)| {
            let place = Place::of(track.place.load(Ordering::Relaxed));
            let age = Duration::from_millis(now.wrapping_sub(track.since.load(Ordering::Relaxed)).into());
            (place != Place::Home).then(|| (index as u32, place, age, track.thread.load(Ordering::Relaxed)))
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Place::Home => "home",
            Place::Packet => "packet",
            Place::Receive => "receive ring",
            Place::Transmit => "transmit ring",
        })
    }
}
