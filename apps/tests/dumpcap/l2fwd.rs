//! Captures of l2fwd: real time, real threads.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use gannet::Direction;
use gannet_apps::monitor::client;
use gannet_harness::capture::{assert_same, frames};
use gannet_harness::{Running, lacks_for_part, wait_until};
use nix::sys::signal::Signal;

use super::{Capture, Place};

/// Runs l2fwd from a generator to a file, and returns once its control socket answers.
pub(super) fn start(place: &Place, ports: [&str; 2]) -> Running {
    start_with(place, ports, "1")
}

/// The same, with so many queues.
fn start_with(place: &Place, ports: [&str; 2], queues: &str) -> Running {
    let mut command = place.command(env!("CARGO_BIN_EXE_l2fwd"));
    command.args(["--port", ports[0], "--port", ports[1], "--queues", queues, "--json"]);
    let l2fwd = Running::start(&mut command);
    let socket = place.file(&format!("gannet/l2fwd-{}.sock", l2fwd.id()));
    wait_until("its ports", || client::state(&socket, client::PATIENCE).is_ok_and(|state| state.ports.len() == 2));
    l2fwd
}

#[test]
fn from_the_attachment_to_the_programs_end_every_packet_is_there_or_lost_and_counted() {
    let place = Place::new();
    let (record, file) = (place.file("record.pcapng"), place.file("capture.pcapng"));
    let to = format!("sim:ixgbe,peer=pcap:,record={}", record.display());
    let l2fwd = start(&place, ["sim:ixgbe,peer=gen,rate=4000", &to]);
    let dumpcap = place.capture(&file, &["l2fwd"]);
    wait_until("packets", || fs::metadata(&file).unwrap().len() > 200_000);
    l2fwd.signal(Signal::SIGINT);
    assert_eq!(l2fwd.end().status, Some(0));
    let report = dumpcap.report(0);
    assert_eq!((&report["ended"], &report["lost"]), (&"program".into(), &0.into()), "{report}");
    let capture = Capture::read(&file);
    let recorded = frames(&record);
    for (port, direction) in [(0, Direction::Rx), (1, Direction::Tx)] {
        let captured = capture.bytes(port, direction);
        assert!(captured.len() > 500);
        // It began some time after the start, and then missed none.
        assert_same(&captured, &recorded[recorded.len() - captured.len()..]);
    }
}

#[test]
fn packets_have_their_queue_and_interfaces_their_speed() {
    let place = Place::new();
    let file = place.file("capture.pcapng");
    let _l2fwd = start_with(&place, ["sim:ixgbe,peer=gen,rate=4000,flows=64", "sim:ixgbe,peer=sink"], "2");
    place.capture(&file, &["-c", "500"]).report(0);
    let capture = Capture::read(&file);
    assert_eq!(capture.speeds, [10_000_000_000; 2]);
    for direction in [Direction::Rx, Direction::Tx] {
        let these = capture.packets.iter().filter(|packet| packet.direction == direction);
        assert_eq!(these.map(|packet| packet.queue).collect::<BTreeSet<_>>(), [0, 1].into());
    }
    // As Wireshark reads it.
    if !lacks_for_part("tshark") {
        let mut tshark = Command::new("tshark");
        tshark.args(["-T", "fields", "-e", "frame.interface_queue", "-r"]).arg(&file);
        let queues = String::from_utf8(tshark.output().unwrap().stdout).unwrap();
        let queues: Vec<u32> = queues.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(queues, capture.packets.iter().map(|packet| packet.queue).collect::<Vec<_>>());
    }
}

#[test]
fn a_program_that_is_killed_leaves_a_capture_that_can_be_read() {
    let place = Place::new();
    let file = place.file("capture.pcapng");
    let l2fwd = start(&place, ["sim:ixgbe,peer=gen,rate=2000", "sim:ixgbe,peer=sink"]);
    let dumpcap = place.capture(&file, &["-i", "0"]);
    wait_until("packets", || Capture::read(&file).packets.len() > 100);
    drop(l2fwd);
    let report = dumpcap.report(1);
    assert_eq!(report["ended"], "program", "{report}");
    assert!(report["problems"][0].as_str().unwrap().contains("the last are missing"), "{report}");
    assert_eq!(Capture::read(&file).packets.len() as u64, report["packets"].as_u64().unwrap());
}
