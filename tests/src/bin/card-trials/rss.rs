//! Several receive queues: which flow goes where, and the hash.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use gannet::{PortConfig, RxQueueConfig};
use gannet_apps::port_name::PortName;

use crate::bench::{Bench, exchange};
use crate::frames::{Flow, Protocol};

const FLOWS: u16 = 64;
const PACKETS_A_FLOW: u32 = 20;

/// The RSS key that the drivers set: that of Microsoft's verification suite.
const KEY: [u8; 40] = [
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b,
    0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac,
    0x01, 0xfa,
];

/// Toeplitz hash, bit by bit as it is defined: for each bit of the input that is set, the 32 bits of the key that begin at its place.
fn toeplitz(input: &[u8]) -> u32 {
    let key_bit = |at: usize| KEY[at / 8] >> (7 - at % 8) & 1;
    let window = |at: usize| (at..at + 32).fold(0u32, |word, bit| word << 1 | u32::from(key_bit(bit)));
    let set = (0..input.len() * 8).filter(|&bit| input[bit / 8] >> (7 - bit % 8) & 1 == 1);
    set.fold(0, |hash, bit| hash ^ window(bit))
}

/// Queues that the card of port b can spread over, at most four.
fn queues(driver: &str) -> usize {
    if driver == "e1000e" { 2 } else { 4 }
}

pub(crate) fn flows_are_spread_and_keep_their_order(names: &[PortName; 2]) -> anyhow::Result<()> {
    let opened = crate::bench::open(names)?;
    let driver = opened.b.info().card.driver.name();
    drop(opened);
    let count = queues(driver);
    let mut bench = Bench::start(names, |pool| {
        let mut config = PortConfig::new(pool, 256);
        config.rx = vec![RxQueueConfig { descriptors: 256, pool: pool.clone() }; count];
        config
    })?;
    let mac = bench.b.control.info().mac;
    let flows: Vec<Flow> = Protocol::ALL
        .into_iter()
        .flat_map(|protocol| (0..FLOWS).map(move |number| Flow { protocol, number }))
        .collect();
    let frames = (0..PACKETS_A_FLOW).flat_map(|turn| {
        flows
            .iter()
            .enumerate()
            .map(move |(flow, of)| of.frame(mac, &[&(flow as u32).to_be_bytes()[..], &turn.to_be_bytes()].concat()))
    });
    // By flow: its queue, and the turn that comes next.
    let mut seen: BTreeMap<u32, (usize, u32)> = BTreeMap::new();
    let (tx, rx) = (&mut bench.a.queues.tx[0], &mut bench.b.queues.rx);
    exchange(&bench.pool, tx, rx, frames, |queue, _, packet| {
        let data = packet.data();
        let index = flows.iter().position(|flow| data.starts_with(&header(*flow, mac))).context("a foreign frame")?;
        let flow = flows[index];
        let marks = payload(flow, data).context("a frame without payload")?;
        ensure!(marks[..4] == (index as u32).to_be_bytes(), "{flow:?} arrives with another flow's payload");
        let turn = u32::from_be_bytes([marks[4], marks[5], marks[6], marks[7]]);
        let (home, next) = seen.entry(index as u32).or_insert((queue, 0));
        ensure!(*home == queue, "{flow:?} came on queue {home}, now on {queue}");
        ensure!(*next == turn, "{flow:?}: packet {turn} where {next} was to come");
        *next += 1;
        let (addresses, ports) = flow.hash_input();
        let full = toeplitz(&[&addresses[..], &ports].concat());
        // The 82574 knows no UDP ports.
        let wanted = if driver == "e1000e" && flow.protocol.is_udp() { toeplitz(&addresses) } else { full };
        let told = packet.rss_hash();
        ensure!(told == Some(wanted), "{flow:?}: the card hashes {told:x?}, Toeplitz gives {wanted:#x}");
        Ok(())
    })?;
    ensure_spread(&seen, flows.len(), count)?;
    bench.stop()
}

/// Every flow has come, and every queue has a fair share of them.
fn ensure_spread(seen: &BTreeMap<u32, (usize, u32)>, flows: usize, queues: usize) -> anyhow::Result<()> {
    ensure!(seen.len() == flows, "{} of {flows} flows have arrived", seen.len());
    let used: BTreeSet<usize> = seen.values().map(|(queue, _)| *queue).collect();
    ensure!(used.len() == queues, "{flows} flows use the queues {used:?} of {queues}");
    for queue in used {
        let share = seen.values().filter(|(home, _)| *home == queue).count();
        ensure!(share >= flows / queues / 2, "queue {queue} has {share} of {flows} flows");
    }
    Ok(())
}

/// Everything before the payload.
fn header(flow: Flow, mac: gannet::MacAddress) -> Vec<u8> {
    let frame = flow.frame(mac, &[0; 8]);
    // Length and checksum fields are the same for all payloads of a length but for the L4 checksum: compare up to the ports.
    let end = match flow.protocol {
        crate::frames::Protocol::Tcp4 | crate::frames::Protocol::Udp4 => 14 + 20 + 4,
        crate::frames::Protocol::Tcp6 | crate::frames::Protocol::Udp6 => 14 + 40 + 4,
    };
    frame[..end].to_vec()
}

/// The eight bytes that tell flow and turn.
fn payload(flow: Flow, data: &[u8]) -> Option<&[u8]> {
    let at = match flow.protocol {
        Protocol::Tcp4 => 14 + 20 + 20,
        Protocol::Udp4 => 14 + 20 + 8,
        Protocol::Tcp6 => 14 + 40 + 20,
        Protocol::Udp6 => 14 + 40 + 8,
    };
    data.get(at..at + 8)
}

#[cfg(test)]
mod tests {
    use super::toeplitz;

    /// "Verifying the RSS hash calculation", Microsoft: 66.9.149.187:2794 to 161.142.100.80:1766.
    #[test]
    fn the_hash_is_the_published_one() {
        let addresses = [66, 9, 149, 187, 161, 142, 100, 80];
        assert_eq!(toeplitz(&addresses), 0x323e_8fc2);
        let ports = [2794u16.to_be_bytes(), 1766u16.to_be_bytes()].concat();
        assert_eq!(toeplitz(&[&addresses[..], &ports].concat()), 0x51cc_c178);
    }
}
