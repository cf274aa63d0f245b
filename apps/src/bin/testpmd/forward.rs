//! Forwarding: streams and their engines, dealt out to threads that stay on their cores, and the way back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use gannet_apps::cores;
use gannet_mempool::Reason;

use crate::engine::{Engine, Stream};

/// Idle rounds after which the core is offered to others, once: on a machine with one core the software cards need it. It is a
/// system call, and a core that makes them all the time sees little of its queues.
const IDLE_ROUNDS: u32 = 1024;

/// Longest time to get the last packets out.
const DRAIN: Duration = Duration::from_millis(100);

/// Their way out is gone, or its link is down.
static LATE: Reason = Reason::new("testpmd", "late", "no way out when forwarding stopped: the link down or slow, or the card gone");

/// A stream and what is done with its packets.
pub(crate) struct Lane {
    pub(crate) stream: Stream,
    pub(crate) engine: Box<dyn Engine>,
}

/// What the cores and the main thread share.
#[derive(Debug, Default)]
struct Orders(AtomicU64);

impl Orders {
    /// Beside a bit for each port that is to be given up.
    const STOP: u64 = 1 << 63;
}

/// Most ports there can be: their orders are bits.
pub(crate) const MAX_PORTS: usize = 62;

/// Cores that forward.
pub(crate) struct Forwarding {
    orders: Arc<Orders>,
    workers: Vec<JoinHandle<Vec<Stream>>>,
}

impl Forwarding {
    /// Starts a thread on each of `cores`, as far as there are lanes, and deals these out.
    ///
    /// # Errors
    /// The system has no thread left. Queues that were in its hands are closed then.
    pub(crate) fn start(lanes: Vec<Lane>, cores: &[usize]) -> anyhow::Result<Forwarding> {
        let mut hands: Vec<Vec<Lane>> = cores.iter().map(|_| Vec::new()).collect();
        for (turn, lane) in lanes.into_iter().enumerate() {
            hands[turn % cores.len()].push(lane);
        }
        let orders = Arc::<Orders>::default();
        let mut workers = Vec::new();
        for (&core, lanes) in cores.iter().zip(hands).filter(|(_, lanes)| !lanes.is_empty()) {
            let orders = orders.clone();
            // The name by which a pool knows who has a buffer.
            let worker = thread::Builder::new().name(format!("core {core}"));
            let worker = worker.spawn(move || poll(lanes, core, &orders)).context("starting a thread to forward on");
            workers.push(worker.inspect_err(|_| ())?);
        }
        Ok(Forwarding { orders, workers })
    }

    /// Has the cores drop the queues of a port.
    pub(crate) fn give_up(&self, port: usize) {
        self.orders.0.fetch_or(1 << port, Ordering::Relaxed);
    }

    /// Has the cores finish, and takes the streams back.
    ///
    /// # Errors
    /// A thread panicked; the queues in its hands are closed.
    pub(crate) fn stop(mut self) -> anyhow::Result<Vec<Stream>> {
        let workers = std::mem::take(&mut self.workers);
        drop(self);
        let count = workers.len();
        let hands: Vec<_> = workers.into_iter().filter_map(|worker| worker.join().ok()).collect();
        ensure!(hands.len() == count, "a core that forwarded panicked: its queues are closed");
        Ok(hands.into_iter().flatten().collect())
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        self.orders.0.fetch_or(Orders::STOP, Ordering::Relaxed);
    }
}
