//! Frames of several segments: built, looked at, cut and made one.

mod common;

use common::{assert_all_home, chain, content, drain, fill, frame, lent, pool};
use gannet_mempool::{Account, Burst, Packet, Refused, Request};

const PARTS: [&[u8]; 3] = [b"first segment, ", b"the second of them, ", b"and the last"];

fn whole() -> Vec<u8> {
    PARTS.concat()
}

/// Ways to make the frame of [`PARTS`]: plain, and with segments that are foreign.
fn frames(pool: &gannet_mempool::Pool) -> Vec<Packet> {
    let (memory, _) = lent(&whole());
    let foreign = |part: usize| {
        let start = PARTS[..part].concat().len();
        Packet::from_external(pool, &memory, start, PARTS[part].len()).unwrap()
    };
    let mut middle = frame(pool, PARTS[0]);
    middle.append_segment(foreign(1)).unwrap();
    middle.append_segment(frame(pool, PARTS[2])).unwrap();
    let mut all = foreign(0);
    all.append_segment(foreign(1)).unwrap();
    all.append_segment(foreign(2)).unwrap();
    vec![chain(pool, &PARTS), middle, all]
}

#[test]
fn segments_come_in_their_order() {
    let pool = pool(16, 2);
    for packet in frames(&pool) {
        assert!(packet.segments().eq(PARTS));
        assert_eq!((packet.total_len(), packet.len()), (whole().len(), PARTS[0].len()));
    }
    assert_eq!(frame(&pool, b"alone").segments().collect::<Vec<_>>(), [b"alone"]);
    assert_all_home(&pool);
}

#[test]
fn chains_are_appended_whole_and_taken_off_whole() {
    let pool = pool(8, 2);
    let mut packet = frame(&pool, b"a");
    assert!(packet.detach_tail().unwrap().is_none());
    packet.append_segment(chain(&pool, &[b"b", b"c"])).unwrap();
    packet.append_segment(chain(&pool, &[b"d", b"e"])).unwrap();
    assert_eq!((content(&packet), pool.census().out), (b"abcde".to_vec(), 5));
    let tail = packet.detach_tail().unwrap().unwrap();
    assert_eq!((content(&packet), content(&tail)), (b"a".to_vec(), b"bcde".to_vec()));
    assert!(packet.detach_tail().unwrap().is_none());
    drop(packet);
    assert_eq!(pool.census().out, 4);
    drop(tail);
    assert_all_home(&pool);
}

#[test]
fn the_first_segment_is_changed_alone() {
    let pool = pool(8, 2);
    let mut packet = chain(&pool, &PARTS);
    packet.adjust(6).unwrap();
    packet.trim(2).unwrap();
    packet.prepend(4).unwrap().copy_from_slice(b"the ");
    packet.append(5).unwrap().copy_from_slice(b" and ");
    assert_eq!(content(&packet), b"the segment and the second of them, and the last");
    assert_eq!(packet.trim(100), Err(Refused::NoRoom { wanted: 100, available: 16 }));
}

#[test]
fn nothing_is_appended_to_what_others_have_too() {
    let pool = pool(8, 2);
    let mut packet = chain(&pool, &[b"a", b"b"]);
    let share = packet.share();
    let (why, segment) = packet.append_segment(frame(&pool, b"c")).unwrap_err();
    assert_eq!((why, segment.data()), (Refused::Shared, &b"c"[..]));
    assert!(matches!(packet.detach_tail(), Err(Refused::Shared)));
    assert!(matches!(packet.split(0), Err(Refused::Shared)));
    assert_eq!((content(&packet), content(&share)), (b"ab".to_vec(), b"ab".to_vec()));
    drop(share);
    packet.append_segment(segment).unwrap();
    assert_eq!(content(&packet), b"abc");
}

