//! The loop that a core runs: receive on one port, send on the other, both ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gannet::{Burst, Packet, RxQueue, TxQueue};
use gannet_apps::cores;
use quanta::Clock;

/// Idle rounds after which the core is offered to others: on a machine with one core the software cards need it.
const IDLE_ROUNDS: u32 = 64;

/// Longest time to get the last packets out.
const DRAIN: Duration = Duration::from_millis(100);

/// One way: from a port's receive queue to its partner's transmit queue.
pub(crate) struct Direction {
    pub(crate) rx: RxQueue,
    pub(crate) tx: TxQueue,
    pub(crate) burst: Burst,
    /// Packets that could not be sent before the end.
    pub(crate) abandoned: u64,
}

/// What the cores and the main thread share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Set by the main thread: finish.
    pub(crate) stop: AtomicBool,
    /// Microseconds from the start of the program to the first packet handed to a card, 0 before.
    pub(crate) first_us: AtomicU64,
}

/// What a core does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    pub(crate) core: usize,
    pub(crate) mac_swap: bool,
    pub(crate) started: Instant,
}

/// What a core has measured.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Measured {
    /// Time stamp counter cycles in the driver while packets moved.
    pub(crate) driver_cycles: u64,
    /// Packets sent meanwhile.
    pub(crate) packets: u64,
}

/// Forwards until told to stop, then gets the last packets out.
pub(crate) fn forward(mut directions: [Direction; 2], task: Task, shared: &Arc<Shared>) -> ([Direction; 2], Measured) {
    if let Err(why) = cores::pin(task.core) {
        tracing::warn!("{why:#}");
    }
    let clock = Clock::new();
    let mut measured = Measured::default();
    let mut idle = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        let mut moved = 0;
        for direction in &mut directions {
            moved += direction.turn(task.mac_swap, &clock, &mut measured);
        }
        if moved > 0 {
            idle = 0;
            if shared.first_us.load(Ordering::Relaxed) == 0 && measured.packets > 0 {
                shared.first_us.store(task.started.elapsed().as_micros() as u64, Ordering::Relaxed);
            }
        } else {
            idle += 1;
            if idle >= IDLE_ROUNDS {
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
    /// One round. Returns how many packets were received or sent.
    #[inline(always)]
    fn turn(&mut self, mac_swap: bool, clock: &Clock, measured: &mut Measured) -> usize {
        let old = self.burst.len();
        let mut start = clock.raw();
        let received = self.rx.receive(&mut self.burst);
        let mut cycles = 0;
        if mac_swap {
            cycles = clock.raw() - start;
            self.burst[old..].iter_mut().for_each(swap_macs);
            start = clock.raw();
        }
        let sent = self.tx.send(&mut self.burst);
        cycles += clock.raw() - start;
        if received + sent > 0 {
            measured.driver_cycles += cycles;
            measured.packets += sent as u64;
        }
        received + sent
    }

    /// Sends what is left in the burst, and brings the buffers of sent packets home.
    fn drain(&mut self) {
        let until = Instant::now() + DRAIN;
        while (!self.burst.is_empty() || self.tx.stats().in_ring > 0) && Instant::now() < until {
            self.tx.send(&mut self.burst);
            std::thread::yield_now();
        }
        self.abandoned = self.burst.len() as u64;
        self.burst.clear();
    }
}

/// Swaps the two addresses of an Ethernet header.
#[inline(always)]
fn swap_macs(packet: &mut Packet) {
    if let Some((destination, rest)) = packet.data_mut().split_first_chunk_mut::<6>()
        && let Some(source) = rest.first_chunk_mut::<6>()
    {
        std::mem::swap(destination, source);
    }
}
