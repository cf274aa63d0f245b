//! Tracking: where each buffer of a pool is, since when, and who had it last.
//!
//! For pools made with [`crate::Tracking::On`], which then see every buffer on its slow path. The kernel's counterpart is what
//! `page_pool` warns of when it is destroyed with pages in flight, DPDK's `RTE_LIBRTE_MEMPOOL_DEBUG`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::account;
use crate::registry::{Column, Row, Table};
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
pub(crate) struct Track {
    place: AtomicU8,
    /// Of [`thread::name`].
    thread: AtomicU16,
    /// Milliseconds since the program's first track.
    since: AtomicU32,
}

/// A buffer that is not home.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Holding {
    /// Which buffer of the pool.
    pub index: u32,
    /// Where it is.
    pub place: Place,
    /// Since when.
    pub age: Duration,
    /// The thread that put it there.
    pub thread: String,
    /// The account that it is charged to.
    pub account: Option<String>,
    /// Packets that own it.
    pub owners: u64,
}

/// The buffers of a pool that are not home. [`Display`](fmt::Display) shows a table.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Holdings(pub Vec<Holding>);

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
            track.thread.store(thread::name_number(), Ordering::Relaxed);
            track.since.store(now_ms(), Ordering::Relaxed);
        }
    }

    /// The buffers that are not home, by index.
    pub(super) fn out(&self) -> impl Iterator<Item = (u32, &Track)> {
        (0..).zip(&self.0).filter(|(_, track)| track.place() != Place::Home)
    }
}

impl Track {
    fn place(&self) -> Place {
        Place::of(self.place.load(Ordering::Relaxed))
    }

    pub(super) fn holding(&self, index: u32, account: u16, owners: u64) -> Holding {
        Holding {
            index,
            place: self.place(),
            age: Duration::from_millis(now_ms().wrapping_sub(self.since.load(Ordering::Relaxed)).into()),
            thread: thread::name(self.thread.load(Ordering::Relaxed)),
            account: (account != 0).then(|| account::name_of(account)),
            owners,
        }
    }
}

impl Holdings {
    /// Who has how many, in one line.
    pub(super) fn summary(&self) -> String {
        let mut groups: BTreeMap<(String, &str), (usize, Duration)> = BTreeMap::new();
        for holding in &self.0 {
            let group = groups.entry((holding.place.to_string(), &holding.thread)).or_default();
            *group = (group.0 + 1, group.1.max(holding.age));
        }
        let texts = groups.into_iter().map(|((place, thread), (count, age))| {
            format!("{count} in {place}s of thread `{thread}`, for {:.1} s at most", age.as_secs_f64())
        });
        texts.collect::<Vec<_>>().join("; ")
    }
}

impl Row<6> for Holding {
    const COLUMNS: [Column; 6] = [
        Column::Right("BUFFER"),
        Column::Left("PLACE"),
        Column::Right("AGE"),
        Column::Left("LAST OWNER"),
        Column::Left("ACCOUNT"),
        Column::Right("OWNERS"),
    ];

    fn cells(&self) -> [String; 6] {
        [
            self.index.to_string(),
            self.place.to_string(),
            format!("{:.3} s", self.age.as_secs_f64()),
            self.thread.clone(),
            self.account.clone().unwrap_or_else(|| "-".into()),
            self.owners.to_string(),
        ]
    }
}

impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Table::of(&self.0).fmt(f)
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
