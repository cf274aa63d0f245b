//! Packets that are more than one buffer of one owner: segments, lent memory, shared buffers; and a program that keeps what it gets.

use std::time::Instant;

use anyhow::{Context, anyhow, ensure};
use gannet::{Burst, Completion, External, Packet, Pool, PoolOptions, PortConfig, RxQueue, TxQueue};
use gannet_apps::port_name::{PortKind, PortName};

use crate::bench::{Bench, PATIENCE, WINDOW, packet, pool};
use crate::frames::numbered;

const BROADCAST: gannet::MacAddress = [0xFF; 6];

/// Bytes of a page, and pages of the memory that is lent.
const PAGE: usize = 4096;
const PAGES: usize = 16;

/// Sends the whole burst.
fn send_all(tx: &mut TxQueue, burst: &mut Burst) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !burst.is_empty() {
        ensure!(Instant::now() < deadline, "{} packets are not taken: {:?}", burst.len(), tx.stats());
        tx.send(burst);
    }
    Ok(())
}

/// Receives these frames, in this order.
fn expect(rx: &mut RxQueue, frames: &[Vec<u8>]) -> anyhow::Result<()> {
    let mut burst = Burst::new(frames.len());
    let deadline = Instant::now() + PATIENCE;
    while burst.len() < frames.len() {
        ensure!(Instant::now() < deadline, "{} of {} frames have arrived, then nothing", burst.len(), frames.len());
        rx.receive(&mut burst);
    }
    for (place, (packet, frame)) in burst.iter().zip(frames).enumerate() {
        ensure!(packet.data() == frame, "frame {place} of {} bytes arrives otherwise", frame.len());
    }
    Ok(())
}

/// Reclaims until the completion is told.
fn complete(queues: &mut [&mut TxQueue], completion: &Completion) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !completion.is_done() {
        ensure!(Instant::now() < deadline, "{} packets are never done", completion.pending());
        for queue in queues.iter_mut() {
            queue.reclaim();
        }
    }
    Ok(())
}

/// Frames of a header in a buffer and a payload in `memory`, which arrive as one. Returns how many packets were copied.
fn send_scattered(bench: &mut Bench, memory: &External, rounds: usize) -> anyhow::Result<usize> {
    let mac = bench.b.control.info().mac;
    // Payloads do not lie across pages: QEMU's cards lose such frames.
    let first = memory.bytes().as_ptr().addr().wrapping_neg() % PAGE;
    let (completion, token) = Completion::new();
    for round in 0..rounds {
        let (mut burst, mut frames) = (Burst::new(WINDOW), Vec::new());
        for number in round * WINDOW..(round + 1) * WINDOW {
            let start = first + number % (PAGES - 1) * PAGE + number * 37 % 3000;
            let header = &numbered(mac, number as u32, 42);
            let mut whole = packet(&bench.pool, header)?;
            let payload = Packet::from_external(&bench.pool, memory, start, 1000)?;
            whole.append_segment(payload).map_err(|(why, _)| why)?;
            whole.complete_with(token.clone())?;
            burst.push(whole).map_err(|_| anyhow!("an empty burst has room"))?;
            frames.push([header, &memory.bytes()[start..start + 1000]].concat());
        }
        send_all(&mut bench.a.queues.tx[0], &mut burst)?;
        expect(&mut bench.b.queues.rx[0], &frames).with_context(|| format!("round {round}"))?;
    }
    drop(token);
    complete(&mut [&mut bench.a.queues.tx[0]], &completion)?;
    Ok(completion.copied())
}

pub(crate) fn a_scattered_frame_is_sent_without_a_copy(names: &[PortName; 2]) -> anyhow::Result<()> {
    const ROUNDS: usize = 20;
    let bounce = pool()?;
    let with_bounce = |pool: &Pool| PortConfig { bounce: Some(bounce.clone()), ..PortConfig::new(pool, 64) };
    let mut bench = Bench::start(names, with_bounce)?;
    let content: Vec<u8> = (0..PAGES * PAGE).map(|at| (at % 251) as u8).collect();

    let mut file = tempfile::tempfile()?;
    std::io::Write::write_all(&mut file, &content)?;
    let file = External::file(&file)?;
    bench.a.control.map(&file)?;
    let copied = send_scattered(&mut bench, &file, ROUNDS)?;
    ensure!(copied == 0, "{copied} packets of a mapped file were copied");
    bench.a.control.unmap(&file)?;

    let heap = External::new(content, drop);
    let is_software = matches!(names[0].kind, PortKind::Software(_));
    let mapped = bench.a.control.map(&heap);
    ensure!(mapped.is_err() == is_software, "memory of the heap: {mapped:?}");
    let copied = send_scattered(&mut bench, &heap, ROUNDS)?;
    let expected = if is_software { ROUNDS * WINDOW } else { 0 };
    ensure!(copied == expected, "{copied} packets of the heap were copied, {expected} is right");
    bench.a.control.unmap(&heap)?;
    bench.stop()?;
    ensure!(bounce.census().out == 0, "buffers are missing: {:?}", bounce.census());
    Ok(())
}

