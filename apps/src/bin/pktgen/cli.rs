//! The command line.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Parser, Subcommand};
use gannet::MacAddress;
use gannet_apps::launch::PortOptions;
use gannet_apps::monitor::MonitorOptions;
use gannet_apps::port_name::{self, PortName};
use gannet_apps::values::{seconds, time};

use crate::field::{Field, Vlan};
use crate::rate::Rate;
use crate::replay::Timing;
use crate::rfc2544;
use crate::size::{self, Sizes};
use crate::traffic::{MAX_FLOWS, Traffic};
use crate::trial::{End, TrialPlan, Way};

/// Sends traffic on the first port, receives it on the second (or on the same, if there is one), and measures: loss, copies, order, damage,
/// latency, and how well the rate was kept.
///
/// Without --port it runs its demonstration: two software Intel 82599s with a cable between them, brought up through the
/// complete driver, 100000 frames a second for five seconds. Exit status: 0 if all frames arrived intact, once and in order, at the
/// rate that was asked for; 1 if not, or if it was interrupted before it had sent what --duration, --count or a capture say; 2 if it
/// could not run.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = port_name::HELP, after_long_help = format!("{}\n\n{EXAMPLES}", port_name::HELP))]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) ports: PortOptions,

    #[command(flatten)]
    pub(crate) monitor: MonitorOptions,

    /// Bytes of each frame, FCS included: a number, a range that is gone through (64-1518), or imix (7 of 64, 4 of 594, 1 of 1518). At most
    /// 18 more than --mtu, with --vlan 22.
    #[arg(long, value_name = "BYTES", default_value = "64")]
    size: Sizes,

    #[command(flatten)]
    traffic: TrafficOptions,

    /// How fast to send: packets a second (500kpps, 1.5Mpps), bits a second on the wire (200Mbps, 2Gbps; preamble, FCS and gap
    /// count), a share of the link's speed (10%), or max [default: 100kpps in the demonstration, the frames' own times for a
    /// capture, else max].
    #[arg(long, value_name = "RATE")]
    rate: Option<Rate>,

    /// Send for this many seconds [default: 5 in the demonstration, a capture once, else until Ctrl-C].
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true, conflicts_with = "count")]
    duration: Option<Duration>,

    /// Send so many frames from each sending port.
    #[arg(long, value_name = "FRAMES", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Send a frame only while fewer than so many are on their way: of those that left after the latest that has arrived. With 1, each frame
    /// waits for the one before to come back. After 100 ms without an arrival all of them are given up.
    #[arg(long, value_name = "FRAMES")]
    window: Option<NonZeroU32>,

    /// How long to wait for the last frames, as in 2s or 500ms, at most 1000s: what comes later counts as lost. When all have arrived it
    /// waits no longer.
    #[arg(long, value_name = "TIME", value_parser = settle, default_value = "2s")]
    pub(crate) settle: Duration,

    /// Send from the second port to the first too. The report has each way for itself as well.
    #[arg(long)]
    both_ways: bool,

    /// Send the frames of this capture (pcap or pcapng) instead. The receiving side then counts only.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["window", "size", "flows", "src_mac", "dst_mac", "vlan", "src_ip", "dst_ip", "src_port", "dst_port"])]
    pub(crate) pcap: Option<PathBuf>,

    /// When to send the frames of the capture: original (as captured), so many times faster (as in 2.5x), or fast (as the card takes
    /// them).
    #[arg(long, value_name = "HOW", requires = "pcap", conflicts_with = "rate")]
    timing: Option<Timing>,

    /// Show on the whole terminal how it goes. q ends.
    #[arg(long, conflicts_with = "json")]
    pub(crate) screen: bool,

    /// Print the report as one JSON object, and no progress. (Progress goes to the standard error, the report to the standard
    /// output.)
    #[arg(long)]
    pub(crate) json: bool,
}

/// Other things to do than sending.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Rfc2544(rfc2544::Arguments),
}

/// What frames look like, but for their size.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Traffic")]
pub(crate) struct TrafficOptions {
    /// Flows, which take turns [default: as many as the field with the most values has].
    #[arg(long, value_name = "NUMBER")]
    flows: Option<u32>,

