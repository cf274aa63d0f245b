//! Engines on a port of a software card, step by step.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use gannet::{Burst, Control, Filter, Pool, PoolOptions, Port, PortConfig, Queues};
use gannet_sim::Clock;
use gannet_sim::peer::{Accepted, Offered, Pacing, Peer};
use gannet_sim::x82599::{self, Nic, NicOptions};
use smoltcp::wire::{EthernetAddress, EthernetFrame, Ipv4Packet, UdpPacket};

use super::*;

const RING: u32 = 64;
const BURST: usize = 16;
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x11];
const PEER: [u8; 6] = [2, 0, 0, 0, 0, 0x77];

/// A cable at whose other end a test sits.
struct Bench {
    offers: VecDeque<Vec<u8>>,
    taken: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Peer for Bench {
    fn accept(&mut self, frame: &[u8], _: u64) -> Accepted {
        self.taken.lock().unwrap().push(frame.to_vec());
        Accepted::Taken
    }

    fn offer(&mut self, frame: &mut Vec<u8>, _: u64) -> Offered {
        let Some(next) = self.offers.pop_front() else { return Offered::Nothing };
        *frame = next;
        Offered::Frame
    }

    fn pacing(&self) -> Pacing {
        Pacing::OnDemand
    }
}

/// A port, and its stream to itself.
struct Rig {
    nic: Nic,
    control: Control,
    stream: Stream,
    taken: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Rig {
    /// With these frames to receive.
    fn new(frames: impl IntoIterator<Item = Vec<u8>>) -> Rig {
        let pool = Pool::new(&PoolOptions { buffers: 512, cache: 32, ..PoolOptions::default() }).unwrap();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let bench = Bench { offers: frames.into_iter().collect(), taken: taken.clone() };
        let options = NicOptions { mac: MAC, clock: Clock::stepped(), ..NicOptions::default() };
        let (device, nic) = x82599::new(options, Box::new(bench));
        let config = PortConfig { filter: Filter::promiscuous(), ..PortConfig::new(&pool, RING) };
        let (control, Queues { mut rx, mut tx }) =
            Port::probe(device).unwrap().configure(config).unwrap().start().unwrap();
        control.wait_for_link(std::time::Duration::from_secs(9));
        let stream = Stream {
            from: 0,
            to: 0,
            rx: rx.pop(),
            tx: tx.pop(),
            burst: Burst::new(BURST),
            address: control.info().mac,
            peer: PEER,
            pool,
            counters: Arc::default(),
        };
        Rig { nic, control, stream, taken }
    }

    /// Lets the card and the engine work until neither has anything to do.
    fn work(&mut self, engine: &mut dyn Engine) {
        let mut quiet = 0;
        for _ in 0..100_000 {
            let moved = self.nic.step(BURST) + engine.turn(&mut self.stream);
            quiet = if moved > 0 { 0 } else { quiet + 1 };
            if quiet == 3 {
                return;
            }
        }
        panic!("no end");
    }

    /// The frames that an engine sends of those that there are to receive.
    fn run(frames: impl IntoIterator<Item = Vec<u8>>, name: EngineName, settings: &Settings) -> (Rig, Vec<Vec<u8>>) {
        let mut rig = Rig::new(frames);
        let mut engine = make(name, settings, &rig.stream);
        rig.work(&mut *engine);
        let sent = rig.sent();
        (rig, sent)
    }

    /// What has been sent until now.
    fn sent(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.taken.lock().unwrap())
    }

    /// Received, sent, dropped.
    fn counts(&self) -> [u64; 3] {
        let Counters { received, sent, dropped } = &*self.stream.counters;
        [received, sent, dropped].map(|counter| counter.load(Ordering::Relaxed))
    }

    /// Stops the port, and checks that all buffers are home.
    fn end(self) {
        let Rig { control, stream, .. } = self;
        let pool = stream.pool.clone();
        drop(stream);
        control.stop(Queues { rx: Vec::new(), tx: Vec::new() }).unwrap();
        assert_eq!(pool.census().out, 0);
    }
}

fn settings(values: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    values.iter().for_each(|(name, value)| settings.set(name, value).unwrap());
    settings
}

/// Numbered frames.
fn frames(count: u8) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| [&examples::DESTINATION[..], &examples::SOURCE, &[0x88, 0xb5], &[number; 50]].concat())
        .collect()
}

