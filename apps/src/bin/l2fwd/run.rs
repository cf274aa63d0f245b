//! Starts everything, watches it, stops everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use gannet::{Burst, Idle, Link, Pool, Queues, RxInterrupts};
use gannet_apps::launch::{Launched, Plan, launch, stop};
use gannet_apps::monitor::Monitor;
use gannet_apps::ports::Hold;
use gannet_apps::program::{Live, Show};
use gannet_apps::running::Running;
use gannet_sim::peer::PeerStats;

use crate::cli::Arguments;
use crate::drops;
use crate::forward::{Direction, Measured, Shared, Task, forward};
use crate::pressure::PressureWatch;
use crate::report::{Buffers, Report};
use crate::tally::Tally;

/// How often the main thread looks around.
const TICK: Duration = Duration::from_millis(5);
/// The same where all ports are cards: their links, and whether they are there. Each look costs system calls and register reads,
/// and an idle program should cost next to nothing.
const SLOW_TICK: Duration = Duration::from_millis(200);
/// Quiet time after which all that was sent has arrived.
const QUIET: Duration = Duration::from_millis(50);
/// The same where frames are missing: they are lost, or a core has not had its turn for long.
const QUIET_BUT_INCOMPLETE: Duration = Duration::from_millis(500);
/// The same where a card has not sent what it was given: its link may come up, or the other end take frames again. Meanwhile more wait
/// in front of the cores, where nobody counts them.
const QUIET_BUT_HELD_UP: Duration = Duration::from_secs(2);
/// Longest wait for quiet while frames still move.
const QUIET_PATIENCE: Duration = Duration::from_secs(10);

/// Runs the program and says how it went.
pub(crate) fn run(arguments: &Arguments, started: Instant) -> anyhow::Result<Report> {
    arguments.ports.check()?;
    let names = arguments.names()?;
    let cores = arguments.cores(names.len() / 2)?;
    drops::register();
    let mut monitor = Monitor::start("l2fwd", &arguments.monitor)?;
    let idle = Idle::from(arguments.idle);
    let rx_interrupts = if idle == Idle::Poll { RxInterrupts::Off } else { RxInterrupts::On };
    let plan = Plan { options: &arguments.ports, cores: cores.len(), held: 0, rx_interrupts };
    let Launched { pool, mut running, queues, engine, interrupted } = launch(&names, &plan)?;

    running.iter_mut().for_each(Running::begin);
    running.iter().for_each(|port| monitor.add_port(port));
    let shared = Arc::new(Shared::default());
    let workers: Vec<_> = cores
        .iter()
        .zip(deal_out(pair_up(queues, arguments.ports.burst), cores.len()))
        .map(|(&core, directions)| {
            let task = Task { core, mac_swap: arguments.mac_swap, idle, started };
            let (shared, meter) = (shared.clone(), monitor.add_core(core));
            // The name by which a pool knows who has a buffer.
            let worker = thread::Builder::new().name(format!("core {core}"));
            worker.spawn(move || forward(directions, task, meter, &shared)).context("starting a thread to forward on")
        })
        .collect::<anyhow::Result<_>>()?;
    running.iter().for_each(|port| port.hold(Hold::Off));
    // A core that panics ends the run.
    let is_over = || interrupted.load(Ordering::Relaxed) || workers.iter().any(JoinHandle::is_finished);
    let tally = watch(arguments, &mut running, &mut monitor, &shared, &pool, is_over);
    let while_running = Buffers::count(&pool, &running);
    running.iter_mut().for_each(Running::end);
    shared.stop();

    let mut measured = Measured::default();
    let mut problems = Vec::new();
    for (core, worker) in cores.iter().zip(workers) {
        let Ok((directions, by_core)) = worker.join() else {
            problems.push(format!("core {core} has panicked: what it had to forward is lost"));
            continue;
        };
        // Stops the queues: what they still send, and what they cannot, is counted before the report.
        drop(directions);
        measured.driver_cycles += by_core.driver_cycles;
        measured.packets += by_core.packets;
        measured.sleeps += by_core.sleeps;
    }
    let mut report = Report::new(&names, &tally, &mut running, measured, &shared);
    report.problems.extend(problems.into_iter().chain(stop(running, engine)));
    report.finish(pool, while_running);
    Ok(report)
}

/// Ports 0 and 1, 2 and 3, ...: what one receives on a queue the other sends on the queue of the same number.
fn pair_up(queues: Vec<Queues>, burst: usize) -> Vec<[Direction; 2]> {
    let mut pairs = Vec::new();
    let mut ports = (0..).zip(queues);
    while let (Some((a, at_a)), Some((b, at_b))) = (ports.next(), ports.next()) {
        let direction = |from, to, rx, tx| Direction { from, to, rx: Some(rx), tx: Some(tx), burst: Burst::new(burst) };
        let there = at_a.rx.into_iter().zip(at_b.tx).map(|(rx, tx)| direction(a, b, rx, tx));
        let back = at_b.rx.into_iter().zip(at_a.tx).map(|(rx, tx)| direction(b, a, rx, tx));
        pairs.extend(there.zip(back).map(|(there, back)| [there, back]));
    }
    pairs
}

