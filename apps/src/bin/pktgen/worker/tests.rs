//! Sender and receiver over two software cards that the test steps: every run is the same, and a bad cable says what it did.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gannet::{Control, Filter, Pool, PoolOptions, Port, PortConfig, Queues};
use gannet_sim::peer::Peer;
use gannet_sim::peer::impair::{Faults, ImpairOptions, ImpairStats, Impaired};
use gannet_sim::peer::link;
use gannet_sim::x82599::{self, Nic, NicOptions};

use super::*;
use crate::gauge::Gauge;
use crate::rate::Rate;
use crate::receiver::Expected;
use crate::sender::Task;
use crate::signature;
use crate::size::Sizes;
use crate::source::{Generated, Source};
use crate::traffic::{Template, Traffic};
use crate::trial::End;

const FROM: [u8; 6] = [2, 0, 0, 0, 0, 1];
const TO: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// Time from one poll to the next.
const STEP: Duration = Duration::from_nanos(500);

/// Two cards with a cable between them, bad in the direction from the first to the second.
struct Rig {
    clock: Clock,
    pool: Pool,
    nics: [Nic; 2],
    ports: Vec<(Control, Queues)>,
    cable: Arc<ImpairStats>,
}

/// What a run gave.
struct Outcome {
    sent: u64,
    wire_bytes: u64,
    seconds: f64,
    lateness: Histogram<u64>,
    latency: Histogram<u64>,
    counts: Counts,
    missing: u64,
}

impl Rig {
    fn new(faults: Faults, seed: u64) -> Rig {
        let clock = Clock::stepped();
        let (a, b) = link::pair(NonZeroUsize::new(1024).unwrap());
        let options = ImpairOptions { from_card: faults, seed, ..ImpairOptions::default() };
        let (a, cable) = Impaired::new(a, &options).unwrap();
        let pool = Pool::new(&PoolOptions { buffers: 4096, ..PoolOptions::default() }).unwrap();
        let card =
            |peer: Box<dyn Peer>| x82599::new(NicOptions { clock: clock.clone(), ..NicOptions::default() }, peer);
        let ((device_a, nic_a), (device_b, nic_b)) = (card(Box::new(a)), card(Box::new(b)));
        let config = PortConfig { filter: Filter::promiscuous(), ..PortConfig::new(&pool, 256) };
        let ports = [device_a, device_b].map(|device| {
            let (control, queues) = Port::probe(device).unwrap().configure(config.clone()).unwrap().start().unwrap();
            control.wait_for_link(Duration::from_secs(9));
            (control, queues)
        });
        Rig { clock, pool, nics: [nic_a, nic_b], ports: ports.into(), cable }
    }

    /// Sends from the first card to the second until the sender has finished and all is quiet.
    fn run(&mut self, template: &Template, (rate, end, window): (Rate, End, Option<u64>)) -> Outcome {
        let gauge = Arc::new(Gauge::default());
        let [(_, from), (_, to)] = &mut self.ports[..] else { unreachable!("two ports") };
        let source = Source::Generated(Generated::new(template));
        let task = Task { source, cost: rate.cost(10_000_000_000), end, window };
        let mut worker = Worker {
            core: 0,
            senders: vec![(0, Sender::new((&mut from.tx[0], &self.pool), task, 32, gauge.clone()))],
            receivers: vec![(0, Receiver::new(&mut to.rx[0], Expected::generated(template), 32, gauge.clone(), None))],
        };
        worker.senders[0].1.start(self.clock.now());
        // Longer than the cable holds a frame back, and than a window waits for a lost one.
        const QUIET_ROUNDS: u32 = 250_000;
        let mut quiet = 0;
        while quiet < QUIET_ROUNDS {
            let mut moved = worker.round(&self.clock, Stage::Send);
            moved += self.nics.iter_mut().map(|nic| nic.step(64)).sum::<usize>();
            quiet = if moved > 0 || !gauge.finished.load(Ordering::Relaxed) { 0 } else { quiet + 1 };
            self.clock.advance(STEP);
        }
        let mut measured = worker.into_result();
        let ((_, sent), (_, (counts, latency))) = (measured.sent.remove(0), measured.received.remove(0));
        Outcome {
            sent: gauge.sent.now(),
            wire_bytes: gauge.wire_bytes.now(),
            seconds: sent.time as f64 / 1e9,
            lateness: sent.lateness,
            latency,
            counts,
            missing: gauge.missing.now(),
        }
    }
}

