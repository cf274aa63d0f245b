//! More counters than the list has places. One test, since it uses up the places of the whole process.

use std::thread;

use gannet_mempool::registry::{self, Counter, MAX_LISTED, Reason};

const EXTRA: usize = 8;

static COUNTERS: [Counter; MAX_LISTED + EXTRA] =
    [const { Counter::new("test.one_of_many", "times", "") }; MAX_LISTED + EXTRA];
static LATE: Reason = Reason::new("test", "late", "");

#[test]
fn counters_beyond_the_last_place_count_exactly_and_are_listed_as_one() {
    const THREADS: usize = 4;
    COUNTERS.iter().for_each(Counter::register);
    assert_eq!(registry::counters().len(), MAX_LISTED);

    // Backwards: those without a place count before the others.
    thread::scope(|scope| {
        let count = || {
            COUNTERS.iter().rev().for_each(|counter| counter.add(10));
            LATE.count(3);
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(count)).collect();
        // By hand: the scope itself does not wait until their numbers are back.
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert!(COUNTERS.iter().all(|counter| counter.value() == THREADS as u64 * 10));
    assert_eq!(LATE.value(), THREADS as u64 * 3);

    let (unlisted, listed): (Vec<_>, Vec<_>) =
        registry::counters().into_iter().partition(|row| row.name == "registry.unlisted");
    assert_eq!(listed.len(), MAX_LISTED);
    assert!(listed.iter().all(|row| row.value == THREADS as u64 * 10));
    assert_eq!(unlisted.iter().map(|row| row.value).collect::<Vec<_>>(), [(EXTRA * THREADS) as u64 * 10]);

    let drops = registry::drops();
    let drops: Vec<_> = drops.iter().map(|row| (row.place, row.why, row.packets)).collect();
    assert_eq!(drops, [("registry", "unlisted", THREADS as u64 * 3)]);
}
