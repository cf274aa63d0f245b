//! Ports that are stopped, started again, taken apart and dropped in every order.

use gannet::{Burst, Error, Filter, Pool, PortConfig, VlanTags};
use gannet_sim::x82599::Fault;

use super::frames::{numbered, numbered_to, padded, tagged_udp4};
use super::harness::{Rig, Running, assert_home, assert_usable, burst_of, bytes, pool};

/// A port in the middle of traffic both ways: frames in the ring, in the program and on the way out.
fn busy(rig: &mut Rig, pool: &Pool) -> (Running, Burst) {
    let mut config = PortConfig::new(pool, 64);
    config.rx.push(config.rx[0].clone());
    config.tx.push(config.tx[0].clone());
    let mut port = rig.start(config);
    rig.offer((0..40).map(|number| numbered(number, 80)));
    rig.nic.step(30);
    let mut burst = Burst::new(20);
    assert_eq!(port.queues.rx[0].receive(&mut burst), 20);
    let mut out = burst_of(pool, &vec![numbered(1, 60); 10]);
    port.queues.tx[1].send(&mut out);
    rig.nic.step(3);
    (port, burst)
}

/// Nothing is left of the port: buffers are home and the card reaches no memory.
fn assert_over(rig: &mut Rig, pool: &Pool) {
    assert_usable(pool);
    rig.offer((0..40).map(|number| numbered(number, 80)));
    rig.nic.step(64);
    rig.assert_clean();
}

#[test]
fn twenty_starts_and_stops_with_traffic_lose_nothing() {
    let mut rig = Rig::new();
    let pool = pool(1024);
    let mut port = rig.probe().unwrap().configure(PortConfig::new(&pool, 64)).unwrap();
    for round in 0..20 {
        let (control, queues) = port.start().unwrap();
        let mut running = Running { control, queues };
        running.link_up();
        let frames: Vec<_> = (0..100).map(|number| numbered(round * 100 + number, 60 + number as usize)).collect();
        rig.offer(frames.clone());
        let packets = rig.receive_all(&mut running.queues.rx[0]);
        assert_eq!(bytes(&packets), frames, "round {round}");
        let mut burst = Burst::new(128);
        packets.into_iter().for_each(|packet| burst.push(packet).unwrap());
        rig.send_all(&mut running.queues.tx[0], &mut burst);
        assert_eq!(rig.sent(), frames, "round {round}");
        running.assert_census(&pool, 0);
        port = running.stop();
        assert_home(&pool);
    }
    rig.assert_clean();
}

#[test]
fn a_restart_keeps_the_settings_also_those_changed_meanwhile() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut config = PortConfig::new(&pool, 64);
    config.vlan_tags = VlanTags::Strip;
    let mut running = rig.start(config);
    running.control.set_filter(Filter::promiscuous()).unwrap();
    let (control, queues) = running.stop().start().unwrap();
    let mut running = Running { control, queues };
    running.link_up();
    rig.offer([numbered_to([2; 6], 1, 60), tagged_udp4(7, b"tagged")]);
    let packets = rig.receive_all(&mut running.queues.rx[0]);
    assert_eq!(packets[0].data(), numbered_to([2; 6], 1, 60));
    assert_eq!(packets[1].vlan_tag(), Some(7));
}

#[test]
fn a_stopped_port_takes_another_configuration() {
    let mut rig = Rig::new();
    let (first, second) = (pool(256), pool(2048));
    let running = rig.start(PortConfig::new(&first, 64));
    let mut config = PortConfig::new(&second, 1024);
    config.rx.push(config.rx[0].clone());
    let (control, queues) = running.stop().configure(config).unwrap().start().unwrap();
    assert_usable(&first);
    let mut running = Running { control, queues };
    running.link_up();
    rig.offer([numbered(1, 60)]);
    assert_eq!(rig.receive_all(&mut running.queues.rx[0]).len(), 1);
    running.assert_census(&second, 0);
    running.stop();
    rig.assert_clean();
}

#[test]
fn a_stop_sends_nothing_more_once_the_queue_is_off() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let mut burst = burst_of(&pool, &vec![vec![0xEE; 17]; 30]);
    port.queues.tx[0].send(&mut burst);
    rig.nic.step(12);
    port.stop();
    assert_home(&pool);
    assert_over(&mut rig, &pool);
    assert_eq!(rig.sent(), vec![padded(vec![0xEE; 17]); 12]);
}

