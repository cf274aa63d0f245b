//! Random operations on one pool, beside a model that knows what must be in each packet.

mod common;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use common::{FixedMapper, assert_all_home, fill, index, pool};
use gannet_mempool::buffers::{Arrival, RxBuffers, TxBuffers};
use gannet_mempool::dma::{DmaMapper, DmaTable};
use gannet_mempool::{Burst, Metadata, Packet, Pool};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const BUFFERS: usize = if cfg!(miri) { 24 } else { 96 };
const HEADROOM: usize = 64;
const DATA_ROOM: usize = 512;
const PLACES: usize = 16;

/// What can be done. Which packet is meant is a number modulo those there are.
#[derive(Debug, Clone)]
enum Op {
    Alloc { content: Vec<u8> },
    AllocBulk { count: usize },
    Free { which: usize },
    FreeInBurst { count: usize },
    FreeElsewhere { count: usize },
    Append { which: usize, content: Vec<u8> },
    Prepend { which: usize, content: Vec<u8> },
    Trim { which: usize, count: usize },
    Adjust { which: usize, count: usize },
    Arm { count: u32 },
    Receive { count: u32, discard_every: u32 },
    Send { count: usize },
    Release { count: u32 },
}

fn op() -> impl Strategy<Value = Op> {
    let which = 0..usize::MAX;
    let bytes = || prop_oneof![4 => vec(any::<u8>(), 0..100), 1 => vec(any::<u8>(), 400..600)];
    prop_oneof![
        4 => bytes().prop_map(|content| Op::Alloc { content }),
        2 => (0..BUFFERS).prop_map(|count| Op::AllocBulk { count }),
        4 => which.clone().prop_map(|which| Op::Free { which }),
        1 => (0..BUFFERS).prop_map(|count| Op::FreeInBurst { count }),
        1 => (0..BUFFERS).prop_map(|count| Op::FreeElsewhere { count }),
        2 => (which.clone(), bytes()).prop_map(|(which, content)| Op::Append { which, content }),
        2 => (which.clone(), bytes()).prop_map(|(which, content)| Op::Prepend { which, content }),
        2 => (which.clone(), 0..600usize).prop_map(|(which, count)| Op::Trim { which, count }),
        2 => (which, 0..600usize).prop_map(|(which, count)| Op::Adjust { which, count }),
        2 => (0..20u32).prop_map(|count| Op::Arm { count }),
        2 => (0..20u32, 1..5u32).prop_map(|(count, discard_every)| Op::Receive { count, discard_every }),
        2 => (0..20usize).prop_map(|count| Op::Send { count }),
        2 => (0..20u32).prop_map(|count| Op::Release { count }),
    ]
}

/// A packet and what the model knows of it.
struct Known {
    packet: Packet,
    content: Vec<u8>,
    headroom: usize,
}

struct World {
    pool: Pool,
    rx: RxBuffers,
    tx: TxBuffers,
    dma: DmaTable,
    live: VecDeque<Known>,
    in_rx: usize,
    in_tx: usize,
}

impl World {
    fn new(cache: u32) -> World {
        let pool = pool(BUFFERS as u32, cache);
        let mapper: Arc<dyn DmaMapper> = Arc::new(FixedMapper::default());
        let mut dma = DmaTable::new();
        dma.map(&pool, &mapper).unwrap();
        World {
            rx: RxBuffers::new(pool.clone(), PLACES as u32).unwrap(),
            tx: TxBuffers::new(PLACES as u32).unwrap(),
            dma,
            pool,
            live: VecDeque::new(),
            in_rx: 0,
            in_tx: 0,
        }
    }

    fn free(&self) -> usize {
        BUFFERS - self.live.len() - self.in_rx - self.in_tx
    }

    fn know(&mut self, mut packet: Packet, content: &[u8]) {
        let content = content[..content.len().min(DATA_ROOM)].to_vec();
        fill(&mut packet, &content);
        let headroom = packet.headroom();
        self.live.push_back(Known { packet, content, headroom });
    }

    fn which(&mut self, which: usize) -> Option<&mut Known> {
        let count = self.live.len();
        (count > 0).then(|| &mut self.live[which % count])
    }

