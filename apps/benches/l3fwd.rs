//! What the example l3fwd does to a packet, in cycles of the time stamp counter, by the number of routes.
//!
//! `cargo bench -p gannet-apps --bench l3fwd`. One line a case, `key=value`, the best of several rounds: the machine is shared and
//! the best round is the one that was not disturbed. A packet whose TTL has expired is dropped just before the look-up: the
//! difference to one that is routed is what the look-up costs, and the new addresses.

#[path = "../examples/l3fwd/router.rs"]
mod router;

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::PacketBuilder;
use gannet::{Burst, Checksum, Pool, PoolOptions};
use router::{Route, Router};

const ROUNDS: usize = 200;
const FRAMES: usize = 4096;
const TTL: u8 = 64;

/// From one destination to the next, so that they are all over the table: a prime.
const STEP: usize = 7919;

fn main() {
    let clock = quanta::Clock::new();
    for routes in [1, 100, 10_000, 100_000] {
        for version in [4, 6] {
            let router = Router::new(&table(version, routes), &[[2, 0, 0, 0, 0, 1]]).expect("routes to port 0");
            let frames = |ttl| -> Vec<Vec<u8>> {
                (0..FRAMES).map(|number| frame(address(version, number * STEP % routes), ttl)).collect()
            };
            let cycles =
                best(&clock, &frames(TTL), |frame| assert_eq!(router.route(frame, Checksum::Good).ok(), Some(0)));
            println!("bench=l3fwd case=routed version={version} routes={routes} cycles_per_packet={cycles:.1}");
            let cycles = best(&clock, &frames(1), |frame| assert!(router.route(frame, Checksum::Good).is_err()));
            println!("bench=l3fwd case=expired version={version} routes={routes} cycles_per_packet={cycles:.1}");
        }
    }
    bursts(&clock);
}

/// Cycles a frame of the best round.
fn best(clock: &quanta::Clock, original: &[Vec<u8>], route: impl Fn(&mut [u8])) -> f64 {
    let mut frames = original.to_vec();
    let mut least = u64::MAX;
    for _ in 0..ROUNDS {
        frames.clone_from_slice(original);
        let start = clock.raw();
        frames.iter_mut().for_each(|frame| route(black_box(frame)));
        least = least.min(clock.raw() - start);
    }
    least as f64 / FRAMES as f64
}

/// Whole bursts: packets out of one, into another.
fn bursts(clock: &quanta::Clock) {
    let router = Router::new(&table(4, 100), &[[2, 0, 0, 0, 0, 1]]).expect("routes to port 0");
    let pool = Pool::new(&PoolOptions { buffers: 256, ..PoolOptions::default() }).expect("a pool");
    let (mut burst, mut out) = (Burst::new(32), [Burst::new(32)]);
    let mut least = u64::MAX;
    for _ in 0..ROUNDS * 32 {
        assert!(pool.alloc_bulk(&mut burst, 32));
        for (number, packet) in burst.iter_mut().enumerate() {
            let frame = frame(address(4, number), TTL);
            packet.append(frame.len()).expect("room").copy_from_slice(&frame);
        }
        let start = clock.raw();
        router.forward(&mut burst, &mut out);
        least = least.min(clock.raw() - start);
        assert_eq!(out[0].len(), 32);
        out[0].clear();
    }
    let cycles = least as f64 / 32.0;
    println!("bench=l3fwd case=burst version=4 routes=100 checksum=software cycles_per_packet={cycles:.1}");
}

/// So many networks, each with a host in it that [`address`] names.
fn table(version: u8, routes: usize) -> Vec<Route> {
    let length = if version == 4 { 24 } else { 64 };
    (0..routes).map(|number| format!("{}/{length}=0", address(version, number)).parse().expect("a route")).collect()
}

fn address(version: u8, number: usize) -> IpAddr {
    let number = number as u32;
    match version {
        4 => Ipv4Addr::from_bits(0x0B00_0001 + (number << 8)).into(),
        _ => Ipv6Addr::from_bits(0x2001_0DB8 << 96 | u128::from(number) << 64 | 1).into(),
    }
}

/// A packet of 64 bytes or a few more.
fn frame(to: IpAddr, ttl: u8) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 9], [2, 0, 0, 0, 0, 1]);
    let builder = match to {
        IpAddr::V4(to) => builder.ipv4([203, 0, 113, 9], to.octets(), ttl),
        IpAddr::V6(to) => builder.ipv6([0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], to.octets(), ttl),
    };
    let mut frame = Vec::new();
    builder.udp(49_152, 9).write(&mut frame, &[0; 18]).expect("memory to write to");
    frame
}
