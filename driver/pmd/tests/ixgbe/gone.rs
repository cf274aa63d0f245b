//! A card that leaves the bus, or whose registers turn into noise, at any time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use gannet::{Burst, Configured, Error, Link, Port, PortConfig};
use gannet_sim::x82599::{Fault, Probe};

use super::frames::numbered;
use super::harness::{Rig, assert_home, assert_usable, burst_of, pool};
use super::meddler::{Access, Meddled};

/// A card that is gone from register access `last` on, and the number of accesses so far.
fn mortal(rig: &Rig, probe: Probe, last: u32) -> (Meddled, Arc<AtomicU32>) {
    let accesses = Arc::new(AtomicU32::new(0));
    let count = accesses.clone();
    let device = Meddled::new(&rig.device, move |_, _| {
        if count.fetch_add(1, Ordering::Relaxed) == last {
            probe.inject(Fault::Gone);
        }
        None
    });
    (device, accesses)
}

/// The whole life of a port, up to the first error. It ends when the port that is returned is dropped.
fn live(rig: &mut Rig, device: Meddled, pool: &gannet::Pool) -> Result<Port<Configured>, Error> {
    let port = Port::probe(device)?.configure(PortConfig::new(pool, 64))?;
    let (mut control, mut queues) = port.start()?;
    control.wait_for_link(std::time::Duration::from_millis(60));
    rig.offer((0..4).map(|number| numbered(number, 60)));
    rig.nic.step(64);
    let mut burst = Burst::new(32);
    queues.rx[0].receive(&mut burst);
    queues.tx[0].send(&mut burst);
    rig.nic.step(64);
    queues.tx[0].reclaim();
    control.stats();
    drop(burst);
    let port = control.stop(queues)?;
    let (control, queues) = port.start()?;
    control.stop(queues)
}

#[test]
fn whenever_it_leaves_the_error_says_so_and_every_buffer_is_home() {
    let pool = pool(256);
    let mut rig = Rig::new();
    let (device, accesses) = mortal(&rig, rig.probe.clone(), u32::MAX);
    let port = live(&mut rig, device, &pool).unwrap();
    // Of the accesses after the last stop no error can tell.
    let total = accesses.load(Ordering::Relaxed);
    drop(port);
    rig.assert_clean();
    assert!(total > 1_000, "{total}");
    for last in (0..total).step_by(29) {
        let mut rig = Rig::new();
        let (device, _) = mortal(&rig, rig.probe.clone(), last);
        let error = live(&mut rig, device, &pool).unwrap_err();
        assert!(matches!(error, Error::Bus(gannet_bus::Error::Gone { .. })), "at {last} of {total}: {error}");
        assert_home(&pool);
        assert_eq!(rig.probe.dma_faults(), [], "at {last} of {total}");
        assert!(rig.now_ms() < 2_000, "at {last} of {total}: {} ms", rig.now_ms());
    }
}

#[test]
fn a_card_that_is_gone_before_it_is_probed_is_an_error() {
    let rig = Rig::new();
    rig.probe.inject(Fault::Gone);
    assert!(matches!(rig.probe().unwrap_err(), Error::Bus(gannet_bus::Error::Gone { .. })));
}

#[test]
fn a_port_whose_card_left_in_mid_traffic_stands_still_and_gives_everything_back() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    rig.offer((0..20).map(|number| numbered(number, 100)));
    rig.nic.step(10);
    let mut burst = burst_of(&pool, &[numbered(0, 60), numbered(1, 60)]);
    port.queues.tx[0].send(&mut burst);
    let before = port.control.stats();
    rig.probe.inject(Fault::Gone);
    rig.nic.step(64);
    // What was written back before is still good.
    assert_eq!(port.queues.rx[0].receive(&mut burst), 10);
    assert_eq!(port.queues.rx[0].receive(&mut burst), 0);
    assert_eq!(port.queues.tx[0].reclaim(), 0);
    assert_eq!(port.control.link(), Link::Down);
    assert_eq!(port.control.stats(), before, "all ones are no counts");
    drop(burst);
    let error = port.control.stop(port.queues).unwrap_err();
    assert!(matches!(error, Error::Bus(gannet_bus::Error::Gone { .. })), "{error}");
    assert_usable(&pool);
    assert_eq!(rig.probe.dma_faults(), []);
}

#[test]
fn dropping_the_parts_of_a_port_whose_card_left_brings_everything_home() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let port = rig.start(PortConfig::new(&pool, 64));
    rig.nic.step(1);
    rig.probe.inject(Fault::Gone);
    drop(port);
    assert_usable(&pool);
}

/// A card where one register read in `every` gives noise, from the access numbered `from` on.
fn noisy(rig: &Rig, seed: u32, every: u32, from: u32) -> Meddled {
    let state = AtomicU32::new(0);
    Meddled::new(&rig.device, move |access, _| {
        let count = state.fetch_add(1, Ordering::Relaxed);
        // Weyl sequence and mixer: repeatable noise.
        let mut noise = (count.wrapping_add(seed.wrapping_mul(977))).wrapping_mul(0x9E37_79B9);
        noise = (noise ^ noise >> 15).wrapping_mul(0x2C1B_3C6D);
        noise = (noise ^ noise >> 12).wrapping_mul(0x297A_2D39);
        noise ^= noise >> 15;
        (matches!(access, Access::Read(_)) && count >= from && noise >> 16 < 0x1_0000 / every).then_some(noise)
    })
}

#[test]
fn noise_in_any_register_costs_an_error_at_most() {
    let pool = pool(256);
    let mut rig = Rig::new();
    let (device, accesses) = mortal(&rig, rig.probe.clone(), u32::MAX);
    live(&mut rig, device, &pool).unwrap();
    let total = accesses.load(Ordering::Relaxed);
    for seed in 0..300 {
        for every in [1, 2, 20, 300] {
            let mut rig = Rig::new();
            let device = noisy(&rig, seed, every, total / 300 * seed);
            // Any outcome is right that comes within bounds.
            let outcome = live(&mut rig, device, &pool);
            assert_home(&pool);
            assert!(rig.now_ms() < 60_000, "seed {seed}, every {every}: {} ms, {outcome:?}", rig.now_ms());
        }
    }
}
