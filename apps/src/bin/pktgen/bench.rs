//! Trials over real ports: sends on one, receives on another, or on the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use gannet::{Link, MacAddress, Pool, Queues, RxInterrupts};
use gannet_apps::cores;
use gannet_apps::launch::{self, Launched, Plan, PortOptions, launch};
use gannet_apps::monitor::{CoreMeter, Monitor};
use gannet_apps::port_name::PortName;
use gannet_apps::ports::Hold;
use gannet_apps::program::Live;
use gannet_apps::running::Running;
use gannet_sim::Clock;
use gannet_sim::x82599::Engine;

use crate::gauge::{Gauge, Orders, Stage};
use crate::rate::Rate;
use crate::receiver::{Expected, Receiver};
use crate::replay::Recording;
use crate::sender::{Sender, Task};
use crate::size::FCS;
use crate::source::{Generated, Replayed, Rounds, Source};
use crate::supervisor::{Samples, Supervisor};
use crate::traffic::Template;
use crate::trial::{Bench, End, Figures, Outcome, Progress, TrialPlan, Way, add_to};
use crate::worker::{Measured, Worker};

/// Running ports on which trials can be made, one after the other.
pub(crate) struct PortBench {
    pool: Pool,
    running: Vec<Running>,
    queues: Vec<Queues>,
    engine: Engine,
    interrupted: Arc<AtomicBool>,
    monitor: Monitor,
    ways: Vec<Way>,
    /// One for all, or one to send and one to receive.
    cores: Vec<usize>,
    /// Most packets handled at once.
    burst: usize,
    clock: Clock,
    /// Of the next template: no two trials, and no two ways, have the same.
    mark: u16,
}

/// The mark of the first template. Any will do that is not 0; this one stands out in a dump.
const FIRST_MARK: u16 = 0x6A00;

