//! From a card that has just been reset to one that runs, queues excluded.

use gannet_bus::Device;
use gannet_spec::x82574::PACKET_BUFFER_KIB;
use gannet_spec::x82574::regs::*;

use crate::config::{PortConfig, VlanTags};
use crate::family::rss_key_words;
use crate::filter::{Filter, MacAddress, Promiscuous, address_words};
use crate::gigabit;
use crate::mmio::Mmio;

/// Least for transmit.
const MIN_TX_BUFFER_KIB: u16 = 8;

/// What the packet buffer keeps beside each frame that is to be sent.
const TX_EXTRA_BYTES: u16 = 16;

/// XON is sent this far below XOFF.
const XON_BELOW_XOFF_BYTES: u16 = 0x1000;

/// Ethertype of VLAN tags. QEMU's model forgets it with a reset.
const VLAN_ETHERTYPE: u32 = 0x8100;

/// Largest buffer that RCTL.FLXBUF can name.
const MAX_BUFFER_KIB: u8 = 15;

/// How the packet buffer is divided for frames of at most so many bytes. Most is for receive: bursts wait there, frames to send wait in memory.
/// Two of these have room, so that one is fetched while the other goes out, but three for receive come first: one that waits, and two that may
/// still come after XOFF.
pub(crate) fn packet_buffer(longest: u16) -> Pba {
    let kib = |bytes: u16| bytes.div_ceil(1024);
    let wanted = kib(2 * (longest + TX_EXTRA_BYTES)).max(MIN_TX_BUFFER_KIB);
    let tx_kib = wanted.min(PACKET_BUFFER_KIB - kib(3 * longest));
    Pba::new().with_rx_kib(PACKET_BUFFER_KIB - tx_kib).with_tx_kib(tx_kib)
}

/// Everything that does not belong to one queue.
pub(crate) fn global<D: Device>(mmio: &Mmio<D>, packet_buffer: Pba, mac: MacAddress, config: &PortConfig) {
    reserved_bits(mmio);
    mmio.modify(CTRL, |value| gigabit::follow_phy(value).with_vlan_strip(config.vlan_tags == VlanTags::Strip));
    flow_control(mmio, packet_buffer.rx_kib() * 1024 - 2 * config.longest_received());
    mmio.write(VET, VLAN_ETHERTYPE);
    for index in 0..VFTA.count() {
        mmio.write(VFTA.get(index), 0);
    }
    // Reception is off. The smallest buffers will tell the buffer size.
    let receive = Rctl::new().with_broadcast_accept(true).with_crc_strip(true).with_discard_pause(true);
    mmio.write(RCTL, receive.with_long_packets(config.is_jumbo()).with_buffer_kib(MAX_BUFFER_KIB));
    set_filter(mmio, mac, &config.filter);
    receive_offloads(mmio, config.rx.len() as u32);
    transmit(mmio);
}

/// Bits that the vendor's drivers set against errata.
fn reserved_bits<D: Device>(mmio: &Mmio<D>) {
    mmio.modify(CTRL, |value| value.with_reserved_zero(false));
    mmio.modify(CTRL_EXT, |value| {
        // The firmware learns that a driver is there.
        value.with_reserved_one(true).with_reserved_zero(false).with_driver_loaded(true)
    });
    mmio.modify(GCR, |value| value.with_reserved_one(true).with_l1_without_l0s(true));
    mmio.modify(GCR2, |value| value.with_reserved_one(true));
    mmio.modify(TARC.get(0), |value| value.with_reserved_zero(0).with_reserved_one(true));
}

/// IEEE 802.3x pause frames both ways: XOFF is sent when there are so many bytes in the packet buffer.
fn flow_control<D: Device>(mmio: &Mmio<D>, xoff: u16) {
    const GRANULE: u16 = 8;
    let threshold = |bytes: u16| FlowThreshold::new().with_granules(bytes / GRANULE);
    gigabit::pause_frames(mmio);
    mmio.write(FCRTL, threshold(xoff - XON_BELOW_XOFF_BYTES).with_send_xon(true));
    mmio.write(FCRTH, threshold(xoff));
}

