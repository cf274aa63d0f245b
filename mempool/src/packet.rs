//! A packet in flight: sixteen bytes that own a buffer.
//!
//! ```text
//!   slot | offset | len | hash | vlan | flags          the value that is moved about
//!     │
//!     └──► [ headroom ......|<- offset          len ->|.... tailroom ]    the buffer, touched only through data()
//! ```
//!
//! Not `Copy`, not `Clone`: whoever has the packet has the buffer alone, and dropping it brings the buffer home. Handing it to a card
//! consumes it.
#![allow(unsafe_code)]

use std::fmt;
use std::num::NonZeroU32;

use crate::pool;
use crate::table;

/// A frame, or room for one, in a buffer of a [`crate::Pool`].
#[repr(C, align(16))]
pub struct Packet {
    slot: NonZeroU32,
    /// First byte of the data, counted from the start of the buffer.
    offset: u16,
    len: u16,
    metadata: Metadata,
}

const _: () = assert!(size_of::<Packet>() == 16 && size_of::<Option<Packet>>() == 16);

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

/// The buffer has no room for that many bytes there, or the packet has fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} bytes wanted, {available} available")]
pub struct NoRoom {
    /// Bytes asked for.
    pub wanted: usize,
    /// Bytes there are.
    pub available: usize,
}

impl Packet {
    /// An empty packet in the buffer `slot`, its data starting after `headroom` bytes.
    ///
    /// # Safety
    /// The buffer is out of its pool and belongs to the caller alone, who hands it to the packet. `headroom` is the pool's.
    #[inline(always)]
    pub(crate) unsafe fn from_slot(slot: u32, headroom: u16) -> Packet {
        // SAFETY: per contract; no bytes are claimed.
        unsafe { Self::received(slot, headroom, 0, Metadata::default()) }
    }

    /// A packet of `len` bytes.
    ///
    /// # Safety
    /// As [`Self::from_slot`], and `len` is at most the pool's data room.
    #[inline(always)]
    pub(crate) unsafe fn received(slot: u32, headroom: u16, len: u16, metadata: Metadata) -> Packet {
        // SAFETY: pool numbers start at 1, so no slot is 0.
        let slot = unsafe { NonZeroU32::new_unchecked(slot) };
        Packet { slot, offset: headroom, len, metadata }
    }

    #[inline(always)]
    pub(crate) fn slot(&self) -> u32 {
        self.slot.get()
    }

    #[inline(always)]
    pub(crate) fn offset(&self) -> u16 {
        self.offset
    }

    /// Bytes of the frame.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether it has no bytes.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline(always)]
    fn start(&self) -> *mut u8 {
        // SAFETY: the packet owns its buffer, which is thereby out; offset and len stay within the buffer (see each method that
        // changes them), so the result is inside the pool's region.
        unsafe { table::entry(self.slot()).buffer(self.slot()).add(self.offset as usize) }
    }

    /// The frame.
    #[inline(always)]
    pub fn data(&self) -> &[u8] {
        // SAFETY: offset + len is within the buffer, whose bytes are initialised (regions come zeroed); the packet owns it, and
        // no device has been given it.
        unsafe { std::slice::from_raw_parts(self.start(), self.len()) }
    }

    /// The frame, to change.
    #[inline(always)]
    pub fn data_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `data`, and `&mut self` makes it the only access.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.len()) }
    }

    /// Free bytes before the frame.
    pub fn headroom(&self) -> usize {
        self.offset as usize
    }

    /// Free bytes after the frame.
    pub fn tailroom(&self) -> usize {
        // SAFETY: this packet's buffer is out while the reference is used.
        let room = unsafe { table::entry(self.slot()).pool() }.buffer_room() as usize;
        room - self.offset as usize - self.len()
    }

    /// Makes the frame `count` bytes longer at its end and returns the new bytes (their content is left over from earlier frames).
    ///
    /// # Errors
    /// [`NoRoom`] if the tailroom is less; the packet is unchanged.
    pub fn append(&mut self, count: usize) -> Result<&mut [u8], NoRoom> {
        fits(count, self.tailroom())?;
        let old = self.len();
        // At most the buffer's room, which is below 2^16.
        self.len += count as u16;
        Ok(&mut self.data_mut()[old..])
    }

    /// Makes the frame `count` bytes longer at its front and returns the new bytes (their content is left over).
    ///
    /// # Errors
    /// [`NoRoom`] if the headroom is less; the packet is unchanged.
    pub fn prepend(&mut self, count: usize) -> Result<&mut [u8], NoRoom> {
        fits(count, self.headroom())?;
        self.offset -= count as u16;
        self.len += count as u16;
        Ok(&mut self.data_mut()[..count])
    }

    /// Takes `count` bytes off the end.
    ///
    /// # Errors
    /// [`NoRoom`] if the frame is shorter; the packet is unchanged.
    pub fn trim(&mut self, count: usize) -> Result<(), NoRoom> {
        fits(count, self.len())?;
        self.len -= count as u16;
        Ok(())
    }

    /// Takes `count` bytes off the front.
    ///
    /// # Errors
    /// [`NoRoom`] if the frame is shorter; the packet is unchanged.
    pub fn adjust(&mut self, count: usize) -> Result<(), NoRoom> {
        fits(count, self.len())?;
        self.offset += count as u16;
        self.len -= count as u16;
        Ok(())
    }

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

fn fits(wanted: usize, available: usize) -> Result<(), NoRoom> {
    if wanted <= available { Ok(()) } else { Err(NoRoom { wanted, available }) }
}

impl Drop for Packet {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the packet owned the buffer and is gone.
        unsafe { pool::give_one(self.slot()) }
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packet")
            .field("slot", &format_args!("{:#010x}", self.slot))
            .field("offset", &self.offset)
            .field("len", &self.len)
            .field("metadata", &self.metadata)
            .finish()
    }
}
