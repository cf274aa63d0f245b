//! Cores that sleep, and are woken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gannet::{Burst, Idle, PortConfig, RxInterrupts, RxQueueConfig, Sleeper};

use super::frames::numbered;
use super::harness::{Rig, pool};

/// Longer than any test machine needs.
const LONG: Duration = Duration::from_secs(60);

fn with_interrupts(pool: &gannet::Pool) -> PortConfig {
    PortConfig { rx_interrupts: RxInterrupts::On, ..PortConfig::new(pool, 64) }
}

#[test]
fn a_frame_wakes_the_core_of_its_queue() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut config = with_interrupts(&pool);
    config.rx = vec![RxQueueConfig { descriptors: 64, pool: pool.clone() }; 2];
    let mut port = rig.start(config);
    let mut sleeper = Sleeper::new(Idle::Interrupt);
    for number in 0..10 {
        rig.offer([numbered(number, 60)]);
        let woken = AtomicBool::new(false);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            // The card runs until the frame has been found, whichever is first: the frame or the sleep.
            let nic = &mut rig.nic;
            scope.spawn(|| {
                while !woken.load(Ordering::Relaxed) {
                    nic.step(1);
                }
            });
            let mut burst = Burst::new(8);
            while burst.is_empty() && begun.elapsed() < LONG {
                let [first, second] = &mut port.queues.rx[..] else { unreachable!("two queues") };
                sleeper.sleep(&mut [&mut *first, &mut *second], LONG);
                first.receive(&mut burst);
                second.receive(&mut burst);
            }
            woken.store(true, Ordering::Relaxed);
            assert_eq!(burst[0].data(), numbered(number, 60));
        });
        assert!(begun.elapsed() < LONG, "nobody woke the core");
    }
    rig.assert_clean();
}

#[test]
fn nobody_sleeps_while_frames_wait_or_none_can_come() {
    let mut rig = Rig::new();
    let pool = pool(256);
    let mut port = rig.start(with_interrupts(&pool));
    let mut sleeper = Sleeper::new(Idle::Interrupt);
    // Idle: sleeps, and nothing wakes it.
    assert!(sleeper.sleep(&mut [&mut port.queues.rx[0]], Duration::ZERO));
    rig.offer([numbered(0, 60)]);
    rig.settle();
    assert!(port.queues.rx[0].has_frames());
    assert!(!sleeper.sleep(&mut [&mut port.queues.rx[0]], LONG));
    // All buffers are in the program's hands, but for those that the ring keeps: the next frame wakes it.
    rig.offer((1..600).map(|number| numbered(number, 60)));
    let held = rig.receive_all(&mut port.queues.rx[0]);
    assert_eq!(port.queues.rx[0].stats().in_ring, 16);
    assert!(sleeper.sleep(&mut [&mut port.queues.rx[0]], Duration::ZERO));
    rig.offer([numbered(600, 60)]);
    rig.settle();
    assert!(!sleeper.sleep(&mut [&mut port.queues.rx[0]], LONG));
    drop(held);
    rig.assert_clean();
}

#[test]
fn a_port_without_interrupts_is_polled() {
    let rig = Rig::new();
    let pool = pool(256);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    assert!(!Sleeper::new(Idle::Interrupt).sleep(&mut [&mut port.queues.rx[0]], LONG));
}

#[test]
fn adaptive_idling_waits_before_it_sleeps() {
    let mut sleeper = Sleeper::new(Idle::Adaptive);
    let begun = Instant::now();
    assert!(!sleeper.is_due() || begun.elapsed() >= Sleeper::LINGER);
    while !sleeper.is_due() {
        assert!(begun.elapsed() < LONG, "it never sleeps");
    }
    assert!(begun.elapsed() >= Sleeper::LINGER);
    sleeper.busy();
    let begun = Instant::now();
    assert!(!sleeper.is_due() || begun.elapsed() >= Sleeper::LINGER);
    assert!(!Sleeper::new(Idle::Poll).is_due());
    assert!(Sleeper::new(Idle::Interrupt).is_due());
}
