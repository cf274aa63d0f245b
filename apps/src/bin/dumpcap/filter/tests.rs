//! Filters against frames whose headers are known, and texts that are none. Real traffic is compared with tcpdump's verdicts.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use etherparse::PacketBuilder;
use pcap_file::pcap::PcapReader;

use super::*;

const MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];

/// 198.51.100.1:1000 to 203.0.113.2:53.
fn udp() -> Vec<u8> {
    let builder =
        PacketBuilder::ethernet2(MACS[0], MACS[1]).ipv4([198, 51, 100, 1], [203, 0, 113, 2], 64).udp(1000, 53);
    let mut frame = Vec::new();
    builder.write(&mut frame, &[0; 18]).unwrap();
    frame
}

/// 2001:db8::1 port 2000 to 2001:db8::2 port 80, in VLAN 7.
fn tagged_tcp() -> Vec<u8> {
    let address = |last| [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    let builder = PacketBuilder::ethernet2(MACS[0], MACS[1])
        .single_vlan(7.try_into().unwrap())
        .ipv6(address(1), address(2), 64)
        .tcp(2000, 80, 1, 1000);
    let mut frame = Vec::new();
    builder.write(&mut frame, b"GET").unwrap();
    frame
}

#[track_caller]
fn filter(text: &str) -> Filter {
    Filter::parse(text).unwrap_or_else(|why| panic!("{why}"))
}

fn matches(text: &str, frame: &[u8]) -> bool {
    filter(text).matches(frame, frame.len() as u32)
}

#[test]
fn what_is_true_of_a_frame() {
    for text in [
        "udp",
        "ip",
        "not tcp",
        "! tcp",
        "!tcp",
        "host 198.51.100.1",
        "src host 198.51.100.1",
        "dst 203.0.113.2",
        "198.51.100.1",
        "net 198.51.100.0/24",
        "src net 198.51.0.0/16",
        "port 53",
        "udp port 53",
        "udp dst port 53",
        "src port 1000",
        "portrange 50-60",
        "ether src 02:00:00:00:00:01",
        "ether host 2:0:0:0:0:2",
        "less 60",
        "greater 60",
        "udp and port 53",
        "udp&&port 53",
        "(udp)",
        "( udp or tcp ) and not arp",
        "port 80 or 53",
        "host 2001:db8::1 or 198.51.100.1",
        "tcp or ip6 or udp",
        "not vlan",
        "tcp and arp or udp",
    ] {
        assert!(matches(text, &udp()), "{text}");
    }
    for text in [
        "tcp",
        "ip6",
        "arp",
        "icmp",
        "icmp6",
        "host 198.51.100.2",
        "dst host 198.51.100.1",
        "net 198.51.101.0/24",
        "port 54",
        "tcp port 53",
        "src port 53",
        "portrange 54-60",
        "vlan",
        "less 59",
        "greater 61",
        "ether dst 02:00:00:00:00:01",
        "not udp",
        "not (udp or arp)",
        "udp and not port 53",
        "udp or arp and tcp",
    ] {
        assert!(!matches(text, &udp()), "{text}");
    }
}

#[test]
fn tags_are_looked_through() {
    for text in ["vlan", "vlan 7", "tcp", "ip6 and port 80", "net 2001:db8::/32", "vlan 7 and tcp dst port 80"] {
        assert!(matches(text, &tagged_tcp()), "{text}");
    }
    for text in ["vlan 8", "not vlan", "udp", "ip", "src port 80"] {
        assert!(!matches(text, &tagged_tcp()), "{text}");
    }
}

#[test]
fn what_is_cut_off_is_not_there_and_no_bytes_make_it_panic() {
    let filter = filter("port 53 or 80 or vlan 7 or host 198.51.100.1 or icmp6");
    for frame in [udp(), tagged_tcp()] {
        for length in 0..frame.len() {
            filter.matches(&frame[..length], frame.len() as u32);
            let mut broken = frame.clone();
            for value in 0..=255 {
                broken[length] = value;
                filter.matches(&broken, frame.len() as u32);
            }
        }
    }
    assert!(!filter.matches(&udp()[..20], 60));
    assert!(filter.matches(&udp()[..34], 60), "the addresses are there");
}

#[test]
fn what_is_wrong_is_said_and_where() {
    for (text, at, part) in [
        ("", 0, "something is missing"),
        ("tcp and", 7, "something is missing"),
        ("prot 80", 0, "\"prot\" is unknown"),
        ("tcp prot 80", 4, "\"and\" or \"or\""),
        ("host", 4, "an address"),
        ("host x", 5, "an address"),
        ("net 198.51.100.1/24", 4, "no bits set"),
        ("port 65536", 5, "0 to 65535"),
        ("port http", 5, "a port"),
        ("tcp src 80", 8, "port or portrange"),
        ("portrange 9-1", 10, "a range"),
        ("src", 3, "host, net, port"),
        ("vlan 4096", 5, "0 to 4095"),
        ("ether 02:00:00:00:00:01", 6, "host, src or dst"),
        ("ether host 02:00", 11, "a MAC address"),
        ("less many", 5, "a number of bytes"),
        ("(tcp", 4, "\")\""),
        ("tcp)", 3, "no place here"),
        ("tcp udp", 4, "no place here"),
        ("tcp & udp", 4, "no place here"),
        ("é", 0, "unknown"),
    ] {
        let why = Filter::parse(text).expect_err(text);
        assert_eq!((why.at, why.why.contains(part)), (at, true), "{text}: {why}");
    }
    let deep = "(".repeat(100_000);
    assert!(Filter::parse(&deep).expect_err("too deep").why.contains("nested too deeply"));
    let alternatives = |number| vec!["arp"; number].join(" or ");
    assert!(Filter::parse(&alternatives(100_000)).expect_err("too many").why.contains("too long"));
    assert!(!filter(&alternatives(1000)).matches(&[0; 60], 60));
    let shown = Filter::parse("tcp prot 80").unwrap_err().to_string();
    assert!(shown.ends_with("\n    tcp prot 80\n        ^"), "{shown}");
}

/// A capture with a bit of everything.
fn traffic() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/traffic.pcap"))
}

