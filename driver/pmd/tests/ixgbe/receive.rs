//! Frames from the cable reach the program as they are.

use gannet::{Burst, PortConfig};

use super::frames::numbered;
use super::harness::{Rig, bytes, pool, pool_of};

#[test]
fn frames_of_every_length_arrive_byte_for_byte_and_in_order() {
    let mut rig = Rig::new();
    let pool = pool(1024);
    let mut port = rig.start(PortConfig::new(&pool, 256));
    let frames: Vec<_> = (60..=1514).map(|len| numbered(len as u32, len)).collect();
    rig.offer(frames.clone());
    let mut arrived = Vec::new();
    let mut burst = Burst::new(32);
    while arrived.len() < frames.len() {
        assert!(rig.nic.step(64) + port.queues.rx[0].receive(&mut burst) > 0, "{} frames", arrived.len());
        arrived.extend(bytes(&burst));
        burst.clear();
        port.assert_census(&pool, 0);
    }
    assert_eq!(arrived, frames);
    let stats = port.queues.rx[0].stats();
    let sum: usize = frames.iter().map(Vec::len).sum();
    assert_eq!((stats.packets, stats.bytes), (frames.len() as u64, sum as u64));
    assert_eq!((stats.oversize, stats.damaged, stats.nonsense, stats.no_buffers), (0, 0, 0, 0));
    port.stop();
    rig.assert_clean();
}

#[test]
fn a_tagged_frame_may_be_four_bytes_longer() {
    let mut rig = Rig::new();
    let mut port = rig.start(PortConfig::new(&pool(512), 64));
    let mut tagged = numbered(1, 1518);
    tagged[12..14].copy_from_slice(&[0x81, 0x00]);
    rig.offer([numbered(2, 1515), tagged.clone(), numbered(3, 60)]);
    let packets = rig.receive_all(&mut port.queues.rx[0]);
    assert_eq!(bytes(&packets), [tagged, numbered(3, 60)]);
    assert_eq!(port.control.stats().rx_oversize, 1);
}

#[test]
fn buffers_of_any_size_hold_what_fits_a_whole_number_of_kib() {
    for (data_room, longest) in [(1024, 1024), (1500, 1024), (2047, 1024), (2048, 1514), (9000, 1514), (16_384, 1514)] {
        let mut rig = Rig::new();
        let pool = pool_of(256, data_room);
        let mut port = rig.start(PortConfig::new(&pool, 64));
        let frames = [numbered(1, 60), numbered(2, longest), numbered(3, longest - 1)];
        rig.offer(frames.clone());
        assert_eq!(bytes(&rig.receive_all(&mut port.queues.rx[0])), frames, "{data_room}");
        port.stop();
        rig.assert_clean();
    }
}

#[test]
fn packets_come_with_their_pools_headroom_and_can_be_changed() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    rig.offer([numbered(9, 200)]);
    let mut packets = rig.receive_all(&mut port.queues.rx[0]);
    let mut packet = packets.pop().unwrap();
    assert_eq!(packet.headroom(), usize::from(pool.headroom()));
    packet.prepend(8).unwrap().copy_from_slice(b"8 before");
    packet.append(7).unwrap().copy_from_slice(b"7 after");
    let expected = [b"8 before", &numbered(9, 200)[..], b"7 after"].concat();
    let mut burst = Burst::new(1);
    burst.push(packet).unwrap();
    rig.send_all(&mut port.queues.tx[0], &mut burst);
    assert_eq!(rig.sent(), [expected]);
}

#[test]
fn a_full_burst_takes_nothing_and_loses_nothing() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    rig.offer((0..8).map(|number| numbered(number, 60)));
    rig.settle();
    let rx = &mut port.queues.rx[0];
    let mut burst = Burst::new(5);
    assert_eq!(rx.receive(&mut burst), 5);
    assert_eq!(rx.receive(&mut burst), 0);
    drop(burst.pop_front());
    assert_eq!(rx.receive(&mut burst), 1);
    let numbers: Vec<_> = burst.iter().map(|packet| packet.data()[17]).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    burst.clear();
    assert_eq!(rx.receive(&mut burst), 2);
    burst.clear();
    port.assert_census(&pool, 0);
}
