//! pktgen: sends traffic through ports, receives it, and measures what became of it.
//!
//! ```text
//!   cli ─► traffic (size, field), rate ─► TrialPlan ─► PortBench::run ─► Outcome ─► report
//!
//!   core     Sender:   pacer ─► source (Template, or a capture) ─► stamp ─► TxQueue
//!            Receiver: RxQueue ─► Template::inspect (signature) ─► sequence ─► counts, histogram
//!   main     supervisor: progress, links, the end
//! ```
//!
//! [`trial`] is what a measurement is, [`bench`] makes them on ports.

#![forbid(unsafe_code)]

mod bench;
mod cli;
mod field;
mod gauge;
mod pacer;
mod random;
mod rate;
mod receiver;
mod replay;
mod report;
mod rfc2544;
mod sender;
mod sequence;
mod signature;
mod size;
mod source;
mod supervisor;
mod traffic;
mod trial;
mod worker;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use gannet_apps::program::{self, Live, Show};

use bench::PortBench;
use cli::Arguments;
use replay::Recording;
use report::Report;
use trial::{Bench, Outcome, Progress};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    program::run("pktgen", || execute(&arguments))
}

fn execute(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.ports.tune()? {
        return Ok(ExitCode::SUCCESS);
    }
    arguments.check()?;
    let mut live = Live::new(if arguments.json { Show::Nothing } else { Show::Progress });
    let (outcome, skipped) = measure(arguments, &mut live)?;
    live.end();
    let report = Report::new(outcome, skipped);
    program::print(&if arguments.json { report.json() } else { report.text() });
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends what is asked for. With the outcome: frames of a capture that could not be sent.
fn measure(arguments: &Arguments, live: &mut Live) -> anyhow::Result<(Outcome, u64)> {
    const EVERY: Duration = Duration::from_secs(1);
    let mut next = EVERY;
    let mut tell = |progress: &Progress| {
        if progress.elapsed >= next {
            next += EVERY;
            live.line(&report::line(progress));
        }
    };
    let (names, ways) = (arguments.names()?, arguments.ways()?);
    let (mut outcome, skipped, bench) = match &arguments.pcap {
        None => {
            let plan = arguments.plan()?;
            let mut bench = PortBench::launch(&arguments.ports, &names, ways)?;
            (bench.run(&plan, &mut tell)?, 0, bench)
        }
        Some(file) => {
            let (timing, rate, end) = arguments.replay();
            let recording = Recording::read(file, timing, arguments.ports.buffer_size.into())?;
            let mut bench = PortBench::launch(&arguments.ports, &names, ways)?;
            (bench.replay(&recording, (rate, end), &mut tell)?, recording.skipped, bench)
        }
    };
    outcome.problems.extend(bench.stop());
    Ok((outcome, skipped))
}
