//! Threads beyond those that can have a cache. One test, since it uses up the numbers of the whole process.

mod common;

use std::sync::Barrier;
use std::thread;

use common::{assert_all_home, pool};
use gannet_mempool::{Burst, MAX_THREADS};

#[test]
fn threads_beyond_the_limit_work_without_a_cache_and_numbers_come_back() {
    const THREADS: usize = MAX_THREADS + 8;
    let pool = pool(2048, 8);
    let (holding, go_on, done, end) =
        (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1), Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let mut one = pool.alloc().unwrap();
                    one.append(8).unwrap().fill(1);
                    holding.wait();
                    go_on.wait();
                    let mut burst = Burst::new(8);
                    assert!(pool.alloc_bulk(&mut burst, 8));
                    drop((one, burst));
                    done.wait();
                    end.wait();
                })
            })
            .collect();
        holding.wait();
        // One taken and four cached for each thread with a cache; this one has none yet.
        let census = pool.census();
        assert_eq!((census.out as usize, census.cached as usize), (THREADS, MAX_THREADS * 4));
        go_on.wait();
        done.wait();
        assert_all_home(&pool);
        assert!(pool.census().cached as usize <= MAX_THREADS * 8);
        end.wait();
        // By hand: the scope itself does not wait for the thread-local destructors.
        for thread in threads {
            thread.join().unwrap();
        }
    });
    assert_eq!(pool.census().ring, 2048);

    // All numbers are free again, also for more threads than there are, one after the other.
    for _ in 0..if cfg!(miri) { 3 } else { 2 * MAX_THREADS } {
        let user = pool.clone();
        let cached = thread::spawn(move || {
            drop(user.alloc());
            user.census().cached
        });
        assert_eq!(cached.join().unwrap(), 5);
    }
    assert_eq!(pool.census().ring, 2048);
}
