//! The metrics: which there are, and their values.
//!
//! As Prometheus wants them, all names begin with `gannet_`, have their unit in them, and end in `_total` if they only grow.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::collect::Watched;
use super::state::{CardCounts, CoreState, Level, PoolState, PortState, RxQueueState, State, TxQueueState};

/// A metric that each `T` has.
struct Family<T, V> {
    /// Its name, without the prefix, the unit and `_total`.
    name: &'static str,
    unit: Option<Unit>,
    help: &'static str,
    value: fn(&T) -> V,
}

const fn family<T, V>(name: &'static str, help: &'static str, value: fn(&T) -> V) -> Family<T, V> {
    Family { name, unit: None, help, value }
}

const fn measured<T, V>(name: &'static str, unit: Unit, help: &'static str, value: fn(&T) -> V) -> Family<T, V> {
    Family { name, unit: Some(unit), help, value }
}

static PORT_COUNTERS: [Family<CardCounts, u64>; 18] = [
    family("port_rx_packets", "Good frames received, counted by the card", |card| card.rx_packets),
    measured("port_rx", Unit::Bytes, "Bytes of good frames received, FCS included", |card| card.rx_bytes),
    family("port_rx_broadcast", "Broadcast frames received", |card| card.rx_broadcast),
    family("port_rx_multicast", "Multicast frames received", |card| card.rx_multicast),
    family("port_rx_missed", "Frames lost because the card was full", |card| card.rx_missed),
    family("port_rx_no_descriptor", "Frames lost because their queue was full", |card| card.rx_no_descriptor),
    family("port_rx_crc_errors", "Frames with a bad FCS", |card| card.rx_crc_errors),
    family("port_rx_errors", "Frames damaged otherwise", |card| card.rx_errors),
    family("port_rx_undersize", "Frames shorter than 64 bytes", |card| card.rx_undersize),
    family("port_rx_oversize", "Frames longer than the port takes", |card| card.rx_oversize),
    family("port_rx_checksum_errors", "Frames with a wrong IP or L4 checksum", |card| card.rx_checksum_errors),
    family("port_rx_pause", "Pause frames received", |card| card.rx_pause),
    family("port_tx_packets", "Good frames sent, counted by the card", |card| card.tx_packets),
    measured("port_tx", Unit::Bytes, "Bytes of good frames sent, FCS included", |card| card.tx_bytes),
    family("port_tx_broadcast", "Broadcast frames sent", |card| card.tx_broadcast),
    family("port_tx_multicast", "Multicast frames sent", |card| card.tx_multicast),
    family("port_tx_pause", "Pause frames sent", |card| card.tx_pause),
    family("port_link_faults", "Losses of the link's signal", |card| card.link_faults),
];

static PORT_GAUGES: [Family<PortState, u64>; 3] = [
    family("port_present", "1, or 0 once the card has left", |port| u64::from(port.present)),
    family("port_link_up", "1, or 0 while the link is down", |port| u64::from(port.link_mbps.is_some())),
    family("port_speed_bits_per_second", "Speed of the link, 0 while it is down", |port| {
        u64::from(port.link_mbps.unwrap_or(0)) * 1_000_000
    }),
];

static RX_QUEUE_COUNTERS: [Family<RxQueueState, u64>; 7] = [
    family("rx_queue_packets", "Packets handed to the program", |queue| queue.packets),
    measured("rx_queue", Unit::Bytes, "Bytes of packets handed to the program, without FCS", |queue| queue.bytes),
    family("rx_queue_oversize", "Frames dropped that are longer than a buffer, or than the MTU's", |queue| {
        queue.oversize
    }),
    family("rx_queue_damaged", "Frames dropped that the card marked as damaged", |queue| queue.damaged),
    family("rx_queue_nonsense", "Descriptors dropped whose content makes no sense", |queue| queue.nonsense),
    family("rx_queue_no_buffers", "Times that the pool had no buffer for the ring", |queue| queue.no_buffers),
    family("rx_queue_no_buffer_drops", "Frames dropped because the pool had no buffer for the ring", |queue| {
        queue.no_buffer_drops
    }),
];

static RX_QUEUE_GAUGES: [Family<RxQueueState, u32>; 1] =
    [family("rx_queue_buffers", "Buffers in the receive ring", |queue| queue.in_ring)];

