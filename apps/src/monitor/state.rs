//! What a program tells of itself: the answer to [`Request::State`], which is also what metrics are made from.
//!
//! All counts are since the start. A reader takes differences of two of them over time.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::capture::{Begun, CaptureRequest};

/// What a client of the control socket asks for: one line of JSON, such as `{"request":"state"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// How the program stands.
    State,
    /// The packets of ports, as [`crate::capture`] has it.
    Capture(CaptureRequest),
}

/// What the program answers: one line of JSON, such as `{"error":"..."}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Request::State`].
    State(Box<State>),
    /// To [`Request::Capture`]. Frames follow.
    Capture(Begun),
    /// Why there is no answer.
    Error(String),
}

/// How a program stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    /// Its name.
    pub program: String,
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Seconds since its start.
    pub uptime_seconds: f64,
    /// Where it serves metrics.
    pub metrics: Option<SocketAddr>,
    /// Its ports, by number.
    pub ports: Vec<PortState>,
    /// The cores that poll.
    pub cores: Vec<CoreState>,
    /// Its packet pools.
    pub pools: Vec<PoolState>,
    /// Packets that software has dropped, by reason.
    pub drops: Vec<DropState>,
    /// What else is counted.
    pub counters: Vec<CounterState>,
}

/// A port.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PortState {
    /// Its number in the program.
    pub number: usize,
    /// The device's name.
    pub name: String,
    /// The kind of card.
    pub card: String,
    /// The driver.
    pub driver: String,
    /// Its address, as in 02:00:00:00:00:01.
    pub mac: String,
    /// False once the card has left or has been given up.
    pub present: bool,
    /// Megabits a second of the link; `None`: it is down.
    pub link_mbps: Option<u32>,
    /// What the card itself has counted, at the main thread's last look.
    pub counted_by_card: CardCounts,
    /// Its receive queues.
    pub rx_queues: Vec<RxQueueState>,
    /// Its transmit queues.
    pub tx_queues: Vec<TxQueueState>,
}

/// What a card counts: see [`gannet::PortStats`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs)] // Each is explained where it comes from.
pub struct CardCounts {
    pub rx_packets: u64,
    pub rx_bytes: u64,
    pub rx_broadcast: u64,
    pub rx_multicast: u64,
    pub rx_missed: u64,
    pub rx_no_descriptor: u64,
    pub rx_crc_errors: u64,
    pub rx_errors: u64,
    pub rx_undersize: u64,
    pub rx_oversize: u64,
    pub rx_checksum_errors: u64,
    pub rx_pause: u64,
    pub tx_packets: u64,
    pub tx_bytes: u64,
    pub tx_broadcast: u64,
    pub tx_multicast: u64,
    pub tx_pause: u64,
    pub link_faults: u64,
}

/// A receive queue: see [`gannet::RxQueueStats`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs)] // Each is explained where it comes from.
pub struct RxQueueState {
    pub packets: u64,
    pub bytes: u64,
    pub oversize: u64,
    pub damaged: u64,
    pub nonsense: u64,
    pub no_buffers: u64,
    pub no_buffer_drops: u64,
    pub in_ring: u32,
}

/// A transmit queue: see [`gannet::TxQueueStats`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs)] // Each is explained where it comes from.
pub struct TxQueueState {
    pub packets: u64,
    pub bytes: u64,
    pub unmapped: u64,
    pub invalid: u64,
    pub full: u64,
    pub unsent: u64,
    pub in_ring: u32,
}

/// A core that polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CoreState {
    /// Its number.
    pub core: usize,
    /// Rounds of its loop in which packets moved.
    pub busy_rounds: u64,
    /// The others.
    pub idle_rounds: u64,
    /// Packets that moved: received or sent, so a forwarded one counts twice.
    pub packets: u64,
    /// Nanoseconds of busy rounds, estimated.
    pub busy_ns: u64,
    /// All other nanoseconds.
    pub idle_ns: u64,
}

/// A packet pool: see [`gannet_mempool::report::PoolReport`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PoolState {
    /// Its name.
    pub name: String,
    /// Its number: names need not differ.
    pub number: u8,
    /// Bytes of a frame that a buffer holds.
    pub data_room: u16,
    /// Bytes of memory.
    pub bytes: usize,
    /// Buffers that there are.
    pub buffers: u32,
    /// Of these, free, in the ring that all cores share.
    pub free: u32,
    /// Free, in the cores' caches.
    pub cached: u32,
    /// Out: in cards' rings and in packets.
    pub out: u32,
    /// How short of buffers it is.
    pub level: Level,
    /// Times that pressure began.
    pub pressure_entered: u64,
    /// Times that pressure became critical.
    pub pressure_critical: u64,
    /// Buffers taken from a core's cache.
    pub alloc_fast: u64,
    /// Buffers taken from the shared ring.
    pub alloc_slow: u64,
    /// Requests refused.
    pub alloc_empty: u64,
    /// Buffers that came home to a core's cache.
    pub recycle_cache: u64,
    /// Buffers that came home to the shared ring.
    pub recycle_ring: u64,
}

/// How short of buffers a pool is: see [`gannet_mempool::Level`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Not at all.
    #[default]
    Calm,
    /// Somewhat.
    Pressure,
    /// Very.
    Critical,
}

/// Packets dropped for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DropState {
    /// The part of the program that drops.
    pub place: String,
    /// The cause, in short.
    pub why: String,
    /// How many.
    pub packets: u64,
    /// The cause, in words.
    pub description: String,
}

/// A counter of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CounterState {
    /// Its name, `place.what`.
    pub name: String,
    /// The count.
    pub value: u64,
    /// What is counted.
    pub unit: String,
    /// What it tells.
    pub description: String,
}
