//! Everything that commands act on: ports, their pool, the engine and its settings, forwarding.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use gannet::{Burst, Link, Pool, Queues, RxInterrupts};
use gannet_apps::cores;
use gannet_apps::launch::{self, Launched, Plan, PortOptions};
use gannet_apps::monitor::{Monitor, MonitorOptions};
use gannet_apps::port_name::PortName;
use gannet_apps::ports::Hold;
use gannet_apps::program;
use gannet_apps::running::Running;
use gannet_sim::x82599;

use crate::engine::{self, Engine, EngineName, Route, Settings, Stream, drops};
use crate::forward::{Forwarding, Lane, MAX_PORTS, Panicked, StreamView};
use crate::grammar::Vocabulary;
use crate::port::Port;
use crate::rates::Rates;

/// How often the ports are looked after: links, cards that leave, counters that must not overflow.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Buffers of a port for queues and rings that are made larger at the prompt: four queues with rings of 1024 both ways, without pressure.
const ROOM_TO_GROW: u32 = 4 * 2 * 1024 * 10 / 9;
/// Step of a wait for something.
const STEP: Duration = Duration::from_millis(2);
/// Quiet time after which all that peers have sent has arrived, or a core has not had its turn for long.
const QUIET: Duration = Duration::from_millis(200);
/// Longest wait for quiet.
const QUIET_PATIENCE: Duration = Duration::from_secs(2);

/// The program's state.
pub(crate) struct Session {
    pub(crate) ports: Vec<Port>,
    pub(crate) pool: Pool,
    pub(crate) engine: EngineName,
    pub(crate) settings: Settings,
    /// Most packets handled at once.
    pub(crate) burst: usize,
    pub(crate) cores: Vec<usize>,
    /// Ctrl-C has been pressed, or it is told to end. The prompt takes it back when it has ended a command.
    pub(crate) interrupted: Arc<AtomicBool>,
    /// SIGTERM or SIGHUP has come: the program ends.
    terminated: Arc<AtomicBool>,
    /// The user wants to leave.
    pub(crate) quits: bool,
    /// What went wrong, for the end of the program.
    pub(crate) problems: Vec<String>,
    /// Where to tell what happens between commands.
    pub(crate) announce: Box<dyn FnMut(&str)>,
    /// How often rates are told while forwarding.
    pub(crate) stats_period: Option<Duration>,
    forwarding: Option<Active>,
    cards: x82599::Engine,
    monitor: Monitor,
    looked: Instant,
}

/// Forwarding that goes on.
struct Active {
    forwarding: Forwarding,
    streams: Vec<StreamView>,
    /// The engine may be another one from the next start on.
    engine: EngineName,
    since: Instant,
    rates: Option<Rates>,
}

/// Forwarding that has been stopped.
pub(crate) struct Stopped {
    pub(crate) streams: Vec<StreamView>,
    /// How long it went on, without the quiet time at its end.
    pub(crate) elapsed: Duration,
}

/// Packets of all these streams: received, or sent if that is more.
fn moved(streams: &[StreamView]) -> u64 {
    let moved = streams.iter().map(StreamView::moved);
    let (received, sent) = moved.fold((0, 0), |sum, stream| (sum.0 + stream.0, sum.1 + stream.1));
    received.max(sent)
}

/// Whether a card has not sent all that it was given, and can.
fn is_sending(port: &Running) -> bool {
    port.link() != Link::Down && port.in_rings().1 > 0
}

impl Active {
    /// Waits until no packet has moved for a while, and cards whose link is up have sent what they were given. Returns for how long all was
    /// quiet.
    fn settle(&self, ports: &[Port]) -> Duration {
        let start = Instant::now();
        let (mut seen, mut since) = (moved(&self.streams), start);
        while since.elapsed() < QUIET && start.elapsed() < QUIET_PATIENCE {
            std::thread::sleep(STEP);
            let moved = moved(&self.streams);
            if moved != seen || ports.iter().filter_map(Port::running).any(is_sending) {
                (seen, since) = (moved, Instant::now());
            }
        }
        since.elapsed()
    }
}

