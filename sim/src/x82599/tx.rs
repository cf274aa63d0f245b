//! Transmit.
use super::core::Core;
use super::queue::{Doorbell, Ring};
use crate::iommu::Session;
use crate::peer::Peer;
#[derive(Debug, Default)]
pub(super) struct TxQueue {
    pub(super) ring: Ring,
    pub(super) most_descriptors: u32,
}
impl TxQueue {
    pub(super) fn forget(&mut self) {}
}
#[derive(Default)]
pub(super) struct Transmitter;
impl Transmitter {
    pub(super) fn step(
        &mut self,
        _c: &mut Core,
        _s: &Session<'_>,
        _b: &[Doorbell],
        _p: &mut dyn Peer,
        _x: (usize, u64),
    ) -> usize {
        0
    }
}
