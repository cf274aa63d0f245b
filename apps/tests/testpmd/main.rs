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

use std::process::Command;

use gannet_harness::{Outcome, program, text_to_read};
use serde_json::Value;

/// Two ports: what a generator of a thousand frames sends is swallowed.
const THOUSAND: [&str; 2] = ["sim:ixgbe,peer=gen,count=1000", "sim:ixgbe,peer=sink"];

/// The program, with nothing to read.
fn testpmd() -> Command {
    program(env!("CARGO_BIN_EXE_testpmd"))
}

/// The program with these ports.
fn with_ports(ports: &[&str]) -> Command {
    let mut command = testpmd();
    for port in ports {
        command.args(["--port", port]);
    }
    command
}

/// The answers to these commands, all of which must do.
#[track_caller]
fn answers(ports: &[&str], commands: &str) -> Vec<Value> {
    let outcome = Outcome::fine(with_ports(ports).arg("--json").stdin(text_to_read(commands)));
    outcome.json().into_iter().map(|object| object["answer"].clone()).collect()
}