/// Receive addresses, multicast hash, promiscuous mode.
pub(crate) fn set_filter<D: Device>(mmio: &Mmio<D>, mac: MacAddress, filter: &Filter) {
    let mut addresses = std::iter::once(&mac).chain(&filter.unicast);
    for entry in 0..RAH.count() {
        let address = addresses.next();
        let (low, high) = address.map_or((0, 0), |&address| address_words(address));
        mmio.write(RAL.get(entry), low);
        mmio.write(RAH.get(entry), Rah::new().with_bytes(high).with_valid(address.is_some()));
    }
    for (index, word) in (0..).zip(filter.multicast_table()) {
        mmio.write(MTA.get(index), word);
    }
    let open = filter.promiscuous == Promiscuous::On;
    mmio.modify(RCTL, |value| {
        value.with_unicast_promiscuous(open).with_multicast_promiscuous(filter.takes_all_multicast())
    });
}

/// Descriptor format, checksum verification, RSS.
fn receive_offloads<D: Device>(mmio: &Mmio<D>, queues: u32) {
    // iSCSI and NFS would be packet types of their own, in the place of UDP's and TCP's.
    let headers = Rfctl::new().with_iscsi_disable(true).with_nfs_write_disable(true).with_nfs_read_disable(true);
    // No interrupts for acknowledgements: with MSI-X they would be spurious.
    mmio.write(RFCTL, headers.with_ack_disable(true).with_extended_descriptors(true));
    // The descriptor carries the RSS hash, not the checksum of the packet.
    mmio.write(RXCSUM, Rxcsum::new().with_ip(true).with_l4(true).with_packet_checksum_disable(true));
    for queue in 0..RXDCTL.count() {
        mmio.write(
            RXDCTL.get(queue),
            Rxdctl::new().with_prefetch(32).with_host(4).with_write_back(1).with_in_descriptors(true),
        );
    }
    for (index, word) in (0..).zip(rss_key_words()) {
        mmio.write(RSSRK.get(index), word);
    }
    for register in 0..RETA.count() {
        mmio.write(RETA.get(register), redirection(register, queues));
    }
    // With one queue too: programs want the hash. TCP over IPv6 needs the bit for extension headers, and UDP has none.
    let fields = Mrqc::new().with_mode(1).with_ipv4(true).with_ipv4_tcp(true);
    mmio.write(MRQC, fields.with_ipv6(true).with_ipv6_tcp(true).with_ipv6_ex_tcp(true));
}

/// Four entries of the redirection table: bit 7 of each is the queue.
fn redirection(register: u32, queues: u32) -> u32 {
    let entry = |byte: u32| ((register * 4 + byte) % queues) << 7;
    entry(0) | entry(1) << 8 | entry(2) << 16 | entry(3) << 24
}

/// Padding, half duplex, gaps, thresholds. Transmission is off.
fn transmit<D: Device>(mmio: &Mmio<D>) {
    let control = Tctl::new().with_pad(true).with_collision_threshold(15).with_collision_distance(63);
    mmio.write(TCTL, control.with_late_collision_retry(true));
    mmio.write(TIPG, Tipg::new().with_back_to_back(8).with_after_receive_1(8).with_after_receive_2(6));
    // Prefetch below 31 when at least one waits; write-backs one by one, as few are asked for. Both queues must have the same, even if
    // one of them is not used.
    let thresholds = Txdctl::new().with_prefetch(31).with_host(1).with_write_back(1).with_in_descriptors(true);
    for queue in 0..TXDCTL.count() {
        mmio.write(TXDCTL.get(queue), thresholds.with_reserved_one(true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_redirection_table_spreads_over_the_queues() {
        assert_eq!(redirection(0, 1), 0);
        assert_eq!(redirection(31, 2), 0x8000_8000);
    }

    #[test]
    fn the_packet_buffer_has_room_for_two_frames_after_xoff_and_one_to_send() {
        let kib = |longest| (packet_buffer(longest).rx_kib(), packet_buffer(longest).tx_kib());
        assert_eq!([1_522, 5_000, 9_022, 9_234].map(kib), [(32, 8), (30, 10), (27, 13), (28, 12)]);
        for longest in 1_522..=9_234 {
            let (rx, tx) = kib(longest);
            assert_eq!(rx + tx, PACKET_BUFFER_KIB);
            assert!(rx * 1024 >= 3 * longest && tx * 1024 >= longest + TX_EXTRA_BYTES, "{longest}");
        }
    }
}
