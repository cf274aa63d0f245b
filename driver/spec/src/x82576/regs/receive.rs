//! Receive: packet buffer, engine, filters, RSS, queues (8.3, 8.10).

use bitfield_struct::bitfield;

use super::{array, rx_queue};
use crate::{ReadSideEffect, ReadWrite, Reg, RegArray, Window};

// ---- 8.3, 8.10 Receive ----

/// Receive control.
pub const RCTL: Reg<ReadWrite, Rctl> = Reg::at(0x00100);
/// Receive packet buffer size: [`crate::x82576::Chip::rx_buffer_kib`]. A new value counts from the next reset on.
pub const RXPBS: Reg<ReadWrite> = Reg::at(0x02404);
/// Receive checksum control.
pub const RXCSUM: Reg<ReadWrite, Rxcsum> = Reg::at(0x05000);
/// Longest frame in bytes, FCS and tag included, with [`Rctl::long_packets`].
pub const RLPML: Reg<ReadWrite> = Reg::at(0x05004);
/// Receive filter control.
pub const RFCTL: Reg<ReadWrite, Rfctl> = Reg::at(0x05008);
/// Multicast hash table, 4096 bits.
pub const MTA: RegArray<ReadWrite> = array(0x05200, 4, 128);
/// Receive address, bytes 0 to 3. 32 entries in an I350, fewer in the others: [`crate::x82576::Chip::receive_addresses`].
pub const RAL: RegArray<ReadWrite> = receive_address(0);
/// Receive address, bytes 4 and 5, and its valid bit.
pub const RAH: RegArray<ReadWrite, Rah> = receive_address(4);
/// VLAN filter table, a bit a VLAN. An I350 may lose a write: it is repeated ten times.
pub const VFTA: RegArray<ReadWrite> = array(0x05600, 4, 128);
/// Unicast hash table.
pub const UTA: RegArray<ReadWrite> = array(0x0A000, 4, 128);
/// Multiple receive queues: mode and RSS fields.
pub const MRQC: Reg<ReadWrite, Mrqc> = Reg::at(0x05818);
/// RSS redirection table, four entries a register, a byte each.
pub const RETA: RegArray<ReadWrite> = array(0x05C00, 4, 32);
/// RSS key, 40 bytes.
pub const RSSRK: RegArray<ReadWrite> = array(0x05C80, 4, 10);

const fn receive_address<A, V>(offset: u32) -> RegArray<A, V> {
    RegArray::split(
        Window { base: 0x5400 + offset, stride: 8, count: 16 },
        Window { base: 0x54E0 + offset, stride: 8, count: 16 },
    )
}

/// Value of [`RCTL`].
#[bitfield(u32)]
pub struct Rctl {
    #[bits(1)]
    __: u8,
    /// Receive enable.
    pub enable: bool,
    /// Store bad packets.
    pub store_bad: bool,
    /// All unicast frames.
    pub unicast_promiscuous: bool,
    /// All multicast frames.
    pub multicast_promiscuous: bool,
    /// Frames up to [`RLPML`] instead of 1518 bytes, 1522 with a tag.
    pub long_packets: bool,
    /// 0 off, 1 MAC loopback.
    #[bits(2)]
    pub loopback: u8,
    #[bits(4)]
    __: u8,
    /// Which 12 bits of the address index [`MTA`]: 0 is 47:36.
    #[bits(2)]
    pub multicast_offset: u8,
    #[bits(1)]
    __: u8,
    /// Broadcast frames.
    pub broadcast_accept: bool,
    /// Buffer size where [`Srrctl::buffer_kib`] is 0: 0 2048, 1 1024, 2 512, 3 256 bytes.
    #[bits(2)]
    pub buffer_size: u8,
    /// Frames must match [`VFTA`].
    pub vlan_filter: bool,
    #[bits(3)]
    __: u8,
    /// Do not pass pause frames on.
    pub discard_pause: bool,
    /// Pass other MAC control frames on.
    pub pass_control: bool,
    #[bits(2)]
    __: u8,
    /// Strip the FCS.
    pub crc_strip: bool,
    #[bits(5)]
    __: u8,
}

/// Value of [`RXCSUM`].
#[bitfield(u32)]
pub struct Rxcsum {
    /// Byte where the packet checksum starts.
    pub start: u8,
    /// Check IPv4 header checksums.
    pub ip_check: bool,
    /// Check TCP and UDP checksums.
    pub l4_check: bool,
    #[bits(1)]
    __: u8,
    /// Check the CRC32c of SCTP.
    pub sctp_check: bool,
    /// IP payload checksum for fragments.
    pub ip_payload: bool,
    /// The descriptor carries the RSS hash instead of the fragment checksum.
    pub packet_checksum_disable: bool,
    #[bits(18)]
    __: u32,
}