#[test]
fn a_tail_that_others_have_too_can_be_behind_but_not_be_changed() {
    let pool = pool(8, 2);
    let mut tail = chain(&pool, &[b"tail ", b"end"]);
    let mut packets = [b"one ", b"two "].map(|head| {
        let mut packet = frame(&pool, head);
        packet.append_segment(tail.share()).unwrap();
        packet
    });
    assert_eq!(pool.census().out, 4);
    let [one, two] = &mut packets;
    assert_eq!((content(one), content(two)), (b"one tail end".to_vec(), b"two tail end".to_vec()));
    assert_eq!(one.append_segment(frame(&pool, b"x")).unwrap_err().0, Refused::Shared);
    // Cut at the boundary, not through the shared segment; linearized from it.
    assert!(matches!(one.split(6), Err(Refused::Shared)));
    assert_eq!(content(one), b"one tail end");
    one.linearize().unwrap();
    assert_eq!((one.data(), content(two), pool.census().out), (&b"one tail end"[..], b"two tail end".to_vec(), 4));
    let rest = two.split(4).unwrap().unwrap();
    assert_eq!((content(two), content(&rest)), (b"two ".to_vec(), b"tail end".to_vec()));
    drop((rest, packets));
    assert_eq!((content(&tail), tail.is_shared()), (b"tail end".to_vec(), false));
    drop(tail);
    assert_all_home(&pool);
}

#[test]
fn a_frame_is_split_at_every_byte() {
    let pool = pool(16, 4);
    let whole = whole();
    for at in (0..=whole.len() + 2).step_by(if cfg!(miri) { 12 } else { 1 }) {
        for mut packet in frames(&pool) {
            let rest = packet.split(at).unwrap();
            let cut = at.min(whole.len());
            assert_eq!(content(&packet), whole[..cut], "cut at {at}");
            assert_eq!(rest.as_ref().map_or(vec![], content), whole[cut..], "cut at {at}");
            assert_eq!(rest.is_some(), at < whole.len(), "no empty rest");
            // Both are the owner's alone: they can be put together again, and written.
            if let Some(rest) = rest {
                packet.append_segment(rest).unwrap();
                assert_eq!(content(&packet), whole);
            }
            packet.data_mut().unwrap().fill(0);
            assert!(packet.segments().nth(1).is_none_or(|bytes| !bytes.contains(&0)));
        }
        assert_all_home(&pool);
    }
}

#[test]
fn a_split_that_finds_no_buffer_changes_nothing() {
    let pool = pool(3, 0);
    let mut packet = chain(&pool, &PARTS);
    for at in [0, 1, 20, whole().len() - 1] {
        assert!(matches!(packet.split(at), Err(Refused::NoBuffer)), "cut at {at}");
        assert_eq!(content(&packet), whole());
    }
    // At a boundary nothing has to be copied.
    let rest = packet.split(PARTS[0].len()).unwrap().unwrap();
    assert_eq!(content(&rest), [PARTS[1], PARTS[2]].concat());
}

#[test]
fn both_parts_of_a_split_packet_are_charged() {
    let pool = pool(8, 2);
    let account = Account::new("split", 3).unwrap();
    let (memory, _) = lent(b"foreign");
    let own = frame(&pool, b"own");
    let foreign = Packet::from_external(&pool, &memory, 0, 7).unwrap();
    for mut packet in [own, foreign] {
        packet.charge(&account).unwrap();
        let rest = packet.split(1).unwrap().unwrap();
        assert_eq!(account.usage().held, 2);
        drop((packet, rest));
        assert_eq!(account.usage().held, 0);
    }
    let request = Request { account: Some(&account), ..Request::default() };
    let mut burst = Burst::new(3);
    pool.alloc_bulk_with(&request, &mut burst, 3).unwrap();
    fill(&mut burst[0], b"one");
    assert!(matches!(burst[0].split(1), Err(Refused::OverLimit(_))));
    assert_eq!((burst[0].data(), account.usage().held), (&b"one"[..], 3));
}

