//! Captures that are sent.

use std::fs;
use std::path::Path;
use std::time::Duration;

use gannet_harness::capture::{self, frames};
use gannet_harness::{Outcome, data};

use super::{LINK, Report, pktgen};

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn every_frame_is_sent_byte_for_byte_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["traffic.pcap", "traffic.pcapng"] {
        let file = folder.path().join("out.pcapng");
        let port = format!("sim:ixgbe,peer=pcap:,record={}", file.display());
        let (pcapng, input) = (data("traffic.pcapng"), data(name));
        let report = Report::of(&["--port", &port, "--pcap", text(&input), "--timing", "fast"], 1);
        let expected = frames(&pcapng);
        assert_eq!(report.count("sent"), expected.len() as u64, "{report:?}");
        assert!(frames(&file) == expected, "{name}: the frames differ");
    }
}

#[test]
fn what_arrives_is_counted() {
    let input = data("traffic.pcap");
    let report = Report::of(&[&LINK[..], &["--pcap", text(&input), "--timing", "fast"]].concat(), 0);
    report.assert_clean(frames(&data("traffic.pcapng")).len() as u64);
    assert!(report.0["latency_ns"].is_null(), "a capture has no time stamps of ours: {report:?}");
}

#[test]
fn a_count_plays_it_again_and_again() {
    let input = data("traffic.pcap");
    let report = Report::of(&[&LINK[..], &["--pcap", text(&input), "--timing", "fast", "--count", "1000"]].concat(), 0);
    report.assert_clean(1000);
}

#[test]
fn gaps_are_kept_and_scaled() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gaps.pcap");
    capture::write(&file, &[60; 6], Duration::from_millis(40));
    for (timing, least) in [("original", 0.2), ("2x", 0.1)] {
        let report = Report::of(&[&LINK[..], &["--pcap", text(&file), "--timing", timing]].concat(), 0);
        report.assert_clean(6);
        assert!(report.measured("/seconds") >= least, "five gaps, {timing}: {report:?}");
        report.measured("/lateness_ns/max");
    }
}

#[test]
fn frames_that_do_not_fit_are_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("long.pcap");
    capture::write(&file, &[60, 1500, 0, 30], Duration::ZERO);
    let arguments = [&LINK[..], &["--pcap", text(&file), "--buffer-size", "1024"]].concat();
    let report = Report::of(&arguments, 1);
    assert_eq!(["sent", "received", "skipped"].map(|name| report.count(name)), [2, 2, 2], "{report:?}");
    let outcome = Outcome::of(&mut pktgen(&arguments));
    assert!(outcome.stdout.contains("skipped") && outcome.stdout.contains("--buffer-size"), "{}", outcome.stdout);
    // 18 bytes beside the MTU's: header and tag.
    capture::write(&file, &[60, 9018, 9019], Duration::ZERO);
    for (options, skipped) in [(&[][..], 2), (&["--mtu", "9000"], 1)] {
        let report = Report::of(&[&LINK[..], &["--pcap", text(&file)], options].concat(), 1);
        assert_eq!(report.count("skipped"), skipped, "{report:?}");
    }
}

/// As tcpdump -s 96 leaves them.
#[test]
fn frames_that_were_cut_when_captured_are_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cut.pcap");
    capture::write(&file, &[96, 1514, 42], Duration::ZERO);
    // The original length is the last word of a record's header, behind the file's of 24 bytes.
    let mut bytes = fs::read(&file).expect("the capture");
    bytes[24 + 12..24 + 16].copy_from_slice(&1514_u32.to_le_bytes());
    fs::write(&file, bytes).expect("the capture");
    let arguments = [&LINK[..], &["--pcap", text(&file)]].concat();
    let report = Report::of(&arguments, 0);
    assert_eq!(["sent", "skipped", "cut", "padded"].map(|name| report.count(name)), [3, 0, 1, 1], "{report:?}");
    let outcome = Outcome::of(&mut pktgen(&arguments));
    assert!(outcome.stdout.contains("snap length") && outcome.stdout.contains("filled up"), "{}", outcome.stdout);
}

#[test]
fn what_is_no_capture_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing.pcap");
    let nothing = folder.path().join("nothing.pcap");
    fs::write(&nothing, "").expect("a file");
    for (file, part) in [
        (missing, "missing.pcap"),
        (nothing, "it is empty"),
        (folder.path().to_owned(), "directory"),
        (data("not-a-capture.bin"), "not-a-capture.bin"),
        (data("empty.pcap"), "no frame that can be sent"),
        (data("truncated.pcap"), "after 3 frames"),
        (data("truncated.pcapng"), "after 3 frames"),
    ] {
        let outcome = Outcome::of(&mut pktgen(&[&LINK[..], &["--pcap", text(&file)]].concat()));
        assert_eq!(outcome.status, Some(2), "{}{}", outcome.stdout, outcome.stderr);
        assert!(outcome.stderr.contains("pktgen: ") && outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
    }
}
