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

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;

use self::report::Report;

/// A software card whose cable ends at a generator.
const GENERATOR: &str = "sim:ixgbe,peer=gen";

/// Far more than any run takes, on any machine: a program that hangs fails its test.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, with a bound on its time.
fn l2fwd() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_l2fwd"));
    command.timeout(PATIENCE);
    command
}

/// The program with these ports.
fn with_ports<S: AsRef<str>>(ports: &[S]) -> Command {
    let mut command = l2fwd();
    for port in ports {
        command.args(["--port", port.as_ref()]);
    }
    command
}

/// What has become of a run.
struct Outcome {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Outcome {
    /// Runs to the end. A panic fails the test, whatever the exit status.
    fn of(command: &mut Command) -> Outcome {
        let output = command.output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        let outcome =
            Outcome { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        outcome
    }
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

/// Whether a test with this many pairs of ports cannot run here. Says so past the test harness, which keeps what passing tests print.
fn lacks_cores(pairs: usize) -> bool {
    let lacks = cores().len() < pairs;
    if lacks {
        skip(&format!("{pairs} pairs of ports need {pairs} cores"));
    }
    lacks
}

/// Says why a test, or a part of it, is skipped.
fn skip(reason: &str) {
    // Nobody may listen.
    let _ = writeln!(std::io::stderr(), "skipped {}: {reason}", std::thread::current().name().unwrap_or_default());
}

/// A file of the workspace's test data.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name)
}

/// A port that plays a capture.
fn play(file: &Path) -> String {
    format!("sim:ixgbe,peer=pcap:{}", file.display())
}

/// A port that plays nothing and records what it sends.
fn record(file: &Path) -> String {
    format!("sim:ixgbe,peer=pcap:,record={}", file.display())
}
