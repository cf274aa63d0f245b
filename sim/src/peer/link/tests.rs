//! Order, back-pressure and end of life of a cable between two cards.

use super::*;

fn ends(frames: usize) -> (LinkEnd, LinkEnd) {
    pair(NonZeroUsize::new(frames).unwrap())
}

fn number(i: u32) -> [u8; 64] {
    let mut frame = [0xA5; 64];
    frame[..4].copy_from_slice(&i.to_be_bytes());
    frame
}

#[test]
fn frames_arrive_in_order_on_both_sides_between_two_threads() {
    const FRAMES: u32 = 50_000;
    let (a, b) = ends(64);
    let (stats_a, stats_b) = (a.stats(), b.stats());
    let run = |mut end: LinkEnd| {
        move || {
            let (mut sent, mut received, mut frame) = (0, 0, Vec::new());
            while sent < FRAMES || received < FRAMES {
                if sent < FRAMES && end.accept(&number(sent), 0) == Accepted::Taken {
                    sent += 1;
                } else if received < FRAMES && end.offer(&mut frame, 0) == Offered::Frame {
                    assert_eq!(frame, number(received));
                    received += 1;
                } else {
                    std::thread::yield_now();
                }
            }
            end
        }
    };
    let threads = [std::thread::spawn(run(a)), std::thread::spawn(run(b))];
    let ends = threads.map(|thread| thread.join().unwrap());
    for stats in [stats_a, stats_b] {
        assert_eq!(stats.accepted.load(Ordering::Relaxed), u64::from(FRAMES));
        assert_eq!(stats.offered.load(Ordering::Relaxed), u64::from(FRAMES));
        assert_eq!(stats.dropped.load(Ordering::Relaxed), 0);
    }
    drop(ends);
}

#[test]
fn is_busy_when_full_until_the_far_end_reads() {
    let (mut a, mut b) = ends(3);
    let mut frame = Vec::new();
    for i in 0..3 {
        assert_eq!(a.accept(&number(i), 0), Accepted::Taken);
    }
    assert_eq!(a.accept(&number(3), 0), Accepted::Busy);
    assert_eq!(b.offer(&mut frame, 0), Offered::Frame);
    assert_eq!(a.accept(&number(3), 0), Accepted::Taken);
    for i in 1..4 {
        assert_eq!(b.offer(&mut frame, 0), Offered::Frame);
        assert_eq!(frame, number(i));
    }
    assert_eq!(b.offer(&mut frame, 0), Offered::Nothing);
    assert!(frame.is_empty());
}

#[test]
fn buffers_are_reused() {
    let (mut a, mut b) = ends(2);
    let mut frame = Vec::with_capacity(64);
    let mut places = std::collections::BTreeSet::new();
    for i in 0..1000 {
        a.accept(&number(i), 0);
        b.offer(&mut frame, 0);
        if i > 10 {
            places.insert(frame.as_ptr() as usize);
        }
    }
    assert!(places.len() <= 3, "{} buffers for 2 in the cable and 1 of the caller", places.len());
}

#[test]
fn when_the_far_end_is_gone_light_goes_out_and_frames_are_dropped_and_counted() {
    let (mut a, b) = ends(1);
    assert!(a.carrier(0));
    drop(b);
    assert!(!a.carrier(0));
    assert_eq!(a.accept(&number(0), 0), Accepted::Taken);
    assert_eq!(a.accept(&number(1), 0), Accepted::Taken);
    assert_eq!(a.stats().dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn a_stopped_far_end_does_not_block_the_sender() {
    let (mut a, mut b) = ends(1);
    b.stats().stop.store(true, Ordering::Relaxed);
    assert_eq!(a.accept(&number(0), 0), Accepted::Taken);
    assert_eq!(a.accept(&number(1), 0), Accepted::Taken);
    assert_eq!(a.stats().dropped.load(Ordering::Relaxed), 1);
    assert_eq!(b.offer(&mut Vec::new(), 0), Offered::Nothing);
}
