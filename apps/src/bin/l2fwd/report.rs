//! How it went: counted, printed for people or as JSON.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gannet::{Pool, PortStats};
use gannet_apps::port_name::{PeerName, PortName};
use gannet_mempool::report::{self, MemoryReport};
use gannet_sim::peer::MAX_FRAME;
use gannet_sim::peer::capture::CaptureStatus;
use serde::Serialize;

use crate::drops;
use crate::forward::{Measured, Shared};
use crate::tally::{Tally, rate};
use gannet_apps::running::{Counters, Running};

/// The buffers of the pool, by place. They add up to `total`.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Buffers {
    pub(crate) total: u32,
    pool: u32,
    caches: u32,
    rx_rings: u32,
    tx_rings: u32,
    pub(crate) application: u32,
}

impl Buffers {
    pub(crate) fn count(pool: &Pool, running: &[Running]) -> Buffers {
        let census = pool.census();
        let (rx_rings, tx_rings) =
            running.iter().map(Running::in_rings).fold((0, 0), |(rx, tx), of| (rx + of.0, tx + of.1));
        Buffers {
            total: census.total,
            pool: census.ring,
            caches: census.cached,
            rx_rings,
            tx_rings,
            // While packets move this is a snapshot of moving parts.
            application: census.out.saturating_sub(rx_rings + tx_rings),
        }
    }
}

/// One way.
#[derive(Debug, Serialize)]
struct Way {
    from: String,
    to: String,
    offered: u64,
    forwarded: u64,
    pps: f64,
    lost: u64,
    /// What only the other end of a software card's cable can tell; 0 for cards.
    reordered: u64,
    corrupted: u64,
}

/// A port, for itself.
#[derive(Debug, Serialize)]
struct PortReport {
    name: String,
    /// Packets that each of its queues has received.
    rx_queues: Vec<u64>,
    /// Packets that each of its queues has been given to send.
    tx_queues: Vec<u64>,
    /// What the card counted.
    card_rx_packets: u64,
    card_tx_packets: u64,
    card_rx_missed: u64,
}

impl PortReport {
    fn new(port: &Running, counters: &Counters) -> PortReport {
        PortReport {
            name: port.name.clone(),
            rx_queues: counters.rx.iter().map(|queue| queue.packets).collect(),
            tx_queues: counters.tx.iter().map(|queue| queue.packets).collect(),
            card_rx_packets: counters.card.rx_packets,
            card_tx_packets: counters.card.tx_packets,
            card_rx_missed: counters.card.rx_missed,
        }
    }
}

/// Frames that were dropped on the way, by reason. All of them are also `lost`, but for those that a real card threw away as damaged:
/// who sent them is unknown.
#[derive(Debug, Default, Serialize)]
struct Drops {
    /// No room in the card, no descriptor for too long.
    missed: u64,
    no_descriptor: u64,
    /// No buffer in the pool to replace theirs.
    no_buffer: u64,
    crc_errors: u64,
    other_errors: u64,
    undersize: u64,
    oversize: u64,
    damaged_descriptors: u64,
    unsendable: u64,
    unsent: u64,
    by_the_peer: u64,
}

/// Frames of the played captures that are not as they once were on a wire.
#[derive(Debug, Default, Serialize)]
struct Captures {
    /// Longer than a card can carry, or empty.
    not_played: u64,
    /// Cut when they were captured, played as far as they go.
    cut: u64,
    /// Shorter than a frame on a wire, filled up with zeros.
    padded: u64,
}

impl Captures {
    fn count(running: &[Running]) -> Captures {
        let sum = |of: fn(&CaptureStatus) -> &AtomicU64| {
            captures(running).map(|status| of(status).load(Ordering::Relaxed)).sum()
        };
        Captures {
            not_played: sum(|status| &status.skipped),
            cut: sum(|status| &status.cut),
            padded: sum(|status| &status.padded),
        }
    }
}

/// The capture files of all ports that have some.
fn captures(running: &[Running]) -> impl Iterator<Item = &Arc<CaptureStatus>> {
    running.iter().filter_map(|port| port.cable.as_ref()?.capture.as_ref())
}

/// The final report.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    seconds: f64,
    forwarded: u64,
    forwarded_pps: f64,
    lost: u64,
    reordered: u64,
    corrupted: u64,
    driver_cycles_per_packet: Option<f64>,
    start_ms: Option<f64>,
    buffers: Buffers,
    buffers_while_running: Buffers,
    ways: Vec<Way>,
    ports: Vec<PortReport>,
    /// Times that a core slept until a card woke it, or to look for orders.
    sleeps: u64,
    drops: Drops,
    /// Times that a receive ring could not be refilled because the pool was empty.
    no_buffers: u64,
    captures: Captures,
    page_size: &'static str,
    /// All that is known of packet memory, when all has been stopped. Its drops are those of the software, by reason.
    memory: Option<MemoryReport>,
    pub(crate) problems: Vec<String>,
    #[serde(skip)]
    captures_read: Vec<Arc<CaptureStatus>>,
}

