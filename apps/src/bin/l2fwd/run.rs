//! Starts everything, watches it, stops everything.

use std::io::{IsTerminal, Write, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use gannet::{Burst, Control, Filter, Idle, Link, Pool, Port, PortConfig, Probed, Queues, RxInterrupts};
use gannet_apps::ports::{self, Hold};
use gannet_sim::peer::PeerStats;
use gannet_sim::x82599::Engine;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::cli::Arguments;
use crate::drops;
use crate::forward::{Direction, Measured, Shared, Task, forward};
use crate::memory::{self, PressureWatch};
use crate::report::{Buffers, Report};
use crate::running::Running;
use crate::tally::Tally;

/// Longest wait for a link. The card's own bound is 9 s.
const LINK_PATIENCE: Duration = Duration::from_secs(9);
/// How often the main thread looks around.
const TICK: Duration = Duration::from_millis(5);
/// The same where all ports are cards: their links, and whether they are there. Each look costs system calls and register reads,
/// and an idle program should cost next to nothing.
const SLOW_TICK: Duration = Duration::from_millis(200);
/// Quiet time after which all that was sent has arrived.
const QUIET: Duration = Duration::from_millis(50);
/// The same where frames are missing: they are lost, or a core has not had its turn for long.
const QUIET_BUT_INCOMPLETE: Duration = Duration::from_millis(500);
/// Longest wait for quiet.
const QUIET_PATIENCE: Duration = Duration::from_secs(2);

/// Runs the program and says how it went.
pub(crate) fn run(arguments: &Arguments, started: Instant) -> anyhow::Result<Report> {
    arguments.check()?;
    let names = arguments.ports()?;
    let cores = arguments.cores(names.len() / 2)?;
    drops::register();
    let demand = memory::demand(arguments, names.len() as u32, cores.len() as u32);
    let pool = memory::make_pool(arguments, demand)?;
    let opened = ports::open(&names)?;
    // Not before: opening a named pipe waits for its other end, and Ctrl-C must end that too.
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, interrupted.clone()).context("catching Ctrl-C")?;
    }
    // Nothing arrives before there is somebody to take it.
    opened.cables.iter().flatten().for_each(|cable| cable.hold(Hold::On));
    let engine = Engine::spawn(opened.nics);
    let started_ports =
        start(opened.ports, &port_config(arguments, &pool)).map_err(|why| memory::with_option(why, demand))?;
    let (controls, queues): (Vec<_>, Vec<_>) = started_ports.into_iter().unzip();
    let mut running: Vec<Running> =
        controls.into_iter().zip(opened.cables).map(|(control, cable)| Running::new(control, cable)).collect();
    for port in running.iter().filter(|port| port.cable.is_some()) {
        wait_for_link(port.control().expect("it has just been started"), &interrupted)?;
    }

    running.iter_mut().for_each(Running::begin);
    let shared = Arc::new(Shared::default());
    let workers: Vec<_> = cores
        .iter()
        .zip(deal_out(pair_up(queues, arguments.burst), cores.len()))
        .map(|(&core, directions)| {
            let task = Task { core, mac_swap: arguments.mac_swap, idle: arguments.idle.into(), started };
            let shared = shared.clone();
            // The name by which a pool knows who has a buffer.
            let worker = thread::Builder::new().name(format!("core {core}"));
            worker.spawn(move || forward(directions, task, &shared)).context("starting a thread to forward on")
        })
        .collect::<anyhow::Result<_>>()?;
    running.iter().filter_map(|port| port.cable.as_ref()).for_each(|cable| cable.hold(Hold::Off));
    let tally = watch(arguments, &mut running, &shared, &pool, &interrupted);
    let while_running = Buffers::count(&pool, &running);
    running.iter_mut().for_each(Running::end);
    shared.stop();

    let mut measured = Measured::default();
    for worker in workers {
        let Ok((directions, by_core)) = worker.join() else { bail!("a forwarding core panicked") };
        // Stops the queues: what they still send, and what they cannot, is counted before the report.
        drop(directions);
        measured.driver_cycles += by_core.driver_cycles;
        measured.packets += by_core.packets;
        measured.sleeps += by_core.sleeps;
    }
    let mut report = Report::new(&names, &tally, &mut running, measured, &shared);
    for control in running.into_iter().filter_map(Running::into_control) {
        if let Err(why) = control.stop(Queues { rx: Vec::new(), tx: Vec::new() }) {
            report.problems.push(why.to_string());
        }
    }
    // Recorded files are complete once the cards are gone.
    drop(engine.stop());
    report.finish(pool, while_running);
    Ok(report)
}

/// Starts the ports, which fills their receive rings. On a thread that ends: what its cache of free buffers has left over is then
/// everybody's.
fn start(ports: Vec<Port<Probed>>, config: &PortConfig) -> gannet::Result<Vec<(Control, Queues)>> {
    thread::scope(|scope| {
        let start = |port: Port<Probed>| port.configure(config.clone())?.start();
        let starts = scope.spawn(move || ports.into_iter().map(start).collect());
        // The end of the scope alone would not wait for the cache.
        starts.join().expect("starting a port does not panic")
    })
}

fn port_config(arguments: &Arguments, pool: &Pool) -> PortConfig {
    let mut config = PortConfig::new(pool, arguments.ring);
    config.rx = vec![config.rx[0].clone(); arguments.queues];
    config.tx = vec![config.tx[0].clone(); arguments.queues];
    config.filter = Filter::promiscuous();
    if Idle::from(arguments.idle) != Idle::Poll {
        config.rx_interrupts = RxInterrupts::On;
    }
    config
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
    shared: &Shared,
    pool: &Pool,
    interrupted: &AtomicBool,
) -> Tally {
    const EVERY: Duration = Duration::from_secs(1);
    let begin = Tally::now(running);
    let deadline = arguments.duration().map(|duration| begin.at + duration);
    let mut last = begin.clone();
    let mut live = LiveLine::new(arguments.json);
    let mut pressure = PressureWatch::new(pool);
    // Cards have no end to be noticed at once.
    let tick = if running.iter().all(|port| port.cable.is_none()) { SLOW_TICK } else { TICK };
    let mut quiet_since = Instant::now();
    let mut seen = begin.packets();
    loop {
        thread::sleep(tick);
        look_after(running, shared, &mut live);
        pressure.look(|event| live.event(event));
        let now = Tally::now(running);
        if now.packets() != seen {
            (seen, quiet_since) = (now.packets(), now.at);
        }
        let finished = running.iter().all(is_finished);
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
            running.iter_mut().for_each(Running::count);
            live.print(&now.since(&last), &now.since(&begin), running);
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
fn look_after(running: &mut [Running], shared: &Shared, live: &mut LiveLine) {
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
    running.iter().filter_map(|port| port.cable.as_ref()).for_each(|cable| cable.hold(Hold::On));
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
        let starved: u64 = running.iter().map(Running::starved).sum();
        if starved > 0 {
            line += &format!("   no buffers {starved}x");
        }
        let (start, end) = if self.terminal { ("\r\x1b[K", "") } else { ("", "\n") };
        // A closed pipe is no reason to stop forwarding.
        let _ = write!(stderr(), "{start}{line}{end}").and_then(|()| stderr().flush());
    }

    /// A line of its own for something that has happened.
    fn event(&mut self, text: &str) {
        if self.show {
            let start = if self.terminal { "\r\x1b[K" } else { "" };
            let _ = writeln!(stderr(), "{start}{text}");
        }
    }

    fn end(&mut self) {
        if self.show && self.terminal {
            let _ = writeln!(stderr());
        }
    }
}
