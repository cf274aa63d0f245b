//! What a card says of a received frame, and how it is packed into a packet.

use super::Packet;

/// What a card found out about a received frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Metadata {
    /// RSS hash, if [`Flags::RSS`].
    pub hash: u32,
    /// VLAN tag that the card took out of the frame, if [`Flags::VLAN`].
    pub vlan: u16,
    /// What holds.
    pub flags: Flags,
}

/// Verdicts of the card, packed for the data path. Read them through [`Packet`]'s methods.
///
/// The checksum bits lie as Intel's cards report them, so that a driver need only shift; bits 11:8 are [`L3`], bits 15:12 [`L4`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Flags(pub u16);

impl Flags {
    /// The card checked the L4 checksum.
    pub const L4_CHECKED: Flags = Flags(1 << 0);
    /// The card checked the IPv4 header checksum.
    pub const IP_CHECKED: Flags = Flags(1 << 1);
    /// The L4 checksum is wrong.
    pub const L4_BAD: Flags = Flags(1 << 2);
    /// The IPv4 header checksum is wrong.
    pub const IP_BAD: Flags = Flags(1 << 3);
    /// The card took a VLAN tag out of the frame.
    pub const VLAN: Flags = Flags(1 << 4);
    /// The card computed an RSS hash.
    pub const RSS: Flags = Flags(1 << 5);
    /// The card calls L4 checksums of such packets wrong that are none: [`Self::L4_BAD`] means nothing.
    pub const L4_BAD_UNSURE: Flags = Flags(1 << 6);

    /// Flags that say this of the headers.
    pub const fn headers(l3: L3, l4: L4) -> Flags {
        Flags((l3 as u16) << 8 | (l4 as u16) << 12)
    }

    /// Both together.
    #[inline(always)]
    #[must_use]
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    #[inline(always)]
    const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What the card says of a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// Not checked: no such header, a fragment, or not supported.
    Unchecked,
    /// Checked and right.
    Good,
    /// Checked and wrong.
    Bad,
}

/// Network header that the card saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum L3 {
    /// None that it knows.
    Unknown = 0,
    /// IPv4 without options.
    Ipv4 = 1,
    /// IPv4 with options.
    Ipv4Options = 2,
    /// IPv6 without extension headers.
    Ipv6 = 3,
    /// IPv6 with extension headers.
    Ipv6Extensions = 4,
}

/// Transport header that the card saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum L4 {
    /// None that it knows.
    Unknown = 0,
    /// TCP.
    Tcp = 1,
    /// UDP.
    Udp = 2,
    /// SCTP.
    Sctp = 3,
}

impl Packet {
    /// RSS hash, if the card computed one.
    pub fn rss_hash(&self) -> Option<u32> {
        self.metadata.flags.has(Flags::RSS).then_some(self.metadata.hash)
    }

    /// VLAN tag, if the card took one out of the frame.
    pub fn vlan_tag(&self) -> Option<u16> {
        self.metadata.flags.has(Flags::VLAN).then_some(self.metadata.vlan)
    }

    /// What the card says of the IPv4 header checksum.
    pub fn ip_checksum(&self) -> Checksum {
        let flags = self.metadata.flags;
        checksum(flags.has(Flags::IP_CHECKED), flags.has(Flags::IP_BAD))
    }

    /// What the card says of the TCP, UDP or SCTP checksum.
    pub fn l4_checksum(&self) -> Checksum {
        let flags = self.metadata.flags;
        let bad = flags.has(Flags::L4_BAD);
        checksum(flags.has(Flags::L4_CHECKED) && !(bad && flags.has(Flags::L4_BAD_UNSURE)), bad)
    }

    /// The network header that the card saw.
    pub fn l3(&self) -> L3 {
        match self.metadata.flags.0 >> 8 & 0xF {
            1 => L3::Ipv4,
            2 => L3::Ipv4Options,
            3 => L3::Ipv6,
            4 => L3::Ipv6Extensions,
            _ => L3::Unknown,
        }
    }

    /// The transport header that the card saw.
    pub fn l4(&self) -> L4 {
        match self.metadata.flags.0 >> 12 {
            1 => L4::Tcp,
            2 => L4::Udp,
            3 => L4::Sctp,
            _ => L4::Unknown,
        }
    }
}

fn checksum(checked: bool, bad: bool) -> Checksum {
    match (checked, bad) {
        (false, _) => Checksum::Unchecked,
        (true, false) => Checksum::Good,
        (true, true) => Checksum::Bad,
    }
}
