//! Starts everything, watches it, stops everything.

use std::io::{IsTerminal, Write, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use gannet::{Burst, Control, Filter, Link, Pool, PoolOptions, PortConfig, Queues};
use gannet_apps::ports::{self, Cable, Hold};
use gannet_sim::peer::PeerStats;
use gannet_sim::x82599::Engine;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::cli::Arguments;
use crate::forward::{Direction, Measured, Shared, Task, forward};
use crate::report::{Buffers, Report, Tally};

/// Longest wait for a link. The card's own bound is 9 s.
const LINK_PATIENCE: Duration = Duration::from_secs(9);
/// How often the main thread looks around.
const TICK: Duration = Duration::from_millis(5);
/// Quiet time after which all that was sent has arrived.
const QUIET: Duration = Duration::from_millis(50);
/// The same where frames are missing: they are lost, or a core has not had its turn for long.
const QUIET_BUT_INCOMPLETE: Duration = Duration::from_millis(500);
/// Longest wait for quiet.
const QUIET_PATIENCE: Duration = Duration::from_secs(2);
/// Buffers for the application to hold, above all rings, caches and bursts.
const SPARE_BUFFERS: u32 = 512;

/// A started port, seen by the main thread.
pub(crate) struct Running {
    pub(crate) control: Control,
    pub(crate) cable: Cable,
}

/// Runs the program and says how it went.
pub(crate) fn run(arguments: &Arguments, started: Instant) -> anyhow::Result<Report> {
    arguments.check()?;
    let names = arguments.ports()?;
    let cores = arguments.cores(names.len() / 2)?;
    let pool = make_pool(arguments, names.len() as u32)?;
    let opened = ports::open(&names)?;
    // Not before: opening a named pipe waits for its other end, and Ctrl-C must end that too.
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, interrupted.clone()).context("catching Ctrl-C")?;
    }
    // Nothing arrives before there is somebody to take it.
    opened.cables.iter().for_each(|cable| cable.hold(Hold::On));
    let engine = Engine::spawn(opened.nics);
    let mut running = Vec::new();
    let mut queues = Vec::new();
    for (port, cable) in opened.ports.into_iter().zip(opened.cables) {
        let mut config = PortConfig::new(&pool, arguments.ring);
        config.filter = Filter::promiscuous();
        let (control, ends) = port.configure(config).and_then(|port| port.start()).map_err(with_option)?;
        running.push(Running { control, cable });
        queues.push(ends);
    }
    for port in &running {
        wait_for_link(&port.control, &interrupted)?;
    }

    let shared = Arc::new(Shared::default());
    let workers: Vec<_> = pair_up(queues, arguments.burst)
        .into_iter()
        .zip(cores)
        .map(|(directions, core)| {
            let task = Task { core, mac_swap: arguments.mac_swap, started };
            let shared = shared.clone();
            thread::spawn(move || forward(directions, task, &shared))
        })
        .collect();
    for port in &running {
        port.cable.hold(Hold::Off);
    }
    let tally = watch(arguments, &running, &interrupted);
    let while_running = Buffers::count(&pool, &running);
    shared.stop.store(true, Ordering::Relaxed);

    let mut measured = Measured::default();
    let mut abandoned = 0;
    let mut queues = Vec::new();
    for worker in workers {
        let Ok((directions, by_core)) = worker.join() else { bail!("a forwarding core panicked") };
        measured.driver_cycles += by_core.driver_cycles;
        measured.packets += by_core.packets;
        abandoned += directions.iter().map(|direction| direction.abandoned).sum::<u64>();
        queues.extend(take_apart(directions));
    }
    // Dropping the queues stops them: what they still send, and what they cannot, is counted before the report.
    drop(queues);
    let mut report = Report::new(&names, &tally, &mut running, measured, abandoned, &shared);
    for port in running {
        if let Err(why) = port.control.stop(Queues { rx: Vec::new(), tx: Vec::new() }) {
            report.problems.push(why.to_string());
        }
    }
    // Recorded files are complete once the cards are gone.
    drop(engine.stop());
    report.finish(&pool, while_running);
    Ok(report)
}

fn make_pool(arguments: &Arguments, ports: u32) -> anyhow::Result<Pool> {
    let defaults = PoolOptions::default();
    let workers = ports / 2 + 1;
    let needed = ports * (2 * arguments.ring + arguments.burst as u32) + workers * defaults.cache + SPARE_BUFFERS;
    let buffers = arguments.buffers.unwrap_or(needed);
    let options = PoolOptions { buffers, data_room: arguments.buffer_size, ..defaults };
    Pool::new(&options).context("packet memory")
}

/// The option that cures what the driver complains of.
fn with_option(why: gannet::Error) -> anyhow::Error {
    match why {
        gannet::Error::PoolTooSmall { .. } => anyhow!("{why} (--buffers), or the rings smaller (--ring)"),
        _ => why.into(),
    }
}

