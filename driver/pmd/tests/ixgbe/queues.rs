//! Several queues: RSS, order within a flow, counters.

use std::collections::BTreeMap;

use gannet::{Burst, Pool, PortConfig, RxQueueConfig, TxQueueConfig};

use super::frames::{SOURCE4, SOURCE6, TARGET4, TARGET6, numbered, tcp6, toeplitz, udp4};
use super::harness::{Rig, Running, assert_home, burst_of, pool};

fn config(pool: &Pool, queues: usize) -> PortConfig {
    let mut config = PortConfig::new(pool, 256);
    config.rx = vec![RxQueueConfig { descriptors: 256, pool: pool.clone() }; queues];
    config.tx = vec![TxQueueConfig { descriptors: 128 }; queues];
    config
}

const FLOWS: u16 = 200;
const ROUNDS: u16 = 6;

/// Flow and round of a frame of [`traffic`].
fn label(frame: &[u8]) -> (u16, u16) {
    let at = if frame[12] == 0x08 { 42 } else { 74 };
    let word = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    (word(at), word(at + 2))
}

fn traffic() -> Vec<Vec<u8>> {
    let frame = |round: u16, flow: u16| {
        let payload = [flow.to_be_bytes(), round.to_be_bytes()].concat();
        match flow % 2 {
            0 => udp4((SOURCE4, 1000 + flow), (TARGET4, 53), &payload),
            _ => tcp6((SOURCE6, 1000 + flow), (TARGET6, 53), &payload),
        }
    };
    (0..ROUNDS).flat_map(|round| (0..FLOWS).map(move |flow| frame(round, flow))).collect()
}

#[test]
fn flows_are_spread_each_on_one_queue_and_in_order() {
    for queues in [2, 3, 4, 16] {
        let mut rig = Rig::new();
        let pool = pool(8192);
        let mut port = rig.start(config(&pool, queues));
        rig.offer(traffic());
        let mut seen = BTreeMap::new();
        let mut burst = Burst::new(32);
        let mut total = 0;
        while total < usize::from(FLOWS * ROUNDS) {
            let mut moved = rig.nic.step(64);
            for (queue, rx) in port.queues.rx.iter_mut().enumerate() {
                moved += rx.receive(&mut burst);
                for packet in burst.iter() {
                    let (flow, round) = label(packet.data());
                    let (on, next) = seen.entry(flow).or_insert((queue, 0));
                    assert_eq!((*on, *next), (queue, round), "flow {flow}");
                    *next += 1;
                    assert_eq!(queue, packet.rss_hash().unwrap() as usize % 128 % queues);
                    total += 1;
                }
                burst.clear();
            }
            assert!(moved > 0, "stuck at {total}");
        }
        let mut load = vec![0; queues];
        seen.values().for_each(|(queue, _)| load[*queue] += 1);
        let fair = usize::from(FLOWS) / queues;
        assert!(load.iter().all(|flows| *flows > fair / 3), "{load:?}");
        assert_counters(&mut port, &load);
        port.assert_census(&pool, 0);
        port.stop();
        assert_home(&pool);
        rig.assert_clean();
    }
}

fn assert_counters(port: &mut Running, load: &[usize]) {
    for ((rx, flows), public) in port.queues.rx.iter().zip(load).zip(port.control.rx_stats()) {
        assert_eq!(rx.stats().packets, *flows as u64 * u64::from(ROUNDS));
        assert_eq!(rx.stats(), public);
    }
    assert_eq!(port.control.stats().rx_packets, u64::from(FLOWS * ROUNDS));
}

#[test]
fn the_queue_of_a_flow_is_that_of_the_independent_hash() {
    let mut rig = Rig::new();
    let mut port = rig.start(config(&pool(8192), 4));
    for flow in 0..64 {
        let input = [&SOURCE4[..], &TARGET4, &(2000u16 + flow).to_be_bytes(), &80u16.to_be_bytes()].concat();
        let queue = toeplitz(&input) as usize % 128 % 4;
        rig.offer([udp4((SOURCE4, 2000 + flow), (TARGET4, 80), b"flow")]);
        assert_eq!(rig.receive_all(&mut port.queues.rx[queue]).len(), 1, "flow {flow}");
    }
    // What has no hash goes to the first.
    rig.offer([numbered(1, 60)]);
    assert_eq!(rig.receive_all(&mut port.queues.rx[0]).len(), 1);
}

#[test]
fn each_transmit_queue_keeps_its_order_and_counts() {
    let mut rig = Rig::new();
    let pool = pool(8192);
    let mut port = rig.start(config(&pool, 4));
    for (queue, tx) in (0..).zip(&mut port.queues.tx) {
        let frames: Vec<_> = (0..100).map(|number| numbered(queue << 16 | number, 60 + queue as usize)).collect();
        assert_eq!(tx.send(&mut burst_of(&pool, &frames)), 100);
    }
    rig.settle();
    let mut next = [0; 4];
    for frame in rig.sent() {
        let number = u32::from_be_bytes([frame[14], frame[15], frame[16], frame[17]]);
        let queue = (number >> 16) as usize;
        assert_eq!(number & 0xFFFF, next[queue]);
        next[queue] += 1;
    }
    assert_eq!(next, [100; 4]);
    for (queue, tx) in port.queues.tx.iter_mut().enumerate() {
        assert_eq!(tx.reclaim(), 100);
        let stats = tx.stats();
        assert_eq!((stats.packets, stats.bytes, stats.in_ring), (100, 100 * (60 + queue as u64), 0));
    }
    port.stop();
    rig.assert_clean();
}

#[test]
fn the_most_queues_that_a_port_may_have_work() {
    let mut rig = Rig::new();
    let pool = pool(8192);
    let mut config = config(&pool, 16);
    config.tx = vec![TxQueueConfig { descriptors: 64 }; 64];
    let mut port = rig.start(config);
    for (number, tx) in (0..).zip(&mut port.queues.tx) {
        tx.send(&mut burst_of(&pool, &[numbered(number, 60)]));
    }
    rig.settle();
    assert_eq!(rig.sent().len(), 64);
    assert_eq!(port.control.stats().tx_packets, 64);
    port.stop();
    assert_home(&pool);
    rig.assert_clean();
}

/// Frames that go to receive queue `queue` of four.
fn frames_for(queue: usize, count: usize) -> Vec<Vec<u8>> {
    let goes_there = |flow: &u16| {
        let input = [&SOURCE4[..], &TARGET4, &flow.to_be_bytes(), &80u16.to_be_bytes()].concat();
        toeplitz(&input) as usize % 128 % 4 == queue
    };
    let flow = (1..).find(goes_there).unwrap();
    vec![udp4((SOURCE4, flow), (TARGET4, 80), b"flow"); count]
}

#[test]
fn a_queue_that_nobody_polls_does_not_block_the_others() {
    for lazy in 0..4 {
        let mut rig = Rig::new();
        rig.cable.lock().unwrap().timed = true;
        let pool = pool(8192);
        let mut port = rig.start(config(&pool, 4));
        let busy = (lazy + 1) % 4;
        rig.offer(frames_for(lazy, 400));
        rig.settle();
        rig.offer(frames_for(busy, 100));
        assert_eq!(rig.receive_all(&mut port.queues.rx[busy]).len(), 100, "queue {lazy} is in the way");
        let stats = port.control.stats();
        let lost = 400 - u64::from(port.queues.rx[lazy].stats().in_ring);
        assert_eq!((stats.rx_no_descriptor, stats.rx_missed), (lost, 0));
        port.stop();
        rig.assert_clean();
    }
}