/// What is sent in a trial.
enum Content<'a> {
    /// A template for each way.
    Generated(&'a [Template]),
    Recorded(&'a Recording, Rounds),
}

/// How it is sent.
struct Course {
    rate: Rate,
    end: End,
    window: Option<u64>,
    settle: Duration,
}

impl PortBench {
    /// Starts the ports and waits for their links; `live` tells which other programs it waits for.
    ///
    /// # Errors
    /// Ports or cores that cannot be had, or a link that does not come up.
    pub(crate) fn launch(
        mut monitor: Monitor,
        options: &PortOptions,
        names: &[PortName],
        ways: Vec<Way>,
        live: &mut Live,
    ) -> anyhow::Result<PortBench> {
        ensure!(options.queues == 1, "--queues {}: pktgen sends and receives on 1 queue a port", options.queues);
        let cores = match &options.cores {
            Some(list) => cores::parse(list)?,
            None => options.poll_on(1, "pair of ports")?,
        };
        ensure!(cores.len() <= 2, "--cores: one for all, or one to send and one to receive");
        // Each port has a burst to send and one to receive; the pool knows of one.
        let held = (names.len() * options.burst) as u32;
        let plan = Plan { options, cores: cores.len(), held, rx_interrupts: RxInterrupts::Off };
        let Launched { pool, running, queues, engine, interrupted } = launch(names, &plan)?;
        launch::wait_for_others(&running, &interrupted, live);
        for port in &running {
            port.hold(Hold::Off);
            launch::wait_for_link(port, &interrupted)?;
            monitor.add_port(port);
        }
        ensure!(!interrupted.load(Ordering::Relaxed), "interrupted before all links were up");
        Ok(PortBench {
            pool,
            running,
            queues,
            engine,
            interrupted,
            monitor,
            ways,
            cores,
            burst: options.burst,
            clock: Clock::real(),
            mark: FIRST_MARK,
        })
    }

    /// What Ctrl-C sets: the trial ends early.
    pub(crate) fn interrupt(&self) -> Arc<AtomicBool> {
        self.interrupted.clone()
    }

    /// Sends the frames of a capture, and waits so long for the last ones.
    ///
    /// # Errors
    /// A core panicked.
    pub(crate) fn replay(
        &mut self,
        recording: &Recording,
        (rate, end, settle): (Rate, End, Duration),
        watch: &mut dyn FnMut(&Progress),
    ) -> anyhow::Result<Outcome> {
        let rounds = if end == End::Open { Rounds::Once } else { Rounds::Endless };
        let course = Course { rate, end, window: None, settle };
        self.trial(&Content::Recorded(recording, rounds), &course, watch)
    }

    /// Stops the ports and the software cards. Returns what went wrong.
    pub(crate) fn stop(self) -> Vec<String> {
        let PortBench { pool, running, queues, engine, .. } = self;
        drop(queues);
        let mut problems = launch::stop(running, engine);
        let out = pool.census().out;
        if out > 0 {
            problems.push(format!("{out} buffers did not come home"));
        }
        problems
    }

    fn mac(&self, port: usize) -> anyhow::Result<MacAddress> {
        let running = &self.running[port];
        Ok(running.control().with_context(|| format!("{}: given up", running.name))?.info().mac)
    }

    fn templates(&mut self, plan: &TrialPlan) -> anyhow::Result<Vec<Template>> {
        let (longest, room) = (plan.traffic.sizes.longest(), self.pool.data_room());
        ensure!(
            longest - FCS <= room,
            "frames of {longest} bytes: a buffer holds up to {}: give --buffer-size {} or more",
            room + FCS,
            // Cards fill multiples of this many bytes.
            longest.next_multiple_of(1024)
        );
        let mut templates = Vec::new();
        for way in &self.ways {
            let (from, to) = (self.mac(way.from)?, self.mac(way.to)?);
            templates.push(Template::new(&plan.traffic, self.mark, from, to)?);
            // 0 is no mark.
            self.mark = self.mark.checked_add(1).unwrap_or(1);
        }
        Ok(templates)
    }

    fn trial(
        &mut self,
        content: &Content<'_>,
        course: &Course,
        watch: &mut dyn FnMut(&Progress),
    ) -> anyhow::Result<Outcome> {
        let line = self.line_rate_bits();
        ensure!(
            line > 0 || !matches!(course.rate, Rate::Percent(_)),
            "the link is down: no rate is a share of its speed"
        );
        let gauges: Vec<Arc<Gauge>> = self.ways.iter().map(|_| Arc::default()).collect();
        let mut samples = Samples::new(self.ways.len());
        let lanes = Lanes { pool: &self.pool, ways: &self.ways, cores: &self.cores, burst: self.burst };
        let workers = lanes.deal_out(&mut self.queues, content, course, (line, &gauges, &mut samples));
        let meters = self.cores.iter().map(|&core| self.monitor.add_core(core)).collect();
        let orders = Orders::default();
        let mut supervisor = Supervisor {
            running: &mut self.running,
            monitor: &mut self.monitor,
            interrupted: &self.interrupted,
            gauges: &gauges,
            orders: &orders,
            samples,
            settle: course.settle,
            problems: Vec::new(),
        };
        let measured = run(workers, meters, &self.clock, &mut supervisor, watch)?;
        let Supervisor { samples, mut problems, .. } = supervisor;
        let refused: u64 = measured.iter().flat_map(|core| &core.sent).map(|(_, sent)| sent.refused).sum();
        problems.extend((refused > 0).then(|| format!("{refused} frames were refused by the driver")));
        let is_scheduled = matches!(content, Content::Recorded(recording, _) if recording.is_scheduled());
        let rate = if is_scheduled { Rate::Max } else { course.rate };
        let cut_short = measured.iter().flat_map(|core| &core.sent).any(|(_, sent)| sent.cut_short);
        let interrupted = cut_short && self.interrupted.load(Ordering::Relaxed);
        let figures = figures(measured, samples, &gauges, (rate.pps(), rate.bits(line)));
        let total = Figures::sum(figures.iter());
        Ok(Outcome { total, ways: self.ways.iter().copied().zip(figures).collect(), interrupted, problems })
    }
}

impl Bench for PortBench {
    fn run(&mut self, plan: &TrialPlan, watch: &mut dyn FnMut(&Progress)) -> anyhow::Result<Outcome> {
        let templates = self.templates(plan)?;
        let course = Course {
            rate: plan.rate,
            end: plan.end,
            window: plan.window.map(|window| u64::from(window.get())),
            settle: plan.settle,
        };
        self.trial(&Content::Generated(&templates), &course, watch)
    }

    fn line_rate_bits(&self) -> u64 {
        let speed = |way: &Way| match self.running[way.from].control().map(|control| control.link()) {
            Some(Link::Up { mbps }) => u64::from(mbps) * 1_000_000,
            Some(Link::Down) | None => 0,
        };
        self.ways.iter().map(speed).min().unwrap_or(0)
    }
}

/// What senders and receivers are made of.
struct Lanes<'a> {
    pool: &'a Pool,
    ways: &'a [Way],
    cores: &'a [usize],
    burst: usize,
}

