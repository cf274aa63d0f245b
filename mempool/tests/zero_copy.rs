//! Sending without a copy: foreign memory that the card reads, completions, and what is copied where that cannot be.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use common::{FixedMapper, assert_all_home, chain, content, drain, fill, frame, lent, pool};
use gannet_mempool::buffers::{Obstacle, Segment, TxBuffers};
use gannet_mempool::dma::{DmaMapper, DmaTable, External};
use gannet_mempool::{Account, Burst, Completion, Packet, Pool, Refused};

/// A transmit ring of eight places whose card reaches `pool`.
struct Transmit {
    mapper: Arc<dyn DmaMapper>,
    dma: DmaTable,
    tx: TxBuffers,
}

impl Transmit {
    fn new(pool: &Pool) -> Transmit {
        let mapper: Arc<dyn DmaMapper> = Arc::new(FixedMapper::default());
        let mut dma = DmaTable::new();
        dma.map(pool, &mapper).unwrap();
        Transmit { mapper, dma, tx: TxBuffers::new(8).unwrap() }
    }

    /// Sends one packet; comes back if the card does not take it.
    fn send(&mut self, packet: Packet) -> Result<Vec<Segment>, Packet> {
        let mut burst = Burst::new(1);
        burst.push(packet).unwrap();
        let mut armed = Vec::new();
        let sent = self.tx.send(&mut burst, u32::MAX, &self.dma, 0..=u16::MAX, |_, segment| armed.push(segment));
        match burst.pop_front() {
            None => {
                assert_eq!(sent, 1);
                Ok(armed)
            }
            Some(packet) => {
                assert_eq!((sent, armed.len()), (0, 0));
                Err(packet)
            }
        }
    }

    fn obstacle(&self, packet: &Packet) -> Option<Obstacle> {
        self.tx.obstacle(packet, 8, &self.dma, &(0..=u16::MAX))
    }
}

fn foreign(pool: &Pool, memory: &External) -> Packet {
    Packet::from_external(pool, memory, 0, memory.len()).unwrap()
}

#[test]
fn mapped_memory_is_sent_from_where_it_lies() {
    let pool = pool(8, 2);
    let mut transmit = Transmit::new(&pool);
    let (memory, releases) = lent(&[9; 3000]);
    memory.map(&transmit.mapper).unwrap();
    let iova = memory.iova(&transmit.mapper).unwrap().0;
    let mut packet = foreign(&pool, &memory);
    let (completion, token) = Completion::new();
    packet.complete_with(token).unwrap();
    packet.adjust(100).unwrap();
    let armed = transmit.send(packet).unwrap();
    assert_eq!(armed, [Segment { iova: iova + 100, len: 2900, frame_len: 2900, is_last: true }]);

    assert!(memory.unmap(&transmit.mapper).is_err(), "a card may be reading");
    drop(memory);
    assert_eq!((completion.is_done(), releases.load(SeqCst)), (false, 0));
    transmit.tx.release(1);
    assert_eq!((completion.is_done(), completion.copied(), releases.load(SeqCst)), (true, 0, 1));
    assert_all_home(&pool);
}

#[test]
fn memory_that_the_card_cannot_reach_is_not_sent() {
    let pool = pool(8, 2);
    let mut transmit = Transmit::new(&pool);
    let (memory, _) = lent(b"not mapped");
    let packet = transmit.send(foreign(&pool, &memory)).unwrap_err();
    assert_eq!((transmit.obstacle(&packet), packet.data()), (Some(Obstacle::Unreachable), &b"not mapped"[..]));
    memory.map(&transmit.mapper).unwrap();
    assert_eq!(transmit.obstacle(&packet), None);
    transmit.send(packet).unwrap();
}

