//! How it went: counted, printed for people or as JSON.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use gannet::{Pool, PortStats};
use gannet_apps::port_name::{PeerName, PortName};
use gannet_sim::peer::MAX_FRAME;
use gannet_sim::peer::capture::CaptureStatus;
use serde::Serialize;

use crate::forward::{Measured, Shared};
use crate::run::Running;

/// Packets that each port has sent, at a moment or between two.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    pub(crate) at: Instant,
    seconds: f64,
    /// By receiving port: what its partner has sent.
    forwarded: Vec<u64>,
}

impl Tally {
    pub(crate) fn now(running: &[Running]) -> Tally {
        let sent = |port: &Running| port.control.tx_stats().map(|queue| queue.packets).sum();
        let forwarded = (0..running.len()).map(|from| sent(&running[from ^ 1])).collect();
        Tally { at: Instant::now(), seconds: 0.0, forwarded }
    }

    pub(crate) fn since(&self, earlier: &Tally) -> Tally {
        let forwarded = self.forwarded.iter().zip(&earlier.forwarded).map(|(now, then)| now - then).collect();
        Tally { at: self.at, seconds: self.at.saturating_duration_since(earlier.at).as_secs_f64(), forwarded }
    }

    pub(crate) fn packets(&self) -> u64 {
        self.forwarded.iter().sum()
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Packets a second, by receiving port.
    pub(crate) fn rates(&self) -> impl Iterator<Item = f64> + '_ {
        self.forwarded.iter().map(|&packets| rate(packets, self.seconds))
    }
}

fn rate(packets: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { packets as f64 / seconds } else { 0.0 }
}

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
        let rx_rings = running.iter().flat_map(|port| port.control.rx_stats()).map(|queue| queue.in_ring).sum();
        let tx_rings = running.iter().flat_map(|port| port.control.tx_stats()).map(|queue| queue.in_ring).sum();
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
    reordered: u64,
    corrupted: u64,
}

/// Frames that were dropped on the way, by reason. All of them are also `lost`.
#[derive(Debug, Default, Serialize)]
struct Drops {
    /// No room in the card, no descriptor for too long.
    missed: u64,
    no_descriptor: u64,
    crc_errors: u64,
    other_errors: u64,
    undersize: u64,
    oversize: u64,
    damaged_descriptors: u64,
    unsendable: u64,
    unsent: u64,
    abandoned: u64,
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
            running.iter().flat_map(|port| &port.cable.capture).map(|status| of(status).load(Ordering::Relaxed)).sum()
        };
        Captures {
            not_played: sum(|status| &status.skipped),
            cut: sum(|status| &status.cut),
            padded: sum(|status| &status.padded),
        }
    }
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
    drops: Drops,
    /// Times that a receive ring could not be refilled because the pool was empty.
    no_buffers: u64,
    captures: Captures,
    page_size: &'static str,
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
        abandoned: u64,
        shared: &Shared,
    ) -> Report {
        let stats: Vec<PortStats> = running.iter_mut().map(|port| port.control.stats()).collect();
        let ways: Vec<Way> = (0..running.len()).map(|from| way(from, names, tally, running)).collect();
        let sum = |of: fn(&Way) -> u64| ways.iter().map(of).sum();
        let first_us = shared.first_us.load(Ordering::Relaxed);
        let forwarded = running.iter().flat_map(|port| port.control.tx_stats()).map(|queue| queue.packets).sum();
        Report {
            seconds: tally.seconds(),
            forwarded,
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
            drops: drops(&stats, running, abandoned),
            no_buffers: running.iter().flat_map(|port| port.control.rx_stats()).map(|queue| queue.no_buffers).sum(),
            page_size: "",
            problems: running.iter().flat_map(card_problems).collect(),
            captures: Captures::count(running),
            captures_read: running.iter().filter_map(|port| port.cable.capture.clone()).collect(),
        }
    }

    /// Adds what is known only when all has been stopped.
    pub(crate) fn finish(&mut self, pool: &Pool, while_running: Buffers) {
        self.buffers = Buffers::count(pool, &[]);
        self.buffers_while_running = while_running;
        self.page_size = pool.region().page_size().name();
        self.problems.extend(self.captures_read.iter().filter_map(|status| status.error()));
        if self.captures.not_played > 0 {
            let not_played = self.captures.not_played;
            self.problems.push(format!("{not_played} frames not played: a card takes 1 to {MAX_FRAME} bytes"));
        }
        if self.buffers.application > 0 {
            self.problems.push(format!("{} buffers did not come home", self.buffers.application));
        }
    }

    /// Whether nothing at all went wrong.
    pub(crate) fn is_clean(&self) -> bool {
        self.lost == 0 && self.reordered == 0 && self.corrupted == 0 && self.problems.is_empty()
    }

    pub(crate) fn print(&self, json: bool) {
        let text = if json { serde_json::to_string_pretty(self).unwrap_or_default() + "\n" } else { self.text() };
        // A closed pipe leaves nobody to tell.
        let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    }

    fn text(&self) -> String {
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
            let drops = serde_json::to_value(&report.drops).unwrap_or_default();
            for (reason, count) in
                drops.as_object().into_iter().flatten().filter(|(_, count)| count.as_u64() != Some(0))
            {
                writeln!(out, "dropped    {count} {}", reason.replace('_', " "))?;
            }
            if report.no_buffers > 0 {
                writeln!(out, "starved    the pool was empty {} times (--buffers)", report.no_buffers)?;
            }
            let Captures { cut, padded, .. } = report.captures;
            if cut + padded > 0 {
                writeln!(out, "captures   {cut} frames were cut when captured, {padded} filled up to 60 bytes")?;
            }
            for problem in &report.problems {
                writeln!(out, "problem    {problem}")?;
            }
            Ok(())
        }
    }
}

