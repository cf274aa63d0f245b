//! Commands that show something, as tables.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use gannet::{Link, MacAddress, Multicast, Promiscuous, VlanTags};
use gannet_apps::registers::{self, Meant};
use gannet_mempool::registry::{self, Column, Row, Table};
use gannet_mempool::report;
use serde::Serialize;
use serde_json::json;

use crate::answer::Answer;
use crate::engine::EngineName;
use crate::forward::StreamView;
use crate::grammar::Arguments;
use crate::port::Port;
use crate::session::Session;

/// A row whose cells are its fields in their order.
macro_rules! row {
    ($(#[$doc:meta])* $name:ident { $($side:ident $title:literal $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Serialize)]
        struct $name { $($field: $kind,)* }

        impl Row<{ [$($title),*].len() }> for $name {
            const COLUMNS: [Column; { [$($title),*].len() }] = [$(Column::$side($title)),*];

            fn cells(&self) -> [String; { [$($title),*].len() }] {
                [$(self.$field.to_string()),*]
            }
        }
    };
}

/// An address as it is written.
pub(crate) fn mac(address: MacAddress) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}

/// A link's megabits a second, if it is up.
#[derive(Serialize)]
struct Speed(Option<u32>);

impl From<Link> for Speed {
    fn from(link: Link) -> Speed {
        Speed(match link {
            Link::Up { mbps } => Some(mbps),
            Link::Down => None,
        })
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(mbps) => write!(f, "{mbps} Mb/s"),
            None => f.write_str("down"),
        }
    }
}

/// Million packets a second.
#[derive(Serialize)]
struct Mpps(f64);

impl fmt::Display for Mpps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

fn chosen<'a>(session: &'a mut Session, arguments: &Arguments) -> impl Iterator<Item = &'a mut Port> {
    let ports = arguments.ports(session.vocabulary());
    session.ports.iter_mut().filter(move |port| ports.contains(&port.number))
}

row! {
    /// A port in a line.
    PortRow {
        Right "PORT" port: usize,
        Left "STATE" state: String,
        Left "LINK" link_mbps: Speed,
        Left "ADDRESS" address: String,
        Right "QUEUES" queues: usize,
        Right "RING" ring: u32,
        Left "CARD" card: &'static str,
        Left "NAME" name: String,
    }
}

pub(super) fn ports(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let row = |port: &mut Port| PortRow {
        port: port.number,
        state: port.lost().map_or(port.state().into(), |reason| format!("lost: {reason}")),
        link_mbps: port.link().into(),
        address: mac(port.info.mac),
        queues: port.config.rx.len(),
        ring: port.config.rx.first().map_or(0, |queue| queue.descriptors),
        card: port.info.card.name,
        name: port.name.clone(),
    };
    Ok(Answer::table(&chosen(session, arguments).map(row).collect::<Vec<_>>()))
}

row! {
    /// What a port has counted, in a line.
    StatsRow {
        Right "PORT" port: usize,
        Right "RX PACKETS" rx_packets: u64,
        Right "RX BYTES" rx_bytes: u64,
        Right "MISSED" rx_missed: u64,
        Right "NO BUFFER" rx_no_buffer: u64,
        Right "ERRORS" rx_errors: u64,
        Right "TX PACKETS" tx_packets: u64,
        Right "TX BYTES" tx_bytes: u64,
        Right "DROPPED" tx_dropped: u64,
    }
}

pub(super) fn stats(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let row = |port: &mut Port| {
        let counts = port.counts();
        let card = &counts.card;
        StatsRow {
            port: port.number,
            rx_packets: card.rx_packets,
            rx_bytes: card.rx_bytes,
            rx_missed: card.rx_missed + card.rx_no_descriptor,
            rx_no_buffer: counts.rx_sum(|queue| queue.no_buffer_drops),
            rx_errors: card.rx_crc_errors
                + card.rx_errors
                + card.rx_undersize
                + card.rx_oversize
                + counts.rx_sum(|queue| queue.oversize + queue.damaged + queue.nonsense),
            tx_packets: card.tx_packets,
            tx_bytes: card.tx_bytes,
            tx_dropped: counts.tx_sum(|queue| queue.unmapped + queue.invalid + queue.unsent),
        }
    };
    Ok(Answer::table(&chosen(session, arguments).map(row).collect::<Vec<_>>()))
}

row! {
    /// A counter.
    CounterRow {
        Right "PORT" port: usize,
        Left "COUNTER" counter: String,
        Right "VALUE" value: u64,
    }
}