#[test]
fn a_bounce_pool_takes_a_copy_of_what_the_card_cannot_reach() {
    let (pool, bounce) = (pool(8, 2), pool(2, 0));
    let mut transmit = Transmit::new(&pool);
    transmit.dma.bounce_into(&bounce, &transmit.mapper).unwrap();
    let account = Account::new("bounce", 5).unwrap();
    let (memory, releases) = lent(b" and foreign");
    let (completion, token) = Completion::new();
    let mut packet = frame(&pool, b"own");
    packet.charge(&account).unwrap();
    packet.complete_with(token).unwrap();
    packet.append_segment(foreign(&pool, &memory)).unwrap();
    drop(memory);

    let armed = transmit.send(packet).unwrap();
    assert_eq!(armed.iter().map(|segment| (segment.len, segment.is_last)).collect::<Vec<_>>(), [(15, true)]);
    assert_eq!((pool.census().out, bounce.census().out, releases.load(SeqCst)), (0, 1, 1));
    assert_eq!((account.usage().held, completion.is_done(), completion.copied()), (1, false, 1));
    transmit.tx.release(1);
    assert_eq!((account.usage().held, completion.is_done()), (0, true));
    assert_all_home(&bounce);
}

#[test]
fn without_room_in_the_bounce_pool_the_packet_waits_unchanged() {
    let (pool, bounce) = (pool(8, 2), pool(1, 0));
    let mut transmit = Transmit::new(&pool);
    transmit.dma.bounce_into(&bounce, &transmit.mapper).unwrap();
    let (memory, _) = lent(&[4; 513]);
    let (completion, token) = Completion::new();
    let mut packet = foreign(&pool, &memory);
    packet.complete_with(token).unwrap();

    let mut packet = transmit.send(packet).expect_err("longer than a buffer of the bounce pool");
    assert_eq!((transmit.obstacle(&packet), bounce.census().out), (Some(Obstacle::Unreachable), 0));
    packet.trim(1).unwrap();
    let taken = drain(&bounce);
    let packet = transmit.send(packet).expect_err("no buffer");
    assert_eq!((packet.data(), packet.is_foreign(), completion.copied()), (&[4; 512][..], true, 0));
    drop(taken);
    transmit.send(packet).unwrap();
    assert_eq!((completion.copied(), completion.is_done()), (1, false));
}

#[test]
fn a_frame_takes_a_place_for_each_segment_and_goes_home_with_the_last() {
    let pool = pool(16, 4);
    let mut transmit = Transmit::new(&pool);
    let (completion, token) = Completion::new();
    let mut packet = chain(&pool, &[b"one", b"", b"three", b""]);
    packet.complete_with(token).unwrap();
    let base = pool.region().base().as_ptr() as u64;
    let address = |bytes: &[u8]| FixedMapper::FIRST + bytes.as_ptr() as u64 - base;
    let expected: Vec<_> = packet.segments().filter(|bytes| !bytes.is_empty()).map(address).collect();
    let armed = transmit.send(packet).unwrap();
    assert!(armed.iter().map(|segment| segment.iova).eq(expected));
    assert!(armed.iter().map(|segment| (segment.len, segment.is_last)).eq([(3, false), (5, true)]));
    assert!(armed.iter().all(|segment| segment.frame_len == 8));
    assert_eq!((transmit.tx.len(), pool.census().out), (2, 4));
    transmit.tx.release(1);
    assert_eq!((completion.is_done(), pool.census().out), (false, 4));
    transmit.tx.release(1);
    assert_eq!((completion.is_done(), pool.census().out), (true, 0));
}

/// Without any bytes a frame has a place too: a card counts descriptors, and the buffer must come home.
#[test]
fn a_frame_without_bytes_is_sent_and_comes_home() {
    let pool = pool(16, 4);
    let mut transmit = Transmit::new(&pool);
    let account = Account::new("empty", 5).unwrap();
    for segments in [&[&b""[..]][..], &[b"", b""]] {
        let mut packet = chain(&pool, segments);
        packet.charge(&account).unwrap();
        let armed = transmit.send(packet).unwrap();
        assert!(armed.iter().map(|segment| (segment.len, segment.frame_len, segment.is_last)).eq([(0, 0, true)]));
        assert_eq!((transmit.tx.len(), account.usage().held), (1, 1));
        transmit.tx.release(1);
        assert_eq!((pool.census().out, account.usage().held), (0, 0));
    }
}

