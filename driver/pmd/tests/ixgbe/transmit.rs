//! Packets of the program reach the cable as they are, and their buffers come home.

use gannet::{Burst, PortConfig};
use gannet_spec::x82599::regs::TDT;

use super::frames::{numbered, padded};
use super::harness::{Rig, assert_home, burst_of, packet, pool, pool_of};
use super::meddler::{Access, Meddled};

#[test]
fn packets_of_every_length_leave_byte_for_byte_padded_to_sixty() {
    let mut rig = Rig::new();
    let pool = pool(1024);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let frames: Vec<_> = (17..=1514).map(|len| numbered(len as u32, len)).collect();
    for some in frames.chunks(64) {
        let mut burst = burst_of(&pool, some);
        rig.send_all(&mut port.queues.tx[0], &mut burst);
        port.assert_census(&pool, 0);
    }
    let sent = rig.sent();
    assert_eq!(sent.len(), frames.len());
    for (sent, frame) in sent.into_iter().zip(&frames) {
        assert_eq!(sent, padded(frame.clone()));
    }
    let sum: usize = frames.iter().map(Vec::len).sum();
    let stats = port.queues.tx[0].stats();
    assert_eq!((stats.packets, stats.bytes), (frames.len() as u64, sum as u64));
    assert_eq!((stats.unmapped, stats.invalid, stats.unsent, stats.in_ring), (0, 0, 0, 0));
    port.stop();
    rig.assert_clean();
}

#[test]
fn a_full_ring_leaves_the_rest_in_the_burst_and_in_order() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let frames: Vec<_> = (0..100).map(|number| numbered(number, 60)).collect();
    let mut burst = burst_of(&pool, &frames);
    let tx = &mut port.queues.tx[0];
    assert_eq!(tx.send(&mut burst), 63);
    assert_eq!((burst.len(), tx.stats().full, tx.stats().in_ring), (37, 1, 63));
    assert_eq!(burst[0].data(), frames[63]);
    assert_eq!(tx.send(&mut burst), 0);
    assert_eq!(tx.stats().full, 2);
    // The card sends 40; only whole runs are reported, so at least the first 32 places are free again.
    assert_eq!(rig.nic.step(40), 40);
    assert_eq!(tx.send(&mut burst), 32);
    assert_eq!((burst.len(), burst[0].data()), (5, &frames[95][..]));
    port.assert_census(&pool, 5);
    rig.send_all(&mut port.queues.tx[0], &mut burst);
    assert_eq!(rig.sent(), frames);
    rig.assert_clean();
}

#[test]
fn an_empty_send_gives_back_everything_of_an_idle_queue() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    for count in [1, 2, 31, 32, 33, 63] {
        let mut burst = burst_of(&pool, &vec![numbered(7, 60); count]);
        assert_eq!(port.queues.tx[0].send(&mut burst), count);
        rig.settle();
        assert_eq!(port.queues.tx[0].stats().in_ring as usize, count);
        assert_eq!(port.queues.tx[0].send(&mut Burst::new(1)), 0);
        port.assert_census(&pool, 0);
        assert_eq!(port.queues.tx[0].stats().in_ring, 0);
    }
}

#[test]
fn only_the_last_of_a_run_and_of_a_burst_is_reported() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 128));
    port.queues.tx[0].send(&mut burst_of(&pool, &vec![numbered(7, 60); 70]));
    let mut reported = Vec::new();
    for sent in 1..=70 {
        rig.nic.step(1);
        let home = port.queues.tx[0].reclaim();
        if home > 0 {
            reported.push((sent, home));
        }
    }
    assert_eq!(reported, [(32, 32), (64, 32), (70, 6)]);
}

#[test]
fn reclaim_counts_what_came_home() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let tx = &mut port.queues.tx[0];
    assert_eq!(tx.reclaim(), 0);
    tx.send(&mut burst_of(&pool, &vec![numbered(7, 60); 20]));
    assert_eq!(tx.reclaim(), 0);
    rig.settle();
    assert_eq!(tx.reclaim(), 20);
    assert_eq!(tx.reclaim(), 0);
}

#[test]
fn packets_of_several_pools_leave_in_one_burst() {
    let mut rig = Rig::new();
    let (small, large) = (pool_of(256, 1024), pool_of(256, 4096));
    let mut config = PortConfig::new(&small, 64);
    config.tx_pools.push(large.clone());
    let mut port = rig.start(config);
    let mut frames = Vec::new();
    let mut burst = Burst::new(64);
    for number in 0..50 {
        let frame = numbered(number, 60 + 17 * number as usize);
        let from = if number % 3 == 0 { &large } else { &small };
        burst.push(packet(from, &frame)).unwrap();
        frames.push(frame);
    }
    rig.send_all(&mut port.queues.tx[0], &mut burst);
    assert_eq!(rig.sent(), frames);
    assert_home(&large);
    port.stop();
    assert_home(&small);
    rig.assert_clean();
}