/// Value of [`RFCTL`]. Its reserved bits must keep what they hold: read, modify, write.
#[bitfield(u32)]
pub struct Rfctl {
    #[bits(16)]
    __: u16,
    /// IPv6 extension headers are not parsed. Set, or a malformed one can stop receiving for good (erratum of the 82576).
    pub ipv6_extensions_disable: bool,
    #[bits(15)]
    __: u16,
}

/// Value of [`RAH`].
#[bitfield(u32)]
pub struct Rah {
    /// Bytes 4 and 5.
    pub bytes: u16,
    #[bits(15)]
    __: u16,
    /// The entry is valid.
    pub valid: bool,
}

/// Value of [`MRQC`].
#[bitfield(u32)]
pub struct Mrqc {
    /// 0 none, 2 RSS.
    #[bits(3)]
    pub mode: u8,
    #[bits(13)]
    __: u16,
    /// Hash TCP over IPv4.
    pub ipv4_tcp: bool,
    /// Hash IPv4.
    pub ipv4: bool,
    /// Hash TCP over IPv6, by the addresses that extension headers name where there are any.
    pub ipv6_tcp_extensions: bool,
    #[bits(1)]
    __: u8,
    /// Hash IPv6.
    pub ipv6: bool,
    /// Hash TCP over IPv6.
    pub ipv6_tcp: bool,
    /// Hash UDP over IPv4.
    pub ipv4_udp: bool,
    /// Hash UDP over IPv6.
    pub ipv6_udp: bool,
    #[bits(8)]
    __: u8,
}

// ---- 8.10 Receive queues ----

/// Receive ring base, low half.
pub const RDBAL: RegArray<ReadWrite> = rx_queue(0x00);
/// Receive ring base, high half.
pub const RDBAH: RegArray<ReadWrite> = rx_queue(0x04);
/// Receive ring length in bytes, a multiple of 128.
pub const RDLEN: RegArray<ReadWrite> = rx_queue(0x08);
/// Split and replication control: buffer size, descriptor type.
pub const SRRCTL: RegArray<ReadWrite, Srrctl> = rx_queue(0x0C);
/// Receive head: next descriptor the card uses.
pub const RDH: RegArray<ReadWrite> = rx_queue(0x10);
/// Receive tail: first descriptor the card may not use.
pub const RDT: RegArray<ReadWrite> = rx_queue(0x18);
/// Receive descriptor control: thresholds, enable.
pub const RXDCTL: RegArray<ReadWrite, Rxdctl> = rx_queue(0x28);
/// Frames dropped because the queue had no descriptor. A read clears it in the 82576 and I350; in an I210 it must be written 0.
pub const RQDPC: RegArray<ReadSideEffect> = rx_queue(0x30);
/// What is stripped from the queue's frames. I350 and I210 only; must agree with [`RCTL`] and [`super::CTRL`].
pub const DVMOLR: RegArray<ReadWrite, Dvmolr> = array(0x0C038, 0x40, 8);

/// Value of [`SRRCTL`].
#[bitfield(u32)]
pub struct Srrctl {
    /// Packet buffer size in KiB.
    #[bits(7)]
    pub buffer_kib: u8,
    #[bits(1)]
    __: u8,
    /// Header buffer size in units of 64 bytes.
    #[bits(6)]
    pub header_64b: u8,
    #[bits(11)]
    __: u16,
    /// 0 legacy, 1 advanced with one buffer.
    #[bits(3)]
    pub descriptor_type: u8,
    #[bits(3)]
    __: u8,
    /// Drop frames when the queue has no descriptor, instead of blocking the packet buffer.
    pub drop_enable: bool,
}

/// Value of [`RXDCTL`].
#[bitfield(u32)]
pub struct Rxdctl {
    /// Prefetch when fewer than this many are on the chip.
    #[bits(6)]
    pub prefetch: u8,
    #[bits(2)]
    __: u8,
    /// Prefetch when at least this many are ready on the host.
    #[bits(6)]
    pub host: u8,
    #[bits(2)]
    __: u8,
    /// Write back in batches of this many.
    #[bits(6)]
    pub write_back: u8,
    #[bits(3)]
    __: u8,
    /// The queue runs; reads 1 only once it really does, and not before [`Rctl::enable`] (8.10.10).
    pub enable: bool,
    /// Flush; clears itself.
    pub flush: bool,
    #[bits(5)]
    __: u8,
}

/// Value of [`DVMOLR`]. Its reserved bits must keep what they hold: read, modify, write.
#[bitfield(u32)]
pub struct Dvmolr {
    #[bits(30)]
    __: u32,
    /// Strip VLAN tags.
    pub vlan_strip: bool,
    /// Strip the FCS.
    pub crc_strip: bool,
}
