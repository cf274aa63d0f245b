//! Faults are repeatable and counted exactly: numbered frames on the far side prove it.

use std::num::NonZeroUsize;

use super::super::PeerStats;
use super::super::echo::Echo;
use super::super::generator::{Generator, GeneratorOptions};
use super::super::link;
use super::*;

const ALL: Faults =
    Faults { loss_ppm: 50_000, duplication_ppm: 40_000, corruption_ppm: 30_000, reordering_ppm: 20_000, flap_ppm: 0 };

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn counts(counts: &FaultCounts) -> [u64; 5] {
    [&counts.lost, &counts.duplicated, &counts.corrupted, &counts.reordered, &counts.cut].map(load)
}

fn generators(count: u64) -> (Generator, Arc<PeerStats>, Generator, Arc<PeerStats>) {
    let options = GeneratorOptions { count: Some(count), ..GeneratorOptions::new(0) };
    let (near, near_stats) = Generator::new(&options).unwrap();
    let (far, far_stats) = Generator::new(&options.other_end()).unwrap();
    (near, near_stats, far, far_stats)
}

#[test]
fn what_the_far_generator_misses_is_exactly_what_was_counted() {
    const FRAMES: u64 = 100_000;
    let (mut near, _, far, far_stats) = generators(FRAMES);
    let (mut cable, stats) = Impaired::new(far, &ImpairOptions { from_card: ALL, ..Default::default() }).unwrap();
    let mut frame = Vec::new();
    while near.offer(&mut frame, 0) == Offered::Frame {
        assert_eq!(cable.accept(&frame, 0), Accepted::Taken);
    }
    // The last frame may still wait to be overtaken.
    cable.offer(&mut frame, HOLD_NS);
    assert_eq!(load(&stats.held), 0);
    let [lost, duplicated, corrupted, reordered, cut] = counts(&stats.from_card);
    assert_eq!(load(&far_stats.accepted), FRAMES - lost + duplicated);
    assert_eq!(load(&far_stats.corrupted), corrupted);
    assert_eq!(load(&far_stats.reordered), reordered + duplicated);
    assert_eq!((load(&far_stats.foreign), cut), (0, 0));
    for (count, ppm) in [(lost, 50_000), (duplicated, 40_000), (corrupted, 30_000), (reordered, 20_000)] {
        assert!(count.abs_diff(FRAMES * ppm / 1_000_000) < FRAMES / 100, "{count} for {ppm} ppm");
    }
}

#[test]
fn towards_the_card_damage_is_a_bad_fcs_and_the_rest_adds_up() {
    const FRAMES: u64 = 100_000;
    let (near, near_stats, mut far, far_stats) = generators(FRAMES);
    let (mut cable, stats) = Impaired::new(near, &ImpairOptions { to_card: ALL, ..Default::default() }).unwrap();
    let (mut frame, mut bad, mut now) = (Vec::new(), 0, 0);
    while !near_stats.finished.load(Ordering::Relaxed) || load(&stats.held) > 0 {
        now += 1;
        match cable.offer(&mut frame, now) {
            Offered::Frame => assert_eq!(far.accept(&frame, now), Accepted::Taken),
            Offered::BadFcs => bad += 1,
            Offered::Nothing => {}
        }
    }
    let [lost, duplicated, corrupted, reordered, _] = counts(&stats.to_card);
    assert_eq!(bad, corrupted);
    assert_eq!(load(&far_stats.accepted), FRAMES - lost + duplicated - corrupted);
    assert_eq!(load(&far_stats.reordered), reordered + duplicated);
    assert_eq!(load(&far_stats.corrupted) + load(&far_stats.foreign), 0);
    assert!(lost > 0 && duplicated > 0 && corrupted > 0 && reordered > 0);
}

/// The frames that come out of a cable with an echo behind it.
fn echoed(seed: u64, busy_every: usize) -> Vec<Vec<u8>> {
    let (echo, _) = Echo::new(NonZeroUsize::new(if busy_every > 0 { busy_every } else { 1000 }).unwrap());
    let options = ImpairOptions { to_card: ALL, from_card: ALL, seed, ..Default::default() };
    let (mut cable, stats) = Impaired::new(echo, &options).unwrap();
    let (mut out, mut frame) = (Vec::new(), Vec::new());
    for i in 0..2000u32 {
        while cable.accept(&i.to_be_bytes(), 0) == Accepted::Busy {
            if cable.offer(&mut frame, 0) != Offered::Nothing {
                out.push(frame.clone());
            }
        }
    }
    for now in 0..10_000 {
        if cable.offer(&mut frame, now * HOLD_NS) != Offered::Nothing {
            out.push(frame.clone());
        }
    }
    assert_eq!(load(&stats.held), 0);
    out
}