static TX_QUEUE_COUNTERS: [Family<TxQueueState, u64>; 6] = [
    family("tx_queue_packets", "Packets handed to the card", |queue| queue.packets),
    measured("tx_queue", Unit::Bytes, "Bytes of packets handed to the card, without FCS", |queue| queue.bytes),
    family("tx_queue_unmapped", "Packets dropped whose memory the card cannot reach", |queue| queue.unmapped),
    family("tx_queue_invalid", "Packets dropped for their length or their segments", |queue| queue.invalid),
    family("tx_queue_full", "Times that the ring had no room for the whole burst", |queue| queue.full),
    family("tx_queue_unsent", "Packets not sent when the queue was stopped", |queue| queue.unsent),
];

static TX_QUEUE_GAUGES: [Family<TxQueueState, u32>; 1] =
    [family("tx_queue_buffers", "Buffers in the transmit ring", |queue| queue.in_ring)];

static CORE_COUNTERS: [Family<CoreState, u64>; 3] = [
    family("core_busy_rounds", "Rounds of the polling loop that moved packets", |core| core.busy_rounds),
    family("core_idle_rounds", "Rounds of the polling loop that moved none", |core| core.idle_rounds),
    family("core_packets", "Packets moved: one that is received and sent counts twice", |core| core.packets),
];

static CORE_TIMES: [Family<CoreState, f64>; 2] = [
    measured("core_busy", Unit::Seconds, "Time in rounds that moved packets, estimated", |core| {
        core.busy_ns as f64 / 1e9
    }),
    measured("core_idle", Unit::Seconds, "All other time of the polling loop", |core| core.idle_ns as f64 / 1e9),
];

static POOL_COUNTERS: [Family<PoolState, u64>; 7] = [
    family("pool_pressure", "Times that pressure began", |pool| pool.pressure_entered),
    family("pool_critical", "Times that pressure became critical", |pool| pool.pressure_critical),
    family("pool_alloc_fast", "Buffers taken from a core's cache", |pool| pool.alloc_fast),
    family("pool_alloc_slow", "Buffers taken from the ring of all cores", |pool| pool.alloc_slow),
    family("pool_alloc_empty", "Requests refused", |pool| pool.alloc_empty),
    family("pool_recycle_cache", "Buffers that came home to a core's cache", |pool| pool.recycle_cache),
    family("pool_recycle_ring", "Buffers that came home to the ring of all cores", |pool| pool.recycle_ring),
];

static POOL_GAUGES: [Family<PoolState, u64>; 6] = [
    family("pool_buffers", "Buffers that there are", |pool| pool.buffers.into()),
    family("pool_free_buffers", "Free buffers in the ring of all cores", |pool| pool.free.into()),
    family("pool_cached_buffers", "Free buffers in the cores' caches", |pool| pool.cached.into()),
    family("pool_out_buffers", "Buffers in cards' rings and in packets", |pool| pool.out.into()),
    family("pool_level", "How short of buffers it is: 0 calm, 1 pressure, 2 critical", |pool| match pool.level {
        Level::Calm => 0,
        Level::Pressure => 1,
        Level::Critical => 2,
    }),
    measured("pool_memory", Unit::Bytes, "Bytes of memory", |pool| pool.bytes as u64),
];

/// What tells one sample of a family from the others.
type Labels = Vec<(&'static str, String)>;

/// All metrics of a program.
#[derive(Debug)]
pub(super) struct Families {
    registry: Registry,
}

impl Families {
    pub(super) fn new(watched: Arc<Watched>) -> Families {
        let mut registry = Registry::with_prefix("gannet");
        registry.register_collector(Box::new(Scrape(watched)));
        Families { registry }
    }

    /// The text that a scraper gets, in the format of OpenMetrics.
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[derive(Debug)]
struct Scrape(Arc<Watched>);

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        encode(&self.0.state(), Writer(encoder))
    }
}

