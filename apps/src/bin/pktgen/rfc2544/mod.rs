//! Benchmarks a device between two ports after RFC 2544: throughput, latency, frame loss rate.
//!
//! [`search`] is the bisection, [`campaign`] runs the trials, [`measured`] is what they gave, [`report`] tells it, with [`plot`]s, and says
//! at which [`site`] it was.

mod arguments;
mod campaign;
mod measured;
mod plot;
mod report;
mod search;
mod site;
#[cfg(test)]
mod tests;

use std::fs;
use std::process::ExitCode;

use anyhow::Context;
use gannet_apps::program::{self, Live, Show};

pub(crate) use arguments::Arguments;

use crate::trial::Bench;
use report::{Conditions, Report};
use site::Site;

/// Runs the subcommand on the ports that `launch` starts.
///
/// # Errors
/// It could not run, or not write its report.
pub(crate) fn run<B: Bench>(
    arguments: &Arguments,
    launch: impl FnOnce(&mut Live) -> anyhow::Result<B>,
) -> anyhow::Result<ExitCode> {
    let settings = arguments.settings()?;
    if let Some(folder) = &arguments.output {
        // Before the hours of measuring, not after.
        fs::create_dir_all(folder).with_context(|| format!("--output {}", folder.display()))?;
    }
    let mut live = Live::new(if arguments.json { Show::Nothing } else { Show::Progress });
    let mut bench = launch(&mut live)?;
    let measured = campaign::run(&settings, &mut bench, &mut live);
    live.end();
    let (site, conditions) = (Site::here(&arguments.ports.port), Conditions::from(&settings));
    let report = Report { site, conditions, measured: measured? };
    program::print(&if arguments.json { report.json() } else { report.text() });
    if let Some(folder) = &arguments.output {
        report.write(folder)?;
    }
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
