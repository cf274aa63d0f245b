//! What is sent arrives, and what does not is counted.

use std::time::Instant;

use gannet_harness::{Outcome, PATIENCE, skip};

use super::{LINK, Report, pktgen};

/// Runs on two ports with a good cable.
fn clean(arguments: &[&str], frames: u64) -> Report {
    let report = Report::of(&[&LINK[..], arguments].concat(), 0);
    report.assert_clean(frames);
    report
}

#[test]
fn a_count_is_exact() {
    for count in [1, 31, 32, 33, 20_000] {
        let report = clean(&["--count", &count.to_string()], count);
        assert!(report.measured("/latency_ns/min") > 0.0, "{report:?}");
        assert!(report.0["lateness_ns"].is_null() && report.0["asked_pps"].is_null(), "{report:?}");
    }
}

#[test]
fn traffic_of_all_kinds_arrives() {
    for options in [
        &["--size", "imix", "--flows", "1000"][..],
        &["--size", "64-1518", "--vlan", "5-9"],
        &["--size", "1518", "--burst", "1"],
        &["--size", "1522", "--vlan", "1", "--ring", "64"],
        &["--size", "9018", "--mtu", "9000"],
        &["--size", "9000-9022", "--mtu", "9000", "--vlan", "7"],
        &["--size", "15872", "--mtu", "15854", "--ring", "64"],
        &["--size", "80", "--src-ip", "2001:db8::1-2001:db8::ff", "--dst-ip", "2001:db8::1:1"],
        &["--src-mac", "random", "--dst-port", "random", "--flows", "65536", "--seed", "7", "--burst", "256"],
    ] {
        clean(&[options, &["--count", "3000"]].concat(), 3000);
    }
}

#[test]
fn both_ways_are_counted_together() {
    clean(&["--both-ways", "--count", "5000", "--size", "128"], 10_000);
}

#[test]
fn an_echo_needs_one_port() {
    Report::of(&["--port", "sim:ixgbe,peer=echo", "--count", "5000"], 0).assert_clean(5000);
}

#[test]
fn one_core_can_send_and_another_receive() {
    let cores = gannet_apps::cores::available().expect("the kernel tells");
    let [first, second, ..] = cores[..] else { return skip("needs two cores") };
    clean(&["--cores", &format!("{first},{second}"), "--count", "5000"], 5000);
    clean(&["--cores", &first.to_string(), "--count", "5000"], 5000);
}

/// The cable's faults depend on its seed and the number of the frame alone. That the counts are exact is tested where the cable tells them
/// (apps/src/bin/pktgen/worker/tests.rs); here, that they add up and have their exit status.
#[test]
fn a_bad_cable_is_told_of() {
    let bad = "sim:ixgbe,peer=link:a,loss=2000,duplication=2000,corruption=2000,seed=5";
    let report = Report::of(&["--port", bad, "--port", LINK[1], "--count", "30000"], 1);
    let [sent, received, lost, duplicated, corrupted, foreign] =
        ["sent", "received", "lost", "duplicated", "corrupted", "foreign"].map(|name| report.count(name));
    assert_eq!((sent, received + lost + corrupted, foreign), (30_000, 30_000, 0), "{report:?}");
    assert!([lost, duplicated, corrupted].iter().all(|count| (20..100).contains(count)), "{report:?}");
    let again = Report::of(&["--port", bad, "--port", LINK[1], "--count", "30000"], 1);
    for name in ["lost", "duplicated", "corrupted", "rewritten"] {
        assert_eq!(report.count(name), again.count(name), "{name}");
    }
}

#[test]
fn frames_of_others_are_no_fault() {
    let report =
        Report::of(&["--port", "sim:ixgbe,peer=echo", "--port", "sim:ixgbe,peer=gen,count=100", "--count", "100"], 1);
    // The second port receives what its generator sends, and nothing of what the first has sent.
    let foreign = report.count("foreign");
    // Frames of others do not keep a run going: on a busy machine it may end before all are there.
    assert!(report.count("lost") == 100 && (1..=200).contains(&foreign), "{report:?}");
}

