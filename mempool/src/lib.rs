//! Packet memory: huge-page regions, DMA mapping, packet pools and packets.

mod error;

pub mod dma;
pub mod region;

pub use error::{Error, Result};
