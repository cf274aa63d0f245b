//! Sends a file as UDP datagrams without copying a byte of it: the card reads them where they are.
//!
//! ```text
//!   frame = [ headers: a buffer of the pool ] ──► [ 1024 bytes of the file: foreign memory, mapped for the card ]
//! ```
//!
//!     cargo run --release --example zero_copy                                              this program's own binary, into a sink
//!     cargo run --release --example zero_copy -- --file README.md --port sim:ixgbe,peer=pcap:,record=out.pcapng
//!
//! Each frame carries a token. When the last one is gone the card is done with the file's memory, and not before.

#![forbid(unsafe_code)]

use std::fs::File;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use etherparse::{EtherType, Ethernet2Header, IpNumber, Ipv4Header, UdpHeader};
use gannet::{Burst, Completion, External, MAX_BURST, MacAddress, Packet, Pool, Refused, RxInterrupts, Token, TxQueue};
use gannet_apps::launch::{Launched, Plan, PortOptions, launch, stop};
use gannet_apps::port_name;
use gannet_apps::ports::Hold;
use gannet_apps::program;
use gannet_apps::values::mac_address;

/// Sends a file as UDP datagrams without copying a byte of it.
///
/// Exit status: 0 if all of it was sent and every buffer came home, 1 if not, 2 if it could not run.
#[derive(Debug, Parser)]
#[command(name = "zero_copy", after_help = format!("{}\n\n{EXAMPLES}", port_name::HELP))]
struct Arguments {
    #[command(flatten)]
    ports: PortOptions,

    /// What to send [default: this program].
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Where to, and from.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "198.51.100.2:9")]
    to: SocketAddrV4,
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "198.51.100.1:49152")]
    from: SocketAddrV4,

    /// MAC address of the receiver.
    #[arg(long, value_name = "MAC", default_value = "ff:ff:ff:ff:ff:ff", value_parser = mac_address)]
    mac: MacAddress,
}

const EXAMPLES: &str = "\
Examples:
  zero_copy
      this program's own binary, to nobody
  zero_copy --port sim:ixgbe,peer=pcap:,record=out.pcapng --file README.md
      a file, into a capture
  zero_copy --port pci:0000:01:00.0 --file video.ts --to 203.0.113.9:5004 --mac 02:00:5e:10:00:01
      to a receiver behind a card";

/// Bytes of the file in a datagram.
const PIECE: usize = 1024;

/// Bytes of the packet with such a datagram.
const PACKET: usize = Ipv4Header::MIN_LEN + UdpHeader::LEN + PIECE;

