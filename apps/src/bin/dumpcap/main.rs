//! dumpcap: captures the packets of a running program.
//!
//! ```text
//!   control socket ─► Session ─► filter ─► Ordered ─► Output ─► pcapng
//! ```
//!
//! [`cli`] reads the command line, [`session`] talks to the program, [`filter`] chooses packets, [`ordered`] puts those of several queues
//! in the order of their times, [`output`] writes files, [`report`] says how it went.

#![forbid(unsafe_code)]

mod capture;
mod cli;
mod filter;
mod list;
mod ordered;
mod output;
mod report;
mod session;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use gannet_apps::program;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    program::run("dumpcap", || execute(&arguments))
}

fn execute(arguments: &cli::Arguments) -> anyhow::Result<ExitCode> {
    if arguments.list {
        program::print(&list::list(arguments)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    arguments.check()?;
    let report = capture::run(arguments)?;
    match (arguments.json, arguments.writes_to_stdout()) {
        (true, false) => program::print(&report.json())?,
        (json, _) => {
            let text = if json { report.json() } else { report.text() };
            // Nobody may read it.
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
