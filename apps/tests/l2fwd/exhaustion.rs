//! Too few buffers: traffic degrades, each frame that is lost has a counted reason, and it recovers by itself.
//!
//! The pool is as small as the receive rings allow. What takes its buffers is what does so in the field: a transmit ring whose link is down
//! keeps its frames (60 ms here: the flap and the time that a link needs to come up), or a neighbour is slow.

use gannet_harness::Outcome;

use super::{GENERATOR, Report, lacks_cores, report, with_ports};

/// Buffers of two ports' receive rings of 64 descriptors, and a few more: one transmit ring cannot be full without draining them.
const FEW: [&str; 4] = ["--ring", "64", "--buffers", "110"];

/// Frames that arrive in time, whether there is room or not, and long ones, so that the card itself holds few: 340.
const TIMED: &str = "sim:ixgbe,peer=gen,size=1518,rate=20000,count=20000";

/// A port whose link goes down every 200 frames or so, for the first time before the 200th.
const FLAPPING: &str = "sim:ixgbe,peer=sink,flap=5000,seed=7";

/// More than can be forwarded without recovering from the first time, even if a loaded machine gives the cable few turns.
const RECOVERED: u64 = 500;

/// Checks that frames were lost for want of buffers and nothing else went wrong: each one that did not come through is counted with its
/// reason. (No buffer is missing in the end: [`Report::parse`].)
#[track_caller]
fn assert_degraded(report: &Report) {
    assert!(report.count("/no_buffers") > 0, "{report:?}");
    assert!(report.pool("stats/alloc_empty") > 0, "{report:?}");
    assert!(report.pool("pressure_entered") > 0, "{report:?}");
    assert_counted(report);
}

/// Checks that each frame was handed to a card, or dropped for a reason.
#[track_caller]
fn assert_counted(report: &Report) {
    let offered: u64 = (0..report.ways()).map(|way| report.way(way, "offered")).sum();
    assert_eq!(offered, report.count("/forwarded") + report.dropped_before_sending(), "{report:?}");
    assert_eq!(report.problems(), [""; 0], "{report:?}");
}

#[test]
fn a_link_that_goes_down_takes_the_buffers_and_gives_them_back() {
    let report = report(with_ports(&[TIMED, FLAPPING]).args(FEW), 1);
    assert_degraded(&report);
    assert!(report.dropped_before_sending() > 0, "{report:?}");
    assert!(report.count("/forwarded") > RECOVERED, "{report:?}");
}

#[test]
fn whatever_the_caches_are_like() {
    for settings in [
        &["pool.cache=0"][..],
        &["pool.cache=1"],
        &["pool.cache=64", "pool.cache_refill_percent=100", "pool.cache_flush_percent=100"],
        &["pool.tracking=1"],
        &["pool.watermark_low_percent=50", "pool.watermark_pressure_percent=60", "pool.watermark_high_percent=70"],
    ] {
        let set = settings.iter().flat_map(|setting| ["--set", setting]);
        let report = report(with_ports(&[TIMED, FLAPPING]).args(FEW).args(set), 1);
        assert_degraded(&report);
        assert!(report.count("/forwarded") > RECOVERED, "{settings:?}: {report:?}");
    }
}

#[test]
fn it_is_told_while_it_happens() {
    let outcome = Outcome::of(with_ports(&[TIMED, FLAPPING]).args(FEW));
    assert_eq!(outcome.status, Some(1), "{}{}", outcome.stdout, outcome.stderr);
    let pressure = outcome.stderr.lines().find(|line| line.starts_with("pool packets: ")).unwrap_or_default();
    assert!(pressure.contains("pressure, ") && pressure.ends_with("of 110 buffers in use"), "{}", outcome.stderr);
    for part in ["starved", "dropped"] {
        assert!(outcome.stdout.lines().any(|line| line.starts_with(part)), "{part}: {}", outcome.stdout);
    }
}

#[test]
fn frames_in_a_circle_do_not_wait_for_each_other() {
    // What comes back from the echo needs the buffers that the frames on their way there have.
    let ports = ["sim:ixgbe,peer=gen,count=50000", "sim:ixgbe,peer=echo"];
    let outcome = Outcome::of(with_ports(&ports).args(FEW).arg("--json"));
    let report = Report::parse(&outcome.stdout);
    assert_eq!(report.way(0, "offered"), 50_000, "{report:?}");
    assert_counted(&report);
}

#[test]
fn a_neighbour_that_shares_the_pool_goes_on() {
    if lacks_cores(2) {
        return;
    }
    let both_ways = format!("{GENERATOR},rate=20000,count=20000");
    let ports = [TIMED, FLAPPING, &both_ways, &both_ways];
    let report = report(with_ports(&ports).args(["--ring", "64", "--buffers", "210"]), 1);
    assert_degraded(&report);
    for way in [2, 3] {
        assert!(report.way(way, "forwarded") > RECOVERED, "way {way}: {report:?}");
    }
}
