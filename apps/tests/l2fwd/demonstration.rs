//! Without ports: two software cards and numbered frames both ways. Here for part of a second instead of five.

use gannet_harness::Outcome;

use super::{Report, cores, l2fwd, report};

const SHORT: [&str; 2] = ["--duration", "0.3"];

/// Runs the demonstration with these arguments too, and checks that it went well.
fn demonstrate(arguments: &[&str]) -> Report {
    let report = report(l2fwd().args(SHORT).args(arguments), 0);
    report.assert_clean();
    assert!(report.count("/forwarded") > 0, "{report:?}");
    report
}

#[test]
fn forwards_without_loss_and_measures() {
    let report = report(l2fwd().args(["--duration", "1"]), 0);
    report.assert_clean();
    for way in 0..2 {
        assert!(report.way(way, "forwarded") > 0, "{report:?}");
        assert_eq!(report.way(way, "forwarded"), report.way(way, "offered"), "{report:?}");
    }
    for measured in ["/forwarded_pps", "/driver_cycles_per_packet", "/start_ms"] {
        assert!(report.measured(measured).is_some_and(|value| value > 0.0), "{measured}: {report:?}");
    }
    let seconds = report.measured("/seconds").expect("a duration");
    assert!((1.0..60.0).contains(&seconds), "{report:?}");
}

#[test]
fn swapped_addresses_are_no_corruption() {
    demonstrate(&["--mac-swap"]);
}

#[test]
fn bursts_of_one_and_of_256() {
    demonstrate(&["--burst", "1"]);
    demonstrate(&["--burst", "256"]);
}

#[test]
fn shortest_and_longest_rings() {
    demonstrate(&["--ring", "64"]);
    demonstrate(&["--ring", "4096"]);
    demonstrate(&["--ring", "64", "--burst", "256"]);
}

#[test]
fn the_smallest_pool_that_fills_all_rings_and_bursts_loses_nothing() {
    // Two receive rings of 64 descriptors have 48 buffers, two transmit rings 63, two bursts 32.
    let report = demonstrate(&["--ring", "64", "--buffers", "286"]);
    assert_eq!(report.count("/buffers/total"), 286, "{report:?}");
}

#[test]
fn small_buffers_and_large_ones() {
    demonstrate(&["--buffer-size", "1024"]);
    demonstrate(&["--buffer-size", "16384"]);
}

#[test]
fn stays_on_the_core_that_is_named() {
    demonstrate(&["--cores", &cores()[0].to_string()]);
}

#[test]
fn for_people_it_prints_plain_lines_when_this_is_no_terminal() {
    let outcome = Outcome::of(l2fwd().args(["--duration", "2"]));
    assert_eq!(outcome.status, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    for part in ["0 -> 1", "1 -> 0", "all ", "cycles a packet", "to the first packet", "buffers    stopped"] {
        assert!(outcome.stdout.contains(part), "{part}: {}", outcome.stdout);
    }
    assert!(outcome.stderr.lines().any(|line| line.contains("Mpps")), "a line each second: {}", outcome.stderr);
    for text in [&outcome.stdout, &outcome.stderr] {
        assert!(!text.contains(['\x1b', '\r']), "control characters: {text:?}");
    }
}

#[test]
fn json_stands_alone() {
    let outcome = Outcome::of(l2fwd().args(["--duration", "1.2", "--json"]));
    assert_eq!(outcome.status, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    Report::parse(&outcome.stdout);
    assert!(!outcome.stderr.contains("Mpps"), "{}", outcome.stderr);
}