/// First segment of 500 bytes with 12 bytes left behind it, and `behind` more in two segments.
fn almost_full(pool: &gannet_mempool::Pool, behind: usize) -> Packet {
    chain(pool, &[&[1; 500], &[2; 3], &vec![3; behind - 3]])
}

#[test]
fn a_frame_that_just_fits_is_made_one_segment() {
    let pool = pool(16, 2);
    let mut packet = almost_full(&pool, 12);
    let expected = content(&packet);
    packet.linearize().unwrap();
    assert_eq!((packet.data(), packet.tailroom(), pool.census().out), (&expected[..], 0, 1));
    packet.linearize().unwrap();
    assert_eq!(packet.data(), expected);
    for mut packet in frames(&pool) {
        packet.linearize().unwrap();
        assert_eq!((packet.data(), packet.is_foreign()), (&whole()[..], false));
        packet.data_mut().unwrap().fill(0);
    }
    drop(packet);
    assert_all_home(&pool);
}

#[test]
fn a_frame_that_is_one_byte_too_long_stays_as_it_is() {
    let pool = pool(8, 2);
    let mut packet = almost_full(&pool, 13);
    let expected = content(&packet);
    assert_eq!(packet.linearize(), Err(Refused::NoRoom { wanted: 13, available: 12 }));
    assert_eq!((content(&packet), packet.segments().count()), (expected.clone(), 3));
    let share = packet.share();
    assert_eq!(packet.linearize(), Err(Refused::NoRoom { wanted: 13, available: 12 }));
    assert_eq!((content(&packet), content(&share)), (expected.clone(), expected));
    drop((packet, share));
    assert_all_home(&pool);
}

#[test]
fn a_shared_frame_is_made_one_segment_for_one_owner_alone() {
    let pool = pool(8, 2);
    let mut packet = chain(&pool, &PARTS);
    let share = packet.share();
    let rest = drain(&pool);
    assert_eq!(packet.linearize(), Err(Refused::NoBuffer));
    assert_eq!((content(&packet), packet.segments().count()), (whole(), 3));
    drop(rest);
    packet.linearize().unwrap();
    assert_eq!((packet.data(), packet.segments().count()), (&whole()[..], 1));
    assert_eq!((content(&share), share.segments().count()), (whole(), 3));
    drop((packet, share));
    assert_all_home(&pool);
}

/// As long as a frame never is: no operation may need a stack as long as the chain.
#[test]
fn a_chain_of_ten_thousand_segments_needs_no_stack() {
    const SEGMENTS: usize = if cfg!(miri) { 30 } else { 10_000 };
    let pool = pool(SEGMENTS as u32 + 1, 64);
    let build = || {
        let mut packet = frame(&pool, &[0]);
        for number in 1..SEGMENTS {
            let mut front = frame(&pool, &[number as u8]);
            front.append_segment(packet).unwrap();
            packet = front;
        }
        packet
    };
    let on_small_stack = |work: fn(Packet)| {
        let packet = build();
        assert_eq!((packet.total_len(), pool.census().out as usize), (SEGMENTS, SEGMENTS));
        std::thread::Builder::new().stack_size(128 << 10).spawn(move || work(packet)).unwrap().join().unwrap();
        assert_all_home(&pool);
    };
    on_small_stack(drop);
    on_small_stack(|mut packet| {
        let share = packet.share();
        packet.make_own().unwrap();
        drop(share);
        drop(packet);
    });
    on_small_stack(|mut packet| {
        let rest = packet.split(SEGMENTS - 1).unwrap().unwrap();
        assert_eq!((packet.total_len(), rest.total_len()), (SEGMENTS - 1, 1));
    });
    on_small_stack(|mut packet| {
        assert_eq!(packet.linearize().is_ok(), SEGMENTS <= 512);
        let _ = format!("{packet:?} {:?}", packet.segments());
        let mut burst = Burst::new(1);
        burst.push(packet).unwrap();
    });
}
