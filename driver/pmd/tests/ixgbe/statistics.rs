//! Counters are exact, and outlive a stop.

use gannet::{Port, PortConfig, PortStats};
use gannet_bus::Registers;
use gannet_spec::x82599::regs::{GOTCL, GPTC, LXOFFTXC, LXONTXC, MPTC, PTC};

use super::frames::{BROADCAST, MULTICAST, NEIGHBOUR, numbered, numbered_to, tcp4};
use super::harness::{Rig, Running, burst_of, pool};
use super::meddler::{Access, Meddled};

const FCS: u64 = 4;

/// Frames of all sizes to all kinds of addresses, and what they count for.
fn traffic(unicast: [u8; 6]) -> (Vec<Vec<u8>>, [u64; 6], u64) {
    let lengths = [60, 61, 123, 124, 251, 252, 507, 508, 1019, 1020, 1514];
    let mut frames: Vec<_> = (0..).zip(lengths).map(|(number, len)| numbered_to(unicast, number, len)).collect();
    frames.extend((0..3).map(|number| numbered_to(BROADCAST, number, 60)));
    frames.extend((0..2).map(|number| numbered_to(MULTICAST, number, 300)));
    let bytes = frames.iter().map(|frame| frame.len() as u64 + FCS).sum();
    // 64, -127, -255, -511, -1023, more; each with FCS.
    (frames, [1 + 3, 2, 2, 2 + 2, 2, 2], bytes)
}

fn run(rig: &mut Rig, port: &mut Running, pool: &gannet::Pool) {
    rig.offer(traffic(super::harness::MAC).0);
    rig.receive_all(&mut port.queues.rx[0]);
    let mut burst = burst_of(pool, &traffic(NEIGHBOUR).0);
    rig.send_all(&mut port.queues.tx[0], &mut burst);
}

fn assert_counts(stats: &PortStats, rounds: u64) {
    let (frames, sizes, bytes) = traffic(NEIGHBOUR);
    let packets = frames.len() as u64 * rounds;
    let sizes = sizes.map(|count| count * rounds);
    assert_eq!((stats.rx_packets, stats.rx_bytes), (packets, bytes * rounds));
    assert_eq!((stats.rx_broadcast, stats.rx_multicast, stats.rx_sizes), (3 * rounds, 2 * rounds, sizes));
    assert_eq!((stats.tx_packets, stats.tx_bytes), (packets, bytes * rounds));
    assert_eq!((stats.tx_broadcast, stats.tx_multicast, stats.tx_sizes), (3 * rounds, 2 * rounds, sizes));
    assert_eq!((stats.rx_missed, stats.rx_no_descriptor, stats.rx_errors, stats.rx_crc_errors), (0, 0, 0, 0));
    assert_eq!((stats.rx_undersize, stats.rx_oversize, stats.rx_checksum_errors), (0, 0, 0));
    assert_eq!((stats.rx_pause, stats.tx_pause, stats.link_faults), (0, 0, 0));
}

#[test]
fn the_cards_counters_are_exact_and_survive_stop_and_start() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut config = PortConfig::new(&pool, 64);
    config.filter = gannet::Filter::promiscuous();
    let mut port = rig.start(config);
    for rounds in 1..=6 {
        run(&mut rig, &mut port, &pool);
        if rounds % 2 == 0 {
            // Looked at before the restart or not: nothing is lost, nothing counts twice.
            assert_counts(&port.control.stats(), rounds);
            assert_counts(&port.control.stats(), rounds);
        }
        let (control, queues) = port.stop().start().unwrap();
        port = Running { control, queues };
        port.link_up();
        if rounds % 3 == 0 {
            assert_counts(&port.control.stats(), rounds);
        }
    }
}

#[test]
fn pause_frames_do_not_count_as_traffic() {
    let mut rig = Rig::new();
    let pool = pool(512);
    // Two XOFF and one XON, which the card has among what it sent (multicasts of 64 bytes).
    let device = Meddled::new(&rig.device, |access, bar| {
        let Access::Read(offset) = access else { return None };
        let added = [(LXONTXC, 1), (LXOFFTXC, 2), (GPTC, 3), (MPTC, 3), (PTC.get(0), 3), (GOTCL, 3 * 64)];
        let (_, more) = added.into_iter().find(|(register, _)| register.offset() == offset)?;
        Some(bar.read(offset) + more)
    });
    let (control, queues) =
        Port::probe(device).unwrap().configure(PortConfig::new(&pool, 64)).unwrap().start().unwrap();
    let mut port = Running { control, queues };
    port.link_up();
    let mut burst = burst_of(&pool, &traffic(NEIGHBOUR).0);
    rig.send_all(&mut port.queues.tx[0], &mut burst);
    let stats = port.control.stats();
    let (frames, sizes, bytes) = traffic(NEIGHBOUR);
    assert_eq!((stats.tx_pause, stats.tx_packets, stats.tx_bytes), (3, frames.len() as u64, bytes));
    assert_eq!((stats.tx_multicast, stats.tx_broadcast, stats.tx_sizes), (2, 3, sizes));
}

#[test]
fn counters_begin_at_zero_whatever_the_card_did_before() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    run(&mut rig, &mut port, &pool);
    drop(port);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    assert_eq!(port.control.stats(), PortStats::default());
}

#[test]
fn bad_frames_are_told_apart() {
    let mut rig = Rig::new();
    let mut port = rig.start(PortConfig::new(&pool(512), 64));
    rig.offer([numbered(1, 59), numbered(2, 40), numbered(3, 1515)]);
    rig.offer_damaged(numbered(4, 200));
    rig.offer_damaged(numbered(5, 30));
    rig.offer_damaged(numbered(6, 1600));
    let mut wrong = tcp4(([1, 2, 3, 4], 5), ([6, 7, 8, 9], 10), b"wrong");
    wrong[56] ^= 1;
    rig.offer([wrong]);
    assert_eq!(rig.receive_all(&mut port.queues.rx[0]).len(), 1);
    let stats = port.control.stats();
    assert_eq!((stats.rx_undersize, stats.rx_oversize, stats.rx_crc_errors, stats.rx_errors), (2, 1, 1, 2));
    assert_eq!((stats.rx_packets, stats.rx_checksum_errors), (1, 1));
}

#[test]
fn the_census_adds_up_at_each_step() {
    let mut rig = Rig::new();
    let pool = pool(300);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    port.assert_census(&pool, 0);
    rig.offer((0..500).map(|number| numbered(number, 60)));
    let mut burst = gannet::Burst::new(24);
    let mut held = Vec::new();
    for round in 0..100 {
        rig.nic.step(20);
        port.queues.rx[0].receive(&mut burst);
        port.assert_census(&pool, held.len() + burst.len());
        if round % 3 == 0 {
            held.extend(burst.pop_front());
            port.assert_census(&pool, held.len() + burst.len());
        }
        port.queues.tx[0].send(&mut burst);
        port.assert_census(&pool, held.len() + burst.len());
        if round % 7 == 0 {
            held.pop();
            port.assert_census(&pool, held.len() + burst.len());
        }
    }
}