/// To both ends at once, and twice to one.
pub(crate) fn a_shared_packet_is_sent_twice(names: &[PortName; 2]) -> anyhow::Result<()> {
    let mut bench = Bench::start(names, |pool| PortConfig::new(pool, 64))?;
    for number in 0..200 {
        let frame = numbered(BROADCAST, number, 60 + 7 * number as usize);
        let (completion, token) = Completion::new();
        let mut original = packet(&bench.pool, &frame)?;
        original.complete_with(token)?;
        let out = bench.pool.census().out;
        let (mut there, mut back) = (Burst::new(2), Burst::new(1));
        for twin in [original.share(), original.share()] {
            there.push(twin).map_err(|_| anyhow!("an empty burst has room"))?;
        }
        back.push(original).map_err(|_| anyhow!("an empty burst has room"))?;
        ensure!(bench.pool.census().out == out, "sharing has taken a buffer");
        send_all(&mut bench.a.queues.tx[0], &mut there)?;
        send_all(&mut bench.b.queues.tx[0], &mut back)?;
        expect(&mut bench.b.queues.rx[0], &[frame.clone(), frame.clone()])?;
        expect(&mut bench.a.queues.rx[0], &[frame])?;
        complete(&mut [&mut bench.a.queues.tx[0], &mut bench.b.queues.tx[0]], &completion)?;
    }
    bench.stop()
}

/// Sends `count` frames, a few at a time, and waits until each is received, or dropped for want of a buffer. Appends what is received.
fn offer(bench: &mut Bench, count: u32, kept: &mut Vec<Packet>) -> anyhow::Result<()> {
    // Fewer than the ring keeps descriptors: some cards lose, and do not count, what finds none.
    const FEW: u32 = 8;
    let mac = bench.b.control.info().mac;
    let rx = &mut bench.b.queues.rx[0];
    let mut received = Burst::new(64);
    for first in (0..count).step_by(FEW as usize) {
        let before = rx.stats();
        let mut burst = Burst::new(FEW as usize);
        for number in first..first + FEW {
            burst.push(packet(&bench.pool, &numbered(mac, number, 100))?).map_err(|_| anyhow!("there is room"))?;
        }
        send_all(&mut bench.a.queues.tx[0], &mut burst)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            rx.receive(&mut received);
            kept.extend(std::iter::from_fn(|| received.pop_front()));
            let now = rx.stats();
            let accounted = now.packets + now.no_buffer_drops - before.packets - before.no_buffer_drops;
            ensure!(accounted <= u64::from(FEW), "{accounted} frames of {FEW}");
            if accounted == u64::from(FEW) {
                break;
            }
            ensure!(Instant::now() < deadline, "{accounted} of {FEW} frames from {first} on, then nothing: {now:?}");
        }
    }
    Ok(())
}

pub(crate) fn a_hoarding_program_keeps_the_port_receiving(names: &[PortName; 2]) -> anyhow::Result<()> {
    const FRAMES: u32 = 800;
    let scarce = Pool::new(&PoolOptions { buffers: 256, ..PoolOptions::default() })?;
    let plenty = pool()?;
    let configs = [&plenty, &scarce].map(|pool| PortConfig::new(pool, 64));
    let mut bench = Bench::with(names, plenty, configs)?;
    for round in 0..3 {
        let before = bench.b.queues.rx[0].stats();
        let mut hoard = Vec::new();
        offer(&mut bench, FRAMES, &mut hoard).with_context(|| format!("round {round}, hoarding"))?;
        let after = bench.b.queues.rx[0].stats();
        let dropped = after.no_buffer_drops - before.no_buffer_drops;
        ensure!(dropped + hoard.len() as u64 == u64::from(FRAMES), "{dropped} dropped, {} received", hoard.len());
        // All but those that the ring keeps.
        ensure!(hoard.len() == 240, "{} frames were received", hoard.len());
        hoard.clear();
        bench.b.queues.rx[0].receive(&mut Burst::new(1));
        offer(&mut bench, 200, &mut hoard).with_context(|| format!("round {round}, afterwards"))?;
        ensure!(hoard.len() == 200, "{} of 200 frames afterwards", hoard.len());
    }
    bench.stop()?;
    ensure!(scarce.census().out == 0, "buffers are missing: {:?}", scarce.census());
    Ok(())
}
