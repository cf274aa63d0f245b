//! What a running program tells of itself: on its control socket, and as metrics for Prometheus.
//!
//! ```text
//!   queues, pools, drops ────── atomics ──────┐
//!   cores ── CoreMeter::round ── atomics ─────┼──► State ──► control socket ──► nictop, dumpcap
//!   cards ── Monitor::refresh ── last look ───┘         └──► GET /metrics ──► Prometheus
//! ```
//!
//! Reading never disturbs the data path: counters are read where their one writer puts them, and cards are asked by the main thread only, so
//! that it does not matter how often somebody looks.
//!
//! [`state`] is what is told, `collect` gathers it, `control` and `metrics` hand it out; [`client`] is the other end of the control
//! socket, `place` knows where sockets are.

pub mod client;
mod collect;
mod control;
mod core_meter;
mod families;
mod metrics;
mod place;
pub mod state;

use std::io::{Write, stderr};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

pub use self::core_meter::CoreMeter;
pub use self::place::{Found, find, list};

use self::collect::Watched;
use self::control::ControlSocket;
use self::metrics::MetricsServer;
use crate::running::Running;

/// How old what is known of cards becomes. Counting costs a real card some fifty register reads.
const REFRESH_EVERY: Duration = Duration::from_millis(250);

/// What the command line says of telemetry.
#[derive(Debug, Clone, Default, Args)]
pub struct MonitorOptions {
    /// Serve metrics for Prometheus at this address, as in 127.0.0.1:9464: GET /metrics.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub metrics: Option<SocketAddr>,

    /// Where the control socket is, by which nictop and dumpcap find the program; "none" for no socket [default:
    /// $XDG_RUNTIME_DIR/gannet/PROGRAM-PID.sock, or /tmp/gannet-UID/PROGRAM-PID.sock].
    #[arg(long, value_name = "PATH|none")]
    pub control: Option<PathBuf>,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an address and a port are needed, as in 127.0.0.1:9464 or [::1]:9464".into())
}

/// The telemetry of a running program. It ends with this value, and so does its socket.
#[derive(Debug)]
pub struct Monitor {
    watched: Arc<Watched>,
    refreshed: Option<Instant>,
    _metrics: Option<MetricsServer>,
    _control: Option<ControlSocket>,
}

impl Monitor {
    /// Begins to serve metrics and the control socket, each on a thread of its own. Says on the standard error where metrics are: port 0
    /// on the command line becomes a free one.
    ///
    /// A control socket at its default place is a convenience: if it cannot be made, a warning says so and the program runs on without.
    ///
    /// # Errors
    /// An address that cannot be listened at, or a control socket that was asked for and cannot be made.
    pub fn start(program: &str, options: &MonitorOptions) -> anyhow::Result<Monitor> {
        // Before the control socket: whoever can connect there is told the address.
        let listener = options.metrics.map(metrics::listen).transpose()?;
        let address = listener.as_ref().map(|listener| listener.local_addr()).transpose()?;
        let watched = Arc::new(Watched::new(program, address));
        let metrics = listener.map(|listener| MetricsServer::start(listener, watched.clone())).transpose()?;
        if let Some(address) = address {
            // Nobody may read it: the control socket tells it too.
            let _ = writeln!(stderr(), "metrics at http://{address}/metrics");
        }
        let control = match &options.control {
            Some(path) if path == Path::new("none") => None,
            Some(path) => Some(ControlSocket::start(path.clone(), watched.clone()).context("--control")?),
            None => place::default_path(program)
                .and_then(|path| ControlSocket::start(path, watched.clone()))
                .inspect_err(|why| tracing::warn!("no control socket, so nictop will not find this program: {why:#}"))
                .ok(),
        };
        Ok(Monitor { watched, refreshed: None, _metrics: metrics, _control: control })
    }

    /// A port of the program. The first one is number 0.
    pub fn add_port(&mut self, port: &Running) {
        self.watched.add_port(port);
    }

    /// Asks the cards of all ports, in the order in which they were added, how they are. For the main thread, in every turn of its loop: it
    /// is done four times a second at most.
    pub fn refresh(&mut self, running: &mut [Running]) {
        if self.refreshed.is_none_or(|at| at.elapsed() >= REFRESH_EVERY) {
            self.refreshed = Some(Instant::now());
            self.watched.refresh(running);
        }
    }

    /// How a port is, whose card has just been counted; `None` while it is stopped. For programs that stop ports and start them again.
    pub fn look_at_port(&mut self, number: usize, port: Option<&Running>) {
        self.watched.look_at_port(number, port);
    }

    /// A port has been started again: it has other queues now.
    pub fn renew_port(&mut self, number: usize, port: &Running) {
        self.watched.renew_port(number, port);
    }

    /// A core that polls. Its thread calls [`CoreMeter::round`]. The next thread on the same core counts on.
    pub fn add_core(&mut self, core: usize) -> CoreMeter {
        self.watched.add_core(core)
    }
}
