//! A software card, a cable whose other end is in the test's hand, and a port on the card.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gannet::{
    Burst, Control, Link, Packet, Pool, PoolOptions, Port, PortConfig, Probed, Queues, Result, RxQueue, TxQueue,
};
use gannet_sim::peer::{Accepted, Offered, Pacing, Peer};
use gannet_sim::x82599::{self, Nic, NicOptions, Probe};
use gannet_sim::{Clock, SimDevice};

/// The card's address.
pub(crate) const MAC: [u8; 6] = [0x02, 0x82, 0x59, 0x90, 0xAA, 0x55];

/// From start to link up.
pub(crate) const LINK_DELAY: Duration = Duration::from_millis(50);

/// The cable's end that the test holds.
#[derive(Debug, Default)]
pub(crate) struct Cable {
    pub(crate) to_card: VecDeque<(Vec<u8>, Offered)>,
    pub(crate) from_card: Vec<Vec<u8>>,
    /// Takes nothing from the card.
    pub(crate) busy: bool,
    /// Does not wait for the card.
    pub(crate) timed: bool,
    /// Carries no light.
    pub(crate) dark: bool,
}

struct End(Arc<Mutex<Cable>>);

impl Peer for End {
    fn accept(&mut self, frame: &[u8], _now: u64) -> Accepted {
        let mut cable = self.0.lock().unwrap();
        if cable.busy {
            return Accepted::Busy;
        }
        cable.from_card.push(frame.to_vec());
        Accepted::Taken
    }

    fn offer(&mut self, frame: &mut Vec<u8>, _now: u64) -> Offered {
        let Some((next, offered)) = self.0.lock().unwrap().to_card.pop_front() else { return Offered::Nothing };
        frame.clear();
        frame.extend_from_slice(&next);
        offered
    }

    fn pacing(&self) -> Pacing {
        if self.0.lock().unwrap().timed { Pacing::Timed } else { Pacing::OnDemand }
    }

    fn carrier(&mut self, _now: u64) -> bool {
        !self.0.lock().unwrap().dark
    }
}

/// The card and its cable.
pub(crate) struct Rig {
    pub(crate) device: SimDevice,
    pub(crate) nic: Nic,
    pub(crate) probe: Probe,
    pub(crate) cable: Arc<Mutex<Cable>>,
}

/// A port that runs.
pub(crate) struct Running {
    pub(crate) control: Control,
    pub(crate) queues: Queues,
}

impl Rig {
    pub(crate) fn new() -> Rig {
        let cable = Arc::new(Mutex::new(Cable::default()));
        let options = NicOptions { mac: MAC, clock: Clock::stepped(), link_delay: LINK_DELAY, ..NicOptions::default() };
        let (device, nic) = x82599::new(options, Box::new(End(cable.clone())));
        let probe = nic.probe();
        Rig { device, nic, probe, cable }
    }

    pub(crate) fn probe(&self) -> Result<Port<Probed>> {
        Port::probe(self.device.clone())
    }

    /// Probes, configures and starts the port.
    pub(crate) fn try_start(&self, config: PortConfig) -> Result<(Control, Queues)> {
        self.probe()?.configure(config)?.start()
    }

    /// A port that runs, with its link up.
    pub(crate) fn start(&self, config: PortConfig) -> Running {
        let (control, queues) = self.try_start(config).unwrap();
        let running = Running { control, queues };
        running.link_up();
        running
    }

    /// Milliseconds of the card's time.
    pub(crate) fn now_ms(&self) -> u64 {
        self.device.clock().now() / 1_000_000
    }

    pub(crate) fn offer(&self, frames: impl IntoIterator<Item = Vec<u8>>) {
        let frames = frames.into_iter().map(|frame| (frame, Offered::Frame));
        self.cable.lock().unwrap().to_card.extend(frames);
    }

    pub(crate) fn offer_damaged(&self, frame: Vec<u8>) {
        self.cable.lock().unwrap().to_card.push_back((frame, Offered::BadFcs));
    }

