//! The program l2fwd from end to end: command line in, exit status, report and captures out.
//!
//! All ports are software cards, so nothing is needed of the host. What needs its tools or privileges is tested in `tests/`.
//! No test asserts a speed; those that measure nothing end when a number of frames has passed, not after a time.

#![forbid(unsafe_code)]

mod cables;
mod captures;
mod demonstration;
mod exhaustion;
mod memory;
mod options;
mod refusals;
mod report;
mod signals;
mod wires;

use std::path::Path;
use std::process::Command;

use gannet_harness::{Outcome, program, skip};

use self::report::Report;

/// A software card whose cable ends at a generator.
const GENERATOR: &str = "sim:ixgbe,peer=gen";

fn l2fwd() -> Command {
    program(env!("CARGO_BIN_EXE_l2fwd"))
}

/// The program with these ports.
fn with_ports<S: AsRef<str>>(ports: &[S]) -> Command {
    let mut command = l2fwd();
    for port in ports {
        command.args(["--port", port.as_ref()]);
    }
    command
}

/// Runs to the end, with `--json`, and checks the exit status.
fn report(command: &mut Command, status: i32) -> Report {
    let outcome = Outcome::of(command.arg("--json"));
    assert_eq!(outcome.status, Some(status), "{}{}", outcome.stdout, outcome.stderr);
    Report::parse(&outcome.stdout)
}

/// Cores that this process, and so the program, may use.
fn cores() -> Vec<usize> {
    gannet_apps::cores::available().expect("the kernel tells")
}

/// Whether a test with this many pairs of ports cannot run here. Says so if it cannot.
fn lacks_cores(pairs: usize) -> bool {
    let lacks = cores().len() < pairs;
    if lacks {
        skip(&format!("{pairs} pairs of ports need {pairs} cores"));
    }
    lacks
}

/// A port that plays a capture.
fn play(file: &Path) -> String {
    format!("sim:ixgbe,peer=pcap:{}", file.display())
}

/// A port that plays nothing and records what it sends.
fn record(file: &Path) -> String {
    format!("sim:ixgbe,peer=pcap:,record={}", file.display())
}
