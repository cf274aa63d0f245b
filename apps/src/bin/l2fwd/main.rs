//! l2fwd: forwards every frame between pairs of ports.
//!
//! ```text
//!   port 0 ◄──► port 1      port 2 ◄──► port 3      ...      one core a pair, or one a queue of each pair
//! ```
//!
//! [`cli`] reads the command line, [`forward`] is the loop that the cores run, [`pressure`] watches their packet pool, [`run`]
//! starts and stops everything, [`report`] says how it went.

#![forbid(unsafe_code)]

mod cli;
mod drops;
mod forward;
mod mac_swap;
mod pressure;
mod report;
mod run;
mod tally;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use gannet_apps::program;

fn main() -> ExitCode {
    let started = Instant::now();
    let arguments = cli::Arguments::parse();
    program::run("l2fwd", || execute(&arguments, started))
}

fn execute(arguments: &cli::Arguments, started: Instant) -> anyhow::Result<ExitCode> {
    if arguments.ports.tune()? {
        return Ok(ExitCode::SUCCESS);
    }
    let report = run::run(arguments, started)?;
    program::print(&if arguments.json { report.json() } else { report.text() })?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
