//! A web server on a port: TCP/IP by smoltcp, in the program itself, without the kernel.
//!
//! ```text
//!   card ◄──► RxQueue, TxQueue ◄──► PortDevice ◄──► smoltcp's interface and sockets ◄──► HTTP
//! ```
//!
//!     cargo run --release --example http                                               fetches pages from itself, over two software cards
//!     sudo target/release/examples/http --port sim:ixgbe,peer=tap:gan0                 to be asked by the host: curl http://198.51.100.1/
//!
//! `/` has the port's statistics, `/large` is 100 kB of text. `src/smoltcp_device.rs` has the way between a port's queues and smoltcp.

#![forbid(unsafe_code)]

mod cli;
mod client;
mod host;
mod pages;
mod server;

use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::thread;
use std::time;

use anyhow::Context;
use clap::Parser;
use gannet::{Pool, Queues, RxInterrupts};
use gannet_apps::launch::{Launched, Plan, launch, stop};
use gannet_apps::ports::Hold;
use gannet_apps::program::{self, Live, Show};
use gannet_apps::running::Running;
use gannet_apps::smoltcp_device::PortDevice;
use smoltcp::time::Instant;
use smoltcp::wire::{IpCidr, Ipv4Address, Ipv4Cidr};

use self::cli::Arguments;
use self::client::Client;
use self::host::Host;
use self::server::Server;

/// Address of the demonstration's client.
const CLIENT: IpCidr = IpCidr::Ipv4(Ipv4Cidr::new(Ipv4Address::new(198, 51, 100, 2), 24));

/// What the demonstration asks for.
const REQUESTS: [&str; 3] = [
    "GET / HTTP/1.1\r\nHost: demonstration\r\nConnection: close\r\n\r\n",
    "GET /large HTTP/1.1\r\nHost: demonstration\r\nConnection: close\r\n\r\n",
    "GET /nowhere HTTP/1.1\r\nHost: demonstration\r\nConnection: close\r\n\r\n",
];

/// Frames that a device holds besides those in its rings: a burst each way.
const HELD: u32 = 64;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    program::run("http", || run(&arguments))
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { ports: options, address: addresses, listen, connections } = arguments;
    if options.tune()? {
        return Ok(ExitCode::SUCCESS);
    }
    arguments.check()?;
    let names =
        if options.port.is_empty() { vec!["sim:ixgbe,peer=link:web".parse()?; 2] } else { options.port.clone() };

    let plan = Plan { options, cores: 1, held: HELD * names.len() as u32, rx_interrupts: RxInterrupts::Off };
    let Launched { pool, mut running, queues, engine, interrupted } = launch(&names, &plan)?;
    running.iter().for_each(|port| port.hold(Hold::Off));
    let mut queues = queues.into_iter();
    let server_queues = queues.next().context("the server's port has queues")?;
    let mut host = new_host(&running[0], server_queues, (&pool, options.mtu), addresses)?;
    let mut server = Server::new(&mut host.sockets, *listen, (*connections).into());
    // In the demonstration there is a second port.
    let mut visitor = match queues.next() {
        Some(queues) => {
            let mut host = new_host(&running[1], queues, (&pool, options.mtu), &[CLIENT])?;
            let client = Client::connect(&mut host, (addresses[0].address(), *listen).into(), &REQUESTS)?;
            Some((host, client))
        }
        None => {
            let told = format!("{}: http://{}:{listen}/, until Ctrl-C", running[0].name, addresses[0].address());
            Live::new(Show::Progress).event(&told);
            None
        }
    };
    let mut looked = time::Instant::now();
    while !interrupted.load(Ordering::Relaxed) {
        let now = Instant::now();
        if looked.elapsed() >= LOOK_EVERY {
            looked = time::Instant::now();
            running.iter_mut().for_each(Running::count);
            if running.iter_mut().any(Running::has_left) {
                break;
            }
        }
        host.poll(now);
        server.poll(&mut host.sockets, now, &mut |path| pages::page(path, &mut running[0], &pool));
        if let Some((host, client)) = &mut visitor {
            host.poll(now);
            if client.poll(&mut host.sockets) {
                break;
            }
        }
        // The software cards may need this core.
        thread::yield_now();
    }

    drop(host);
    let heard = visitor.map(|(_, client)| client.into_heard());
    let mut failed = heard.map_or(Ok(false), |heard| tell(&heard))?;
    for problem in stop(running, engine) {
        tracing::error!("{problem}");
        failed = true;
    }
    let census = pool.census();
    program::print(&format!("buffers  {} of {} not home\n", census.out, census.total))?;
    Ok(if failed || census.out > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// How often the cards are looked after: one may leave, and their counters must not overflow.
const LOOK_EVERY: time::Duration = time::Duration::from_secs(1);

/// A host on this port.
fn new_host(
    port: &Running,
    mut queues: Queues,
    (pool, mtu): (&Pool, u16),
    addresses: &[IpCidr],
) -> anyhow::Result<Host> {
    let mac = port.control().context("the port has just been started")?.info().mac;
    let (rx, tx) = queues.rx.pop().zip(queues.tx.pop()).context("the port has a queue each way")?;
    let device = PortDevice::new(rx, tx, pool, mtu);
    // A hasher's key is random.
    let seed = RandomState::new().hash_one(());
    Ok(Host::new(device, mac, addresses, seed, Instant::now()))
}

/// Prints what the visitor has heard. Returns whether something is missing.
fn tell(heard: &[Vec<u8>]) -> anyhow::Result<bool> {
    for (request, answer) in REQUESTS.iter().zip(heard) {
        let answer = String::from_utf8_lossy(answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let (asked, status) = (request.lines().next().unwrap_or_default(), head.lines().next().unwrap_or_default());
        program::print(&format!("{asked:<22} {status}, {} bytes\n", body.len()))?;
        if request.starts_with("GET / ") {
            program::print(body)?;
        }
    }
    Ok(heard.iter().any(Vec::is_empty))
}
