//! Receive: filters, RSS, queues (8.2.3.7, 8.2.3.8).

use bitfield_struct::bitfield;

use super::{array, rx_queue};
use crate::{ReadWrite, Reg, RegArray};

// ---- 8.2.3.7 Receive ----

/// Filter control: broadcast, promiscuous.
pub const FCTRL: Reg<ReadWrite, Fctrl> = Reg::at(0x05080);
/// VLAN control.
pub const VLNCTRL: Reg<ReadWrite, Vlnctrl> = Reg::at(0x05088);
/// Multicast control.
pub const MCSTCTRL: Reg<ReadWrite, Mcstctrl> = Reg::at(0x05090);
/// Receive checksum control.
pub const RXCSUM: Reg<ReadWrite, Rxcsum> = Reg::at(0x05000);
/// Receive filter control: RSC, NFS.
pub const RFCTL: Reg<ReadWrite> = Reg::at(0x05008);
/// Multicast hash table, 4096 bits.
pub const MTA: RegArray<ReadWrite> = array(0x05200, 4, 128);
/// Receive address, bytes 0 to 3.
pub const RAL: RegArray<ReadWrite> = array(0x0A200, 8, 128);
/// Receive address, bytes 4 and 5, and its valid bit.
pub const RAH: RegArray<ReadWrite, Rah> = array(0x0A204, 8, 128);
/// Pools of each receive address, low half.
pub const MPSAR_LO: RegArray<ReadWrite> = array(0x0A600, 8, 128);
/// Pools of each receive address, high half.
pub const MPSAR_HI: RegArray<ReadWrite> = array(0x0A604, 8, 128);
/// VLAN filter table, a bit a VLAN.
pub const VFTA: RegArray<ReadWrite> = array(0x0A000, 4, 128);
/// Unicast hash table.
pub const PFUTA: RegArray<ReadWrite> = array(0x0F400, 4, 128);
/// VLAN of each pool filter.
pub const VLVF: RegArray<ReadWrite> = array(0x0F100, 4, 64);
/// Pools of each pool filter.
pub const VLVFB: RegArray<ReadWrite> = array(0x0F200, 4, 128);
/// Multiple receive queues: mode and RSS fields.
pub const MRQC: Reg<ReadWrite, Mrqc> = Reg::at(0x0EC80);
/// RSS redirection table, four 4-bit entries a register.
pub const RETA: RegArray<ReadWrite> = array(0x0EB00, 4, 32);
/// RSS key, 40 bytes.
pub const RSSRK: RegArray<ReadWrite> = array(0x0EB80, 4, 10);
/// Packet split types and, for pools, RSS queues.
pub const PSRTYPE: RegArray<ReadWrite> = array(0x0EA00, 4, 64);
/// Five-tuple filters.
pub const FTQF: RegArray<ReadWrite> = array(0x0E600, 4, 128);
/// Ethertype filters.
pub const ETQF: RegArray<ReadWrite> = array(0x05128, 4, 8);
/// TCP SYN filter.
pub const SYNQF: Reg<ReadWrite> = Reg::at(0x0EC30);

/// Value of [`FCTRL`].
#[bitfield(u32)]
pub struct Fctrl {
    #[bits(1)]
    __: u8,
    /// Store bad packets.
    pub store_bad: bool,
    #[bits(6)]
    __: u8,
    /// All multicast frames.
    pub multicast_promiscuous: bool,
    /// All unicast frames.
    pub unicast_promiscuous: bool,
    /// Broadcast frames.
    pub broadcast_accept: bool,
    #[bits(21)]
    __: u32,
}

/// Value of [`VLNCTRL`].
#[bitfield(u32)]
pub struct Vlnctrl {
    /// VLAN Ethertype.
    #[bits(16, default = 0x8100)]
    pub ethertype: u16,
    #[bits(14)]
    __: u16,
    /// Frames must match [`VFTA`].
    pub filter_enable: bool,
    #[bits(1)]
    __: u8,
}

/// Value of [`MCSTCTRL`].
#[bitfield(u32)]
pub struct Mcstctrl {
    /// Which 12 bits of the address index [`MTA`]: 0 is 47:36.
    #[bits(2)]
    pub offset: u8,
    /// Filter by [`MTA`].
    pub filter_enable: bool,
    #[bits(29)]
    __: u32,
}