impl Session {
    /// Opens and starts the ports.
    ///
    /// # Errors
    /// Whatever cannot be had.
    pub(crate) fn open(
        names: &[PortName],
        options: &PortOptions,
        telemetry: &MonitorOptions,
    ) -> anyhow::Result<Session> {
        options.check()?;
        ensure!(names.len() <= MAX_PORTS, "{} --port given: {MAX_PORTS} are possible", names.len());
        drops::register();
        let cores = match &options.cores {
            Some(list) => cores::parse(list)?,
            None => {
                // One a pair of ports, as long as there are. The first cores have the system's own work, and leave one for the software cards.
                let mut there = cores::available()?;
                there.drain(..there.len().saturating_sub(names.len().div_ceil(2)));
                there
            }
        };
        let held = ROOM_TO_GROW * names.len() as u32;
        let plan = Plan { options, cores: cores.len(), held, rx_interrupts: RxInterrupts::Off };
        let Launched { pool, running, queues, engine: cards, interrupted } = launch::launch(names, &plan)?;
        let terminated = Arc::default();
        program::set_when_terminated(&terminated)?;
        let mut monitor = Monitor::start("testpmd", telemetry)?;
        running.iter().for_each(|port| monitor.add_port(port));
        let config = options.config(&pool);
        let started = names.iter().zip(running).zip(queues).enumerate();
        let ports = started
            .map(|(number, ((name, running), queues))| {
                Port::new(number, name.to_string(), config.clone(), running, queues)
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Session {
            ports,
            pool,
            engine: EngineName::Io,
            settings: Settings::default(),
            burst: options.burst,
            cores,
            interrupted,
            terminated,
            quits: false,
            problems: Vec::new(),
            announce: Box::new(|_| ()),
            stats_period: None,
            forwarding: None,
            cards,
            monitor,
            looked: Instant::now(),
        })
    }

    /// What values of commands can be.
    pub(crate) fn vocabulary(&self) -> Vocabulary {
        Vocabulary { ports: self.ports.len() }
    }

    pub(crate) fn is_forwarding(&self) -> bool {
        self.forwarding.is_some()
    }

    /// Whether what waits is to end: Ctrl-C, SIGTERM or SIGHUP.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) || self.is_terminated()
    }

    /// Whether the program is to end: SIGTERM or SIGHUP.
    pub(crate) fn is_terminated(&self) -> bool {
        self.terminated.load(Ordering::Relaxed)
    }

    /// The streams of forwarding that goes on.
    pub(crate) fn streams(&self) -> &[StreamView] {
        self.forwarding.as_ref().map_or(&[], |active| &active.streams)
    }

    /// How long it has been going on.
    pub(crate) fn forwarding_for(&self) -> Duration {
        self.forwarding.as_ref().map_or(Duration::ZERO, |active| active.since.elapsed())
    }

    /// Packets since forwarding began: received, or sent if that is more.
    pub(crate) fn moved(&self) -> u64 {
        moved(self.streams())
    }

    /// Whose frames go where: 0 and 1, 2 and 3; an odd last port to itself.
    fn routes(&self) -> Vec<(usize, usize)> {
        let partner = |port: usize| match self.engine.route() {
            Route::Across if port ^ 1 < self.ports.len() => port ^ 1,
            Route::Across | Route::Back => port,
        };
        let routes = (0..self.ports.len()).map(|port| (port, partner(port)));
        routes.filter(|&(from, to)| self.ports[from].lost().is_none() && self.ports[to].lost().is_none()).collect()
    }

