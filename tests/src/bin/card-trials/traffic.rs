//! Frames, counters, filters, and what the card says of a frame.

use std::time::Instant;

use anyhow::{Context, ensure};
use gannet::{
    Burst, Checksum, DEFAULT_MTU, Filter, L3, L4, MacAddress, Multicast, Pool, PoolOptions, PortConfig, PortStats,
    VlanTags, data_room_for,
};
use gannet_apps::port_name::PortName;

use crate::bench::{Bench, PATIENCE, drain, exchange, send};
use crate::frames::{Flow, Protocol, SENDER, numbered};

fn start(names: &[PortName; 2]) -> anyhow::Result<Bench> {
    Bench::start(names, |pool| PortConfig::new(pool, 256))
}

/// All lengths from the shortest to the longest, both ways, byte for byte.
pub(crate) fn frames_arrive_whole(names: &[PortName; 2]) -> anyhow::Result<()> {
    let mut bench = start(names)?;
    for _ in 0..2 {
        let mac = bench.b.control.info().mac;
        let frames = || (60..=1514).map(|len| numbered(mac, len as u32, len));
        let mut expected = frames();
        let (tx, rx) = (&mut bench.a.queues.tx[0], &mut bench.b.queues.rx);
        exchange(&bench.pool, tx, rx, frames(), |_, place, packet| {
            let frame = expected.next().context("more frames than were sent")?;
            ensure!(
                packet.data() == frame,
                "frame {place} of {} bytes arrives as {} others",
                frame.len(),
                packet.len()
            );
            Ok(())
        })?;
        std::mem::swap(&mut bench.a, &mut bench.b);
        drain(&mut bench.b.queues.rx);
    }
    bench.stop()
}

/// What an MTU of 9000 allows arrives byte for byte, both ways. What is longer is not sent, nor taken by an end with a smaller MTU.
pub(crate) fn jumbo_frames_arrive_where_the_mtu_allows(names: &[PortName; 2]) -> anyhow::Result<()> {
    const MTU: u16 = 9000;
    let options = PoolOptions { buffers: 1024, data_room: data_room_for(MTU), ..PoolOptions::default() };
    let pool = Pool::new(&options).context("packet memory")?;
    let config = |mtu| PortConfig { mtu, ..PortConfig::new(&pool, 64) };
    let mut bench = Bench::with(names, pool.clone(), [config(MTU), config(MTU)])?;
    for _ in 0..2 {
        let mac = bench.b.control.info().mac;
        let frames = [60, 1514, 1515, 1519, 9013, 9014].map(|len| numbered(mac, len as u32, len));
        let (tx, rx) = (&mut bench.a.queues.tx[0], &mut bench.b.queues.rx);
        exchange(&pool, tx, rx, frames.clone(), |_, place, packet| {
            ensure!(packet.data() == frames[place], "a frame of {} bytes arrives otherwise", frames[place].len());
            Ok(())
        })?;
        send(&pool, tx, &numbered(mac, 0, 9019))?;
        ensure_equal("invalid", tx.stats().invalid, 1)?;
        std::mem::swap(&mut bench.a, &mut bench.b);
        drain(&mut bench.b.queues.rx);
    }
    bench.stop()?;
    let mut bench = Bench::with(names, pool.clone(), [config(MTU), config(DEFAULT_MTU)])?;
    let mac = bench.b.control.info().mac;
    let (tx, rx) = (&mut bench.a.queues.tx[0], &mut bench.b.queues.rx);
    send(&pool, tx, &numbered(mac, 0, 1523))?;
    exchange(&pool, tx, rx, [numbered(mac, 1, 60)], |_, _, packet| {
        ensure!(packet.len() == 60, "a frame of {} bytes arrives", packet.len());
        Ok(())
    })?;
    bench.stop()
}

