//! Pools that follow their buffers see them in the driver's hands too.

use gannet::{Burst, Pool, PoolOptions, PortConfig};
use gannet_mempool::{Place, Tracking};

use super::frames::numbered;
use super::harness::{Rig, assert_home, bytes};

fn tracked(buffers: u32) -> Pool {
    Pool::new(&PoolOptions { buffers, tracking: Tracking::On, ..PoolOptions::default() }).unwrap()
}

/// Buffers in receive rings, packets, transmit rings.
fn places(pool: &Pool) -> [usize; 3] {
    let holdings = pool.holdings().0;
    assert_eq!(holdings.len() as u32, pool.census().out);
    [Place::Receive, Place::Packet, Place::Transmit]
        .map(|place| holdings.iter().filter(|holding| holding.place == place).count())
}

#[test]
fn a_buffer_is_found_at_every_stage_of_its_way() {
    let mut rig = Rig::new();
    let pool = tracked(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    assert_eq!(places(&pool), [48, 0, 0]);
    rig.offer((0..20).map(|number| numbered(number, 60)));
    rig.settle();
    assert_eq!(places(&pool), [48, 0, 0], "filled, and still the ring's");
    let mut burst = Burst::new(32);
    assert_eq!(port.queues.rx[0].receive(&mut burst), 20);
    assert_eq!(places(&pool), [44, 20, 0], "refilled by 16");
    assert_eq!(port.queues.tx[0].send(&mut burst), 20);
    assert_eq!(places(&pool), [44, 0, 20]);
    rig.settle();
    assert_eq!(places(&pool), [44, 0, 20], "sent, and not brought home yet");
    port.queues.tx[0].reclaim();
    assert_eq!(places(&pool), [44, 0, 0]);
    port.stop();
    assert_eq!(places(&pool), [0, 0, 0]);
    rig.assert_clean();
}

#[test]
fn frames_are_forwarded_through_tracked_pools_whole_and_in_order() {
    let mut rig = Rig::new();
    let pool = tracked(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let frames: Vec<_> = (0..2000).map(|number| numbered(number, 60 + number as usize % 900)).collect();
    rig.offer(frames.clone());
    let mut burst = Burst::new(32);
    let mut sent = Vec::new();
    while sent.len() < frames.len() {
        rig.nic.step(32);
        port.queues.rx[0].receive(&mut burst);
        port.queues.tx[0].send(&mut burst);
        sent.append(&mut rig.sent());
        let [in_receive, in_packets, in_transmit] = places(&pool);
        assert_eq!((in_receive + in_transmit) as u32, port.in_rings());
        assert_eq!(in_packets, burst.len());
    }
    assert!(sent == frames);
    port.stop();
    assert_home(&pool);
    rig.assert_clean();
}

#[test]
fn a_packet_that_a_program_forgot_is_told_apart_from_those_of_the_rings() {
    let mut rig = Rig::new();
    let pool = tracked(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    rig.offer((0..300).map(|number| numbered(number, 60)));
    let mut packets = rig.receive_all(&mut port.queues.rx[0]);
    let kept = packets.pop().unwrap();
    assert_eq!(bytes(std::slice::from_ref(&kept)).len(), 1);
    drop(packets);
    port.stop();
    assert_eq!(places(&pool), [0, 1, 0]);
    drop(kept);
    assert_home(&pool);
}
