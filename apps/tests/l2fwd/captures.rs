//! Captures in and out: what is played at one port is recorded at the other, frame by frame and byte by byte.

use std::fs;
use std::path::Path;
use std::time::Duration;

use gannet_harness::capture::{self, frames};
use gannet_harness::{Outcome, data};
use tempfile::TempDir;

use super::{lacks_cores, play, record, report, with_ports};

/// Compares two captures, of which none is empty.
#[track_caller]
fn assert_same(one: &Path, other: &Path) {
    let (one, other) = (frames(one), frames(other));
    capture::assert_same(&one, &other);
    assert!(!one.is_empty());
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder for captures")
}

#[test]
fn every_frame_arrives_byte_for_byte_in_both_formats() {
    let folder = folder();
    for (input, output) in [("traffic.pcap", "out.pcapng"), ("traffic.pcapng", "out.pcap")] {
        let (input, output) = (data(input), folder.path().join(output));
        let report = report(&mut with_ports(&[play(&input), record(&output)]), 0);
        report.assert_clean();
        assert_same(&input, &output);
        assert_eq!(report.way(0, "forwarded"), frames(&input).len() as u64, "{report:?}");
        assert_eq!(report.way(1, "forwarded"), 0, "{report:?}");
    }
    let magic = |name| fs::read(folder.path().join(name)).expect("a recorded file")[..4].to_vec();
    assert_eq!(magic("out.pcapng"), [0x0A, 0x0D, 0x0D, 0x0A]);
    assert_ne!(magic("out.pcap"), [0x0A, 0x0D, 0x0D, 0x0A]);
}

#[test]
fn both_ways_at_once() {
    let folder = folder();
    let (here, there) = (data("traffic.pcap"), data("traffic.pcapng"));
    let (at_0, at_1) = (folder.path().join("at_0.pcapng"), folder.path().join("at_1.pcap"));
    let port = |played: &Path, recorded: &Path| format!("{},record={}", play(played), recorded.display());
    let report = report(&mut with_ports(&[port(&here, &at_0), port(&there, &at_1)]), 0);
    report.assert_clean();
    assert_same(&here, &at_1);
    assert_same(&there, &at_0);
}

#[test]
fn an_echo_brings_every_frame_back() {
    let folder = folder();
    let (input, output) = (data("traffic.pcap"), folder.path().join("out.pcapng"));
    let port = format!("{},record={}", play(&input), output.display());
    let report = report(&mut with_ports(&[port, "sim:ixgbe,peer=echo".into()]), 0);
    report.assert_clean();
    assert_same(&input, &output);
}

#[test]
fn through_four_ports_and_a_cable() {
    if lacks_cores(2) {
        return;
    }
    let folder = folder();
    let (input, output) = (data("traffic.pcapng"), folder.path().join("out.pcap"));
    let link = || "sim:ixgbe,peer=link:between".to_owned();
    let report = report(&mut with_ports(&[play(&input), link(), link(), record(&output)]), 0);
    report.assert_clean();
    assert_same(&input, &output);
}

#[test]
fn with_the_gaps_of_the_original() {
    let folder = folder();
    let (input, output) = (folder.path().join("gaps.pcap"), folder.path().join("out.pcapng"));
    capture::write(&input, &[60; 4], Duration::from_millis(50));
    let report = report(&mut with_ports(&[play(&input) + ",timing=original", record(&output)]), 0);
    report.assert_clean();
    assert_same(&input, &output);
    assert!(report.measured("/seconds").is_some_and(|seconds| seconds >= 0.15), "three gaps of 50 ms: {report:?}");
}

#[test]
fn swapped_addresses_are_recorded() {
    let folder = folder();
    let (input, output) = (data("traffic.pcap"), folder.path().join("out.pcapng"));
    report(with_ports(&[play(&input), record(&output)]).arg("--mac-swap"), 0).assert_clean();
    let swapped = |mut frame: Vec<u8>| {
        frame[..12].rotate_left(6);
        frame
    };
    assert!(frames(&input).into_iter().map(swapped).eq(frames(&output)));
}

