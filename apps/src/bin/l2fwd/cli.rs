//! The command line.

use std::time::Duration;

use anyhow::ensure;
use clap::{Parser, ValueEnum};
use gannet::Idle;
use gannet_apps::launch::PortOptions;
use gannet_apps::monitor::MonitorOptions;
use gannet_apps::port_name::{self, PortName};
use gannet_apps::values::seconds;

use crate::forward::Shared;

/// Forwards every frame between pairs of ports: the first and the second, the third and the fourth, and so on.
///
/// Without --port it runs its demonstration: two software Intel 82599s, brought up through the complete driver, with numbered
/// frames both ways for five seconds. Exit status: 0 if no frame was lost, reordered or corrupted and every buffer is home, 1 if
/// not, 2 if it could not run.
#[derive(Debug, Parser)]
#[command(version, after_help = port_name::HELP, after_long_help = format!("{}\n\n{EXAMPLES}", port_name::HELP))]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) ports: PortOptions,

    /// Swap source and destination MAC address of every frame.
    #[arg(long)]
    pub(crate) mac_swap: bool,

    /// What a core does while nothing arrives: poll without end, sleep when it has been quiet for a while, or sleep at once. A
    /// sleeping core is woken by the card's interrupt.
    #[arg(long, value_name = "HOW", value_enum, default_value_t = IdleName::Poll)]
    pub(crate) idle: IdleName,

    /// Stop after this many seconds [default: 5 in the demonstration; else when no peer has anything left to send, or at Ctrl-C].
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) duration: Option<Duration>,

    #[command(flatten)]
    pub(crate) monitor: MonitorOptions,

    /// Print the final report as one JSON object, and no statistics before it. (Statistics go to the standard error, the report
    /// to the standard output.)
    #[arg(long)]
    pub(crate) json: bool,
}

/// [`Idle`], as it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IdleName {
    Poll,
    Adaptive,
    Interrupt,
}

impl From<IdleName> for Idle {
    fn from(name: IdleName) -> Idle {
        match name {
            IdleName::Poll => Idle::Poll,
            IdleName::Adaptive => Idle::Adaptive,
            IdleName::Interrupt => Idle::Interrupt,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  l2fwd
      the demonstration
  l2fwd --port pci:0000:01:00.0 --port pci:0000:02:00.0
      two cards, bound to vfio-pci (nicctl doctor tells what is missing)
  l2fwd --port pci:0000:01:00.0 --port pci:0000:02:00.0 --queues 4 --cores 2-5 --idle adaptive
      on four cores, which sleep when there is nothing to do
  l2fwd --port sim:ixgbe,peer=pcap:in.pcap --port sim:ixgbe,peer=pcap:,record=out.pcapng
      every frame of in.pcap through two cards into out.pcapng
  l2fwd --port sim:ixgbe,peer=tap:gan0 --port sim:ixgbe,peer=tap:gan1
      a cable between two interfaces of the host (as root)";

impl Arguments {
    /// The ports to open: those given, or the demonstration's.
    pub(crate) fn names(&self) -> anyhow::Result<Vec<PortName>> {
        let given = self.ports.port.len();
        ensure!(given <= Shared::MAX_PORTS, "{given} --port given: {} are possible", Shared::MAX_PORTS);
        ensure!(
            given.is_multiple_of(2),
            "{given} --port given: ports are forwarded in pairs, add one or leave one out"
        );
        if self.is_demonstration() {
            return Ok(vec!["sim:ixgbe,peer=gen".parse()?; 2]);
        }
        Ok(self.ports.port.clone())
    }

    pub(crate) fn is_demonstration(&self) -> bool {
        self.ports.port.is_empty()
    }

    /// When to stop at the latest.
    pub(crate) fn duration(&self) -> Option<Duration> {
        self.duration.or_else(|| self.is_demonstration().then_some(Duration::from_secs(5)))
    }

    /// The cores to forward on: one a pair of ports at least, one for each queue of a pair at most.
    pub(crate) fn cores(&self, pairs: usize) -> anyhow::Result<Vec<usize>> {
        self.ports.poll_on(pairs, "pairs of ports")
    }
}