    /// Starts forwarding.
    ///
    /// # Errors
    /// It goes on already, or ports are not ready for it, or what the engine would send is too long for them.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        ensure!(!self.is_forwarding(), "forwarding goes on already: stop ends it");
        let routes = self.routes();
        ensure!(!routes.is_empty(), "no port is left to forward on: show port all says why");
        for &(from, to) in &routes {
            let (from, to) = (&self.ports[from], &self.ports[to]);
            if from.running().is_none() {
                bail!("port {0} is {1}: start port {0} first", from.number, from.state());
            }
            let queues = |port: &Port| port.config.rx.len();
            if queues(from) != queues(to) {
                bail!(
                    "port {0} has {1} queues and port {2}, where its frames go, has {3}: give both the same number \
                     (stop port {0}, set port {0} queues {3}, start port {0})",
                    from.number,
                    queues(from),
                    to.number,
                    queues(to)
                );
            }
            from.check_queues()?;
            if self.engine.generates() {
                self.settings.check_length(to.number, to.config.mtu, self.pool.data_room())?;
            }
        }
        let settings = self.settings.clone();
        self.forward(&routes, |name, stream| engine::make(name, &settings, stream))
    }

    /// Forwards, each stream with what `make` makes of the engine's name.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn forward(
        &mut self,
        routes: &[(usize, usize)],
        make: impl Fn(EngineName, &Stream) -> Box<dyn Engine>,
    ) -> anyhow::Result<()> {
        let streams = self.make_streams(routes);
        let views: Vec<_> = streams.iter().map(StreamView::of).collect();
        let lanes = streams.into_iter().map(|stream| Lane { engine: make(self.engine, &stream), stream }).collect();
        let cores = self.cores.iter().map(|&core| (core, self.monitor.add_core(core))).collect();
        let forwarding = Forwarding::start(lanes, cores)?;
        self.ports.iter().for_each(|port| port.hold(Hold::Off));
        let rates = self.stats_period.map(|every| Rates::new(every, views.len()));
        let (engine, since) = (self.engine, Instant::now());
        self.forwarding = Some(Active { forwarding, streams: views, engine, since, rates });
        Ok(())
    }

    /// Takes the queues of all ports, and joins each receive queue to a transmit queue.
    fn make_streams(&mut self, routes: &[(usize, usize)]) -> Vec<Stream> {
        let mut queues: Vec<Queues> = self.ports.iter_mut().map(Port::take_queues).collect();
        let mut streams = Vec::new();
        for &(from, to) in routes {
            let rx = std::mem::take(&mut queues[from].rx);
            let tx = std::mem::take(&mut queues[to].tx);
            streams.extend(rx.into_iter().zip(tx).map(|(rx, tx)| Stream {
                from,
                to,
                rx: Some(rx),
                tx: Some(tx),
                burst: Burst::new(self.burst),
                pool: self.pool.clone(),
                address: self.ports[to].info.mac,
                peer: self.ports[to].peer,
                counters: Arc::default(),
            }));
        }
        for (port, left) in self.ports.iter_mut().zip(queues) {
            port.give_queues(left);
        }
        streams
    }

    /// Has the peers of software cards offer nothing more, waits until what is on its way has arrived, and stops forwarding.
    ///
    /// # Errors
    /// It does not go on.
    pub(crate) fn stop(&mut self) -> anyhow::Result<Stopped> {
        let active = self.forwarding.take().context("forwarding is stopped already: start begins it")?;
        self.ports.iter().for_each(|port| port.hold(Hold::On));
        // An engine that makes packets is never quiet.
        let settles = !active.engine.generates() && self.ports.iter().any(|port| port.cable().is_some());
        let quiet = if settles { active.settle(&self.ports) } else { Duration::ZERO };
        let Active { forwarding, streams, engine, since, .. } = active;
        let (back, panicked) = forwarding.stop();
        let elapsed = since.elapsed().saturating_sub(quiet);
        self.tell_panics(engine, panicked);
        let mut queues: Vec<Queues> = self.ports.iter().map(|_| Queues { rx: Vec::new(), tx: Vec::new() }).collect();
        for stream in back {
            queues[stream.from].rx.extend(stream.rx);
            queues[stream.to].tx.extend(stream.tx);
        }
        for (port, back) in self.ports.iter_mut().zip(queues) {
            port.give_queues(back);
        }
        Ok(Stopped { streams, elapsed })
    }

    /// Waits until `done`, or for `at_most`, looking after the ports meanwhile. Returns whether it is done.
    ///
    /// # Errors
    /// Ctrl-C, SIGTERM or SIGHUP.
    pub(crate) fn wait(&mut self, at_most: Duration, done: impl Fn(&Session) -> bool) -> anyhow::Result<bool> {
        let start = Instant::now();
        while !done(self) {
            if self.is_interrupted() {
                bail!("interrupted");
            }
            if start.elapsed() >= at_most {
                return Ok(false);
            }
            std::thread::sleep(STEP.min(at_most.saturating_sub(start.elapsed())));
            self.look_after();
        }
        Ok(true)
    }

    /// Tells rates, cores that panicked and links that have changed, and gives up cards that are gone or wanted back, now and then.
    pub(crate) fn look_after(&mut self) {
        if let Some(Active { streams, rates: Some(rates), .. }) = &mut self.forwarding
            && let Some(text) = rates.due(streams)
        {
            (self.announce)(&text);
        }
        if self.looked.elapsed() < LOOK_EVERY {
            return;
        }
        self.looked = Instant::now();
        self.look_at_cores();
        for number in 0..self.ports.len() {
            let port = &mut self.ports[number];
            port.note_faults();
            // Or the card's counters overflow.
            port.running_mut().into_iter().for_each(Running::count);
            self.monitor.look_at_port(number, port.running());
            let Some(running) = port.running_mut() else { continue };
            if let Some(link) = running.link_change() {
                let text = match link {
                    Link::Up { mbps } => format!("port {number}: link up, {mbps} Mb/s"),
                    Link::Down => format!("port {number}: link down"),
                };
                (self.announce)(&text);
            }
            if let Some(reason) = running.reason_to_leave() {
                self.give_up(number, reason);
            }
        }
    }

    /// Tells which cores have panicked since the last look.
    pub(crate) fn look_at_cores(&mut self) {
        if let Some(Active { forwarding, engine, .. }) = &mut self.forwarding {
            let (engine, panicked) = (*engine, forwarding.panicked());
            self.tell_panics(engine, panicked);
        }
    }

    fn tell_panics(&mut self, engine: EngineName, panicked: Vec<Panicked>) {
        for Panicked { core, ports } in panicked {
            let text = format!("{core} panicked in the engine {engine}: the queues that it polled are lost");
            ports.into_iter().for_each(|port| self.ports[port].panicked = Some(text.clone()));
            (self.announce)(&text);
            self.problems.push(text);
        }
    }

    fn give_up(&mut self, number: usize, reason: &str) {
        if let Some(active) = &self.forwarding {
            active.forwarding.give_up(number);
        }
        self.ports[number].leave(reason);
        let text = format!("port {number}: {reason}: given up, the others go on");
        (self.announce)(&text);
        self.problems.push(text);
    }

    /// Starts a port that is stopped.
    ///
    /// # Errors
    /// See [`Port::start`].
    pub(crate) fn start_port(&mut self, number: usize) -> anyhow::Result<()> {
        self.ports[number].start()?;
        if let Some(running) = self.ports[number].running() {
            self.monitor.renew_port(number, running);
        }
        Ok(())
    }
    /// Stops everything. Returns what went wrong while the program ran.
    pub(crate) fn close(mut self) -> Vec<String> {
        if self.is_forwarding()
            && let Err(why) = self.stop()
        {
            self.problems.push(format!("{why:#}"));
        }
        let mut problems = std::mem::take(&mut self.problems);
        let captures: Vec<_> = self.ports.iter().filter_map(|port| port.cable()?.capture.clone()).collect();
        for port in &mut self.ports {
            port.note_faults();
            problems.extend(port.problems());
            if port.running().is_some()
                && let Err(why) = port.stop().with_context(|| format!("port {}", port.number))
            {
                problems.push(format!("{why:#}"));
            }
        }
        let Session { ports, pool, cards, .. } = self;
        drop(ports);
        // Recorded files are complete once the cards are gone.
        drop(cards.stop());
        problems.extend(captures.iter().filter_map(|capture| capture.error()));
        if let Err(why) = pool.destroy(Duration::ZERO) {
            problems.push(why.to_string());
        }
        problems
    }
}
