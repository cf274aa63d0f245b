//! Registers (8.2.3). Offsets in the 128 KiB register BAR; all are 32 bits wide.

use bitfield_struct::bitfield;

use crate::{ClearOnRead, ReadOnly, ReadWrite, Reg, RegArray, Window, WriteOnly};

const fn array<A, V>(base: u32, stride: u32, count: u32) -> RegArray<A, V> {
    RegArray::new(base, stride, count)
}

/// A register of each receive queue: queues 0-63 from 0x1000, 64-127 from 0xD000, 0x40 bytes each (8.2.3.8).
const fn rx_queue<A, V>(offset: u32) -> RegArray<A, V> {
    RegArray::split(
        Window { base: 0x1000 + offset, stride: 0x40, count: 64 },
        Window { base: 0xD000 + offset, stride: 0x40, count: 64 },
    )
}

/// A register of each transmit queue, 0x40 bytes each from 0x6000 (8.2.3.9).
const fn tx_queue<A, V>(offset: u32) -> RegArray<A, V> {
    RegArray::new(0x6000 + offset, 0x40, 128)
}

// ---- 8.2.3.1 General control ----

/// Device control.
pub const CTRL: Reg<ReadWrite, Ctrl> = Reg::at(0x00000);
/// Device status.
pub const STATUS: Reg<ReadOnly, Status> = Reg::at(0x00008);
/// Extended device control.
pub const CTRL_EXT: Reg<ReadWrite, CtrlExt> = Reg::at(0x00018);
/// Software-defined pins: SDP2 module present, SDP3 laser off.
pub const ESDP: Reg<ReadWrite, Esdp> = Reg::at(0x00020);
/// LED modes.
pub const LEDCTL: Reg<ReadWrite> = Reg::at(0x00200);

/// Value of [`CTRL`].
#[bitfield(u32)]
pub struct Ctrl {
    #[bits(2)]
    __: u8,
    /// PCIe master disable: no new requests (5.2.5.3.2).
    pub master_disable: bool,
    /// Link reset; clears itself.
    pub link_reset: bool,
    #[bits(22)]
    __: u32,
    /// Software reset; clears itself.
    pub reset: bool,
    #[bits(5)]
    __: u8,
}

/// Value of [`STATUS`].
#[bitfield(u32)]
pub struct Status {
    #[bits(2)]
    __: u8,
    /// Port of the device.
    #[bits(2)]
    pub lan_id: u8,
    #[bits(3)]
    __: u8,
    /// Link up.
    pub link_up: bool,
    #[bits(11)]
    __: u16,
    /// Master enable status: requests may be outstanding.
    pub master_enabled: bool,
    #[bits(12)]
    __: u16,
}

/// Value of [`CTRL_EXT`].
#[bitfield(u32)]
pub struct CtrlExt {
    #[bits(14)]
    __: u16,
    /// Physical function reset done.
    pub pf_reset_done: bool,
    #[bits(1)]
    __: u8,
    /// No-snoop disable: all DMA snoops the caches.
    pub no_snoop_disable: bool,
    /// Relaxed ordering disable.
    pub relaxed_ordering_disable: bool,
    #[bits(8)]
    __: u8,
    /// Outer VLAN tags expected on all frames.
    pub extended_vlan: bool,
    #[bits(1)]
    __: u8,
    /// A driver is loaded: tells the firmware.
    pub driver_loaded: bool,
    #[bits(3)]
    __: u8,
}

/// Value of [`ESDP`].
#[bitfield(u32)]
pub struct Esdp {
    #[bits(2)]
    __: u8,
    /// SDP2: an SFP+ module is in the cage.
    pub module_present: bool,
    /// SDP3: the laser is off.
    pub laser_off: bool,
    #[bits(28)]
    __: u32,
}

// ---- 8.2.3.2 EEPROM and flash ----

/// EEPROM control.
pub const EEC: Reg<ReadWrite, Eec> = Reg::at(0x10010);
/// EEPROM read.
pub const EERD: Reg<ReadWrite, Eerd> = Reg::at(0x10014);

/// Value of [`EEC`].
#[bitfield(u32)]
pub struct Eec {
    #[bits(8)]
    __: u8,
    /// An EEPROM with a valid signature is there.
    pub present: bool,
    /// The card has read its configuration from it.
    pub auto_read_done: bool,
    #[bits(22)]
    __: u32,
}

