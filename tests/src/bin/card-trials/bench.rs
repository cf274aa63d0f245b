//! Two started ports, a cable, and frames from one to the other.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use gannet::{Burst, Control, Link, Packet, Pool, PoolOptions, Port, PortConfig, Probed, Queues, RxQueue, TxQueue};
use gannet_apps::port_name::PortName;
use gannet_apps::ports;
use gannet_sim::x82599::Engine;

/// Longest wait for a link: autonegotiation, and a machine that is emulated.
const LINK: Duration = Duration::from_secs(60);

/// Longest wait for a frame that is on its way.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Silence after which nothing more is on its way.
const SILENCE: Duration = Duration::from_millis(300);

/// Frames on their way at once: fewer than the smallest ring holds, so that nothing is lost for lack of room.
pub(crate) const WINDOW: usize = 24;

/// Opened ports, and what runs them if they are software.
pub(crate) struct Opened {
    pub(crate) a: Port<Probed>,
    pub(crate) b: Port<Probed>,
    pub(crate) engine: Engine,
}

pub(crate) fn open(names: &[PortName; 2]) -> anyhow::Result<Opened> {
    let opened = ports::open(names)?;
    let engine = Engine::spawn(opened.nics);
    let mut ports = opened.ports.into_iter();
    let (Some(a), Some(b)) = (ports.next(), ports.next()) else { bail!("two ports were opened") };
    Ok(Opened { a, b, engine })
}

/// A started port.
pub(crate) struct End {
    pub(crate) control: Control,
    pub(crate) queues: Queues,
}

impl End {
    pub(crate) fn start(port: Port<Probed>, config: PortConfig) -> anyhow::Result<End> {
        let (control, queues) = port.configure(config)?.start()?;
        Ok(End { control, queues })
    }

    pub(crate) fn wait_for_link(&self) -> anyhow::Result<()> {
        ensure!(self.control.wait_for_link(LINK) != Link::Down, "{}: no link", self.control.info().name);
        Ok(())
    }
}

/// Two ports at work.
pub(crate) struct Bench {
    pub(crate) pool: Pool,
    pub(crate) a: End,
    pub(crate) b: End,
    pub(crate) _engine: Engine,
}

pub(crate) fn pool() -> anyhow::Result<Pool> {
    Pool::new(&PoolOptions { buffers: 8192, ..PoolOptions::default() }).context("packet memory")
}

impl Bench {
    /// Opens and starts both ports with `config` and waits for their links.
    pub(crate) fn start(names: &[PortName; 2], config: impl Fn(&Pool) -> PortConfig) -> anyhow::Result<Bench> {
        let pool = pool()?;
        let configs = [config(&pool), config(&pool)];
        Self::with(names, pool, configs)
    }

    /// The same with a configuration for each port; a sends from `pool`.
    pub(crate) fn with(
        names: &[PortName; 2],
        pool: Pool,
        [config_a, config_b]: [PortConfig; 2],
    ) -> anyhow::Result<Bench> {
        let opened = open(names)?;
        let a = End::start(opened.a, config_a)?;
        let b = End::start(opened.b, config_b)?;
        a.wait_for_link()?;
        b.wait_for_link()?;
        let mut bench = Bench { pool, a, b, _engine: opened.engine };
        bench.first_frame()?;
        Ok(bench)
    }

    /// Some cards report a link before frames pass: sends from a to b until one arrives, then waits for silence.
    fn first_frame(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let hello = crate::frames::numbered(self.b.control.info().mac, u32::MAX, 60);
        let mut burst = Burst::new(64);
        while burst.is_empty() {
            ensure!(Instant::now() < deadline, "the first frame does not arrive");
            send(&self.pool, &mut self.a.queues.tx[0], &hello)?;
            let until = Instant::now() + Duration::from_millis(50);
            while burst.is_empty() && Instant::now() < until {
                receive(&mut self.b.queues.rx, &mut burst);
            }
        }
        drain(&mut self.b.queues.rx);
        Ok(())
    }

    /// Stops both ports; every buffer is home then.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.a.control.stop(self.a.queues)?;
        self.b.control.stop(self.b.queues)?;
        let census = self.pool.census();
        ensure!(census.out == 0, "buffers are missing: {census:?}");
        Ok(())
    }
}

/// A packet that holds `frame`.
pub(crate) fn packet(pool: &Pool, frame: &[u8]) -> anyhow::Result<Packet> {
    let mut packet = pool.alloc().context("the pool is empty")?;
    packet.append(frame.len()).ok().context("no room for the frame")?.copy_from_slice(frame);
    Ok(packet)
}

/// Hands one frame to the card.
pub(crate) fn send(pool: &Pool, queue: &mut TxQueue, frame: &[u8]) -> anyhow::Result<()> {
    let mut burst = Burst::new(1);
    burst.push(packet(pool, frame)?).ok().context("an empty burst has room")?;
    let deadline = Instant::now() + PATIENCE;
    while !burst.is_empty() {
        ensure!(Instant::now() < deadline, "the transmit ring stays full: {:?}", queue.stats());
        queue.send(&mut burst);
    }
    Ok(())
}

/// Receives from all queues in turn. Returns how many.
pub(crate) fn receive(queues: &mut [RxQueue], burst: &mut Burst) -> usize {
    queues.iter_mut().map(|queue| queue.receive(burst)).sum()
}

/// Throws away what arrives, until nothing does.
pub(crate) fn drain(queues: &mut [RxQueue]) {
    let mut burst = Burst::new(64);
    let mut until = Instant::now() + SILENCE;
    while Instant::now() < until {
        if receive(queues, &mut burst) > 0 {
            until = Instant::now() + SILENCE;
            burst.clear();
        }
    }
}

/// Sends `frames` from `tx`, never more than [`WINDOW`] on their way, and gives each packet that arrives at `rx` to `check`, with its queue and its
/// place in the order of arrival. All must arrive.
pub(crate) fn exchange(
    pool: &Pool,
    tx: &mut TxQueue,
    rx: &mut [RxQueue],
    frames: impl IntoIterator<Item = Vec<u8>>,
    mut check: impl FnMut(usize, usize, &Packet) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    let mut frames = frames.into_iter().peekable();
    let (mut sent, mut arrived) = (0, 0);
    let mut burst = Burst::new(64);
    let mut deadline = Instant::now() + PATIENCE;
    while frames.peek().is_some() || arrived < sent {
        while sent - arrived < WINDOW
            && let Some(frame) = frames.next()
        {
            send(pool, tx, &frame)?;
            sent += 1;
        }
        for (number, queue) in rx.iter_mut().enumerate() {
            queue.receive(&mut burst);
            for packet in burst.iter() {
                check(number, arrived, packet)?;
                arrived += 1;
                deadline = Instant::now() + PATIENCE;
            }
            burst.clear();
        }
        tx.reclaim();
        ensure!(Instant::now() < deadline, "{arrived} of {sent} frames have arrived, then nothing: {:?}", tx.stats());
    }
    Ok(arrived)
}
