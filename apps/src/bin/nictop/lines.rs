//! Rates as lines of text.

use std::fmt;

use gannet_apps::monitor::state::Level;
use gannet_mempool::registry::{Column, Row, Table};

use crate::rates::{CoreRates, DropRate, Flow, PoolFill, PortRates, Rates};

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", title(self))?;
        writeln!(f, "\n{}", Table::of(&self.ports))?;
        writeln!(f, "{}", Table::of(&self.cores))?;
        writeln!(f, "{}", Table::of(&self.pools))?;
        match self.drops.is_empty() {
            true => writeln!(f, "nothing dropped"),
            false => writeln!(f, "{}", Table::of(&self.drops)),
        }
    }
}

/// Which program this is.
pub(crate) fn title(rates: &Rates) -> String {
    let Rates { program, version, pid, uptime_seconds, .. } = rates;
    format!("{program} {version}, process {pid}, up {}", duration(*uptime_seconds))
}

fn duration(seconds: f64) -> String {
    let whole = seconds as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{}:{:02} min", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02} h", whole / 3600, whole / 60 % 60, whole % 60),
    }
}

/// A port's link in few letters.
pub(crate) fn link(port: &PortRates) -> String {
    match port.link_mbps {
        _ if !port.present => "gone".into(),
        None => "down".into(),
        Some(mbps) if mbps >= 1000 && mbps.is_multiple_of(1000) => format!("{}G", mbps / 1000),
        Some(mbps) if mbps.is_multiple_of(100) && mbps > 1000 => format!("{:.1}G", f64::from(mbps) / 1e3),
        Some(mbps) => format!("{mbps}M"),
    }
}

/// Millions of packets and billions of bits a second.
pub(crate) fn flow(flow: &Flow) -> [String; 2] {
    [format!("{:.3}", flow.pps / 1e6), format!("{:.3}", flow.bps / 1e9)]
}

/// A pool's level in a word.
pub(crate) fn level(level: Level) -> &'static str {
    match level {
        Level::Calm => "calm",
        Level::Pressure => "pressure",
        Level::Critical => "critical",
    }
}

impl Row<8> for PortRates {
    const COLUMNS: [Column; 8] = [
        Column::Left("PORT"),
        Column::Left("NAME"),
        Column::Left("LINK"),
        Column::Right("RX MPPS"),
        Column::Right("GBIT/S"),
        Column::Right("TX MPPS"),
        Column::Right("GBIT/S"),
        Column::Right("DROPPED/S"),
    ];

    fn cells(&self) -> [String; 8] {
        let ([rx_pps, rx_bps], [tx_pps, tx_bps]) = (flow(&self.rx), flow(&self.tx));
        let dropped = format!("{:.0}", self.dropped_pps);
        [self.number.to_string(), self.name.clone(), link(self), rx_pps, rx_bps, tx_pps, tx_bps, dropped]
    }
}

impl Row<4> for CoreRates {
    const COLUMNS: [Column; 4] =
        [Column::Left("CORE"), Column::Right("BUSY"), Column::Right("PACKETS/S"), Column::Right("ROUNDS/S")];

    fn cells(&self) -> [String; 4] {
        let number = |value: f64| format!("{value:.0}");
        [self.core.to_string(), format!("{:.0} %", self.busy * 100.0), number(self.pps), number(self.rounds_per_second)]
    }
}

impl Row<7> for PoolFill {
    const COLUMNS: [Column; 7] = [
        Column::Left("POOL"),
        Column::Left("LEVEL"),
        Column::Right("IN USE"),
        Column::Right("OUT"),
        Column::Right("CACHED"),
        Column::Right("FREE"),
        Column::Right("ALLOC/S"),
    ];

    fn cells(&self) -> [String; 7] {
        [
            self.name.clone(),
            level(self.level).into(),
            format!("{:.0} %", self.in_use() * 100.0),
            self.out.to_string(),
            self.cached.to_string(),
            self.free.to_string(),
            format!("{:.0}", self.allocations_per_second),
        ]
    }
}

impl Row<4> for DropRate {
    const COLUMNS: [Column; 4] =
        [Column::Left("DROPPED BY"), Column::Left("WHY"), Column::Right("PACKETS"), Column::Right("PACKETS/S")];

    fn cells(&self) -> [String; 4] {
        [self.place.clone(), self.why.replace('_', " "), self.packets.to_string(), format!("{:.0}", self.pps)]
    }
}