/// Value of [`EERD`].
#[bitfield(u32)]
pub struct Eerd {
    /// Write 1 to start.
    pub start: bool,
    /// The data is valid.
    pub done: bool,
    /// Word address.
    #[bits(14)]
    pub address: u16,
    /// The word.
    pub data: u16,
}

// ---- 8.2.3.3 Flow control ----

/// Pause timers, two a register.
pub const FCTTV: RegArray<ReadWrite> = array(0x03200, 4, 4);
/// Receive thresholds to send XON.
pub const FCRTL: RegArray<ReadWrite, FlowThreshold> = array(0x03220, 4, 8);
/// Receive thresholds to send XOFF.
pub const FCRTH: RegArray<ReadWrite, FlowThreshold> = array(0x03260, 4, 8);
/// Refresh of the pause timer.
pub const FCRTV: Reg<ReadWrite> = Reg::at(0x032A0);
/// Flow control configuration (transmit side).
pub const FCCFG: Reg<ReadWrite> = Reg::at(0x03D00);

/// Value of [`FCRTL`] and [`FCRTH`].
#[bitfield(u32)]
pub struct FlowThreshold {
    #[bits(5)]
    __: u8,
    /// Threshold in units of 32 bytes.
    #[bits(14)]
    pub granules: u16,
    #[bits(12)]
    __: u16,
    /// Send pause frames.
    pub enable: bool,
}

// ---- 8.2.3.4 PCIe, semaphores ----

/// PCIe control, extended: virtualisation mode, buffer clear.
pub const GCR_EXT: Reg<ReadWrite, GcrExt> = Reg::at(0x11050);
/// Software semaphore. A read returns SMBI as it was and sets it.
pub const SWSM: Reg<ReadWrite, Swsm> = Reg::at(0x10140);
/// Firmware semaphore.
pub const FWSM: Reg<ReadOnly, Fwsm> = Reg::at(0x10148);
/// Software/firmware synchronisation: who owns which resource.
pub const SW_FW_SYNC: Reg<ReadWrite> = Reg::at(0x10160);

/// Value of [`GCR_EXT`].
#[bitfield(u32)]
pub struct GcrExt {
    #[bits(30)]
    __: u32,
    /// Clears the transmit buffers while a stuck master is reset (5.2.5.3.2).
    pub buffers_clear: bool,
    #[bits(1)]
    __: u8,
}

/// Value of [`SWSM`].
#[bitfield(u32)]
pub struct Swsm {
    /// Taken by another software agent.
    pub smbi: bool,
    /// Ours against the firmware, if it reads back 1.
    pub swesmbi: bool,
    #[bits(30)]
    __: u32,
}

/// Value of [`FWSM`].
#[bitfield(u32)]
pub struct Fwsm {
    #[bits(15)]
    __: u16,
    /// The firmware runs.
    pub valid: bool,
    #[bits(3)]
    __: u8,
    /// Firmware's error, 0 is none.
    #[bits(6)]
    pub error: u8,
    #[bits(7)]
    __: u8,
}

// ---- 8.2.3.5 Interrupts ----

/// Interrupt causes; read clears.
pub const EICR: Reg<ReadWrite> = Reg::at(0x00800);
/// Interrupt mask set and read.
pub const EIMS: Reg<ReadWrite> = Reg::at(0x00880);
/// Interrupt mask clear.
pub const EIMC: Reg<WriteOnly> = Reg::at(0x00888);
/// Interrupt mask clear, extended: vectors 0-31 and 32-63.
pub const EIMC_EX: RegArray<WriteOnly> = array(0x00AB0, 4, 2);

/// Link status change, a bit of [`EICR`].
pub const EICR_LSC: u32 = 1 << 20;

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

// ---- 8.2.3.9 Transmit ----

