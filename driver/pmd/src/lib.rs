//! Poll-mode network drivers in user space: ports, queues, bursts.
//!
//! ```text
//!   Device (VFIO, or a software card) ──► Port::probe ──► configure ──► start ──► Control, RxQueue, TxQueue
//! ```
//!
//! A program probes a device, configures queues over a packet pool, starts the port and polls:
//!
//! ```no_run
//! # fn run(device: impl gannet_bus::Device) -> gannet::Result<()> {
//! use gannet::{Burst, Pool, PoolOptions, Port, PortConfig};
//!
//! let pool = Pool::new(&PoolOptions::default())?;
//! let port = Port::probe(device)?.configure(PortConfig::new(&pool, 512))?;
//! let (control, mut queues) = port.start()?;
//! let mut burst = Burst::new(32);
//! for _ in 0..1_000_000 {
//!     queues.rx[0].receive(&mut burst);
//!     queues.tx[0].send(&mut burst); // what the card has no room for stays in the burst
//! }
//! drop(burst);
//! control.stop(queues)?;
//! assert_eq!(pool.census().out, 0);
//! # Ok(())
//! # }
//! ```
//!
//! Drivers ([`Pmd`]): ixgbe for the 82599, igb for the 82576, e1000e for the 82574. Registers and descriptor layouts are in `gannet-spec`,
//! the way to a device in `gannet-bus`, memory in `gannet-mempool` (whose packet types are exported here too).

#![forbid(unsafe_code)]

mod advanced;
mod cards;
mod config;
mod datapath;
mod e1000e;
mod error;
mod family;
mod filter;
mod gigabit;
mod idle;
mod igb;
mod ixgbe;
mod lock;
#[cfg(all(test, loom))]
mod loom;
mod mmio;
mod nic;
mod phy;
mod port;
mod queue;
mod reasons;
mod stats;
mod sync;
mod tap;

pub use cards::{Card, Pmd, cards};
pub use config::{
    DEFAULT_MTU, FRAME_OVERHEAD, MTUS, PortConfig, RING_SIZES, RxInterrupts, RxQueueConfig, TxQueueConfig, VlanTags,
    data_room_for,
};
pub use error::{Error, Result};
pub use filter::{Filter, MacAddress, Multicast, Promiscuous};
pub use gannet_bus::{Condition, DmaAccess, DmaFault};
pub use gannet_mempool::dma::External;
pub use gannet_mempool::{
    Burst, Census, Checksum, Completion, L3, L4, MAX_BURST, Packet, Pool, PoolOptions, Refused, Token,
};
pub use gannet_spec::{Named, RegisterValue};
pub use idle::{Idle, Sleeper};
pub use port::{Configured, Control, Link, Port, PortInfo, Probed};
pub use queue::{Queues, RxQueue, TxQueue};
pub use stats::{PortStats, QueueCounters, RxQueueStats, TxQueueStats};
pub use tap::{Attachment, Direction, MAX_SHOWN, Tap, TapPoint};
