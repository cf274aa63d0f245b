//! A port as the user sees it: started, stopped and started again, with a configuration that is changed while it is stopped.

use anyhow::{Context, anyhow, bail, ensure};
use gannet::{Configured, Control, Filter, Link, MacAddress, PortConfig, PortInfo, Queues, RegisterValue};
use gannet_apps::launch::with_option;
use gannet_apps::ports::{Cable, Hold};
use gannet_apps::running::Running;

use crate::counts::Counts;

/// A port, in any state.
pub(crate) struct Port {
    pub(crate) number: usize,
    /// As it is named by `--port`.
    pub(crate) name: String,
    pub(crate) info: PortInfo,
    pub(crate) config: PortConfig,
    /// Destination of frames that the engine mac sends here.
    pub(crate) peer: MacAddress,
    /// Accesses to memory that the IOMMU has refused.
    pub(crate) faults: Vec<String>,
    /// Which core has panicked and taken queues of the port with it, since the port was started.
    pub(crate) panicked: Option<String>,
    state: PortState,
    /// What had been counted when statistics were cleared.
    before: Counts,
    /// What had been counted when it stopped running.
    last: Counts,
}

/// States of a port.
enum PortState {
    /// It runs. Its queues are here unless cores poll them.
    Started { running: Box<Running>, queues: Queues },
    /// It does not, and can be configured.
    Stopped { port: gannet::Port<Configured>, cable: Option<Cable> },
    /// It is gone, and why.
    Lost { reason: String },
}

fn no_queues() -> Queues {
    Queues { rx: Vec::new(), tx: Vec::new() }
}

impl Port {
    /// A port that has just been started.
    ///
    /// # Errors
    /// It has been given up already.
    pub(crate) fn new(
        number: usize,
        name: String,
        config: PortConfig,
        mut running: Running,
        queues: Queues,
    ) -> anyhow::Result<Port> {
        // It has been waited for.
        running.link_change();
        let info = running.control().with_context(|| format!("port {number} has left"))?.info().clone();
        Ok(Port {
            number,
            name,
            info,
            config,
            // As DPDK's testpmd has it: an address of nobody, with the port's number.
            peer: [0x02, 0, 0, 0, 0, number as u8],
            faults: Vec::new(),
            panicked: None,
            state: PortState::Started { running: Box::new(running), queues },
            before: Counts::default(),
            last: Counts::default(),
        })
    }