fn template(traffic: &Traffic, mark: u16) -> Template {
    Template::new(traffic, mark, FROM, TO).unwrap()
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[test]
fn over_a_good_cable_all_arrive() {
    let mut rig = Rig::new(Faults::default(), 0);
    let traffic = Traffic { flows: 7, sizes: Sizes::Imix, ..Traffic::default() };
    let outcome = rig.run(&template(&traffic, 1), (Rate::Max, End::Frames(10_000), None));
    let counts = Counts { received: 10_000, ..Counts::default() };
    assert_eq!((outcome.sent, outcome.counts, outcome.missing), (10_000, counts, 0));
    // RFC 2544: preamble, FCS and gap count. 10000 frames are 833 rounds of the mix and 4 frames more.
    let round = 7 * (64 + 20) + 4 * (594 + 20) + (1518 + 20);
    assert_eq!(outcome.wire_bytes, 833 * round + (64 + 20) * 3 + (594 + 20));
    assert_eq!(outcome.latency.len(), 10_000);
    assert!(outcome.lateness.is_empty());
}

/// The heart of a meter: it counts exactly what the cable did.
#[test]
fn counts_are_those_of_the_cable() {
    const FRAMES: u64 = 50_000;
    let faults = Faults {
        loss_ppm: 7000,
        duplication_ppm: 6000,
        reordering_ppm: 5000,
        corruption_ppm: 8000,
        ..Faults::default()
    };
    for (seed, size) in [(1, 64), (2, 65), (82599, 301)] {
        println!("seed {seed}");
        let mut rig = Rig::new(faults, seed);
        let traffic = Traffic { sizes: Sizes::Fixed(size), ..Traffic::default() };
        let outcome = rig.run(&template(&traffic, 1), (Rate::Packets(1e6), End::Frames(FRAMES), None));
        let (cable, counts) = (&rig.cable.from_card, outcome.counts);
        assert_eq!(outcome.sent, FRAMES);
        for (counter, at_least) in
            [(&cable.lost, 200), (&cable.duplicated, 200), (&cable.reordered, 150), (&cable.corrupted, 200)]
        {
            assert!(count(counter) > at_least, "the cable is bad: {cable:?}");
        }
        assert_eq!(counts.duplicated, count(&cable.duplicated), "{counts:?} {cable:?}");
        assert_eq!(counts.reordered, count(&cable.reordered), "{counts:?} {cable:?}");
        // Damage in the Ethernet header, which the FCS of a real cable would find, is told apart from damage behind it.
        assert_eq!(counts.corrupted + counts.rewritten, count(&cable.corrupted), "{counts:?} {cable:?}");
        assert_eq!(counts.received + counts.corrupted + count(&cable.lost), FRAMES, "{counts:?} {cable:?}");
        assert_eq!(counts.foreign, 0, "{counts:?}");
        assert_eq!(outcome.missing, count(&cable.lost) + counts.corrupted, "{counts:?} {cable:?}");
        assert_eq!(outcome.latency.len(), counts.received);
    }
}

#[test]
fn a_rate_is_kept_to_the_frame() {
    let mut rig = Rig::new(Faults::default(), 0);
    for (mark, (rate, frames)) in
        (1..).zip([(Rate::Packets(100e3), 5000), (Rate::Percent(10.0), 74_405), (Rate::Bits(1e6), 75)])
    {
        let half = Duration::from_millis(50);
        let outcome = rig.run(&template(&Traffic::default(), mark), (rate, End::After(half), None));
        assert!(outcome.sent.abs_diff(frames) <= 1, "{rate:?}: {} instead of {frames}", outcome.sent);
        assert_eq!((outcome.counts.received, outcome.lateness.len()), (outcome.sent, outcome.sent), "{rate:?}");
        assert!(outcome.lateness.max() <= STEP.as_nanos() as u64, "{rate:?}: {} ns late", outcome.lateness.max());
    }
}

#[test]
fn with_a_window_of_one_the_time_is_that_of_the_frames() {
    let mut rig = Rig::new(Faults::default(), 0);
    let outcome = rig.run(&template(&Traffic::default(), 1), (Rate::Max, End::Frames(1000), Some(1)));
    assert_eq!((outcome.sent, outcome.counts.received), (1000, 1000));
    // A frame leaves in the poll in which the one before has arrived: no time passes between.
    let (mean, each) = (outcome.latency.mean(), outcome.seconds * 1e9 / 1000.0);
    assert!((mean / each - 1.0).abs() < 0.001, "{mean} and {each} ns");
}

#[test]
fn a_window_survives_loss() {
    let mut rig = Rig::new(Faults { loss_ppm: 100_000, ..Faults::default() }, 3);
    let outcome = rig.run(&template(&Traffic::default(), 1), (Rate::Max, End::Frames(40), Some(4)));
    let lost = count(&rig.cable.from_card.lost);
    assert!(lost > 0);
    assert_eq!((outcome.sent, outcome.counts.received), (40, 40 - lost));
}

/// With a window of one nothing but the damaged frame itself says that the next one may leave.
#[test]
fn a_damaged_frame_holds_up_no_window() {
    let mut rig = Rig::new(Faults { corruption_ppm: 100_000, ..Faults::default() }, 3);
    let outcome = rig.run(&template(&Traffic::default(), 1), (Rate::Max, End::Frames(1000), Some(1)));
    assert!(outcome.counts.corrupted > 20, "{:?}", outcome.counts);
    assert_eq!(outcome.counts.received + outcome.counts.corrupted, 1000, "{:?}", outcome.counts);
    assert!(outcome.seconds < 0.1, "none is waited for until it is given up: {} s", outcome.seconds);
}

#[test]
fn frames_of_another_trial_are_foreign() {
    let mut rig = Rig::new(Faults::default(), 0);
    let (first, second) = (template(&Traffic::default(), 1), template(&Traffic::default(), 2));
    let sent = rig.run(&first, (Rate::Max, End::Frames(10), None));
    assert_eq!(sent.counts.received, 10);
    // The sender of one, the receiver of the other.
    let gauge = Arc::new(Gauge::default());
    let [(_, from), (_, to)] = &mut rig.ports[..] else { unreachable!("two ports") };
    let task =
        Task { source: Source::Generated(Generated::new(&first)), cost: None, end: End::Frames(10), window: None };
    let mut worker = Worker {
        core: 0,
        senders: vec![(0, Sender::new((&mut from.tx[0], &rig.pool), task, 32, gauge.clone()))],
        receivers: vec![(0, Receiver::new(&mut to.rx[0], Expected::generated(&second), 32, gauge, None))],
    };
    for _ in 0..1000 {
        worker.round(&rig.clock, Stage::Send);
        for nic in &mut rig.nics {
            nic.step(64);
        }
        rig.clock.advance(STEP);
    }
    let (_, (counts, _)) = worker.into_result().received.remove(0);
    assert_eq!(counts, Counts { foreign: 10, ..Counts::default() });
}

#[test]
fn the_shortest_frames_have_room_for_all() {
    let mut rig = Rig::new(Faults::default(), 0);
    let traffic = Traffic { vlan: Some("9".parse().unwrap()), ..Traffic::default() };
    let template = template(&traffic, 1);
    assert_eq!(template.length(0), 14 + 4 + 20 + 8 + signature::LENGTH);
    let outcome = rig.run(&template, (Rate::Max, End::Frames(100), None));
    assert_eq!(outcome.counts, Counts { received: 100, ..Counts::default() });
}
