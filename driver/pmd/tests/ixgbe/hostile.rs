//! Frames that do not fit, damaged frames, and a card that lies. It may cost packets, never more.

use gannet::{Burst, PortConfig, VlanTags};
use gannet_sim::x82599::Fault;

use super::frames::numbered;
use super::harness::{Rig, Running, assert_usable, burst_of, bytes, pool, pool_of};

#[test]
fn a_frame_longer_than_its_buffer_is_dropped_and_counted_once() {
    let mut rig = Rig::new();
    let pool = pool_of(512, 1024);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let mut good = Vec::new();
    for number in 0..300 {
        let len = if number % 3 == 1 { 1514 } else { 60 + number as usize };
        rig.offer([numbered(number, len)]);
        if len < 1514 {
            good.push(numbered(number, len));
        }
    }
    assert_eq!(bytes(&rig.receive_all(&mut port.queues.rx[0])), good);
    let stats = port.queues.rx[0].stats();
    assert_eq!((stats.packets, stats.oversize, stats.nonsense, stats.damaged), (200, 100, 0, 0));
    port.assert_census(&pool, 0);
    port.stop();
    rig.assert_clean();
}

#[test]
fn a_long_frame_seen_in_two_parts_is_counted_once() {
    let mut rig = Rig::new();
    let mut port = rig.start(PortConfig::new(&pool_of(512, 1024), 64));
    let mut burst = Burst::new(1);
    for round in 1..=50 {
        rig.offer([numbered(0, 1400), numbered(round, 99)]);
        rig.settle();
        while port.queues.rx[0].receive(&mut burst) == 0 {}
        assert_eq!(burst[0].data(), numbered(round, 99));
        burst.clear();
        assert_eq!(port.queues.rx[0].stats().oversize, u64::from(round));
    }
}

#[test]
fn frames_with_a_bad_fcs_are_counted_by_the_card_and_reach_nobody() {
    let mut rig = Rig::new();
    let mut port = rig.start(PortConfig::new(&pool(512), 64));
    for number in 0..20 {
        rig.offer_damaged(numbered(number, 200));
        rig.offer([numbered(number, 100)]);
    }
    assert_eq!(rig.receive_all(&mut port.queues.rx[0]).len(), 20);
    let stats = port.control.stats();
    assert_eq!((stats.rx_packets, stats.rx_crc_errors), (20, 20));
    assert_eq!(port.queues.rx[0].stats().damaged, 0);
}

/// Traffic through a card with `fault`: never a panic, never a hang, buffers home, and a pool and a card as good as new afterwards.
/// Returns the port before it stops.
fn with_fault(fault: Fault, look: impl Fn(&Running, u64)) {
    let mut rig = Rig::new();
    let pool = pool(1024);
    let mut config = PortConfig::new(&pool, 64);
    config.vlan_tags = VlanTags::Strip;
    let mut port = rig.start(config);
    rig.probe.inject(fault);
    let mut burst = Burst::new(32);
    let mut received = 0;
    for round in 0..200 {
        rig.offer((0..7).map(|number| numbered(round * 7 + number, 60 + 40 * number as usize)));
        rig.nic.step(64);
        received += port.queues.rx[0].receive(&mut burst) as u64;
        assert!(burst.iter().all(|packet| (1..=2048).contains(&packet.data().len())));
        port.queues.tx[0].send(&mut burst);
        let held = burst.len();
        port.assert_census(&pool, held);
    }
    look(&port, received);
    drop(burst);
    port.stop();
    assert_usable(&pool);
    rig.probe.heal();
    rig.sent();
    let mut port = rig.start(PortConfig::new(&pool, 64));
    rig.cable.lock().unwrap().to_card.clear();
    rig.offer((0..500).map(|number| numbered(number, 99)));
    assert_eq!(rig.receive_all(&mut port.queues.rx[0]).len(), 500);
    rig.send_all(&mut port.queues.tx[0], &mut burst_of(&pool, &vec![numbered(1, 60); 200]));
    port.stop();
    rig.assert_clean();
    assert_eq!(rig.probe.dma_faults(), []);
    assert_usable(&pool);
}

#[test]
fn lengths_beyond_the_buffer_are_nonsense() {
    for every in [1, 3] {
        with_fault(Fault::LengthBeyondBuffer { every }, |port, received| {
            let stats = port.queues.rx[0].stats();
            assert_eq!(stats.nonsense, 1400 / u64::from(every));
            assert_eq!((stats.packets, received), (1400 - stats.nonsense, 1400 - stats.nonsense));
        });
    }
}