/// Frames that are held for a millisecond each way, one at a time: then the time that all took is the sum of what each took. Two
/// clocks' worth of evidence from one run, so a slow machine changes both. (A core that is taken away just between a frame's arrival
/// and the next one's departure does not, hence the tries: on a busy machine any number.)
#[test]
fn latency_agrees_with_the_time_that_the_run_took() {
    const FRAMES: u64 = 100;
    let held = "sim:ixgbe,peer=echo,reordering=1000000";
    let (start, mut seen) = (Instant::now(), Vec::new());
    while start.elapsed() < PATIENCE {
        // A core that is away for longer than the window's patience sends the next frame early: also for another try.
        let outcome =
            Outcome::of(pktgen(&["--port", held, "--window", "1", "--count", &FRAMES.to_string()]).arg("--json"));
        let report = Report::parse(&outcome.stdout);
        if outcome.status != Some(0) {
            eprintln!("not clean: {report:?}");
            continue;
        }
        report.assert_clean(FRAMES);
        let (mean, each) = (report.measured("/latency_ns/mean"), report.measured("/seconds") * 1e9 / FRAMES as f64);
        assert!(mean > 2e6, "held twice: {report:?}");
        if (mean / each - 1.0).abs() < 0.05 {
            return;
        }
        seen.push((mean, each));
    }
    panic!("mean latency and time for each frame, in nanoseconds: {seen:?}");
}

#[test]
fn a_rate_that_cannot_be_reached_is_told() {
    // A hundred thousand times what software cards do.
    let outcome = Outcome::of(&mut pktgen(&[&LINK[..], &["--rate", "1000000Mpps", "--count", "20000"]].concat()));
    assert_eq!(outcome.status, Some(1), "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains("% of the rate was reached"), "{}", outcome.stdout);
}

/// The frames of a cycle that is not whole are larger or smaller than the mean: frames a second would say nothing of the rate.
#[test]
fn a_rate_in_bits_is_judged_in_bits() {
    let options = ["--size", "imix", "--rate", "1Mbps", "--count", "31", "--json"];
    let outcome = Outcome::of(&mut pktgen(&[&LINK[..], &options].concat()));
    let report = Report::parse(&outcome.stdout);
    assert!(
        (report.measured("/asked_bits_per_second") - 1e6).abs() < 1.0 && report.0["asked_pps"].is_null(),
        "{report:?}"
    );
    let share = (report.measured("/bits_per_second") / 1e6).min(1.0);
    assert!((report.measured("/share_of_asked") - share).abs() < 1e-9, "{report:?}");
    assert_eq!(outcome.status, Some(if share >= 0.99 { 0 } else { 1 }), "{report:?}");
}

#[test]
fn a_rate_is_not_exceeded() {
    // 2000 frames at 10000 a second take 200 ms at least, however slow the machine is.
    let outcome = Outcome::of(pktgen(&[&LINK[..], &["--rate", "10kpps", "--count", "2000"]].concat()).arg("--json"));
    assert!(matches!(outcome.status, Some(0 | 1)), "{}", outcome.stderr);
    let report = Report::parse(&outcome.stdout);
    assert_eq!((report.count("sent"), report.count("received")), (2000, 2000), "{report:?}");
    assert!(report.measured("/seconds") >= 0.19, "{report:?}");
    assert!(report.measured("/lateness_ns/max") > 0.0, "{report:?}");
    assert!((report.measured("/asked_pps") - 1e4).abs() < 1.0, "{report:?}");
}

#[test]
fn for_people_it_prints_plain_lines_when_this_is_no_terminal() {
    let outcome = Outcome::of(&mut pktgen(&["--duration", "2.5", "--rate", "1kpps"]));
    assert!(matches!(outcome.status, Some(0 | 1)), "{}{}", outcome.stdout, outcome.stderr);
    for part in ["sent ", "received ", "lost ", "MICROSECONDS", "latency ", "pacing "] {
        assert!(outcome.stdout.lines().any(|line| line.starts_with(part)), "{part}: {}", outcome.stdout);
    }
    assert!(outcome.stderr.lines().any(|line| line.contains("missing")), "a line each second: {}", outcome.stderr);
    for text in [&outcome.stdout, &outcome.stderr] {
        assert!(!text.contains(['\x1b', '\r']), "control characters: {text:?}");
    }
}

#[test]
fn json_stands_alone() {
    let outcome = Outcome::of(&mut pktgen(&["--duration", "1.2", "--rate", "1kpps", "--json"]));
    let report = Report::parse(&outcome.stdout);
    assert!(report.count("sent") > 0, "{report:?}");
    assert!(!outcome.stderr.contains("missing"), "{}", outcome.stderr);
}
