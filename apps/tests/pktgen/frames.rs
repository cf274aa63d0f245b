//! What is on the wire: recorded at the end of a software card's cable, judged by an independent parser.

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use gannet_harness::capture;

use super::Report;

/// Sends frames to a recorder. None comes back, so all are lost.
fn sent(arguments: &[&str]) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("out.pcapng");
    let port = format!("sim:ixgbe,peer=pcap:,record={}", file.display());
    let report = Report::of(&[&["--port", &port], arguments].concat(), 1);
    let frames = capture::frames(&file);
    assert_eq!(report.count("sent"), frames.len() as u64, "{report:?}");
    assert_eq!(report.count("lost"), frames.len() as u64, "{report:?}");
    frames
}

/// VLAN, addresses and ports of a frame that an independent parser finds in order, checksums included.
fn fields(frame: &[u8]) -> String {
    let packet = SlicedPacket::from_ethernet(frame).expect("a frame");
    let vlan = packet.vlan_ids().first().map(|vlan| vlan.value());
    let Some(TransportSlice::Udp(udp)) = &packet.transport else { panic!("not UDP: {frame:?}") };
    let (source, destination, checksum) = match packet.net.as_ref().expect("a network header") {
        NetSlice::Ipv4(ip) => {
            let ip = ip.header();
            assert_eq!(ip.header_checksum(), ip.to_header().calc_header_checksum());
            let checksum = udp.to_header().calc_checksum_ipv4_raw(ip.source(), ip.destination(), udp.payload());
            (ip.source_addr().to_string(), ip.destination_addr().to_string(), checksum)
        }
        NetSlice::Ipv6(ip) => {
            let ip = ip.header();
            let checksum = udp.to_header().calc_checksum_ipv6_raw(ip.source(), ip.destination(), udp.payload());
            (ip.source_addr().to_string(), ip.destination_addr().to_string(), checksum)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(udp.checksum(), checksum.expect("a payload that fits"));
    format!("{vlan:?} {source} {} {destination} {}", udp.source_port(), udp.destination_port())
}

#[test]
fn sizes_take_turns() {
    let lengths: Vec<usize> = sent(&["--size", "64-66", "--count", "7"]).iter().map(Vec::len).collect();
    assert_eq!(lengths, [60, 61, 62, 60, 61, 62, 60], "without FCS");
    let mix = sent(&["--size", "imix", "--count", "24"]);
    let count = |length| mix.iter().filter(|frame| frame.len() == length).count();
    assert_eq!((count(60), count(590), count(1514)), (14, 8, 2));
}

#[test]
fn fields_are_as_asked_for() {
    let frames = sent(&[
        "--vlan",
        "7",
        "--src-ip",
        "198.51.100.1-198.51.100.2",
        "--dst-ip",
        "203.0.113.1-203.0.113.3",
        "--src-port",
        "1000",
        "--dst-port",
        "2000",
        "--src-mac",
        "02:00:00:00:00:01",
        "--dst-mac",
        "02:00:00:00:00:02",
        "--count",
        "4",
    ]);
    let flow = |source, destination| format!("Some(7) 198.51.100.{source} 1000 203.0.113.{destination} 2000");
    let expected = [flow(1, 1), flow(2, 2), flow(1, 3), flow(1, 1)];
    assert_eq!(frames.iter().map(|frame| fields(frame)).collect::<Vec<_>>(), expected);
    assert!(frames.iter().all(|frame| frame[..12] == [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]));
}

#[test]
fn ipv6_is_as_asked_for() {
    let frames =
        sent(&["--src-ip", "2001:db8::1", "--dst-ip", "2001:db8::2-2001:db8::3", "--size", "80", "--count", "2"]);
    let fields: Vec<_> = frames.iter().map(|frame| fields(frame)).collect();
    assert_eq!(fields, ["None 2001:db8::1 49184 2001:db8::2 9", "None 2001:db8::1 49184 2001:db8::3 9"]);
}

#[test]
fn the_same_seed_sends_the_same_flows() {
    let flows = |seed: &str| -> Vec<String> {
        let arguments =
            ["--src-ip", "random", "--dst-port", "random", "--flows", "20", "--count", "20", "--seed", seed];
        sent(&arguments).iter().map(|frame| fields(frame)).collect()
    };
    assert_eq!(flows("1"), flows("1"));
    assert_ne!(flows("1"), flows("2"));
}
