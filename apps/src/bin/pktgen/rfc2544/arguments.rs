//! The command line of `pktgen rfc2544`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use gannet_apps::launch::PortOptions;
use gannet_apps::monitor::MonitorOptions;
use gannet_apps::port_name;
use gannet_apps::values::time;

use super::campaign::{Settings, Test};
use crate::cli::{TrafficOptions, settle};
use crate::size::{self, LONGEST, SHORTEST, Sizes};

/// Most repetitions of a trial.
const MAX_RETRIES: u32 = 100;

/// Measures throughput, latency and frame loss of a device between two ports (RFC 2544): sends on the first, receives on the second.
///
/// Exit status: 0 if each size has a throughput, 1 if not or if it was interrupted, 2 if it could not run.
#[derive(Debug, Clone, Args)]
#[command(after_help = port_name::HELP, after_long_help = format!("{}\n\n{EXAMPLES}", port_name::HELP))]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) ports: PortOptions,

    #[command(flatten)]
    pub(crate) monitor: MonitorOptions,

    /// Sizes of frames in bytes, FCS included, at most 18 more than --mtu, with --vlan 22.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = size, default_value = "64,128,256,512,1024,1280,1518")]
    sizes: Vec<u16>,

    /// What to measure. The throughput always is.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_enum, default_value = "throughput,latency")]
    tests: Vec<Test>,

    /// Time of each trial, as in 60s or 500ms. The RFC has 60 s.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "1s")]
    trial: Duration,

    /// How long to wait for the last frames of each trial, as in 2s or 500ms, at most 1000s: what comes later counts as lost. The RFC has
    /// 2 s. When all have arrived it waits no longer.
    #[arg(long, value_name = "TIME", value_parser = settle, default_value = "2s")]
    settle: Duration,

    /// Share of the frames that may be lost, as in 0.01%.
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "0%")]
    loss: f64,

    /// How exactly to find the throughput, as a share of itself.
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "1%")]
    resolution: f64,

    /// The rate to begin with, as a share of the link's speed.
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "100%")]
    max_rate: f64,

    /// How often to repeat a trial that failed narrowly: less than 1 % lost, more than 90 % of the rate sent. For machines that are
    /// not quiet.
    #[arg(long, value_name = "TIMES", default_value_t = 0)]
    retries: u32,

    #[command(flatten)]
    traffic: TrafficOptions,

    /// Folder for the report (report.md, report.json, throughput.svg, latency.svg); it is made.
    #[arg(long, value_name = "FOLDER")]
    pub(super) output: Option<PathBuf>,

    /// Show on the whole terminal how it goes. q ends.
    #[arg(long, conflicts_with = "json")]
    pub(super) screen: bool,

    /// Print the report as one JSON object, and no progress.
    #[arg(long)]
    pub(super) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  pktgen rfc2544 --port pci:0000:01:00.0 --port pci:0000:02:00.0 --trial 60s --output report
      a device between two cards, as the RFC has it
  pktgen rfc2544 --port sim:ixgbe,peer=wire:/tmp/a.sock --port sim:ixgbe,peer=wire:/tmp/b.sock --retries 2
      a program with software ports at the other ends, on a machine that does other things too";

impl Arguments {
    /// What is measured, in a line.
    pub(super) fn title(&self) -> String {
        let names: Vec<String> = self.ports.port.iter().map(ToString::to_string).collect();
        format!("pktgen rfc2544 {}", names.join(" > "))
    }