#[test]
fn engines_are_found_by_their_names() {
    for engine in EngineName::ALL {
        assert_eq!(engine.to_string().parse::<EngineName>().unwrap(), engine);
    }
    let why = "bridge".parse::<EngineName>().unwrap_err().to_string();
    assert!(why.contains("\"bridge\"") && why.contains("5tswap"), "{why}");
}

#[test]
fn forwarding_engines_lose_nothing_and_keep_the_order() {
    let (destination, source) = (examples::DESTINATION, examples::SOURCE);
    for name in EngineName::ALL {
        let addresses = match name {
            EngineName::Io | EngineName::Csum | EngineName::Noisy => [destination, source],
            EngineName::Mac => [PEER, MAC],
            EngineName::Macswap | EngineName::FiveTupleSwap => [source, destination],
            _ => continue,
        };
        let (rig, sent) = Rig::run(frames(200), name, &Settings::default());
        let expected: Vec<Vec<u8>> =
            frames(200).iter().map(|frame| [&addresses.concat()[..], &frame[12..]].concat()).collect();
        assert!(sent == expected, "{name}: {} frames", sent.len());
        assert_eq!(rig.counts(), [200, 200, 0], "{name}");
        rig.end();
    }
}

#[test]
fn rxonly_receives_only() {
    let (rig, sent) = Rig::run(frames(200), EngineName::Rxonly, &Settings::default());
    assert_eq!(sent.len(), 0);
    assert_eq!(rig.counts(), [200, 0, 200]);
    rig.end();
}

/// Checks a datagram of txonly or flowgen. Returns its source.
fn source_of(frame: &[u8], length: usize) -> (std::net::Ipv4Addr, u16) {
    assert_eq!(frame.len(), length - 4);
    let ethernet = EthernetFrame::new_checked(frame).unwrap();
    assert_eq!(ethernet.dst_addr(), EthernetAddress(PEER));
    let ip = Ipv4Packet::new_checked(ethernet.payload()).unwrap();
    let udp = UdpPacket::new_checked(ip.payload()).unwrap();
    assert!(ip.verify_checksum() && udp.verify_checksum(&ip.src_addr().into(), &ip.dst_addr().into()));
    assert_ne!(udp.checksum(), 0);
    assert_eq!((ip.dst_addr(), udp.dst_port()), (std::net::Ipv4Addr::new(203, 0, 113, 9), 4000));
    (ip.src_addr(), udp.src_port())
}

const DATAGRAM: [(&str, &str); 4] = [
    ("txonly.source", "198.51.100.255"),
    ("txonly.source_port", "65500"),
    ("txonly.destination", "203.0.113.9"),
    ("txonly.destination_port", "4000"),
];

#[test]
fn txonly_sends_so_many_datagrams_and_no_more() {
    for length in [64, 65, 1518] {
        let settings =
            settings(&[&DATAGRAM[..], &[("txonly.length", &length.to_string()), ("txonly.count", "250")]].concat());
        let (rig, sent) = Rig::run(frames(5), EngineName::Txonly, &settings);
        assert_eq!(sent.len(), 250);
        for frame in &sent {
            assert_eq!(source_of(frame, length), (std::net::Ipv4Addr::new(198, 51, 100, 255), 65_500));
        }
        assert_eq!(rig.counts(), [0, 250, 0]);
        rig.end();
    }
}

#[test]
fn flowgen_goes_through_its_flows_and_receives_what_comes() {
    let settings = settings(&[&DATAGRAM[..], &[("flowgen.flows", "600"), ("txonly.count", "1300")]].concat());
    let (rig, sent) = Rig::run(frames(70), EngineName::Flowgen, &settings);
    assert_eq!(rig.counts(), [70, 1300, 70]);
    let flows: Vec<_> = sent.iter().map(|frame| source_of(frame, 64)).collect();
    assert_eq!(flows.iter().collect::<BTreeSet<_>>().len(), 600);
    assert_eq!(flows[..700], flows[600..]);
    // Ports wrap, and addresses are counted on.
    assert_eq!(flows[599], (std::net::Ipv4Addr::new(198, 51, 101, 1), (65_500_u32 + 599 - 512) as u16));
    rig.end();
}