    fn take_packets(&mut self, count: usize) -> Vec<Packet> {
        self.live.drain(..count.min(self.live.len())).map(|known| known.packet).collect()
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Alloc { content } => match self.pool.alloc() {
                Some(packet) => self.know(packet, &content),
                None => assert_eq!(self.free(), 0),
            },
            Op::AllocBulk { count } => {
                let mut burst = Burst::new(BUFFERS);
                assert_eq!(self.pool.alloc_bulk(&mut burst, count), count <= self.free());
                while let Some(packet) = burst.pop_front() {
                    self.know(packet, &[burst.len() as u8; 32]);
                }
            }
            Op::Free { which } => {
                if !self.live.is_empty() {
                    self.live.swap_remove_back(which % self.live.len());
                }
            }
            Op::FreeInBurst { count } => {
                let mut burst = Burst::new(BUFFERS);
                self.take_packets(count).into_iter().for_each(|packet| burst.push(packet).unwrap());
            }
            Op::FreeElsewhere { count } => {
                let packets = self.take_packets(count);
                std::thread::spawn(move || drop(packets)).join().unwrap();
            }
            Op::Append { .. } | Op::Prepend { .. } | Op::Trim { .. } | Op::Adjust { .. } => self.reshape(op),
            Op::Arm { count } => {
                let (before, free) = (self.in_rx, self.free());
                let armed = self.rx.arm(count, |_, _| {}) as usize;
                let wanted = (count as usize).min(PLACES - before);
                assert!(armed == wanted || armed < wanted && free < wanted);
                self.in_rx += armed;
            }
            Op::Receive { count, discard_every } => {
                let mut burst = Burst::new(PLACES);
                let passed = self.rx.receive(&mut burst, count, |position| match position % discard_every {
                    1 => Arrival::Discard,
                    _ => Arrival::Frame { len: 0, metadata: Metadata::default() },
                });
                assert_eq!(passed as usize, self.in_rx.min(count as usize));
                self.in_rx -= passed as usize;
                while let Some(packet) = burst.pop_front() {
                    self.know(packet, &[0xEE; 64]);
                }
            }
            Op::Send { count } => {
                let mut burst = Burst::new(BUFFERS);
                let known: Vec<_> = self.live.drain(..count.min(self.live.len())).collect();
                let mut rest = VecDeque::new();
                for Known { packet, content, headroom } in known {
                    burst.push(packet).unwrap();
                    rest.push_back((content, headroom));
                }
                let sent = self.tx.send(&mut burst, u32::MAX, &self.dma, 0..=u16::MAX, |_, _| {}) as usize;
                assert_eq!(sent, rest.len().min(PLACES - self.in_tx));
                self.in_tx += sent;
                rest.drain(..sent);
                for (content, headroom) in rest {
                    self.live.push_back(Known { packet: burst.pop_front().unwrap(), content, headroom });
                }
                assert!(burst.is_empty());
            }
            Op::Release { count } => {
                self.tx.release(count);
                self.in_tx -= self.in_tx.min(count as usize);
            }
        }
    }

    fn reshape(&mut self, op: Op) {
        match op {
            Op::Append { which, content: more } => {
                let Some(Known { packet, content, headroom }) = self.which(which) else { return };
                let fits = more.len() <= HEADROOM + DATA_ROOM - *headroom - content.len();
                let answer = packet.append(more.len()).map(|bytes| bytes.copy_from_slice(&more));
                assert_eq!(answer.is_ok(), fits);
                if fits {
                    content.extend(more);
                }
            }
            Op::Prepend { which, content: more } => {
                let Some(Known { packet, content, headroom }) = self.which(which) else { return };
                let fits = more.len() <= *headroom;
                let answer = packet.prepend(more.len()).map(|bytes| bytes.copy_from_slice(&more));
                assert_eq!(answer.is_ok(), fits);
                if fits {
                    *headroom -= more.len();
                    content.splice(..0, more);
                }
            }
            Op::Trim { which, count } => {
                let Some(Known { packet, content, .. }) = self.which(which) else { return };
                assert_eq!(packet.trim(count).is_ok(), count <= content.len());
                content.truncate(content.len().checked_sub(count).unwrap_or(content.len()));
            }
            Op::Adjust { which, count } => {
                let Some(Known { packet, content, headroom }) = self.which(which) else { return };
                assert_eq!(packet.adjust(count).is_ok(), count <= content.len());
                if count <= content.len() {
                    *headroom += count;
                    content.drain(..count);
                }
            }
            _ => unreachable!(),
        }
    }

    fn check(&self) {
        let census = self.pool.census();
        assert_eq!(census.ring + census.cached + census.out, census.total);
        assert_eq!(census.out as usize, self.live.len() + self.in_rx + self.in_tx);
        assert_eq!((self.rx.len() as usize, self.tx.len() as usize), (self.in_rx, self.in_tx));
        let mut buffers = HashSet::new();
        for Known { packet, content, headroom } in &self.live {
            assert_eq!(packet.data(), content);
            assert_eq!(packet.headroom(), *headroom);
            assert_eq!(packet.tailroom(), HEADROOM + DATA_ROOM - headroom - content.len());
            assert!(buffers.insert(index(&self.pool, packet)), "two packets in one buffer");
        }
    }
}

/// `GANNET_SEED` (a number) repeats a run or makes another.
#[test]
fn random_operations_keep_every_packet_and_every_buffer() {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&common::seed().to_le_bytes());
    let (cases, steps) = if cfg!(miri) { (1, 40) } else { (200, 400) };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let caches = prop_oneof![Just(0), Just(1), 2..40u32, Just(512)];
    let outcome = runner.run(&(caches, vec(op(), steps / 2..steps)), |(cache, ops)| {
        let mut world = World::new(cache);
        for op in ops {
            world.step(op);
            world.check();
        }
        let World { pool, rx, tx, live, .. } = world;
        drop((rx, tx, live));
        assert_all_home(&pool);
        Ok(())
    });
    outcome.unwrap();
}
