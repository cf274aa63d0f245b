//! What is captured: every packet that is asked for, once, in order, byte for byte.

use std::process::{Command, Stdio};

use gannet::{Direction, VlanTags};
use gannet_harness::capture::assert_same;
use gannet_harness::{Running, lacks, lacks_for_part, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::host::Host;
use super::{Capture, Place, traffic};

#[test]
fn every_packet_is_there_both_ways_in_order_and_byte_for_byte() {
    let place = Place::new();
    let (file, frames) = (place.file("all.pcapng"), traffic());
    let mut host = Host::new(&place);
    // Before the capture: not in it.
    host.forward(&frames);
    let dumpcap = place.capture(&file, &[]);
    let sent: Vec<_> = (0..5).flat_map(|_| host.forward(&frames)).collect();
    host.end();
    let report = dumpcap.report(0);
    let capture = Capture::read(&file);
    assert_eq!(capture.interfaces, ["sim:ixgbe#0", "sim:ixgbe#1"]);
    let five_times = vec![frames; 5].concat();
    assert_same(&capture.bytes(0, Direction::Rx), &five_times);
    assert_same(&capture.bytes(1, Direction::Tx), &sent);
    assert_eq!(capture.packets.len(), 2 * sent.len(), "nothing else");
    assert!(capture.packets.is_sorted_by_key(|packet| packet.time), "in the order of their times");
    let count = sent.len() as u64;
    assert_eq!(capture.statistics, [(0, count, 0), (1, count, 0)]);
    let bytes: usize = sent.iter().chain(&five_times).map(Vec::len).sum();
    assert_eq!((&report["packets"], &report["bytes"]), (&(2 * count).into(), &bytes.into()), "{report}");
    assert_eq!((&report["lost"], &report["ended"]), (&0.into(), &"program".into()), "{report}");
    // So that no misreading of the format that writer and reader share goes unnoticed.
    if !lacks_for_part("tshark") {
        let output =
            Command::new("tshark").args(["-T", "fields", "-e", "frame.len", "-r"]).arg(&file).output().unwrap();
        let lengths = String::from_utf8(output.stdout).unwrap();
        let lengths: Vec<u32> = lengths.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(lengths, capture.packets.iter().map(|packet| packet.length).collect::<Vec<_>>());
    }
}

#[test]
fn only_the_ports_and_the_way_that_are_asked_for() {
    let place = Place::new();
    let frames = traffic();
    let mut host = Host::new(&place);
    let (sending, both) = (place.file("tx.pcapng"), place.file("name.pcapng"));
    let tx = place.capture(&sending, &["-i", "1", "--direction", "tx"]);
    let name = place.capture(&both, &["--interface", "sim:ixgbe#0", "host"]);
    let sent = host.forward(&frames);
    host.end();
    for dumpcap in [tx, name] {
        assert_eq!(dumpcap.report(0)["packets"], frames.len());
    }
    let capture = Capture::read(&sending);
    assert_eq!(capture.interfaces, ["sim:ixgbe#1"]);
    assert_same(&capture.bytes(0, Direction::Tx), &sent);
    let capture = Capture::read(&both);
    assert_eq!(capture.interfaces, ["sim:ixgbe#0"]);
    assert_same(&capture.bytes(0, Direction::Rx), &frames);
}

#[test]
fn a_port_that_is_stopped_is_left_out_and_told_of_if_it_is_asked_for() {
    let place = Place::new();
    let file = place.file("out.pcapng");
    let mut host = Host::new(&place);
    host.stop_port_0();
    let outcome = place.run(&["-w", file.to_str().unwrap(), "-i", "0"]);
    assert_eq!(outcome.status, Some(2), "{outcome:?}");
    let both = place.run(&["-w", file.to_str().unwrap(), "-i", "0", "-i", "1", "--duration", "0.1"]);
    assert_eq!(both.status, Some(0), "{both:?}");
    assert!(both.stderr.contains("not captured: sim:ixgbe#0: its rx queue 0 is closed"), "{both:?}");
    assert_eq!(Capture::read(&file).interfaces, ["sim:ixgbe#1"]);
    let all = place.run(&["-w", file.to_str().unwrap(), "--duration", "0.1"]);
    assert_eq!((all.status, all.stderr.contains("not captured")), (Some(0), false), "{all:?}");
    assert_eq!(Capture::read(&file).interfaces, ["sim:ixgbe#1"]);
    host.end();
}

#[test]
fn a_capture_ends_after_so_many_packets_which_are_cut_where_asked_for() {
    let place = Place::new();
    let (file, frames) = (place.file("out.pcapng"), traffic());
    let mut host = Host::new(&place);
    let dumpcap = place.capture(&file, &["-i", "0", "-c", "70", "-s", "50"]);
    host.forward(&frames);
    let report = dumpcap.report(0);
    assert_eq!((&report["packets"], &report["ended"]), (&70.into(), &"count".into()), "{report}");
    let capture = Capture::read(&file);
    assert_same(&capture.bytes(0, Direction::Rx), &frames[..70].iter().map(|frame| &frame[..50]).collect::<Vec<_>>());
    assert!(capture.packets.iter().zip(&frames).all(|(packet, frame)| packet.length as usize == frame.len()));
    host.end();
}

#[test]
fn a_filter_chooses_and_sees_more_than_is_kept() {
    let place = Place::new();
    let (file, frames) = (place.file("out.pcapng"), traffic());
    let mut host = Host::new(&place);
    let dumpcap = place.capture(&file, &["-i", "0", "-s", "14", "--filter", "udp port 53 and not vlan"]);
    host.forward(&frames);
    host.end();
    let report = dumpcap.report(0);
    // IPv4 with no options, or IPv6: UDP, one of the ports is 53.
    let is_dns = |frame: &&Vec<u8>| {
        let (protocol, ports) = if frame[12..14] == [8, 0] { (23, 34) } else { (20, 54) };
        matches!(frame[12..14], [8, 0] | [0x86, 0xDD])
            && frame[protocol] == 17
            && (frame[ports..ports + 2] == [0, 53] || frame[ports + 2..ports + 4] == [0, 53])
    };
    let dns: Vec<_> = frames.iter().filter(is_dns).map(|frame| &frame[..14]).collect();
    assert!(!dns.is_empty());
    assert_same(&Capture::read(&file).bytes(0, Direction::Rx), &dns);
    assert_eq!((&report["packets"], &report["filtered"]), (&dns.len().into(), &(frames.len() - dns.len()).into()));
}

#[test]
fn a_tag_that_the_card_has_taken_out_is_back_in_its_place() {
    let place = Place::new();
    let (file, frames) = (place.file("out.pcapng"), traffic());
    let mut host = Host::with_tags(&place, VlanTags::Strip);
    let dumpcap = place.capture(&file, &["-i", "0"]);
    let sent = host.forward(&frames);
    host.end();
    dumpcap.report(0);
    assert!(sent.iter().zip(&frames).any(|(sent, frame)| sent.len() < frame.len()), "the card takes tags out");
    assert_same(&Capture::read(&file).bytes(0, Direction::Rx), &frames);
}

#[test]
fn ctrl_c_ends_it_with_all_that_has_been_captured() {
    let place = Place::new();
    let (file, frames) = (place.file("out.pcapng"), traffic());
    let mut host = Host::new(&place);
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let dumpcap = place.capture(&file, &["-i", "0"]);
        host.forward(&frames);
        dumpcap.signal(signal);
        assert_eq!(dumpcap.report(0)["ended"], "interrupted");
        assert_same(&Capture::read(&file).bytes(0, Direction::Rx), &frames);
        // The next one begins with an empty file.
        std::fs::remove_file(&file).unwrap();
    }
    host.end();
}

