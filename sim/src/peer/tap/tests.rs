//! Options and errors everywhere; the interface itself where there is one to be had.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;

use etherparse::{ArpHardwareId, ArpOperation, ArpPacket, EtherType, NetSlice, PacketBuilder, SlicedPacket};
use gannet_harness::{PATIENCE, wait_for};

use super::*;

const CARD: [u8; 6] = [2, 0, 0, 0, 0, 7];
/// From the second range for documentation (RFC 5737): the first is what virtual machines like to number their real network with.
const NET: &str = "198.51.100.0/30";
const CARD_IP: [u8; 4] = [198, 51, 100, 2];
const HOST_IP: [u8; 4] = [198, 51, 100, 1];

#[test]
fn impossible_options_are_refused() {
    let refused = |options: TapOptions| Tap::new(&options).unwrap_err().to_string();
    assert!(refused(TapOptions::new("")).contains("1 to 15 bytes"));
    assert!(refused(TapOptions::new("a-name-too-long-0")).contains("1 to 15 bytes"));
    for mtu in [0, 67, 15_855] {
        let message = refused(TapOptions { mtu: Some(mtu), ..TapOptions::new("gan%d") });
        assert!(message.starts_with(&format!("mtu={mtu}: needs 68 to 15854")), "{message}");
    }
}

#[test]
fn errors_say_the_remedy() {
    let message = |kind: ErrorKind| error("gan0", "opening it", kind.into()).to_string();
    let denied = message(ErrorKind::PermissionDenied);
    assert!(denied.contains("needs CAP_NET_ADMIN (run as root, or `sudo setcap"), "{denied}");
    assert!(denied.contains("ip tuntap add dev gan0 mode tap user $USER"), "{denied}");
    assert!(message(ErrorKind::NotFound).contains("modprobe tun"));
    assert!(message(ErrorKind::ResourceBusy).contains("another program"));
    assert!(message(ErrorKind::InvalidInput).contains("no TAP"));
}

/// An interface with an address, and the host's socket on it; `None` (and the reason on the terminal) where none can be had.
fn tap() -> Option<(Tap, Arc<PeerStats>)> {
    match Tap::new(&TapOptions { mtu: Some(1400), ..TapOptions::new("gantest%d") }) {
        Ok(tap) => Some(tap),
        Err(error) => {
            gannet_harness::skip(&error.to_string());
            None
        }
    }
}

/// The next frame that `wanted` recognises; the host sends others of its own accord.
fn next<T>(tap: &mut Tap, mut wanted: impl FnMut(&SlicedPacket) -> Option<T>) -> T {
    let mut frame = Vec::new();
    wait_for("a frame of the host", || {
        while tap.offer(&mut frame, 0) == Offered::Frame {
            assert!(frame.len() >= 60);
            let found = wanted(&SlicedPacket::from_ethernet(&frame).unwrap());
            if found.is_some() {
                return found;
            }
        }
        None
    })
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn the_host_and_a_card_talk_over_the_interface() {
    let Some((mut tap, stats)) = tap() else { return };
    assert_eq!(tap.device.mtu().unwrap(), 1400);
    assert!(is_up(tap.name()));
    // Never take an address that the host has another use for: the test would cut its network.
    let used = Command::new("ip").args(["-4", "-o", "route", "show", "table", "all", "to", "match", NET]).output();
    let used = String::from_utf8(used.expect("this test needs the ip command").stdout).unwrap();
    if used.lines().any(|route| !route.starts_with("default")) {
        return gannet_harness::skip(&format!("this host has a route to {NET} already: {used}"));
    }
    let added = Command::new("ip").args(["address", "add", "198.51.100.1/30", "dev", tap.name()]).status();
    assert!(added.unwrap().success());
    let socket = UdpSocket::bind((Ipv4Addr::from(HOST_IP), 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(b"hello, card", (Ipv4Addr::from(CARD_IP), 7)).unwrap();

    // The host asks who has the card's address ...
    let host = next(&mut tap, |packet| match &packet.net {
        Some(NetSlice::Arp(arp)) if arp.target_protocol_addr() == CARD_IP => {
            Some(<[u8; 6]>::try_from(arp.sender_hw_addr()).unwrap())
        }
        _ => None,
    });
    let answer =
        ArpPacket::new(ArpHardwareId::ETHERNET, EtherType::IPV4, ArpOperation::REPLY, &CARD, &CARD_IP, &host, &HOST_IP);
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(CARD, host).arp(answer.unwrap()).write(&mut frame).unwrap();
    assert_eq!(tap.accept(&frame, 0), Accepted::Taken);

    // ... sends its datagram ...
    let port = next(&mut tap, |packet| match &packet.transport {
        Some(etherparse::TransportSlice::Udp(udp)) if udp.payload() == b"hello, card" => Some(udp.source_port()),
        _ => None,
    });
    // ... and gets the reply.
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(CARD, host)
        .ipv4(CARD_IP, HOST_IP, 64)
        .udp(7, port)
        .write(&mut frame, b"hello, host")
        .unwrap();
    assert_eq!(tap.accept(&frame, 0), Accepted::Taken);
    let mut buffer = [0; 64];
    let (length, _) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"hello, host");
    assert_eq!(stats.accepted.load(Ordering::Relaxed), 2);
    assert_eq!(stats.dropped.load(Ordering::Relaxed), 0);
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn an_interface_taken_down_drops_and_counts_and_offers_nothing() {
    let Some((mut tap, stats)) = tap() else { return };
    tap.device.enabled(false).unwrap();
    assert!(!is_up(tap.name()));
    assert_eq!(tap.accept(&[0; 60], 0), Accepted::Taken);
    assert_eq!(stats.dropped.load(Ordering::Relaxed), 1);
    let mut frame = Vec::new();
    while tap.offer(&mut frame, 0) == Offered::Frame {}
    assert!(frame.is_empty());
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn names_that_are_taken_are_refused_with_the_reason() {
    let Some((tap, _)) = tap() else { return };
    let busy = Tap::new(&TapOptions::new(tap.name())).unwrap_err().to_string();
    assert!(busy.contains("another program has it open"), "{busy}");
    let loopback = Tap::new(&TapOptions::new("lo")).unwrap_err().to_string();
    assert!(loopback.contains("no TAP"), "{loopback}");
}