/// Transmit ring base, low half.
pub const TDBAL: RegArray<ReadWrite> = tx_queue(0x00);
/// Transmit ring base, high half.
pub const TDBAH: RegArray<ReadWrite> = tx_queue(0x04);
/// Transmit ring length in bytes.
pub const TDLEN: RegArray<ReadWrite> = tx_queue(0x08);
/// Direct cache access of the transmit queue.
pub const DCA_TXCTRL: RegArray<ReadWrite, DcaTxctrl> = tx_queue(0x0C);
/// Transmit head: next descriptor the card sends.
pub const TDH: RegArray<ReadWrite> = tx_queue(0x10);
/// Transmit tail: first descriptor the card may not send.
pub const TDT: RegArray<ReadWrite> = tx_queue(0x18);
/// Transmit descriptor control: thresholds, enable.
pub const TXDCTL: RegArray<ReadWrite, Txdctl> = tx_queue(0x28);
/// Head write-back address, low half; bit 0 enables it.
pub const TDWBAL: RegArray<ReadWrite> = tx_queue(0x38);
/// Head write-back address, high half.
pub const TDWBAH: RegArray<ReadWrite> = tx_queue(0x3C);
/// Transmit DMA control.
pub const DMATXCTL: Reg<ReadWrite, Dmatxctl> = Reg::at(0x04A80);
/// Most bytes of outstanding requests, in units of 256.
pub const DTXMXSZRQ: Reg<ReadWrite> = Reg::at(0x08100);
/// Transmit packet buffer sizes, KiB in bits 19:10.
pub const TXPBSIZE: RegArray<ReadWrite> = array(0x0CC00, 4, 8);
/// Transmit packet buffer thresholds, KiB.
pub const TXPBTHRESH: RegArray<ReadWrite> = array(0x04950, 4, 8);
/// Multiple transmit queues; written only while the arbiter is disabled.
pub const MTQC: Reg<ReadWrite> = Reg::at(0x08120);

/// Value of [`DCA_TXCTRL`].
#[bitfield(u32)]
pub struct DcaTxctrl {
    #[bits(11)]
    __: u16,
    /// Write-backs may pass other writes: must be off, else a done bit could overtake data.
    pub write_back_relaxed: bool,
    #[bits(20)]
    __: u32,
}

/// Value of [`TXDCTL`].
#[bitfield(u32)]
pub struct Txdctl {
    /// Prefetch when fewer than this many are on the chip.
    #[bits(7)]
    pub prefetch: u8,
    #[bits(1)]
    __: u8,
    /// Prefetch when at least this many are ready on the host.
    #[bits(7)]
    pub host: u8,
    #[bits(1)]
    __: u8,
    /// Write back in batches of this many; 0 is one by one.
    #[bits(7)]
    pub write_back: u8,
    #[bits(2)]
    __: u8,
    /// The queue runs; reads 1 only once it really does.
    pub enable: bool,
    /// Flush; clears itself.
    pub flush: bool,
    #[bits(5)]
    __: u8,
}

/// Value of [`DMATXCTL`].
#[bitfield(u32)]
pub struct Dmatxctl {
    /// Transmit enable.
    pub enable: bool,
    #[bits(31)]
    __: u32,
}

// ---- 8.2.3.10 Arbiters (DCB) ----

/// Transmit descriptor plane control.
pub const RTTDCS: Reg<ReadWrite, Rttdcs> = Reg::at(0x04900);
/// Selects the queue that [`RTTDT1C`] speaks of.
pub const RTTDQSEL: Reg<ReadWrite> = Reg::at(0x04904);
/// Credits of the selected queue.
pub const RTTDT1C: Reg<ReadWrite> = Reg::at(0x04908);
/// Rate limit of the selected queue.
pub const RTTBCNRC: Reg<ReadWrite> = Reg::at(0x04984);

/// Value of [`RTTDCS`].
#[bitfield(u32)]
pub struct Rttdcs {
    #[bits(6)]
    __: u8,
    /// The arbiter stands still.
    pub arbiter_disable: bool,
    #[bits(25)]
    __: u32,
}

// ---- 8.2.3.12 Security ----

/// Receive security: stops the receive path.
pub const SECRXCTRL: Reg<ReadWrite, Secrxctrl> = Reg::at(0x08D00);
/// Receive security status.
pub const SECRXSTAT: Reg<ReadOnly, Secrxstat> = Reg::at(0x08D04);

/// Value of [`SECRXCTRL`].
#[bitfield(u32)]
pub struct Secrxctrl {
    /// Security off.
    pub security_disable: bool,
    /// The receive path stands still.
    pub rx_disable: bool,
    #[bits(30)]
    __: u32,
}

