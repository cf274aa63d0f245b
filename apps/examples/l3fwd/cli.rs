//! The command line.

use std::time::Duration;

use anyhow::ensure;
use clap::Parser;
use gannet_apps::launch::PortOptions;
use gannet_apps::port_name::{self, PortName};

use crate::router::Route;

/// Routes IPv4 and IPv6 between ports by longest prefix match.
///
/// Without --port two software cards get numbered frames, with routes that send those of one to the other. Exit status: 0 if every
/// buffer came home, 1 if not, 2 if it could not run.
#[derive(Debug, Parser)]
#[command(name = "l3fwd", after_help = format!("{}\n\n{EXAMPLES}", port_name::HELP))]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) ports: PortOptions,

    /// A route: destinations, number of the port to send on, and MAC address of the next hop [default: 02:00:00:00:00:PORT]; can be
    /// given several times.
    #[arg(long, value_name = "PREFIX=PORT[,MAC]")]
    route: Vec<Route>,

    /// Stop after this many seconds [default: 5 without --port, else at Ctrl-C].
    #[arg(long, value_name = "SECONDS")]
    duration: Option<u64>,
}

const EXAMPLES: &str = "\
Examples:
  l3fwd
      two software cards and numbered frames
  l3fwd --port pci:0000:01:00.0 --port pci:0000:02:00.0 --route 198.51.100.0/24=0 --route 0.0.0.0/0=1,02:00:00:00:00:0a
      two cards: one network behind the first, everything else by way of a router behind the second";

/// The demonstration: where the generators of two ports send to.
const DEMONSTRATION: [&str; 2] = ["198.19.0.0/32=1", "198.19.0.1/32=0"];

impl Arguments {
    fn is_demonstration(&self) -> bool {
        self.ports.port.is_empty()
    }

    /// The ports to open: those given, or the demonstration's.
    pub(crate) fn names(&self) -> anyhow::Result<Vec<PortName>> {
        Ok(if self.is_demonstration() { vec!["sim:ixgbe,peer=gen".parse()?; 2] } else { self.ports.port.clone() })
    }

    /// The routes: those given, or the demonstration's.
    pub(crate) fn routes(&self) -> anyhow::Result<Vec<Route>> {
        if self.is_demonstration() && self.route.is_empty() {
            return DEMONSTRATION.iter().map(|route| route.parse()).collect();
        }
        ensure!(!self.route.is_empty(), "no --route given: every packet would be dropped");
        Ok(self.route.clone())
    }

    /// When to stop at the latest.
    pub(crate) fn duration(&self) -> Option<Duration> {
        self.duration.or(self.is_demonstration().then_some(5)).map(Duration::from_secs)
    }
}