    /// Source MAC address, flow by flow: a value, a range that is gone through (A-B), or random (random, random:A-B); so for all fields
    /// [default: that of the sending port].
    #[arg(long, value_name = "VALUES")]
    src_mac: Option<Field<MacAddress>>,

    /// Destination MAC address [default: that of the receiving port].
    #[arg(long, value_name = "VALUES")]
    dst_mac: Option<Field<MacAddress>>,

    /// VLAN, 0 to 4094 [default: no tag].
    #[arg(long, value_name = "VALUES")]
    vlan: Option<Field<Vlan>>,

    /// Source address, IPv4 or IPv6.
    #[arg(long, value_name = "VALUES", default_value = "198.18.0.1")]
    src_ip: Field<IpAddr>,

    /// Destination address, of the same kind.
    #[arg(long, value_name = "VALUES", default_value = "198.19.0.1")]
    dst_ip: Field<IpAddr>,

    /// UDP source port.
    #[arg(long, value_name = "VALUES", default_value = "49184")]
    src_port: Field<u16>,

    /// UDP destination port.
    #[arg(long, value_name = "VALUES", default_value = "9")]
    dst_port: Field<u16>,

    /// Seed of the random fields: the same gives the same flows.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

const EXAMPLES: &str = "\
Examples:
  pktgen
      the demonstration
  pktgen --port pci:0000:01:00.0 --port pci:0000:02:00.0 --rate 10% --size imix --duration 60
      a minute of mixed sizes through whatever is between two cards
  pktgen --port pci:0000:01:00.0 --port pci:0000:02:00.0 --src-ip 198.18.0.1-198.18.3.254 --dst-port random --rate 1Mpps
      a thousand flows
  pktgen --port sim:ixgbe,peer=link:a,loss=100 --port sim:ixgbe,peer=link:a --count 1000000
      a million frames over a cable that loses one of ten thousand
  pktgen --port sim:ixgbe,peer=echo --window 1 --duration 2
      one frame after the other, there and back
  pktgen --port pci:0000:01:00.0 --pcap traffic.pcap --timing 10x
      a capture, ten times faster";

/// A settling time: not so long that the time stamps of the frames that come within it wrap.
///
/// # Errors
/// What is needed.
pub(crate) fn settle(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(1000);
    match time(text)? {
        time if time <= LONGEST => Ok(time),
        _ => Err(format!("time stamps do not tell more than {} s", LONGEST.as_secs())),
    }
}

impl TrafficOptions {
    /// Whether frames have a VLAN tag.
    pub(crate) fn is_tagged(&self) -> bool {
        self.vlan.is_some()
    }

    /// Frames of these sizes.
    pub(crate) fn traffic(&self, sizes: Sizes) -> Traffic {
        let traffic = Traffic {
            sizes,
            flows: 1,
            src_mac: self.src_mac,
            dst_mac: self.dst_mac,
            vlan: self.vlan,
            src_ip: self.src_ip,
            dst_ip: self.dst_ip,
            src_port: self.src_port,
            dst_port: self.dst_port,
            seed: self.seed,
        };
        let flows = self.flows.unwrap_or(traffic.distinct().min(MAX_FLOWS.into()) as u32);
        Traffic { flows, ..traffic }
    }
}

impl Arguments {
    fn is_demonstration(&self) -> bool {
        self.ports.port.is_empty()
    }

    /// The ports to open: those given, or the demonstration's.
    pub(crate) fn names(&self) -> anyhow::Result<Vec<PortName>> {
        if self.is_demonstration() {
            return Ok(vec!["sim:ixgbe,peer=link:demonstration".parse()?; 2]);
        }
        Ok(self.ports.port.clone())
    }

    /// What is measured, in a line.
    pub(crate) fn title(&self) -> anyhow::Result<String> {
        let names: Vec<String> = self.names()?.iter().map(ToString::to_string).collect();
        Ok(format!("pktgen {}", names.join(" > ")))
    }

    /// Which port sends to which.
    pub(crate) fn ways(&self) -> anyhow::Result<Vec<Way>> {
        let there = |from, to| Way { from, to };
        match self.names()?.len() {
            1 if self.both_ways => bail!("--both-ways: needs two ports"),
            1 => Ok(vec![there(0, 0)]),
            2 if self.both_ways => Ok(vec![there(0, 1), there(1, 0)]),
            2 => Ok(vec![there(0, 1)]),
            given => bail!("{given} --port given: one, which sends and receives, or two are possible"),
        }
    }

