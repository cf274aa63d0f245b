//! No buffers: the port stands still, says so, and recovers by itself.

use gannet::{Burst, Packet, PortConfig};

use super::frames::numbered;
use super::harness::{Rig, assert_home, pool};

/// Receives until nothing comes any more and keeps the packets.
fn hoard(rig: &mut Rig, rx: &mut gannet::RxQueue) -> Vec<Packet> {
    rig.receive_all(rx)
}

#[test]
fn a_program_that_hoards_all_buffers_stops_its_port_and_giving_back_revives_it() {
    let mut rig = Rig::new();
    let pool = pool(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let mut next = 0;
    for round in 1..=5 {
        rig.offer((next..next + 600).map(|number| numbered(number, 60)));
        let held = hoard(&mut rig, &mut port.queues.rx[0]);
        assert!(held.len() > 192 && held.len() <= 256, "{}", held.len());
        let stats = port.queues.rx[0].stats();
        assert!(stats.no_buffers >= round, "{stats:?}");
        port.assert_census(&pool, held.len());
        drop(held);
        // The rest arrives, without any help.
        let mut burst = Burst::new(32);
        let mut idle = 0;
        while idle < 3 {
            let moved = rig.nic.step(64) + port.queues.rx[0].receive(&mut burst);
            burst.clear();
            idle = if moved > 0 { 0 } else { idle + 1 };
        }
        next += 600;
        assert_eq!(port.queues.rx[0].stats().packets, u64::from(next), "the peer waited, nothing is lost");
    }
    port.stop();
    assert_home(&pool);
    rig.assert_clean();
}

#[test]
fn a_card_whose_program_has_no_buffers_misses_frames_and_counts_them() {
    let mut rig = Rig::new();
    rig.cable.lock().unwrap().timed = true;
    let pool = pool(128);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    // More than the rings hold and the packet buffer of 512 KiB takes.
    let total = 1500;
    rig.offer((0..total).map(|number| numbered(number, 1000)));
    let held = hoard(&mut rig, &mut port.queues.rx[0]);
    let stats = port.control.stats();
    assert!(stats.rx_missed > 500, "{stats:?}");
    drop(held);
    let rest = {
        let mut burst = Burst::new(32);
        let mut count = 0;
        let mut idle = 0;
        while idle < 3 {
            let moved = rig.nic.step(64) + port.queues.rx[0].receive(&mut burst);
            count += burst.len();
            burst.clear();
            idle = if moved > 0 { 0 } else { idle + 1 };
        }
        count
    };
    assert!(rest > 400, "{rest}");
    let stats = port.control.stats();
    let packets = port.queues.rx[0].stats().packets;
    assert_eq!(packets + stats.rx_missed + stats.rx_no_descriptor, u64::from(total), "{stats:?}");
    assert_eq!(stats.rx_packets, packets);
    port.stop();
    assert_home(&pool);
    rig.assert_clean();
}

#[test]
fn an_exhausted_port_still_sends_and_reclaims() {
    let mut rig = Rig::new();
    let pool = pool(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    rig.offer((0..600).map(|number| numbered(number, 60)));
    let held = hoard(&mut rig, &mut port.queues.rx[0]);
    let mut burst = Burst::new(256);
    let count = held.len();
    held.into_iter().for_each(|packet| burst.push(packet).unwrap());
    rig.send_all(&mut port.queues.tx[0], &mut burst);
    assert_eq!(rig.sent().len(), count);
    let revived = hoard(&mut rig, &mut port.queues.rx[0]);
    assert!(revived.len() > 192, "{}", revived.len());
}

#[test]
fn a_port_without_buffers_leaves_the_bell_alone() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use gannet_spec::x82599::regs::RDT;

    use super::meddler::{Access, Meddled};

    let mut rig = Rig::new();
    let pool = pool(96);
    let writes = Arc::new(AtomicU32::new(0));
    let count = writes.clone();
    let device = Meddled::new(&rig.device, move |access, _| {
        if matches!(access, Access::Write(offset, _) if offset == RDT.get(0).offset()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        None
    });
    let (control, mut queues) =
        gannet::Port::probe(device).unwrap().configure(PortConfig::new(&pool, 64)).unwrap().start().unwrap();
    control.wait_for_link(std::time::Duration::from_secs(1));
    rig.offer((0..600).map(|number| numbered(number, 60)));
    let held = hoard(&mut rig, &mut queues.rx[0]);
    let before = writes.load(Ordering::Relaxed);
    for _ in 0..100 {
        assert_eq!(queues.rx[0].receive(&mut Burst::new(32)), 0);
    }
    assert_eq!(writes.load(Ordering::Relaxed), before, "nothing new to tell");
    drop(held);
    control.stop(queues).unwrap();
}