/// The packets that tcpdump keeps.
fn kept_by_tcpdump(filter: &str) -> Vec<Vec<u8>> {
    let mut command = Command::new("tcpdump");
    let output = command.arg("-r").arg(traffic()).args(["-w", "-", filter]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("rejects all packets") {
        return Vec::new();
    }
    assert!(output.status.success(), "{filter}: {said}");
    frames(&output.stdout[..])
}

fn frames(capture: impl std::io::Read) -> Vec<Vec<u8>> {
    let mut reader = PcapReader::new(capture).unwrap();
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet() {
        frames.push(packet.unwrap().data().to_vec());
    }
    frames
}

#[test]
fn real_traffic_is_judged_as_tcpdump_does() {
    if gannet_harness::lacks("tcpdump") {
        return;
    }
    let all = frames(File::open(traffic()).unwrap());
    for text in [
        "tcp",
        "udp",
        "icmp",
        "icmp6",
        "arp",
        "ip",
        "ip6",
        "not ip",
        "port 53",
        "tcp port 53",
        "udp port 53 or arp",
        "port 80 or 53",
        "src port 80",
        "tcp dst port 80",
        "portrange 50-100",
        "host 198.51.100.1",
        "src host 198.51.100.1",
        "dst 198.51.100.1",
        "net 198.51.100.0/24",
        "src net 198.51.0.0/16",
        "net 192.0.0.0/8",
        "dst net 192.0.0.0/8 and tcp",
        "net 2001:db8::/32",
        "host 2001:db8::1",
        "not net 198.51.100.0/24 and not ip6",
        "less 60",
        "greater 200",
        "less 100 and greater 80",
        "ether host 02:00:00:00:00:01",
        "ether src 02:00:00:00:00:01",
        "ether dst ff:ff:ff:ff:ff:ff",
        "tcp and not port 80 or icmp",
        "arp or icmp and less 100",
        "!(tcp or udp) && ip",
        "icmp6 or udp and ip6",
        "tcp or tcp and udp",
        "not not tcp",
    ] {
        // A tag moves what tcpdump looks at behind it, once: with tags and without are two questions.
        let plain = kept_by_tcpdump(&format!("({text}) and not vlan"));
        let tagged = kept_by_tcpdump(&format!("vlan and ({text})"));
        for (expected, question) in [(plain, format!("({text}) and not vlan")), (tagged, format!("({text}) and vlan"))]
        {
            let filter = filter(&question);
            let kept: Vec<_> = all.iter().filter(|frame| filter.matches(frame, frame.len() as u32)).cloned().collect();
            let differing = kept.iter().zip(&expected).position(|(a, b)| a != b);
            assert_eq!((kept.len(), differing), (expected.len(), None), "{question}");
        }
    }
    for text in ["vlan", "not vlan"] {
        let filter = filter(text);
        let kept = all.iter().filter(|frame| filter.matches(frame, frame.len() as u32)).count();
        assert_eq!(kept, kept_by_tcpdump(text).len(), "{text}");
    }
}