    /// One word for its state.
    pub(crate) fn state(&self) -> &'static str {
        match self.state {
            PortState::Started { .. } => "started",
            PortState::Stopped { .. } => "stopped",
            PortState::Lost { .. } => "lost",
        }
    }

    /// Why it is gone, if so.
    pub(crate) fn lost(&self) -> Option<&str> {
        match &self.state {
            PortState::Lost { reason } => Some(reason),
            _ => None,
        }
    }

    /// The port while it runs.
    pub(crate) fn running(&self) -> Option<&Running> {
        match &self.state {
            PortState::Started { running, .. } => Some(running),
            _ => None,
        }
    }

    /// The same, to be looked after.
    pub(crate) fn running_mut(&mut self) -> Option<&mut Running> {
        match &mut self.state {
            PortState::Started { running, .. } => Some(running),
            _ => None,
        }
    }

    fn control(&self) -> Option<&Control> {
        self.running()?.control()
    }

    /// The cable of a software card.
    pub(crate) fn cable(&self) -> Option<&Cable> {
        match &self.state {
            PortState::Started { running, .. } => running.cable.as_ref(),
            PortState::Stopped { cable, .. } => cable.as_ref(),
            PortState::Lost { .. } => None,
        }
    }

    /// Has the peer of a software card send nothing, or lets it go.
    pub(crate) fn hold(&self, hold: Hold) {
        if let Some(cable) = self.cable() {
            cable.hold(hold);
        }
    }

    /// State of the link now; down while the port is not started.
    pub(crate) fn link(&self) -> Link {
        self.control().map_or(Link::Down, Control::link)
    }

    /// What the registers of its card hold, whether it is started or not.
    ///
    /// # Errors
    /// The card is gone.
    pub(crate) fn registers(&self) -> anyhow::Result<Vec<RegisterValue>> {
        Ok(match &self.state {
            PortState::Started { running, .. } => running.control().context("the card is gone")?.registers()?,
            PortState::Stopped { port, .. } => port.registers()?,
            PortState::Lost { reason } => bail!("port {} is lost: {reason}", self.number),
        })
    }

    /// Its queues, to be polled. What cores have already is missing.
    pub(crate) fn take_queues(&mut self) -> Queues {
        match &mut self.state {
            PortState::Started { queues, .. } => std::mem::replace(queues, no_queues()),
            _ => no_queues(),
        }
    }

    /// Its queues, back from the cores. Those of a port that has been lost meanwhile are dropped.
    pub(crate) fn give_queues(&mut self, back: Queues) {
        if let PortState::Started { queues, .. } = &mut self.state {
            *queues = back;
        }
    }

    /// Whether all its queues are here.
    ///
    /// # Errors
    /// A core that panicked has closed some.
    pub(crate) fn check_queues(&self) -> anyhow::Result<()> {
        let PortState::Started { queues, .. } = &self.state else { return Ok(()) };
        let number = self.number;
        ensure!(
            (queues.rx.len(), queues.tx.len()) == (self.config.rx.len(), self.config.tx.len()),
            "port {number} has lost queues to a core that panicked: stop port {number}, start port {number}"
        );
        Ok(())
    }

    /// What a software card complains of, and what the IOMMU has refused.
    pub(crate) fn problems(&self) -> Vec<String> {
        let violations = self.cable().map(|cable| cable.probe.violations()).unwrap_or_default();
        let violations = violations.iter().map(|violation| format!("port {}: {violation:?}", self.number));
        let faults = self.faults.iter().map(|fault| format!("port {}: {fault}", self.number));
        violations.chain(faults).collect()
    }

    /// What cannot be done in this state, and what to do about it.
    ///
    /// # Errors
    /// Unless the port is stopped.
    pub(crate) fn check_stopped(&self) -> anyhow::Result<()> {
        let number = self.number;
        match &self.state {
            PortState::Stopped { .. } => Ok(()),
            PortState::Started { .. } => bail!("port {number} is started: stop port {number} first"),
            PortState::Lost { reason } => bail!("port {number} is lost: {reason}"),
        }
    }

    /// Takes over a configuration, to be started with.
    ///
    /// # Errors
    /// The port is not stopped, or the card cannot do it. Nothing has changed then.
    pub(crate) fn configure(&mut self, config: PortConfig) -> anyhow::Result<()> {
        self.check(&config)?;
        self.config = config;
        Ok(())
    }

    /// Whether it can take over a configuration.
    ///
    /// # Errors
    /// The port is not stopped, or the card cannot do it.
    pub(crate) fn check(&self, config: &PortConfig) -> anyhow::Result<()> {
        self.check_stopped()?;
        let PortState::Stopped { port, .. } = &self.state else { return Ok(()) };
        port.check(config).map_err(with_option)
    }

    /// Changes the address filter, at once if the port runs.
    ///
    /// # Errors
    /// As [`Self::check_filter`]. Nothing has changed then.
    pub(crate) fn set_filter(&mut self, filter: Filter) -> anyhow::Result<()> {
        match &mut self.state {
            PortState::Started { running, .. } => {
                let control = running.control_mut().context("the card is gone")?;
                control.set_filter(filter.clone())?;
                self.config.filter = filter;
                Ok(())
            }
            _ => self.configure(PortConfig { filter, ..self.config.clone() }),
        }
    }

    /// Whether it can take over an address filter.
    ///
    /// # Errors
    /// The port is lost, or the card cannot do it.
    pub(crate) fn check_filter(&self, filter: Filter) -> anyhow::Result<()> {
        let config = PortConfig { filter, ..self.config.clone() };
        match &self.state {
            PortState::Started { running, .. } => Ok(running.control().context("the card is gone")?.check(&config)?),
            _ => self.check(&config),
        }
    }

    /// Starts it.
    ///
    /// # Errors
    /// It runs, or is lost, or the pool is too small (nothing has changed then); or the card does not do as it should: the port is lost.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        let number = self.number;
        ensure!(self.running().is_none(), "port {number} is started already");
        self.check_stopped()?;
        self.check_buffers()?;
        let lost = PortState::Lost { reason: "it could not be started".into() };
        let PortState::Stopped { port, cable } = std::mem::replace(&mut self.state, lost) else { return Ok(()) };
        let config = self.config.clone();
        // On a thread that ends, or this one would keep a cache of free buffers.
        let started = std::thread::spawn(move || port.configure(config)?.start()).join();
        let (control, queues) = started.map_err(|_| anyhow!("starting port {number} panicked"))??;
        self.before = Counts { card: self.before.card, ..Counts::default() };
        self.state = PortState::Started { running: Box::new(Running::new(control, cable)), queues };
        self.panicked = None;
        Ok(())
    }

    /// A port that finds too few buffers when it starts is lost: better not to try.
    fn check_buffers(&self) -> anyhow::Result<()> {
        let needed: u32 = self.config.rx.iter().map(|queue| queue.descriptors).sum();
        let Some(pool) = self.config.rx.first().map(|queue| &queue.pool) else { return Ok(()) };
        let free = pool.census().ring;
        ensure!(
            needed <= free,
            "port {}: its receive rings need {needed} buffers, the pool has {free}: smaller rings (set port {} ring), \
             or testpmd with more --buffers",
            self.number,
            self.number
        );
        Ok(())
    }

    /// Stops it.
    ///
    /// # Errors
    /// It does not run, or cores have its queues (nothing has changed then); or the card does not stop: the port is lost.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        let number = self.number;
        if self.check_stopped().is_ok() {
            bail!("port {number} is stopped already");
        }
        self.last = self.total();
        let lost = PortState::Lost { reason: "it could not be stopped".into() };
        match std::mem::replace(&mut self.state, lost) {
            PortState::Started { mut running, queues } => {
                let cable = running.cable.take();
                let control = running.into_control().with_context(|| format!("port {number}: the card is gone"))?;
                let port = control.stop(queues)?;
                self.state = PortState::Stopped { port, cable };
                Ok(())
            }
            state => {
                self.state = state;
                self.check_stopped()
            }
        }
    }

    /// Lets go of a card that is gone or wanted back.
    pub(crate) fn leave(&mut self, reason: &str) {
        self.last = self.total();
        self.state = PortState::Lost { reason: reason.to_owned() };
    }

    /// Adds what the IOMMU has refused since the last look.
    pub(crate) fn note_faults(&mut self) {
        let faults = self.control().map(Control::dma_faults).unwrap_or_default();
        self.faults.extend(faults.iter().map(ToString::to_string));
    }

    /// What it has counted in all. (The queues count from the start of the port, the card from its first.)
    pub(crate) fn total(&mut self) -> Counts {
        let Some(running) = self.running_mut() else { return self.last.clone() };
        running.count();
        let queues = running.queues();
        Counts { card: *running.card(), rx: queues.rx_stats().collect(), tx: queues.tx_stats().collect() }
    }

    /// What it has counted since statistics were cleared; or until it was stopped.
    pub(crate) fn counts(&mut self) -> Counts {
        let total = self.total();
        total.since(&self.before)
    }

    /// Counts from here on.
    pub(crate) fn clear(&mut self) {
        self.before = self.total();
    }
}
