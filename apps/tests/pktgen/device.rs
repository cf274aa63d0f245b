//! A device between two cables that treats each direction as a test wants: what it does to one is told of that one.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gannet_harness::data;
use gannet_sim::peer::wire::Wire;
use gannet_sim::peer::{Accepted, Offered, Peer};
use tempfile::TempDir;

use super::Report;

/// What becomes of a frame, by its number in its direction.
type Rule = fn(u64) -> Fate;

enum Fate {
    Pass,
    Lose,
    /// It passes, and a copy of it later.
    CopyAfter(Duration),
    /// It passes later. Those behind it do not wait.
    Hold(Duration),
}

/// The device, on a thread of its own until it is dropped.
struct Device {
    folder: TempDir,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Device {
    /// With a rule for the frames of the first port, and one for those of the second.
    fn start(rules: [Rule; 2]) -> Device {
        let folder = tempfile::tempdir().expect("a folder");
        let stop = Arc::new(AtomicBool::new(false));
        let [mut a, mut b] = [0, 1].map(|end| Wire::new(&place(&folder, end)).expect("an end of a cable").0);
        let [mut there, mut back] = rules.map(|rule| Direction { rule, number: 0, on_their_way: VecDeque::new() });
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let begin = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                let now = begin.elapsed().as_nanos() as u64;
                // A look at who is at the other end.
                let _ = (a.carrier(now), b.carrier(now));
                there.forward(&mut a, &mut b);
                back.forward(&mut b, &mut a);
                thread::yield_now();
            }
        });
        Device { folder, stop, thread: Some(thread) }
    }

    /// Runs pktgen on both its ends.
    fn measure(&self, arguments: &[&str], status: i32) -> Report {
        let ports = [0, 1].map(|end| format!("sim:ixgbe,peer=wire:{}", place(&self.folder, end).display()));
        Report::of(&[&["--port", &ports[0], "--port", &ports[1]], arguments].concat(), status)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the device does not panic");
        }
    }
}

fn place(folder: &TempDir, end: usize) -> PathBuf {
    folder.path().join(end.to_string())
}

/// The frames of one direction.
struct Direction {
    rule: Rule,
    number: u64,
    on_their_way: VecDeque<(Instant, Vec<u8>)>,
}

impl Direction {
    /// Takes a frame, and passes on those that are due.
    fn forward(&mut self, from: &mut Wire, to: &mut Wire) {
        let (now, mut frame) = (Instant::now(), Vec::new());
        if from.offer(&mut frame, 0) == Offered::Frame {
            match (self.rule)(self.number) {
                Fate::Pass => self.on_their_way.push_back((now, frame)),
                Fate::Lose => {}
                Fate::CopyAfter(time) => self.on_their_way.extend([(now, frame.clone()), (now + time, frame)]),
                Fate::Hold(time) => self.on_their_way.push_back((now + time, frame)),
            }
            self.number += 1;
        }
        // A frame that has no room yet is not overtaken by the next one.
        let mut has_room = true;
        self.on_their_way.retain(|(due, frame)| {
            let is_due = has_room && *due <= now;
            has_room &= !is_due || to.accept(frame, 0) == Accepted::Taken;
            !(is_due && has_room)
        });
    }
}

#[test]
fn a_frame_that_comes_within_the_settling_time_is_not_lost() {
    let late = Duration::from_millis(700);
    let device = Device::start([
        |number| if number == 4 { Fate::Hold(Duration::from_millis(700)) } else { Fate::Pass },
        |_| Fate::Pass,
    ]);
    // It is out of order, hence the status.
    let report = device.measure(&["--count", "10", "--settle", "60s"], 1);
    let counts = ["sent", "received", "lost", "reordered"].map(|name| report.count(name));
    assert_eq!(counts, [10, 10, 0, 1], "{report:?}");
    // Three digits of it.
    assert!(report.measured("/latency_ns/max") > late.as_nanos() as f64 * 0.99, "{report:?}");
}

#[test]
fn what_one_direction_loses_is_told_of_that_direction() {
    let device = Device::start([|_| Fate::Pass, |number| if number % 10 == 0 { Fate::Lose } else { Fate::Pass }]);
    let report = device.measure(&["--both-ways", "--count", "1000", "--size", "128"], 1);
    assert_eq!(["sent", "received", "lost"].map(|name| report.count(name)), [2000, 1900, 100], "{report:?}");
    for (way, [from, to, received, lost]) in [(0, [0, 1, 1000, 0]), (1, [1, 0, 900, 100])] {
        let count = |name: &str| report.measured(&format!("/ways/{way}/{name}"));
        let counts = ["from", "to", "sent", "received", "lost"].map(|name| count(name) as u64);
        assert_eq!(counts, [from, to, 1000, received, lost], "{report:?}");
        assert!(count("pps") > 0.0 && count("latency_ns/min") > 0.0, "{report:?}");
    }
}

#[test]
fn what_one_direction_holds_up_is_told_of_that_direction() {
    let hold: Rule = |_| Fate::Hold(Duration::from_millis(300));
    let device = Device::start([hold, |_| Fate::Pass]);
    let report = device.measure(&["--both-ways", "--count", "20"], 0);
    let latency = |at: &str| report.measured(&format!("{at}/latency_ns/min"));
    assert!(latency("/ways/0") > 290e6 && latency("/ways/1") < latency("/ways/0"), "{report:?}");
    assert_eq!(latency(""), latency("/ways/1"), "{report:?}");
}

/// Frames of a capture have no signature, so what is too many one way could hide what is missing the other way.
#[test]
fn what_one_direction_has_too_many_makes_up_for_nothing_in_the_other() {
    let device = Device::start([
        |number| if number < 10 { Fate::Lose } else { Fate::Pass },
        |number| if number < 10 { Fate::CopyAfter(Duration::ZERO) } else { Fate::Pass },
    ]);
    let input = data("traffic.pcap");
    let capture = input.to_str().expect("a path in UTF-8");
    let report = device.measure(&["--both-ways", "--pcap", capture, "--count", "100", "--rate", "1kpps"], 1);
    assert_eq!(
        ["sent", "received", "lost", "surplus"].map(|name| report.count(name)),
        [200, 200, 10, 10],
        "{report:?}"
    );
    for (way, [lost, surplus]) in [(0, [10.0, 0.0]), (1, [0.0, 10.0])] {
        let count = |name: &str| report.measured(&format!("/ways/{way}/{name}"));
        assert_eq!([count("lost"), count("surplus")], [lost, surplus], "{report:?}");
    }
}

/// RFC 4737: a copy is none that was received, and none that is out of order, however late it comes.
#[test]
fn a_late_copy_does_not_hide_a_loss() {
    let device = Device::start([
        |number| match number {
            10 => Fate::Lose,
            20 => Fate::CopyAfter(Duration::from_millis(500)),
            _ => Fate::Pass,
        },
        |_| Fate::Pass,
    ]);
    let report = device.measure(&["--count", "3000"], 1);
    let counts = ["sent", "received", "lost", "duplicated", "reordered"].map(|name| report.count(name));
    assert_eq!(counts, [3000, 2999, 1, 1, 0], "{report:?}");
}
