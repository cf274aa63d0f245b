//! From a card that has just been reset to one that runs (4.5), queues and link excluded.

use gannet_bus::{Device, pci};
use gannet_spec::x82576::Chip;
use gannet_spec::x82576::regs::*;

use crate::config::{PortConfig, VlanTags};
use crate::family::{PAUSE_TIME, rss_key_words, rss_queue_words};
use crate::filter::{Filter, MacAddress, Promiscuous, address_words};
use crate::gigabit;
use crate::mmio::Mmio;

/// Everything that does not belong to one queue.
pub(crate) fn global<D: Device>(mmio: &Mmio<D>, chip: Chip, mac: MacAddress, config: &PortConfig) {
    // The firmware learns that a driver is there.
    mmio.modify(CTRL_EXT, |value| value.with_driver_loaded(true).with_pf_reset_done(true));
    completions(mmio);
    mmio.write(WUC, 0);
    for index in 0..UTA.count() {
        // Memory that a reset does not clear.
        mmio.write(UTA.get(index), 0);
    }
    set_filter(mmio, chip, mac, &config.filter);
    flow_control(mmio, chip, config.longest_received().into());
    transmit(mmio);
    receive(mmio, config);
}

/// Waits longer for the completions of PCIe requests, and does not repeat requests (8.6.1).
fn completions<D: Device>(mmio: &Mmio<D>) {
    // One that comes late would be taken for that of the repeated request.
    let control = mmio.read(GCR).with_completion_resend(false);
    // 50 us, which 0 allows, is short for a busy machine. Anything else somebody has chosen.
    let timeout = match control.completion_timeout() {
        0 if !control.pcie_v2() => 1,
        chosen => chosen,
    };
    mmio.write(GCR, control.with_completion_timeout(timeout));
    if control.pcie_v2()
        && let Err(why) = pci::raise_completion_timeout(&mmio.device)
    {
        tracing::debug!("{why}: PCIe completions keep their timeout");
    }
}

/// Receive addresses, multicast hash, promiscuous mode.
pub(crate) fn set_filter<D: Device>(mmio: &Mmio<D>, chip: Chip, mac: MacAddress, filter: &Filter) {
    let mut addresses = std::iter::once(&mac).chain(&filter.unicast);
    for entry in 0..chip.receive_addresses() {
        let address = addresses.next();
        let (low, high) = address.map_or((0, 0), |&address| address_words(address));
        mmio.write(RAL.get(entry), low);
        mmio.write(RAH.get(entry), Rah::new().with_bytes(high).with_valid(address.is_some()));
    }
    for (index, word) in (0..).zip(filter.multicast_table()) {
        mmio.write(MTA.get(index), word);
    }
    mmio.modify(RCTL, |value| {
        let open = value.with_unicast_promiscuous(filter.promiscuous == Promiscuous::On);
        open.with_multicast_promiscuous(filter.takes_all_multicast())
            .with_multicast_offset(0)
            .with_broadcast_accept(true)
    });
}

/// IEEE 802.3x pause frames; whether they are sent and obeyed is set with the link.
fn flow_control<D: Device>(mmio: &Mmio<D>, chip: Chip, longest_frame: u32) {
    gigabit::pause_frames(mmio);
    mmio.write(FCRTV, PAUSE_TIME / 2);
    let buffer_kib = chip.rx_buffer_kib(mmio.read(RXPBS));
    let (xon, xoff) = flow_thresholds(buffer_kib, longest_frame);
    mmio.write(FCRTL, xon);
    mmio.write(FCRTH, xoff);
}

/// When to send XON and XOFF with a packet buffer of this size, and frames of at most so many bytes. Never, if the size is unknown or
/// nothing.
fn flow_thresholds(buffer_kib: Option<u32>, longest_frame: u32) -> (FlowThreshold, FlowThreshold) {
    /// Unit of the threshold registers.
    const GRANULE: u32 = 16;
    /// The highest that they hold.
    const HIGHEST: u32 = 0xFFF * GRANULE;
    let buffer = buffer_kib.unwrap_or(0) << 10;
    // Room for a tenth, and for the frame that is being received and the one that delays our XOFF.
    let xoff = (buffer / 10 * 9).min(buffer.saturating_sub(2 * longest_frame)).min(HIGHEST);
    let threshold = |bytes: u32| FlowThreshold::new().with_granules((bytes / GRANULE) as u16);
    (threshold(xoff / 2).with_xon_enable(xoff > 0), threshold(xoff))
}

fn transmit<D: Device>(mmio: &Mmio<D>) {
    mmio.modify(TCTL, |value| value.with_pad_short(true).with_collision_threshold(15).with_retransmit_late(true));
    // A slot of half duplex: 64 byte times, which counts from 0.
    mmio.modify(TCTL_EXT, |value| value.with_collision_distance(63));
}

/// FCS and VLAN stripping, checksum verification, RSS (7.1.1, 7.1.10). Receive is off.
fn receive<D: Device>(mmio: &Mmio<D>, config: &PortConfig) {
    mmio.modify(CTRL, |value| value.with_vlan_strip(config.vlan_tags == VlanTags::Strip));
    mmio.modify(RCTL, |value| {
        let plain = value.with_store_bad(false).with_loopback(0).with_vlan_filter(false);
        plain.with_long_packets(config.is_jumbo()).with_discard_pause(true).with_crc_strip(true)
    });
    mmio.write(RLPML, config.longest_received().into());
    mmio.modify(RFCTL, |value| value.with_ipv6_extensions_disable(true));
    // The descriptor carries the RSS hash, not the checksum of fragments. SCTP is left out: the card finds errors in good frames (erratum).
    mmio.write(RXCSUM, Rxcsum::new().with_ip_check(true).with_l4_check(true).with_packet_checksum_disable(true));
    for (index, word) in (0..).zip(rss_key_words()) {
        mmio.write(RSSRK.get(index), word);
    }
    for (index, word) in (0..).zip(rss_queue_words(config.rx.len() as u32)) {
        mmio.write(RETA.get(index), word);
    }
    // With one queue too: programs want the hash. TCP over IPv6 has two bits; QEMU's model knows the one with extensions only.
    let ipv4 = Mrqc::new().with_mode(2).with_ipv4(true).with_ipv4_tcp(true).with_ipv4_udp(true);
    let tcp = ipv4.with_ipv6_tcp(true).with_ipv6_tcp_extensions(true);
    mmio.write(MRQC, tcp.with_ipv6(true).with_ipv6_udp(true));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_frames_are_sent_before_the_buffer_is_full() {
        for (kib, longest) in [(34, 1_522), (36, 1_522), (64, 1_522), (140, 1_522), (34, 9_728), (64, 9_728)] {
            let (xon, xoff) = flow_thresholds(Some(kib), longest);
            let (xon_bytes, xoff_bytes) = (u32::from(xon.granules()) * 16, u32::from(xoff.granules()) * 16);
            assert!(xon.xon_enable() && xon_bytes < xoff_bytes, "{kib} KiB: {xon:?} {xoff:?}");
            assert!(xoff_bytes >= longest && xoff_bytes + 2 * longest <= kib << 10, "{kib} KiB: {xoff:?}");
        }
        for nothing in [None, Some(0), Some(1)] {
            let (xon, xoff) = flow_thresholds(nothing, 1_522);
            assert_eq!((u32::from(xon), u32::from(xoff)), (0, 0), "{nothing:?}");
        }
    }
}
