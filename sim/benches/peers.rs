//! What a generator costs per frame, in cycles of the time stamp counter.
//!
//! `cargo bench -p gannet-sim --bench peers`. One line a case, `key=value`, the best of several rounds: the machine is shared and
//! the best round is the one that was not disturbed.

use std::hint::black_box;

use gannet_sim::peer::generator::{Generator, GeneratorOptions};
use gannet_sim::peer::{Accepted, Offered, Peer};

const ROUNDS: usize = 200;
const FRAMES: usize = 4096;

fn main() {
    let clock = quanta::Clock::new();
    for frame_length in [64, 128, 512, 1518] {
        let options = GeneratorOptions { frame_length, ..GeneratorOptions::new(0) };
        let (mut generator, _) = Generator::new(&options).expect("the options are valid");
        let generate = best(&clock, || {
            let mut frame = Vec::new();
            for _ in 0..FRAMES {
                assert_eq!(generator.offer(&mut frame, 0), Offered::Frame);
                black_box(&mut frame);
            }
        });
        println!("bench=peer case=generate length={frame_length} cycles_per_frame={generate:.1}");

        let (mut receiver, stats) = Generator::new(&options.other_end()).expect("the options are valid");
        let (mut sender, _) = Generator::new(&options).expect("the options are valid");
        let mut frames = vec![Vec::new(); FRAMES];
        for frame in &mut frames {
            sender.offer(frame, 0);
        }
        // From the second round on all are duplicates: as costly as frames in order, but for one more counter.
        let check = best(&clock, || {
            for frame in &frames {
                assert_eq!(receiver.accept(black_box(frame), 0), Accepted::Taken);
            }
        });
        assert_eq!(stats.corrupted.load(std::sync::atomic::Ordering::Relaxed), 0);
        println!("bench=peer case=check length={frame_length} cycles_per_frame={check:.1}");
    }
}

/// Cycles per frame of the best round.
fn best(clock: &quanta::Clock, mut round: impl FnMut()) -> f64 {
    let mut least = u64::MAX;
    for _ in 0..ROUNDS {
        let start = clock.raw();
        round();
        least = least.min(clock.raw() - start);
    }
    least as f64 / FRAMES as f64
}
