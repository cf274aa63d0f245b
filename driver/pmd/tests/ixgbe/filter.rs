//! Which frames a port takes.

use gannet::{Filter, PortConfig};

use super::frames::{BROADCAST, MULTICAST, numbered, numbered_to};
use super::harness::{Rig, Running, bytes, pool};

const OTHER: [u8; 6] = [0x02, 0x82, 0x59, 0x90, 0xAA, 0x56];

/// One frame of each kind: to the card, to another one, to a group, to all.
fn kinds() -> [Vec<u8>; 4] {
    [numbered(0, 60), numbered_to(OTHER, 1, 70), numbered_to(MULTICAST, 2, 80), numbered_to(BROADCAST, 3, 90)]
}

/// Which of [`kinds`] arrive.
fn arriving(rig: &mut Rig, port: &mut Running) -> Vec<usize> {
    rig.offer(kinds());
    let packets = rig.receive_all(&mut port.queues.rx[0]);
    let kinds = kinds();
    bytes(&packets).iter().map(|frame| kinds.iter().position(|kind| kind == frame).unwrap()).collect()
}

#[test]
fn only_own_frames_and_broadcasts_pass_the_closed_filter() {
    let mut rig = Rig::new();
    let mut port = rig.start(PortConfig::new(&pool(512), 64));
    assert_eq!(arriving(&mut rig, &mut port), [0, 3]);
    let stats = port.control.stats();
    assert_eq!((stats.rx_packets, stats.rx_broadcast, stats.rx_multicast), (2, 1, 0));
    rig.assert_clean();
}

#[test]
fn all_frames_pass_the_open_filter() {
    let mut rig = Rig::new();
    let mut config = PortConfig::new(&pool(512), 64);
    config.filter = Filter::promiscuous();
    let mut port = rig.start(config);
    assert_eq!(arriving(&mut rig, &mut port), [0, 1, 2, 3]);
    let stats = port.control.stats();
    assert_eq!((stats.rx_packets, stats.rx_broadcast, stats.rx_multicast), (4, 1, 1));
    rig.assert_clean();
}

#[test]
fn the_filter_opens_and_closes_while_the_port_runs() {
    let mut rig = Rig::new();
    let mut port = rig.start(PortConfig::new(&pool(512), 64));
    for _ in 0..3 {
        port.control.set_filter(Filter::promiscuous()).unwrap();
        assert_eq!(arriving(&mut rig, &mut port), [0, 1, 2, 3]);
        port.control.set_filter(Filter::default()).unwrap();
        assert_eq!(arriving(&mut rig, &mut port), [0, 3]);
    }
    rig.assert_clean();
}

#[test]
fn garbage_in_the_vlan_filter_after_power_up_costs_no_tagged_frame() {
    let mut rig = Rig::new();
    let mut port = rig.start(PortConfig::new(&pool(512), 64));
    let frames: Vec<_> = (0..64).map(|tag| super::frames::tagged_udp4(tag * 64 + tag, b"tagged")).collect();
    rig.offer(frames.clone());
    assert_eq!(bytes(&rig.receive_all(&mut port.queues.rx[0])), frames);
}
