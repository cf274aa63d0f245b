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
//! [`trial`] is what a measurement is, [`mod@bench`] makes them on ports.

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
mod screen;
mod sender;
mod sequence;
mod signature;
mod size;
mod source;
mod supervisor;
mod traffic;
mod trial;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use gannet::FRAME_OVERHEAD;
use gannet_apps::monitor::Monitor;
use gannet_apps::program::{self, Live, Show};

use bench::PortBench;
use cli::{Arguments, Command};
use replay::{Deviations, Recording};
use report::Report;
use screen::Screen;
use trial::{Bench, End, Outcome, Progress};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    program::run("pktgen", || execute(&arguments))
}

fn execute(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Some(Command::Rfc2544(arguments)) = &arguments.command {
        return rfc2544::run(arguments);
    }
    if arguments.ports.tune()? {
        return Ok(ExitCode::SUCCESS);
    }
    arguments.check()?;
    if arguments.screen {
        screen::check()?;
    }
    let mut live = Live::new(if arguments.json { Show::Nothing } else { Show::Progress });
    let (outcome, deviations) = measure(arguments, &mut live)?;
    live.end();
    let report = Report::new(outcome, deviations);
    program::print(&if arguments.json { report.json() } else { report.text() })?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends what is asked for. With the outcome: what of a capture was not sent as it once was on a wire.
fn measure(arguments: &Arguments, live: &mut Live) -> anyhow::Result<(Outcome, Deviations)> {
    let (timing, rate, end) = arguments.replay();
    let longest = arguments.ports.buffer_size().min(arguments.ports.mtu + FRAME_OVERHEAD);
    let read = |file: &PathBuf| Recording::read(file, timing, longest.into());
    let recording = arguments.pcap.as_ref().map(read).transpose()?;
    let plan = arguments.plan()?;
    let monitor = Monitor::start("pktgen", &arguments.monitor)?;
    let mut bench = PortBench::launch(monitor, &arguments.ports, &arguments.names()?, arguments.ways()?, live)?;
    let mut tell: Box<dyn FnMut(&Progress)> = if arguments.screen {
        let mut screen = Screen::start(arguments.title()?, bench.interrupt())?;
        Box::new(move |progress| screen.show(progress))
    } else {
        Box::new(each_second(live))
    };
    let mut outcome = match &recording {
        None => bench.run(&plan, &mut tell)?,
        Some(recording) => bench.replay(recording, (rate, end, arguments.settle), &mut tell)?,
    };
    // Gives the terminal back.
    drop(tell);
    // Without an end it is the usual one.
    if outcome.interrupted && (end != End::Open || recording.is_some()) {
        outcome.problems.push("interrupted before all was sent".into());
    }
    outcome.problems.extend(bench.stop());
    Ok((outcome, recording.map_or_else(Deviations::default, |recording| recording.deviations)))
}

/// Tells in a line how it goes.
fn each_second(live: &mut Live) -> impl FnMut(&Progress) {
    const EVERY: Duration = Duration::from_secs(1);
    let mut next = EVERY;
    move |progress| {
        if progress.elapsed >= next {
            next += EVERY;
            live.line(&report::line(progress));
        }
    }
}
