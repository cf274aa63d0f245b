//! Benchmarks a device between two ports after RFC 2544: throughput, latency, frame loss rate.
//!
//! [`search`] is the bisection, [`campaign`] runs the trials and tells an [`observer`], [`measured`] is what they gave, [`report`] tells
//! it, with [`plot`]s, and says at which [`site`] it was.

mod arguments;
mod campaign;
mod measured;
mod observer;
mod plot;
mod report;
mod search;
mod site;
#[cfg(test)]
mod tests;

use std::fs;
use std::process::ExitCode;

use anyhow::Context;
use gannet_apps::monitor::Monitor;
use gannet_apps::program::{self, Live, Show};

pub(crate) use arguments::Arguments;

use crate::bench::PortBench;
use crate::screen::{self, Screen};
use crate::trial::Way;
use observer::{Lines, Observer};
use report::{Conditions, Report};
use site::Site;

/// Runs the subcommand.
///
/// # Errors
/// It could not run, or not write its report.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.ports.tune()? {
        return Ok(ExitCode::SUCCESS);
    }
    let settings = arguments.settings()?;
    if arguments.screen {
        screen::check()?;
    }
    if let Some(folder) = &arguments.output {
        // Before the hours of measuring, not after.
        fs::create_dir_all(folder).with_context(|| format!("--output {}", folder.display()))?;
    }
    let mut live = Live::new(if arguments.json { Show::Nothing } else { Show::Progress });
    // The first port sends, the second receives.
    let ways = vec![Way { from: 0, to: 1 }];
    let monitor = Monitor::start("pktgen", &arguments.monitor)?;
    let mut bench = PortBench::launch(monitor, &arguments.ports, &arguments.ports.port, ways, &mut live)?;
    let mut observer: Box<dyn Observer> = if arguments.screen {
        Box::new(Screen::start(arguments.title(), bench.interrupt())?)
    } else {
        Box::new(Lines::new(&mut live))
    };
    let measured = campaign::run(&settings, &mut bench, &mut *observer);
    // Gives the terminal back.
    drop(observer);
    live.end();
    let problems = bench.stop();
    let mut measured = measured?;
    measured.problems.extend(problems);
    let site = Site::here(&arguments.ports.port);
    let report = Report { site, conditions: Conditions::from(&settings), measured };
    program::print(&if arguments.json { report.json() } else { report.text() });
    if let Some(folder) = &arguments.output {
        report.write(folder)?;
    }
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
