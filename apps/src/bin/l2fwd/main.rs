//! l2fwd: forwards every frame between pairs of ports.
//!
//! ```text
//!   port 0 ◄──► port 1      port 2 ◄──► port 3      ...      one core a pair, or one a queue of each pair
//! ```
//!
//! [`cli`] reads the command line, [`forward`] is the loop that the cores run, [`memory`] makes their packet pool and watches it, [`run`]
//! starts and stops everything, [`report`] says how it went.

#![forbid(unsafe_code)]

mod cli;
mod drops;
mod forward;
mod mac_swap;
mod memory;
mod report;
mod run;
mod running;
mod tally;

use std::io::{IsTerminal, Write, stderr, stdout};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use gannet_mempool::registry::{self, Table};

fn main() -> ExitCode {
    let started = Instant::now();
    let arguments = cli::Arguments::parse();
    // Nobody reads a log whose pipe is closed: no reason to end.
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .log_internal_errors(false)
        .with_target(false)
        .without_time()
        .init();
    execute(&arguments, started).unwrap_or_else(|why| {
        let _ = writeln!(stderr(), "l2fwd: {}", in_words(&why));
        ExitCode::from(2)
    })
}

fn execute(arguments: &cli::Arguments, started: Instant) -> anyhow::Result<ExitCode> {
    arguments.tune()?;
    if arguments.tunables {
        print(&Table::of(&registry::tunables()).to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let report = run::run(arguments, started)?;
    print(&if arguments.json { report.json() } else { report.text() });
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(text: &str) {
    // A closed pipe leaves nobody to tell.
    let _ = stdout().write_all(text.as_bytes());
}

/// An error and its causes, but for those that the text before them has told already.
fn in_words(why: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in why.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            let separator = if text.is_empty() { "" } else { ": " };
            text = text + separator + &cause;
        }
    }
    text
}
