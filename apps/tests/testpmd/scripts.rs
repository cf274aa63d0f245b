//! Where commands come from, and what becomes of the program when one of them is wrong.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use gannet_harness::{Outcome, Running, full_disk, text_to_read, wait_until};
use nix::sys::signal::Signal;

use super::{THOUSAND, testpmd, with_ports};

#[test]
fn from_an_option_a_file_and_the_standard_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("script");
    let script = "# which engine\nset engine mac   # not io\n\nset burst 4\n";
    fs::write(&file, script).expect("a script");
    let expected = "engine mac\nbursts of 4 packets\n";
    let file = file.to_str().expect("a path of text");
    assert_eq!(Outcome::fine(testpmd().args(["--script", file])).stdout, expected);
    assert_eq!(Outcome::fine(testpmd().args(["--script", "-"]).stdin(text_to_read(script))).stdout, expected);
    assert_eq!(Outcome::fine(testpmd().stdin(text_to_read(script))).stdout, expected);
    assert_eq!(Outcome::fine(testpmd().args(["-e", "set engine mac; set burst 4;"])).stdout, expected);
}

#[test]
fn a_wrong_command_ends_a_script_and_is_told_with_its_place() {
    let outcome = Outcome::of(testpmd().stdin(text_to_read("show engines\n\nshow prot 0\nset engine mac\n")));
    assert_eq!(outcome.status, Some(2), "{}", outcome.stderr);
    let said = "testpmd: standard input, line 3: show prot 0: no such command, did you mean \"show port\"?\n";
    assert!(outcome.stderr.ends_with(said), "{}", outcome.stderr);
    assert!(!outcome.stdout.contains("engine mac"), "{}", outcome.stdout);

    let outcome = Outcome::of(testpmd().args(["-e", "show engines; start; start; stop"]));
    assert_eq!(outcome.status, Some(2));
    let said = "testpmd: --execute, command 3: start: forwarding goes on already: stop ends it\n";
    assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
}

#[test]
fn with_keep_going_it_ends_with_the_script() {
    let outcome = Outcome::of(testpmd().arg("--keep-going").stdin(text_to_read("strat\nset engine mac\nset engine\n")));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), "engine mac\n"));
    assert!(
        outcome.stderr.contains("line 1: strat") && outcome.stderr.contains("line 3: set engine"),
        "{}",
        outcome.stderr
    );
    let json = Outcome::of(testpmd().args(["--json", "--keep-going", "-e", "strat; set engine mac"])).json();
    assert_eq!(json[0]["command"], "strat");
    assert!(json[0]["error"].as_str().is_some_and(|why| why.contains("did you mean \"start\"")), "{json:?}");
    assert_eq!(json[1]["answer"]["done"], "engine mac");
}

#[test]
fn a_wait_in_vain_is_not_the_scripts_fault() {
    let outcome = Outcome::of(with_ports(&THOUSAND).args(["-e", "start; wait packets 1001 0.3; show engines"]));
    assert_eq!((outcome.status, outcome.stdout.lines().count()), (Some(1), 1), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("packets after 0.3 s: explain says"), "{}", outcome.stderr);
}

#[test]
fn for_a_time_without_commands() {
    let outcome = Outcome::fine(testpmd().args(["--duration", "0.2", "--engine", "macswap", "--stats-period", "0.01"]));
    assert!(outcome.stdout.starts_with("forwarding with macswap: 2 streams\n"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("RX PACKETS"), "{}", outcome.stdout);
}

#[test]
fn rates_are_told_while_a_command_waits() {
    // It ends by itself only if there are none.
    let program = Running::start(testpmd().args(["--duration", "600", "--stats-period", "0.01"]));
    let rates = || program.stderr().lines().filter(|line| line.contains("Mpps")).count();
    wait_until("two lines of rates", || rates() >= 2);
    program.signal(Signal::SIGTERM);
    let Outcome { status, stdout, stderr, .. } = program.end();
    assert_eq!(status, Some(0), "{stderr}");
    assert!(stdout.contains("RX PACKETS"), "what has been counted until then: {stdout}");
}

#[test]
fn started_at_once() {
    let outcome =
        Outcome::fine(with_ports(&THOUSAND).arg("--auto-start").stdin(text_to_read("wait packets 1000 600\n")));
    assert_eq!(outcome.stdout, "forwarding with io: 2 streams\n1000 packets\n");
}

/// The program with pipes for what it reads and prints.
pub(super) fn piped(arguments: &[&str]) -> Running {
    Running::with_stdout(testpmd().args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()))
}

#[test]
fn closed_pipes() {
    let mut program = piped(&["--stats-period", "0.01", "--keep-going"]);
    drop(program.child.stdout.take());
    let mut stdin = program.child.stdin.take().expect("a pipe");
    stdin.write_all(b"show engines\nstart\nsleep 0.1\nstop\nhelp\nwrong\n").expect("it reads");
    drop(stdin);
    assert_eq!(program.end().status, Some(2));
}

#[test]
fn a_full_disk() {
    let mut command = testpmd();
    command.args(["-e", "show engines; set engine mac"]).stdout(full_disk());
    let outcome = Running::with_stdout(&mut command).end();
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.contains("writing to the standard output: No space left"), "{}", outcome.stderr);
}

#[test]
fn ctrl_c_while_it_waits_for_a_command_or_for_packets() {
    for (line, answered) in [("start\n", "forwarding"), ("start\nsleep 1000\n", "forwarding")] {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let mut program = piped(&[]);
            let mut stdin = program.child.stdin.take().expect("a pipe");
            stdin.write_all(line.as_bytes()).expect("it reads");
            let mut first = String::new();
            BufReader::new(program.child.stdout.take().expect("a pipe")).read_line(&mut first).expect("an answer");
            assert!(first.starts_with(answered), "{first}");
            program.signal(signal);
            let Outcome { status, stderr, .. } = program.end();
            // A command that it interrupts has not been done.
            let expected = if stderr.contains("interrupted") { Some(2) } else { Some(0) };
            assert_eq!(status, expected, "{signal}: {stderr}");
            drop(stdin);
        }
    }
}

#[test]
fn lines_that_are_no_text() {
    let outcome = Outcome::of(testpmd().stdin(text_to_read(b"set engine mac\n\xFF\xFE\nset burst 4\n")));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), "engine mac\n"));
    assert!(outcome.stderr.contains("standard input, line 2"), "{}", outcome.stderr);
}