fn way(from: usize, names: &[PortName], tally: &Tally, running: &[Running]) -> Way {
    let to = from ^ 1;
    let (source, target) = (&running[from].cable.stats, &running[to].cable.stats);
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let offered = count(&source.offered);
    let (reordered, corrupted) = (count(&target.reordered), count(&target.corrupted));
    // A generator knows its partner's frames; what else it receives, or receives damaged, is not what was sent.
    let intact = match names[to].peer {
        PeerName::Generator { .. } => {
            count(&target.accepted).saturating_sub(count(&target.foreign)).saturating_sub(corrupted)
        }
        _ => count(&target.accepted).saturating_sub(count(&target.dropped)),
    };
    Way {
        from: names[from].to_string(),
        to: names[to].to_string(),
        offered,
        forwarded: running[to].control.tx_stats().map(|queue| queue.packets).sum(),
        pps: tally.rates().nth(from).unwrap_or_default(),
        lost: offered.saturating_sub(intact),
        reordered,
        corrupted,
    }
}

fn drops(stats: &[PortStats], running: &[Running], abandoned: u64) -> Drops {
    let card = |of: fn(&PortStats) -> u64| stats.iter().map(of).sum();
    let rx: Vec<_> = running.iter().flat_map(|port| port.control.rx_stats()).collect();
    let tx: Vec<_> = running.iter().flat_map(|port| port.control.tx_stats()).collect();
    Drops {
        missed: card(|port| port.rx_missed),
        no_descriptor: card(|port| port.rx_no_descriptor),
        crc_errors: card(|port| port.rx_crc_errors),
        other_errors: card(|port| port.rx_errors),
        undersize: card(|port| port.rx_undersize),
        oversize: card(|port| port.rx_oversize) + rx.iter().map(|queue| queue.oversize).sum::<u64>(),
        damaged_descriptors: rx.iter().map(|queue| queue.damaged + queue.nonsense).sum(),
        unsendable: tx.iter().map(|queue| queue.unmapped + queue.invalid).sum(),
        unsent: tx.iter().map(|queue| queue.unsent).sum(),
        abandoned,
        by_the_peer: running.iter().map(|port| port.cable.stats.dropped.load(Ordering::Relaxed)).sum(),
    }
}

/// What a software card complains of: mistakes of the driver, which hardware would punish silently.
fn card_problems(port: &Running) -> Vec<String> {
    let name = &port.control.info().name;
    let probe = &port.cable.probe;
    let violations = probe.violations().into_iter().map(|violation| format!("{name}: {violation:?}"));
    let faults = probe.dma_faults().into_iter().map(|fault| format!("{name}: {fault:?}"));
    violations.chain(faults).collect()
}