fn encode(state: &State, mut writer: Writer<'_>) -> fmt::Result {
    let text = |text: &str| text.to_owned();
    let program =
        vec![("name", text(&state.program)), ("version", text(&state.version)), ("pid", state.pid.to_string())];
    writer.info("program", "The program", [program])?;
    let uptime = measured("uptime", Unit::Seconds, "Time since the start", |state: &State| state.uptime_seconds);
    writer.gauges(&[uptime], [(Labels::new(), state)])?;

    let port_info = |port: &PortState| {
        let of_card = [("card", text(&port.card)), ("driver", text(&port.driver)), ("mac", text(&port.mac))];
        of_port(port).into_iter().chain(of_card).collect()
    };
    writer.info("port", "A port", state.ports.iter().map(port_info))?;
    writer.gauges(&PORT_GAUGES, state.ports.iter().map(|port| (of_port(port), port)))?;
    writer.counters(&PORT_COUNTERS, state.ports.iter().map(|port| (of_port(port), &port.counted_by_card)))?;

    let rx_queues = || state.ports.iter().flat_map(|port| of_queues(port, &port.rx_queues));
    writer.counters(&RX_QUEUE_COUNTERS, rx_queues())?;
    writer.gauges(&RX_QUEUE_GAUGES, rx_queues())?;
    let tx_queues = || state.ports.iter().flat_map(|port| of_queues(port, &port.tx_queues));
    writer.counters(&TX_QUEUE_COUNTERS, tx_queues())?;
    writer.gauges(&TX_QUEUE_GAUGES, tx_queues())?;

    let cores = || state.cores.iter().map(|core| (vec![("core", core.core.to_string())], core));
    writer.counters(&CORE_COUNTERS, cores())?;
    writer.counters(&CORE_TIMES, cores())?;

    let pools =
        || state.pools.iter().map(|pool| (vec![("pool", pool.number.to_string()), ("name", text(&pool.name))], pool));
    writer.counters(&POOL_COUNTERS, pools())?;
    writer.gauges(&POOL_GAUGES, pools())?;

    let dropped =
        family("dropped_packets", "Packets that software has dropped, by place and reason", |packets| *packets);
    let drops = state.drops.iter();
    let drops = drops.map(|drop| (vec![("place", text(&drop.place)), ("reason", text(&drop.why))], &drop.packets));
    writer.counters(&[dropped], drops)?;
    let counted = family("counter", "What the parts of the program count otherwise, by name", |value| *value);
    let counters = state.counters.iter();
    let counters =
        counters.map(|counter| (vec![("name", text(&counter.name)), ("unit", text(&counter.unit))], &counter.value));
    writer.counters(&[counted], counters)
}

fn of_port(port: &PortState) -> Labels {
    vec![("port", port.number.to_string()), ("name", port.name.clone())]
}

fn of_queues<'a, Q>(port: &'a PortState, queues: &'a [Q]) -> impl Iterator<Item = (Labels, &'a Q)> {
    let labels = move |queue: usize| of_port(port).into_iter().chain([("queue", queue.to_string())]).collect();
    queues.iter().enumerate().map(move |(number, queue)| (labels(number), queue))
}

/// Writes families: each with all of its samples, as the format demands.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn counters<'a, T: 'a, V: EncodeCounterValue>(
        &mut self,
        families: &[Family<T, V>],
        rows: impl IntoIterator<Item = (Labels, &'a T)>,
    ) -> fmt::Result {
        let rows: Vec<_> = rows.into_iter().collect();
        for Family { name, unit, help, value } in families {
            let mut encoder = self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
            for (labels, row) in &rows {
                encoder.encode_family(labels)?.encode_counter::<NoLabelSet, V, u64>(&value(row), None)?;
            }
        }
        Ok(())
    }

    fn gauges<'a, T: 'a, V: EncodeGaugeValue>(
        &mut self,
        families: &[Family<T, V>],
        rows: impl IntoIterator<Item = (Labels, &'a T)>,
    ) -> fmt::Result {
        let rows: Vec<_> = rows.into_iter().collect();
        for Family { name, unit, help, value } in families {
            let mut encoder = self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
            for (labels, row) in &rows {
                encoder.encode_family(labels)?.encode_gauge(&value(row))?;
            }
        }
        Ok(())
    }

    fn info(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = Labels>) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Info)?;
        rows.into_iter().try_for_each(|labels| encoder.encode_info(&labels))
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::DropState;
    use super::*;

    #[derive(Debug)]
    struct Fixed(State);

    impl Collector for Fixed {
        fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
            encode(&self.0, Writer(encoder))
        }
    }

    #[test]
    fn names_of_any_letters_stay_in_their_quotes() {
        let drop = DropState { place: "a\"} 1\n# EOF".into(), why: "\\".into(), packets: 7, ..DropState::default() };
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Fixed(State { drops: vec![drop], ..State::default() })));
        let mut text = String::new();
        text::encode(&mut text, &registry).expect("text");
        let sample = r#"dropped_packets_total{place="a\"} 1\n# EOF",reason="\\"} 7"#;
        assert!(text.lines().any(|line| line == sample), "{text}");
        assert_eq!(text.matches("\n# EOF").count(), 1, "{text}");
    }
}
