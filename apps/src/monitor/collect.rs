//! Gathers a [`State`]: from counters that are read in place, and from what the main thread has last seen of the cards.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use gannet::{Link, PortStats, QueueCounters, RxQueueStats, TxQueueStats};
use gannet_mempool::registry;
use gannet_mempool::report::{self, PoolReport};
use quanta::Clock;

use super::core_meter::{CoreCounters, CoreMeter};
use super::state::{
    CardCounts, CoreState, CounterState, DropState, Level, PoolState, PortState, RxQueueState, State, TxQueueState,
};
use crate::capture::{Capture, CaptureRequest, Captures};
use crate::running::Running;

/// All that is told of, shared by the threads that tell it. No core that polls takes these locks.
#[derive(Debug)]
pub(super) struct Watched {
    program: String,
    started: Instant,
    metrics: Option<SocketAddr>,
    pub(super) captures: Captures,
    ports: Mutex<Vec<WatchedPort>>,
    cores: Mutex<Vec<(usize, Arc<CoreCounters>)>>,
}

#[derive(Debug)]
struct WatchedPort {
    /// What does not change, and what was last seen of the card.
    state: PortState,
    queues: QueueCounters,
}

/// A panic elsewhere does not spoil lists that are only added to.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watched {
    pub(super) fn new(program: &str, metrics: Option<SocketAddr>) -> Watched {
        let program = program.to_owned();
        Watched {
            program,
            started: Instant::now(),
            metrics,
            captures: Captures::default(),
            ports: Mutex::default(),
            cores: Mutex::default(),
        }
    }

    pub(super) fn add_core(&self, core: usize) -> CoreMeter {
        let mut cores = locked(&self.cores);
        let known = cores.iter().find(|(number, _)| *number == core).map(|(_, counters)| counters.clone());
        let counters = known.unwrap_or_else(|| {
            let counters = Arc::new(CoreCounters::default());
            cores.push((core, counters.clone()));
            counters
        });
        CoreMeter::new(counters, Clock::new())
    }

    pub(super) fn add_port(&self, port: &Running) {
        let mut ports = locked(&self.ports);
        let mut state = PortState { number: ports.len(), name: port.name.clone(), ..PortState::default() };
        if let Some(info) = port.control().map(|control| control.info()) {
            state.card = info.card.name.to_owned();
            state.driver = info.card.driver.name().to_owned();
            state.mac = info.mac.map(|byte| format!("{byte:02x}")).join(":");
        }
        self.captures.add_port(port.control().map(|control| control.taps()).unwrap_or_default());
        look(&mut state, port);
        ports.push(WatchedPort { state, queues: port.queues().clone() });
    }

    /// Notes how a port is that can be stopped: `None` while it is.
    pub(super) fn look_at_port(&self, number: usize, port: Option<&Running>) {
        let mut ports = locked(&self.ports);
        match (ports.get_mut(number), port) {
            (Some(watched), Some(port)) => look(&mut watched.state, port),
            (Some(watched), None) => (watched.state.present, watched.state.link_mbps) = (false, None),
            (None, _) => {}
        }
    }

    /// Takes the queues of a port that has been started again for those that it had.
    pub(super) fn renew_port(&self, number: usize, port: &Running) {
        self.captures.renew_port(number, port.control().map(|control| control.taps()).unwrap_or_default());
        if let Some(watched) = locked(&self.ports).get_mut(number) {
            watched.queues = port.queues().clone();
        }
        self.look_at_port(number, Some(port));
    }

    /// Notes how the cards are, of ports in the order in which they were added.
    pub(super) fn refresh(&self, running: &mut [Running]) {
        // Asking a card takes a while: nobody waits for that.
        running.iter_mut().for_each(Running::count);
        for (watched, port) in locked(&self.ports).iter_mut().zip(running) {
            look(&mut watched.state, port);
        }
    }

    pub(super) fn state(&self) -> State {
        State {
            program: self.program.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: self.started.elapsed().as_secs_f64(),
            metrics: self.metrics,
            ports: locked(&self.ports).iter().map(WatchedPort::state).collect(),
            cores: self.cores(),
            pools: report::pools().into_iter().map(PoolState::from).collect(),
            drops: drops(),
            counters: counters(),
        }
    }

    /// Begins to capture.
    ///
    /// # Errors
    /// As [`Captures::begin`].
    pub(super) fn capture(&self, request: &CaptureRequest) -> anyhow::Result<Capture> {
        let links: Vec<_> = locked(&self.ports).iter().map(|port| port.state.link_mbps).collect();
        self.captures.begin(request, &links)
    }

    fn cores(&self) -> Vec<CoreState> {
        let clock = Clock::new();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let core = |(core, counters): &(usize, Arc<CoreCounters>)| CoreState {
            core: *core,
            busy_rounds: count(&counters.busy_rounds),
            idle_rounds: count(&counters.idle_rounds),
            packets: count(&counters.packets),
            busy_ns: clock.delta_as_nanos(0, count(&counters.busy)),
            idle_ns: clock.delta_as_nanos(0, count(&counters.idle)),
        };
        locked(&self.cores).iter().map(core).collect()
    }
}