/// Value of [`SECRXSTAT`].
#[bitfield(u32)]
pub struct Secrxstat {
    /// The receive path is empty.
    pub ready: bool,
    #[bits(31)]
    __: u32,
}

// ---- 8.2.3.22 MAC and link ----

/// MAC control: CRC, padding, jumbo, loopback.
pub const HLREG0: Reg<ReadWrite, Hlreg0> = Reg::at(0x04240);
/// Longest frame, in bits 31:16, used with HLREG0's jumbo bit.
pub const MAXFRS: Reg<ReadWrite> = Reg::at(0x04268);
/// MAC flow control.
pub const MFLCN: Reg<ReadWrite, Mflcn> = Reg::at(0x04294);
/// Link configuration.
pub const AUTOC: Reg<ReadWrite, Autoc> = Reg::at(0x042A0);
/// Link configuration of the 10 Gb/s serial PMA.
pub const AUTOC2: Reg<ReadWrite> = Reg::at(0x042A8);
/// Link status.
pub const LINKS: Reg<ReadOnly, Links> = Reg::at(0x042A4);

/// Value of [`HLREG0`]. Its reserved bits must keep what they hold: read, modify, write.
#[bitfield(u32)]
pub struct Hlreg0 {
    /// The card appends the FCS.
    pub tx_crc: bool,
    /// The card strips the FCS.
    pub rx_crc_strip: bool,
    /// Frames up to MAXFRS instead of 1518 bytes.
    pub jumbo: bool,
    #[bits(7)]
    __: u8,
    /// Pad short frames.
    pub tx_pad: bool,
    #[bits(4)]
    __: u8,
    /// MAC loopback.
    pub loopback: bool,
    #[bits(16)]
    __: u16,
}

/// Value of [`MFLCN`].
#[bitfield(u32)]
pub struct Mflcn {
    /// Pass MAC control frames on.
    pub pass_control: bool,
    /// Do not pass pause frames on.
    pub discard_pause: bool,
    /// Obey priority flow control.
    pub rx_priority: bool,
    /// Obey pause frames.
    pub rx_pause: bool,
    #[bits(28)]
    __: u32,
}

/// Value of [`AUTOC`].
#[bitfield(u32)]
pub struct Autoc {
    /// Force link up.
    pub force_link_up: bool,
    #[bits(11)]
    __: u16,
    /// Restarts link establishment; clears itself.
    pub restart: bool,
    /// Link mode: 1 10 Gb/s parallel, 3 10 Gb/s serial (SFI), no autonegotiation.
    #[bits(3)]
    pub link_mode: u8,
    #[bits(16)]
    __: u16,
}

/// Value of [`LINKS`].
#[bitfield(u32)]
pub struct Links {
    #[bits(28)]
    __: u32,
    /// 1 100 Mb/s, 2 1 Gb/s, 3 10 Gb/s.
    #[bits(2)]
    pub speed: u8,
    /// Link up.
    pub up: bool,
    /// Autonegotiation complete.
    pub negotiated: bool,
}

// ---- 8.2.3.23 Statistics, cleared by reading ----

