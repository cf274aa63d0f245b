//! From the cable into rings.

use gannet_sim::x82599::Violation;
use gannet_spec::x82599::desc::{rss_type, rx_status, rx_type};
use gannet_spec::x82599::regs::{self, Fctrl, Mcstctrl, Mrqc, Rah, Rdrxctl, Rxdctl, Srrctl, Vlnctrl};

use super::frames::{BROADCAST, MAC, MULTICAST, OTHER, plain, tagged, tcp, udp};
use super::harness::{Bench, RING};

const GOOD: u32 = rx_status::DD | rx_status::EOP;
const CHECKED: u32 = GOOD | rx_status::IPCS | rx_status::L4CS;

/// Whether the card puts this frame into its ring.
fn accepts(bench: &mut Bench, frame: Vec<u8>) -> bool {
    let before = bench.read(regs::RDH.get(0));
    bench.receive(frame);
    bench.read(regs::RDH.get(0)) != before
}

#[test]
fn a_frame_is_in_memory_once_its_descriptor_is_done() {
    let mut bench = Bench::started();
    for (position, len) in (0..).zip([60, 61, 1514]) {
        let frame = plain(MAC, len);
        bench.receive(frame.clone());
        let done = bench.write_back(0, position);
        assert_eq!((done.status(), done.length(), done.packet_type()), (GOOD, len as u16, 0));
        assert_eq!(bench.bytes(bench.rx_buffer(0, position), len), frame);
    }
    assert_eq!(bench.probe.violations(), []);
    assert_eq!(bench.probe.dma_fault_count(), 0);
}

#[test]
fn the_ring_goes_round_and_the_card_never_passes_the_tail() {
    let mut bench = Bench::started();
    for at in 0..RING + 20 {
        bench.receive(plain(MAC, 60 + at as usize));
    }
    assert_eq!(bench.read(regs::RDH.get(0)), RING - 1, "it stops at the tail");
    bench.give(0, 30);
    bench.step();
    assert_eq!(bench.read(regs::RDH.get(0)), 20);
    assert_eq!(bench.write_back(0, RING - 1).length(), 60 + (RING - 1) as u16);
    assert_eq!(bench.write_back(0, 19).length(), 60 + (RING + 19) as u16);
}

#[test]
fn addresses_are_filtered() {
    let mut bench = Bench::started();
    assert!(accepts(&mut bench, plain(MAC, 60)));
    assert!(accepts(&mut bench, plain(BROADCAST, 60)));
    assert!(!accepts(&mut bench, plain(OTHER, 60)));
    assert!(!accepts(&mut bench, plain(MULTICAST, 60)));
    bench.write(regs::FCTRL, Fctrl::new().with_unicast_promiscuous(true));
    assert!(accepts(&mut bench, plain(OTHER, 60)));
    assert!(!accepts(&mut bench, plain(BROADCAST, 60)));
    assert!(!accepts(&mut bench, plain(MULTICAST, 60)));
    bench.write(regs::FCTRL, Fctrl::new().with_multicast_promiscuous(true));
    assert!(accepts(&mut bench, plain(MULTICAST, 60)));
    bench.write(regs::FCTRL, Fctrl::new());
    bench.write(regs::RAL.get(127), u32::from_le_bytes([OTHER[0], OTHER[1], OTHER[2], OTHER[3]]));
    assert!(!accepts(&mut bench, plain(OTHER, 60)));
    bench.write(regs::RAH.get(127), Rah::new().with_bytes(u16::from_le_bytes([OTHER[4], OTHER[5]])).with_valid(true));
    assert!(accepts(&mut bench, plain(OTHER, 60)));
}

#[test]
fn multicast_goes_by_the_hash_table() {
    let mut bench = Bench::started();
    // Bits 47:36 of 01:00:5e:00:12:34 (byte 5 is the highest): 0x341.
    bench.write(regs::MTA.get(0x341 / 32), 1 << (0x341 % 32));
    assert!(!accepts(&mut bench, plain(MULTICAST, 60)));
    bench.write(regs::MCSTCTRL, Mcstctrl::new().with_filter_enable(true));
    assert!(accepts(&mut bench, plain(MULTICAST, 60)));
    // With offset 3 it is bits 43:32: 0x412.
    bench.write(regs::MCSTCTRL, Mcstctrl::new().with_filter_enable(true).with_offset(3));
    assert!(!accepts(&mut bench, plain(MULTICAST, 60)));
    bench.write(regs::MTA.get(0x412 / 32), 1 << (0x412 % 32));
    assert!(accepts(&mut bench, plain(MULTICAST, 60)));
}

