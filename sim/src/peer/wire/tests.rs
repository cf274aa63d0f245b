//! Two ends in one process: frames, coming and going, what is in the way at the place.

use std::fs;
use std::os::unix::net::UnixListener;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use tempfile::TempDir;

use super::*;

/// Places for cables, and a clock that moves one look on each time.
struct Bench {
    folder: TempDir,
    now: u64,
}

impl Bench {
    fn new() -> Bench {
        Bench { folder: tempfile::tempdir().expect("a folder"), now: 0 }
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("a.sock")
    }

    fn end(&self) -> Wire {
        Wire::new(&self.place()).expect("an end").0
    }

    /// Whether the end has light, after it has looked.
    fn light(&mut self, end: &mut Wire) -> bool {
        self.now += LOOK_EVERY;
        end.carrier(self.now)
    }

    /// A cable with both ends plugged.
    fn cable(&mut self) -> (Wire, Wire) {
        let (mut first, mut second) = (self.end(), self.end());
        assert!(self.light(&mut first) && self.light(&mut second));
        (first, second)
    }

    fn files(&self) -> usize {
        fs::read_dir(self.folder.path()).expect("the folder").count()
    }
}

fn frame(number: u32) -> [u8; 64] {
    let mut frame = [0xA5; 64];
    frame[..4].copy_from_slice(&number.to_be_bytes());
    frame
}

fn receive(end: &mut Wire) -> Option<Vec<u8>> {
    let mut frame = vec![1];
    (end.offer(&mut frame, 0) == Offered::Frame).then_some(frame)
}