/// Spreads the queues of all pairs over `cores` cores.
fn deal_out(pairs: Vec<[Direction; 2]>, cores: usize) -> Vec<Vec<Direction>> {
    let mut hands: Vec<Vec<Direction>> = (0..cores).map(|_| Vec::new()).collect();
    for (turn, pair) in pairs.into_iter().enumerate() {
        hands[turn % cores].extend(pair);
    }
    hands
}

/// Waits for the end, printing statistics, then has the peers stop and waits until all is quiet.
fn watch(
    arguments: &Arguments,
    running: &mut [Running],
    monitor: &mut Monitor,
    shared: &Shared,
    pool: &Pool,
    is_over: impl Fn() -> bool,
) -> Tally {
    const EVERY: Duration = Duration::from_secs(1);
    let begin = Tally::now(running);
    let mut last = begin.clone();
    let mut live = Live::new(if arguments.json { Show::Nothing } else { Show::Progress });
    let mut pressure = PressureWatch::new(pool);
    // Cards have no end to be noticed at once.
    let tick = if running.iter().all(|port| port.cable.is_none()) { SLOW_TICK } else { TICK };
    let mut quiet_since = Instant::now();
    let mut seen = begin.packets();
    loop {
        thread::sleep(tick);
        look_after(running, shared, &mut live);
        monitor.refresh(running);
        pressure.look(|event| live.event(event));
        let now = Tally::now(running);
        if now.packets() != seen {
            (seen, quiet_since) = (now.packets(), now.at);
        }
        let finished = running.iter().all(is_finished);
        let ended = finished && now.at - quiet_since >= quiet(running);
        if ended || is_over() || arguments.duration().is_some_and(|duration| now.at - begin.at >= duration) {
            // A run that ended by itself was busy until it went quiet.
            let until = if ended { quiet_since } else { now.at };
            live.end();
            let mut end = now;
            end.at = until;
            settle(running);
            return end.since(&begin);
        }
        if now.at - last.at >= EVERY {
            running.iter_mut().for_each(Running::count);
            live.line(&line(&now.since(&last), &now.since(&begin), running));
            last = now;
        }
    }
}

/// Whether a port has nothing more to offer, ever.
fn is_finished(port: &Running) -> bool {
    match &port.cable {
        Some(cable) => cable.is_finished(),
        None => port.control().is_none(),
    }
}

/// Says what has become of links, and gives up cards that are gone or wanted back.
fn look_after(running: &mut [Running], shared: &Shared, live: &mut Live) {
    for (number, port) in running.iter_mut().enumerate() {
        if let Some(link) = port.link_change() {
            live.event(&match link {
                Link::Up { mbps } => format!("port {number} ({}): link up, {mbps} Mb/s", port.name),
                Link::Down => format!("port {number} ({}): link down", port.name),
            });
        }
        if let Some(reason) = port.reason_to_leave() {
            shared.give_up(number);
            port.leave(reason);
            live.event(&format!("port {number} ({}): {reason}: given up, the others go on", port.name));
        }
    }
}

/// Has the peers offer nothing more, and waits until what is on its way has arrived.
fn settle(running: &[Running]) {
    running.iter().for_each(|port| port.hold(Hold::On));
    if running.iter().all(|port| port.cable.is_none()) {
        // Others send to cards as they please: there is no quiet to wait for.
        return;
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
    let count = |port: usize, of: fn(&PeerStats) -> &AtomicU64| {
        running[port].cable.as_ref().map_or(0, |cable| of(&cable.stats).load(Ordering::Relaxed))
    };
    let arrived = |from: usize| count(from ^ 1, |peer| &peer.accepted) >= count(from, |peer| &peer.offered);
    if (0..running.len()).all(arrived) {
        QUIET
    } else if running.iter().all(|port| port.in_rings().1 == 0) {
        QUIET_BUT_INCOMPLETE
    } else {
        QUIET_BUT_HELD_UP
    }
}

/// A line of statistics.
fn line(second: &Tally, total: &Tally, running: &[Running]) -> String {
    let mut line = format!("{:6.1} s", total.seconds());
    for (from, rate) in second.rates().enumerate() {
        line += &format!("   {from}->{} {:7.3} Mpps", from ^ 1, rate / 1e6);
    }
    let starved: u64 = running.iter().map(Running::starved).sum();
    if starved > 0 {
        line += &format!("   no buffers {starved}x");
    }
    line
}
