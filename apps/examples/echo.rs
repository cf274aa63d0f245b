//! Sends every frame back to where it came from, and says each second how many that were.
//!
//! ```text
//!   receive ──► swap the addresses ──► send          one core, a burst at a time
//! ```
//!
//!     cargo run --release --example echo                                          a software card and numbered frames, 5 s
//!     target/release/examples/echo --port pci:0000:01:00.0                        a card, until Ctrl-C

#![forbid(unsafe_code)]

use std::mem;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use clap::Parser;
use gannet::{Burst, Packet, Queues, RxInterrupts};
use gannet_apps::launch::{Launched, Plan, PortOptions, launch, stop};
use gannet_apps::ports::Hold;
use gannet_apps::program::{self, Live, Show};
use gannet_apps::running::Running;
use gannet_apps::{cores, port_name};

/// Sends every frame back to where it came from.
///
/// Exit status: 0 if every buffer came home, 1 if not, 2 if it could not run.
#[derive(Debug, Parser)]
#[command(name = "echo", after_help = format!("{}\n\n{EXAMPLES}", port_name::HELP))]
struct Arguments {
    #[command(flatten)]
    ports: PortOptions,

    /// Stop after this many seconds [default: 5 without --port, else at Ctrl-C].
    #[arg(long, value_name = "SECONDS")]
    duration: Option<u64>,
}

const EXAMPLES: &str = "\
Examples:
  echo
      a software card and numbered frames
  echo --port sim:ixgbe,peer=gen,rate=100000 --duration 10
      the same, more slowly
  echo --port pci:0000:01:00.0
      a card, until Ctrl-C";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    program::run("echo", || run(&arguments))
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let options = &arguments.ports;
    if options.tune()? {
        return Ok(ExitCode::SUCCESS);
    }
    options.check()?;
    let demonstration = options.port.is_empty();
    let names = if demonstration { vec!["sim:ixgbe,peer=gen".parse()?] } else { options.port.clone() };
    ensure!(names.len() == 1, "{} --port given: this program has one", names.len());
    let duration = arguments.duration.or(demonstration.then_some(5)).map(Duration::from_secs);
    let core = options.poll_on(1, "port")?[0];

    let plan = Plan { options, cores: 1, held: 0, rx_interrupts: RxInterrupts::Off };
    let Launched { pool, mut running, mut queues, engine, interrupted } = launch(&names, &plan)?;
    let queues = queues.remove(0);
    // One thread polls. This one watches it: the counters can be read from anywhere.
    let polled = thread::scope(|scope| {
        let poller = scope.spawn(|| {
            if let Err(why) = cores::pin(core) {
                tracing::warn!("{why:#}");
            }
            echo(queues, options.burst, &interrupted);
        });
        running[0].hold(Hold::Off);
        watch(&mut running[0], duration, &interrupted);
        poller.join()
    });
    if polled.is_err() {
        bail!("the polling core panicked");
    }

    program::print(&format!("echoed   {} frames\n", running[0].forwarded()))?;
    let problems = stop(running, engine);
    problems.iter().for_each(|problem| tracing::error!("{problem}"));
    let census = pool.census();
    program::print(&format!("buffers  {} of {} not home\n", census.out, census.total))?;
    Ok(if problems.is_empty() && census.out == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The polling core's loop. It owns the queues; when it ends they stop, and their buffers go home.
fn echo(mut queues: Queues, burst: usize, interrupted: &AtomicBool) {
    let mut bursts: Vec<Burst> = queues.rx.iter().map(|_| Burst::new(burst)).collect();
    while !interrupted.load(Ordering::Relaxed) {
        let mut moved = 0;
        for ((rx, tx), burst) in queues.rx.iter_mut().zip(&mut queues.tx).zip(&mut bursts) {
            // What the card had no room for last time is still at the front.
            let old = burst.len();
            moved += rx.receive(burst);
            burst[old..].iter_mut().for_each(swap_addresses);
            // Also with an empty burst: it brings home what has been sent.
            moved += tx.send(burst);
        }
        if moved == 0 {
            // With few cores the software card needs this one.
            thread::yield_now();
        }
    }
}

/// Swaps source and destination of an Ethernet header.
fn swap_addresses(packet: &mut Packet) {
    // A packet that was received is nobody else's, so that it can always be changed.
    let Ok(frame) = packet.data_mut() else { return };
    if let Some((destination, rest)) = frame.split_first_chunk_mut::<6>()
        && let Some(source) = rest.first_chunk_mut::<6>()
    {
        mem::swap(destination, source);
    }
}

/// Prints a line each second until Ctrl-C, or until the time is over or the card leaves, which stops the polling core as Ctrl-C does.
fn watch(port: &mut Running, duration: Option<Duration>, interrupted: &AtomicBool) {
    const TICK: Duration = Duration::from_millis(10);
    let mut live = Live::new(Show::Progress);
    let start = Instant::now();
    let (mut last, mut before) = (start, 0);
    while !interrupted.load(Ordering::Relaxed) {
        thread::sleep(TICK);
        if last.elapsed() >= Duration::from_secs(1) {
            // Also because the card's own counters overflow.
            port.count();
            let (now, frames) = (Instant::now(), port.forwarded());
            let rate = (frames - before) as f64 / (now - last).as_secs_f64();
            live.line(&format!("{:6.1} s {:8.3} Mpps", (now - start).as_secs_f64(), rate / 1e6));
            (last, before) = (now, frames);
        }
        if port.has_left() || duration.is_some_and(|duration| start.elapsed() >= duration) {
            port.hold(Hold::On);
            interrupted.store(true, Ordering::Relaxed);
        }
    }
    live.end();
}
