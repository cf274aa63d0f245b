//! Forwarding: streams and their engines, dealt out to threads that stay on their cores, and the way back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use gannet_apps::cores;
use gannet_apps::monitor::CoreMeter;

use crate::engine::{Counters, Engine, Stream, drops};

/// Idle rounds after which the core is offered to others, once: on a machine with one core the software cards need it. It is a
/// system call, and a core that makes them all the time sees little of its queues.
const IDLE_ROUNDS: u32 = 1024;

/// Longest time to get the last packets out.
const DRAIN: Duration = Duration::from_millis(100);

/// Most ports there can be: orders for them are bits of a word.
pub(crate) const MAX_PORTS: usize = 62;

/// A stream and what is done with its packets.
pub(crate) struct Lane {
    pub(crate) stream: Stream,
    pub(crate) engine: Box<dyn Engine>,
}

/// A stream, seen by the main thread.
#[derive(Clone)]
pub(crate) struct StreamView {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) counters: Arc<Counters>,
}

impl StreamView {
    pub(crate) fn of(stream: &Stream) -> StreamView {
        StreamView { from: stream.from, to: stream.to, counters: stream.counters.clone() }
    }

    /// Packets received and sent.
    pub(crate) fn moved(&self) -> (u64, u64) {
        (self.counters.received.load(Ordering::Relaxed), self.counters.sent.load(Ordering::Relaxed))
    }
}

/// What the main thread orders: bit n, give port n up; [`Orders::STOP`], finish.
#[derive(Debug, Default)]
struct Orders(AtomicU64);

impl Orders {
    const STOP: u64 = 1 << 63;
}

/// Cores that forward. Dropping it has them finish.
pub(crate) struct Forwarding {
    orders: Arc<Orders>,
    workers: Vec<Worker>,
}

/// A core that forwards.
struct Worker {
    thread: JoinHandle<Vec<Stream>>,
    /// Ports whose queues it polls.
    ports: BTreeSet<usize>,
}

/// A core that panicked. Its streams are gone, their queues are closed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Panicked {
    /// As in "core 3".
    pub(crate) core: String,
    /// Ports whose queues it polled.
    pub(crate) ports: BTreeSet<usize>,
}

impl Worker {
    /// Its streams, once it has finished.
    fn join(self) -> Result<Vec<Stream>, Panicked> {
        let core = self.thread.thread().name().unwrap_or_default().to_owned();
        self.thread.join().map_err(|_| Panicked { core, ports: self.ports })
    }
}

impl Forwarding {
    /// Deals the lanes out to cores, whose meters are given with them, and starts a thread on each that has any.
    ///
    /// # Errors
    /// The system has no thread left. The queues that were handed over are closed then.
    pub(crate) fn start(lanes: Vec<Lane>, cores: Vec<(usize, CoreMeter)>) -> anyhow::Result<Forwarding> {
        let mut hands: Vec<Vec<Lane>> = cores.iter().map(|_| Vec::new()).collect();
        for (lane, hand) in lanes.into_iter().zip((0..cores.len()).cycle()) {
            hands[hand].push(lane);
        }
        let mut forwarding = Forwarding { orders: Arc::default(), workers: Vec::new() };
        for ((core, meter), lanes) in cores.into_iter().zip(hands).filter(|(_, lanes)| !lanes.is_empty()) {
            let orders = forwarding.orders.clone();
            let ports = lanes.iter().flat_map(|lane| [lane.stream.from, lane.stream.to]).collect();
            // The name by which a pool knows who has a buffer.
            let thread = thread::Builder::new().name(format!("core {core}"));
            let thread =
                thread.spawn(move || poll(lanes, core, meter, &orders)).context("starting a thread to forward on")?;
            forwarding.workers.push(Worker { thread, ports });
        }
        Ok(forwarding)
    }

    /// Has the cores drop the queues of a port.
    pub(crate) fn give_up(&self, port: usize) {
        self.orders.0.fetch_or(1 << port, Ordering::Relaxed);
    }

    /// Cores that have panicked since the last look.
    pub(crate) fn panicked(&mut self) -> Vec<Panicked> {
        // Nobody has ordered them to finish.
        let finished = self.workers.extract_if(.., |worker| worker.thread.is_finished());
        finished.filter_map(|worker| worker.join().err()).collect()
    }

