//! Buffers in a card's hands.
// The card of these tests writes to the region's memory.
#![allow(unsafe_code)]

mod common;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use common::{FixedMapper, assert_all_home, fill, pool};
use gannet_mempool::buffers::{Arrival, RxBuffers, TxBuffers};
use gannet_mempool::dma::{DmaMapper, DmaTable, Iova};
use gannet_mempool::region::Region;
use gannet_mempool::{Burst, Checksum, Error, Flags, L3, L4, Metadata, Packet, Pool};

fn frame(len: u16) -> Arrival {
    Arrival::Frame { len, metadata: Metadata::default() }
}

/// What a card does: writes a frame to where the descriptor says.
fn device_write(region: &Region, offset: u64, bytes: &[u8]) {
    assert!(offset as usize + bytes.len() <= region.len());
    // SAFETY: within the region, and the buffer there is in the card's hands.
    unsafe { region.base().as_ptr().add(offset as usize).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

fn ends(rx: &RxBuffers) -> (u32, u32) {
    (rx.len(), rx.room())
}

#[test]
fn frames_come_in_the_order_of_their_descriptors_around_the_ring() {
    let pool = pool(64, 16);
    let mut rx = RxBuffers::new(pool.clone(), 8).unwrap();
    let mut descriptors = [0; 8];
    let mut burst = Burst::new(32);
    let (mut sent, mut received) = (0u8, 0u8);
    for count in [8, 1, 7, 3, 8, 5, 6, 2, 8, 8, 4] {
        let head = rx.head();
        let mut positions = Vec::new();
        let armed = rx.arm(u32::MAX, |position, offset| {
            positions.push(position);
            descriptors[position as usize % 8] = offset;
        });
        assert!(positions.into_iter().eq(head..head + armed));
        assert_eq!((ends(&rx), rx.head()), ((8, 0), head + armed));

        for at in 0..count {
            let position = u32::from(sent);
            device_write(pool.region(), descriptors[position as usize % 8], &[sent; 60]);
            sent += 1;
            assert_eq!(rx.receive(&mut burst, 0, |_| frame(60)), 0, "{at}");
        }
        // Two calls, the second ended by a descriptor that is not done.
        let inspect = |position| if position < u32::from(sent) { frame(60) } else { Arrival::Pending };
        assert_eq!(rx.receive(&mut burst, count / 2, inspect), count / 2);
        assert_eq!(rx.receive(&mut burst, u32::MAX, inspect), count - count / 2);
        assert_eq!(rx.receive(&mut burst, u32::MAX, |_| Arrival::Pending), 0);
        assert_eq!(burst.len() as u32, count);
        assert_eq!(pool.census().out, 8);
        while let Some(packet) = burst.pop_front() {
            assert_eq!(packet.data(), [received; 60]);
            assert_eq!((packet.headroom(), packet.tailroom()), (64, 452));
            received += 1;
        }
        assert_eq!(ends(&rx), (8 - count, count));
    }
    assert_eq!(sent, received);
    drop(rx);
    assert_all_home(&pool);
}

#[test]
fn no_more_are_armed_than_there_is_room_for() {
    let pool = pool(64, 16);
    let mut rx = RxBuffers::new(pool.clone(), 16).unwrap();
    assert_eq!((ends(&rx), rx.is_empty()), ((0, 16), true));
    assert_eq!(rx.arm(0, |_, _| unreachable!()), 0);
    assert_eq!(rx.arm(5, |_, _| {}), 5);
    assert_eq!(rx.arm(1000, |_, _| {}), 11);
    assert_eq!(rx.arm(1, |_, _| unreachable!()), 0);
    assert_eq!((ends(&rx), rx.is_empty(), pool.census().out), ((16, 0), false, 16));
}

#[test]
fn a_pool_that_ran_dry_arms_a_run_of_places_or_none() {
    let pool = pool(10, 4);
    let mut rx = RxBuffers::new(pool.clone(), 8).unwrap();
    let held: Vec<_> = (0..5).map(|_| pool.alloc().unwrap()).collect();
    // No room for the run of 8, none taken.
    assert_eq!(rx.arm(8, |_, _| unreachable!()), 0);
    assert_eq!(pool.census().out, 5);
    assert_eq!(rx.arm(5, |_, _| {}), 5);
    assert_eq!(rx.arm(1, |_, _| unreachable!()), 0);
    drop(held);

    // Three places up to the end of the array and five after: the first run is served, the second is not.
    let mut burst = Burst::new(8);
    assert_eq!(rx.receive(&mut burst, 5, |_| frame(1)), 5);
    assert_eq!((rx.head(), rx.room(), pool.census().out), (5, 8, 5));
    let held = pool.alloc();
    assert_eq!(rx.arm(8, |_, _| {}), 3);
    assert_eq!(pool.census().out, 9);
    drop((burst, held));
    assert_eq!(rx.arm(8, |_, _| {}), 5);
    drop(rx);
    assert_all_home(&pool);
}

#[test]
fn a_discarded_buffer_comes_home_and_the_next_frame_is_handed_on() {
    let pool = pool(16, 4);
    let mut rx = RxBuffers::new(pool.clone(), 8).unwrap();
    rx.arm(8, |_, _| {});
    let mut burst = Burst::new(8);
    // Positions 0, 3 and 6 are frames.
    let passed = rx.receive(&mut burst, 8, |position| match position % 3 {
        0 => frame(position as u16),
        _ => Arrival::Discard,
    });
    assert_eq!((passed, rx.len(), pool.census().out), (8, 0, 3));
    assert!(burst.iter().map(Packet::len).eq([0, 3, 6]));

    rx.arm(4, |_, _| {});
    assert_eq!(rx.receive(&mut burst, 3, |_| Arrival::Discard), 3);
    assert_eq!((rx.len(), burst.len(), pool.census().out), (1, 3, 4));
}

#[test]
fn a_burst_takes_no_more_than_its_room() {
    let pool = pool(16, 4);
    let mut rx = RxBuffers::new(pool.clone(), 8).unwrap();
    rx.arm(8, |_, _| {});
    let mut burst = Burst::new(4);
    assert!(pool.alloc_bulk(&mut burst, 1));
    assert_eq!(rx.receive(&mut burst, 8, |_| frame(1)), 3);
    assert_eq!(rx.receive(&mut burst, 8, |_| unreachable!()), 0);
    assert_eq!((burst.len(), rx.len()), (4, 5));
}

#[test]
fn lengths_beyond_the_data_room_are_cut() {
    let pool = pool(16, 4);
    let mut rx = RxBuffers::new(pool.clone(), 4).unwrap();
    rx.arm(4, |_, _| {});
    let mut burst = Burst::new(4);
    let lengths = [511, 512, 513, u16::MAX];
    rx.receive(&mut burst, 4, |position| frame(lengths[position as usize]));
    assert!(burst.iter().map(Packet::len).eq([511, 512, 512, 512]));
    assert!(burst.iter().map(Packet::tailroom).eq([1, 0, 0, 0]));
    burst.iter_mut().for_each(|packet| packet.data_mut().unwrap().fill(1));
}

#[test]
fn what_the_card_found_out_is_read_from_the_packet() {
    let pool = pool(4, 0);
    let mut rx = RxBuffers::new(pool, 4).unwrap();
    rx.arm(2, |_, _| {});
    let mut burst = Burst::new(4);
    let flags = [
        Flags::VLAN
            .with(Flags::L4_CHECKED.with(Flags::IP_CHECKED).with(Flags::L4_BAD))
            .with(Flags::headers(L3::Ipv6Extensions, L4::Sctp)),
        Flags::RSS
            .with(Flags::L4_CHECKED.with(Flags::IP_CHECKED).with(Flags::IP_BAD))
            .with(Flags::headers(L3::Ipv4Options, L4::Tcp)),
    ];
    rx.receive(&mut burst, 2, |position| Arrival::Frame {
        len: 60,
        metadata: Metadata { hash: 0xCAFE_F00D, vlan: 0x0FFF, flags: flags[position as usize] },
    });
    let (a, b) = (&burst[0], &burst[1]);
    assert_eq!((a.vlan_tag(), a.rss_hash()), (Some(0x0FFF), None));
    assert_eq!((a.ip_checksum(), a.l4_checksum()), (Checksum::Good, Checksum::Bad));
    assert_eq!((a.l3(), a.l4()), (L3::Ipv6Extensions, L4::Sctp));
    assert_eq!((b.vlan_tag(), b.rss_hash()), (None, Some(0xCAFE_F00D)));
    assert_eq!((b.ip_checksum(), b.l4_checksum()), (Checksum::Bad, Checksum::Good));
    assert_eq!((b.l3(), b.l4()), (L3::Ipv4Options, L4::Tcp));
}

#[test]
fn unknown_headers_and_doubtful_checksums_say_nothing() {
    let pool = pool(4, 0);
    let mut rx = RxBuffers::new(pool, 1).unwrap();
    rx.arm(1, |_, _| {});
    let mut burst = Burst::new(1);
    let metadata = Metadata { flags: Flags(0xFFFF), ..Metadata::default() };
    rx.receive(&mut burst, 1, |_| Arrival::Frame { len: 0, metadata });
    let packet = &burst[0];
    assert_eq!((packet.ip_checksum(), packet.l4_checksum()), (Checksum::Bad, Checksum::Unchecked));
    assert_eq!((packet.l3(), packet.l4()), (L3::Unknown, L4::Unknown));
}

#[test]
fn rings_of_impossible_sizes_are_refused() {
    let pool = pool(1, 0);
    for places in [0, 3, 24, (1 << 16) + 1, 1 << 17, u32::MAX] {
        for answer in [TxBuffers::new(places).map(drop), RxBuffers::new(pool.clone(), places).map(drop)] {
            let Err(Error::Invalid(text)) = answer else { panic!("{places} places accepted") };
            assert!(text.contains(&places.to_string()) && text.contains("65536"), "{text}");
        }
    }
    for places in [1, 2, 512, 1 << 16] {
        assert!(TxBuffers::new(places).is_ok() && RxBuffers::new(pool.clone(), places).is_ok());
    }
}

#[test]
fn a_ring_of_one_place_works() {
    let pool = pool(2, 0);
    let mut rx = RxBuffers::new(pool.clone(), 1).unwrap();
    let mut burst = Burst::new(1);
    for round in 0..5 {
        assert_eq!(rx.arm(2, |position, _| assert_eq!(position, round)), 1);
        assert_eq!(rx.receive(&mut burst, 2, |_| frame(1)), 1);
        burst.clear();
    }
    assert_all_home(&pool);
}

/// A transmit ring, and pools that its card reaches.
struct Transmit {
    mapper: Arc<FixedMapper>,
    dma: DmaTable,
    tx: TxBuffers,
}

impl Transmit {
    fn new(places: u32, pools: &[&Pool]) -> Transmit {
        let mapper = Arc::new(FixedMapper::default());
        let mut dma = DmaTable::new();
        for (pool, number) in pools.iter().zip(1..) {
            let iova = dma.map(pool, &(mapper.clone() as Arc<dyn DmaMapper>)).unwrap();
            assert_eq!(iova, Iova(number * FixedMapper::FIRST));
        }
        Transmit { mapper, dma, tx: TxBuffers::new(places).unwrap() }
    }

    /// Sends frames of 1 to 512 bytes; returns position, IOVA and length of each.
    fn send(&mut self, burst: &mut Burst, max: u32) -> Vec<(u32, u64, u16)> {
        let mut armed = Vec::new();
        let count = self.tx.send(burst, max, &self.dma, 1..=512, |position, segment| {
            armed.push((position, segment.iova, segment.len))
        });
        assert_eq!(count as usize, armed.len());
        armed
    }
}

/// A burst of frames of 1, 2, 3... bytes from these pools.
fn frames<'a>(pools: impl IntoIterator<Item = &'a Pool>) -> Burst {
    let mut burst = Burst::new(256);
    for pool in pools {
        let mut packet = pool.alloc().unwrap();
        packet.append(burst.len() + 1).unwrap();
        burst.push(packet).unwrap();
    }
    burst
}

#[test]
fn packets_are_armed_in_order_around_the_ring_with_the_address_of_their_data() {
    let pool = pool(64, 16);
    let mut transmit = Transmit::new(8, &[&pool]);
    let mut next = 0;
    for count in [8, 3, 5, 8, 1, 7, 6] {
        let mut burst = frames(std::iter::repeat_n(&pool, count));
        burst[0].prepend(14).unwrap();
        let base = pool.region().base().as_ptr() as usize;
        let iova_of = |packet: &Packet| FixedMapper::FIRST + (packet.data().as_ptr() as usize - base) as u64;
        let expected: Vec<_> =
            burst.iter().zip(next..).map(|(packet, at)| (at, iova_of(packet), packet.len() as u16)).collect();
        assert_eq!(transmit.send(&mut burst, u32::MAX), expected);
        assert!(burst.is_empty());
        next += count as u32;
        assert_eq!((transmit.tx.len(), transmit.tx.head()), (count as u32, next));
        assert_eq!(pool.census().out as usize, count);
        transmit.tx.release(1);
        assert_eq!(transmit.tx.tail(), next - count as u32 + 1);
        transmit.tx.release(u32::MAX);
        assert!(transmit.tx.is_empty());
        assert_all_home(&pool);
    }
}

#[test]
fn a_full_ring_leaves_the_rest_in_the_burst() {
    let pool = pool(64, 16);
    let mut transmit = Transmit::new(8, &[&pool]);
    let mut burst = frames(std::iter::repeat_n(&pool, 20));
    assert_eq!(transmit.send(&mut burst, 3).len(), 3);
    assert_eq!(transmit.send(&mut burst, 100).len(), 5);
    assert_eq!(transmit.send(&mut burst, 100).len(), 0);
    assert_eq!((burst.len(), burst[0].len()), (12, 9));
    transmit.tx.release(2);
    assert_eq!(transmit.send(&mut burst, 100).len(), 2);
    assert_eq!((burst.len(), burst[0].len(), pool.census().out), (10, 11, 18));
    drop((burst, transmit));
    assert_all_home(&pool);
}

#[test]
fn packets_of_several_pools_go_in_one_burst_and_come_home_to_theirs() {
    let (a, b, c) = (pool(64, 16), pool(64, 0), pool(600, 512));
    let mut transmit = Transmit::new(512, &[&a, &b, &c]);
    let mut burst = frames([&a, &b, &b, &c, &a, &c, &a]);
    let segments: Vec<_> = transmit.send(&mut burst, 100).iter().map(|(_, iova, _)| iova >> 32).collect();
    assert_eq!(segments, [1, 2, 2, 3, 1, 3, 1]);
    assert_eq!([&a, &b, &c].map(|pool| pool.census().out), [3, 2, 2]);
    transmit.tx.release(3);
    assert_eq!([&a, &b, &c].map(|pool| pool.census().out), [2, 0, 2]);
    // A long run of one pool behind: longer than what is released at once.
    for _ in 0..3 {
        transmit.send(&mut frames(std::iter::repeat_n(&c, 150)), 256);
    }
    assert_eq!(transmit.tx.len(), 454);
    transmit.tx.release(454);
    for pool in [&a, &b, &c] {
        assert_all_home(pool);
    }
}

#[test]
fn a_packet_that_the_card_cannot_reach_stops_the_burst() {
    let (known, unknown) = (pool(64, 16), pool(64, 16));
    let mut transmit = Transmit::new(8, &[&known]);
    let mut burst = frames([&known, &known, &unknown, &known]);
    assert_eq!(transmit.send(&mut burst, 100).len(), 2);
    assert_eq!(transmit.send(&mut burst, 100).len(), 0);
    assert_eq!(burst.len(), 2);
    drop(burst.pop_front());
    assert_eq!(transmit.send(&mut burst, 100).len(), 1);
}

#[test]
fn a_length_that_the_card_cannot_send_stops_the_burst() {
    let pool = pool(64, 16);
    let mut transmit = Transmit::new(64, &[&pool]);
    let mut send = |burst: &mut Burst, lengths| transmit.tx.send(burst, 100, &transmit.dma, lengths, |_, _| {});
    // Lengths 1 to 20.
    let mut burst = frames(std::iter::repeat_n(&pool, 20));
    assert_eq!(send(&mut burst, 2..=20), 0);
    assert_eq!(send(&mut burst, 1..=7), 7);
    assert_eq!(burst[0].len(), 8);
    assert_eq!(send(&mut burst, 9..=u16::MAX), 0);
    assert_eq!(send(&mut burst, 8..=8), 1);
    assert_eq!(send(&mut burst, 0..=19), 11);
    assert_eq!(burst.len(), 1);
    #[allow(clippy::reversed_empty_ranges)]
    let none = 20..=1;
    assert_eq!(send(&mut burst, none), 0);
    assert_eq!(send(&mut burst, 0..=u16::MAX), 1);
    // An empty packet is of length 0.
    assert!(pool.alloc_bulk(&mut burst, 1));
    assert_eq!(send(&mut burst, 1..=u16::MAX), 0);
    assert_eq!(send(&mut burst, 0..=u16::MAX), 1);
}

#[test]
fn a_sent_buffer_is_received_into_next() {
    let pool = pool(64, 16);
    let mut transmit = Transmit::new(8, &[&pool]);
    let mut burst = frames([&pool]);
    let (_, iova, _) = transmit.send(&mut burst, 1)[0];
    transmit.tx.release(1);
    let mut rx = RxBuffers::new(pool.clone(), 8).unwrap();
    rx.arm(1, |_, offset| assert_eq!(offset, iova - FixedMapper::FIRST));
}

#[test]
fn dropped_rings_bring_all_home() {
    let pool = pool(64, 16);
    let mut transmit = Transmit::new(8, &[&pool]);
    let mut rx = RxBuffers::new(pool.clone(), 16).unwrap();
    for _ in 0..3 {
        let mut burst = frames(std::iter::repeat_n(&pool, 5));
        transmit.send(&mut burst, 100);
        transmit.tx.release(3);
        rx.arm(16, |_, _| {});
        rx.receive(&mut burst, 7, |_| frame(1));
    }
    // The third burst found room for four.
    assert_eq!(pool.census().out, 5 + 9);
    drop((rx, transmit));
    assert_all_home(&pool);
}

#[test]
fn rings_and_tables_keep_the_pool_and_its_mapping() {
    let pool = pool(64, 16);
    let memory = Arc::downgrade(pool.region());
    let mut transmit = Transmit::new(8, &[&pool]);
    let mut rx = RxBuffers::new(pool.clone(), 8).unwrap();
    rx.arm(8, |_, _| {});
    transmit.send(&mut frames([&pool]), 1);
    drop(pool);
    drop(rx);
    let (Transmit { mapper, dma, tx }, other) = (transmit, RxBuffers::new(common::pool(1, 0), 1));
    let again = dma.clone();
    drop(dma);
    assert_eq!((mapper.mapped.lock().unwrap().len(), memory.strong_count() > 0), (1, true));
    drop(again);
    assert!(mapper.mapped.lock().unwrap().is_empty(), "unmapped with the last table");
    assert_eq!(memory.strong_count(), 1, "a sent buffer keeps the pool");
    drop(tx);
    assert_eq!(memory.strong_count(), 0);
    drop(other);
}

#[test]
fn a_pool_is_mapped_once() {
    let (a, b) = (pool(1, 0), pool(1, 0));
    let mut transmit = Transmit::new(8, &[&a, &b]);
    let mapper: Arc<dyn DmaMapper> = transmit.mapper.clone();
    assert_eq!(transmit.dma.map(&a, &mapper).unwrap(), Iova(FixedMapper::FIRST));
    assert_eq!(transmit.dma.map(&b, &mapper).unwrap(), Iova(2 * FixedMapper::FIRST));
    assert_eq!(transmit.mapper.mapped.lock().unwrap().len(), 2);
}

/// Drivers do not panic; should one, nothing has two owners and nothing is lost.
#[test]
fn a_panic_in_a_closure_loses_no_buffer_and_doubles_none() {
    let pool = pool(64, 16);
    let mut transmit = Transmit::new(8, &[&pool]);
    let mut rx = RxBuffers::new(pool.clone(), 8).unwrap();
    let calls = Cell::new(0);
    let third = || {
        calls.set(calls.get() + 1);
        assert_ne!(calls.get() % 3, 0);
    };
    let mut burst = frames(std::iter::repeat_n(&pool, 5));
    let Transmit { dma, tx, .. } = &mut transmit;
    let sent = catch_unwind(AssertUnwindSafe(|| tx.send(&mut burst, 5, dma, 1..=512, |_, _| third())));
    let after_send = (burst.len(), tx.len(), pool.census().out);
    let armed = catch_unwind(AssertUnwindSafe(|| rx.arm(8, |_, _| third())));
    let after_arm = (rx.len(), pool.census().out);
    let received = catch_unwind(AssertUnwindSafe(|| {
        rx.receive(&mut burst, 8, |_| {
            third();
            frame(1)
        })
    }));
    assert!(sent.is_err() && armed.is_err() && received.is_err());
    assert_eq!(after_send, (5, 0, 5));
    assert_eq!(after_arm, (8, 13));
    assert_eq!((burst.len(), rx.len(), pool.census().out), (5, 8, 13));
    burst.iter_mut().for_each(|packet| fill(packet, b"still there"));
    drop((burst, rx, transmit));
    assert_all_home(&pool);
}