#[test]
fn a_duration_ends_it_also_when_nothing_comes() {
    let place = Place::new();
    let file = place.file("out.pcapng");
    let host = Host::new(&place);
    let dumpcap = place.capture(&file, &["--duration", "0.1"]);
    assert_eq!(dumpcap.report(0)["ended"], "duration");
    assert_eq!(Capture::read(&file).statistics, [(0, 0, 0), (1, 0, 0)]);
    host.end();
}

#[test]
fn a_queue_is_captured_by_one_at_a_time_and_one_that_is_killed_leaves_nothing_behind() {
    let place = Place::new();
    let frames = traffic();
    let mut host = Host::new(&place);
    let (first, second) = (place.file("first.pcapng"), place.file("second.pcapng"));
    let receiving = place.capture(&first, &["-i", "0", "--direction", "rx"]);
    let outcome = place.run(&["-w", second.to_str().unwrap()]);
    assert_eq!(outcome.status, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("already attached to its rx queue 0"), "{outcome:?}");
    assert!(!second.exists());
    host.forward(&frames);
    receiving.signal(Signal::SIGKILL);
    // The program notices at its own pace.
    wait_until("the queue to be free", || {
        host.forward(&frames[..1]);
        place.run(&["-w", second.to_str().unwrap(), "--duration", "0.01"]).status == Some(0)
    });
    std::fs::remove_file(&second).unwrap();
    let dumpcap = place.capture(&second, &["-i", "0"]);
    host.forward(&frames);
    host.end();
    dumpcap.report(0);
    assert_same(&Capture::read(&second).bytes(0, Direction::Rx), &frames);
}

#[test]
fn another_program_reads_along_and_stops_when_it_likes() {
    if lacks("tshark") {
        return;
    }
    let place = Place::new();
    let frames = traffic();
    let mut host = Host::new(&place);
    let mut command = place.dumpcap(&["-w", "-", "-i", "0", "--json"]);
    let mut dumpcap = Running::with_stdout(command.stdout(Stdio::piped()));
    let mut command = Command::new("tshark");
    command.args(["-l", "-i", "-", "-c", "20", "-T", "fields", "-e", "frame.len"]);
    command.stdin(Stdio::from(dumpcap.child.stdout.take().unwrap()));
    let mut tshark = Running::start(&mut command);
    // It has the reading end of the pipe, too.
    drop(command);
    wait_until("tshark to have seen enough", || {
        host.forward(&frames);
        tshark.has_ended()
    });
    let outcome = tshark.end();
    assert_eq!((outcome.status, outcome.stdout.lines().count()), (Some(0), 20), "{outcome:?}");
    wait_until("dumpcap to notice", || {
        host.forward(&frames);
        dumpcap.has_ended()
    });
    let outcome = dumpcap.end();
    let report: Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!((outcome.status, &report["ended"]), (Some(0), &"reader".into()));
    host.end();
}
