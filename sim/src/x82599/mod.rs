//! A software 82599: 10 Gb/s, 128 queues each way, an SFP+ cage.
//!
//! ```text
//!   SimDevice, SimBar ─► shared ─┬─ doorbells (tails, no lock)
//!                                └─ core (lock): mmio, reset, eeprom, link, stats, queues, interrupts ─► eventfds
//!   Nic::step ───────────────────┘    rx: filter ─► classify ─► rss ─► ring      tx: ring ─► offload ─► wire
//! ```
//!
//! Not modelled: flow director and the other n-tuple filters, RSC, header split, VMDq and DCB, segmentation, LinkSec and IPsec,
//! loopback in the MAC. Switching one of them on is a [`Violation::Unsupported`]. Of interrupts, MSI-X messages are modelled, for
//! write-backs of queues, changes of the link and whatever EICS sets; not INTx and MSI, the other causes (TCP timer, missed frames,
//! pins, errors) and low latency interrupts. `Device::connect_interrupts` stands for the MSI-X table in BAR 4, which cannot be opened.
//! Section numbers are those of the 82599 datasheet.

mod checksum;
mod classify;
mod core;
mod eeprom;
mod engine;
mod fault;
mod filter;
mod interrupts;
mod link;
mod mmio;
mod nic;
mod offload;
mod probe;
mod queue;
mod registers;
mod reset;
mod rss;
mod rx;
mod rx_buffer;
mod shared;
mod stats;
mod tx;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub use self::engine::Engine;
pub use self::fault::Fault;
pub use self::nic::Nic;
pub use self::probe::{Probe, Violation, ViolationRecord};

use self::core::Core;
use self::link::Link;
use self::queue::Doorbells;
use self::shared::Shared;
use crate::clock::Clock;
use crate::device::SimDevice;
use crate::iommu::Domain;
use crate::peer::Peer;

/// How to make a card.
#[derive(Debug, Clone)]
pub struct NicOptions {
    /// Name, as in "sim:ixgbe#0".
    pub name: String,
    /// Address in its EEPROM.
    pub mac: [u8; 6],
    /// The time that it lives by.
    pub clock: Clock,
    /// From laser on to link up.
    pub link_delay: Duration,
}

impl Default for NicOptions {
    /// The next free name, a local address that goes with it, real time.
    fn default() -> NicOptions {
        static CARDS: AtomicU32 = AtomicU32::new(0);
        let number = CARDS.fetch_add(1, Ordering::Relaxed);
        let [.., high, low] = number.to_be_bytes();
        NicOptions {
            name: format!("sim:ixgbe#{number}"),
            mac: [0x02, 0x82, 0x59, 0x90, high, low],
            clock: Clock::real(),
            link_delay: Duration::from_millis(50),
        }
    }
}

/// Makes a card: the half for the driver, and the half that moves frames between it and `peer`.
#[allow(clippy::new_ret_no_self)] // a card has two halves
pub fn new(options: NicOptions, mut peer: Box<dyn Peer>) -> (SimDevice, Nic) {
    let NicOptions { name, mac, clock, link_delay } = options;
    let domain = Domain::new(&*name);
    let doorbells = Arc::new(Doorbells::new());
    let link_delay = u64::try_from(link_delay.as_nanos()).unwrap_or(u64::MAX);
    let link = Link::new(link_delay, peer.carrier(clock.now()));
    let core = Core::new(&name, mac, link, doorbells.clone());
    let shared = Arc::new(Shared::new(name, clock, domain, doorbells, core));
    (SimDevice::new(shared.clone()), Nic::new(shared, peer))
}
