//! From the command line to running ports: the options that all programs on ports have, and the start of everything they name.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use gannet::{
    Control, DEFAULT_MTU, Filter, Link, MAX_BURST, MTUS, Pool, PoolOptions, Port, PortConfig, Probed, Queues,
    RxInterrupts, data_room_for,
};
use gannet_mempool::registry::{self, Table};
use gannet_sim::x82599::Engine;

use crate::cores;
use crate::port_name::PortName;
use crate::ports::{self, Cable, Hold};
use crate::program::{self, Live};
use crate::running::Running;

/// Longest wait for a link. The card's own bound is 9 s.
const LINK_PATIENCE: Duration = Duration::from_secs(9);

/// How long one look for a link takes at most: between two, Ctrl-C is heard.
const LINK_STEP: Duration = Duration::from_millis(100);

/// Descriptors that a ring may have.
const RING: RangeInclusive<u32> = 64..=4096;

/// Queues that any card may have. What a card really has its driver says.
const QUEUES: RangeInclusive<usize> = 1..=64;

/// Bytes that a buffer may hold: the least that a card writes to at once, the most that a pool makes.
const BUFFER_SIZE: RangeInclusive<u16> = 1024..=16384;

/// What buffers hold unless more is needed.
const USUAL_BUFFER_SIZE: u16 = 2048;

/// Ports and what they run on, for `#[command(flatten)]`.
#[derive(Debug, Clone, Args)]
pub struct PortOptions {
    /// A port, by name (see below); can be given several times.
    #[arg(long, value_name = "NAME")]
    pub port: Vec<PortName>,

    /// Most packets handled at once, 1 to 256.
    #[arg(long, value_name = "PACKETS", default_value_t = 32)]
    pub burst: usize,

    /// Descriptors of each ring, a power of two from 64 to 4096.
    #[arg(long, value_name = "DESCRIPTORS", default_value_t = 512)]
    pub ring: u32,

    /// Buffers of the packet pool [default: so many that all rings, caches and bursts can be full without pressure].
    #[arg(long, value_name = "BUFFERS")]
    pub buffers: Option<u32>,

    /// Bytes of a frame that a buffer holds, 1024 to 16384 [default: 2048, or what --mtu needs].
    #[arg(long, value_name = "BYTES")]
    pub buffer_size: Option<u16>,

    /// MTU of each port, 68 to 15854: bytes of a frame behind its Ethernet header and VLAN tag. The card may have less.
    #[arg(long, value_name = "BYTES", default_value_t = DEFAULT_MTU)]
    pub mtu: u16,

    /// Receive and transmit queues of each port. Flows are spread over them (RSS), so that several cores can share a port.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub queues: usize,

    /// Cores to poll on, as in 1,3-5 [default: as many as needed, the last ones].
    #[arg(long, value_name = "LIST")]
    pub cores: Option<String>,

    /// Sets a tunable of the packet memory, as in pool.cache=256; can be given several times. --tunables shows them all.
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,

    /// Print the tunables with their values, ranges and meanings, and end.
    #[arg(long)]
    pub tunables: bool,
}

impl PortOptions {
    /// Sets the tunables that are given. If they are asked for, prints them all and returns true: the program ends.
    ///
    /// # Errors
    /// No such tunable, or a value out of its range.
    pub fn tune(&self) -> anyhow::Result<bool> {
        self.set.iter().try_for_each(|assignment| registry::assign(assignment).context("--set"))?;
        if self.tunables {
            program::print(&Table::of(&registry::tunables()).to_string())?;
        }
        Ok(self.tunables)
    }

    /// Checks what clap does not know.
    ///
    /// # Errors
    /// The first option that is out of range, with its range.
    pub fn check(&self) -> anyhow::Result<()> {
        if !(1..=MAX_BURST).contains(&self.burst) {
            bail!("--burst {}: 1 to {MAX_BURST} packets are possible", self.burst);
        }
        if !self.ring.is_power_of_two() || !RING.contains(&self.ring) {
            bail!("--ring {}: powers of two from {} to {} are possible", self.ring, RING.start(), RING.end());
        }
        for (option, value, range) in [("--mtu", self.mtu, MTUS), ("--buffer-size", self.buffer_size(), BUFFER_SIZE)] {
            ensure!(
                range.contains(&value),
                "{option} {value}: {} to {} bytes are possible",
                range.start(),
                range.end()
            );
        }
        ensure!(QUEUES.contains(&self.queues), "--queues {}: 1 to {} are possible", self.queues, QUEUES.end());
        Ok(())
    }

    /// Bytes of a frame that a buffer holds.
    pub fn buffer_size(&self) -> u16 {
        self.buffer_size.unwrap_or(USUAL_BUFFER_SIZE.max(data_room_for(self.mtu)))
    }

