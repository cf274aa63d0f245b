//! `explain`: why packets do not come through, in the order of their way, each finding with the command that mends it.
//!
//! What is known of a port is gathered first ([`Evidence`]); each check looks at that alone.

mod checks;
#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use gannet::{Link, Promiscuous};
use gannet_mempool::Level;
use gannet_mempool::registry::{Column, Row};
use serde::Serialize;

use crate::answer::Answer;
use crate::counts::Counts;
use crate::session::Session;

/// Time between two looks at what ought to move: far more than a card needs to send a full ring, and a core to be scheduled.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// Something that keeps packets from coming through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// Which port; `None` for all.
    pub(crate) port: Option<usize>,
    /// What is wrong, and how one knows.
    pub(crate) what: String,
    /// The command, or the deed, that mends it.
    pub(crate) remedy: String,
}

impl Row<3> for Finding {
    const COLUMNS: [Column; 3] = [Column::Left("PORT"), Column::Left("WHAT IS WRONG"), Column::Left("WHAT MENDS IT")];

    fn cells(&self) -> [String; 3] {
        let port = self.port.map_or("all".into(), |port| port.to_string());
        [port, self.what.clone(), self.remedy.clone()]
    }
}

/// What is known of a port.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    pub(crate) port: usize,
    /// Why it is gone, if so.
    pub(crate) lost: Option<String>,
    pub(crate) is_started: bool,
    pub(crate) is_linked: bool,
    pub(crate) is_forwarding: bool,
    pub(crate) is_promiscuous: bool,
    pub(crate) mtu: u16,
    /// Since statistics were cleared, at the first look and at the second.
    pub(crate) before: Counts,
    pub(crate) now: Counts,
    /// Since the port was opened, as its peer counts.
    pub(crate) total: Counts,
    pub(crate) peer: Option<PeerEvidence>,
    /// Accesses that the IOMMU has refused.
    pub(crate) faults: Vec<String>,
    /// Which core has panicked and taken queues of the port with it.
    pub(crate) panicked: Option<String>,
    pub(crate) pool: PoolEvidence,
}

/// What is known of the peer of a software card.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PeerEvidence {
    pub(crate) offered: u64,
    pub(crate) is_finished: bool,
    pub(crate) is_held: bool,
    /// Its cable loses frames, which nobody tells from those that the card's filter keeps away.
    pub(crate) is_impaired: bool,
}

/// What is known of the packet pool.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PoolEvidence {
    pub(crate) total: u32,
    pub(crate) free: u32,
    pub(crate) is_short: bool,
}

/// What is wrong with these ports, as far as it shows.
pub(crate) fn findings(session: &mut Session, ports: &[usize]) -> Vec<Finding> {
    let before: Vec<Counts> = ports.iter().map(|&port| session.ports[port].counts()).collect();
    thread::sleep(BETWEEN_LOOKS);
    session.look_at_cores();
    let mut findings = Vec::new();
    for (&port, before) in ports.iter().zip(before) {
        findings.extend(checks::all(&gather(session, port, before)));
    }
    // What is the same for all ports is told once, first.
    let told = findings.iter().position(|finding: &Finding| finding.port.is_none());
    let of_all = told.map(|at| findings[at].clone());
    findings.retain(|finding| finding.port.is_some());
    of_all.into_iter().chain(findings).collect()
}

fn gather(session: &mut Session, number: usize, before: Counts) -> Evidence {
    let is_forwarding = session.is_forwarding();
    let census = session.pool.census();
    let pool = PoolEvidence {
        total: census.total,
        free: census.ring + census.cached,
        is_short: session.pool.level() != Level::Calm,
    };
    let port = &mut session.ports[number];
    port.note_faults();
    let (now, total) = (port.counts(), port.total());
    let peer = port.cable().map(|cable| PeerEvidence {
        offered: cable.stats.offered.load(Ordering::Relaxed),
        is_finished: cable.stats.finished.load(Ordering::Acquire),
        is_held: cable.stats.stop.load(Ordering::Relaxed),
        is_impaired: cable.is_impaired(),
    });
    Evidence {
        port: number,
        lost: port.lost().map(str::to_owned),
        is_started: port.running().is_some(),
        is_linked: port.link() != Link::Down,
        is_forwarding,
        is_promiscuous: port.config.filter.promiscuous == Promiscuous::On,
        mtu: port.config.mtu,
        before,
        now,
        total,
        peer,
        faults: port.faults.clone(),
        panicked: port.panicked.clone(),
        pool,
    }
}

/// The answer of the command.
pub(crate) fn answer(session: &mut Session, ports: &[usize]) -> Answer {
    let findings = findings(session, ports);
    let answer = Answer::table(&findings);
    match findings.as_slice() {
        [] => Answer { text: "nothing is in the way of packets\n".into(), ..answer },
        _ => answer,
    }
}
