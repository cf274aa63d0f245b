//! Cycles an element takes through the rings, beside crossbeam's `ArrayQueue` and `rtrb`.
//!
//! `cargo bench -p gannet-ring` prints a table and, for scripts, one `bench=ring ...` line a case.
//! Cycles are those of the time-stamp counter. Each figure is the median of three runs; the
//! elements pass through `black_box` on both ways. Without `--bench` (`cargo test --benches`) each
//! case is only tried, and no figures are printed.

use std::fmt::Debug;
use std::hint::{black_box, spin_loop};
use std::sync::Barrier;
use std::thread;

use crossbeam_queue::ArrayQueue;
use gannet_ring::{mpmc, spsc};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use quanta::Clock;

const CAPACITY: usize = 1024;
const RUNS: usize = 3;

/// An element, made from a number.
trait Element: Copy + Default + Debug + PartialEq + Send + 'static {
    fn from_number(number: usize) -> Self;
}

impl Element for u32 {
    fn from_number(number: usize) -> Self {
        number as u32
    }
}

impl Element for u64 {
    fn from_number(number: usize) -> Self {
        number as u64
    }
}

struct Bench {
    clock: Clock,
    /// Whether the cases are measured or only tried.
    mode: Mode,
    /// Elements moved in one run.
    elements: usize,
    cpus: Vec<usize>,
}

#[derive(PartialEq)]
enum Mode {
    Measure,
    Try,
}

/// What a line of the table is about.
struct Case<'a> {
    name: &'a str,
    cores: usize,
    bulk: usize,
    element_bytes: usize,
}

impl Bench {
    fn report(&self, case: Case, mut runs: Vec<f64>) {
        let Case { name, cores, bulk, element_bytes } = case;
        if self.mode == Mode::Try {
            println!("{name:<24}{cores:>5}{bulk:>6}{element_bytes:>6}  ok");
            return;
        }
        runs.sort_by(f64::total_cmp);
        let cycles = runs[runs.len() / 2];
        println!("{name:<24}{cores:>5}{bulk:>6}{element_bytes:>6}{cycles:>9.2}");
        println!("bench=ring case={name} cores={cores} bulk={bulk} elem={element_bytes} cycles_per_object={cycles:.2}");
    }

    /// Enqueues and dequeues `bulk` elements in turn on one core. `pair` does one of each.
    fn one_core<E: Element>(&self, name: &str, bulk: usize, mut pair: impl FnMut(&[E], &mut [E]) -> bool) {
        let source: Vec<E> = (1..=bulk).map(E::from_number).collect();
        let mut sink = vec![E::default(); bulk];
        // Out of the compiler's sight from here on: what they point to and how long they are. In the
        // loop one opaque use a round is enough to make it do each copy, and adds the least.
        let (source, sink) = (black_box(&source[..]), black_box(&mut sink[..]));
        let rounds = (self.elements / bulk).max(1);
        let mut run = |rounds: usize| {
            let start = self.clock.raw();
            for _ in 0..rounds {
                assert!(pair(source, sink));
                black_box(sink.as_mut_ptr());
            }
            (self.clock.raw() - start) as f64 / (rounds * bulk) as f64
        };
        run(rounds.div_ceil(4));
        let runs = (0..RUNS).map(|_| run(rounds)).collect();
        assert_eq!(sink, source);
        let case = Case { name, cores: 1, bulk, element_bytes: size_of::<E>() };
        self.report(case, runs);
    }

    /// Moves elements from a thread on one core to a thread on another in bursts of up to `bulk`.
    /// `enqueue` and `dequeue` return how many they moved.
    fn two_cores(
        &self,
        name: &str,
        bulk: usize,
        mut enqueue: impl FnMut(&[u64]) -> usize + Send,
        mut dequeue: impl FnMut(&mut [u64]) -> usize + Send,
    ) {
        let &[first, second, ..] = &self.cpus[..] else {
            println!("{name:<24}{:>5}{bulk:>6}{:>6}  skipped: one CPU only", 2, 8);
            return;
        };
        let total = self.elements;
        let source: Vec<u64> = (0..bulk as u64).collect();
        let barrier = Barrier::new(2);
        // The first run is the warm-up.
        let runs = (0..=RUNS).map(|_| {
            thread::scope(|scope| {
                scope.spawn(|| {
                    pin(first);
                    barrier.wait();
                    let mut left = total;
                    while left != 0 {
                        let sent = enqueue(black_box(&source[..bulk.min(left)]));
                        left -= sent;
                        if sent == 0 {
                            spin_loop();
                        }
                    }
                });
                let consumer = scope.spawn(|| {
                    pin(second);
                    let mut sink = vec![0; bulk];
                    barrier.wait();
                    let start = self.clock.raw();
                    let mut left = total;
                    while left != 0 {
                        let received = dequeue(black_box(&mut sink));
                        black_box(&mut sink);
                        left -= received;
                        if received == 0 {
                            spin_loop();
                        }
                    }
                    (self.clock.raw() - start) as f64 / total as f64
                });
                consumer.join().expect("the consumer does not panic")
            })
        });
        let runs = runs.skip(1).collect();
        let case = Case { name, cores: 2, bulk, element_bytes: 8 };
        self.report(case, runs);
    }