    /// The cores to poll on, for `pieces` of work of which each needs one: as many as are named, but no more than the pieces have
    /// queues; or one a piece. `what` the pieces are is for the error.
    ///
    /// # Errors
    /// Fewer cores than pieces, or a list that is none.
    pub fn poll_on(&self, pieces: usize, what: &str) -> anyhow::Result<Vec<usize>> {
        let mut cores = match &self.cores {
            Some(list) => cores::parse(list)?,
            None => cores::available()?,
        };
        let wanted = match &self.cores {
            Some(_) => cores.len().min(pieces * self.queues),
            None => pieces,
        };
        let named = if self.cores.is_some() { "--cores names" } else { "this process may use" };
        ensure!(
            pieces <= cores.len(),
            "{pieces} {what} need {pieces} cores, {named} {}: give fewer ports or more cores",
            cores.len()
        );
        // The first cores have the system's own work, and leave one for the software cards.
        if self.cores.is_none() {
            cores.drain(..cores.len() - pieces);
        }
        cores.truncate(wanted);
        Ok(cores)
    }

    /// Options of the pool, but for its size.
    fn pool(&self) -> PoolOptions {
        PoolOptions { name: "packets".into(), data_room: self.buffer_size(), ..PoolOptions::default() }
    }

    /// Buffers with which the pool stays calm, whatever happens: all rings, bursts and caches can be full, and no more are in use than
    /// the watermark of pressure allows.
    pub fn demand(&self, ports: usize, cores: usize) -> u32 {
        let PoolOptions { cache, watermarks, .. } = self.pool();
        let lane = 2 * u64::from(self.ring) + self.burst as u64;
        let held = (ports * self.queues) as u64 * lane + cores as u64 * u64::from(cache);
        // Refused as too large by the pool if that is not enough.
        u32::try_from((held * 100).div_ceil(watermarks.pressure.into())).unwrap_or(u32::MAX)
    }

    /// The configuration that the options ask for: `queues` both ways, every frame taken.
    pub fn config(&self, pool: &Pool) -> PortConfig {
        let mut config = PortConfig::new(pool, self.ring);
        config.rx = vec![config.rx[0].clone(); self.queues];
        config.tx = vec![config.tx[0].clone(); self.queues];
        config.filter = Filter::promiscuous();
        config.mtu = self.mtu;
        config
    }
}

/// How ports are to be started.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// What the user said.
    pub options: &'a PortOptions,
    /// Threads that will poll: each has a cache of free buffers.
    pub cores: usize,
    /// Buffers that the program holds besides those in rings, bursts and caches.
    pub held: u32,
    /// Whether cores will sleep.
    pub rx_interrupts: RxInterrupts,
}

/// Running ports with all that belongs to them.
pub struct Launched {
    /// The pool of all of them, so that a packet can leave on any.
    pub pool: Pool,
    /// The ports, for the main thread.
    pub running: Vec<Running>,
    /// Their queues, for the cores that poll.
    pub queues: Vec<Queues>,
    /// Runs the software cards.
    pub engine: Engine,
    /// Ctrl-C has been pressed.
    pub interrupted: Arc<AtomicBool>,
}

/// Opens, configures and starts the ports and waits for the links of software cards, but for those whose other end is another program's
/// ([`wait_for_others`]). Their peers are held back: nothing arrives before there is somebody to take it ([`Running::hold`]).
///
/// # Errors
/// Whatever cannot be had, with what mends it.
pub fn launch(names: &[PortName], plan: &Plan<'_>) -> anyhow::Result<Launched> {
    let Plan { options, cores, held, rx_interrupts } = *plan;
    let demand = options.demand(names.len(), cores).saturating_add(held);
    let buffers = options.buffers.unwrap_or(demand);
    let pool = Pool::new(&PoolOptions { buffers, ..options.pool() }).context("packet memory")?;
    let opened = ports::open(names)?;
    // Not before: opening a named pipe waits for its other end, and Ctrl-C must end that too.
    let interrupted = program::interrupted()?;
    opened.cables.iter().flatten().for_each(|cable| cable.hold(Hold::On));
    let engine = Engine::spawn(opened.nics);
    let config = PortConfig { rx_interrupts, ..options.config(&pool) };
    let started = start(opened.ports, &config).map_err(|why| match why {
        gannet::Error::PoolTooSmall { .. } => {
            anyhow!("{why} (--buffers {demand} is enough for everything), or the rings smaller (--ring)")
        }
        _ => with_option(why),
    })?;
    let (controls, queues): (Vec<_>, Vec<_>) = started.into_iter().unzip();
    let running: Vec<Running> =
        controls.into_iter().zip(opened.cables).map(|(control, cable)| Running::new(control, cable)).collect();
    for port in running.iter().filter(|port| port.cable.as_ref().is_some_and(|cable| !cable.is_open_ended())) {
        wait_for_link(port, &interrupted)?;
    }
    Ok(Launched { pool, running, queues, engine, interrupted })
}