/// Longest wait for the card to take what is left.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    program::run("zero_copy", || run(&arguments))
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let options = &arguments.ports;
    if options.tune()? {
        return Ok(ExitCode::SUCCESS);
    }
    options.check()?;
    let names = if options.port.is_empty() { vec!["sim:ixgbe,peer=sink".parse()?] } else { options.port.clone() };
    ensure!(names.len() == 1, "{} --port given: this program has one", names.len());
    ensure!(usize::from(options.mtu) >= PACKET, "--mtu {}: its packets have {PACKET} bytes", options.mtu);
    let path = arguments.file.clone().map_or_else(std::env::current_exe, Ok)?;
    let file = File::open(&path).with_context(|| path.display().to_string())?;
    let memory = External::file(&file).with_context(|| path.display().to_string())?;

    // A frame takes two buffers: one for its headers, one that stands for the foreign bytes.
    let plan = Plan { options, cores: 1, held: 2 * MAX_BURST as u32, rx_interrupts: RxInterrupts::Off };
    let Launched { pool, running, mut queues, engine, interrupted } = launch(&names, &plan)?;
    running[0].hold(Hold::Off);
    let control = running[0].control().context("the port has just been started")?;
    if !memory.is_empty() {
        // Once for the file, not for each packet.
        control.map(&memory)?;
    }
    let template = Template { arguments, mac: control.info().mac };

    let (completion, token) = Completion::new();
    let start = Instant::now();
    let frames = send(&template, &memory, &pool, token, &mut queues[0].tx[0], &interrupted);
    let seconds = start.elapsed().as_secs_f64();
    let memory_frames = memory.len().div_ceil(PIECE);
    let (pending, copied) = (completion.pending(), completion.copied());
    program::print(&format!("file     {}, {} bytes\n", path.display(), memory.len()))?;
    program::print(&format!("sent     {frames} frames in {seconds:.3} s\n"))?;
    program::print(&format!("waiting  {pending} frames\n"))?;
    program::print(&format!("copied   {copied} frames\n"))?;

    drop(queues);
    drop(memory);
    let problems = stop(running, engine);
    problems.iter().for_each(|problem| tracing::error!("{problem}"));
    let census = pool.census();
    program::print(&format!("buffers  {} of {} not home\n", census.out, census.total))?;
    let all = frames == memory_frames && pending == 0;
    Ok(if problems.is_empty() && all && census.out == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends all of `memory`, and waits until the card is done with it. Returns how many frames the card was given.
fn send(
    template: &Template<'_>,
    memory: &External,
    pool: &Pool,
    token: Token,
    tx: &mut TxQueue,
    interrupted: &AtomicBool,
) -> usize {
    let mut burst = Burst::new(template.arguments.ports.burst);
    let (mut at, mut frames, mut progress) = (0, 0, Instant::now());
    while (at < memory.len() || !burst.is_empty() || tx.stats().in_ring > 0) && !interrupted.load(Ordering::Relaxed) {
        while at < memory.len() && burst.room() > 0 {
            let length = PIECE.min(memory.len() - at);
            // Refused while all buffers are with the card.
            let Ok(frame) = template.frame(pool, memory, at, length, &token) else { break };
            // There is room.
            let _ = burst.push(frame);
            at += length;
        }
        let sent = tx.send(&mut burst);
        frames += sent;
        if sent > 0 {
            progress = Instant::now();
        } else if progress.elapsed() > PATIENCE {
            break;
        } else {
            // With few cores the software card needs this one.
            thread::yield_now();
        }
    }
    frames
}

/// What all frames have in common.
struct Template<'a> {
    arguments: &'a Arguments,
    /// The port's.
    mac: MacAddress,
}

impl Template<'_> {
    /// A frame with `length` bytes of `memory` from `at` on.
    fn frame(
        &self,
        pool: &Pool,
        memory: &External,
        at: usize,
        length: usize,
        token: &Token,
    ) -> Result<Packet, Refused> {
        const ETHERNET: usize = Ethernet2Header::LEN;
        const IP: usize = ETHERNET + Ipv4Header::MIN_LEN;
        const UDP: usize = IP + UdpHeader::LEN;
        let Arguments { to, from, mac, .. } = self.arguments;
        let (source, destination) = (from.ip().octets(), to.ip().octets());
        let udp_length = (UdpHeader::LEN + length) as u16;
        // Neither a header nor PIECE bytes are too long for a length field.
        let mut ip = Ipv4Header::new(udp_length, 64, IpNumber::UDP, source, destination).unwrap_or_default();
        ip.header_checksum = ip.calc_header_checksum();
        let ethernet = Ethernet2Header { source: self.mac, destination: *mac, ether_type: EtherType::IPV4 };
        // No checksum (RFC 768: 0): to compute it, every byte would have to be looked at.
        let udp = UdpHeader { source_port: from.port(), destination_port: to.port(), length: udp_length, checksum: 0 };

        let mut packet = pool.alloc().ok_or(Refused::NoBuffer)?;
        let headers = packet.append(UDP)?;
        headers[..ETHERNET].copy_from_slice(&ethernet.to_bytes());
        headers[ETHERNET..IP].copy_from_slice(&ip.to_bytes());
        headers[IP..].copy_from_slice(&udp.to_bytes());
        let mut bytes = Packet::from_external(pool, memory, at, length)?;
        bytes.complete_with(token.clone())?;
        packet.append_segment(bytes).map_err(|(why, _)| why)?;
        Ok(packet)
    }
}
