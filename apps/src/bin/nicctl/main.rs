//! nicctl: which cards are there, is the host ready for Gannet, to vfio-pci and back, registers and counters.
//!
//! [`cli`] reads the command line. Each command is a module of its own and makes an [`answer::Answer`], which is printed here: as a table,
//! or with `--json`. What they read of the machine goes through [`host`].

#![forbid(unsafe_code)]

mod answer;
mod bind;
mod cards;
mod cli;
mod doctor;
mod driver_switch;
mod group;
mod host;
mod list;
mod memory;
mod process;
mod regs;
mod routes;
mod state;
mod stats;
mod table;

use std::io::{Write, stderr};
use std::process::ExitCode;

use clap::Parser;
use gannet_apps::program;

use self::cli::{Arguments, Command};
use self::host::Host;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let host = Host::at(&arguments.root);
    let answer = match &arguments.command {
        Command::List => list::run(&host),
        Command::Doctor { addresses } => doctor::run(&host, addresses),
        Command::Bind { addresses, force } => bind::bind(&host, addresses, force.into()),
        Command::Unbind { addresses, force } => bind::unbind(&host, addresses, force.into()),
        Command::Restore { addresses } => bind::restore(&host, addresses),
        Command::Regs { card, names } => regs::run(&host, card, names),
        Command::Stats { address } => stats::run(&host, *address),
        Command::KernelWrite { file, text } => return driver_switch::kernel_write(file, text),
    };
    // Nobody may listen any more: no reason to panic.
    match answer {
        Ok(answer) => {
            let text = if arguments.json { format!("{:#}\n", answer.json) } else { answer.table };
            let printed = program::print(&text);
            for error in &answer.errors {
                let _ = writeln!(stderr(), "nicctl: {error}");
            }
            if let Err(why) = printed {
                let _ = writeln!(stderr(), "nicctl: {why:#}");
                return answer::Status::Failed.into();
            }
            answer.status.into()
        }
        Err(why) => {
            let _ = writeln!(stderr(), "nicctl: {why:#}");
            answer::Status::Failed.into()
        }
    }
}
