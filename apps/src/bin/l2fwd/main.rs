//! l2fwd: forwards every frame between pairs of ports.
//!
//! ```text
//!   port 0 ◄──► port 1      port 2 ◄──► port 3      ...      one core a pair
//! ```
//!
//! [`cli`] reads the command line, [`forward`] is the loop that the cores run, [`run`] starts and stops everything, [`report`] says
//! how it went.

#![forbid(unsafe_code)]

mod cli;
mod forward;
mod report;
mod run;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

fn main() -> ExitCode {
    let started = Instant::now();
    let arguments = cli::Arguments::parse();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .without_time()
        .init();
    match run::run(&arguments, started) {
        Ok(report) => {
            report.print(arguments.json);
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            eprintln!("l2fwd: {why:#}");
            ExitCode::from(2)
        }
    }
}
