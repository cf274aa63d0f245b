//! Rings of all sizes, several times round, in bursts of all sizes.

use gannet::{Burst, PortConfig};

use super::frames::numbered;
use super::harness::{Rig, Running, bytes, pool};

/// Echoes `count` frames in bursts of `burst`, with at most `budget` frames a step, and compares what comes back.
fn echo(rig: &mut Rig, port: &mut Running, first: u32, count: u32, burst: usize, budget: usize) {
    let frames: Vec<_> = (first..first + count).map(|number| numbered(number, 60 + number as usize % 90)).collect();
    rig.offer(frames.clone());
    let mut burst = Burst::new(burst);
    let mut echoed = Vec::new();
    let mut idle = 0;
    while echoed.len() < frames.len() {
        let moved = rig.nic.step(budget) + port.queues.rx[0].receive(&mut burst) + port.queues.tx[0].send(&mut burst);
        echoed.append(&mut rig.sent());
        idle = if moved > 0 { 0 } else { idle + 1 };
        assert!(idle < 5, "stuck after {} of {count}: {:?}", echoed.len(), port.queues);
    }
    assert!(echoed == frames, "{count} frames from {first} on in bursts of {}", burst.limit());
}

#[test]
fn rings_of_each_size_go_several_times_round() {
    for descriptors in [64, 128, 512, 4096] {
        let mut rig = Rig::new();
        let pool = pool(2 * descriptors + 512);
        let mut port = rig.start(PortConfig::new(&pool, descriptors));
        for burst in [1, 32, 64] {
            echo(&mut rig, &mut port, 0, descriptors * 5 / 2 + 7, burst, 48);
        }
        port.queues.tx[0].reclaim();
        port.assert_census(&pool, 0);
        port.stop();
        rig.assert_clean();
    }
}

#[test]
fn rings_of_different_sizes_work_together() {
    let mut rig = Rig::new();
    let pool = pool(8192);
    let mut config = PortConfig::new(&pool, 64);
    config.tx[0].descriptors = 4096;
    let mut port = rig.start(config);
    echo(&mut rig, &mut port, 0, 9000, 32, 64);
    port.stop();
    let mut config = PortConfig::new(&pool, 4096);
    config.tx[0].descriptors = 64;
    let mut port = rig.start(config);
    echo(&mut rig, &mut port, 0, 9000, 32, 64);
    port.stop();
    rig.assert_clean();
}

#[test]
fn bursts_of_every_size_pass() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    for burst in 1..=64 {
        echo(&mut rig, &mut port, burst * 1000, 150 + burst, burst as usize, 64);
    }
    for budget in 1..=64 {
        echo(&mut rig, &mut port, budget * 1000, 150 + budget, 32, budget as usize);
    }
    port.stop();
    rig.assert_clean();
}

#[test]
fn the_smallest_pool_that_starts_a_ring_keeps_it_going() {
    let mut rig = Rig::new();
    let pool = pool(48);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    // What is being sent is missing in the ring: no more at a time than the ring can do without.
    echo(&mut rig, &mut port, 0, 1000, 16, 16);
    port.stop();
    rig.assert_clean();
}

#[test]
fn a_ring_holds_most_of_its_descriptors_armed() {
    for descriptors in [64, 512, 4096] {
        let mut rig = Rig::new();
        let mut port = rig.start(PortConfig::new(&pool(8192), descriptors));
        let armed = port.queues.rx[0].stats().in_ring;
        assert!(armed >= descriptors / 4 * 3 && armed < descriptors, "{armed} of {descriptors}");
        // Without a receive, the card can fill exactly these.
        let frames: Vec<_> = (0..descriptors).map(|number| numbered(number, 60)).collect();
        rig.offer(frames.clone());
        rig.settle();
        let mut burst = Burst::new(256);
        let mut arrived = Vec::new();
        while arrived.len() < frames.len() {
            assert!(port.queues.rx[0].receive(&mut burst) + rig.nic.step(256) > 0);
            arrived.append(&mut bytes(&burst));
            burst.clear();
        }
        assert!(arrived == frames);
    }
}
