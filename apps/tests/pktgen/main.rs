//! The program pktgen from end to end: command line in, exit status, report and frames out.
//!
//! All ports are software cards, so nothing is needed of the host. No test asserts a speed, and runs that must be clean have no rate that a
//! starved machine could miss.

#![forbid(unsafe_code)]

mod counts;
mod device;
mod ends;
mod frames;
mod guide;
mod refusals;
mod replay;

use std::process::Command;

use gannet_harness::{Outcome, program};
use serde_json::Value;

/// Two ports with a good cable between them.
const LINK: [&str; 4] = ["--port", "sim:ixgbe,peer=link:a", "--port", "sim:ixgbe,peer=link:a"];

/// The program with these arguments.
fn pktgen(arguments: &[&str]) -> Command {
    let mut command = program(env!("CARGO_BIN_EXE_pktgen"));
    command.args(arguments);
    command
}

/// A report as JSON.
#[derive(Debug)]
struct Report(Value);

impl Report {
    /// Runs to the end, with `--json`, and checks the exit status.
    fn of(arguments: &[&str], status: i32) -> Report {
        let outcome = Outcome::of(pktgen(arguments).arg("--json"));
        assert_eq!(outcome.status, Some(status), "{}{}", outcome.stdout, outcome.stderr);
        Report::parse(&outcome.stdout)
    }

    fn parse(text: &str) -> Report {
        Report(serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}")))
    }

    fn count(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("{name}: {self:?}"))
    }

    fn measured(&self, pointer: &str) -> f64 {
        self.0.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}: {self:?}"))
    }

    /// All frames arrived, intact, once and in order.
    fn assert_clean(&self, frames: u64) {
        let counts = ["sent", "received", "lost", "duplicated", "reordered", "corrupted", "rewritten", "foreign"];
        let counts = counts.map(|name| self.count(name));
        assert_eq!(counts, [frames, frames, 0, 0, 0, 0, 0, 0], "{self:?}");
        assert_eq!(self.0["problems"], Value::Array(Vec::new()), "{self:?}");
    }
}
