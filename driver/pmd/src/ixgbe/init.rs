//! From a card that has just been reset to one that runs (4.6.3 to 4.6.8, 4.6.11.3.4), queues excluded.

use gannet_bus::Device;
use gannet_spec::x82599::regs::*;
use gannet_spec::{ReadWrite, RegArray};

use crate::Result;
use crate::config::{PortConfig, STANDARD_FRAME, VLAN_TAG};
use crate::family::{PAUSE_TIME, rss_key_words, rss_queue_words};
use crate::filter::{Filter, MacAddress, Multicast, Promiscuous, address_words};
use crate::lock::Lock;
use crate::mmio::{Mmio, Patience};

/// Transmit packet buffer: all that there is.
const TX_BUFFER_KIB: u32 = 160;
/// Room above the transmit threshold, where a frame must fit: more if one of the port's is longer.
const TX_HEADROOM_KIB: u32 = 10;
/// Hysteresis of flow control: XOFF is sent this far below a full buffer (8.2.3.3.4: a frame and what is on the cable must still fit; also
/// the internal switch needs it with flow control off), XON this much lower.
const XOFF_BELOW_BYTES: u32 = 0x6000;
/// XOFF is sent so many bytes earlier for each byte that frames are longer than the standard's: between a full buffer and silence there is the
/// frame that delays our XOFF, the one that the other end has begun, and (the vendor's reckoning) 1.44 more.
const XOFF_FRAMES: u32 = 4;
const XON_BELOW_XOFF_BYTES: u32 = 0x10000;

/// The MAC's registers: bit 3 is ours, the firmware's is five bits up (10.5.4).
const MAC_LOCK: Lock =
    Lock { what: "the MAC's registers", semaphore: SWSM, owners: SW_FW_SYNC, software: 1 << 3, firmware: 1 << (3 + 5) };

/// Everything that does not belong to one queue.
pub(crate) fn global<D: Device>(mmio: &Mmio<D>, rx_buffer_kib: u32, mac: MacAddress, config: &PortConfig) {
    // No-snoop off: all DMA goes through the caches. The firmware learns that a driver is there.
    mmio.modify(CTRL_EXT, |value| value.with_no_snoop_disable(true).with_driver_loaded(true).with_pf_reset_done(true));
    filters(mmio, mac, config);
    let longest_frame = config.longest_received().into();
    packet_buffers(mmio, rx_buffer_kib, longest_frame);
    flow_control(mmio, rx_buffer_kib, longest_frame);
    transmit_arbiter(mmio);
    receive_offloads(mmio, config);
    statistics_sets(mmio);
}

fn clear<D: Device>(mmio: &Mmio<D>, array: RegArray<ReadWrite>) {
    for index in 0..array.count() {
        mmio.write(array.get(index), 0);
    }
}

/// Address, VLAN and flow filters (7.1.1). Several tables hold garbage after power-up.
fn filters<D: Device>(mmio: &Mmio<D>, mac: MacAddress, config: &PortConfig) {
    for table in [VFTA, PFUTA, VLVF, VLVFB, FTQF, ETQF, MPSAR_LO, MPSAR_HI] {
        clear(mmio, table);
    }
    mmio.write(SYNQF, 0);
    mmio.modify(VLNCTRL, |value| value.with_filter_enable(false));
    set_filter(mmio, mac, &config.filter);
}

/// Receive addresses, multicast hash, promiscuous mode.
pub(crate) fn set_filter<D: Device>(mmio: &Mmio<D>, mac: MacAddress, filter: &Filter) {
    let mut addresses = std::iter::once(&mac).chain(&filter.unicast);
    for entry in 0..RAH.count() {
        let address = addresses.next();
        let (low, high) = address.map_or((0, 0), |&address| address_words(address));
        // All belong to pool 0, the only one without virtualisation.
        mmio.write(MPSAR_LO.get(entry), u32::from(address.is_some()));
        mmio.write(RAL.get(entry), low);
        mmio.write(RAH.get(entry), Rah::new().with_bytes(high).with_valid(address.is_some()));
    }
    for (index, word) in (0..).zip(filter.multicast_table()) {
        mmio.write(MTA.get(index), word);
    }
    mmio.write(MCSTCTRL, Mcstctrl::new().with_filter_enable(matches!(filter.multicast, Multicast::Groups(_))));
    let open = filter.promiscuous == Promiscuous::On;
    mmio.modify(FCTRL, |value| {
        value
            .with_broadcast_accept(true)
            .with_unicast_promiscuous(open)
            .with_multicast_promiscuous(filter.takes_all_multicast())
    });
}

/// DCB and virtualisation off: everything for class 0 (4.6.11.3.4).
fn packet_buffers<D: Device>(mmio: &Mmio<D>, rx_buffer_kib: u32, longest_frame: u32) {
    let headroom_kib = longest_frame.div_ceil(1024).max(TX_HEADROOM_KIB);
    for class in 0..RXPBSIZE.count() {
        let only_first = |value| if class == 0 { value } else { 0 };
        mmio.write(RXPBSIZE.get(class), only_first(rx_buffer_kib << 10));
        mmio.write(TXPBSIZE.get(class), only_first(TX_BUFFER_KIB << 10));
        mmio.write(TXPBTHRESH.get(class), only_first(TX_BUFFER_KIB - headroom_kib));
    }
    mmio.write(DTXMXSZRQ, 0xFFF);
}