pub(crate) fn rings_wrap_and_counters_are_exact(names: &[PortName; 2]) -> anyhow::Result<()> {
    const FRAMES: u32 = 100_000;
    const LEN: usize = 100;
    let mut bench = Bench::start(names, |pool| PortConfig::new(pool, 64))?;
    let (before_a, before_b) = (bench.a.control.stats(), bench.b.control.stats());
    let (sent_before, received_before) = (bench.a.queues.tx[0].stats(), bench.b.queues.rx[0].stats());
    let mac = bench.b.control.info().mac;
    let (tx, rx) = (&mut bench.a.queues.tx[0], &mut bench.b.queues.rx);
    exchange(&bench.pool, tx, rx, (0..FRAMES).map(|number| numbered(mac, number, LEN)), |_, place, packet| {
        ensure!(packet.data()[14..18] == (place as u32).to_be_bytes(), "another frame where {place} was to come");
        Ok(())
    })?;
    let (a, b) = (bench.a.control.stats(), bench.b.control.stats());
    let frames = u64::from(FRAMES);
    let bytes_on_the_wire = frames * (LEN as u64 + 4);
    let difference = |now: PortStats, then: PortStats, of: fn(&PortStats) -> u64| of(&now) - of(&then);
    for (what, counted, wanted) in [
        ("tx_packets", difference(a, before_a, |of| of.tx_packets), frames),
        ("tx_bytes", difference(a, before_a, |of| of.tx_bytes), bytes_on_the_wire),
        ("rx_packets", difference(b, before_b, |of| of.rx_packets), frames),
        ("rx_bytes", difference(b, before_b, |of| of.rx_bytes), bytes_on_the_wire),
        ("rx_sizes[1]", difference(b, before_b, |of| of.rx_sizes[1]), frames),
        ("rx_missed", difference(b, before_b, |of| of.rx_missed), 0),
        ("queue tx", bench.a.queues.tx[0].stats().packets - sent_before.packets, frames),
        ("queue rx", bench.b.queues.rx[0].stats().packets - received_before.packets, frames),
        ("queue rx bytes", bench.b.queues.rx[0].stats().bytes - received_before.bytes, frames * LEN as u64),
    ] {
        ensure_equal(what, counted, wanted)?;
    }
    bench.stop()
}

fn ensure_equal(what: &str, counted: u64, wanted: u64) -> anyhow::Result<()> {
    ensure!(counted == wanted, "{what}: counted {counted}, {wanted} is right");
    Ok(())
}

const OTHER: MacAddress = [0x02, 0x47, 0x61, 0x6E, 0x6E, 0x65];
const GROUP: MacAddress = [0x01, 0x00, 0x5E, 0x00, 0x00, 0xFB];
const BROADCAST: MacAddress = [0xFF; 6];

/// Which of four frames pass: to the port, to another address, to a group, to all.
fn passing(bench: &mut Bench) -> anyhow::Result<Vec<u32>> {
    let mac = bench.b.control.info().mac;
    let tx = &mut bench.a.queues.tx[0];
    for (number, address) in (0..).zip([mac, OTHER, GROUP, BROADCAST, mac]) {
        send(&bench.pool, tx, &numbered(address, number, 80))?;
    }
    let mut passed = Vec::new();
    let mut burst = Burst::new(64);
    let deadline = Instant::now() + PATIENCE;
    // The last one ends the row.
    while passed.last() != Some(&4) {
        ensure!(Instant::now() < deadline, "of five frames to several addresses came {passed:?}, then nothing");
        bench.b.queues.rx[0].receive(&mut burst);
        passed.extend(burst.iter().map(|packet| u32::from_be_bytes([14, 15, 16, 17].map(|at| packet.data()[at]))));
        burst.clear();
        tx.reclaim();
    }
    passed.pop();
    Ok(passed)
}

pub(crate) fn filters_let_pass_what_they_name(names: &[PortName; 2]) -> anyhow::Result<()> {
    let mut bench = start(names)?;
    let group = Multicast::Groups(vec![GROUP]);
    for (filter, wanted) in [
        (Filter::default(), vec![0, 3]),
        (Filter { multicast: group.clone(), ..Filter::default() }, vec![0, 2, 3]),
        (Filter { multicast: Multicast::All, ..Filter::default() }, vec![0, 2, 3]),
        (Filter { unicast: vec![OTHER], ..Filter::default() }, vec![0, 1, 3]),
        (Filter { unicast: vec![OTHER], multicast: group, ..Filter::default() }, vec![0, 1, 2, 3]),
        (Filter::promiscuous(), vec![0, 1, 2, 3]),
        (Filter::default(), vec![0, 3]),
    ] {
        bench.b.control.set_filter(filter.clone())?;
        let passed = passing(&mut bench)?;
        ensure!(passed == wanted, "{filter:?} lets {passed:?} pass, {wanted:?} is right");
    }
    bench.stop()
}

