//! Registers of a gigabit copper PHY (IEEE 802.3 clauses 22, 28 and 40), which the controllers reach through MDIC.

use std::fmt;
use std::marker::PhantomData;

use bitfield_struct::bitfield;

use crate::{ReadOnly, ReadWrite, Reg};

/// Address of the PHY that is built into a controller.
pub const ADDRESS: u8 = 1;

/// One 16-bit register of a PHY: its number, what may be done to it (`A`), what its value means (`V`).
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

/// Access to the PHY's registers, in all controllers of the kind (82574 10.2.2.7, 82576 8.2.4).
pub const MDIC: Reg<ReadWrite, Mdic> = Reg::at(0x00020);

/// Value of [`MDIC`]: one access to the management bus.
#[bitfield(u32)]
pub struct Mdic {
    /// What to write, or what has been read.
    pub data: u16,
    /// Number of the register.
    #[bits(5)]
    pub register: u8,
    /// Address of the PHY.
    #[bits(5)]
    pub phy: u8,
    /// Write it.
    pub write: bool,
    /// Read it.
    pub read: bool,
    /// The access is over. Written 0 to start one.
    pub ready: bool,
    /// Interrupt when it is.
    pub interrupt: bool,
    /// Nobody answered, or firmware has the bus.
    pub error: bool,
    #[bits(1)]
    __: u8,
}

/// Basic mode control (22.2.4.1).
pub const BMCR: PhyReg<ReadWrite, Bmcr> = PhyReg::at(0);
/// Basic mode status (22.2.4.2).
pub const BMSR: PhyReg<ReadOnly, Bmsr> = PhyReg::at(1);
/// Upper half of the identifier (22.2.4.3.1).
pub const PHYID1: PhyReg<ReadOnly> = PhyReg::at(2);
/// Lower half of the identifier; bits 3:0 are the revision.
pub const PHYID2: PhyReg<ReadOnly> = PhyReg::at(3);
/// Autonegotiation advertisement (28.2.4.1.3).
pub const ANAR: PhyReg<ReadWrite, Anar> = PhyReg::at(4);
/// What the link partner advertises (28.2.4.1.4).
pub const ANLPAR: PhyReg<ReadOnly, Anar> = PhyReg::at(5);
/// 1000BASE-T control (40.5.1.1).
pub const GBCR: PhyReg<ReadWrite, Gbcr> = PhyReg::at(9);

/// Page that the numbers of registers refer to; the registers above are on page 0. In the PHYs of the I210, the I211 and the 82574: those of the
/// 82576 and of the I350 have something else here.
pub const PAGE: PhyReg<ReadWrite> = PhyReg::at(22);

/// Value of [`BMCR`].
#[bitfield(u16)]
pub struct Bmcr {
    #[bits(6)]
    __: u8,
    /// Upper bit of the forced speed: alone it means 1000 Mb/s.
    pub speed_1000: bool,
    #[bits(1)]
    __: u8,
    /// Forced full duplex.
    pub full_duplex: bool,
    /// Restarts autonegotiation; clears itself.
    pub restart_negotiation: bool,
    /// Electrically cut off from the MAC.
    pub isolate: bool,
    /// Powered down.
    pub power_down: bool,
    /// Autonegotiation instead of forced speed and duplex.
    pub negotiate: bool,
    /// Lower bit of the forced speed: alone it means 100 Mb/s.
    pub speed_100: bool,
    /// Loops what is sent back to the MAC.
    pub loopback: bool,
    /// Resets the PHY; clears itself.
    pub reset: bool,
}

/// Value of [`BMSR`].
#[bitfield(u16)]
pub struct Bmsr {
    #[bits(2)]
    __: u8,
    /// Link up. A loss is latched until it has been read: the second of two reads tells the present state.
    pub link_up: bool,
    /// It can autonegotiate.
    pub can_negotiate: bool,
    #[bits(1)]
    __: u8,
    /// Autonegotiation complete.
    pub negotiated: bool,
    #[bits(10)]
    __: u16,
}

/// Value of [`ANAR`] and [`ANLPAR`].
#[bitfield(u16)]
pub struct Anar {
    /// 1 is IEEE 802.3.
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
    /// Pause frames both ways.
    pub pause: bool,
    /// Pause frames one way only (28B.2, table 28B-3 resolves the two bits of both ends).
    pub asymmetric_pause: bool,
    #[bits(4)]
    __: u8,
}

/// Value of [`GBCR`].
#[bitfield(u16)]
pub struct Gbcr {
    #[bits(8)]
    __: u8,
    /// Advertise 1000 Mb/s, half duplex.
    pub half_1000: bool,
    /// Advertise 1000 Mb/s, full duplex.
    pub full_1000: bool,
    #[bits(6)]
    __: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_where_the_standard_puts_them() {
        assert_eq!(u16::from(Bmcr::new().with_negotiate(true).with_restart_negotiation(true)), 0x1200);
        assert_eq!(u16::from(Bmcr::new().with_loopback(true).with_speed_1000(true).with_full_duplex(true)), 0x4140);
        assert!(Bmsr::from(0x796D).link_up() && Bmsr::from(0x796D).negotiated());
        assert!(!Bmsr::from(0x7949).link_up() && !Bmsr::from(0x7949).negotiated());
        let all = Anar::new().with_half_10(true).with_full_10(true).with_half_100(true).with_full_100(true);
        assert_eq!(u16::from(all.with_pause(true).with_asymmetric_pause(true)), 0x0DE1);
        assert_eq!(u16::from(Gbcr::new().with_full_1000(true)), 0x0200);
    }

    #[test]
    fn an_access_names_operation_phy_and_register() {
        let read = Mdic::new().with_read(true).with_phy(ADDRESS).with_register(BMSR.number());
        assert_eq!(u32::from(read), 0x0821_0000);
        let write = Mdic::new().with_write(true).with_phy(ADDRESS).with_register(GBCR.number());
        assert_eq!(u32::from(write.with_data(0x0200)), 0x0429_0200);
        assert!(Mdic::from(0x1000_0000).ready() && Mdic::from(0x4000_0000).error());
    }
}