pub(super) fn all_stats(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let mut rows = Vec::new();
    for port in chosen(session, arguments) {
        let counted = port.counts().named().into_iter().filter(|(_, value)| *value > 0);
        rows.extend(counted.map(|(counter, value)| CounterRow { port: port.number, counter, value }));
    }
    Ok(Answer::table(&rows))
}

row! {
    /// What can be set of a port.
    ConfigRow {
        Right "PORT" port: usize,
        Left "PROMISCUOUS" promiscuous: &'static str,
        Left "MULTICAST" multicast: String,
        Left "MAC FILTER" mac_filter: String,
        Left "VLAN STRIP" vlan_strip: &'static str,
        Right "MTU" mtu: u16,
        Left "PEER" peer: String,
    }
}

fn addresses(list: &[MacAddress]) -> String {
    match list {
        [] => "none".into(),
        list => list.iter().map(|address| mac(*address)).collect::<Vec<_>>().join(" "),
    }
}

pub(super) fn port_config(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let row = |port: &mut Port| ConfigRow {
        port: port.number,
        promiscuous: if port.config.filter.promiscuous == Promiscuous::On { "on" } else { "off" },
        multicast: match &port.config.filter.multicast {
            Multicast::None => "none".into(),
            Multicast::All => "all".into(),
            Multicast::Groups(groups) => addresses(groups),
        },
        mac_filter: addresses(&port.config.filter.unicast),
        vlan_strip: if port.config.vlan_tags == VlanTags::Strip { "on" } else { "off" },
        mtu: port.config.mtu,
        peer: mac(port.peer),
    };
    Ok(Answer::table(&chosen(session, arguments).map(row).collect::<Vec<_>>()))
}

/// A register of a port, or neighbours of an array with the same value.
struct RegisterRow {
    port: usize,
    /// As [`registers::lines`] has it.
    line: [String; 4],
}

impl Row<5> for RegisterRow {
    const COLUMNS: [Column; 5] = {
        let [register, offset, value, fields] = registers::TITLES;
        [Column::Right("PORT"), Column::Left(register), Column::Left(offset), Column::Left(value), Column::Left(fields)]
    };

    fn cells(&self) -> [String; 5] {
        let [register, offset, value, fields] = self.line.clone();
        [self.port.to_string(), register, offset, value, fields]
    }
}

pub(super) fn registers(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let all = arguments.word("PORTS") == "all";
    let (mut rows, mut json) = (Vec::new(), Vec::new());
    // All are those that have some: a port that is lost has none.
    for port in chosen(session, arguments).filter(|port| !all || port.lost().is_none()) {
        let number = port.number;
        let meant = Meant::by(arguments.word("NAME"), port.info.card.driver.registers())
            .with_context(|| format!("port {number}"))?;
        let values = meant.of(port.registers()?);
        rows.extend(registers::lines(&values).into_iter().map(|line| RegisterRow { port: number, line }));
        json.push(json!({ "port": number, "registers": registers::json(&values) }));
    }
    Ok(Answer::of(Table::of(&rows).to_string(), json!(json)))
}

row! {
    /// A queue pair of a port.
    QueueRow {
        Right "PORT" port: usize,
        Right "QUEUE" queue: usize,
        Right "RX PACKETS" rx_packets: u64,
        Right "RX RING" rx_ring: u32,
        Right "NO BUFFER" rx_no_buffer: u64,
        Right "RX DROPPED" rx_dropped: u64,
        Right "TX PACKETS" tx_packets: u64,
        Right "TX RING" tx_ring: u32,
        Right "FULL" tx_full: u64,
        Right "TX DROPPED" tx_dropped: u64,
    }
}

pub(super) fn queues(session: &mut Session, _: &Arguments) -> anyhow::Result<Answer> {
    let mut rows = Vec::new();
    for port in &mut session.ports {
        let counts = port.counts();
        let pairs = counts.rx.iter().zip(&counts.tx).enumerate();
        rows.extend(pairs.map(|(queue, (rx, tx))| QueueRow {
            port: port.number,
            queue,
            rx_packets: rx.packets,
            rx_ring: rx.in_ring,
            rx_no_buffer: rx.no_buffer_drops,
            rx_dropped: rx.oversize + rx.damaged + rx.nonsense,
            tx_packets: tx.packets,
            tx_ring: tx.in_ring,
            tx_full: tx.full,
            tx_dropped: tx.unmapped + tx.invalid + tx.unsent,
        }));
    }
    Ok(Answer::table(&rows))
}