#[test]
fn frames_of_all_lengths_arrive_both_ways_in_order() {
    let (mut a, mut b) = Bench::new().cable();
    for length in [60, 61, 1514, 9000, MAX_FRAME] {
        let bytes = |seed: usize| (0..length).map(|at| (at ^ seed) as u8).collect::<Vec<u8>>();
        for seed in 1..4 {
            assert_eq!(a.accept(&bytes(seed), 0), Accepted::Taken);
            assert_eq!(b.accept(&bytes(seed + 100), 0), Accepted::Taken);
        }
        for seed in 1..4 {
            assert_eq!(receive(&mut b), Some(bytes(seed)));
            assert_eq!(receive(&mut a), Some(bytes(seed + 100)));
        }
    }
    assert_eq!((receive(&mut a), receive(&mut b)), (None, None));
    for stats in [&a.stats, &b.stats] {
        assert_eq!(stats.accepted.load(Ordering::Relaxed), 15);
        assert_eq!(stats.offered.load(Ordering::Relaxed), 15);
        assert_eq!(stats.dropped.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn a_full_cable_is_busy_and_loses_nothing() {
    let (mut a, mut b) = Bench::new().cable();
    let mut sent = 0;
    while a.accept(&frame(sent), 0) == Accepted::Taken {
        sent += 1;
        assert!(sent < 1_000_000, "the cable has no end");
    }
    assert_eq!(receive(&mut b).as_deref(), Some(&frame(0)[..]));
    for number in 1..sent {
        assert_eq!(receive(&mut b).as_deref(), Some(&frame(number)[..]));
    }
    assert_eq!(receive(&mut b), None);
    assert_eq!(a.accept(&frame(sent), 0), Accepted::Taken);
    assert_eq!(receive(&mut b).as_deref(), Some(&frame(sent)[..]));
}

#[test]
fn there_is_light_while_both_are_plugged() {
    let mut bench = Bench::new();
    let mut first = bench.end();
    assert!(!bench.light(&mut first));
    assert_eq!(first.accept(&frame(0), 0), Accepted::Busy, "kept by the card until someone comes");
    assert_eq!(receive(&mut first), None);
    let mut second = bench.end();
    assert!(bench.light(&mut second) && bench.light(&mut first));
    drop(second);
    assert!(!bench.light(&mut first));
    let mut third = bench.end();
    assert!(bench.light(&mut first) && bench.light(&mut third));
    assert_eq!(third.accept(&frame(7), 0), Accepted::Taken);
    assert_eq!(receive(&mut first).as_deref(), Some(&frame(7)[..]));
}

#[test]
fn the_end_that_came_second_waits_when_the_first_leaves() {
    let mut bench = Bench::new();
    let (first, mut second) = bench.cable();
    drop(first);
    assert!(!bench.light(&mut second), "it sees that the other is gone");
    assert!(!bench.light(&mut second), "it waits at the place");
    let mut third = bench.end();
    assert!(bench.light(&mut second) && bench.light(&mut third));
    assert_eq!(second.accept(&frame(1), 0), Accepted::Taken);
    assert_eq!(receive(&mut third).as_deref(), Some(&frame(1)[..]));
}

#[test]
fn what_was_sent_before_leaving_still_arrives() {
    let mut bench = Bench::new();
    let (mut first, mut second) = bench.cable();
    // Frames that the leaving end has not read are lost; those that it has sent are not.
    assert_eq!(second.accept(&frame(9), 0), Accepted::Taken);
    for number in 0..3 {
        assert_eq!(first.accept(&frame(number), 0), Accepted::Taken);
    }
    drop(first);
    for number in 0..3 {
        assert!(bench.light(&mut second), "frames are left in the cable");
        assert_eq!(second.accept(&frame(0), 0), Accepted::Busy);
        assert_eq!(receive(&mut second).as_deref(), Some(&frame(number)[..]));
    }
    assert!(!bench.light(&mut second));
}

#[test]
fn an_end_that_is_held_sees_that_the_other_has_left() {
    let mut bench = Bench::new();
    let (mut first, mut second) = bench.cable();
    second.stats.stop.store(true, Ordering::Relaxed);
    // One that the other has not read, either.
    assert_eq!(second.accept(&frame(9), 0), Accepted::Taken);
    for number in 0..3 {
        assert_eq!(first.accept(&frame(number), 0), Accepted::Taken);
    }
    assert!(bench.light(&mut second));
    drop(first);
    assert!(!bench.light(&mut second));
    assert_eq!(second.stats.dropped.load(Ordering::Relaxed), 3, "held, it takes none");
    let mut third = bench.end();
    assert!((0..3).any(|_| bench.light(&mut second) & bench.light(&mut third)));
}

#[test]
fn a_third_end_is_refused_whether_the_first_has_seen_the_second_or_not() {
    let mut bench = Bench::new();
    let (mut first, second) = (bench.end(), bench.end());
    for _ in 0..2 {
        let refused = Wire::new(&bench.place()).unwrap_err();
        assert!(matches!(refused, Error::WireTaken { .. }), "{refused}");
        assert!(refused.to_string().contains("two ports are plugged in already"), "{refused}");
        assert!(bench.light(&mut first));
    }
    drop(second);
}

#[test]
fn a_stale_socket_is_taken_over_and_nothing_is_left_at_the_end() {
    let mut bench = Bench::new();
    // As a killed program leaves it: a file without anyone behind it.
    drop(UnixListener::bind(bench.place()).expect("a socket"));
    assert_eq!(bench.files(), 1);
    let (first, second) = bench.cable();
    assert_eq!(bench.files(), 1);
    drop((first, second));
    assert_eq!(bench.files(), 0);
    let mut alone = bench.end();
    assert!(!bench.light(&mut alone));
    drop(alone);
    assert_eq!(bench.files(), 0);
}

#[test]
fn an_end_whose_place_was_taken_by_another_finds_it() {
    let mut bench = Bench::new();
    let mut lost = bench.end();
    // As when two find the place free at once, or someone cleans up.
    fs::remove_file(bench.place()).expect("its file");
    let mut other = bench.end();
    let found = (0..4).any(|_| bench.light(&mut lost) & bench.light(&mut other));
    assert!(found && lost.accept(&frame(0), 0) == Accepted::Taken);
    assert_eq!(receive(&mut other).as_deref(), Some(&frame(0)[..]));
}

#[test]
fn files_that_are_no_socket_are_left_alone() {
    let bench = Bench::new();
    fs::write(bench.place(), "precious").expect("a file");
    let refused = Wire::new(&bench.place()).unwrap_err().to_string();
    assert!(refused.contains("no socket") && refused.contains("another path"), "{refused}");
    assert_eq!(fs::read(bench.place()).expect("the file"), b"precious");
}

#[test]
fn impossible_places_are_refused_with_the_reason() {
    let bench = Bench::new();
    let refused = |place: &Path| Wire::new(place).unwrap_err().to_string();
    assert!(refused(Path::new("")).contains("1 to 85 bytes"));
    assert!(refused(Path::new(&"x".repeat(86))).contains("1 to 85 bytes"));
    assert!(refused(&bench.folder.path().join("none/a.sock")).contains("make its folder first"));
    let stream = UnixListener::bind(bench.place()).expect("a socket");
    assert!(matches!(Wire::new(&bench.place()), Err(Error::WireTaken { .. })));
    drop(stream);
}

#[test]
fn strange_messages_of_another_program_do_no_harm() {
    let mut bench = Bench::new();
    let mut end = bench.end();
    let stranger = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::empty(), None).expect("a socket");
    let address = UnixAddr::new(&bench.place()).expect("an address");
    connect(stranger.as_raw_fd(), &address).expect("a connection");
    assert!(bench.light(&mut end));
    for length in [MAX_FRAME + 1, 1] {
        send(stranger.as_raw_fd(), &vec![0xEE; length], MsgFlags::empty()).expect("a message");
    }
    assert_eq!(receive(&mut end), None, "longer than a card takes");
    assert_eq!(end.stats.dropped.load(Ordering::Relaxed), 1);
    let padded = receive(&mut end).expect("a short frame");
    assert_eq!((padded.len(), padded[0], padded[1]), (60, 0xEE, 0));
}

#[test]
fn a_stopped_end_offers_nothing_until_it_goes_on() {
    let (mut a, mut b) = Bench::new().cable();
    assert_eq!(a.accept(&frame(3), 0), Accepted::Taken);
    b.stats.stop.store(true, Ordering::Relaxed);
    assert_eq!(receive(&mut b), None);
    b.stats.stop.store(false, Ordering::Relaxed);
    assert_eq!(receive(&mut b).as_deref(), Some(&frame(3)[..]));
}