    /// Frames that the card has sent since the last look.
    pub(crate) fn sent(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.cable.lock().unwrap().from_card)
    }

    /// Lets the card move until it has nothing to do.
    pub(crate) fn settle(&mut self) {
        while self.nic.step(256) > 0 {}
    }

    /// Steps the card and receives until nothing comes any more.
    pub(crate) fn receive_all(&mut self, rx: &mut RxQueue) -> Vec<Packet> {
        let mut packets = Vec::new();
        let mut burst = Burst::new(32);
        let mut idle = 0;
        while idle < 3 {
            let moved = self.nic.step(64);
            let received = rx.receive(&mut burst);
            packets.extend(std::iter::from_fn(|| burst.pop_front()));
            idle = if moved + received > 0 { 0 } else { idle + 1 };
        }
        packets
    }

    /// Sends the whole burst, stepping the card while its ring is full, until the buffers are home again.
    pub(crate) fn send_all(&mut self, tx: &mut TxQueue, burst: &mut Burst) {
        while !burst.is_empty() {
            tx.send(burst);
            self.nic.step(64);
        }
        while tx.stats().in_ring > 0 {
            assert!(self.nic.step(64) + tx.reclaim() > 0, "nothing moves: {tx:?}");
        }
    }

    /// The driver has broken no rule and touched nothing unknown, and the card no memory that is not its own.
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.probe.violations(), []);
        assert_eq!(self.probe.unknown_registers(), []);
        assert_eq!(self.probe.read_only_writes(), 0);
        assert_eq!(self.probe.dma_faults(), []);
    }
}

impl Running {
    pub(crate) fn link_up(&self) {
        assert_eq!(self.control.wait_for_link(Duration::from_secs(9)), Link::Up { mbps: 10_000 });
    }

    /// Stops the port.
    pub(crate) fn stop(self) -> Port<gannet::Configured> {
        self.control.stop(self.queues).unwrap()
    }

    /// Buffers in the rings of all queues.
    pub(crate) fn in_rings(&self) -> u32 {
        self.control.rx_stats().map(|stats| stats.in_ring).sum::<u32>()
            + self.control.tx_stats().map(|stats| stats.in_ring).sum::<u32>()
    }

    /// Every buffer of the port's only pool is in exactly one place.
    pub(crate) fn assert_census(&self, pool: &Pool, application: usize) {
        let census = pool.census();
        assert_eq!(census.total, census.ring + census.cached + census.out, "{census:?}");
        assert_eq!(census.out, self.in_rings() + application as u32, "{census:?}, {application} held");
    }
}

/// A pool of so many buffers of 2 KiB.
pub(crate) fn pool(buffers: u32) -> Pool {
    Pool::new(&PoolOptions { buffers, cache: 64, ..PoolOptions::default() }).unwrap()
}

/// A pool with buffers for frames of at most so many bytes.
pub(crate) fn pool_of(buffers: u32, data_room: u16) -> Pool {
    Pool::new(&PoolOptions { buffers, data_room, cache: 64, ..PoolOptions::default() }).unwrap()
}

/// A burst of packets of `pool` with these bytes.
pub(crate) fn burst_of(pool: &Pool, frames: &[Vec<u8>]) -> Burst {
    let mut burst = Burst::new(gannet::MAX_BURST);
    for frame in frames {
        burst.push(packet(pool, frame)).unwrap();
    }
    burst
}

/// A packet of `pool` with these bytes.
pub(crate) fn packet(pool: &Pool, frame: &[u8]) -> Packet {
    let mut packet = pool.alloc().expect("a free buffer");
    packet.append(frame.len()).unwrap().copy_from_slice(frame);
    packet
}

/// The bytes of packets.
pub(crate) fn bytes(packets: &[Packet]) -> Vec<Vec<u8>> {
    packets.iter().map(|packet| packet.data().to_vec()).collect()
}

/// Every buffer is home.
pub(crate) fn assert_home(pool: &Pool) {
    assert_eq!(pool.census().out, 0, "{:?}", pool.census());
}

/// The pool gives all its buffers out and takes them back.
pub(crate) fn assert_usable(pool: &Pool) {
    assert_home(pool);
    let packets: Vec<_> = std::iter::from_fn(|| pool.alloc()).collect();
    assert_eq!(packets.len() as u32, pool.census().total);
    drop(packets);
    assert_home(pool);
}