impl Report {
    pub(crate) fn new(
        names: &[PortName],
        tally: &Tally,
        running: &mut [Running],
        measured: Measured,
        shared: &Shared,
    ) -> Report {
        let counters: Vec<Counters> = running.iter_mut().map(Running::counters).collect();
        let ways: Vec<Way> = (0..running.len()).map(|from| way(from, names, tally, running, &counters)).collect();
        let sum = |of: fn(&Way) -> u64| ways.iter().map(of).sum();
        let first_us = shared.first_us.load(Ordering::Relaxed);
        Report {
            seconds: tally.seconds(),
            forwarded: running.iter().map(Running::forwarded).sum(),
            forwarded_pps: rate(tally.packets(), tally.seconds()),
            lost: sum(|way| way.lost),
            reordered: sum(|way| way.reordered),
            corrupted: sum(|way| way.corrupted),
            driver_cycles_per_packet: (measured.packets > 0)
                .then(|| measured.driver_cycles as f64 / measured.packets as f64),
            start_ms: (first_us > 0).then(|| first_us as f64 / 1e3),
            buffers: Buffers::default(),
            buffers_while_running: Buffers::default(),
            ways,
            ports: running.iter().zip(&counters).map(|(port, counters)| PortReport::new(port, counters)).collect(),
            sleeps: measured.sleeps,
            drops: count_drops(&counters, running),
            no_buffers: running.iter().map(Running::starved).sum(),
            page_size: "",
            memory: None,
            problems: running.iter_mut().flat_map(card_problems).collect(),
            captures: Captures::count(running),
            captures_read: captures(running).cloned().collect(),
        }
    }

    /// Adds what is known only when all has been stopped, and ends the pool.
    pub(crate) fn finish(&mut self, pool: Pool, while_running: Buffers) {
        self.buffers = Buffers::count(&pool, &[]);
        self.memory = Some(report::memory());
        self.buffers_while_running = while_running;
        self.page_size = pool.region().page_size().name();
        self.problems.extend(self.captures_read.iter().filter_map(|status| status.error()));
        if self.captures.not_played > 0 {
            let not_played = self.captures.not_played;
            self.problems.push(format!("{not_played} frames not played: a card takes 1 to {MAX_FRAME} bytes"));
        }
        if let Err(why) = pool.destroy(Duration::ZERO) {
            self.problems.push(why.to_string());
        }
    }

    /// Whether nothing at all went wrong.
    pub(crate) fn is_clean(&self) -> bool {
        self.lost == 0 && self.reordered == 0 && self.corrupted == 0 && self.problems.is_empty()
    }

    /// For programs: everything.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// For people: what went wrong only if something did.
    pub(crate) fn text(&self) -> String {
        use std::fmt::Write;
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = write_text(self, &mut out);
        return out;

        fn write_text(report: &Report, out: &mut String) -> std::fmt::Result {
            writeln!(out, "way        forwarded         Mpps       lost  reordered  corrupted")?;
            for (from, way) in report.ways.iter().enumerate() {
                let (to, mpps) = (from ^ 1, way.pps / 1e6);
                writeln!(
                    out,
                    "{from} -> {to} {:>13} {mpps:>12.3} {:>10} {:>10} {:>10}",
                    way.forwarded, way.lost, way.reordered, way.corrupted
                )?;
            }
            let mpps = report.forwarded_pps / 1e6;
            writeln!(
                out,
                "all    {:>13} {mpps:>12.3} {:>10} {:>10} {:>10}   in {:.2} s",
                report.forwarded, report.lost, report.reordered, report.corrupted, report.seconds
            )?;
            if let Some(cycles) = report.driver_cycles_per_packet {
                writeln!(
                    out,
                    "driver     {cycles:.1} cycles a packet, receive and send, waiting for memory shared with the card included"
                )?;
            }
            if let Some(start) = report.start_ms {
                writeln!(out, "start      {start:.0} ms from process start to the first packet forwarded")?;
            }
            for (when, at) in [("running", &report.buffers_while_running), ("stopped", &report.buffers)] {
                writeln!(
                    out,
                    "buffers    {when}: {} = pool {} + caches {} + RX rings {} + TX rings {} + application {}",
                    at.total, at.pool, at.caches, at.rx_rings, at.tx_rings, at.application
                )?;
            }
            writeln!(out, "memory     {} pages", report.page_size)?;
            report.write_drops(out)?;
            let Captures { cut, padded, .. } = report.captures;
            if cut + padded > 0 {
                writeln!(out, "captures   {cut} frames were cut when captured, {padded} filled up to 60 bytes")?;
            }
            for problem in &report.problems {
                writeln!(out, "problem    {problem}")?;
            }
            match &report.memory {
                Some(memory) => write!(out, "\n{}", memory.pool_tables()),
                None => Ok(()),
            }
        }
    }

