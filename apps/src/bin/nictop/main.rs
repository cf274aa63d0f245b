//! nictop: how busy the ports, cores and pools of a running program are.
//!
//! [`follow`] asks the program on its control socket, [`rates`] makes rates of two answers, [`lines`] shows them in a pipe, [`screen`]
//! draws them, and [`session`] is the terminal with its keys.

#![forbid(unsafe_code)]

mod follow;
mod lines;
mod rates;
mod screen;
mod session;

use std::io::{ErrorKind, IsTerminal, Write, stdout};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use gannet_apps::monitor;
use gannet_apps::program;

use crate::follow::{Follower, Look};
use crate::rates::Rates;

/// Shows what a running program of Gannet's does: packets and bits a second of each port, drops by reason, packet pools, busy cores.
///
/// On a terminal it draws them until the program ends or q is pressed; in a pipe it prints them, one block an interval. Exit status: 0
/// if the program was found (even if it has ended since), 2 if not.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    /// The program, by name, by process number, or by the path of its control socket [default: the only one that runs].
    #[arg(value_name = "PROGRAM|PID|SOCKET")]
    target: Option<String>,

    /// Seconds between two looks, 0.1 to 3600.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = interval, allow_negative_numbers = true)]
    interval: Duration,

    /// Print the rates of one interval and end.
    #[arg(long)]
    once: bool,

    /// Print one JSON object an interval, in a line each.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  nictop
      watches the only program that runs
  nictop l2fwd
      the one of this name; if several run, give the process number
  nictop --once /run/user/1000/gannet/l2fwd-4711.sock
      one look at the one behind this socket
  nictop --json --interval 10 >> rates.jsonl
      a line of rates every ten seconds, for other programs
Keys: arrows choose a port, q ends.";

fn interval(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a number of seconds from 0.1 to 3600 is needed".into()),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    program::run("nictop", || execute(&arguments))
}

fn execute(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let path = monitor::find(arguments.target.as_deref())?;
    let interrupted = program::interrupted()?;
    let follower = Follower::start(path)?;
    let name = follower.name();
    let has_ended = if stdout().is_terminal() && !arguments.once && !arguments.json {
        session::run(follower, arguments.interval, &interrupted)?
    } else {
        print(follower, arguments, &interrupted)?
    };
    if has_ended == HasEnded::Yes {
        // Nobody may listen.
        let _ = writeln!(std::io::stderr(), "{name} has ended");
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether the program that was watched has ended, or the watching only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HasEnded {
    Yes,
    No,
}

/// Prints the rates of each interval, until the program ends or nobody reads on.
fn print(mut follower: Follower, arguments: &Arguments, interrupted: &AtomicBool) -> anyhow::Result<HasEnded> {
    let text = |rates: &Rates| match arguments.json {
        true => serde_json::to_string(rates).unwrap_or_default() + "\n",
        false => rates.to_string(),
    };
    loop {
        wait(arguments.interval, interrupted);
        if interrupted.load(Ordering::Relaxed) {
            return Ok(HasEnded::No);
        }
        let rates = match follower.look()? {
            Look::Rates(rates) => rates,
            Look::Nothing(why) if arguments.once => return Err(why.into()),
            Look::Nothing(why) => {
                tracing::warn!("{why}");
                continue;
            }
            Look::Ended => return Ok(HasEnded::Yes),
        };
        match stdout().write_all(text(&rates).as_bytes()).and_then(|()| stdout().flush()) {
            Err(why) if why.kind() == ErrorKind::BrokenPipe => return Ok(HasEnded::No),
            written => written.context("writing to the standard output")?,
        }
        if arguments.once {
            return Ok(HasEnded::No);
        }
    }
}

/// Waits, at most until Ctrl-C.
fn wait(interval: Duration, interrupted: &AtomicBool) {
    const STEP: Duration = Duration::from_millis(100);
    let until = Instant::now() + interval;
    while !interrupted.load(Ordering::Relaxed) && Instant::now() < until {
        thread::sleep(STEP.min(until.saturating_duration_since(Instant::now())));
    }
}