/// Frames with a bad FCS.
pub const CRCERRS: Reg<ClearOnRead> = Reg::at(0x04000);
/// Frames with an illegal byte.
pub const ILLERRC: Reg<ClearOnRead> = Reg::at(0x04004);
/// Frames with error bytes.
pub const ERRBC: Reg<ClearOnRead> = Reg::at(0x04008);
/// MAC short packet discards.
pub const MSPDC: Reg<ClearOnRead> = Reg::at(0x04010);
/// Missed packets: the packet buffer was full.
pub const MPC: RegArray<ClearOnRead> = array(0x03FA0, 4, 8);
/// Local faults.
pub const MLFC: Reg<ClearOnRead> = Reg::at(0x04034);
/// Remote faults.
pub const MRFC: Reg<ClearOnRead> = Reg::at(0x04038);
/// Frames whose length field lies.
pub const RLEC: Reg<ClearOnRead> = Reg::at(0x04040);
/// XON sent.
pub const LXONTXC: Reg<ClearOnRead> = Reg::at(0x03F60);
/// XOFF sent.
pub const LXOFFTXC: Reg<ClearOnRead> = Reg::at(0x03F68);
/// XON received.
pub const LXONRXCNT: Reg<ClearOnRead> = Reg::at(0x041A4);
/// XOFF received.
pub const LXOFFRXCNT: Reg<ClearOnRead> = Reg::at(0x041A8);
/// Good frames received by size: 64, -127, -255, -511, -1023, -max.
pub const PRC: RegArray<ClearOnRead> = array(0x0405C, 4, 6);
/// Good frames received (filtered ones not counted).
pub const GPRC: Reg<ClearOnRead> = Reg::at(0x04074);
/// Broadcast frames received.
pub const BPRC: Reg<ClearOnRead> = Reg::at(0x04078);
/// Multicast frames received.
pub const MPRC: Reg<ClearOnRead> = Reg::at(0x0407C);
/// Good frames sent.
pub const GPTC: Reg<ClearOnRead> = Reg::at(0x04080);
/// Good bytes received, FCS included, low half: read it first.
pub const GORCL: Reg<ClearOnRead> = Reg::at(0x04088);
/// High half, 4 bits.
pub const GORCH: Reg<ClearOnRead> = Reg::at(0x0408C);
/// Good bytes sent, FCS included, low half: read it first.
pub const GOTCL: Reg<ClearOnRead> = Reg::at(0x04090);
/// High half, 4 bits.
pub const GOTCH: Reg<ClearOnRead> = Reg::at(0x04094);
/// Undersize frames.
pub const RUC: Reg<ClearOnRead> = Reg::at(0x040A4);
/// Fragments: undersize with a bad FCS.
pub const RFC: Reg<ClearOnRead> = Reg::at(0x040A8);
/// Oversize frames.
pub const ROC: Reg<ClearOnRead> = Reg::at(0x040AC);
/// Jabber: oversize with a bad FCS.
pub const RJC: Reg<ClearOnRead> = Reg::at(0x040B0);
/// Bytes received, low half: read it first.
pub const TORL: Reg<ClearOnRead> = Reg::at(0x040C0);
/// High half, 4 bits.
pub const TORH: Reg<ClearOnRead> = Reg::at(0x040C4);
/// Frames received, good or bad.
pub const TPR: Reg<ClearOnRead> = Reg::at(0x040D0);
/// Frames sent.
pub const TPT: Reg<ClearOnRead> = Reg::at(0x040D4);
/// Frames sent by size, as [`PRC`].
pub const PTC: RegArray<ClearOnRead> = array(0x040D8, 4, 6);
/// Multicast frames sent.
pub const MPTC: Reg<ClearOnRead> = Reg::at(0x040F0);
/// Broadcast frames sent.
pub const BPTC: Reg<ClearOnRead> = Reg::at(0x040F4);
/// Frames with an IP or L4 checksum error.
pub const XEC: Reg<ClearOnRead> = Reg::at(0x04120);
/// Frames received by a statistics set.
pub const QPRC: RegArray<ClearOnRead> = array(0x01030, 0x40, 16);
/// Bytes received by a statistics set, low half: read it first.
pub const QBRC_L: RegArray<ClearOnRead> = array(0x01034, 0x40, 16);
/// High half, 4 bits.
pub const QBRC_H: RegArray<ClearOnRead> = array(0x01038, 0x40, 16);
/// Frames dropped by a statistics set: its queue had no descriptor.
pub const QPRDC: RegArray<ClearOnRead> = array(0x01430, 0x40, 16);
/// Frames sent by a statistics set.
pub const QPTC: RegArray<ClearOnRead> = array(0x08680, 4, 16);
/// Bytes sent by a statistics set, low half: read it first.
pub const QBTC_L: RegArray<ClearOnRead> = array(0x08700, 8, 16);
/// High half, 4 bits.
pub const QBTC_H: RegArray<ClearOnRead> = array(0x08704, 8, 16);
/// Statistics set of each receive queue, four a register.
pub const RQSMR: RegArray<ReadWrite> = array(0x02300, 4, 32);
/// Statistics set of each transmit queue, four a register.
pub const TQSM: RegArray<ReadWrite> = array(0x08600, 4, 32);

// ---- Registers that answer at a second address (8.2.2: the 82598's places), for device models ----