/// IEEE 802.3x pause frames both ways (4.6.5).
fn flow_control<D: Device>(mmio: &Mmio<D>, rx_buffer_kib: u32, longest_frame: u32) {
    const GRANULE: u32 = 32;
    let longer = longest_frame - u32::from(STANDARD_FRAME);
    let xoff = (rx_buffer_kib << 10) - XOFF_BELOW_BYTES - XOFF_FRAMES * longer;
    let threshold = |bytes: u32| FlowThreshold::new().with_granules((bytes / GRANULE) as u16).with_enable(true);
    for class in 0..FCRTH.count() {
        mmio.write(
            FCRTL.get(class),
            if class == 0 { threshold(xoff - XON_BELOW_XOFF_BYTES) } else { FlowThreshold::new() },
        );
        mmio.write(FCRTH.get(class), if class == 0 { threshold(xoff) } else { FlowThreshold::new() });
    }
    for pair in 0..FCTTV.count() {
        mmio.write(FCTTV.get(pair), PAUSE_TIME << 16 | PAUSE_TIME);
    }
    mmio.write(FCRTV, PAUSE_TIME / 2);
    mmio.modify(MFLCN, |value| value.with_rx_pause(true).with_rx_priority(false).with_discard_pause(true));
    // TFCE, bits 4:3: 1 is 802.3x.
    mmio.write(FCCFG, 1 << 3);
}

/// One class, all queues: MTQC may be written only while the arbiter stands still (7.2.1.2.1, 8.2.3.9.15).
fn transmit_arbiter<D: Device>(mmio: &Mmio<D>) {
    mmio.modify(RTTDCS, |value| value.with_arbiter_disable(true));
    for queue in 0..TDT.count() {
        mmio.write(RTTDQSEL, queue);
        mmio.write(RTTDT1C, 0);
        mmio.write(RTTBCNRC, 0);
    }
    mmio.write(MTQC, 0);
    mmio.modify(RTTDCS, |value| value.with_arbiter_disable(false));
}

/// FCS stripping, checksum verification, RSS (7.1.2.8, 7.1.11). Receive is off.
fn receive_offloads<D: Device>(mmio: &Mmio<D>, config: &PortConfig) {
    mmio.modify(HLREG0, |value| {
        value.with_tx_crc(true).with_tx_pad(true).with_rx_crc_strip(true).with_jumbo(config.is_jumbo())
    });
    // The card lets a tagged frame be longer by its tag.
    mmio.write(MAXFRS, u32::from(config.longest_received() - VLAN_TAG) << 16);
    mmio.modify(RDRXCTL, |value| {
        value.with_crc_strip(true).with_rsc_first_size(0).with_rsc_ack_count(true).with_fcoe_write_fix(true)
    });
    // The descriptor carries the RSS hash, not the checksum of fragments.
    mmio.modify(RXCSUM, |value| value.with_packet_checksum_disable(true).with_ip_payload(false));
    for (index, word) in (0..).zip(rss_key_words()) {
        mmio.write(RSSRK.get(index), word);
    }
    for (index, word) in (0..).zip(rss_queue_words(config.rx.len() as u32)) {
        mmio.write(RETA.get(index), word);
    }
    // With one queue too: programs want the hash.
    let fields = Mrqc::new().with_mode(1).with_ipv4(true).with_ipv4_tcp(true).with_ipv4_udp(true);
    mmio.write(MRQC, fields.with_ipv6(true).with_ipv6_tcp(true).with_ipv6_udp(true));
}

/// Queue n counts in set n; those beyond the sixteen sets share the last.
fn statistics_sets<D: Device>(mmio: &Mmio<D>) {
    for register in 0..RQSMR.count() {
        let set = |byte: u32| (register * 4 + byte).min(QPRC.count() - 1) << (8 * byte);
        let sets = set(0) | set(1) | set(2) | set(3);
        mmio.write(RQSMR.get(register), sets);
        mmio.write(TQSM.get(register), sets);
    }
}

/// Lets frames into the queues (4.6.7, last steps): the receive path stands still while the bit is set.
pub(crate) fn enable_receive<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    mmio.modify(SECRXCTRL, |value| value.with_rx_disable(true));
    let emptied =
        mmio.wait("the receive path to stand still", SECRXSTAT, Patience { looks: 4_000, every_us: 10 }, |value| {
            value.ready()
        });
    mmio.modify(RXCTRL, |value| value.with_enable(true));
    mmio.modify(SECRXCTRL, |value| value.with_rx_disable(false));
    emptied.map(|_| ())
}

/// Lets an SFP+ module shine.
pub(crate) fn laser_on<D: Device>(mmio: &Mmio<D>) {
    mmio.modify(ESDP, |value| value.with_laser_off(false));
}

/// Link establishment anew in the mode that the EEPROM has loaded (4.6.4).
pub(crate) fn start_link<D: Device>(mmio: &Mmio<D>) -> Result<()> {
    // The firmware shares the MAC's registers with us.
    MAC_LOCK.hold(mmio, || {
        mmio.modify(AUTOC, |value| value.with_restart(true));
        Ok(())
    })
}
