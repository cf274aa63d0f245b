//! Packet memory as the program shows it: tunables, the size of its pool, its report.

use gannet_harness::{Outcome, guide};

use super::{GENERATOR, Report, l2fwd, lacks_cores, report, with_ports};

/// Two generators of 3000 frames, both ways at full speed.
fn forward(arguments: &[&str]) -> Report {
    let generator = format!("{GENERATOR},count=3000");
    let report = report(with_ports(&[&generator, &generator]).args(arguments), 0);
    report.assert_clean();
    report
}

/// The pool of [`forward`].
fn assert_calm(arguments: &[&str]) {
    let report = forward(arguments);
    assert_eq!(
        (report.pool("pressure_entered"), report.pool("stats/alloc_empty")),
        (0, 0),
        "{arguments:?}: {report:?}"
    );
}

#[test]
fn the_pool_has_room_for_all_rings_caches_and_bursts_without_pressure() {
    assert_calm(&[]);
    assert_calm(&["--burst", "256", "--ring", "64"]);
    assert_calm(&["--ring", "4096"]);
    for cache in ["0", "1", "65536"] {
        assert_calm(&["--set", &format!("pool.cache={cache}")]);
    }
    assert_calm(&["--set", "pool.watermark_low_percent=40", "--set", "pool.watermark_pressure_percent=50"]);
}

#[test]
fn tunables_take_effect_and_are_reported() {
    let cached = forward(&["--set", "pool.cache=256", "--set", "pool.cache_refill_percent=25"]);
    assert_eq!((cached.tunable("pool.cache"), cached.tunable("pool.cache_refill_percent")), (256, 25), "{cached:?}");
    assert!(cached.pool("stats/alloc_fast") > cached.pool("stats/alloc_slow"), "{cached:?}");
    let uncached = forward(&["--set", "pool.cache=0"]);
    assert_eq!(uncached.pool("stats/alloc_fast"), 0, "{uncached:?}");
    assert!(uncached.pool("stats/alloc_slow") >= 6000, "{uncached:?}");
}

#[test]
fn a_tracked_pool_forwards_and_nothing_is_left_behind() {
    let report = forward(&["--set", "pool.tracking=1", "--mac-swap"]);
    assert_eq!(report.tunable("pool.tracking"), 1, "{report:?}");
    assert_eq!(report.pool("census/out"), 0, "{report:?}");
}

#[test]
fn the_tunables_are_shown_with_the_values_that_are_set() {
    let outcome = Outcome::of(l2fwd().args(["--tunables", "--set", "pool.cache=77"]));
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    let mut lines = outcome.stdout.lines();
    let titles: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(titles, ["TUNABLE", "VALUE", "DEFAULT", "RANGE", "UNIT", "DESCRIPTION"], "{}", outcome.stdout);
    let cache: Vec<&str> = lines.find(|line| line.starts_with("pool.cache ")).unwrap_or_default().split("  ").collect();
    let cache: Vec<&str> = cache.into_iter().map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(cache[..5], ["pool.cache", "77", "512", "0 to 65536", "buffers"], "{}", outcome.stdout);
    assert_eq!(outcome.stderr, "");
}

#[test]
fn for_people_the_report_ends_with_the_pools() {
    let generator = format!("{GENERATOR},count=1000");
    let outcome = Outcome::of(&mut with_ports(&[&generator, &generator]));
    assert_eq!(outcome.status, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    let pools: Vec<&str> = outcome.stdout.lines().filter(|line| line.starts_with("packets ")).collect();
    assert_eq!(pools.len(), 2, "where the buffers are, what has been done with them: {}", outcome.stdout);
    assert!(pools[0].contains("calm") && pools[0].contains("2916"), "{}", outcome.stdout);
    // What did not happen is not told.
    for part in ["dropped", "starved", "problem", "TUNABLE"] {
        assert!(!outcome.stdout.contains(part), "{part}: {}", outcome.stdout);
    }
}

#[test]
fn two_pairs_and_four_queues_share_a_pool_that_stays_calm() {
    if lacks_cores(2) {
        return;
    }
    let generator = format!("{GENERATOR},count=3000,flows=16");
    // Where a port has several queues, frames for a full one are dropped by the card: some may be lost.
    let outcome = Outcome::of(with_ports(&[&generator; 4]).args(["--queues", "4", "--json"]));
    let report = Report::parse(&outcome.stdout);
    assert_eq!((report.pool("pressure_entered"), report.pool("stats/alloc_empty")), (0, 0), "{report:?}");
    assert_eq!(report.count("/buffers_while_running/total"), report.pool("census/total"), "{report:?}");
}

#[test]
fn the_guide_shows_the_tunables_as_they_are() {
    let shown = guide::transcript("l2fwd", "l2fwd --tunables");
    assert_eq!(Outcome::of(l2fwd().args(shown.arguments())).stdout, shown.output);
}

#[test]
fn the_guides_example_of_a_small_pool_loses_frames_and_says_why() {
    let shown = guide::transcript("l2fwd", "l2fwd --ring 64 --buffers");
    let outcome = Outcome::of(l2fwd().args(shown.arguments()));
    assert_eq!(outcome.status, Some(1), "{}{}", outcome.stdout, outcome.stderr);
    // The numbers differ from run to run, and which card or ring it was that dropped.
    for line in ["way  ", "0 -> 1", "dropped  ", "starved  ", "POOL     BUFFERS", "POOL     ALLOC FAST", "packets  "] {
        for text in [&shown.output, &outcome.stdout] {
            assert!(text.lines().any(|printed| printed.starts_with(line.trim_end())), "{line}: {text}");
        }
    }
    for text in [&shown.output, &outcome.stderr] {
        assert!(text.contains("pool packets: pressure, ") && text.contains(": link down"), "{text}");
    }
}