    /// Has the cores finish, and takes the streams back; those of cores that have panicked since the last look are gone.
    pub(crate) fn stop(mut self) -> (Vec<Stream>, Vec<Panicked>) {
        self.orders.0.fetch_or(Orders::STOP, Ordering::Relaxed);
        let (mut streams, mut panicked) = (Vec::new(), Vec::new());
        for worker in std::mem::take(&mut self.workers) {
            match worker.join() {
                Ok(back) => streams.extend(back),
                Err(core) => panicked.push(core),
            }
        }
        (streams, panicked)
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        self.orders.0.fetch_or(Orders::STOP, Ordering::Relaxed);
    }
}

/// Forwards until told to stop, then gets the last packets out.
fn poll(mut lanes: Vec<Lane>, core: usize, mut meter: CoreMeter, orders: &Orders) -> Vec<Stream> {
    if let Err(why) = cores::pin(core) {
        tracing::warn!("{why:#}");
    }
    let (mut idle, mut obeyed) = (0, 0);
    loop {
        let orders = orders.0.load(Ordering::Relaxed);
        if orders != obeyed {
            if orders & Orders::STOP != 0 {
                break;
            }
            lanes.iter_mut().for_each(|lane| give_up(&mut lane.stream, orders));
            obeyed = orders;
        }
        let moved: usize = lanes.iter_mut().map(|lane| lane.engine.turn(&mut lane.stream)).sum();
        meter.round(moved);
        if moved > 0 {
            idle = 0;
        } else {
            idle += 1;
            if idle == IDLE_ROUNDS {
                idle = 0;
                thread::yield_now();
            }
        }
    }
    for Lane { stream, engine } in &mut lanes {
        engine.finish(stream);
        drain(stream);
    }
    lanes.into_iter().map(|lane| lane.stream).collect()
}

/// Drops the queues of ports that are to be given up: bit n of `ports` stands for port n.
#[cold]
fn give_up(stream: &mut Stream, ports: u64) {
    if ports >> stream.from & 1 != 0 {
        stream.rx = None;
    }
    if ports >> stream.to & 1 != 0 {
        stream.tx = None;
    }
}

/// Sends what is left in the burst, and brings the buffers of sent packets home.
fn drain(stream: &mut Stream) {
    let until = Instant::now() + DRAIN;
    while let Some(tx) = &mut stream.tx
        && (!stream.burst.is_empty() || tx.stats().in_ring > 0)
        && Instant::now() < until
    {
        let sent = tx.send(&mut stream.burst) as u64;
        stream.counters.sent.fetch_add(sent, Ordering::Relaxed);
        thread::yield_now();
    }
    stream.counters.dropped.fetch_add(stream.burst.len() as u64, Ordering::Relaxed);
    stream.burst.drop_with(if stream.tx.is_some() { &drops::LATE } else { &drops::ABANDONED });
}

#[cfg(test)]
pub(crate) mod tests {
    use gannet::{Burst, Pool, PoolOptions};
    use gannet_apps::monitor::{Monitor, MonitorOptions};

    use super::*;

    /// An engine with a bug.
    pub(crate) struct Broken;

    impl Engine for Broken {
        fn turn(&mut self, _: &mut Stream) -> usize {
            panic!("a test has an engine panic");
        }
    }

    #[test]
    fn a_core_that_panics_is_told_at_once() {
        let pool = Pool::new(&PoolOptions { buffers: 16, ..PoolOptions::default() }).unwrap();
        let options = MonitorOptions { metrics: None, control: Some("none".into()) };
        let mut monitor = Monitor::start("testpmd", &options).unwrap();
        let core = cores::available().unwrap()[0];
        let stream = Stream {
            from: 0,
            to: 1,
            rx: None,
            tx: None,
            burst: Burst::new(1),
            pool,
            address: [0; 6],
            peer: [0; 6],
            counters: Arc::default(),
        };
        let lane = Lane { stream, engine: Box::new(Broken) };
        let mut forwarding = Forwarding::start(vec![lane], vec![(core, monitor.add_core(core))]).unwrap();
        let panicked = loop {
            match forwarding.panicked() {
                none if none.is_empty() => thread::yield_now(),
                panicked => break panicked,
            }
        };
        assert_eq!(panicked, [Panicked { core: format!("core {core}"), ports: [0, 1].into() }]);
        let (streams, again) = forwarding.stop();
        assert_eq!((streams.len(), again), (0, vec![]), "it is told once");
    }
}
