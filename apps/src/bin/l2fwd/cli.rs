//! The command line.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Parser, ValueEnum};
use gannet::{Idle, MAX_BURST};
use gannet_apps::cores;
use gannet_apps::port_name::{self, PortName};
use gannet_mempool::registry;

use crate::forward::Shared;

/// Forwards every frame between pairs of ports: the first and the second, the third and the fourth, and so on.
///
/// Without --port it runs its demonstration: two software Intel 82599s, brought up through the complete driver, with numbered
/// frames both ways for five seconds. Exit status: 0 if no frame was lost, reordered or corrupted and every buffer is home, 1 if
/// not, 2 if it could not run.
#[derive(Debug, Parser)]
#[command(version, after_help = port_name::HELP, after_long_help = format!("{}\n\n{EXAMPLES}", port_name::HELP))]
pub(crate) struct Arguments {
    /// A port, by name (see below). Give an even number of them.
    #[arg(long, value_name = "NAME")]
    pub(crate) port: Vec<PortName>,

    /// Swap source and destination MAC address of every frame.
    #[arg(long)]
    pub(crate) mac_swap: bool,

    /// Most packets handled at once, 1 to 256.
    #[arg(long, value_name = "PACKETS", default_value_t = 32)]
    pub(crate) burst: usize,

    /// Descriptors of each ring, a power of two from 64 to 4096.
    #[arg(long, value_name = "DESCRIPTORS", default_value_t = 512)]
    pub(crate) ring: u32,

    /// Buffers of the packet pool [default: so many that all rings, caches and bursts can be full without pressure].
    #[arg(long, value_name = "BUFFERS")]
    pub(crate) buffers: Option<u32>,

    /// Bytes of a frame that a buffer holds, 1024 to 16384.
    #[arg(long, value_name = "BYTES", default_value_t = 2048)]
    pub(crate) buffer_size: u16,

    /// Receive and transmit queues of each port. Flows are spread over them (RSS), so several cores can forward for one pair of ports.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) queues: usize,

    /// What a core does while nothing arrives: poll without end, sleep when it has been quiet for a while, or sleep at once. A
    /// sleeping core is woken by the card's interrupt.
    #[arg(long, value_name = "HOW", value_enum, default_value_t = IdleName::Poll)]
    pub(crate) idle: IdleName,

    /// Stop after this many seconds [default: 5 in the demonstration; else when no peer has anything left to send, or at Ctrl-C].
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) duration: Option<Duration>,

    /// Cores to forward on, as in 1,3-5: one a pair of ports at least, one for each queue of a pair at most [default: one a pair,
    /// the last ones].
    #[arg(long, value_name = "LIST")]
    pub(crate) cores: Option<String>,

    /// Sets a tunable of the packet memory, as in pool.cache=256; can be given several times. --tunables shows them all.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,

    /// Print the tunables with their values, ranges and meanings, and end.
    #[arg(long)]
    pub(crate) tunables: bool,

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

/// Descriptors that a ring may have.
const RING: RangeInclusive<u32> = 64..=4096;

/// Queues that any card may have. What a card really has its driver says.
const QUEUES: RangeInclusive<usize> = 1..=64;

/// Bytes that a buffer may hold: the least that a card writes to at once, the most that a pool makes.
const BUFFER_SIZE: RangeInclusive<u16> = 1024..=16384;

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

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>().map(Duration::try_from_secs_f64) {
        Ok(Ok(time)) if !time.is_zero() => Ok(time),
        _ => Err("a number of seconds above 0 is needed".into()),
    }
}

impl Arguments {
    /// The ports to open: those given, or the demonstration's.
    pub(crate) fn ports(&self) -> anyhow::Result<Vec<PortName>> {
        let given = self.port.len();
        ensure!(given <= Shared::MAX_PORTS, "{given} --port given: {} are possible", Shared::MAX_PORTS);
        ensure!(
            given.is_multiple_of(2),
            "{given} --port given: ports are forwarded in pairs, add one or leave one out"
        );
        if self.is_demonstration() {
            return Ok(vec!["sim:ixgbe,peer=gen".parse()?; 2]);
        }
        Ok(self.port.clone())
    }

    pub(crate) fn is_demonstration(&self) -> bool {
        self.port.is_empty()
    }

    /// When to stop at the latest.
    pub(crate) fn duration(&self) -> Option<Duration> {
        self.duration.or_else(|| self.is_demonstration().then_some(Duration::from_secs(5)))
    }

    /// Sets the tunables that are given.
    pub(crate) fn tune(&self) -> anyhow::Result<()> {
        self.set.iter().try_for_each(|assignment| registry::assign(assignment).context("--set"))
    }

    /// Checks what clap does not know.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if !(1..=MAX_BURST).contains(&self.burst) {
            bail!("--burst {}: 1 to {MAX_BURST} packets are possible", self.burst);
        }
        if !self.ring.is_power_of_two() || !RING.contains(&self.ring) {
            bail!("--ring {}: powers of two from {} to {} are possible", self.ring, RING.start(), RING.end());
        }
        if !BUFFER_SIZE.contains(&self.buffer_size) {
            let (least, most) = (BUFFER_SIZE.start(), BUFFER_SIZE.end());
            bail!("--buffer-size {}: {least} to {most} bytes are possible", self.buffer_size);
        }
        ensure!(QUEUES.contains(&self.queues), "--queues {}: 1 to {} are possible", self.queues, QUEUES.end());
        Ok(())
    }

    /// The cores to forward on: as many as are named, but not more than there are queues; or one a pair.
    pub(crate) fn cores(&self, pairs: usize) -> anyhow::Result<Vec<usize>> {
        let mut cores = match &self.cores {
            Some(list) => cores::parse(list)?,
            None => cores::available()?,
        };
        let wanted = match &self.cores {
            Some(_) => cores.len().min(pairs * self.queues),
            None => pairs,
        };
        let named = if self.cores.is_some() { "--cores names" } else { "this process may use" };
        ensure!(
            pairs <= cores.len(),
            "{pairs} pairs of ports need {pairs} cores, {named} {}: give fewer ports or more cores",
            cores.len()
        );
        // The first cores have the system's own work, and leave one for the software cards.
        if self.cores.is_none() {
            cores.drain(..cores.len() - pairs);
        }
        cores.truncate(wanted);
        Ok(cores)
    }
}