#[test]
fn the_same_seed_gives_the_same_faults_however_calls_interleave() {
    assert_eq!(echoed(7, 0), echoed(7, 0));
    assert_ne!(echoed(7, 0), echoed(8, 0));
    // The clock decides whether a frame is overtaken or gives up waiting, so the order may differ; nothing else may.
    let sorted = |mut frames: Vec<Vec<u8>>| {
        frames.sort();
        frames
    };
    assert_eq!(sorted(echoed(7, 0)), sorted(echoed(7, 3)));
}

#[test]
fn without_faults_nothing_changes_and_back_pressure_is_kept() {
    let (mut far, near) = link::pair(NonZeroUsize::new(2).unwrap());
    let (mut cable, stats) = Impaired::new(near, &ImpairOptions::default()).unwrap();
    let mut frame = Vec::new();
    let mut sent = 0u8;
    while cable.accept(&[sent; 60], 0) == Accepted::Taken {
        sent += 1;
    }
    // Two in the link and the one that found it full.
    assert_eq!(sent, 3);
    for expected in 0..sent {
        assert_eq!(far.offer(&mut frame, 0), Offered::Frame);
        assert_eq!(frame, [expected; 60]);
        assert_eq!(cable.offer(&mut frame, 0), Offered::Nothing);
    }
    assert_eq!(counts(&stats.from_card), [0; 5]);
}

#[test]
fn a_frame_that_nothing_overtakes_arrives_all_the_same() {
    let (mut far, near) = link::pair(NonZeroUsize::new(8).unwrap());
    let from_card = Faults { reordering_ppm: 1_000_000, ..Default::default() };
    let (mut cable, stats) = Impaired::new(near, &ImpairOptions { from_card, ..Default::default() }).unwrap();
    let mut frame = Vec::new();
    cable.accept(&[1; 60], 0);
    cable.offer(&mut frame, HOLD_NS - 1);
    assert_eq!((far.offer(&mut frame, 0), load(&stats.held)), (Offered::Nothing, 1));
    cable.offer(&mut frame, HOLD_NS);
    assert_eq!((far.offer(&mut frame, 0), load(&stats.held)), (Offered::Frame, 0));
    assert_eq!(counts(&stats.from_card), [0; 5]);
}

#[test]
fn a_flap_takes_the_light_away_for_its_time_and_counts_what_it_cuts() {
    let (mut far, near) = link::pair(NonZeroUsize::new(8).unwrap());
    let from_card = Faults { flap_ppm: 1_000_000, ..Default::default() };
    let options = ImpairOptions { from_card, down_ns: 500, ..Default::default() };
    let (mut cable, stats) = Impaired::new(near, &options).unwrap();
    let mut frame = Vec::new();
    far.accept(&[9; 60], 0);
    assert!(cable.carrier(99));
    assert_eq!(cable.accept(&[1; 60], 100), Accepted::Taken);
    assert!(!cable.carrier(100));
    assert!(!cable.carrier(599));
    assert_eq!(cable.accept(&[2; 60], 599), Accepted::Taken);
    assert_eq!(cable.offer(&mut frame, 599), Offered::Nothing);
    assert!(cable.carrier(600));
    assert_eq!(cable.offer(&mut frame, 600), Offered::Frame);
    assert_eq!(frame, [9; 60]);
    assert_eq!((load(&stats.flaps), load(&stats.from_card.cut)), (1, 2));
    assert_eq!(far.offer(&mut frame, 600), Offered::Nothing);
}

#[test]
fn total_loss_passes_nothing_and_ends() {
    let (near, near_stats, _, _) = generators(1000);
    let to_card = Faults { loss_ppm: 1_000_000, ..Default::default() };
    let (mut cable, stats) = Impaired::new(near, &ImpairOptions { to_card, ..Default::default() }).unwrap();
    for _ in 0..1000 {
        assert_eq!(cable.offer(&mut Vec::new(), 0), Offered::Nothing);
    }
    assert!(near_stats.finished.load(Ordering::Relaxed));
    assert_eq!(load(&stats.to_card.lost), 1000);
}

#[test]
fn empty_frames_survive_damage() {
    let (mut far, near) = link::pair(NonZeroUsize::new(8).unwrap());
    let from_card = Faults { corruption_ppm: 1_000_000, ..Default::default() };
    let (mut cable, _) = Impaired::new(near, &ImpairOptions { from_card, ..Default::default() }).unwrap();
    assert_eq!(cable.accept(&[], 0), Accepted::Taken);
    assert_eq!(far.offer(&mut Vec::new(), 0), Offered::Frame);
}

#[test]
fn faults_above_a_million_are_refused() {
    let (near, _, _, _) = generators(1);
    let to_card = Faults { loss_ppm: 600_000, corruption_ppm: u32::MAX, ..Default::default() };
    let error = Impaired::new(near, &ImpairOptions { to_card, ..Default::default() }).unwrap_err();
    assert!(error.to_string().contains("add up to 1000000"), "{error}");
}
