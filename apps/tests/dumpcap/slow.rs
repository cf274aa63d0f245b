//! A capture that cannot keep up loses packets and counts them. The program does not notice.

use std::fs::File;
use std::io::Read;
use std::thread;

use gannet::Direction;
use gannet_harness::Running;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::host::Host;
use super::{Capture, Place};

/// Enough to fill the ring of 16 MiB and all that is behind it, twice.
const FRAMES: u32 = 24_000;

fn frame(number: u32) -> Vec<u8> {
    let mut frame = vec![0x5A; 1514];
    frame[12..14].copy_from_slice(&[0x88, 0xB5]);
    frame[14..18].copy_from_slice(&number.to_be_bytes());
    frame
}

fn number(frame: &[u8]) -> u32 {
    u32::from_be_bytes(frame[14..18].try_into().unwrap())
}

#[test]
fn what_is_captured_and_what_is_lost_is_all_that_was_forwarded() {
    let place = Place::new();
    let pipe = place.file("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let mut host = Host::new(&place);
    let arguments = ["-w", pipe.to_str().unwrap(), "-i", "1", "--direction", "tx", "--json"];
    let dumpcap = Running::start(&mut place.dumpcap(&arguments));
    // Succeeds when dumpcap opens it too, which it does when it is attached.
    let mut reader = File::open(&pipe).unwrap();
    let frames: Vec<_> = (0..FRAMES).map(frame).collect();
    for frames in frames.chunks(1000) {
        assert_eq!(host.forward(frames).len(), frames.len(), "the program does not wait");
    }
    let reading = thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| bytes)
    });
    dumpcap.signal(Signal::SIGINT);
    let report = dumpcap.report(1);
    let capture = Capture::of(&reading.join().unwrap().unwrap()[..]);
    let lost = report["lost"].as_u64().unwrap();
    let captured = capture.bytes(0, Direction::Tx);
    assert!(lost > 0, "{report}");
    assert_eq!(captured.len() as u64 + lost, u64::from(FRAMES), "{report}");
    assert_eq!(capture.statistics, [(0, u64::from(FRAMES), lost)]);
    let numbers: Vec<_> = captured.iter().map(|frame| number(frame)).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "in order, each once");
    assert!(captured.iter().zip(&numbers).all(|(captured, number)| *captured == frame(*number)));
    host.end();
}

#[test]
fn a_client_that_stands_still_does_not_hold_up_the_programs_end() {
    let place = Place::new();
    let file = place.file("out.pcapng");
    let mut host = Host::new(&place);
    let dumpcap = place.capture(&file, &[]);
    dumpcap.signal(Signal::SIGSTOP);
    for _ in 0..12 {
        host.forward(&(0..1000).map(frame).collect::<Vec<_>>());
    }
    // Hangs if it does.
    host.end();
}
