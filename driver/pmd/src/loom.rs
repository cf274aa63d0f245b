//! All interleavings, and all that the memory model allows, of a queue that is polled while taps come and go. Weakening any one memory
//! ordering, or swapping two steps where their order matters, makes one of these tests fail.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test -p gannet --release --lib loom
//! ```

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use gannet_mempool::Packet;
use loom::sync::atomic::AtomicBool;
use loom::thread;

use crate::tap::{TapSeat, Turns};
use crate::{Attachment, Direction, Error, PortInfo, Result, Tap, TapPoint, cards};

/// What has become of a tap. std's atomics, which loom does not see: they order nothing.
#[derive(Clone, Default)]
struct Record(Arc<Counts>);

#[derive(Default)]
struct Counts {
    looks: AtomicUsize,
    drops: AtomicUsize,
}

impl Record {
    fn looks(&self) -> usize {
        self.0.looks.load(Relaxed)
    }

    /// Whether it has been dropped, which is to happen once.
    fn is_gone(&self) -> bool {
        let drops = self.0.drops.load(Relaxed);
        assert!(drops <= 1);
        drops == 1
    }
}

struct Witness(Record);

impl Tap for Witness {
    fn look(&mut self, _packets: &[Packet]) {
        assert!(!self.0.is_gone());
        self.0.0.looks.fetch_add(1, Relaxed);
    }

    fn commit(&mut self, _count: usize) {}
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.0.drops.fetch_add(1, Relaxed);
    }
}

/// A queue's side, and the way to it from outside.
fn queue() -> (TapSeat, TapPoint) {
    let info = PortInfo { name: "0".into(), card: &cards()[0], mac: [2; 6].into(), numa_node: None };
    TapSeat::new(&info, Direction::Rx, 0)
}

/// What a queue does with a burst.
fn poll(seat: &mut TapSeat) {
    if !seat.is_free()
        && let Some(tap) = seat.tap()
    {
        tap.look(&[]);
    }
}

/// Attaches a tap that keeps this record.
fn try_attach(point: &TapPoint, record: &Record) -> Result<Attachment> {
    point.attach(Box::new(Witness(record.clone())))
}

/// Attaches a tap where there is room for one.
fn attach(point: &TapPoint) -> (Attachment, Record) {
    let record = Record::default();
    (try_attach(point, &record).unwrap(), record)
}

#[test]
fn a_tap_is_taken_by_the_next_poll_and_dropped_by_the_one_after_it_left() {
    loom::model(|| {
        let (mut seat, point) = queue();
        let attaching = thread::spawn(move || attach(&point));
        poll(&mut seat);
        let (attachment, record) = attaching.join().unwrap();
        let looks = record.looks();
        poll(&mut seat);
        assert_eq!(record.looks(), looks + 1);
        let leaving = thread::spawn(move || drop(attachment));
        poll(&mut seat);
        leaving.join().unwrap();
        poll(&mut seat);
        assert!(record.is_gone() && seat.is_free());
    });
}

#[test]
fn a_tap_that_comes_and_goes_is_dropped_by_the_next_poll() {
    loom::model(|| {
        let (mut seat, point) = queue();
        let passing = thread::spawn(move || attach(&point).1);
        poll(&mut seat);
        poll(&mut seat);
        let record = passing.join().unwrap();
        poll(&mut seat);
        assert!(record.is_gone() && seat.is_free());
    });
}

#[test]
fn a_queue_that_ends_leaves_no_tap_behind() {
    for detaches in [false, true] {
        loom::model(move || {
            let (mut seat, point) = queue();
            let (other, record) = (point.clone(), Record::default());
            let kept = record.clone();
            let attaching = thread::spawn(move || try_attach(&other, &kept).ok().filter(|_| !detaches));
            poll(&mut seat);
            drop(seat);
            let attachment = attaching.join().unwrap();
            assert!(record.is_gone());
            assert!(
                point.is_closed() && matches!(try_attach(&point, &Record::default()), Err(Error::QueueClosed { .. }))
            );
            drop(attachment);
            assert!(point.is_closed());
            assert!(record.is_gone());
        });
    }
}