#[test]
fn stop_in_mid_traffic_brings_everything_home() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let (port, burst) = busy(&mut rig, &pool);
    port.stop();
    assert_eq!(pool.census().out, burst.len() as u32);
    drop(burst);
    assert_over(&mut rig, &pool);
}

#[test]
fn packets_outlive_their_port() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let (port, burst) = busy(&mut rig, &pool);
    drop(port);
    assert!(burst.iter().zip(0..).all(|(packet, number)| packet.data() == numbered(number, 80)));
    drop(burst);
    assert_over(&mut rig, &pool);
}

#[test]
fn queues_dropped_first_bring_everything_home() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let (port, burst) = busy(&mut rig, &pool);
    drop(burst);
    drop(port.queues);
    assert_usable(&pool);
    rig.nic.step(64);
    drop(port.control);
    assert_over(&mut rig, &pool);
}

#[test]
fn queues_work_on_without_their_control() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let (port, burst) = busy(&mut rig, &pool);
    drop(burst);
    let mut queues = port.queues;
    drop(port.control);
    rig.offer([numbered(99, 99)]);
    assert_eq!(bytes(&rig.receive_all(&mut queues.rx[0])).pop().unwrap(), numbered(99, 99));
    drop(queues.tx);
    rig.nic.step(64);
    drop(queues.rx);
    assert_over(&mut rig, &pool);
}

#[test]
fn queues_dropped_one_by_one_leave_the_others_alone() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let (mut port, burst) = busy(&mut rig, &pool);
    drop(burst);
    drop(port.queues.tx.pop());
    drop(port.queues.rx.pop());
    rig.offer([numbered(99, 99)]);
    let packets = rig.receive_all(&mut port.queues.rx[0]);
    assert_eq!(packets.last().unwrap().data(), numbered(99, 99));
    drop(packets);
    // Those that are gone have stopped, so the port can stop too.
    port.stop();
    assert_over(&mut rig, &pool);
}

#[test]
fn a_queue_that_was_cut_off_does_not_spoil_the_next_start() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let (mut port, burst) = busy(&mut rig, &pool);
    drop(burst);
    rig.probe.inject(Fault::StuckQueueDisable);
    drop(port.queues.rx.pop());
    rig.probe.heal();
    let (control, queues) = port.stop().start().unwrap();
    let mut port = Running { control, queues };
    port.link_up();
    rig.cable.lock().unwrap().to_card.clear();
    rig.offer([numbered(99, 99)]);
    assert_eq!(bytes(&rig.receive_all(&mut port.queues.rx[0])), [numbered(99, 99)]);
    port.stop();
    assert_over(&mut rig, &pool);
}

#[test]
fn a_configured_port_that_is_dropped_leaves_a_silent_card() {
    let mut rig = Rig::new();
    let pool = pool(512);
    drop(rig.probe().unwrap().configure(PortConfig::new(&pool, 64)).unwrap());
    drop(rig.start(PortConfig::new(&pool, 64)).stop());
    assert_over(&mut rig, &pool);
}

#[test]
fn a_queue_of_another_port_is_refused_and_everything_is_home() {
    let (mut rig, mut other_rig) = (Rig::new(), Rig::new());
    let (pool, other_pool) = (pool(512), pool(512));
    let (port, burst) = busy(&mut rig, &pool);
    let mut other = other_rig.start(PortConfig::new(&other_pool, 64));
    let mut queues = port.queues;
    std::mem::swap(&mut queues.rx[0], &mut other.queues.rx[0]);
    let error = port.control.stop(queues).unwrap_err();
    assert!(matches!(&error, Error::ForeignQueue { .. }), "{error}");
    // The other port's queue was stopped with the rest, ours is still out with the other port.
    assert_home(&other_pool);
    drop((other, burst));
    assert_over(&mut rig, &pool);
    assert_over(&mut other_rig, &other_pool);
}

#[test]
fn a_port_does_not_stop_while_a_queue_is_still_out() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let (mut port, burst) = busy(&mut rig, &pool);
    drop(burst);
    // If it were restarted now, this queue would ring the bells of its successor.
    let left = port.queues.rx.pop().unwrap();
    let error = port.control.stop(port.queues).unwrap_err();
    assert!(matches!(error, Error::QueuesOut { .. }), "{error}");
    assert_eq!(pool.census().out, left.stats().in_ring);
    drop(left);
    assert_over(&mut rig, &pool);
}
