//! Register-accurate software network cards and the cables between them.
//!
//! ```text
//!   driver ──Registers──► SimBar ──► model (x82599) ◄── Nic::step ──► Peer (the cable's other end)
//!      └─────DmaMapper──► Domain (software IOMMU) ◄──────┘
//! ```
//!
//! A card has two halves. The [`SimDevice`] goes to the driver. The [`x82599::Nic`] moves frames: by [`x82599::Nic::step`] when
//! a test wants every move in order, or on a thread of its own ([`x82599::Engine`]). The drivers are in `gannet`, which
//! knows nothing of this crate.

#![forbid(unsafe_code)]

mod config_space;
mod device;

pub mod clock;
pub mod iommu;
pub mod peer;
pub mod x82599;

pub use clock::Clock;
pub use device::{SimBar, SimDevice};