impl WatchedPort {
    fn state(&self) -> PortState {
        PortState {
            rx_queues: self.queues.rx_stats().map(RxQueueState::from).collect(),
            tx_queues: self.queues.tx_stats().map(TxQueueState::from).collect(),
            ..self.state.clone()
        }
    }
}

fn look(state: &mut PortState, port: &Running) {
    state.present = port.control().is_some();
    state.link_mbps = match port.control().map(|control| control.link()) {
        Some(Link::Up { mbps }) => Some(mbps),
        Some(Link::Down) | None => None,
    };
    state.counted_by_card = CardCounts::from(port.card());
}

fn drops() -> Vec<DropState> {
    let row = |row: registry::DropRow| DropState {
        place: row.place.to_owned(),
        why: row.why.to_owned(),
        packets: row.packets,
        description: row.description.to_owned(),
    };
    registry::drops().into_iter().map(row).collect()
}

fn counters() -> Vec<CounterState> {
    let row = |row: registry::CounterRow| CounterState {
        name: row.name.to_owned(),
        value: row.value,
        unit: row.unit.to_owned(),
        description: row.description.to_owned(),
    };
    registry::counters().into_iter().map(row).collect()
}

impl From<&PortStats> for CardCounts {
    fn from(stats: &PortStats) -> CardCounts {
        CardCounts {
            rx_packets: stats.rx_packets,
            rx_bytes: stats.rx_bytes,
            rx_broadcast: stats.rx_broadcast,
            rx_multicast: stats.rx_multicast,
            rx_missed: stats.rx_missed,
            rx_no_descriptor: stats.rx_no_descriptor,
            rx_crc_errors: stats.rx_crc_errors,
            rx_errors: stats.rx_errors,
            rx_undersize: stats.rx_undersize,
            rx_oversize: stats.rx_oversize,
            rx_checksum_errors: stats.rx_checksum_errors,
            rx_pause: stats.rx_pause,
            tx_packets: stats.tx_packets,
            tx_bytes: stats.tx_bytes,
            tx_broadcast: stats.tx_broadcast,
            tx_multicast: stats.tx_multicast,
            tx_pause: stats.tx_pause,
            link_faults: stats.link_faults,
        }
    }
}

impl From<RxQueueStats> for RxQueueState {
    fn from(stats: RxQueueStats) -> RxQueueState {
        RxQueueState {
            packets: stats.packets,
            bytes: stats.bytes,
            oversize: stats.oversize,
            damaged: stats.damaged,
            nonsense: stats.nonsense,
            no_buffers: stats.no_buffers,
            no_buffer_drops: stats.no_buffer_drops,
            in_ring: stats.in_ring,
        }
    }
}

impl From<TxQueueStats> for TxQueueState {
    fn from(stats: TxQueueStats) -> TxQueueState {
        TxQueueState {
            packets: stats.packets,
            bytes: stats.bytes,
            unmapped: stats.unmapped,
            invalid: stats.invalid,
            full: stats.full,
            unsent: stats.unsent,
            in_ring: stats.in_ring,
        }
    }
}

impl From<gannet_mempool::Level> for Level {
    fn from(level: gannet_mempool::Level) -> Level {
        match level {
            gannet_mempool::Level::Calm => Level::Calm,
            gannet_mempool::Level::Pressure => Level::Pressure,
            gannet_mempool::Level::Critical => Level::Critical,
        }
    }
}

impl From<PoolReport> for PoolState {
    fn from(report: PoolReport) -> PoolState {
        PoolState {
            number: report.number,
            data_room: report.data_room,
            bytes: report.bytes,
            buffers: report.census.total,
            free: report.census.ring,
            cached: report.census.cached,
            out: report.census.out,
            level: report.level.into(),
            pressure_entered: report.pressure_entered,
            pressure_critical: report.pressure_critical,
            alloc_fast: report.stats.alloc_fast,
            alloc_slow: report.stats.alloc_slow,
            alloc_empty: report.stats.alloc_empty,
            recycle_cache: report.stats.recycle_cache,
            recycle_ring: report.stats.recycle_ring,
            name: report.name,
        }
    }
}
