//! The loop that a core runs: receive on one port, send on the other, both ways.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gannet::{Burst, Idle, RxQueue, Sleeper, TxQueue};
use gannet_apps::cores;
use gannet_apps::monitor::CoreMeter;
use quanta::Clock;

use crate::drops;
use crate::mac_swap::swap_addresses;

/// Idle rounds after which the core is offered to others, once: on a machine with one core the software cards need it. It is a
/// system call, and a core that makes them all the time sees little of its queues.
const IDLE_ROUNDS: u32 = 1024;

/// One round in so many is timed. Where the kernel does not trust the time stamp counter, as in many virtual machines, a look at the
/// clock is a system call and an access to a timer chip: dearer than all else in a round.
const TIMED_ROUNDS: u32 = 256;

/// Longest time to get the last packets out.
const DRAIN: Duration = Duration::from_millis(100);

/// Longest sleep: then the core looks for orders, and brings home what has been sent meanwhile.
const SLEEP: Duration = Duration::from_millis(100);

/// One way: from a port's receive queue to its partner's transmit queue.
pub(crate) struct Direction {
    /// Numbers of the ports.
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// `None` once the port has been given up.
    pub(crate) rx: Option<RxQueue>,
    pub(crate) tx: Option<TxQueue>,
    pub(crate) burst: Burst,
}

/// What the cores and the main thread share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Written by the main thread: bit n, give port n up; [`Shared::STOP`], finish.
    orders: AtomicU64,
    /// Microseconds from the start of the program to the first packet that a core moved, 0 before.
    pub(crate) first_us: AtomicU64,
}

impl Shared {
    /// Most ports there can be.
    pub(crate) const MAX_PORTS: usize = 62;

    const STOP: u64 = 1 << 63;

    pub(crate) fn stop(&self) {
        self.orders.fetch_or(Self::STOP, Ordering::Relaxed);
    }

    pub(crate) fn give_up(&self, port: usize) {
        self.orders.fetch_or(1 << port, Ordering::Relaxed);
    }
}

/// What a core does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    pub(crate) core: usize,
    pub(crate) mac_swap: bool,
    pub(crate) idle: Idle,
    pub(crate) started: Instant,
}

/// What a core has measured.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Measured {
    /// Time stamp counter cycles in the driver while packets moved, in the rounds that were timed.
    pub(crate) driver_cycles: u64,
    /// Packets sent in these rounds.
    pub(crate) packets: u64,
    /// Times that the core slept.
    pub(crate) sleeps: u64,
}

/// Forwards until told to stop, then gets the last packets out.
pub(crate) fn forward(
    mut directions: Vec<Direction>,
    task: Task,
    mut meter: CoreMeter,
    shared: &Shared,
) -> (Vec<Direction>, Measured) {
    if let Err(why) = cores::pin(task.core) {
        tracing::warn!("{why:#}");
    }
    let clock = Clock::new();
    let mut measured = Measured::default();
    let mut sleeper = Sleeper::new(task.idle);
    let (mut idle, mut obeyed) = (0, 0);
    let mut round = 0_u32;
    loop {
        let orders = shared.orders.load(Ordering::Relaxed);
        if orders != obeyed {
            if orders & Shared::STOP != 0 {
                break;
            }
            directions.iter_mut().for_each(|direction| direction.give_up(orders));
            obeyed = orders;
        }
        let timed = round.is_multiple_of(TIMED_ROUNDS).then_some(&clock);
        round = round.wrapping_add(1);
        let mut moved = 0;
        for direction in &mut directions {
            moved += direction.turn(task.mac_swap, timed, &mut measured);
        }
        meter.round(moved);
        if moved > 0 {
            idle = 0;
            sleeper.busy();
            if shared.first_us.load(Ordering::Relaxed) == 0 {
                shared.first_us.store(task.started.elapsed().as_micros() as u64, Ordering::Relaxed);
            }
        } else if directions.iter().all(|direction| direction.burst.is_empty()) && sleeper.is_due() {
            let mut queues: Vec<&mut RxQueue> = directions.iter_mut().filter_map(|way| way.rx.as_mut()).collect();
            measured.sleeps += u64::from(sleeper.sleep(&mut queues, SLEEP));
            meter.slept();
        } else {
            idle += 1;
            if idle == IDLE_ROUNDS {
                idle = 0;
                std::thread::yield_now();
            }
        }
    }
    for direction in &mut directions {
        direction.drain();
    }
    (directions, measured)
}

impl Direction {
    /// One round, timed if there is a clock. Returns how many packets were received or sent.
    #[inline(always)]
    fn turn(&mut self, mac_swap: bool, clock: Option<&Clock>, measured: &mut Measured) -> usize {
        let now = || clock.map_or(0, Clock::raw);
        let old = self.burst.len();
        let mut start = now();
        let received = self.rx.as_mut().map_or(0, |rx| rx.receive(&mut self.burst));
        let mut cycles = 0;
        if mac_swap {
            cycles = now() - start;
            swap_addresses(&mut self.burst, old);
            start = now();
        }
        let sent = match &mut self.tx {
            Some(tx) => tx.send(&mut self.burst),
            None => self.abandon(),
        };
        cycles += now() - start;
        if clock.is_some() && received + sent > 0 {
            measured.driver_cycles += cycles;
            measured.packets += sent as u64;
        }
        received + sent
    }

    /// Drops the queues of ports that are to be given up: bit n of `ports` stands for port n.
    #[cold]
    fn give_up(&mut self, ports: u64) {
        if ports >> self.from & 1 != 0 {
            self.rx = None;
        }
        if ports >> self.to & 1 != 0 {
            self.tx = None;
        }
    }

    /// Drops what cannot go anywhere any more. Returns 0: nothing was sent.
    #[cold]
    fn abandon(&mut self) -> usize {
        self.burst.drop_with(&drops::ABANDONED);
        0
    }

    /// Sends what is left in the burst, and brings the buffers of sent packets home.
    fn drain(&mut self) {
        let until = Instant::now() + DRAIN;
        while let Some(tx) = &mut self.tx
            && (!self.burst.is_empty() || tx.stats().in_ring > 0)
            && Instant::now() < until
        {
            tx.send(&mut self.burst);
            std::thread::yield_now();
        }
        self.burst.drop_with(if self.tx.is_some() { &drops::LATE } else { &drops::ABANDONED });
    }
}

#[cfg(test)]
mod tests;