/// [`CTRL`] once more.
pub const CTRL_ALIAS: Reg<ReadWrite, Ctrl> = Reg::at(0x00004);
/// [`SRRCTL`] of queues 0 to 15.
pub const SRRCTL_ALIAS: RegArray<ReadWrite, Srrctl> = array(0x02100, 4, 16);
/// [`DCA_RXCTRL`] of queues 0 to 15.
pub const DCA_RXCTRL_ALIAS: RegArray<ReadWrite, DcaRxctrl> = array(0x02200, 4, 16);
/// [`RAL`] 0 to 15.
pub const RAL_ALIAS: RegArray<ReadWrite> = array(0x05400, 8, 16);
/// [`RAH`] 0 to 15.
pub const RAH_ALIAS: RegArray<ReadWrite, Rah> = array(0x05404, 8, 16);
/// [`PSRTYPE`] 0 to 15.
pub const PSRTYPE_ALIAS: RegArray<ReadWrite> = array(0x05480, 4, 16);
/// [`MRQC`] once more.
pub const MRQC_ALIAS: Reg<ReadWrite, Mrqc> = Reg::at(0x05818);
/// [`RETA`] once more.
pub const RETA_ALIAS: RegArray<ReadWrite> = array(0x05C00, 4, 32);
/// [`RSSRK`] once more.
pub const RSSRK_ALIAS: RegArray<ReadWrite> = array(0x05C80, 4, 10);
/// [`QPTC`] once more.
pub const QPTC_ALIAS: RegArray<ClearOnRead> = array(0x06030, 0x40, 16);

// ---- Registers that kernel drivers touch: interrupts, PHY, wake-up, firmware, filters not used here ----

