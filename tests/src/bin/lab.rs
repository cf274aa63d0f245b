//! The QEMU lab on the command line: `tools/lab`. What it is, and its cables: `docs/lab.md`.

#![forbid(unsafe_code)]

use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use gannet_tests::vm::assets::Assets;
use gannet_tests::vm::{Card, Iommu, Machine};
use gannet_tests::{static_program, workspace};

/// Virtual machines with network cards for the drivers, and cards for Linux at the other end of the cables.
///
/// QEMU, a kernel and the guest's programs are fetched once, into target/lab. Nothing is installed.
#[derive(Parser)]
#[command(name = "lab")]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Boots a machine and gives its shell. `exit` ends it
    Shell(MachineArguments),
    /// Boots a machine, runs a shell command in it, ends it, and exits with the command's status
    Run {
        #[command(flatten)]
        machine: MachineArguments,
        /// Longest time that the command may take
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        limit: u64,
        /// The command, for the guest's shell
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Runs the tests that need the lab
    Test {
        /// Only tests with this in their name
        name: Option<String>,
    },
    /// Fetches what is missing (110 MB, once), and says what is there
    Prepare,
    /// Says what is there or what is in the way, and fetches nothing
    Doctor,
}

#[derive(clap::Args)]
struct MachineArguments {
    /// The card that the ports are
    #[arg(long, value_enum, default_value_t = Card::E1000e)]
    card: Card,
    /// Whether the machine has an IOMMU
    #[arg(long, value_enum, default_value_t = Iommu::On)]
    iommu: Iommu,
    /// A program of the workspace to build for the guest and put into its top folder. May be given more than once
    #[arg(long, value_name = "NAME")]
    program: Vec<String>,
    /// A file to put into the guest's top folder; programs must be linked statically. May be given more than once
    #[arg(long, value_name = "FILE")]
    copy: Vec<PathBuf>,
}

impl MachineArguments {
    /// The machine that is asked for. Its programs are built.
    fn machine(self) -> Result<Machine> {
        let mut files = self.copy;
        for name in &self.program {
            files.push(static_program(name)?);
        }
        Ok(Machine { card: self.card, iommu: self.iommu, files })
    }
}

fn main() -> ExitCode {
    let result = match Arguments::parse().action {
        Action::Shell(machine) => shell(machine),
        Action::Run { machine, limit, command } => run(machine, Duration::from_secs(limit), &command.join(" ")),
        Action::Test { name } => test(name.as_deref()),
        Action::Prepare => Assets::prepare().and_then(|assets| describe(&assets)),
        Action::Doctor => match Assets::present() {
            Some(assets) => describe(&assets),
            None => {
                let outlook = Assets::unavailable().unwrap_or_else(|| "`tools/lab prepare` fetches it".into());
                println!("the lab's QEMU, kernel and programs are not there yet: {outlook}");
                Ok(ExitCode::FAILURE)
            }
        },
    };
    result.unwrap_or_else(|why| {
        eprintln!("lab: {why:#}");
        ExitCode::from(2)
    })
}

/// Gives the shell of a machine.
fn shell(machine: MachineArguments) -> Result<ExitCode> {
    machine.machine()?.interact()?;
    Ok(ExitCode::SUCCESS)
}

/// Runs a command in a machine of its own.
fn run(machine: MachineArguments, limit: Duration, command: &str) -> Result<ExitCode> {
    let machine = machine.machine()?;
    let start = Instant::now();
    let mut vm = machine.boot()?;
    eprintln!("lab: {} machine up after {:.1} s", machine.card, start.elapsed().as_secs_f64());
    let status = vm.guest.stream(command, limit, &mut io::stdout())?;
    Ok(ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX)))
}

/// Runs the test suite of the lab. Its last line counts.
fn test(name: Option<&str>) -> Result<ExitCode> {
    let mut tests = Command::new(env!("CARGO"));
    tests.args(["test", "--package", "gannet-tests", "--test", "qemu", "--"]).args(name);
    let mut tests = tests.current_dir(workspace()).stdout(Stdio::piped()).spawn().context("cargo cannot be started")?;
    let output = BufReader::new(tests.stdout.take().context("no pipe to the tests")?);
    let mut counts = None;
    for line in output.lines() {
        let line = line?;
        writeln!(io::stdout(), "{line}")?;
        counts = Counts::of(&line).or(counts);
    }
    let status = tests.wait().context("cargo is gone")?;
    let counts = counts.context("the tests did not run to their end")?;
    writeln!(io::stdout(), "{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How many tests came out how.
struct Counts {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Counts {
    /// Reads the test program's own summary: `test result: ok. 1 passed; 0 failed; 0 ignored; ...`
    fn of(line: &str) -> Option<Counts> {
        let (_, summary) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let count =
            |word: &str| summary.split("; ").find_map(|part| part.strip_suffix(word)?.trim_end().parse::<u32>().ok());
        Some(Counts { passed: count("passed")?, failed: count("failed")?, skipped: count("ignored")? })
    }
}

/// Says what the lab is made of.
fn describe(assets: &Assets) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    writeln!(out, "folder        {}", Assets::folder().display())?;
    writeln!(out, "QEMU          {}", assets.qemu_version()?)?;
    writeln!(out, "accelerator   {}", assets.accelerator()?)?;
    writeln!(out, "kernel        {}", assets.kernel_version())?;
    for package in assets.versions() {
        writeln!(out, "package       {package}")?;
    }
    Ok(ExitCode::SUCCESS)
}