    /// What to measure.
    ///
    /// # Errors
    /// An option that is out of range, or ports that are not two.
    pub(super) fn settings(&self) -> anyhow::Result<Settings> {
        let given = self.ports.port.len();
        ensure!(given == 2, "{given} --port given: rfc2544 needs two, one that sends and one that receives");
        self.ports.check()?;
        let is_tagged = self.traffic.is_tagged();
        self.sizes.iter().try_for_each(|&size| size::check_mtu("--sizes", size, is_tagged, self.ports.mtu))?;
        ensure!(self.resolution > 0.0, "--resolution 0%: needs more than 0");
        ensure!(self.max_rate > 0.0, "--max-rate 0%: needs more than 0");
        ensure!(self.retries <= MAX_RETRIES, "--retries {}: 0 to {MAX_RETRIES} are possible", self.retries);
        ensure!(!self.trial.is_zero(), "--trial 0: needs a time above 0");
        let shortest = self.sizes.iter().min().copied().unwrap_or(SHORTEST);
        let traffic = self.traffic.traffic(Sizes::Fixed(shortest));
        traffic.check()?;
        Ok(Settings {
            sizes: self.sizes.clone(),
            tests: self.tests.clone(),
            duration: self.trial,
            settle: self.settle,
            accepted_loss: self.loss,
            resolution: self.resolution,
            highest_rate: self.max_rate * 100.0,
            retries: self.retries,
            traffic,
        })
    }
}

fn size(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(size) if (SHORTEST..=LONGEST).contains(&size) => Ok(size),
        _ => Err(format!("frames have {SHORTEST} to {LONGEST} bytes, FCS included")),
    }
}

/// A share, given in per cent.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse::<f64>();
    let share = number.ok().filter(|number| (0.0..=100.0).contains(number)).map(|number| number / 100.0);
    share.ok_or_else(|| "a share is a number from 0 to 100, as in 0.5%".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn settings(options: &[&str]) -> Result<Settings, String> {
        let ports = ["pktgen", "--port", "sim:ixgbe,peer=echo", "--port", "sim:ixgbe,peer=sink"];
        let program = Program::try_parse_from(ports.iter().chain(options)).map_err(|why| why.to_string())?;
        program.arguments.settings().map_err(|why| why.to_string())
    }

    #[test]
    fn without_options_it_is_the_rfc_but_for_the_time() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.sizes, [64, 128, 256, 512, 1024, 1280, 1518]);
        assert_eq!((settings.accepted_loss, settings.highest_rate, settings.resolution), (0.0, 100.0, 0.01));
        assert_eq!((settings.duration, settings.settle), (Duration::from_secs(1), Duration::from_secs(2)));
        assert_eq!(settings.tests, [Test::Throughput, Test::Latency]);
    }

    #[test]
    fn options_are_read_with_their_units() {
        let settings =
            settings(&["--sizes", "64,1518", "--trial", "500ms", "--settle", "0", "--loss", "0.1%"]).unwrap();
        assert_eq!((settings.sizes, settings.accepted_loss), (vec![64, 1518], 0.001));
        assert_eq!((settings.duration, settings.settle), (Duration::from_millis(500), Duration::ZERO));
    }

    #[test]
    fn what_is_impossible_is_refused() {
        for (option, value, part) in [
            ("--sizes", "64,63", "64 to 15876 bytes"),
            ("--sizes", "", "64 to 15876 bytes"),
            ("--sizes", "64,1519", "--sizes 1519: "),
            ("--trial", "-1s", "number of seconds"),
            ("--trial", "0", "above 0"),
            ("--trial", "1e300", "number of seconds"),
            ("--settle", "1001s", "1000 s"),
            ("--loss", "101%", "0 to 100"),
            ("--loss", "NaN", "0 to 100"),
            ("--resolution", "0", "more than 0"),
            ("--max-rate", "0%", "more than 0"),
            ("--retries", "101", "0 to 100"),
            ("--tests", "speed", "frame-loss"),
        ] {
            let refused = settings(&[&format!("{option}={value}")]).expect_err(option);
            assert!(refused.contains(part) && refused.contains(option), "{option}={value}: {refused}");
        }
        let why = settings(&["--port", "sim:ixgbe,peer=sink"]).unwrap_err();
        assert!(why.contains("3 --port given"), "{why}");
    }
}
