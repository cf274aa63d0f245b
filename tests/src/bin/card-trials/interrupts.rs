//! Cores that sleep: woken in time, and nothing overlooked.

use std::time::{Duration, Instant};

use anyhow::ensure;
use gannet::{Burst, Idle, PortConfig, RxInterrupts, RxQueue, Sleeper};
use gannet_apps::port_name::PortName;

use crate::bench::{Bench, PATIENCE, packet, send};
use crate::frames::numbered;

fn start(names: &[PortName; 2]) -> anyhow::Result<Bench> {
    Bench::start(names, |pool| {
        let mut config = PortConfig::new(pool, 256);
        config.rx_interrupts = RxInterrupts::On;
        config
    })
}

/// Longest sleep: much longer than a frame takes.
const LONG: Duration = Duration::from_secs(5);

pub(crate) fn a_sleeping_core_is_woken(names: &[PortName; 2]) -> anyhow::Result<()> {
    let mut bench = start(names)?;
    let mac = bench.b.control.info().mac;
    let mut burst = Burst::new(64);
    for number in 0..20 {
        let mut sleeper = Sleeper::new(Idle::Interrupt);
        // Idle first: what was signalled before wakes once, and is forgotten.
        let mut rests = 0;
        while !sleeper.sleep(&mut [&mut bench.b.queues.rx[0]], Duration::from_millis(20)) {
            rests += 1;
            ensure!(rests < 100, "frames wait without end");
            bench.b.queues.rx[0].receive(&mut burst);
            burst.clear();
        }
        let (pool, tx, rx) = (&bench.pool, &mut bench.a.queues.tx[0], &mut bench.b.queues.rx[0]);
        let begun = Instant::now();
        std::thread::scope(|scope| -> anyhow::Result<()> {
            let sending = scope.spawn(|| {
                // The other side is asleep by now, or about to be: both must work.
                std::thread::sleep(Duration::from_millis(u64::from(number % 4) * 10));
                send(pool, tx, &numbered(mac, number, 100))
            });
            let deadline = begun + PATIENCE;
            while rx.receive(&mut burst) == 0 {
                ensure!(Instant::now() < deadline, "frame {number} does not arrive");
                sleeper.sleep(&mut [&mut *rx], LONG);
            }
            sending.join().expect("sending does not panic")
        })?;
        let took = begun.elapsed();
        ensure!(took < LONG, "frame {number} was found after {took:?}: nobody woke the core");
        ensure!(burst[0].data() == numbered(mac, number, 100), "frame {number} arrives damaged");
        burst.clear();
    }
    bench.stop()
}

pub(crate) fn adaptive_idling_loses_nothing(names: &[PortName; 2]) -> anyhow::Result<()> {
    const BURSTS: u32 = 40;
    let mut bench = start(names)?;
    let mac = bench.b.control.info().mac;
    let (pool, tx, rx) = (&bench.pool, &mut bench.a.queues.tx[0], &mut bench.b.queues.rx[0]);
    let total = BURSTS * (BURSTS + 1) / 2;
    let sleeps = std::thread::scope(|scope| -> anyhow::Result<u64> {
        let sending = scope.spawn(|| -> anyhow::Result<()> {
            let mut number = 0;
            for length in 1..=BURSTS {
                let mut burst = Burst::new(64);
                for _ in 0..length {
                    burst.push(packet(pool, &numbered(mac, number, 64))?).expect("room for 40");
                    number += 1;
                }
                while !burst.is_empty() {
                    tx.send(&mut burst);
                }
                // Long enough to fall asleep, and not always.
                std::thread::sleep(Duration::from_micros(u64::from(length % 5) * 1_000));
            }
            Ok(())
        });
        let sleeps = take_in_order(rx, total)?;
        sending.join().expect("sending does not panic")?;
        Ok(sleeps)
    })?;
    ensure!(sleeps > 0, "the core has never slept");
    bench.stop()
}

/// Receives frames 0 to `total`, asleep between them. Returns how often it slept.
fn take_in_order(rx: &mut RxQueue, total: u32) -> anyhow::Result<u64> {
    let mut sleeper = Sleeper::new(Idle::Adaptive);
    let mut burst = Burst::new(64);
    let (mut next, mut sleeps) = (0u32, 0);
    let mut deadline = Instant::now() + PATIENCE;
    while next < total {
        ensure!(Instant::now() < deadline, "{next} of {total} frames have arrived, then nothing");
        if rx.receive(&mut burst) == 0 {
            if sleeper.is_due() {
                sleeps += u64::from(sleeper.sleep(&mut [&mut *rx], LONG));
            }
            continue;
        }
        sleeper.busy();
        deadline = Instant::now() + PATIENCE;
        for packet in burst.iter() {
            ensure!(packet.data()[14..18] == next.to_be_bytes(), "another frame where {next} was to come");
            next += 1;
        }
        burst.clear();
    }
    Ok(sleeps)
}
