//! Cables other than a straight good one: bad cables, echoes, links. What is bad is counted, and nothing hangs.

use super::{GENERATOR, Report, lacks_cores, report, with_ports};

const COUNT: u64 = 2000;
/// Of a million frames: one in ten.
const TENTH: &str = "100000";

/// A generator of [`COUNT`] frames.
fn generator(more: &str) -> String {
    format!("{GENERATOR},count={COUNT}{more}")
}

/// Two generators, the first with a bad cable.
fn bad_cable(fault: &str) -> Report {
    let bad = generator(&format!(",{fault}={TENTH},seed=7"));
    let report = report(&mut with_ports(&[bad, generator("")]), 1);
    for way in 0..2 {
        assert_eq!(report.way(way, "offered"), COUNT, "{report:?}");
    }
    report
}

/// Checks that about a tenth of all frames were hit: five in a hundred to fifteen in a hundred, 7 standard deviations.
#[track_caller]
fn assert_tenth(frames: u64, report: &Report) {
    assert!((COUNT / 20..COUNT * 3 / 20).contains(&frames), "{frames} of {COUNT}: {report:?}");
}

#[test]
fn loss_is_counted_both_ways() {
    let report = bad_cable("loss");
    for way in 0..2 {
        assert_tenth(report.way(way, "lost"), &report);
    }
    assert_eq!((report.count("/reordered"), report.count("/corrupted")), (0, 0), "{report:?}");
    assert_eq!(report.way(0, "forwarded") + report.way(0, "lost"), COUNT, "{report:?}");
}

#[test]
fn the_card_drops_what_was_damaged_on_its_way_in() {
    let report = bad_cable("corruption");
    assert_tenth(report.dropped("crc_errors"), &report);
    assert_eq!(report.way(0, "lost"), report.dropped("crc_errors"), "{report:?}");
    assert_eq!(report.way(0, "corrupted"), 0, "{report:?}");
    assert_tenth(report.way(1, "corrupted"), &report);
}

#[test]
fn duplicates_and_late_frames_are_reordered() {
    for fault in ["duplication", "reordering"] {
        let report = bad_cable(fault);
        for way in 0..2 {
            assert_tenth(report.way(way, "reordered"), &report);
        }
        assert_eq!((report.count("/lost"), report.count("/corrupted")), (0, 0), "{report:?}");
    }
}

#[test]
fn a_flapping_link_costs_frames_and_comes_back() {
    let flapping = generator(",flap=2000,seed=7");
    let report = report(&mut with_ports(&[flapping, generator("")]), 1);
    assert!(report.count("/lost") > 0, "{report:?}");
    for way in 0..2 {
        assert!(report.way(way, "forwarded") > 0, "{report:?}");
    }
}

#[test]
fn the_same_seed_hits_the_same_frames() {
    let lost = || {
        let report = bad_cable("loss");
        (report.way(0, "lost"), report.way(1, "lost"))
    };
    assert_eq!(lost(), lost());
}

#[test]
fn a_dead_cable_ends_too() {
    let dead = generator(",loss=1000000");
    let report = report(&mut with_ports(&[dead, generator("")]), 1);
    assert_eq!((report.count("/lost"), report.way(0, "forwarded")), (2 * COUNT, 0), "{report:?}");
}

#[test]
fn a_generator_checks_its_own_frames_behind_an_echo() {
    let ports = [generator(",flows=4"), "sim:ixgbe,peer=echo".into()];
    let report = report(&mut with_ports(&ports), 0);
    report.assert_clean();
    assert_eq!((report.way(0, "forwarded"), report.way(1, "forwarded")), (COUNT, COUNT), "{report:?}");
}

/// Checks that generators at the ends of a chain with these links check each other.
#[track_caller]
fn assert_chain_is_clean(links: &[&str]) {
    if lacks_cores(links.len() + 1) {
        return;
    }
    let link = |name: &str| format!("sim:ixgbe,peer=link:{name}");
    let between = links.iter().flat_map(|name| [link(name), link(name)]);
    let chain: Vec<String> = [generator("")].into_iter().chain(between).chain([generator("")]).collect();
    let report = report(&mut with_ports(&chain), 0);
    report.assert_clean();
    for way in 0..chain.len() {
        assert_eq!(report.way(way, "forwarded"), COUNT, "{report:?}");
    }
}

#[test]
fn generators_at_the_ends_of_a_chain_check_each_other() {
    assert_chain_is_clean(&["a"]);
}

#[test]
fn generators_at_the_ends_of_a_longer_chain_check_each_other() {
    assert_chain_is_clean(&["a", "b"]);
}

#[test]
fn into_a_sink() {
    let report = report(&mut with_ports(&[generator(""), "sim:ixgbe,peer=sink".into()]), 0);
    report.assert_clean();
    assert_eq!((report.way(0, "forwarded"), report.way(1, "forwarded")), (COUNT, 0), "{report:?}");
}