    fn end(&self) -> End {
        match (self.duration, self.count) {
            (Some(duration), _) => End::After(duration),
            (None, Some(count)) => End::Frames(count),
            (None, None) if self.pcap.is_none() && self.is_demonstration() => End::After(Duration::from_secs(5)),
            (None, None) => End::Open,
        }
    }

    /// What to generate.
    ///
    /// # Errors
    /// Frames that cannot be made.
    pub(crate) fn plan(&self) -> anyhow::Result<TrialPlan> {
        let traffic = self.traffic.traffic(self.size);
        traffic.check()?;
        let usual = if self.is_demonstration() && self.window.is_none() { Rate::Packets(100e3) } else { Rate::Max };
        let rate = self.rate.unwrap_or(usual);
        Ok(TrialPlan { traffic, rate, end: self.end(), window: self.window, settle: self.settle })
    }

    /// How to send a capture.
    pub(crate) fn replay(&self) -> (Timing, Rate, End) {
        let usual = if self.rate.is_some() { Timing::Unbound } else { Timing::Scaled(1.0) };
        (self.timing.unwrap_or(usual), self.rate.unwrap_or(Rate::Max), self.end())
    }

    /// Checks what clap does not know.
    ///
    /// # Errors
    /// The first option that is out of range, with its range.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        self.ports.check()?;
        match self.pcap {
            None => size::check_mtu("--size", self.size.longest(), self.traffic.is_tagged(), self.ports.mtu),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[&str]) -> Arguments {
        Arguments::try_parse_from([&["pktgen"], options].concat()).unwrap()
    }

    #[test]
    fn the_demonstration_has_its_own_defaults() {
        let plan = parse(&[]).plan().unwrap();
        assert_eq!((plan.rate, plan.end), (Rate::Packets(100e3), End::After(Duration::from_secs(5))));
        let plan = parse(&["--port", "sim:ixgbe,peer=echo"]).plan().unwrap();
        assert_eq!((plan.rate, plan.end, plan.settle), (Rate::Max, End::Open, Duration::from_secs(2)));
    }

    #[test]
    fn ways_go_from_the_first_port_to_the_second() {
        let ports = ["--port", "sim:ixgbe,peer=link:a", "--port", "sim:ixgbe,peer=link:a"];
        let (there, back) = (Way { from: 0, to: 1 }, Way { from: 1, to: 0 });
        assert_eq!(parse(&ports).ways().unwrap(), [there]);
        assert_eq!(parse(&[&ports[..], &["--both-ways"]].concat()).ways().unwrap(), [there, back]);
        assert_eq!(parse(&ports[2..]).ways().unwrap(), [Way { from: 0, to: 0 }]);
        assert!(parse(&[&ports[2..], &["--both-ways"]].concat()).ways().is_err());
        assert!(parse(&[&ports[..], &ports[..]].concat()).ways().is_err());
    }

    #[test]
    fn flows_are_as_many_as_the_values() {
        let flows = |options: &[&str]| parse(options).plan().unwrap().traffic.flows;
        assert_eq!(flows(&[]), 1);
        assert_eq!(flows(&["--src-ip", "198.51.100.1-198.51.100.20"]), 20);
        assert_eq!(flows(&["--src-ip", "198.51.100.1-198.51.100.20", "--flows", "7"]), 7);
        assert_eq!(flows(&["--src-mac", "random"]), MAX_FLOWS);
    }

    #[test]
    fn a_capture_keeps_its_times_unless_there_is_a_rate() {
        assert_eq!(parse(&["--pcap", "x"]).replay(), (Timing::Scaled(1.0), Rate::Max, End::Open));
        assert_eq!(parse(&["--pcap", "x", "--timing", "2x"]).replay().0, Timing::Scaled(2.0));
        let options = parse(&["--pcap", "x", "--rate", "10pps"]).replay();
        assert_eq!(options, (Timing::Unbound, Rate::Packets(10.0), End::Open));
    }
}
