//! Registers of the PHY (IEEE 802.3 clause 22.2.4, 1000BASE-T: 40.5.1.1), reached through [`super::regs::MDIC`].

use std::fmt;
use std::marker::PhantomData;

use bitfield_struct::bitfield;

use crate::{ReadOnly, ReadWrite};

/// Address of the built-in PHY on its management bus.
pub const ADDRESS: u8 = 1;

/// What [`PHYID1`] and [`PHYID2`] of the built-in PHY hold.
pub const IDENTIFIER: [u16; 2] = [0x0141, 0x0CB1];

/// One 16-bit register of the PHY: its number, what may be done to it (`A`), what its value means (`V`).
pub struct PhyReg<A, V = u16> {
    number: u8,
    kind: PhantomData<(A, V)>,
}

impl<A, V> PhyReg<A, V> {
    /// Register `number`, 0 to 31.
    pub const fn at(number: u8) -> Self {
        assert!(number < 32);
        PhyReg { number, kind: PhantomData }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.number
    }
}

impl<A, V> Clone for PhyReg<A, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<A, V> Copy for PhyReg<A, V> {}
impl<A, V> fmt::Debug for PhyReg<A, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhyReg({})", self.number)
    }
}

/// Basic mode control.
pub const BMCR: PhyReg<ReadWrite, Bmcr> = PhyReg::at(0);
/// Basic mode status.
pub const BMSR: PhyReg<ReadOnly, Bmsr> = PhyReg::at(1);
/// Identifier, high half.
pub const PHYID1: PhyReg<ReadOnly> = PhyReg::at(2);
/// Identifier, low half: model and revision in the low ten bits.
pub const PHYID2: PhyReg<ReadOnly> = PhyReg::at(3);
/// Autonegotiation advertisement.
pub const ANAR: PhyReg<ReadWrite, Anar> = PhyReg::at(4);
/// 1000BASE-T control.
pub const GBCR: PhyReg<ReadWrite, Gbcr> = PhyReg::at(9);

/// Value of [`BMCR`].
#[bitfield(u16)]
pub struct Bmcr {
    #[bits(9)]
    __: u16,
    /// Negotiate anew; clears itself.
    pub restart_negotiation: bool,
    #[bits(1)]
    __: u8,
    /// Powered down.
    pub power_down: bool,
    /// Speed and duplex are negotiated.
    pub negotiate: bool,
    #[bits(1)]
    __: u8,
    /// What is sent comes back.
    pub loopback: bool,
    /// Reset; clears itself.
    pub reset: bool,
}

/// Value of [`BMSR`].
#[bitfield(u16)]
pub struct Bmsr {
    #[bits(2)]
    __: u8,
    /// Link up; stays 0 after a loss until it is read.
    pub link_up: bool,
    #[bits(2)]
    __: u8,
    /// Autonegotiation complete.
    pub negotiated: bool,
    #[bits(10)]
    __: u16,
}

/// Value of [`ANAR`].
#[bitfield(u16)]
pub struct Anar {
    /// Message format: 1 is IEEE 802.3.
    #[bits(5, default = 1)]
    pub selector: u8,
    /// 10 Mb/s, half duplex.
    pub half_10: bool,
    /// 10 Mb/s, full duplex.
    pub full_10: bool,
    /// 100 Mb/s, half duplex.
    pub half_100: bool,
    /// 100 Mb/s, full duplex.
    pub full_100: bool,
    #[bits(1)]
    __: u8,
    /// Pause frames in both directions.
    pub pause: bool,
    /// Pause frames in one direction.
    pub asymmetric_pause: bool,
    #[bits(4)]
    __: u8,
}

/// Value of [`GBCR`].
#[bitfield(u16)]
pub struct Gbcr {
    #[bits(8)]
    __: u8,
    /// Advertise 1 Gb/s, half duplex.
    pub half_1000: bool,
    /// Advertise 1 Gb/s, full duplex.
    pub full_1000: bool,
    #[bits(6)]
    __: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that the PHY shows after its reset.
    #[test]
    fn reset_values_decode() {
        let bmcr = Bmcr::from(0x1140);
        assert!(bmcr.negotiate() && !bmcr.restart_negotiation() && !bmcr.reset() && !bmcr.power_down());
        assert_eq!(u16::from(bmcr.with_restart_negotiation(true)), 0x1340);
        let anar = Anar::from(0x0DE1);
        assert_eq!(anar.selector(), 1);
        assert!(anar.half_10() && anar.full_10() && anar.half_100() && anar.full_100());
        assert!(anar.pause() && anar.asymmetric_pause());
        assert_eq!(u16::from(Gbcr::new().with_full_1000(true)), 0x0200);
    }
}