impl<'a> Lanes<'a> {
    /// Makes the senders and receivers of a trial, and gives each core its own. Every port is received on, so that nothing piles up
    /// where nothing is expected.
    fn deal_out(
        &self,
        queues: &'a mut [Queues],
        content: &Content<'a>,
        course: &Course,
        (line, gauges, samples): (u64, &[Arc<Gauge>], &mut Samples),
    ) -> Vec<Worker<'a>> {
        let mut workers: Vec<Worker<'a>> =
            self.cores.iter().map(|&core| Worker { core, ..Worker::default() }).collect();
        for (port, Queues { rx, tx }) in queues.iter_mut().enumerate() {
            let way = |end: fn(&Way) -> usize| self.ways.iter().position(|way| end(way) == port);
            if let (Some(way), Some(tx)) = (way(|way| way.from), tx.first_mut()) {
                let source = match content {
                    Content::Generated(templates) => Source::Generated(Generated::new(&templates[way])),
                    Content::Recorded(recording, rounds) => Source::Replayed(Replayed::new(recording, *rounds)),
                };
                let task = Task { source, cost: course.rate.cost(line), end: course.end, window: course.window };
                let sender = Sender::new((tx, self.pool), task, self.burst, gauges[way].clone());
                workers[0].senders.push((way, sender));
            }
            let Some(rx) = rx.first_mut() else { continue };
            let (way, receiver) = match (way(|way| way.to), content) {
                (Some(way), Content::Generated(templates)) => {
                    let (expected, exchange) = (Expected::generated(&templates[way]), samples.exchange(way));
                    (way, Receiver::new(rx, expected, self.burst, gauges[way].clone(), Some(exchange)))
                }
                (Some(way), Content::Recorded(..)) => {
                    (way, Receiver::new(rx, Expected::Anything, self.burst, gauges[way].clone(), None))
                }
                // Nobody sends here, so there is one way only. What comes is foreign to it.
                (None, _) => (0, Receiver::new(rx, Expected::Nothing, self.burst, Arc::default(), None)),
            };
            if let Some(last) = workers.last_mut() {
                last.receivers.push((way, receiver));
            }
        }
        workers
    }
}

/// Runs the workers, a thread each, until the supervisor is content.
fn run(
    workers: Vec<Worker<'_>>,
    meters: Vec<CoreMeter>,
    clock: &Clock,
    supervisor: &mut Supervisor<'_>,
    watch: &mut dyn FnMut(&Progress),
) -> anyhow::Result<Vec<Measured>> {
    let orders = supervisor.orders;
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for (worker, meter) in workers.into_iter().zip(meters) {
            // The name by which a pool knows who has a buffer.
            let thread = thread::Builder::new().name(format!("core {}", worker.core));
            match thread.spawn_scoped(scope, move || worker.run(clock, orders, meter)) {
                Ok(thread) => threads.push(thread),
                Err(why) => {
                    orders.set(Stage::End);
                    return Err(why).context("starting a thread to poll on");
                }
            }
        }
        supervisor.watch(&|| threads.iter().all(|thread| !thread.is_finished()), watch);
        orders.set(Stage::End);
        let joined = threads.into_iter().map(|thread| thread.join().ok().context("a polling core panicked"));
        joined.collect()
    })
}

/// What came of each way.
fn figures(
    measured: Vec<Measured>,
    samples: Samples,
    gauges: &[Arc<Gauge>],
    (asked_pps, asked_bits): (Option<f64>, Option<f64>),
) -> Vec<Figures> {
    let mut ways: Vec<Figures> = samples
        .into_ways()
        .into_iter()
        .zip(gauges)
        .map(|(latency, gauge)| Figures {
            latency,
            wire_bits: gauge.wire_bytes.now() * 8,
            asked_pps,
            asked_bits,
            ..Figures::default()
        })
        .collect();
    for core in measured {
        for (way, (counts, rest)) in &core.received {
            ways[*way].counts.add(counts);
            // What the receiver had not handed over.
            add_to(&mut ways[*way].latency, rest);
        }
        for (way, sent) in core.sent {
            ways[way].seconds = sent.time as f64 / 1e9;
            ways[way].lateness = sent.lateness;
        }
    }
    for (Figures { counts, .. }, gauge) in ways.iter_mut().zip(gauges) {
        counts.sent = gauge.sent.now();
        let arrived = counts.received + counts.corrupted;
        counts.lost = counts.sent.saturating_sub(arrived);
        counts.surplus = arrived.saturating_sub(counts.sent);
    }
    ways
}
