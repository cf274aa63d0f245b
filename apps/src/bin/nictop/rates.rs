//! What two looks at a program make: rates.

use gannet_apps::monitor::state::{
    CoreState, DropState, Level, PoolState, PortState, RxQueueState, State, TxQueueState,
};
use serde::Serialize;

/// Bytes that a frame has on the wire besides those that queues count: its FCS.
const FCS: u64 = 4;

/// What a program has done between two looks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Rates {
    pub(crate) program: String,
    pub(crate) version: String,
    pub(crate) pid: u32,
    pub(crate) uptime_seconds: f64,
    /// Time between the two looks.
    pub(crate) seconds: f64,
    pub(crate) ports: Vec<PortRates>,
    pub(crate) cores: Vec<CoreRates>,
    pub(crate) pools: Vec<PoolFill>,
    /// What has been dropped at all, the most recent first.
    pub(crate) drops: Vec<DropRate>,
}

/// One way through a port or a queue.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub(crate) struct Flow {
    /// Packets a second.
    pub(crate) pps: f64,
    /// Bits a second, FCS included, without what is between frames.
    pub(crate) bps: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PortRates {
    pub(crate) number: usize,
    pub(crate) name: String,
    pub(crate) card: String,
    pub(crate) mac: String,
    pub(crate) present: bool,
    pub(crate) link_mbps: Option<u32>,
    pub(crate) rx: Flow,
    pub(crate) tx: Flow,
    pub(crate) dropped_pps: f64,
    pub(crate) rx_queues: Vec<Flow>,
    pub(crate) tx_queues: Vec<Flow>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct CoreRates {
    pub(crate) core: usize,
    /// Part of the time, 0 to 1.
    pub(crate) busy: f64,
    pub(crate) pps: f64,
    pub(crate) rounds_per_second: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PoolFill {
    pub(crate) name: String,
    pub(crate) level: Level,
    pub(crate) buffers: u32,
    pub(crate) out: u32,
    pub(crate) cached: u32,
    pub(crate) free: u32,
    pub(crate) allocations_per_second: f64,
    pub(crate) pressure_entered: u64,
}

impl PoolFill {
    /// Part of the buffers that are out, 0 to 1.
    pub(crate) fn in_use(&self) -> f64 {
        f64::from(self.out) / f64::from(self.buffers.max(1))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct DropRate {
    pub(crate) place: String,
    pub(crate) why: String,
    pub(crate) packets: u64,
    pub(crate) pps: f64,
}

impl Rates {
    pub(crate) fn between(before: &State, now: &State) -> Rates {
        let seconds = now.uptime_seconds - before.uptime_seconds;
        let per_second = PerSecond(seconds);
        let ports = paired(&before.ports, &now.ports, |port| port.number);
        let cores = paired(&before.cores, &now.cores, |core| core.core);
        let pools = paired(&before.pools, &now.pools, |pool| pool.number);
        Rates {
            program: now.program.clone(),
            version: now.version.clone(),
            pid: now.pid,
            uptime_seconds: now.uptime_seconds,
            seconds,
            ports: ports.map(|(before, now)| per_second.port(before, now)).collect(),
            cores: cores.map(|(before, now)| per_second.core(before, now)).collect(),
            pools: pools.map(|(before, now)| per_second.pool(before, now)).collect(),
            drops: per_second.drops(before, now),
        }
    }
}

/// Each of `now` with what it was before; what is new was nothing.
fn paired<'a, T: Default + Clone, K: PartialEq>(
    before: &'a [T],
    now: &'a [T],
    key: impl Fn(&T) -> K + 'a,
) -> impl Iterator<Item = (T, &'a T)> {
    now.iter().map(move |now| {
        let then = before.iter().find(|then| key(then) == key(now));
        (then.cloned().unwrap_or_default(), now)
    })
}

/// Makes rates of counts, over so many seconds.
struct PerSecond(f64);

impl PerSecond {
    fn rate(&self, before: u64, now: u64) -> f64 {
        if self.0 > 0.0 { now.saturating_sub(before) as f64 / self.0 } else { 0.0 }
    }

    fn flow(&self, before: (u64, u64), now: (u64, u64)) -> Flow {
        let bits = |(packets, bytes): (u64, u64)| (bytes + packets * FCS) * 8;
        Flow { pps: self.rate(before.0, now.0), bps: self.rate(bits(before), bits(now)) }
    }

    /// The flows of a port's queues.
    fn flows<Q: Default + Copy>(&self, before: &[Q], now: &[Q], counts: impl Fn(&Q) -> (u64, u64)) -> Vec<Flow> {
        let before = before.iter().copied().chain(std::iter::repeat(Q::default()));
        now.iter().zip(before).map(|(now, before)| self.flow(counts(&before), counts(now))).collect()
    }

    fn port(&self, before: PortState, now: &PortState) -> PortRates {
        let rx_queues =
            self.flows(&before.rx_queues, &now.rx_queues, |queue: &RxQueueState| (queue.packets, queue.bytes));
        let tx_queues =
            self.flows(&before.tx_queues, &now.tx_queues, |queue: &TxQueueState| (queue.packets, queue.bytes));
        let dropped = |port: &PortState| port_drops(port).map(|(_, packets)| packets).sum();
        PortRates {
            number: now.number,
            name: now.name.clone(),
            card: now.card.clone(),
            mac: now.mac.clone(),
            present: now.present,
            link_mbps: now.link_mbps,
            rx: rx_queues.iter().copied().fold(Flow::default(), Flow::plus),
            tx: tx_queues.iter().copied().fold(Flow::default(), Flow::plus),
            dropped_pps: self.rate(dropped(&before), dropped(now)),
            rx_queues,
            tx_queues,
        }
    }

    fn core(&self, before: CoreState, now: &CoreState) -> CoreRates {
        let (busy, idle) =
            (now.busy_ns.saturating_sub(before.busy_ns) as f64, now.idle_ns.saturating_sub(before.idle_ns) as f64);
        let rounds = |core: &CoreState| core.busy_rounds + core.idle_rounds;
        CoreRates {
            core: now.core,
            // A core that sleeps counts its time when it wakes up: nothing counted was nothing done.
            busy: if busy + idle > 0.0 { busy / (busy + idle) } else { 0.0 },
            pps: self.rate(before.packets, now.packets),
            rounds_per_second: self.rate(rounds(&before), rounds(now)),
        }
    }

    fn pool(&self, before: PoolState, now: &PoolState) -> PoolFill {
        let allocations = |pool: &PoolState| pool.alloc_fast + pool.alloc_slow;
        PoolFill {
            name: now.name.clone(),
            level: now.level,
            buffers: now.buffers,
            out: now.out,
            cached: now.cached,
            free: now.free,
            allocations_per_second: self.rate(allocations(&before), allocations(now)),
            pressure_entered: now.pressure_entered,
        }
    }

    /// What software has dropped by reason, and what the cards have, if anything.
    fn drops(&self, before: &State, now: &State) -> Vec<DropRate> {
        let (before, now) = (all_drops(before), all_drops(now));
        let pairs = paired(&before, &now, |drop| (drop.place.clone(), drop.why.clone()));
        let mut drops: Vec<DropRate> = pairs
            .filter(|(_, now)| now.packets > 0)
            .map(|(before, now)| DropRate {
                place: now.place.clone(),
                why: now.why.clone(),
                packets: now.packets,
                pps: self.rate(before.packets, now.packets),
            })
            .collect();
        drops.sort_by(|a, b| b.pps.total_cmp(&a.pps).then(b.packets.cmp(&a.packets)));
        drops
    }
}

fn all_drops(state: &State) -> Vec<DropState> {
    let of_card = |port: &PortState| {
        let place = format!("port {}", port.number);
        card_drops(port).map(move |(why, packets)| DropState {
            place: place.clone(),
            why: why.to_owned(),
            packets,
            ..DropState::default()
        })
    };
    state.drops.iter().cloned().chain(state.ports.iter().flat_map(of_card)).collect()
}

/// Frames that a card has dropped, by reason.
fn card_drops(port: &PortState) -> impl Iterator<Item = (&'static str, u64)> + use<> {
    let card = port.counted_by_card;
    [
        ("missed", card.rx_missed),
        ("no_descriptor", card.rx_no_descriptor),
        ("crc_errors", card.rx_crc_errors),
        ("errors", card.rx_errors),
        ("undersize", card.rx_undersize),
        ("oversize", card.rx_oversize),
    ]
    .into_iter()
}

/// All frames that a port has dropped: its card and its queues.
fn port_drops(port: &PortState) -> impl Iterator<Item = (&'static str, u64)> + '_ {
    let of_rx = |queue: &RxQueueState| queue.oversize + queue.damaged + queue.nonsense + queue.no_buffer_drops;
    let of_tx = |queue: &TxQueueState| queue.unmapped + queue.invalid + queue.unsent;
    let rx = port.rx_queues.iter().map(move |queue| ("rx queue", of_rx(queue)));
    let tx = port.tx_queues.iter().map(move |queue| ("tx queue", of_tx(queue)));
    card_drops(port).chain(rx).chain(tx)
}

impl Flow {
    fn plus(self, other: Flow) -> Flow {
        Flow { pps: self.pps + other.pps, bps: self.bps + other.bps }
    }
}
