//! Interrupts (10.2.4).

use bitfield_struct::bitfield;

use super::super::VECTORS;
use crate::{ReadSideEffect, ReadWrite, Reg, RegArray, WriteOnly};

/// Interrupt causes; a read clears them, and writing 1 does.
pub const ICR: Reg<ReadSideEffect, Causes> = Reg::at(0x000C0);
/// Interrupt mask set and read.
pub const IMS: Reg<ReadWrite, Causes> = Reg::at(0x000D0);
/// Interrupt mask clear.
pub const IMC: Reg<WriteOnly, Causes> = Reg::at(0x000D8);
/// Causes that an MSI-X vector clears when it fires: the queues and [`Causes::other`].
pub const EIAC: Reg<ReadWrite, Causes> = Reg::at(0x000DC);
/// Vector of each cause.
pub const IVAR: Reg<ReadWrite, Ivar> = Reg::at(0x000E4);
/// Shortest interval between two interrupts of each vector.
pub const EITR: RegArray<ReadWrite, Eitr> = RegArray::new(0x000E8, 4, VECTORS);

/// Value of [`ICR`], [`IMS`], [`IMC`] and [`EIAC`].
#[bitfield(u32)]
pub struct Causes {
    /// A transmit descriptor was written back.
    pub tx_written_back: bool,
    /// A transmit queue ran empty.
    pub tx_empty: bool,
    /// The link went up or down.
    pub link_change: bool,
    #[bits(1)]
    __: u8,
    /// A receive queue runs out of descriptors.
    pub rx_low: bool,
    #[bits(1)]
    __: u8,
    /// The packet buffer overran, or no descriptor was left.
    pub rx_overrun: bool,
    /// A frame was received.
    pub rx: bool,
    #[bits(1)]
    __: u8,
    /// An access to the PHY is over.
    pub mdio_done: bool,
    #[bits(10)]
    __: u16,
    /// Receive queues, a bit each; MSI-X.
    #[bits(2)]
    pub rx_queues: u8,
    /// Transmit queues, a bit each; MSI-X.
    #[bits(2)]
    pub tx_queues: u8,
    /// Any other cause; MSI-X.
    pub other: bool,
    #[bits(6)]
    __: u8,
    /// An interrupt was raised.
    pub asserted: bool,
}

/// Value of [`IVAR`].
#[bitfield(u32)]
pub struct Ivar {
    /// Receive queue 0.
    #[bits(4)]
    pub rx_0: Route,
    /// Receive queue 1.
    #[bits(4)]
    pub rx_1: Route,
    /// Transmit queue 0.
    #[bits(4)]
    pub tx_0: Route,
    /// Transmit queue 1.
    #[bits(4)]
    pub tx_1: Route,
    /// Any other cause.
    #[bits(4)]
    pub other: Route,
    #[bits(11)]
    __: u16,
    /// Every transmit write-back interrupts, not only those of descriptors with RS.
    pub tx_every_write_back: bool,
}

/// Where [`IVAR`] sends a cause.
#[bitfield(u8)]
pub struct Route {
    /// MSI-X vector.
    #[bits(3)]
    pub vector: u8,
    /// The cause interrupts.
    pub valid: bool,
    #[bits(4)]
    __: u8,
}

/// Value of [`EITR`].
#[bitfield(u32)]
pub struct Eitr {
    /// Interval in units of 256 ns; 0 is none.
    pub interval: u16,
    __: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_routed_by_four_bits() {
        let to = |vector| Route::new().with_vector(vector).with_valid(true);
        let routes = Ivar::new().with_rx_0(to(0)).with_tx_0(to(1)).with_other(to(2));
        assert_eq!(u32::from(routes.with_tx_every_write_back(true)), 0x800A_0908);
    }

    #[test]
    fn the_causes_of_msi_x_are_those_that_clear_themselves() {
        let all = Causes::new().with_rx_queues(3).with_tx_queues(3).with_other(true);
        assert_eq!(u32::from(all), 0x01F0_0000);
    }
}