    /// What was dropped by cards, queues and cables, then by l2fwd itself.
    fn write_drops(&self, out: &mut String) -> std::fmt::Result {
        use std::fmt::Write;
        let drops = serde_json::to_value(&self.drops).unwrap_or_default();
        for (reason, count) in drops.as_object().into_iter().flatten().filter(|(_, count)| count.as_u64() != Some(0)) {
            writeln!(out, "dropped    {count} {}", reason.replace('_', " "))?;
        }
        let own = self.memory.iter().flat_map(|memory| &memory.registry.drops);
        for drop in own.filter(|drop| drop.place == drops::PLACE && drop.packets > 0) {
            writeln!(out, "dropped    {} {}: {}", drop.packets, drop.why.replace('_', " "), drop.description)?;
        }
        if self.no_buffers > 0 {
            writeln!(out, "starved    the pool was empty {} times (--buffers)", self.no_buffers)?;
        }
        Ok(())
    }
}

fn way(from: usize, names: &[PortName], tally: &Tally, running: &[Running], counters: &[Counters]) -> Way {
    let to = from ^ 1;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let offered = match &running[from].cable {
        Some(cable) => count(&cable.stats.offered),
        None => counters[from].offered(),
    };
    let (intact, reordered, corrupted) = match &running[to].cable {
        Some(cable) => {
            let target = &cable.stats;
            let (accepted, corrupted) = (count(&target.accepted), count(&target.corrupted));
            // A generator knows its partner's frames; what else it receives, or receives damaged, is not what was sent.
            let intact = match names[to].peer() {
                Some(PeerName::Generator { .. }) => {
                    accepted.saturating_sub(count(&target.foreign)).saturating_sub(corrupted)
                }
                _ => accepted.saturating_sub(count(&target.dropped)),
            };
            (intact, count(&target.reordered), corrupted)
        }
        None => (counters[to].sent(), 0, 0),
    };
    Way {
        from: names[from].to_string(),
        to: names[to].to_string(),
        offered,
        forwarded: running[to].forwarded(),
        pps: tally.rates().nth(from).unwrap_or_default(),
        lost: offered.saturating_sub(intact),
        reordered,
        corrupted,
    }
}

fn count_drops(counters: &[Counters], running: &[Running]) -> Drops {
    let card = |of: fn(&PortStats) -> u64| counters.iter().map(|port| of(&port.card)).sum();
    let rx: Vec<_> = counters.iter().flat_map(|port| &port.rx).collect();
    let tx: Vec<_> = counters.iter().flat_map(|port| &port.tx).collect();
    let cables = running.iter().filter_map(|port| port.cable.as_ref());
    Drops {
        missed: card(|port| port.rx_missed),
        no_descriptor: card(|port| port.rx_no_descriptor),
        no_buffer: rx.iter().map(|queue| queue.no_buffer_drops).sum(),
        crc_errors: card(|port| port.rx_crc_errors),
        other_errors: card(|port| port.rx_errors),
        undersize: card(|port| port.rx_undersize),
        oversize: card(|port| port.rx_oversize) + rx.iter().map(|queue| queue.oversize).sum::<u64>(),
        damaged_descriptors: rx.iter().map(|queue| queue.damaged + queue.nonsense).sum(),
        unsendable: tx.iter().map(|queue| queue.unmapped + queue.invalid).sum(),
        unsent: tx.iter().map(|queue| queue.unsent).sum(),
        by_the_peer: cables.map(|cable| cable.stats.dropped.load(Ordering::Relaxed)).sum(),
    }
}

/// What went wrong with a port's card. Of a software card also the mistakes of the driver, which hardware would punish silently.
fn card_problems(port: &mut Running) -> Vec<String> {
    port.note_faults();
    let mut problems = std::mem::take(&mut port.problems);
    let violations = port.cable.iter().flat_map(|cable| cable.probe.violations());
    problems.extend(violations.map(|violation| format!("{}: {violation:?}", port.name)));
    problems
}