/// Bit-banged I2C to the SFP+ module: clock in 0, clock out 1, data in 2, data out 3.
pub const I2CCTL: Reg<ReadWrite> = Reg::at(0x00028);
/// Interrupt cause set; reads as [`EICR`], without clearing it.
pub const EICS: Reg<ReadWrite> = Reg::at(0x00808);
/// Causes that clear themselves with MSI-X.
pub const EIAC: Reg<ReadWrite> = Reg::at(0x00810);
/// Interrupt throttling, vectors 0 to 23.
pub const EITR: RegArray<ReadWrite> = array(0x00820, 4, 24);
/// Causes that mask themselves.
pub const EIAM: Reg<ReadWrite> = Reg::at(0x00890);
/// Which throttle a virtual function uses.
pub const EITRSEL: Reg<ReadWrite> = Reg::at(0x00894);
/// General purpose interrupt enable: MSI-X mode.
pub const GPIE: Reg<ReadWrite> = Reg::at(0x00898);
/// Vectors of queues 2n and 2n+1.
pub const IVAR: RegArray<ReadWrite> = array(0x00900, 4, 64);
/// Vectors of the TCP timer and of other causes.
pub const IVAR_MISC: Reg<ReadWrite> = Reg::at(0x00A00);
/// Cause set, extended: vectors 0-31 and 32-63.
pub const EICS_EX: RegArray<WriteOnly> = array(0x00A90, 4, 2);
/// Mask set, extended.
pub const EIMS_EX: RegArray<ReadWrite> = array(0x00AA0, 4, 2);
/// Automatic mask, extended.
pub const EIAM_EX: RegArray<ReadWrite> = array(0x00AD0, 4, 2);
/// Ethertype of the outer VLAN tag.
pub const EXVET: Reg<ReadWrite> = Reg::at(0x05078);
/// Virtualisation control.
pub const VT_CTL: Reg<ReadWrite> = Reg::at(0x051B0);
/// Wake-up control.
pub const WUC: Reg<ReadWrite> = Reg::at(0x05800);
/// Wake-up filter control.
pub const WUFC: Reg<ReadWrite> = Reg::at(0x05808);
/// Wake-up status, write 1 to clear.
pub const WUS: Reg<ReadWrite> = Reg::at(0x05810);
/// Manageability control.
pub const MANC: Reg<ReadWrite> = Reg::at(0x05820);
/// Receive side coalescing: the small-packet rules.
pub const RSCDBU: Reg<ReadWrite> = Reg::at(0x03028);
/// Receive packet buffer wrap pointers.
pub const RXMEMWRAP: Reg<ReadOnly> = Reg::at(0x03190);
/// Clause 45 access to an external PHY.
pub const MSCA: Reg<ReadWrite, Msca> = Reg::at(0x0425C);
/// Its data: 15:0 to write, 31:16 read.
pub const MSRWD: Reg<ReadWrite> = Reg::at(0x04260);
/// Parallel detect, lane configuration of the 1 Gb/s PCS.
pub const PCS1GLCTL: Reg<ReadWrite> = Reg::at(0x04208);
/// Status of the 1 Gb/s PCS.
pub const PCS1GLSTA: Reg<ReadOnly> = Reg::at(0x0420C);
/// Advertisement of the 1 Gb/s PCS.
pub const PCS1GANA: Reg<ReadWrite> = Reg::at(0x04218);
/// Autonegotiation: 19:16 is the state machine, 0 while it restarts.
pub const ANLP1: Reg<ReadOnly> = Reg::at(0x042B0);
/// Autonegotiation, next page.
pub const ANLP2: Reg<ReadOnly> = Reg::at(0x042B4);
/// Bit 0: the firmware forbids resets of the PHY.
pub const MMNGC: Reg<ReadOnly> = Reg::at(0x042D0);
/// More of the link status.
pub const LINKS2: Reg<ReadOnly> = Reg::at(0x04324);
/// Flags of segmented TCP frames, first and middle.
pub const DTXTCPFLGL: Reg<ReadWrite> = Reg::at(0x04A88);
/// Flags of segmented TCP frames, last.
pub const DTXTCPFLGH: Reg<ReadWrite> = Reg::at(0x04A8C);
/// Transmit security: stops the transmit path.
pub const SECTXCTRL: Reg<ReadWrite> = Reg::at(0x08800);
/// Transmit security status, bit 0 is ready.
pub const SECTXSTAT: Reg<ReadOnly, Secrxstat> = Reg::at(0x08804);
/// Transmit security buffer.
pub const SECTXBUFFAF: Reg<ReadWrite> = Reg::at(0x08808);
/// Gap between frames with security.
pub const SECTXMINIFG: Reg<ReadWrite> = Reg::at(0x08810);
/// Queue of each Ethertype filter.
pub const ETQS: RegArray<ReadWrite> = array(0x0EC00, 4, 8);
/// Source addresses of the five-tuple filters.
pub const SAQF: RegArray<ReadWrite> = array(0x0E000, 4, 128);
/// Destination addresses of the five-tuple filters.
pub const DAQF: RegArray<ReadWrite> = array(0x0E200, 4, 128);
/// Ports of the five-tuple filters.
pub const SDPQF: RegArray<ReadWrite> = array(0x0E400, 4, 128);
/// Queues of the five-tuple filters.
pub const L34T_IMIR: RegArray<ReadWrite> = array(0x0E800, 4, 128);
/// Flow director control: bits 1:0 allocate its table, bit 3 says that it is ready.
pub const FDIRCTRL: Reg<ReadWrite> = Reg::at(0x0EE00);
/// Manageability and PCIe sharing.
pub const FACTPS: Reg<ReadOnly> = Reg::at(0x10150);
/// General: manageability, APM.
pub const GRC: Reg<ReadWrite> = Reg::at(0x10200);
/// PCIe control: completion timeout.
pub const GCR: Reg<ReadWrite> = Reg::at(0x11000);
/// SFP analog initialisation: takes the words of the EEPROM's list.
pub const CORECTL: Reg<WriteOnly> = Reg::at(0x14F00);
/// Host interface of the firmware.
pub const HICR: Reg<ReadWrite> = Reg::at(0x15F00);

/// Value of [`MSCA`].
#[bitfield(u32)]
pub struct Msca {
    /// Register.
    pub register: u16,
    /// Device type.
    #[bits(5)]
    pub device: u8,
    /// Address of the PHY.
    #[bits(5)]
    pub phy: u8,
    /// 0 address, 1 write, 2 read and increment, 3 read.
    #[bits(2)]
    pub operation: u8,
    /// 0 is clause 45.
    #[bits(2)]
    pub start: u8,
    /// Starts; clears itself.
    pub command: bool,
    #[bits(1)]
    __: u8,
}
