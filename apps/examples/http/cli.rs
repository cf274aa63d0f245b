//! The command line.

use anyhow::ensure;
use clap::Parser;
use gannet::data_room_for;
use gannet_apps::launch::PortOptions;
use gannet_apps::port_name;
use smoltcp::wire::IpCidr;

/// Serves web pages on a port: / has its statistics, /large is 100 kB of text.
///
/// Without --port it fetches its pages itself, over two software cards that a cable joins. Exit status: 0 if all went well, 1 if an
/// answer or a buffer is missing in the end, 2 if it could not run.
#[derive(Debug, Parser)]
#[command(name = "http", after_help = format!("{}\n\n{EXAMPLES}", port_name::HELP))]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) ports: PortOptions,

    /// An address of the server and its network; can be given twice.
    #[arg(long, value_name = "ADDRESS/LENGTH", value_parser = address, default_value = SERVER, requires = "port")]
    pub(crate) address: Vec<IpCidr>,

    /// TCP port to listen on.
    #[arg(long, value_name = "NUMBER", default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) listen: u16,

    /// Most connections at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) connections: u16,
}

const EXAMPLES: &str = "\
Examples:
  http
      the demonstration
  http --port sim:ixgbe,peer=tap:gan0
      for the host: sudo ip addr add 198.51.100.2/24 dev gan0; sudo ip link set gan0 up; curl http://198.51.100.1/
  http --port pci:0000:01:00.0 --address 203.0.113.7/24 --address 2001:db8::7/64 --listen 8080
      a card, with two addresses";

/// The server's address, unless another is given.
const SERVER: &str = "198.51.100.1/24";

fn address(text: &str) -> Result<IpCidr, String> {
    let network: Option<IpCidr> = text.parse().ok();
    let unicast = network.filter(|network| network.address().is_unicast());
    unicast.ok_or_else(|| format!("an address and the length of its network's prefix are needed, as in {SERVER}"))
}

impl Arguments {
    /// Checks what clap does not know.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let PortOptions { port, queues, mtu, .. } = &self.ports;
        self.ports.check()?;
        // A frame must fit in one buffer, of which cards fill multiples of 1024 bytes.
        let (buffer_size, needed) = (self.ports.buffer_size(), data_room_for(*mtu));
        ensure!(port.len() <= 1, "{} --port given: the server has one", port.len());
        ensure!(*queues == 1, "--queues {queues}: the server has one");
        ensure!(buffer_size >= needed, "--buffer-size {buffer_size}: TCP's frames need {needed} bytes (--mtu {mtu})");
        ensure!(self.address.len() <= 2, "{} --address given: 2 are possible", self.address.len());
        Ok(())
    }
}