    fn ours_one_core<E: Element>(&self) {
        for bulk in [1, 8, 32, 64] {
            let (mut producer, mut consumer) = black_box(spsc::ring::<E>(CAPACITY).expect("a power of two"));
            self.one_core("spsc", bulk, |source: &[E], sink| {
                producer.enqueue_bulk(source) && consumer.dequeue_bulk(sink)
            });
        }
        for bulk in [1, 8, 32, 64, 256, 512] {
            let ring = mpmc::Ring::<E>::with_capacity(CAPACITY).expect("a power of two");
            self.one_core("mpmc", bulk, |source: &[E], sink| ring.enqueue_bulk(source) && ring.dequeue_bulk(sink));
        }
        let (mut producer, mut consumer) = black_box(spsc::ring::<E>(CAPACITY).expect("a power of two"));
        self.one_core("spsc_push_pop", 1, |source: &[E], sink| {
            producer.push(source[0]).is_ok() && consumer.pop().map(|e| sink[0] = e).is_some()
        });
        let ring = mpmc::Ring::<E>::with_capacity(CAPACITY).expect("a power of two");
        self.one_core("mpmc_push_pop", 1, |source: &[E], sink| {
            ring.push(source[0]).is_ok() && ring.pop().map(|e| sink[0] = e).is_some()
        });
    }

    fn ours_two_cores(&self) {
        let (mut producer, mut consumer) = spsc::ring(CAPACITY).expect("a power of two");
        self.two_cores("spsc", 32, |source| producer.enqueue_burst(source), |sink| consumer.dequeue_burst(sink));
        let ring = mpmc::Ring::with_capacity(CAPACITY).expect("a power of two");
        self.two_cores("mpmc", 32, |source| ring.enqueue_burst(source), |sink| ring.dequeue_burst(sink));
    }

    fn array_queue(&self) {
        let enqueue = |queue: &ArrayQueue<u64>, source: &[u64]| {
            source.iter().take_while(|element| queue.push(**element).is_ok()).count()
        };
        let dequeue = |queue: &ArrayQueue<u64>, sink: &mut [u64]| {
            sink.iter_mut().map_while(|slot| queue.pop().map(|e| *slot = e)).count()
        };
        let queue = ArrayQueue::new(CAPACITY);
        for bulk in [1, 8, 32, 64] {
            self.one_core("crossbeam_array_queue", bulk, |source: &[u64], sink| {
                enqueue(&queue, source) == bulk && dequeue(&queue, sink) == bulk
            });
        }
        self.two_cores("crossbeam_array_queue", 32, |source| enqueue(&queue, source), |sink| dequeue(&queue, sink));
    }

    fn rtrb(&self) {
        let (mut producer, mut consumer) = rtrb::RingBuffer::new(CAPACITY);
        self.one_core("rtrb", 1, |source: &[u64], sink| {
            producer.push(source[0]).is_ok() && consumer.pop().map(|e| sink[0] = e).is_ok()
        });
        for bulk in [1, 8, 32, 64] {
            self.one_core("rtrb_chunks", bulk, |source: &[u64], sink| {
                producer.push_entire_slice(source).is_ok() && consumer.pop_entire_slice(sink).is_ok()
            });
        }
        self.two_cores(
            "rtrb_chunks",
            32,
            |source| producer.push_partial_slice(source).0.len(),
            |sink| consumer.pop_partial_slice(sink).0.len(),
        );
    }
}

fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu).expect("the number of a CPU of this process");
    sched_setaffinity(Pid::from_raw(0), &set).expect("pinning to a CPU of this process");
}

fn main() {
    let measure = std::env::args().any(|argument| argument == "--bench");
    let (mode, elements) = if measure { (Mode::Measure, 1 << 24) } else { (Mode::Try, 64) };
    let set = sched_getaffinity(Pid::from_raw(0)).expect("the CPUs of this process");
    let cpus: Vec<usize> = (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect();
    // One core throughout; the two-core cases pin their own threads.
    pin(cpus[0]);
    let bench = Bench { clock: Clock::new(), mode, elements, cpus };

    println!("cycles for an enqueue and a dequeue, each element; capacity {CAPACITY}");
    println!("{:<24}{:>5}{:>6}{:>6}{:>9}", "case", "cores", "bulk", "elem", "cycles");
    bench.ours_one_core::<u64>();
    bench.ours_one_core::<u32>();
    bench.ours_two_cores();
    bench.array_queue();
    bench.rtrb();
}
