//! What the harness must see, so that tests can rely on it: shown on the shell.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::Command;

use gannet_harness::capture::{assert_same, frames};
use gannet_harness::{Outcome, Running, data, guide, program, text_to_read, wait_until, without_listeners};

/// A shell that runs this.
fn sh(script: &str) -> Command {
    let mut command = program("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn an_outcome_is_all_that_there_is() {
    let outcome = Outcome::of(sh("cat; echo said >&2; exit 7").stdin(text_to_read("read\n")));
    assert_eq!((outcome.status, outcome.stdout.as_str(), outcome.stderr.as_str()), (Some(7), "read\n", "said\n"));
    assert_eq!(Outcome::of(&mut sh("kill -KILL $$")).status, None);
    // More than a pipe holds.
    assert_eq!(Outcome::fine(&mut sh("head -c 1000000 /dev/zero")).stdout.len(), 1_000_000);
}

#[test]
#[should_panic(expected = "thread 'main' panicked")]
fn a_panic_is_a_failure_whatever_the_exit_status() {
    Outcome::of(&mut sh("echo \"thread 'main' panicked\" >&2"));
}

#[test]
#[should_panic(expected = "\"-c\" \"exit 3\"")]
fn a_failure_tells_the_arguments() {
    Outcome::fine(&mut sh("exit 3"));
}

#[test]
fn nobody_listens() {
    assert_eq!(without_listeners(&mut sh("trap '' PIPE; echo said 2>/dev/null || exit 3")), Some(3));
}

#[test]
#[should_panic(expected = "told twice")]
fn a_refusal_says_things_once() {
    Outcome::of(&mut sh("echo 'x: (os error 2): (os error 2)' >&2; exit 2")).assert_refused(&["x: "]);
}

#[test]
fn a_line_is_waited_for_and_a_program_does_not_outlive_its_test() {
    let mut running = Running::start(&mut sh("printf 'not ' >&2; echo ready >&2; exec sleep 1000"));
    assert_eq!(running.wait_for_line("ready"), "not ready\n");
    let process = PathBuf::from(format!("/proc/{}", running.id()));
    assert!(process.exists() && !running.has_ended());
    drop(running);
    wait_until("its end", || !process.exists());
}

#[test]
#[should_panic(expected = "it has ended without \"ready\": no\n")]
fn a_line_that_does_not_come_is_not_waited_for() {
    Running::start(&mut sh("echo no >&2")).wait_for_line("ready");
}

#[test]
#[should_panic(expected = "number of frames, first that differs")]
fn frames_that_are_missing_are_seen() {
    let all = frames(&data("traffic.pcap"));
    assert_same(&all, &frames(&data("traffic.pcapng")));
    assert_same(&all[1..], &all);
}

#[test]
fn numbers_are_no_part_of_a_shape() {
    assert_eq!(guide::shape("  0 -> 1   12.5 Mpps"), "# -> # #.# Mpps");
}

#[test]
#[should_panic(expected = "is not printed")]
fn a_line_that_is_not_printed_is_seen() {
    guide::assert_printed("sent 1\nlost 0\n", "sent 20\n", guide::shape);
}
