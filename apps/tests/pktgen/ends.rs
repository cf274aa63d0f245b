//! Ends from outside: Ctrl-C, SIGTERM, nobody who listens, a full disk.

use gannet_apps::monitor::client;
use gannet_harness::{Running, wait_until, with_full_disk, without_listeners};
use nix::sys::signal::Signal;

use super::{LINK, Report, pktgen};

#[test]
fn a_signal_ends_with_the_whole_report() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut program = Running::start(pktgen(&LINK).args(["--size", "256"]));
        // Without end: a line each second.
        program.wait_for_line("missing");
        program.signal(signal);
        let outcome = program.end();
        assert_eq!(outcome.status, Some(0));
        assert!(outcome.stdout.contains("interrupted") && outcome.stdout.contains("latency"), "{outcome:?}");
    }
}

#[test]
fn a_signal_when_all_is_sent_interrupts_nothing() {
    // None of the frames comes back, so it waits for them.
    let ports = ["--port", "sim:ixgbe,peer=sink", "--count", "5", "--settle", "3s"];
    let folder = tempfile::tempdir().expect("a folder");
    let control = folder.path().join("control.sock");
    let program = Running::start(pktgen(&ports).arg("--json").arg("--control").arg(&control));
    wait_until("it to have sent all", || {
        client::state(&control, client::PATIENCE)
            .is_ok_and(|state| state.cores.iter().map(|core| core.packets).sum::<u64>() >= 5)
    });
    program.signal(Signal::SIGTERM);
    let report = Report::parse(&program.end().stdout);
    assert_eq!((report.count("sent"), report.count("lost")), (5, 5), "{report:?}");
    assert!(report.0["interrupted"] == false, "{report:?}");
}

#[test]
fn nobody_needs_to_listen() {
    for arguments in [&["--count", "100"][..], &["--duration", "1.2", "--json"]] {
        assert_eq!(without_listeners(pktgen(&LINK).args(arguments)), Some(0), "{arguments:?}");
    }
}

#[test]
fn errors_need_no_listener_either() {
    assert_eq!(without_listeners(pktgen(&LINK).args(["--flows", "0"])), Some(2));
}

#[test]
fn a_full_disk_behind_its_output_is_survived() {
    assert_eq!(with_full_disk(pktgen(&LINK).args(["--count", "100"])), [Some(2), Some(0)]);
}

#[test]
fn a_run_that_is_interrupted_counts_what_was_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let control = folder.path().join("control.sock");
    let options = ["--rate", "1kpps", "--count", "1000000", "--json", "--control"];
    let program = Running::start(pktgen(&LINK).args(options).arg(&control));
    wait_until("it to send", || {
        client::state(&control, client::PATIENCE).is_ok_and(|state| state.cores.iter().any(|core| core.packets > 0))
    });
    program.signal(Signal::SIGTERM);
    let outcome = program.end();
    assert_eq!(outcome.status, Some(1), "it is not what was asked for");
    let report = Report::parse(&outcome.stdout);
    assert!(report.0["interrupted"] == true, "{report:?}");
    assert!(report.0["problems"].to_string().contains("interrupted before all was sent"), "{report:?}");
    assert!(report.count("sent") > 0, "{report:?}");
    assert_eq!(report.count("sent"), report.count("received"), "{report:?}");
}
