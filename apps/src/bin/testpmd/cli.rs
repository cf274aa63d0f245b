//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use gannet_apps::launch::PortOptions;
use gannet_apps::monitor::MonitorOptions;
use gannet_apps::port_name::{self, PortName};
use gannet_apps::values::seconds;

use crate::engine::EngineName;

/// Tries ports out from a prompt: shows, sets, starts, stops, forwards, and explains why packets do not come through.
///
/// Commands come from the prompt, or, if the standard input is no terminal, from there, one a line; what is behind a # is a comment. `help` lists them.
/// Ports are forwarded in pairs, the first and the second, the third and the fourth; an odd last one to itself. Without --port there are
/// two software Intel 82599s with generators of frames. Exit status: 0 if all commands were done, 1 if ports or traffic were not well
/// (a card lost, a wait in vain, a buffer not home), 2 if a command was wrong or it could not run.
#[derive(Debug, Parser)]
#[command(version, after_help = port_name::HELP, after_long_help = format!("{}\n\n{EXAMPLES}", port_name::HELP))]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) ports: PortOptions,

    /// What is done with packets; `show engines` lists the ways.
    #[arg(long, value_name = "ENGINE", default_value_t = EngineName::Io)]
    pub(crate) engine: EngineName,

    /// Begin to forward at once.
    #[arg(long)]
    pub(crate) auto_start: bool,

    /// Forward for so many seconds, print statistics and end; no commands are read.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true, conflicts_with_all = ["execute", "script"])]
    pub(crate) duration: Option<Duration>,

    /// Run these commands, separated by semicolons, and end.
    #[arg(short, long, value_name = "COMMANDS")]
    pub(crate) execute: Option<String>,

    /// Run the commands in a file (- for the standard input) and end.
    #[arg(long, value_name = "FILE", conflicts_with = "execute")]
    pub(crate) script: Option<PathBuf>,

    /// Go on after a command that is wrong or cannot be done. (Otherwise a script ends there; at the prompt it is told, and that is all.)
    #[arg(long)]
    pub(crate) keep_going: bool,

    /// Print the rates of all streams every so many seconds while forwarding, on the standard error. Not with --json, which has the answers of
    /// commands only: let those ask for "show streams".
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true, conflicts_with = "json")]
    pub(crate) stats_period: Option<Duration>,

    #[command(flatten)]
    pub(crate) monitor: MonitorOptions,

    /// Print the answer of each command as one JSON object in a line.
    #[arg(long)]
    pub(crate) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  testpmd
      two software cards and a prompt; help lists the commands, the TAB key completes them
  testpmd --duration 5 --engine macswap
      the same, forwarding for five seconds
  testpmd -e 'start; wait packets 100000; stop; show port all stats'
      commands from the command line
  testpmd --json < script
      commands from a file, answers for a program
  testpmd --port pci:0000:01:00.0 --port pci:0000:02:00.0
      two cards, bound to vfio-pci (nicctl doctor tells what is missing)
  testpmd --port sim:ixgbe,peer=tap:gan0 --engine icmpecho --auto-start
      a card that answers ping from the host (as root)";

impl Arguments {
    /// The ports to open: those given, or the demonstration's.
    pub(crate) fn names(&self) -> anyhow::Result<Vec<PortName>> {
        if self.ports.port.is_empty() {
            return Ok(vec!["sim:ixgbe,peer=gen".parse()?; 2]);
        }
        Ok(self.ports.port.clone())
    }
}
