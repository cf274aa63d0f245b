//! One buffer that several packets have, on its way out of several ports.

use gannet::{Burst, Completion, Packet, PortConfig};

use super::frames::numbered;
use super::harness::{Rig, assert_home, assert_usable, packet, pool};

fn one(packet: Packet) -> Burst {
    let mut burst = Burst::new(1);
    burst.push(packet).unwrap();
    burst
}

#[test]
fn a_packet_is_flooded_to_two_ports_and_its_buffer_is_home_when_both_have_sent_it() {
    let (mut left, mut right) = (Rig::new(), Rig::new());
    let pool = pool(256);
    let mut ports = [left.start(PortConfig::new(&pool, 64)), right.start(PortConfig::new(&pool, 64))];
    let in_rings = pool.census().out;
    let mut packet = packet(&pool, &numbered(5, 300));
    let (completion, token) = Completion::new();
    packet.complete_with(token).unwrap();
    let twin = packet.share();
    assert_eq!(pool.census().out, in_rings + 1, "one buffer");
    assert_eq!(ports[0].queues.tx[0].send(&mut one(packet)), 1);
    assert_eq!(ports[1].queues.tx[0].send(&mut one(twin)), 1);
    left.settle();
    right.settle();
    assert_eq!((left.sent(), right.sent()), (vec![numbered(5, 300)], vec![numbered(5, 300)]));
    assert_eq!(ports[1].queues.tx[0].reclaim(), 1);
    assert_eq!((pool.census().out, completion.is_done()), (in_rings + 1, false));
    assert_eq!(ports[0].queues.tx[0].reclaim(), 1);
    assert_eq!((pool.census().out, completion.is_done()), (in_rings, true));
    ports.into_iter().for_each(|port| drop(port.stop()));
    assert_usable(&pool);
    left.assert_clean();
    right.assert_clean();
}

#[test]
fn a_received_frame_is_flooded_and_the_copy_that_is_changed_is_another() {
    let (mut left, mut right) = (Rig::new(), Rig::new());
    let pool = pool(256);
    let mut inward = left.start(PortConfig::new(&pool, 64));
    let mut outward = right.start(PortConfig::new(&pool, 64));
    left.offer((0..200).map(|number| numbered(number, 100)));
    let (mut here, mut there) = (Burst::new(32), Burst::new(32));
    let (mut sent_here, mut sent_there) = (Vec::new(), Vec::new());
    while sent_there.len() < 200 || sent_here.len() < 200 {
        left.nic.step(16);
        inward.queues.rx[0].receive(&mut here);
        for packet in here.iter_mut() {
            let mut twin = packet.share();
            twin.data_mut().unwrap()[18] = 0xEE;
            there.push(twin).unwrap();
        }
        inward.queues.tx[0].send(&mut here);
        outward.queues.tx[0].send(&mut there);
        right.nic.step(32);
        sent_here.append(&mut left.sent());
        sent_there.append(&mut right.sent());
    }
    let original: Vec<_> = (0..200).map(|number| numbered(number, 100)).collect();
    assert!(sent_here == original);
    let mut changed = original;
    changed.iter_mut().for_each(|frame| frame[18] = 0xEE);
    assert!(sent_there == changed);
    inward.stop();
    outward.stop();
    assert_home(&pool);
    left.assert_clean();
    right.assert_clean();
}

#[test]
fn sixty_packets_of_one_buffer_leave_one_ring_and_the_buffer_comes_home_once() {
    let mut rig = Rig::new();
    let pool = pool(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let mut original = packet(&pool, &numbered(5, 200));
    let mut burst = Burst::new(64);
    for _ in 0..60 {
        burst.push(original.share()).unwrap();
    }
    rig.send_all(&mut port.queues.tx[0], &mut burst);
    assert_eq!(rig.sent(), vec![numbered(5, 200); 60]);
    assert!(!original.is_shared());
    assert_eq!(original.data(), numbered(5, 200));
    drop(original);
    port.stop();
    assert_usable(&pool);
    rig.assert_clean();
}