/// Waits until other programs have plugged their ends of cables: for a program that cannot begin before. Says for which it waits.
/// Ctrl-C ends it.
pub fn wait_for_others(running: &[Running], interrupted: &AtomicBool, live: &mut Live) {
    for (number, port) in running.iter().enumerate() {
        let Some(control) = port.control() else { continue };
        if port.cable.as_ref().is_some_and(Cable::is_open_ended) && control.link() == Link::Down {
            live.event(&format!("port {number} ({}): waiting for the other end of its cable", port.name));
            while control.wait_for_link(LINK_STEP) == Link::Down && !interrupted.load(Ordering::Relaxed) {}
        }
    }
}

/// Stops the ports, whose queues are back or dropped, and then the software cards. Returns what went wrong, and what had before.
pub fn stop(mut running: Vec<Running>, engine: Engine) -> Vec<String> {
    let none = || Queues { rx: Vec::new(), tx: Vec::new() };
    running.iter_mut().for_each(Running::note_faults);
    let mut problems: Vec<_> = running.iter_mut().flat_map(|port| std::mem::take(&mut port.problems)).collect();
    let stops = running.into_iter().filter_map(Running::into_control).map(|control| control.stop(none()));
    problems.extend(stops.filter_map(|stopped| stopped.err().map(|why| why.to_string())));
    // Recorded files are complete once the cards are gone.
    drop(engine.stop());
    problems
}

/// Starts the ports, which fills their receive rings. On a thread that ends: what its cache of free buffers has left over is then
/// everybody's.
fn start(ports: Vec<Port<Probed>>, config: &PortConfig) -> gannet::Result<Vec<(Control, Queues)>> {
    thread::scope(|scope| {
        let start = |port: Port<Probed>| port.configure(config.clone())?.start();
        let starts = scope.spawn(move || ports.into_iter().map(start).collect());
        // The end of the scope alone would not wait for the cache.
        starts.join().expect("starting a port does not panic")
    })
}

/// What the driver complains of, with the option that cures it.
pub fn with_option(why: gannet::Error) -> anyhow::Error {
    match why {
        gannet::Error::BuffersTooSmall { needed, .. } => anyhow!("{why}: --buffer-size {needed}, or a smaller MTU"),
        _ => why.into(),
    }
}

/// Waits for the link of a port. Ctrl-C ends it.
///
/// # Errors
/// It does not come up.
pub fn wait_for_link(port: &Running, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let Some(control) = port.control() else { return Ok(()) };
    let mut waited = Duration::ZERO;
    while control.wait_for_link(LINK_STEP) == Link::Down && !interrupted.load(Ordering::Relaxed) {
        waited += LINK_STEP;
        if waited >= LINK_PATIENCE {
            bail!("{}: no link after {} s: is the cable plugged in at both ends?", port.name, waited.as_secs_f32());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use clap::Parser;
    use gannet_sim::Clock;
    use gannet_sim::peer::link;
    use gannet_sim::x82599::{self, Fault, NicOptions};

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        ports: PortOptions,
    }

    #[test]
    fn a_card_that_leaves_is_given_up_and_told_of_at_the_end() {
        for (fault, reason) in [(Fault::Gone, "the card is gone"), (Fault::Wanted, "the machine wants the card back")] {
            let Arguments { ports: options } = Arguments::parse_from(["tests"]);
            let plan = Plan { options: &options, cores: 1, held: 0, rx_interrupts: RxInterrupts::Off };
            let names = ["sim:ixgbe,peer=sink".parse().unwrap()];
            let Launched { pool, mut running, queues, engine, .. } = launch(&names, &plan).unwrap();
            assert!(!running[0].has_left());
            running[0].cable.as_ref().unwrap().probe.inject(fault);
            assert!(running[0].has_left() && running[0].has_left());
            drop(queues);
            // Software cards are numbered through the process.
            let name = running[0].name.clone();
            assert_eq!(stop(running, engine), [format!("{name}: {reason}: given up")]);
            assert_eq!(pool.census().out, 0);
        }
    }

    /// A card's own time passes only while it is waited for.
    #[test]
    fn ctrl_c_ends_the_wait_for_a_link() {
        for (interrupted, seconds, said) in [(false, 9, Some("no link after 9 s")), (true, 0, None)] {
            let clock = Clock::stepped();
            // A cable with nobody at its other end.
            let (end, _) = link::pair(NonZeroUsize::MIN);
            let (device, _nic) =
                x82599::new(NicOptions { clock: clock.clone(), ..NicOptions::default() }, Box::new(end));
            let pool = Pool::new(&PoolOptions::default()).unwrap();
            let port = Port::probe(device).unwrap().configure(PortConfig::new(&pool, 64)).unwrap();
            let (control, _queues) = port.start().unwrap();
            let begin = clock.now();
            let waited = wait_for_link(&Running::new(control, None), &AtomicBool::new(interrupted));
            assert_eq!(Duration::from_nanos(clock.now() - begin).as_secs(), seconds);
            match said {
                Some(said) => assert!(waited.unwrap_err().to_string().contains(said)),
                None => waited.unwrap(),
            }
        }
    }
}
