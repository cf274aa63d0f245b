//! Runs without end, ended from outside: Ctrl-C, SIGTERM, nobody who listens.

use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use gannet_harness::{Outcome, Running, with_full_disk, without_listeners};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::{GENERATOR, Report, l2fwd, play, report, with_ports};

/// A signal must end the program in this time. What it takes: 50 ms of quiet, the cards' stop; much longer where others keep the cores busy.
const END: Duration = Duration::from_secs(60);

/// Sends a signal that must end the program soon.
#[track_caller]
fn end(program: Running, signal: Signal) -> Outcome {
    let start = Instant::now();
    program.signal(signal);
    let outcome = program.end();
    assert!(start.elapsed() < END, "it ended {:?} after the signal", start.elapsed());
    outcome
}

fn ends_with_a_report_after(signal: Signal) {
    let named = with_ports(&[GENERATOR; 2]);
    // Not ignored, as it is where these tests are run by nohup: programs keep to that.
    let mut command = Command::new("env");
    command.arg(format!("--default-signal={}", signal.as_str())).arg(named.get_program()).args(named.get_args());
    if let Some(folder) = named.get_current_dir() {
        command.current_dir(folder);
    }
    let mut program = Running::start(&mut command);
    let first = program.wait_for_line("Mpps");
    assert!(first.contains("0->1") && first.contains("1->0"), "{first}");
    let outcome = end(program, signal);
    assert_eq!(outcome.status, Some(0));
    let text = outcome.stdout;
    let stopped = text.lines().find(|line| line.contains("stopped:")).unwrap_or_default();
    assert!(stopped.ends_with("RX rings 0 + TX rings 0 + application 0"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("all ")), "{text}");
}

#[test]
fn ctrl_c_ends_with_the_report() {
    ends_with_a_report_after(Signal::SIGINT);
}

#[test]
fn sigterm_ends_with_the_report() {
    ends_with_a_report_after(Signal::SIGTERM);
}

#[test]
fn a_terminal_that_is_gone_ends_with_the_report() {
    ends_with_a_report_after(Signal::SIGHUP);
}

#[test]
fn a_signal_at_any_moment_ends_with_a_whole_report() {
    // While the cards are brought up, when they are, and just when the first packets move.
    for delay_ms in [40, 80, 120, 160] {
        let program = Running::start(with_ports(&[GENERATOR; 2]).arg("--json"));
        thread::sleep(Duration::from_millis(delay_ms));
        // Not SIGINT, which a shell ignores for programs in the background until they catch it.
        let outcome = end(program, Signal::SIGTERM);
        match outcome.status {
            Some(0) => Report::parse(&outcome.stdout).assert_clean(),
            // So early, on a slow machine, that nobody caught it yet.
            None => assert_eq!(outcome.stdout, ""),
            other => panic!("status {other:?} after {delay_ms} ms"),
        }
    }
}

#[test]
fn a_signal_ends_the_wait_for_a_named_pipe() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).expect("a named pipe");
    let program = Running::start(&mut with_ports(&[play(&pipe), "sim:ixgbe,peer=sink".into()]));
    // It waits in the kernel when it has this to wait for.
    let waits = format!("/proc/{}/wchan", program.id());
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1)
        && !fs::read_to_string(&waits).is_ok_and(|at| at.contains("wait_for_partner"))
    {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(end(program, Signal::SIGTERM).status, None, "ended by the signal");
}

#[test]
fn nobody_needs_to_listen() {
    assert_eq!(without_listeners(with_ports(&[GENERATOR; 2]).args(["--duration", "1.2"])), Some(0));
}

#[test]
fn errors_need_no_listener_either() {
    assert_eq!(without_listeners(with_ports(&[GENERATOR; 2]).args(["--burst", "0"])), Some(2));
}

#[test]
fn a_full_disk_behind_its_output_is_told() {
    assert_eq!(with_full_disk(l2fwd().args(["--duration", "0.3"])), [Some(2), Some(0)]);
}

#[test]
fn a_duration_ends_what_has_no_end() {
    report(with_ports(&[GENERATOR; 2]).args(["--duration", "0.3"]), 0).assert_clean();
}