#[test]
fn vlans_are_filtered_if_asked() {
    let mut bench = Bench::started();
    for index in 0..128 {
        bench.write(regs::VFTA.get(index), 0);
    }
    assert!(accepts(&mut bench, tagged(udp(20), 0x2042)));
    bench.write(regs::VLNCTRL, Vlnctrl::new().with_filter_enable(true));
    assert!(!accepts(&mut bench, tagged(udp(20), 0x2042)));
    assert!(accepts(&mut bench, udp(20)), "without a tag");
    bench.write(regs::VFTA.get(0x42 / 32), 1 << (0x42 % 32));
    assert!(accepts(&mut bench, tagged(udp(20), 0x2042)));
}

#[test]
fn a_tag_is_stripped_where_the_queue_says_so() {
    let mut bench = Bench::started();
    let frame = tagged(udp(20), 0x2042);
    bench.receive(frame.clone());
    let done = bench.write_back(0, 0);
    assert_eq!((done.status(), done.length()), (CHECKED, frame.len() as u16));
    bench.write(regs::RXDCTL.get(0), Rxdctl::new().with_enable(true).with_vlan_strip(true));
    bench.receive(frame);
    let done = bench.write_back(0, 1);
    assert_eq!((done.status(), done.vlan_tag()), (CHECKED | rx_status::VP, 0x2042));
    assert_eq!(bench.bytes(bench.rx_buffer(0, 1), done.length().into()), udp(20));
}

#[test]
fn checksums_are_checked() {
    let mut bench = Bench::started();
    let (mut bad_ip, mut bad_l4, mut none, mut fragment) = (udp(33), tcp(33), udp(20), tcp(9));
    bad_ip[22] ^= 1;
    *bad_l4.last_mut().unwrap() ^= 1;
    none[40..42].fill(0);
    // More fragments: the header checksum goes down by the flag.
    fragment[20] |= 0x20;
    let sum = u16::from_be_bytes([fragment[24], fragment[25]]) - 0x2000;
    fragment[24..26].copy_from_slice(&sum.to_be_bytes());
    let (ip_udp, ip_tcp) = (rx_type::IPV4 | rx_type::UDP, rx_type::IPV4 | rx_type::TCP);
    let cases = [
        (udp(33), CHECKED, ip_udp),
        (tcp(1000), CHECKED, ip_tcp),
        (tcp(0), CHECKED, ip_tcp),
        (bad_ip, CHECKED | rx_status::IPE, ip_udp),
        (bad_l4, CHECKED | rx_status::L4E, ip_tcp),
        (none, CHECKED | rx_status::L4E, ip_udp),
        (fragment, GOOD | rx_status::IPCS, rx_type::IPV4),
    ];
    for (position, (frame, status, types)) in (0..).zip(cases) {
        bench.receive(frame);
        let done = bench.write_back(0, position);
        assert_eq!((done.status(), done.packet_type()), (status, types), "case {position}");
    }
    assert_eq!(bench.read(regs::XEC), 3);
}

#[test]
fn frames_that_lie_about_their_length_are_just_frames() {
    let mut bench = Bench::started();
    for cut in 14..74 {
        let mut frame = tcp(20);
        frame.truncate(cut);
        frame.resize(60, 0x45);
        frame[15 + cut % 8] ^= cut as u8;
        bench.receive(frame);
        bench.give(0, RING - 1);
    }
    assert_eq!(bench.read(regs::GPRC), 60);
}

