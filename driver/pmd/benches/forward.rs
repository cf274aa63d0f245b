//! Cycles per packet of receive and send, through the complete driver, on an ideal card.
//!
//! One stepped software 82599 receives 64-byte frames as fast as the driver takes them; the driver hands each burst back to be sent. The
//! model runs in the same thread, between the driver's calls. The whole loop is timed, and each step of the model; what is left is
//! the driver's. Time stamps are fenced, and their own cost is measured and subtracted.
//!
//! Each case runs three times; the median counts. `cargo bench` prints a table and one line a case for scripts; without `--bench` it
//! only checks that the cases run.

#![allow(missing_docs)]

use std::hint::black_box;
use std::sync::atomic::{Ordering, fence};

use gannet::{
    Attachment, Burst, Filter, MAX_SHOWN, Packet, Pool, PoolOptions, Port, PortConfig, Queues, Tap, TapPoint,
};
use gannet_sim::Clock;
use gannet_sim::peer::{Accepted, Offered, Pacing, Peer};
use gannet_sim::x82599::{self, Nic, NicOptions};

const BURSTS: [usize; 6] = [1, 4, 8, 16, 32, 64];
const RING: u32 = 512;

/// Offers the same frame for ever and swallows what comes.
struct Ideal([u8; 60]);

impl Peer for Ideal {
    fn accept(&mut self, _frame: &[u8], _now: u64) -> Accepted {
        Accepted::Taken
    }

    fn offer(&mut self, frame: &mut Vec<u8>, _now: u64) -> Offered {
        frame.clear();
        frame.extend_from_slice(&self.0);
        Offered::Frame
    }

    fn pacing(&self) -> Pacing {
        Pacing::OnDemand
    }
}

/// An IPv4 UDP frame with valid checksums: the card fills in type, hash and verdicts.
fn frame() -> [u8; 60] {
    let mut frame = [0; 60];
    frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    frame[14..34].copy_from_slice(&[0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17, 0xA6, 0x96, 198, 18, 0, 1, 198, 18, 0, 2]);
    // Destination port 9, no UDP checksum.
    frame[34..42].copy_from_slice(&[0xC0, 0, 0, 9, 0, 26, 0, 0]);
    frame
}

fn main() {
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 4_000_000 } else { 1_000 };
    let clock = quanta::Clock::new();
    let stamp_cost = stamp_cost(&clock);
    println!("{:<10} {:>5} {:>15} {:>15}", "case", "burst", "driver", "model");
    let swap = Some(swap_macs as fn(&mut Packet));
    for (case, work, looked_at) in [("plain", None, false), ("mac_swap", swap, false), ("captured", None, true)] {
        for burst in BURSTS {
            let mut bench = Bench::new(burst);
            let _attachments = looked_at.then(|| bench.attach());
            bench.run((rounds / 20 / burst).max(16), work, &clock);
            let mut runs: Vec<_> = (0..3).map(|_| bench.run(rounds / burst, work, &clock)).collect();
            runs.sort_by(|a, b| a.driver.total_cmp(&b.driver));
            let driver = runs[1].driver - stamp_cost / burst as f64;
            let model = runs[1].model - stamp_cost / burst as f64;
            println!("{case:<10} {burst:>5} {driver:>15.1} {model:>15.1}");
            println!(
                "bench=forward case={case} burst={burst} driver_cycles_per_packet={driver:.1} model_cycles_per_packet={model:.1}"
            );
        }
    }
}

struct Bench {
    nic: Nic,
    queues: Queues,
    taps: Vec<TapPoint>,
    burst: Burst,
}

/// Copies packets as a capture does, and forgets them.
struct Copier(Vec<u8>);

impl Tap for Copier {
    fn look(&mut self, packets: &[Packet]) {
        self.0.clear();
        packets.iter().for_each(|packet| self.0.extend_from_slice(packet.data()));
    }

    fn commit(&mut self, _count: usize) {
        black_box(&self.0);
    }
}

/// Cycles per packet.
struct Run {
    driver: f64,
    model: f64,
}

impl Bench {
    fn new(burst: usize) -> Bench {
        let options = NicOptions { clock: Clock::stepped(), ..NicOptions::default() };
        let (device, nic) = x82599::new(options, Box::new(Ideal(frame())));
        let pool = Pool::new(&PoolOptions { buffers: 4096, ..PoolOptions::default() }).expect("a small pool");
        let mut config = PortConfig::new(&pool, RING);
        config.filter = Filter::promiscuous();
        let port = Port::probe(device).and_then(|port| port.configure(config)).expect("a software card");
        let (control, queues) = port.start().expect("a software card");
        control.wait_for_link(std::time::Duration::from_secs(9));
        let taps = control.taps().to_vec();
        // The queues keep the card running without it.
        drop(control);
        Bench { nic, queues, taps, burst: Burst::new(burst) }
    }

    /// Somebody looks at what is received and at what is sent.
    fn attach(&self) -> Vec<Attachment> {
        let copier = || Box::new(Copier(Vec::with_capacity(MAX_SHOWN * 60)));
        self.taps.iter().map(|tap| tap.attach(copier()).expect("nobody else looks")).collect()
    }

    fn run(&mut self, rounds: usize, work: Option<fn(&mut Packet)>, clock: &quanta::Clock) -> Run {
        let (rx, tx) = (&mut self.queues.rx[0], &mut self.queues.tx[0]);
        let size = self.burst.limit();
        let (mut driver, mut model) = (0, 0);
        let mut packets = 0;
        let mut last = stamp(clock);
        for _ in 0..rounds {
            self.nic.step(size);
            let stepped = stamp(clock);
            packets += rx.receive(&mut self.burst);
            if let Some(work) = work {
                self.burst.iter_mut().for_each(work);
            }
            tx.send(black_box(&mut self.burst));
            let done = stamp(clock);
            model += stepped - last;
            driver += done - stepped;
            last = done;
        }
        assert!(packets >= (rounds - 1) * size, "an ideal card fills every burst: {packets} of {}", rounds * size);
        Run { driver: driver as f64 / packets as f64, model: model as f64 / packets as f64 }
    }
}

#[inline(always)]
fn swap_macs(packet: &mut Packet) {
    if let Ok(frame) = packet.data_mut()
        && let Some((destination, rest)) = frame.split_first_chunk_mut::<6>()
        && let Some(source) = rest.first_chunk_mut::<6>()
    {
        std::mem::swap(destination, source);
    }
}

/// A time stamp that memory accesses before and after do not drift across.
#[inline(always)]
fn stamp(clock: &quanta::Clock) -> u64 {
    fence(Ordering::SeqCst);
    let now = clock.raw();
    fence(Ordering::SeqCst);
    now
}

fn stamp_cost(clock: &quanta::Clock) -> f64 {
    const STAMPS: u32 = 100_000;
    let start = stamp(clock);
    for _ in 0..STAMPS {
        black_box(stamp(clock));
    }
    (stamp(clock) - start) as f64 / f64::from(STAMPS)
}
