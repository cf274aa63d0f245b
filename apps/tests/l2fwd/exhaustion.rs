//! Too few buffers: traffic degrades, each frame that is lost has a counted reason, and it recovers by itself.
//!
//! The pool is as small as the receive rings allow. What takes its buffers is what does so in the field: a transmit ring whose link is down
//! keeps its frames (60 ms here: the flap and the time that a link needs to come up), or a neighbour is slow.

use std::process::Command;

use gannet_apps::monitor::client;
use gannet_apps::monitor::state::State;
use gannet_harness::{Outcome, Running, wait_until};
use nix::sys::signal::Signal;

use super::{GENERATOR, Report, lacks_cores, with_ports};

/// Buffers of two ports' receive rings of 64 descriptors, and a few more: one transmit ring cannot be full without draining them.
const FEW: [&str; 4] = ["--ring", "64", "--buffers", "110"];

/// Frames that arrive in time, whether there is room or not, and long ones, so that the card itself holds few: 340.
const TIMED: &str = "sim:ixgbe,peer=gen,size=1518,rate=20000";

/// A port whose link goes down every 200 frames or so, for the first time before the 200th.
const FLAPPING: &str = "sim:ixgbe,peer=sink,flap=5000,seed=7";

/// More than can be forwarded without recovering from the first time.
const RECOVERED: u64 = 500;

/// Runs without end until frames have been lost for want of buffers and these ports have received [`RECOVERED`] that were forwarded, however
/// long that takes.
fn recovered(command: &mut Command, ports: &[usize]) -> Running {
    let folder = tempfile::tempdir().expect("a folder");
    let control = folder.path().join("control.sock");
    let running = Running::start(command.arg("--control").arg(&control));
    wait_until("losses, and recovery from them", || {
        client::state(&control, client::PATIENCE).is_ok_and(|state| {
            is_degraded(&state) && ports.iter().all(|port| state.ports[port ^ 1].tx_queues[0].packets > RECOVERED)
        })
    });
    running
}

/// Whether all has happened that [`assert_degraded`] wants to see, and frames were dropped before they could be sent.
fn is_degraded(State { ports, pools, .. }: &State) -> bool {
    let (rx, cards) = (ports.iter().map(|port| port.rx_queues[0]), ports.iter().map(|port| port.counted_by_card));
    let dropped = rx.clone().map(|rx| rx.no_buffer_drops).chain(cards.map(|card| card.rx_missed)).sum::<u64>();
    let [pool] = &pools[..] else { return false };
    dropped > 0 && rx.map(|rx| rx.no_buffers).sum::<u64>() > 0 && pool.alloc_empty > 0 && pool.pressure_entered > 0
}

/// Ends it. Frames were lost, of which the report tells.
#[track_caller]
fn end(running: Running) -> Outcome {
    running.signal(Signal::SIGTERM);
    let outcome = running.end();
    assert_eq!(outcome.status, Some(1), "{outcome}");
    outcome
}

/// The report of a run that has lost frames and recovered.
fn report(command: &mut Command, ports: &[usize]) -> Report {
    Report::parse(&end(recovered(command.arg("--json"), ports)).stdout)
}

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
    let report = report(with_ports(&[TIMED, FLAPPING]).args(FEW), &[0]);
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
        let report = report(with_ports(&[TIMED, FLAPPING]).args(FEW).args(set), &[0]);
        assert_degraded(&report);
        assert!(report.count("/forwarded") > RECOVERED, "{settings:?}: {report:?}");
    }
}

#[test]
fn it_is_told_while_it_happens() {
    let outcome = end(recovered(with_ports(&[TIMED, FLAPPING]).args(FEW), &[0]));
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
    let both_ways = format!("{GENERATOR},rate=20000");
    let ports = [TIMED, FLAPPING, &both_ways, &both_ways];
    let report = report(with_ports(&ports).args(["--ring", "64", "--buffers", "210"]), &[2, 3]);
    assert_degraded(&report);
    for way in [2, 3] {
        assert!(report.way(way, "forwarded") > RECOVERED, "way {way}: {report:?}");
    }
}