#[test]
fn rss_chooses_the_queue_and_reports_the_hash() {
    let mut bench = Bench::started();
    let key = [
        0xda56_5a6d,
        0xc20e_5b25,
        0x3d25_6741,
        0xb08f_a343,
        0xcb2b_cad0,
        0xb430_7bae,
        0xa32d_cb77,
        0x0cf2_3080,
        0x3bb7_426a,
        0xfa01_acbe,
    ];
    for (index, word) in (0..).zip(key) {
        bench.write(regs::RSSRK.get(index), word);
    }
    // The published hash of the ports is 0x51ccc178: entry 0x78. That of the addresses is 0x323e8fc2: entry 0x42.
    bench.write(regs::RETA.get(0x78 / 4), 0x0000_0003);
    bench.write(regs::RETA.get(0x42 / 4), 0x0004_0000);
    for queue in [3, 4] {
        bench.start_rx(queue, Srrctl::new().with_buffer_kib(2).with_descriptor_type(1));
        bench.give(queue, RING - 1);
    }
    bench.write(regs::MRQC, Mrqc::new().with_mode(1).with_ipv4_tcp(true).with_ipv4(true));
    bench.receive(tcp(20));
    bench.receive(udp(20));
    bench.receive(plain(MAC, 60));
    let (by_ports, by_addresses, unhashed) = (bench.write_back(3, 0), bench.write_back(4, 0), bench.write_back(0, 0));
    assert_eq!((by_ports.hash(), by_ports.packet_type() & 0xF), (0x51cc_c178, rss_type::IPV4_TCP));
    assert_eq!((by_addresses.hash(), by_addresses.packet_type() & 0xF), (0x323e_8fc2, rss_type::IPV4));
    assert_eq!((unhashed.hash(), unhashed.packet_type() & 0xF, unhashed.length()), (0, rss_type::NONE, 60));
}

#[test]
fn a_long_frame_takes_several_descriptors() {
    let mut bench = Bench::started();
    bench.write(regs::HLREG0, bench.read(regs::HLREG0).with_jumbo(true));
    bench.write(regs::MAXFRS, 9018 << 16);
    let frame = plain(MAC, 5000);
    bench.receive(frame.clone());
    let pieces = [0, 1, 2].map(|position| bench.write_back(0, position));
    assert_eq!(pieces.map(|done| done.length()), [2048, 2048, 904]);
    assert_eq!(pieces.map(|done| done.status() & GOOD), [rx_status::DD, rx_status::DD, GOOD]);
    assert_eq!(pieces[0].status() >> 4 & 0xFFFF, 1, "the next descriptor");
    let data: Vec<u8> =
        (0..).zip(pieces).flat_map(|(at, done)| bench.bytes(bench.rx_buffer(0, at), done.length().into())).collect();
    assert_eq!(data, frame);
    assert_eq!(bench.read(regs::QPRC.get(0)), 1);
}

#[test]
fn frames_of_a_wrong_length_are_counted_and_dropped() {
    let mut bench = Bench::started();
    bench.receive(plain(MAC, 59));
    bench.receive(plain(MAC, 1515));
    bench.receive(tagged(plain(MAC, 1514), 1));
    bench.receive(tagged(plain(MAC, 1515), 1));
    assert_eq!((bench.read(regs::RUC), bench.read(regs::ROC), bench.read(regs::GPRC)), (1, 2, 1));
    assert_eq!(bench.read(regs::TPR), 4);
    assert_eq!(bench.read(regs::RDH.get(0)), 1);
}

#[test]
fn bad_frames_are_counted_and_stored_only_on_request() {
    let mut bench = Bench::started();
    let bad = |bench: &mut Bench| {
        bench.cable.lock().unwrap().to_card.push_back((plain(MAC, 60), true));
        bench.step();
    };
    bad(&mut bench);
    assert_eq!((bench.read(regs::CRCERRS), bench.read(regs::RDH.get(0)), bench.read(regs::GPRC)), (1, 0, 0));
    bench.write(regs::FCTRL, Fctrl::new().with_store_bad(true));
    bad(&mut bench);
    assert_eq!(bench.write_back(0, 0).status(), GOOD | rx_status::RXE);
}

#[test]
fn the_fcs_is_kept_if_it_is_not_stripped() {
    let mut bench = Bench::started();
    bench.write(regs::RXCTRL, regs::Rxctrl::new());
    bench.write(regs::HLREG0, bench.read(regs::HLREG0).with_rx_crc_strip(false));
    bench.write(regs::RDRXCTL, Rdrxctl::new());
    bench.write(regs::RXCTRL, regs::Rxctrl::new().with_enable(true));
    bench.receive(plain(MAC, 60));
    assert_eq!(bench.write_back(0, 0).length(), 64);
    assert_eq!(bench.probe.violations(), []);
}

