//! Receive: filters, RSS, queues (10.2.5).

use bitfield_struct::bitfield;

use super::queue;
use crate::{ReadWrite, Reg, RegArray};

// ---- Filters and offloads ----

/// Receive control: enable, filters, buffer size.
pub const RCTL: Reg<ReadWrite, Rctl> = Reg::at(0x00100);
/// Receive checksum control.
pub const RXCSUM: Reg<ReadWrite, Rxcsum> = Reg::at(0x05000);
/// Receive filter control: descriptor format, header parser.
pub const RFCTL: Reg<ReadWrite, Rfctl> = Reg::at(0x05008);
/// Multicast hash table, 4096 bits.
pub const MTA: RegArray<ReadWrite> = RegArray::new(0x05200, 4, 128);
/// Receive address, bytes 0 to 3.
pub const RAL: RegArray<ReadWrite> = RegArray::new(0x05400, 8, 15);
/// Receive address, bytes 4 and 5, and its valid bit.
pub const RAH: RegArray<ReadWrite, Rah> = RegArray::new(0x05404, 8, 15);
/// VLAN filter table, a bit a VLAN.
pub const VFTA: RegArray<ReadWrite> = RegArray::new(0x05600, 4, 128);
/// Multiple receive queues: mode and RSS fields.
pub const MRQC: Reg<ReadWrite, Mrqc> = Reg::at(0x05818);
/// RSS redirection table, four entries of a byte a register: bit 7 is the queue.
pub const RETA: RegArray<ReadWrite> = RegArray::new(0x05C00, 4, 32);
/// RSS key, 40 bytes.
pub const RSSRK: RegArray<ReadWrite> = RegArray::new(0x05C80, 4, 10);

/// Value of [`RCTL`].
#[bitfield(u32)]
pub struct Rctl {
    #[bits(1)]
    __: u8,
    /// Receive enable. Switching it off while frames arrive may leave some in the packet buffer until the next reset.
    pub enable: bool,
    /// Store bad packets.
    pub store_bad: bool,
    /// All unicast frames.
    pub unicast_promiscuous: bool,
    /// All multicast frames.
    pub multicast_promiscuous: bool,
    /// Frames longer than 1522 bytes.
    pub long_packets: bool,
    /// Loopback: 0 none, 1 in the MAC.
    #[bits(2)]
    pub loopback: u8,
    #[bits(2)]
    __: u8,
    /// Descriptor type: 0 one buffer, 1 packet split.
    #[bits(2)]
    pub descriptor_type: u8,
    /// Which 12 bits of the address index [`MTA`]: 0 is 47:36.
    #[bits(2)]
    pub multicast_offset: u8,
    #[bits(1)]
    __: u8,
    /// Broadcast frames.
    pub broadcast_accept: bool,
    /// Buffer size: 0 2048, 1 1024, 2 512, 3 256 bytes; times 16 with [`Self::size_extension`], without 0.
    #[bits(2)]
    pub buffer_size: u8,
    /// Frames must match [`VFTA`].
    pub vlan_filter: bool,
    #[bits(3)]
    __: u8,
    /// Do not pass pause frames on.
    pub discard_pause: bool,
    /// Pass MAC control frames on.
    pub pass_control: bool,
    #[bits(1)]
    __: u8,
    /// Buffer size extension.
    pub size_extension: bool,
    /// Strip the FCS.
    pub crc_strip: bool,
    /// Buffer size in KiB; 0 takes [`Self::buffer_size`].
    #[bits(4)]
    pub buffer_kib: u8,
    #[bits(1)]
    __: u8,
}

/// Value of [`RXCSUM`].
#[bitfield(u32)]
pub struct Rxcsum {
    /// Byte at which the checksum of the packet starts.
    pub start: u8,
    /// Check the IPv4 header checksum.
    pub ip: bool,
    /// Check the L4 checksum.
    pub l4: bool,
    #[bits(2)]
    __: u8,
    /// IP payload checksum for fragments.
    pub ip_payload: bool,
    /// The descriptor carries the RSS hash instead of the packet's checksum.
    pub packet_checksum_disable: bool,
    #[bits(18)]
    __: u32,
}

/// Value of [`RFCTL`].
#[bitfield(u32)]
pub struct Rfctl {
    /// Do not look for iSCSI headers.
    pub iscsi_disable: bool,
    #[bits(5)]
    __: u8,
    /// Do not look for NFS writes.
    pub nfs_write_disable: bool,
    /// Do not look for NFS reads.
    pub nfs_read_disable: bool,
    #[bits(4)]
    __: u8,
    /// No interrupts for TCP acknowledgements: with MSI-X they would be spurious.
    pub ack_disable: bool,
    #[bits(2)]
    __: u8,
    /// Extended receive descriptors.
    pub extended_descriptors: bool,
    /// Do not look into IPv6 extension headers.
    pub ipv6_ext_disable: bool,
    /// Do not look into IPv6 home address and routing headers.
    pub new_ipv6_ext_disable: bool,
    #[bits(14)]
    __: u16,
}

/// Value of [`RAH`].
#[bitfield(u32)]
pub struct Rah {
    /// Bytes 4 and 5.
    pub bytes: u16,
    /// Compare with: 0 the destination, 1 the source.
    #[bits(2)]
    pub select: u8,
    #[bits(13)]
    __: u16,
    /// The entry is valid.
    pub valid: bool,
}

/// Value of [`MRQC`].
#[bitfield(u32)]
pub struct Mrqc {
    /// 0 none, 1 RSS.
    #[bits(2)]
    pub mode: u8,
    #[bits(14)]
    __: u16,
    /// Hash TCP over IPv4.
    pub ipv4_tcp: bool,
    /// Hash IPv4.
    pub ipv4: bool,
    /// Hash TCP over IPv6, with the addresses of extension headers.
    pub ipv6_ex_tcp: bool,
    /// Hash IPv6, with the addresses of extension headers.
    pub ipv6_ex: bool,
    /// Hash IPv6.
    pub ipv6: bool,
    /// Hash TCP over IPv6.
    pub ipv6_tcp: bool,
    #[bits(10)]
    __: u16,
}

// ---- Queues ----

/// Receive ring base, low half; a multiple of 16.
pub const RDBAL: RegArray<ReadWrite> = queue(0x02800);
/// Receive ring base, high half.
pub const RDBAH: RegArray<ReadWrite> = queue(0x02804);
/// Receive ring length in bytes, a multiple of 128. The queue runs if it is not 0: there is no other enable.
pub const RDLEN: RegArray<ReadWrite> = queue(0x02808);
/// Receive head: next descriptor the card uses.
pub const RDH: RegArray<ReadWrite> = queue(0x02810);
/// Receive tail: first descriptor the card may not use.
pub const RDT: RegArray<ReadWrite> = queue(0x02818);
/// Receive descriptor control: thresholds. Writing queue 0's writes queue 1's too (10.2.5.11).
pub const RXDCTL: RegArray<ReadWrite, Rxdctl> = queue(0x02828);

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
    /// Write back in batches of this many; acts only with a delay timer.
    #[bits(6)]
    pub write_back: u8,
    #[bits(2)]
    __: u8,
    /// The thresholds count descriptors instead of cache lines.
    pub in_descriptors: bool,
    #[bits(7)]
    __: u8,
}
