//! Cables between programs: several l2fwd in a row, with the test at both ends.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use gannet_harness::capture::frames;
use gannet_harness::{Outcome, PATIENCE, Running, data};
use gannet_sim::peer::wire::Wire;
use gannet_sim::peer::{Accepted, Offered, Peer};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::{Report, with_ports};

/// Cards on cables of this folder.
struct Cables(TempDir);

impl Cables {
    fn new() -> Cables {
        Cables(tempfile::tempdir().expect("a folder"))
    }

    fn place(&self, cable: &str) -> PathBuf {
        self.0.path().join(cable)
    }

    fn port(&self, cable: &str) -> String {
        format!("sim:ixgbe,peer=wire:{}", self.place(cable).display())
    }

    /// l2fwd between two of them.
    fn forwarder(&self, one: &str, other: &str) -> Running {
        Running::start(with_ports(&[self.port(one), self.port(other)]).arg("--json"))
    }

    /// The test's own end of a cable, once the other program is there.
    fn end(&self, cable: &str) -> Far {
        let mut far = Far(self.plug(&self.place(cable)), Instant::now());
        far.until("nobody came", |far| far.light());
        far
    }

    /// The program that is started before us may make the place in the same instant.
    fn plug(&self, place: &Path) -> Wire {
        Wire::new(place).expect("an end of the cable").0
    }
}

/// The test's end of a cable.
struct Far(Wire, Instant);

impl Far {
    fn light(&mut self) -> bool {
        self.0.carrier(self.1.elapsed().as_nanos() as u64)
    }

    fn until(&mut self, or: &str, mut done: impl FnMut(&mut Far) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(start.elapsed() < PATIENCE, "{or}");
            thread::sleep(Duration::from_micros(50));
        }
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut frame = Vec::new();
        (self.0.offer(&mut frame, 0) == Offered::Frame).then_some(frame)
    }
}

/// Ends a program, and reads its report.
fn end(program: Running) -> (Option<i32>, Report) {
    program.signal(Signal::SIGTERM);
    let outcome = program.end();
    (outcome.status, Report::parse(&outcome.stdout))
}

/// Sends `all` at one end and returns what comes out at the other.
fn through(from: &mut Far, to: &mut Far, all: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let (mut out, mut sent) = (Vec::new(), 0);
    to.until("frames are missing", |to| {
        while sent < all.len() && from.0.accept(&all[sent], 0) == Accepted::Taken {
            sent += 1;
        }
        out.extend(std::iter::from_fn(|| to.receive()));
        out.len() >= all.len()
    });
    out
}

#[test]
fn two_programs_in_a_row_forward_every_frame_byte_for_byte_both_ways() {
    let cables = Cables::new();
    let row = [cables.forwarder("a", "b"), cables.forwarder("b", "c")];
    let (mut a, mut c) = (cables.end("a"), cables.end("c"));
    let all = frames(&data("traffic.pcap"));
    assert!(through(&mut a, &mut c, &all) == all, "there");
    assert!(through(&mut c, &mut a, &all) == all, "and back");
    for program in row {
        let (status, report) = end(program);
        assert_eq!(status, Some(0), "{report:?}");
        report.assert_clean();
        assert_eq!(report.count("/forwarded"), 2 * all.len() as u64, "{report:?}");
    }
    drop((a, c));
    assert_eq!(std::fs::read_dir(cables.0.path()).expect("the folder").count(), 0, "sockets are removed");
}

#[test]
fn a_killed_program_is_replaced_by_another() {
    let cables = Cables::new();
    let (first, frame) = (cables.forwarder("a", "b"), vec![0xA5; 60]);
    let (mut a, mut b) = (cables.end("a"), cables.end("b"));
    assert!(through(&mut a, &mut b, std::slice::from_ref(&frame)) == [frame.clone()]);
    first.signal(Signal::SIGKILL);
    for far in [&mut a, &mut b] {
        far.until("light from a dead program", |far| !far.light());
    }
    let second = cables.forwarder("a", "b");
    for far in [&mut a, &mut b] {
        far.until("no light from the new program", |far| far.light());
    }
    assert!(through(&mut a, &mut b, std::slice::from_ref(&frame)) == [frame]);
    assert_eq!(end(second).0, Some(0));
}

#[test]
fn a_program_at_the_other_end_that_takes_nothing_holds_nobody_up_at_the_end() {
    let cables = Cables::new();
    let program = cables.forwarder("a", "b");
    let (mut a, b) = (cables.end("a"), cables.end("b"));
    // More than the cable to b and the ring before it hold: some wait in the program when it is to end.
    let mut sent = 0;
    a.until("the cable stays full", |a| {
        sent += usize::from(a.0.accept(&[0xA5; 60], 0) == Accepted::Taken);
        sent == 1200
    });
    let (status, report) = end(program);
    assert!(matches!(status, Some(0 | 1)), "{report:?}");
    drop(b);
}

#[test]
fn a_third_port_on_a_cable_is_refused() {
    let cables = Cables::new();
    let (one, other) = (cables.plug(&cables.place("a")), cables.plug(&cables.place("a")));
    let outcome = Outcome::of(&mut with_ports(&[cables.port("a"), "sim:ixgbe,peer=sink".into()]));
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.contains("two ports are plugged in already"), "{}", outcome.stderr);
    drop((one, other));
}

#[test]
fn an_impossible_place_is_refused_with_the_remedy() {
    let outcome = Outcome::of(&mut with_ports(&["sim:ixgbe,peer=wire:/none/a.sock", "sim:ixgbe,peer=sink"]));
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.contains("make its folder first"), "{}", outcome.stderr);
}