#[test]
fn statistics_count_and_are_cleared_by_reading() {
    let mut bench = Bench::started();
    bench.write(regs::RQSMR.get(0), 5);
    for frame in [plain(MAC, 60), plain(MAC, 100), plain(BROADCAST, 1514)] {
        bench.receive(frame);
    }
    let read = |bench: &Bench| {
        let sizes = [0, 1, 5].map(|class| bench.read(regs::PRC.get(class)));
        (bench.read(regs::GPRC), bench.read(regs::BPRC), bench.read(regs::MPRC), bench.read(regs::TPR), sizes)
    };
    assert_eq!(read(&bench), (3, 1, 0, 3, [1, 1, 1]));
    assert_eq!(read(&bench), (0, 0, 0, 0, [0, 0, 0]));
    for (low, high) in
        [(regs::GORCL, regs::GORCH), (regs::TORL, regs::TORH), (regs::QBRC_L.get(5), regs::QBRC_H.get(5))]
    {
        assert_eq!((bench.read(low), bench.read(high), bench.read(low)), (64 + 104 + 1518, 0, 0));
    }
    assert_eq!((bench.read(regs::QPRC.get(5)), bench.read(regs::QPRC.get(5))), (3, 0));
}

#[test]
fn a_full_queue_drops_if_told_so_and_blocks_otherwise() {
    let overload = |srrctl: Srrctl| {
        let mut bench = Bench::started();
        bench.write(regs::RXPBSIZE.get(0), 1024);
        bench.write(regs::SRRCTL.get(0), srrctl);
        bench.cable.lock().unwrap().timed = true;
        for _ in 0..RING - 1 + 20 {
            bench.receive(plain(MAC, 100));
        }
        (bench.read(regs::QPRDC.get(0)), bench.read(regs::MPC.get(0)), bench)
    };
    let one_buffer = Srrctl::new().with_buffer_kib(2).with_descriptor_type(1);
    let (dropped, missed, _) = overload(one_buffer.with_drop_enable(true));
    assert_eq!((dropped, missed), (20, 0));
    let (dropped, missed, mut bench) = overload(one_buffer);
    assert_eq!((dropped, missed), (0, 10), "ten frames of 100 bytes fit into the packet buffer");
    bench.give(0, 20);
    bench.step();
    assert_eq!(bench.read(regs::RDH.get(0)), 9);
    assert_eq!(bench.read(regs::QPRC.get(0)), RING - 1 + 10);
}

#[test]
fn a_peer_that_waits_loses_nothing() {
    let mut bench = Bench::started();
    for _ in 0..100 {
        bench.cable.lock().unwrap().to_card.push_back((plain(MAC, 60), false));
    }
    bench.step();
    assert_eq!(bench.cable.lock().unwrap().to_card.len(), 100 - (RING as usize - 1));
    assert_eq!((bench.read(regs::MPC.get(0)), bench.read(regs::QPRDC.get(0))), (0, 0));
}

#[test]
fn without_link_nothing_is_received() {
    let mut bench = Bench::started();
    bench.cable.lock().unwrap().dark = true;
    bench.receive(plain(MAC, 60));
    assert_eq!((bench.read(regs::RDH.get(0)), bench.read(regs::TPR)), (0, 0));
}

#[test]
fn descriptor_forms_without_a_model_are_refused() {
    let mut bench = Bench::started();
    bench.write(regs::SRRCTL.get(0), Srrctl::new().with_buffer_kib(2));
    bench.receive(plain(MAC, 60));
    assert!(bench.probe.violation_count(Violation::Unsupported) > 0);
    assert_eq!((bench.read(regs::RDH.get(0)), bench.read(regs::QPRDC.get(0))), (0, 1));
}

#[test]
fn a_done_bit_in_a_fresh_descriptor_is_a_driver_error() {
    let mut bench = Bench::started();
    bench.rx_ring(0).descriptors().store(0, [bench.rx_buffer(0, 0), 1]);
    bench.receive(plain(MAC, 60));
    assert_eq!(bench.probe.violation_count(Violation::DoneBitSet), 1);
}