#[test]
fn icmpecho_answers_pings_among_other_frames() {
    let ping = |number: u16| {
        let mut frame = Vec::new();
        etherparse::PacketBuilder::ethernet2(PEER, MAC)
            .ipv4([203, 0, 113, 1], [203, 0, 113, 2], 64)
            .icmpv4_echo_request(7, number)
            .write(&mut frame, &[0; 30])
            .unwrap();
        frame
    };
    let mixed = frames(100).into_iter().zip((0..100).map(ping)).flat_map(|(other, ping)| [other, ping]);
    let (rig, sent) = Rig::run(mixed, EngineName::Icmpecho, &settings(&[("icmpecho.ipv4", "203.0.113.2")]));
    let sequence: Vec<u16> = sent.iter().map(|frame| u16::from_be_bytes([frame[40], frame[41]])).collect();
    assert_eq!(sequence, (0..100).collect::<Vec<_>>());
    assert!(sent.iter().all(|frame| frame[..12] == [PEER, MAC].concat()));
    assert_eq!(rig.counts(), [200, 100, 100]);
    rig.end();
}

#[test]
fn noisy_holds_the_last_packets_back() {
    let settings =
        settings(&[("noisy.buffer", "40"), ("noisy.memory_kib", "64"), ("noisy.reads", "3"), ("noisy.writes", "2")]);
    let mut rig = Rig::new(frames(150));
    let mut engine = make(EngineName::Noisy, &settings, &rig.stream);
    rig.work(&mut *engine);
    assert!(rig.sent() == frames(150)[..110]);
    assert_eq!(rig.counts(), [150, 110, 0]);
    let before = drops::LATE.value();
    engine.finish(&mut rig.stream);
    assert_eq!(rig.counts(), [150, 110, 40]);
    assert!(drops::LATE.value() >= before + 40);
    rig.end();
}

#[test]
fn noisy_lets_go_of_all_when_it_is_time() {
    let settings = settings(&[("noisy.buffer", "40"), ("noisy.flush_ms", "1")]);
    let mut rig = Rig::new(frames(150));
    let mut engine = make(EngineName::Noisy, &settings, &rig.stream);
    let mut sent = Vec::new();
    let start = std::time::Instant::now();
    while sent.len() < 150 {
        assert!(start.elapsed().as_secs() < 60, "{} of 150 frames", sent.len());
        rig.work(&mut *engine);
        sent.extend(rig.sent());
    }
    assert!(sent == frames(150));
    drop(engine);
    rig.end();
}

#[test]
fn when_the_way_out_is_gone_packets_are_abandoned_and_none_is_made() {
    for (name, counts) in
        [(EngineName::Io, [90, 0, 90]), (EngineName::Txonly, [0, 0, 0]), (EngineName::Flowgen, [90, 0, 90])]
    {
        let mut rig = Rig::new(frames(90));
        rig.stream.tx = None;
        let mut engine = make(name, &Settings::default(), &rig.stream);
        rig.work(&mut *engine);
        assert_eq!(rig.counts(), counts, "{name}");
        drop(engine);
        rig.end();
    }
}

#[test]
fn packets_that_the_pool_or_its_buffers_are_too_small_for_cost_nothing_but_themselves() {
    let mut rig = Rig::new([]);
    // Buffers that hold no frame of that length.
    rig.stream.pool = Pool::new(&PoolOptions { buffers: 64, data_room: 1024, ..PoolOptions::default() }).unwrap();
    let before = drops::NO_BUFFER.value();
    let settings = settings(&[("txonly.length", "1518"), ("txonly.count", "100")]);
    let mut engine = make(EngineName::Txonly, &settings, &rig.stream);
    for _ in 0..20 {
        engine.turn(&mut rig.stream);
    }
    assert_eq!(rig.counts(), [0, 0, 100]);
    assert!(drops::NO_BUFFER.value() >= before + 100);
    // None at all: nothing happens.
    let taken: Vec<_> = std::iter::from_fn(|| rig.stream.pool.alloc()).collect();
    let mut engine = make(EngineName::Txonly, &Settings::default(), &rig.stream);
    assert_eq!(engine.turn(&mut rig.stream), 0);
    drop((engine, taken));
    rig.end();
}