#[test]
fn of_two_that_attach_at_once_one_does() {
    loom::model(|| {
        let (mut seat, point) = queue();
        let records = [Record::default(), Record::default()];
        let (other, second) = (point.clone(), records[1].clone());
        let attaching = thread::spawn(move || try_attach(&other, &second));
        let results = [try_attach(&point, &records[0]), attaching.join().unwrap()];
        poll(&mut seat);
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        for (result, record) in results.iter().zip(&records) {
            assert_eq!(record.looks(), usize::from(result.is_ok()));
            assert_eq!(record.is_gone(), matches!(result, Err(Error::Tapped { .. })));
        }
    });
}

#[test]
fn a_tap_that_left_is_not_shown_to_while_another_comes() {
    loom::model(|| {
        let (mut seat, point) = queue();
        let (first, of_first) = attach(&point);
        poll(&mut seat);
        let left = loom::sync::Arc::new(AtomicBool::new(false));
        let has_left = left.clone();
        let following = thread::spawn(move || {
            drop(first);
            left.store(true, Release);
            attach(&point)
        });
        for _ in 0..2 {
            let knows = has_left.load(Acquire);
            poll(&mut seat);
            assert!(!knows || of_first.is_gone());
        }
        let (_second, of_second) = following.join().unwrap();
        let looks = of_second.looks();
        poll(&mut seat);
        assert_eq!(of_second.looks(), looks + 1);
        assert!(of_first.is_gone() && !of_second.is_gone());
    });
}

#[test]
fn one_comes_while_another_goes() {
    loom::model(|| {
        let (mut seat, point) = queue();
        let (first, of_first) = attach(&point);
        let of_second = Record::default();
        let kept = of_second.clone();
        let leaving = thread::spawn(move || drop(first));
        let coming = thread::spawn(move || try_attach(&point, &kept));
        poll(&mut seat);
        leaving.join().unwrap();
        let second = coming.join().unwrap();
        let looks = of_second.looks();
        poll(&mut seat);
        assert!(of_first.is_gone());
        assert_eq!(of_second.is_gone(), second.is_err());
        assert_eq!(of_second.looks(), looks + usize::from(second.is_ok()));
    });
}

#[test]
fn a_queue_ends_while_one_comes_and_another_goes() {
    loom::model(|| {
        let (mut seat, point) = queue();
        let (first, of_first) = attach(&point);
        poll(&mut seat);
        let of_second = Record::default();
        let kept = of_second.clone();
        let leaving = thread::spawn(move || drop(first));
        let coming = thread::spawn(move || try_attach(&point, &kept));
        drop(seat);
        leaving.join().unwrap();
        let _second = coming.join().unwrap();
        assert!(of_first.is_gone() && of_second.is_gone());
    });
}

#[test]
fn a_turn_comes_after_all_that_was_done_in_the_one_before() {
    loom::model(|| {
        let shared = loom::sync::Arc::new((Turns::default(), AtomicBool::new(false)));
        let other = shared.clone();
        let passing = thread::spawn(move || {
            let (turns, done) = &*other;
            if let Ok(turn) = turns.begin() {
                done.store(true, Relaxed);
                turns.end(turn);
            }
        });
        let (turns, done) = &*shared;
        if turns.begin() == Ok(3) {
            assert!(done.load(Relaxed));
        }
        passing.join().unwrap();
    });
}

#[test]
fn a_tap_is_dropped_after_all_that_was_done_in_its_turn() {
    loom::model(|| {
        let (mut seat, point) = queue();
        let (attachment, record) = attach(&point);
        poll(&mut seat);
        let done = loom::sync::Arc::new(AtomicBool::new(false));
        let is_done = done.clone();
        let leaving = thread::spawn(move || {
            done.store(true, Relaxed);
            drop(attachment);
        });
        poll(&mut seat);
        assert!(!record.is_gone() || is_done.load(Relaxed));
        leaving.join().unwrap();
    });
}