row! {
    /// A stream.
    StreamRow {
        Right "FROM" from: usize,
        Right "TO" to: usize,
        Right "RECEIVED" received: u64,
        Right "SENT" sent: u64,
        Right "DROPPED" dropped: u64,
        Right "RX MPPS" rx_mpps: Mpps,
        Right "TX MPPS" tx_mpps: Mpps,
    }
}

/// What streams have moved in so many seconds.
pub(super) fn stream_table(streams: &[StreamView], seconds: f64) -> Answer {
    let mpps = |packets: u64| Mpps(if seconds > 0.0 { packets as f64 / seconds / 1e6 } else { 0.0 });
    let row = |stream: &StreamView| {
        let (received, sent) = stream.moved();
        StreamRow {
            from: stream.from,
            to: stream.to,
            received,
            sent,
            dropped: stream.counters.dropped.load(Ordering::Relaxed),
            rx_mpps: mpps(received),
            tx_mpps: mpps(sent),
        }
    };
    Answer::table(&streams.iter().map(row).collect::<Vec<_>>())
}

pub(super) fn streams(session: &mut Session, _: &Arguments) -> anyhow::Result<Answer> {
    Ok(stream_table(session.streams(), session.forwarding_for().as_secs_f64()))
}

row! {
    /// The other end of a software card's cable.
    PeerRow {
        Right "PORT" port: usize,
        Right "OFFERED" offered: u64,
        Right "ACCEPTED" accepted: u64,
        Right "REORDERED" reordered: u64,
        Right "CORRUPTED" corrupted: u64,
        Right "FOREIGN" foreign: u64,
        Right "DROPPED" dropped: u64,
        Left "STATE" state: &'static str,
    }
}

pub(super) fn peers(session: &mut Session, _: &Arguments) -> anyhow::Result<Answer> {
    let row = |port: &Port| {
        let cable = port.cable()?;
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let stats = &cable.stats;
        Some(PeerRow {
            port: port.number,
            offered: value(&stats.offered),
            accepted: value(&stats.accepted),
            reordered: value(&stats.reordered),
            corrupted: value(&stats.corrupted),
            foreign: value(&stats.foreign),
            dropped: value(&stats.dropped),
            state: match () {
                () if stats.finished.load(Ordering::Acquire) => "finished",
                () if stats.stop.load(Ordering::Relaxed) => "held",
                () => "sends",
            },
        })
    };
    Ok(Answer::table(&session.ports.iter().filter_map(row).collect::<Vec<_>>()))
}

pub(super) fn pool(_: &mut Session, _: &Arguments) -> anyhow::Result<Answer> {
    let memory = report::memory();
    Ok(Answer::of(memory.pool_tables(), json!(memory.pools)))
}

pub(super) fn drops(_: &mut Session, _: &Arguments) -> anyhow::Result<Answer> {
    Ok(Answer::table(&registry::drops()))
}

pub(super) fn tunables(_: &mut Session, _: &Arguments) -> anyhow::Result<Answer> {
    Ok(Answer::table(&registry::tunables()))
}

row! {
    /// An engine.
    EngineRow {
        Left "ENGINE" engine: &'static str,
        Left "CHOSEN" chosen: &'static str,
        Left "WHAT IT DOES" description: &'static str,
    }
}

pub(super) fn engines(session: &mut Session, _: &Arguments) -> anyhow::Result<Answer> {
    let row = |engine: &EngineName| EngineRow {
        engine: engine.name(),
        chosen: if *engine == session.engine { "yes" } else { "" },
        description: engine.description(),
    };
    Ok(Answer::table(&EngineName::ALL.iter().map(row).collect::<Vec<_>>()))
}

pub(super) fn settings(session: &mut Session, _: &Arguments) -> anyhow::Result<Answer> {
    Ok(Answer::table(&session.settings.rows()))
}

row! {
    /// What is set of the program.
    ProgramRow {
        Left "WHAT" what: &'static str,
        Left "VALUE" value: String,
    }
}

pub(super) fn config(session: &mut Session, _: &Arguments) -> anyhow::Result<Answer> {
    let cores: Vec<String> = session.cores.iter().map(ToString::to_string).collect();
    let forwarding = match session.is_forwarding() {
        true => format!("for {:.1} s", session.forwarding_for().as_secs_f64()),
        false => "stopped".into(),
    };
    let rows = [
        ("engine", session.engine.to_string()),
        ("forwarding", forwarding),
        ("ports", session.ports.len().to_string()),
        ("cores", cores.join(",")),
        ("burst", session.burst.to_string()),
        ("buffers", session.pool.census().total.to_string()),
        ("buffer size", session.pool.data_room().to_string()),
    ];
    Ok(Answer::table(&rows.map(|(what, value)| ProgramRow { what, value })))
}
