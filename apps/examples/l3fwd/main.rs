//! Routes IPv4 and IPv6 between ports by longest prefix match.
//!
//! ```text
//!   port 0 ──receive──►┐            ┌──► burst for port 0 ──send──►
//!   port 1 ──receive──►┼── router ──┼──► burst for port 1 ──send──►      one core, a burst at a time
//!                      ┘            └──► dropped, with a reason
//! ```
//!
//!     cargo run --release --example l3fwd                    two software cards, numbered frames both ways, 5 s
//!     target/release/examples/l3fwd --port pci:0000:01:00.0 --port pci:0000:02:00.0 \
//!         --route 198.51.100.0/24=0,02:00:00:00:00:0a --route 2001:db8::/32=1
//!
//! [`router`] is what is done to a packet, this file what goes around it.

#![forbid(unsafe_code)]

mod cli;
mod router;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use gannet::{Burst, MAX_BURST, MacAddress, Queues, RxInterrupts};
use gannet_apps::cores;
use gannet_apps::launch::{Launched, Plan, launch, stop};
use gannet_apps::ports::Hold;
use gannet_apps::program::{self, Live, Show};
use gannet_apps::running::Running;
use gannet_mempool::registry::{self, Table};

use self::cli::Arguments;
use self::router::{NO_ROOM, Router};

/// Longest time to get the last packets out.
const DRAIN: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    program::run("l3fwd", || run(&arguments))
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let options = &arguments.ports;
    if options.tune()? {
        return Ok(ExitCode::SUCCESS);
    }
    options.check()?;
    let names = arguments.names()?;
    let routes = arguments.routes()?;
    let duration = arguments.duration();
    let core = options.poll_on(1, "router")?[0];

    let held = (names.len() * MAX_BURST) as u32;
    let plan = Plan { options, cores: 1, held, rx_interrupts: RxInterrupts::Off };
    let Launched { pool, mut running, queues, engine, interrupted } = launch(&names, &plan)?;
    let router = Router::new(&routes, &addresses(&running)?)?;
    let polled = thread::scope(|scope| {
        let poller = scope.spawn(|| {
            if let Err(why) = cores::pin(core) {
                tracing::warn!("{why:#}");
            }
            route(&router, queues, options.burst, &interrupted);
        });
        running.iter().for_each(|port| port.hold(Hold::Off));
        watch(&mut running, duration, &interrupted);
        poller.join()
    });
    if polled.is_err() {
        bail!("the polling core panicked");
    }

    program::print("port     received       sent\n")?;
    for (number, port) in running.iter_mut().enumerate() {
        let received: u64 = port.queues().rx_stats().map(|queue| queue.packets).sum();
        program::print(&format!("{number:<4}{received:>13}{:>11}\n", port.forwarded()))?;
    }
    let drops: Vec<_> = registry::drops().into_iter().filter(|row| row.packets > 0).collect();
    if !drops.is_empty() {
        program::print(&Table::of(&drops).to_string())?;
    }
    let problems = stop(running, engine);
    problems.iter().for_each(|problem| tracing::error!("{problem}"));
    let census = pool.census();
    program::print(&format!("buffers  {} of {} not home\n", census.out, census.total))?;
    Ok(if problems.is_empty() && census.out == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The MAC addresses of the ports.
fn addresses(running: &[Running]) -> anyhow::Result<Vec<MacAddress>> {
    let mac = |port: &Running| port.control().map(|control| control.info().mac).context("a card has left");
    running.iter().map(mac).collect()
}

/// The polling core's loop. It owns the queues; when it ends they stop, and their buffers go home.
fn route(router: &Router, mut queues: Vec<Queues>, limit: usize, interrupted: &AtomicBool) {
    let mut burst = Burst::new(limit);
    let mut out: Vec<Burst> = queues.iter().map(|_| Burst::new(MAX_BURST)).collect();
    while !interrupted.load(Ordering::Relaxed) {
        let mut moved = 0;
        for rx in queues.iter_mut().flat_map(|port| &mut port.rx) {
            moved += rx.receive(&mut burst);
            router.forward(&mut burst, &mut out);
        }
        for (port, out) in queues.iter_mut().zip(&mut out) {
            // Also with an empty burst: it brings home what has been sent. One core needs one of a port's transmit queues.
            moved += port.tx[0].send(out);
        }
        if moved == 0 {
            // With few cores the software cards need this one.
            thread::yield_now();
        }
    }
    let end = Instant::now();
    while out.iter().any(|burst| !burst.is_empty()) && end.elapsed() < DRAIN {
        queues.iter_mut().zip(&mut out).for_each(|(port, out)| {
            port.tx[0].send(out);
        });
        thread::yield_now();
    }
    out.iter_mut().for_each(|burst| burst.drop_with(&NO_ROOM));
}

/// Prints a line each second until Ctrl-C, or until the time is over or a card leaves, which stops the polling core as Ctrl-C does.
fn watch(running: &mut [Running], duration: Option<Duration>, interrupted: &AtomicBool) {
    const TICK: Duration = Duration::from_millis(10);
    let mut live = Live::new(Show::Progress);
    let start = Instant::now();
    let (mut last, mut before) = (start, 0);
    while !interrupted.load(Ordering::Relaxed) {
        thread::sleep(TICK);
        if last.elapsed() >= Duration::from_secs(1) {
            // Also because the cards' own counters overflow.
            running.iter_mut().for_each(Running::count);
            let (now, packets) = (Instant::now(), running.iter().map(Running::forwarded).sum::<u64>());
            let rate = (packets - before) as f64 / (now - last).as_secs_f64();
            live.line(&format!("{:6.1} s {:8.3} Mpps", (now - start).as_secs_f64(), rate / 1e6));
            (last, before) = (now, packets);
        }
        if running.iter_mut().any(Running::has_left) || duration.is_some_and(|duration| start.elapsed() >= duration) {
            running.iter().for_each(|port| port.hold(Hold::On));
            interrupted.store(true, Ordering::Relaxed);
        }
    }
    live.end();
}