#[test]
fn frames_without_an_end_swallow_the_next() {
    with_fault(Fault::NoEndOfPacket { every: 4 }, |port, received| {
        let stats = port.queues.rx[0].stats();
        // Each fourth frame and the one after it, which looks like its end; the last has none after it.
        assert_eq!((stats.oversize, stats.packets, received), (350, 701, 701));
    });
}

#[test]
fn a_card_that_never_ends_a_frame_delivers_none_and_every_frame_has_its_reason() {
    with_fault(Fault::NoEndOfPacket { every: 1 }, |port, received| {
        let stats = port.queues.rx[0].stats();
        assert_eq!((stats.packets, received), (0, 0));
        assert!(stats.oversize > 0);
    });
}

#[test]
fn descriptors_done_out_of_order_are_taken_in_order() {
    let mut rig = Rig::new();
    let mut port = rig.start(PortConfig::new(&pool(512), 64));
    rig.probe.inject(Fault::DoneOutOfOrder { every: 3 });
    let frames: Vec<_> = (0..301).map(|number| numbered(number, 60 + number as usize)).collect();
    rig.offer(frames.clone());
    assert_eq!(bytes(&rig.receive_all(&mut port.queues.rx[0])), frames);
    with_fault(Fault::DoneOutOfOrder { every: 2 }, |_, _| {});
}

#[test]
fn garbage_in_every_descriptor_is_survived() {
    with_fault(Fault::GarbageStatus { every: 1 }, |port, received| {
        let stats = port.queues.rx[0].stats();
        assert_eq!(stats.packets, received);
        assert!(stats.nonsense > 0 && stats.oversize > 0 && stats.damaged > 0, "{stats:?}");
    });
    with_fault(Fault::GarbageStatus { every: 5 }, |port, _| assert!(port.queues.rx[0].stats().packets > 0));
}

#[test]
fn a_tag_that_nobody_took_out_is_not_reported() {
    let mut rig = Rig::new();
    let mut port = rig.start(PortConfig::new(&pool(512), 64));
    rig.probe.inject(Fault::GarbageStatus { every: 1 });
    rig.offer((0..4000).map(|number| numbered(number, 60)));
    let mut seen = 0;
    let mut burst = Burst::new(32);
    while rig.nic.step(32) > 0 {
        port.queues.rx[0].receive(&mut burst);
        assert!(burst.iter().all(|packet| packet.vlan_tag().is_none()));
        seen += burst.len();
        burst.clear();
    }
    assert!(seen > 0);
}

#[test]
fn packets_never_reported_as_done_fill_the_ring_and_stall_it() {
    with_fault(Fault::NeverDone { every: 1 }, |port, _| {
        let stats = port.queues.tx[0].stats();
        assert_eq!((stats.packets, stats.in_ring), (63, 63));
        assert!(stats.full > 0);
    });
    // One report that is missing stalls it too, but not before the ring is full behind it.
    with_fault(Fault::NeverDone { every: 5 }, |port, _| {
        let stats = port.queues.tx[0].stats();
        assert!(stats.packets > 63 && stats.in_ring == 63 && stats.full > 0, "{stats:?}");
    });
}

#[test]
fn packets_reported_as_done_before_they_are_read_harm_nobody() {
    with_fault(Fault::EarlyDone { every: 1 }, |_, _| {});
    with_fault(Fault::EarlyDone { every: 3 }, |_, _| {});
}

#[test]
fn all_faults_at_once_are_survived() {
    for every in 2..6 {
        let mut rig = Rig::new();
        let pool = pool(512);
        let mut port = rig.start(PortConfig::new(&pool, 64));
        for fault in [
            Fault::LengthBeyondBuffer { every: every + 3 },
            Fault::NoEndOfPacket { every: every + 1 },
            Fault::DoneOutOfOrder { every },
            Fault::GarbageStatus { every: every + 2 },
            Fault::NeverDone { every: every * 2 },
            Fault::EarlyDone { every: every * 3 },
        ] {
            rig.probe.inject(fault);
        }
        let mut burst = Burst::new(32);
        for round in 0..500 {
            rig.offer((0..5).map(|number| numbered(round * 5 + number, 60)));
            rig.nic.step(64);
            port.queues.rx[0].receive(&mut burst);
            port.queues.tx[0].send(&mut burst);
            let held = burst.len();
            port.assert_census(&pool, held);
        }
        drop(burst);
        port.stop();
        assert_usable(&pool);
    }
}
