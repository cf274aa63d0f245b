//! Captures of a running program's packets, for clients of its control socket.
//!
//! ```text
//!   core: queue ─► tap ─► Recorder ─► ring of bytes ─┐
//!   core: queue ─► tap ─► Recorder ─► ring of bytes ─┼─► Capture::serve ─► socket ─► dumpcap
//! ```
//!
//! A core that polls copies the packets' first bytes into a ring that is its alone, and never waits: what finds no room is counted as lost. A
//! thread for each capture empties the rings into the socket. A client that is slow loses packets, and one that goes leaves nothing behind.
//!
//! After its answer in JSON the program sends [`frame`]s, until the client closes its way of the socket or the program's ports are gone; then
//! it sends what is left, says that this is all, and closes the other way.

pub mod frame;
mod recorder;
mod server;
mod stamps;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use gannet::{Direction, TapPoint};
use serde::{Deserialize, Serialize};

pub use self::server::Capture;

/// Most bytes of a packet that can be captured, as in other programs: more than any frame has.
pub const MAX_SNAPLEN: u32 = 262_144;

/// What a client wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureRequest {
    /// Ports, by number or by name; empty for all.
    #[serde(default)]
    pub ports: Vec<String>,
    /// Which way.
    #[serde(default)]
    pub ways: Ways,
    /// Bytes of each packet, from its first on.
    #[serde(default = "whole")]
    pub snaplen: u32,
}

fn whole() -> u32 {
    MAX_SNAPLEN
}

/// Which packets of a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Ways {
    /// Those that it receives.
    Rx,
    /// Those that it sends.
    Tx,
    /// All.
    #[default]
    Both,
}

impl Ways {
    fn include(self, direction: Direction) -> bool {
        match self {
            Ways::Rx => direction == Direction::Rx,
            Ways::Tx => direction == Direction::Tx,
            Ways::Both => true,
        }
    }
}

/// A port that is captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturedPort {
    /// Its number in the program.
    pub number: u16,
    /// The device's name.
    pub name: String,
    /// The kind of card.
    pub card: String,
    /// Its address.
    pub mac: [u8; 6],
    /// Megabits a second of its link when the capture began; `None`: it was down.
    pub link_mbps: Option<u32>,
}

/// What a client is told before the frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The ports that are captured.
    pub ports: Vec<CapturedPort>,
    /// Queues that are left out, and why: they are closed.
    pub skipped: Vec<String>,
}

/// What can be captured of a program, and who does.
#[derive(Debug, Default)]
pub struct Captures {
    ports: Mutex<Vec<Vec<TapPoint>>>,
    /// Each capture has a clone.
    served: Arc<()>,
}

impl Captures {
    /// The next port of the program.
    pub fn add_port(&self, taps: &[TapPoint]) {
        self.lock().push(taps.to_vec());
    }

    /// A port has been started again: it has other queues. Captures of the old ones have ended with them.
    pub fn renew_port(&self, number: usize, taps: &[TapPoint]) {
        if let Some(known) = self.lock().get_mut(number) {
            *known = taps.to_vec();
        }
    }

    /// Begins to capture. `links` has the speed of each port's link in megabits a second.
    ///
    /// # Errors
    /// No such port, one that somebody captures already, or none that runs.
    pub fn begin(&self, request: &CaptureRequest, links: &[Option<u32>]) -> anyhow::Result<Capture> {
        let chosen = choose(&self.lock(), request)?;
        let snaplen = request.snaplen.clamp(1, MAX_SNAPLEN);
        Capture::begin(chosen, links, snaplen as usize, self.served.clone())
    }

    /// Waits until all captures have sent what they have, at most `patience`. The ports are gone, or they would not end.
    pub fn finish(&self, patience: Duration) {
        const LOOK_EVERY: Duration = Duration::from_millis(1);
        let deadline = Instant::now() + patience;
        while Arc::strong_count(&self.served) > 1 && Instant::now() < deadline {
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<TapPoint>>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The numbers and tap points of the ports that are asked for.
fn choose(ports: &[Vec<TapPoint>], request: &CaptureRequest) -> anyhow::Result<Vec<(u16, TapPoint)>> {
    let name = |taps: &Vec<TapPoint>| taps.first().map(|tap| tap.port().name.to_string()).unwrap_or_default();
    let mut wanted = vec![request.ports.is_empty(); ports.len()];
    for asked in &request.ports {
        let is_meant = |(number, taps): (usize, &Vec<TapPoint>)| number.to_string() == *asked || name(taps) == *asked;
        let Some(number) = ports.iter().enumerate().position(is_meant) else {
            let names: Vec<_> =
                (0..).zip(ports).map(|(number, taps): (u32, _)| format!("{number} ({})", name(taps))).collect();
            bail!("no port {asked}; there are: {}", names.join(", "));
        };
        wanted[number] = true;
    }
    let chosen: Vec<_> = (0..)
        .zip(ports)
        .zip(wanted)
        .filter(|(_, wanted)| *wanted)
        .flat_map(|((number, taps), _)| taps.iter().map(move |tap| (number, tap.clone())))
        .filter(|(_, tap)| request.ways.include(tap.direction()))
        // A port that is stopped is missed only by who has asked for it.
        .filter(|(_, tap)| !(request.ports.is_empty() && tap.is_closed()))
        .collect();
    ensure!(!chosen.is_empty(), "the program has no running ports to capture");
    Ok(chosen)
}
