//! Opens a port by its name, says what it is, and tells of the first frames that arrive.
//!
//!     cargo run --release --example hello_port                                       a software card and numbered frames
//!     cargo run --release --example hello_port -- --port sim:ixgbe,peer=pcap:tests/data/traffic.pcap
//!     target/release/examples/hello_port --port pci:0000:01:00.0 --count 100         a card

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use gannet::{Burst, Link, MacAddress, Packet, RxInterrupts};
use gannet_apps::launch::{Launched, Plan, PortOptions, launch, stop};
use gannet_apps::port_name;
use gannet_apps::ports::Hold;
use gannet_apps::program;

/// Opens a port, says what it is, and tells of the first frames that arrive.
///
/// Exit status: 0 if every buffer came home, 1 if not, 2 if it could not run.
#[derive(Debug, Parser)]
#[command(name = "hello_port", after_help = format!("{}\n\n{EXAMPLES}", port_name::HELP))]
struct Arguments {
    #[command(flatten)]
    ports: PortOptions,

    /// Frames to tell of.
    #[arg(long, value_name = "FRAMES", default_value_t = 5)]
    count: usize,

    /// Longest wait for them.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    duration: u64,
}

const EXAMPLES: &str = "\
Examples:
  hello_port
      a software card and numbered frames
  hello_port --port sim:ixgbe,peer=pcap:traffic.pcap --count 100
      the first frames of a capture
  hello_port --port pci:0000:01:00.0 --duration 60
      a card";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    program::run("hello_port", || run(&arguments))
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let options = &arguments.ports;
    if options.tune()? {
        return Ok(ExitCode::SUCCESS);
    }
    options.check()?;
    let names = match options.port.len() {
        0 => vec!["sim:ixgbe,peer=gen".parse()?],
        _ => options.port.clone(),
    };
    ensure!(names.len() == 1, "{} --port given: this program has one", names.len());

    // Everything up to the running port: card, packet memory, rings. A software card's peer is held back until we are ready.
    let plan = Plan { options, cores: 1, held: 0, rx_interrupts: RxInterrupts::Off };
    let Launched { pool, mut running, mut queues, engine, interrupted } = launch(&names, &plan)?;
    let control = running[0].control().context("the port has just been started")?;
    let info = control.info();
    let link = match control.link() {
        Link::Up { mbps } => format!("up, {mbps} Mb/s"),
        Link::Down => "down".into(),
    };
    program::print(&format!("port     {}\n", names[0]))?;
    program::print(&format!("card     {} ({}), driver {}\n", info.card.name, info.name, info.card.driver.name()))?;
    program::print(&format!("MAC      {}\n", mac(info.mac)))?;
    program::print(&format!("link     {link}\n"))?;
    running[0].hold(Hold::Off);

    // The loop of a poll-mode driver: nothing blocks, and an empty burst is no reason to stop.
    let mut burst = Burst::new(options.burst);
    let mut told = 0;
    let start = Instant::now();
    while told < arguments.count
        && start.elapsed() < Duration::from_secs(arguments.duration)
        && !interrupted.load(Ordering::Relaxed)
    {
        for rx in &mut queues[0].rx {
            rx.receive(&mut burst);
        }
        while let Some(packet) = burst.pop_front() {
            if told < arguments.count {
                told += 1;
                program::print(&format!("frame {told:<3}{}\n", summary(&packet)))?;
            }
            // Here the packet is dropped: its buffer goes home.
        }
        thread::yield_now();
    }

    running[0].hold(Hold::On);
    let counters = running[0].counters();
    program::print(&format!("received {} frames, {} bytes\n", counters.card.rx_packets, counters.card.rx_bytes))?;
    program::print(&format!("missed   {} frames\n", counters.card.rx_missed + counters.card.rx_no_descriptor))?;
    // Queues first: each stops itself in the card before its buffers go home.
    drop((burst, queues));
    let problems = stop(running, engine);
    problems.iter().for_each(|problem| tracing::error!("{problem}"));
    let census = pool.census();
    program::print(&format!("buffers  {} of {} not home\n", census.out, census.total))?;
    Ok(if problems.is_empty() && census.out == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn mac(address: MacAddress) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}

/// A frame in a line.
fn summary(packet: &Packet) -> String {
    let length = packet.total_len();
    let Ok(frame) = SlicedPacket::from_ethernet(packet.data()) else { return format!("{length} bytes, damaged") };
    let (from, to) = match &frame.net {
        Some(NetSlice::Ipv4(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        Some(NetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        _ => return format!("{length} bytes, not IP"),
    };
    let (from, to): (std::net::IpAddr, std::net::IpAddr) = (from, to);
    let what = match &frame.transport {
        Some(TransportSlice::Tcp(tcp)) => format!("TCP {} -> {}", tcp.source_port(), tcp.destination_port()),
        Some(TransportSlice::Udp(udp)) => format!("UDP {} -> {}", udp.source_port(), udp.destination_port()),
        Some(TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_)) => "ICMP".into(),
        _ => "something else".into(),
    };
    format!("{length} bytes, {from} -> {to}, {what}")
}