#[test]
fn recording_only_ends_at_once_with_an_empty_capture() {
    let folder = folder();
    let output = folder.path().join("out.pcapng");
    let report = report(&mut with_ports(&["sim:ixgbe,peer=sink".to_owned(), record(&output)]), 0);
    assert_eq!(report.count("/forwarded"), 0, "{report:?}");
    assert_eq!(frames(&output).len(), 0);
}

#[test]
fn an_empty_capture_forwards_nothing_and_ends() {
    let folder = folder();
    let output = folder.path().join("out.pcap");
    let report = report(&mut with_ports(&[play(&data("empty.pcap")), record(&output)]), 0);
    report.assert_clean();
    assert_eq!(report.count("/forwarded"), 0, "{report:?}");
    assert_eq!(frames(&output).len(), 0);
}

#[test]
fn a_truncated_capture_is_played_up_to_the_cut_and_told_of() {
    let folder = folder();
    for name in ["truncated.pcap", "truncated.pcapng"] {
        let output = folder.path().join("out.pcap");
        let report = report(&mut with_ports(&[play(&data(name)), record(&output)]), 1);
        assert_eq!(report.count("/lost"), 0, "{report:?}");
        let problems = report.problems();
        assert!(matches!(problems[..], [problem] if problem.contains(name) && problem.contains("after 3 frames")));
        assert!(frames(&output) == frames(&data("traffic.pcap"))[..3], "{report:?}");
    }
}

#[test]
fn frames_that_no_card_can_carry_are_told_of() {
    let folder = folder();
    let (input, output) = (folder.path().join("odd.pcap"), folder.path().join("out.pcap"));
    capture::write(&input, &[60, 20_000, 30, 1514], Duration::ZERO);
    let report = report(&mut with_ports(&[play(&input), record(&output)]), 1);
    assert_eq!((report.count("/captures/not_played"), report.count("/captures/padded")), (1, 1), "{report:?}");
    assert!(matches!(report.problems()[..], [problem] if problem.contains("1 frames not played")), "{report:?}");
    let lengths: Vec<usize> = frames(&output).iter().map(Vec::len).collect();
    assert_eq!(lengths, [60, 60, 1514]);
}

#[test]
fn longer_than_the_link_takes_is_dropped_as_oversize() {
    let folder = folder();
    let (input, output) = (folder.path().join("jumbo.pcap"), folder.path().join("out.pcap"));
    capture::write(&input, &[60, 9000, 60], Duration::ZERO);
    let report = report(&mut with_ports(&[play(&input), record(&output)]), 1);
    assert_eq!((report.count("/lost"), report.dropped("oversize")), (1, 1), "{report:?}");
    assert_eq!(frames(&output).len(), 2);
}

#[test]
fn a_full_disk_is_told_of_and_every_frame_counted_as_lost() {
    let report = report(&mut with_ports(&[play(&data("traffic.pcap")), record(Path::new("/dev/full"))]), 1);
    assert!(matches!(report.problems()[..], [problem] if problem.contains("No space left")), "{report:?}");
    assert_eq!(report.count("/lost"), report.way(0, "offered"), "{report:?}");
    assert_eq!(report.dropped("by_the_peer"), report.way(0, "offered"), "{report:?}");
}

#[test]
fn problems_are_told_to_people_too() {
    let outcome = Outcome::of(&mut with_ports(&[play(&data("truncated.pcap")), "sim:ixgbe,peer=sink".into()]));
    assert_eq!(outcome.status, Some(1));
    let problem = outcome.stdout.lines().find(|line| line.starts_with("problem")).unwrap_or_default();
    assert!(problem.contains("after 3 frames"), "{}", outcome.stdout);
}