#[test]
fn what_stands_in_the_way_of_a_packet_is_told() {
    let pool = pool(32, 4);
    let mut transmit = Transmit::new(&pool);
    let three = || chain(&pool, &[b"a", b"b", b"c"]);
    for _ in 0..2 {
        transmit.send(three()).unwrap();
    }
    let packet = transmit.send(three()).unwrap_err();
    assert_eq!(transmit.obstacle(&packet), Some(Obstacle::Full));
    let told = |places, lengths| transmit.tx.obstacle(&packet, places, &transmit.dma, &lengths);
    assert_eq!(told(2, 0..=100), Some(Obstacle::Segments));
    assert_eq!((told(8, 4..=100), told(8, 0..=2)), (Some(Obstacle::Length), Some(Obstacle::Length)));
    // Places are free as they are done with, buffers when the whole frame is.
    transmit.tx.release(1);
    transmit.send(packet).unwrap();
    assert_eq!(pool.census().out, 9);
    transmit.tx.release(2);
    assert_eq!(pool.census().out, 6);
    drop(transmit);
    assert_all_home(&pool);
}

#[test]
fn a_shared_packet_is_sent_and_kept() {
    let pool = pool(8, 2);
    let mut transmit = Transmit::new(&pool);
    let (completion, token) = Completion::new();
    let mut packet = chain(&pool, &[b"once ", b"more"]);
    packet.complete_with(token).unwrap();
    let mut kept = packet.share();
    transmit.send(packet).unwrap();
    transmit.send(kept.share()).unwrap();
    // What the card reads is not written to.
    kept.data_mut().unwrap().make_ascii_uppercase();
    assert_eq!((content(&kept), pool.census().out), (b"ONCE more".to_vec(), 3));
    transmit.tx.release(2);
    assert!(!completion.is_done(), "the card has the buffer a second time");
    transmit.tx.release(2);
    assert!(completion.is_done());
    drop(kept);
    assert_all_home(&pool);
}

#[test]
fn a_completion_waits_for_all_its_packets_wherever_they_go() {
    let pool = pool(16, 4);
    let mut transmit = Transmit::new(&pool);
    let (completion, token) = Completion::new();
    let mut packets: Vec<_> = (0..4).map(|_| frame(&pool, b"frame")).collect();
    for packet in &mut packets {
        packet.complete_with(token.clone()).unwrap();
    }
    assert_eq!(completion.pending(), 5);
    drop(token);
    transmit.send(packets.pop().unwrap()).unwrap();
    drop(packets.pop());
    assert_eq!(completion.pending(), 3);
    let mut head = frame(&pool, b"head");
    head.append_segment(packets.pop().unwrap()).unwrap();
    drop(head);
    let last = packets.pop().unwrap();
    std::thread::spawn(move || drop(last)).join().unwrap();
    assert_eq!((completion.pending(), completion.is_done()), (1, false));
    drop(transmit);
    assert_eq!((completion.pending(), completion.is_done(), completion.copied()), (0, true, 0));
}

#[test]
fn the_token_of_a_shared_packet_stays_with_the_bytes() {
    let pool = pool(8, 2);
    let (completion, token) = Completion::new();
    let mut packet = frame(&pool, b"frame");
    packet.complete_with(token).unwrap();
    let mut share = packet.share();
    let (unused, token) = Completion::new();
    assert_eq!(share.complete_with(token).unwrap_err(), Refused::Shared);
    assert!(unused.is_done());
    share.data_mut().unwrap().fill(0);
    drop(share);
    assert!(!completion.is_done());
    let rest = packet.split(2).unwrap();
    drop(rest);
    assert!(!completion.is_done());
    drop(packet);
    assert!(completion.is_done());

    // A second token takes the place of the first.
    let mut packet = frame(&pool, b"frame");
    let [(first, a), (second, b)] = [Completion::new(), Completion::new()];
    packet.complete_with(a).unwrap();
    packet.complete_with(b).unwrap();
    assert_eq!((first.is_done(), second.is_done()), (true, false));
}

