//! Starting, stopping, opening, closing, resetting.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, anyhow, ensure};
use gannet::{Burst, PortConfig};
use gannet_apps::port_name::PortName;

use crate::bench::{Bench, End, PATIENCE, exchange, open, packet, pool};
use crate::frames::numbered;

const TURNS: u32 = 20;

/// Frames to b, in order.
fn pass(pool: &gannet::Pool, a: &mut End, b: &mut End, count: u32) -> anyhow::Result<()> {
    let mac = b.control.info().mac;
    let frames = (0..count).map(|number| numbered(mac, number, 200));
    exchange(pool, &mut a.queues.tx[0], &mut b.queues.rx, frames, |_, place, packet| {
        ensure!(packet.data() == numbered(mac, place as u32, 200), "frame {place} arrives damaged or late");
        Ok(())
    })?;
    Ok(())
}

pub(crate) fn ports_start_and_stop_20_times(names: &[PortName; 2]) -> anyhow::Result<()> {
    let pool = pool()?;
    let opened = open(names)?;
    let mut a = opened.a.configure(PortConfig::new(&pool, 64))?;
    let mut b = opened.b.configure(PortConfig::new(&pool, 64))?;
    let out = pool.census().out;
    for turn in 0..TURNS {
        let mut ends = [a, b].map(|port| port.start().map(|(control, queues)| End { control, queues })).into_iter();
        let (Some(end_a), Some(end_b)) = (ends.next(), ends.next()) else { unreachable!("two ports") };
        let (mut end_a, mut end_b) = (end_a?, end_b?);
        end_a.wait_for_link()?;
        end_b.wait_for_link()?;
        pass(&pool, &mut end_a, &mut end_b, 100).map_err(|why| anyhow!("turn {turn}: {why:#}"))?;
        a = end_a.control.stop(end_a.queues)?;
        b = end_b.control.stop(end_b.queues)?;
        let census = pool.census();
        ensure!(census.out == out, "turn {turn}: buffers are missing: {census:?}");
    }
    Ok(())
}

pub(crate) fn ports_open_and_close_20_times(names: &[PortName; 2]) -> anyhow::Result<()> {
    for turn in 0..TURNS {
        let mut bench = Bench::start(names, |pool| PortConfig::new(pool, 64))?;
        pass(&bench.pool, &mut bench.a, &mut bench.b, 100).map_err(|why| anyhow!("turn {turn}: {why:#}"))?;
        bench.stop()?;
    }
    Ok(())
}

/// Port a sends without a pause while port b is stopped, reset and started again.
pub(crate) fn a_port_is_reset_during_traffic(names: &[PortName; 2]) -> anyhow::Result<()> {
    let Bench { pool, mut a, b, _engine } = Bench::start(names, |pool| PortConfig::new(pool, 64))?;
    let mac = b.control.info().mac;
    let enough = AtomicBool::new(false);
    let mut b = Some(b);
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let sending = scope.spawn(|| -> anyhow::Result<()> {
            let (mut number, mut burst) = (0, Burst::new(8));
            while !enough.load(Ordering::Relaxed) {
                while burst.room() > 0 {
                    burst.push(packet(&pool, &numbered(mac, number, 300))?).expect("there is room");
                    number += 1;
                }
                a.queues.tx[0].send(&mut burst);
                std::thread::yield_now();
            }
            Ok(())
        });
        let outcome = (0..5).try_for_each(|turn| {
            let mut end = b.take().expect("it is put back");
            take_some(&mut end, mac).map_err(|why| anyhow!("turn {turn}: {why:#}"))?;
            // Frames arrive all the time: the card stops, and starts from a reset, with its buffers changing hands.
            let (control, queues) = end.control.stop(end.queues)?.start()?;
            let end = b.insert(End { control, queues });
            end.wait_for_link()?;
            take_some(end, mac).map_err(|why| anyhow!("after reset {turn}: {why:#}"))
        });
        enough.store(true, Ordering::Relaxed);
        sending.join().expect("sending does not panic")?;
        outcome
    })?;
    let b = b.context("port b is not back")?;
    Bench { pool, a, b, _engine }.stop()
}

/// Receives some hundred frames, whole. Not in order: what the cable has held back while the port was away may come late (QEMU's hubs do that).
fn take_some(end: &mut End, mac: gannet::MacAddress) -> anyhow::Result<()> {
    let mut burst = Burst::new(32);
    let mut taken = 0;
    let deadline = Instant::now() + PATIENCE;
    while taken < 300 {
        ensure!(Instant::now() < deadline, "{taken} frames have arrived, then nothing");
        end.queues.rx[0].receive(&mut burst);
        for packet in burst.iter() {
            let number = u32::from_be_bytes([14, 15, 16, 17].map(|at| packet.data()[at]));
            ensure!(packet.data() == numbered(mac, number, 300), "frame {number} arrives damaged");
            taken += 1;
        }
        burst.clear();
    }
    Ok(())
}
