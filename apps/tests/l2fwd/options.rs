//! The generator's settings and more than one pair of ports.

use super::{GENERATOR, lacks_cores, report, with_ports};

/// Frames of a run that ends by their number.
const COUNT: u64 = 5000;

/// Two ports with generators of these settings.
fn generators(settings: &str) -> [String; 2] {
    [format!("{GENERATOR},{settings}"), format!("{GENERATOR},{settings}")]
}

#[test]
fn every_counted_frame_arrives_and_the_run_ends_by_itself() {
    for settings in ["size=64", "size=65", "size=1518", "flows=8", "flows=16384", "size=1518,flows=8"] {
        let report = report(&mut with_ports(&generators(&format!("count={COUNT},{settings}"))), 0);
        report.assert_clean();
        for way in 0..2 {
            assert_eq!(report.way(way, "offered"), COUNT, "{settings}: {report:?}");
            assert_eq!(report.way(way, "forwarded"), COUNT, "{settings}: {report:?}");
        }
    }
}

#[test]
fn jumbo_frames_need_an_mtu() {
    let settings = format!("size=9018,count={COUNT}");
    let mut command = with_ports(&generators(&settings));
    let report = report(command.args(["--mtu", "9000"]), 0);
    report.assert_clean();
    assert_eq!([0, 1].map(|way| report.way(way, "forwarded")), [COUNT, COUNT], "{report:?}");
    // Without one the card takes none of them.
    let report = super::report(&mut with_ports(&generators(&settings)), 1);
    assert_eq!((report.count("/forwarded"), report.count("/lost")), (0, 2 * COUNT), "{report:?}");
}

#[test]
fn a_slow_generator_loses_nothing_not_even_its_first_frame() {
    let report = report(&mut with_ports(&generators("rate=1000,count=200")), 0);
    report.assert_clean();
    assert_eq!(report.count("/forwarded"), 400, "{report:?}");
    let seconds = report.measured("/seconds").expect("a duration");
    assert!(seconds >= 0.19, "200 frames at 1000 a second: {report:?}");
}

#[test]
fn one_way_only() {
    let silent = format!("{GENERATOR},count=0");
    let report = report(&mut with_ports(&[format!("{GENERATOR},count={COUNT}"), silent]), 0);
    report.assert_clean();
    assert_eq!((report.way(0, "forwarded"), report.way(1, "forwarded")), (COUNT, 0), "{report:?}");
}

#[test]
fn two_pairs_of_ports_do_not_mix() {
    if lacks_cores(2) {
        return;
    }
    let ports = [generators(&format!("count={COUNT}")), generators("count=700,size=200")].concat();
    let report = report(&mut with_ports(&ports), 0);
    report.assert_clean();
    let forwarded: Vec<u64> = (0..4).map(|way| report.way(way, "forwarded")).collect();
    assert_eq!(forwarded, [COUNT, COUNT, 700, 700], "{report:?}");
}

#[test]
fn a_frame_longer_than_a_buffer_is_dropped_and_counted() {
    let mut command = with_ports(&generators("size=1518,count=3000"));
    let report = report(command.args(["--buffer-size", "1024"]), 1);
    assert_eq!(report.count("/forwarded"), 0, "{report:?}");
    assert_eq!(report.count("/lost"), 6000, "{report:?}");
    assert_eq!(report.dropped("oversize"), 6000, "{report:?}");
}