#[test]
fn a_completion_waits_for_packets_that_share_what_is_behind() {
    let pool = pool(8, 2);
    let (memory, _) = lent(b"foreign");
    // The copy of the head shares what is behind with the head that the token is about.
    let (completion, token) = Completion::new();
    let mut packet = frame(&pool, b"head");
    packet.append_segment(foreign(&pool, &memory)).unwrap();
    packet.complete_with(token).unwrap();
    let mut kept = packet.share();
    kept.data_mut().unwrap().fill(0);
    drop(packet);
    assert!(!completion.is_done(), "the frame's bytes are still read");
    drop(kept);
    assert!(completion.is_done());

    // What is behind is copied, and others still read it.
    let (completion, token) = Completion::new();
    let (of_tail, tails) = Completion::new();
    let mut packet = frame(&pool, b"head");
    let mut tail = foreign(&pool, &memory);
    tail.complete_with(tails).unwrap();
    packet.append_segment(tail).unwrap();
    packet.complete_with(token).unwrap();
    let kept = packet.share();
    packet.linearize().unwrap();
    drop(packet);
    assert!(!of_tail.is_done() && !completion.is_done(), "the other one has the foreign bytes");
    drop(kept);
    assert!(of_tail.is_done() && completion.is_done());
    assert_all_home(&pool);
}

#[test]
fn a_copy_of_foreign_bytes_takes_the_token_along() {
    let pool = pool(8, 2);
    let (memory, releases) = lent(b"foreign");
    let (completion, token) = Completion::new();
    let mut packet = foreign(&pool, &memory);
    drop(memory);
    packet.complete_with(token).unwrap();
    fill_in_place(&mut packet);
    assert_eq!((releases.load(SeqCst), completion.is_done(), completion.copied()), (1, false, 1));
    drop(packet);
    assert!(completion.is_done());
}

fn fill_in_place(packet: &mut Packet) {
    packet.make_own().unwrap();
    fill(packet, b"now its own");
}

/// Plain packets and those with notes in one burst, in the order in which they were put there.
#[test]
fn bursts_of_every_kind_are_sent_in_order() {
    let pool = pool(64, 16);
    let mut transmit = Transmit::new(&pool);
    transmit.tx = TxBuffers::new(64).unwrap();
    let (memory, releases) = lent(&[8; 6]);
    memory.map(&transmit.mapper).unwrap();
    let mut burst = Burst::new(64);
    let mut expected = Vec::new();
    for round in 1..=8u16 {
        let mut kinds = [
            frame(&pool, &vec![0; usize::from(round)]),
            chain(&pool, &[b"1", b"22"]),
            foreign(&pool, &memory),
            frame(&pool, b"4444"),
        ];
        kinds.rotate_left(usize::from(round) % 4);
        for packet in kinds {
            expected.extend(packet.segments().map(|bytes| bytes.len() as u16));
            burst.push(packet).unwrap();
        }
    }
    drop(memory);
    let mut armed = Vec::new();
    let mut positions = 0..64;
    let sent = transmit.tx.send(&mut burst, u32::MAX, &transmit.dma, 1..=9, |position, segment| {
        assert_eq!(Some(position), positions.next());
        armed.push(segment.len);
    });
    assert_eq!((sent, armed), (32, expected));
    for _ in 0..40 {
        transmit.tx.release(1);
    }
    assert_eq!(releases.load(SeqCst), 1);
    assert_all_home(&pool);
}

#[test]
fn the_completion_of_a_payload_waits_for_the_bounced_frame_and_tells_of_the_copy() {
    let (pool, bounce) = (pool(8, 0), pool(8, 0));
    let (memory, _) = lent(b"bytes of a payload");
    let mut dma = DmaTable::new();
    let mapper: Arc<dyn DmaMapper> = Arc::new(FixedMapper::default());
    dma.map(&pool, &mapper).unwrap();
    dma.bounce_into(&bounce, &mapper).unwrap();
    let mut tx = TxBuffers::new(8).unwrap();
    let mut packet = pool.alloc().unwrap();
    fill(&mut packet, b"header");
    let (completion, token) = Completion::new();
    let mut payload = Packet::from_external(&pool, &memory, 0, 16).unwrap();
    assert!(payload.complete_with(token).unwrap().is_none());
    packet.append_segment(payload).unwrap();
    let mut burst = Burst::new(1);
    burst.push(packet).unwrap();
    assert_eq!(tx.send(&mut burst, 8, &dma, 1..=512, |_, _| {}), 1);
    assert_eq!((completion.is_done(), completion.copied()), (false, 1));
    tx.release(8);
    assert!(completion.is_done());
}