fn wait_for_link(control: &Control, interrupted: &AtomicBool) -> anyhow::Result<()> {
    const STEP: Duration = Duration::from_millis(100);
    let mut waited = Duration::ZERO;
    while control.wait_for_link(STEP) == Link::Down && !interrupted.load(Ordering::Relaxed) {
        waited += STEP;
        if waited >= LINK_PATIENCE {
            bail!(
                "{}: no link after {} s: is the cable plugged in at both ends?",
                control.info().name,
                waited.as_secs_f32()
            );
        }
    }
    Ok(())
}

/// Ports 0 and 1, 2 and 3, ...: what one receives the other sends.
fn pair_up(queues: Vec<Queues>, burst: usize) -> Vec<[Direction; 2]> {
    let mut pairs = Vec::new();
    let mut queues = queues.into_iter().map(|mut queues| (queues.rx.pop(), queues.tx.pop()));
    while let (Some((Some(rx0), Some(tx0))), Some((Some(rx1), Some(tx1)))) = (queues.next(), queues.next()) {
        let direction = |rx, tx| Direction { rx, tx, burst: Burst::new(burst), abandoned: 0 };
        pairs.push([direction(rx0, tx1), direction(rx1, tx0)]);
    }
    pairs
}

/// The queues of both ports of a pair.
fn take_apart([there, back]: [Direction; 2]) -> [Queues; 2] {
    [Queues { rx: vec![there.rx], tx: vec![back.tx] }, Queues { rx: vec![back.rx], tx: vec![there.tx] }]
}

/// Waits for the end, printing statistics, then has the peers stop and waits until all is quiet.
fn watch(arguments: &Arguments, running: &[Running], interrupted: &AtomicBool) -> Tally {
    const EVERY: Duration = Duration::from_secs(1);
    let begin = Tally::now(running);
    let deadline = arguments.duration().map(|duration| begin.at + duration);
    let mut last = begin.clone();
    let mut live = LiveLine::new(arguments.json);
    let mut quiet_since = Instant::now();
    let mut seen = begin.packets();
    loop {
        thread::sleep(TICK);
        let now = Tally::now(running);
        if now.packets() != seen {
            (seen, quiet_since) = (now.packets(), now.at);
        }
        let finished = running.iter().all(|port| port.cable.is_finished());
        let ended = finished && now.at - quiet_since >= quiet(running);
        if ended || interrupted.load(Ordering::Relaxed) || deadline.is_some_and(|deadline| now.at >= deadline) {
            // A run that ended by itself was busy until it went quiet.
            let until = if ended { quiet_since } else { now.at };
            live.end();
            let mut end = now;
            end.at = until;
            settle(running);
            return end.since(&begin);
        }
        if now.at - last.at >= EVERY {
            live.print(&now.since(&last), &now.since(&begin), running);
            last = now;
        }
    }
}

/// Has the peers offer nothing more, and waits until what is on its way has arrived.
fn settle(running: &[Running]) {
    for port in running {
        port.cable.hold(Hold::On);
    }
    let start = Instant::now();
    let (mut seen, mut since) = (Tally::now(running).packets(), start);
    while since.elapsed() < quiet(running) && start.elapsed() < QUIET_PATIENCE {
        thread::sleep(TICK);
        let packets = Tally::now(running).packets();
        if packets != seen {
            (seen, since) = (packets, Instant::now());
        }
    }
}

/// How long it must be quiet until no more is on its way.
fn quiet(running: &[Running]) -> Duration {
    let count = |port: &Running, of: fn(&PeerStats) -> &AtomicU64| of(&port.cable.stats).load(Ordering::Relaxed);
    let arrived =
        |from: usize| count(&running[from ^ 1], |peer| &peer.accepted) >= count(&running[from], |peer| &peer.offered);
    if (0..running.len()).all(arrived) { QUIET } else { QUIET_BUT_INCOMPLETE }
}

/// Statistics each second: one line rewritten on a terminal, a line each otherwise, nothing beside JSON.
struct LiveLine {
    show: bool,
    terminal: bool,
}

impl LiveLine {
    fn new(json: bool) -> LiveLine {
        LiveLine { show: !json, terminal: stderr().is_terminal() }
    }

    fn print(&mut self, second: &Tally, total: &Tally, running: &[Running]) {
        if !self.show {
            return;
        }
        let mut line = format!("{:6.1} s", total.seconds());
        for (from, rate) in second.rates().enumerate() {
            line += &format!("   {from}->{} {:7.3} Mpps", from ^ 1, rate / 1e6);
        }
        let starved: u64 = running.iter().flat_map(|port| port.control.rx_stats()).map(|queue| queue.no_buffers).sum();
        if starved > 0 {
            line += &format!("   no buffers {starved}x");
        }
        let (start, end) = if self.terminal { ("\r\x1b[K", "") } else { ("", "\n") };
        // A closed pipe is no reason to stop forwarding.
        let _ = write!(stderr(), "{start}{line}{end}").and_then(|()| stderr().flush());
    }

    fn end(&mut self) {
        if self.show && self.terminal {
            let _ = writeln!(stderr());
        }
    }
}