pub(crate) fn vlan_tags_are_stripped_or_kept(names: &[PortName; 2]) -> anyhow::Result<()> {
    const TAG: u16 = 5 << 13 | 42;
    for vlan_tags in [VlanTags::Keep, VlanTags::Strip] {
        let mut bench = Bench::start(names, |pool| PortConfig { vlan_tags, ..PortConfig::new(pool, 64) })?;
        let mac = bench.b.control.info().mac;
        let plain: Vec<_> = (0..50).map(|number| numbered(mac, number, 64 + number as usize * 20)).collect();
        let tagged = plain.iter().map(|frame| {
            let tag = [0x81, 0x00, (TAG >> 8) as u8, TAG as u8];
            [&frame[..12], &tag, &frame[12..]].concat()
        });
        let tagged: Vec<_> = tagged.collect();
        let (tx, rx) = (&mut bench.a.queues.tx[0], &mut bench.b.queues.rx);
        exchange(&bench.pool, tx, rx, tagged.clone(), |_, place, packet| {
            let (tag, data) = match vlan_tags {
                VlanTags::Keep => (None, &tagged[place]),
                VlanTags::Strip => (Some(TAG), &plain[place]),
            };
            ensure!(packet.vlan_tag() == tag, "{vlan_tags:?}: tag {:x?}, {tag:x?} is right", packet.vlan_tag());
            ensure!(packet.data() == data, "{vlan_tags:?}: frame {place} arrives otherwise");
            Ok(())
        })?;
        bench.stop()?;
    }
    Ok(())
}

pub(crate) fn checksums_and_types_are_told(names: &[PortName; 2]) -> anyhow::Result<()> {
    let mut bench = start(names)?;
    let mac = bench.b.control.info().mac;
    let good: Vec<_> =
        Protocol::ALL.map(|protocol| (protocol, Flow { protocol, number: 3 }.frame(mac, b"payload of a flow"))).into();
    let bad = good.iter().map(|(protocol, frame)| {
        let mut frame = frame.clone();
        // The payload's first byte: the L4 checksum does not fit any more.
        let at = frame.windows(7).position(|part| part == b"payload").expect("it is there");
        frame[at] ^= 0x10;
        (*protocol, frame)
    });
    let all: Vec<_> = good.iter().cloned().chain(bad).collect();
    let (tx, rx) = (&mut bench.a.queues.tx[0], &mut bench.b.queues.rx);
    exchange(&bench.pool, tx, rx, all.iter().map(|(_, frame)| frame.clone()), |_, place, packet| {
        let (protocol, is_good) = (all[place].0, place < good.len());
        let (l3, l4) = match protocol {
            Protocol::Tcp4 => (L3::Ipv4, L4::Tcp),
            Protocol::Udp4 => (L3::Ipv4, L4::Udp),
            Protocol::Tcp6 => (L3::Ipv6, L4::Tcp),
            Protocol::Udp6 => (L3::Ipv6, L4::Udp),
        };
        let told = (packet.l3(), packet.l4());
        ensure!(told == (l3, l4), "{protocol:?}: the card sees {told:?}");
        // Some cards cannot tell a wrong UDP checksum from one that is not there, and say so.
        let verdicts: &[Checksum] = match (is_good, protocol.is_udp()) {
            (true, _) => &[Checksum::Good],
            (false, true) => &[Checksum::Bad, Checksum::Unchecked],
            (false, false) => &[Checksum::Bad],
        };
        let verdict = packet.l4_checksum();
        ensure!(verdicts.contains(&verdict), "{protocol:?}, good: {is_good}: the card's verdict is {verdict:?}");
        let ip = packet.ip_checksum();
        ensure!(l3 != L3::Ipv4 || ip == Checksum::Good, "{protocol:?}: IP checksum {ip:?}");
        Ok(())
    })?;
    // Not an IP frame: nothing is claimed.
    let plain = [SENDER; 3].map(|_| numbered(mac, 1, 64));
    let (tx, rx) = (&mut bench.a.queues.tx[0], &mut bench.b.queues.rx);
    exchange(&bench.pool, tx, rx, plain, |_, _, packet| {
        ensure!(packet.l4_checksum() == Checksum::Unchecked, "a verdict on a frame without checksum");
        Ok(())
    })?;
    bench.stop()
}