/// Value of [`RXCSUM`].
#[bitfield(u32)]
pub struct Rxcsum {
    #[bits(12)]
    __: u16,
    /// IP payload checksum for fragments.
    pub ip_payload: bool,
    /// The descriptor carries the RSS hash instead of the fragment checksum.
    pub packet_checksum_disable: bool,
    #[bits(18)]
    __: u32,
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
    /// 0 none, 1 RSS.
    #[bits(4)]
    pub mode: u8,
    #[bits(12)]
    __: u16,
    /// Hash TCP over IPv4.
    pub ipv4_tcp: bool,
    /// Hash IPv4.
    pub ipv4: bool,
    #[bits(2)]
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

// ---- 8.2.3.8 Receive DMA ----

/// Receive ring base, low half.
pub const RDBAL: RegArray<ReadWrite> = rx_queue(0x00);
/// Receive ring base, high half.
pub const RDBAH: RegArray<ReadWrite> = rx_queue(0x04);
/// Receive ring length in bytes.
pub const RDLEN: RegArray<ReadWrite> = rx_queue(0x08);
/// Direct cache access of the receive queue.
pub const DCA_RXCTRL: RegArray<ReadWrite, DcaRxctrl> = rx_queue(0x0C);
/// Receive head: next descriptor the card uses.
pub const RDH: RegArray<ReadWrite> = rx_queue(0x10);
/// Split and replication control: buffer size, descriptor type.
pub const SRRCTL: RegArray<ReadWrite, Srrctl> = rx_queue(0x14);
/// Receive tail: first descriptor the card may not use.
pub const RDT: RegArray<ReadWrite> = rx_queue(0x18);
/// Receive descriptor control: enable.
pub const RXDCTL: RegArray<ReadWrite, Rxdctl> = rx_queue(0x28);
/// Receive side coalescing of the queue.
pub const RSCCTL: RegArray<ReadWrite> = rx_queue(0x2C);
/// Receive DMA control.
pub const RDRXCTL: Reg<ReadWrite, Rdrxctl> = Reg::at(0x02F00);
/// Receive enable.
pub const RXCTRL: Reg<ReadWrite, Rxctrl> = Reg::at(0x03000);
/// Receive packet buffer sizes, KiB in bits 19:10.
pub const RXPBSIZE: RegArray<ReadWrite> = array(0x03C00, 4, 8);

/// Value of [`DCA_RXCTRL`].
#[bitfield(u32)]
pub struct DcaRxctrl {
    #[bits(12)]
    __: u16,
    /// Reserved; must be written 0 although it resets to 0 or 1 (8.2.3.11.1).
    pub reserved_zero: bool,
    #[bits(19)]
    __: u32,
}

/// Value of [`SRRCTL`].
#[bitfield(u32)]
pub struct Srrctl {
    /// Packet buffer size in KiB.
    #[bits(5)]
    pub buffer_kib: u8,
    #[bits(3)]
    __: u8,
    /// Header buffer size in units of 64 bytes.
    #[bits(6)]
    pub header_64b: u8,
    #[bits(11)]
    __: u16,
    /// 0 legacy, 1 advanced with one buffer.
    #[bits(3)]
    pub descriptor_type: u8,
    /// Drop frames when the queue has no descriptor, instead of blocking the packet buffer.
    pub drop_enable: bool,
    #[bits(3)]
    __: u8,
}

/// Value of [`RXDCTL`].
#[bitfield(u32)]
pub struct Rxdctl {
    #[bits(25)]
    __: u32,
    /// The queue runs; reads 1 only once it really does.
    pub enable: bool,
    #[bits(4)]
    __: u8,
    /// Strip VLAN tags.
    pub vlan_strip: bool,
    #[bits(1)]
    __: u8,
}

/// Value of [`RDRXCTL`].
#[bitfield(u32)]
pub struct Rdrxctl {
    #[bits(1)]
    __: u8,
    /// Strip the FCS; must equal HLREG0's bit.
    pub crc_strip: bool,
    #[bits(1)]
    __: u8,
    /// DMA initialisation done.
    pub dma_init_done: bool,
    #[bits(13)]
    __: u16,
    /// Must be written 0.
    #[bits(5)]
    pub rsc_first_size: u8,
    #[bits(3)]
    __: u8,
    /// Must be written 1 (resets to 0).
    pub rsc_ack_count: bool,
    /// Must be written 1 (resets to 0).
    pub fcoe_write_fix: bool,
    #[bits(5)]
    __: u8,
}

/// Value of [`RXCTRL`].
#[bitfield(u32)]
pub struct Rxctrl {
    /// Receive enable.
    pub enable: bool,
    #[bits(31)]
    __: u32,
}
