//! The program testpmd from end to end: commands in, answers and exit status out.
//!
//! All ports are software cards, so nothing is needed of the host. What explain finds is tested beside it, where cards can be made to misbehave.

#![forbid(unsafe_code)]

mod commands;
mod guide;
mod prompt;
mod refusals;
mod registers;
mod scripts;
mod telemetry;

use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;

/// Far more than any run takes, on any machine: a program that hangs fails its test.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two ports: what a generator of a thousand frames sends is swallowed.
const THOUSAND: [&str; 2] = ["sim:ixgbe,peer=gen,count=1000", "sim:ixgbe,peer=sink"];

/// The program, with a bound on its time and nothing to read.
fn testpmd() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testpmd"));
    command.timeout(PATIENCE);
    command
}

/// The program with these ports.
fn with_ports(ports: &[&str]) -> Command {
    let mut command = testpmd();
    for port in ports {
        command.args(["--port", port]);
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

    /// The same, for a run that goes well.
    #[track_caller]
    fn fine(command: &mut Command) -> Outcome {
        let outcome = Outcome::of(command);
        assert_eq!(outcome.status, Some(0), "{}{}", outcome.stdout, outcome.stderr);
        outcome
    }

    /// The objects that it printed with `--json`.
    #[track_caller]
    fn json(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{line}: {why}")))
            .collect()
    }
}

/// The answers to these commands, all of which must do.
#[track_caller]
fn answers(ports: &[&str], commands: &str) -> Vec<Value> {
    let outcome = Outcome::fine(with_ports(ports).arg("--json").write_stdin(commands));
    outcome.json().into_iter().map(|object| object["answer"].clone()).collect()
}