#[test]
fn a_packet_of_a_pool_that_the_card_cannot_reach_is_dropped_and_counted() {
    let mut rig = Rig::new();
    let (mapped, foreign) = (pool(256), pool(256));
    let mut port = rig.start(PortConfig::new(&mapped, 64));
    let mut burst = Burst::new(64);
    let mut expected = Vec::new();
    for number in 0..40 {
        let frame = numbered(number, 70);
        let from = if matches!(number, 0 | 13 | 14 | 39) { &foreign } else { &mapped };
        burst.push(packet(from, &frame)).unwrap();
        if std::ptr::eq(from, &mapped) {
            expected.push(frame);
        }
    }
    assert_eq!(port.queues.tx[0].send(&mut burst), 36);
    assert!(burst.is_empty());
    rig.settle();
    assert_eq!(rig.sent(), expected);
    let stats = port.queues.tx[0].stats();
    assert_eq!((stats.packets, stats.unmapped, stats.invalid), (36, 4, 0));
    assert_home(&foreign);
    rig.assert_clean();
}

#[test]
fn a_packet_too_short_or_too_long_for_any_card_is_dropped_and_counted() {
    let mut rig = Rig::new();
    let pool = pool_of(256, 16_384);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let frames: Vec<_> = [0, 16, 17, 1518, 1519, 16_384].map(|len| numbered(1, len)).into();
    let mut burst = burst_of(&pool, &frames);
    assert_eq!(port.queues.tx[0].send(&mut burst), 2);
    assert!(burst.is_empty());
    rig.settle();
    assert_eq!(rig.sent(), [padded(frames[2].clone()), frames[3].clone()]);
    let stats = port.queues.tx[0].stats();
    assert_eq!((stats.packets, stats.unmapped, stats.invalid), (2, 0, 4));
    port.queues.tx[0].reclaim();
    port.assert_census(&pool, 0);
    rig.assert_clean();
}

#[test]
fn a_burst_of_nothing_but_bad_packets_rings_no_bell() {
    let rig = Rig::new();
    let pool = pool(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let mut burst = burst_of(&pool, &vec![vec![0; 5]; 9]);
    assert_eq!(port.queues.tx[0].send(&mut burst), 0);
    assert!(burst.is_empty());
    assert_eq!(port.queues.tx[0].stats().invalid, 9);
    port.assert_census(&pool, 0);
    rig.assert_clean();
}

#[test]
fn a_burst_costs_one_write_of_the_tail() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    let rig = Rig::new();
    let pool = pool(1024);
    let writes = Arc::new(AtomicU32::new(0));
    let count = writes.clone();
    let device = Meddled::new(&rig.device, move |access, _| {
        if matches!(access, Access::Write(offset, _) if offset == TDT.get(0).offset()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        None
    });
    let (control, mut queues) =
        gannet::Port::probe(device).unwrap().configure(PortConfig::new(&pool, 512)).unwrap().start().unwrap();
    let before = writes.load(Ordering::Relaxed);
    assert_eq!(queues.tx[0].send(&mut burst_of(&pool, &vec![numbered(7, 60); 200])), 200);
    assert_eq!(writes.load(Ordering::Relaxed), before + 1);
    queues.tx[0].send(&mut Burst::new(1));
    assert_eq!(writes.load(Ordering::Relaxed), before + 1);
    control.stop(queues).unwrap();
    assert_home(&pool);
}

#[test]
fn what_the_card_cannot_get_rid_of_is_home_and_counted_after_stop() {
    let mut rig = Rig::new();
    let pool = pool(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    port.queues.tx[0].send(&mut burst_of(&pool, &vec![numbered(7, 60); 50]));
    rig.nic.step(8);
    rig.cable.lock().unwrap().busy = true;
    let before = rig.now_ms();
    drop(port.queues.tx.pop());
    assert!(rig.now_ms() - before < 1_000);
    let counters = port.control.tx_stats().next().unwrap();
    assert_eq!((counters.packets, counters.in_ring, counters.unsent), (50, 0, 42));
    port.assert_census(&pool, 0);
    port.stop();
    assert_home(&pool);
    assert_eq!(rig.sent().len(), 8);
    rig.assert_clean();
}
