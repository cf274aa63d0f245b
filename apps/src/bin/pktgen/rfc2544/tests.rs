//! Campaigns against a device that is arithmetic.

use std::time::Duration;

use gannet_apps::program::{Live, Show};

use super::campaign::{self, Settings, Test};
use super::measured::{Limit, Measured, SizeMeasured};
use super::observer::{Lines, Observer};
use crate::rate::{Rate, WIRE_OVERHEAD};
use crate::size::{FCS, Sizes};
use crate::traffic::Traffic;
use crate::trial::{Bench, Counts, End, Figures, Outcome, Progress, TrialPlan, histogram};

pub(super) const LINE: u64 = 10_000_000_000;

/// A device that forwards so many frames a second, behind a generator that offers so many at most.
pub(super) struct Device {
    pub(super) forwards_pps: f64,
    pub(super) generator_pps: f64,
    /// Trials that lose one frame more than they should, by number.
    pub(super) disturbed: Vec<u64>,
    /// The trial at which somebody presses Ctrl-C.
    pub(super) interrupted_at: Option<u64>,
    pub(super) trials: u64,
    /// Rates that were asked for, in frames a second.
    asked: Vec<f64>,
}

impl Device {
    pub(super) fn new(forwards_pps: f64) -> Device {
        Device {
            forwards_pps,
            generator_pps: f64::INFINITY,
            disturbed: Vec::new(),
            interrupted_at: None,
            trials: 0,
            asked: Vec::new(),
        }
    }
}

impl Bench for Device {
    fn run(&mut self, plan: &TrialPlan, watch: &mut dyn FnMut(&Progress)) -> anyhow::Result<Outcome> {
        let Sizes::Fixed(size) = plan.traffic.sizes else { panic!("sizes are tried one by one") };
        let wire_bytes = f64::from(size - FCS) + WIRE_OVERHEAD as f64;
        let by_bits = || plan.rate.bits(LINE).map(|bits| bits / (8.0 * wire_bytes));
        let asked = plan.rate.pps().or_else(by_bits).expect("a rate");
        let pps = asked.min(self.generator_pps);
        let seconds = match plan.end {
            End::After(time) => time.as_secs_f64(),
            End::Frames(frames) => frames as f64 / pps,
            End::Open => panic!("a trial without end"),
        };
        let sent = (pps * seconds).round() as u64;
        let mut lost = sent - sent.min((self.forwards_pps * seconds).round() as u64);
        if matches!(plan.end, End::After(_)) {
            self.asked.push(asked);
            lost += u64::from(self.disturbed.contains(&self.trials));
            self.trials += 1;
        }
        let mut latency = histogram();
        for frame in 0..1000 {
            latency.record(10_000 + frame * 10).expect("within its bounds");
        }
        let progress = Progress {
            elapsed: Duration::from_secs_f64(seconds),
            sent,
            received: sent - lost,
            missing: lost,
            sent_pps: pps,
            received_pps: pps,
            sent_bits: pps * wire_bytes * 8.0,
            latency: None,
        };
        watch(&progress);
        let total = Figures {
            counts: Counts { sent, received: sent - lost, lost, ..Counts::default() },
            seconds,
            wire_bits: (sent as f64 * wire_bytes * 8.0) as u64,
            asked_pps: Some(asked),
            asked_bits: None,
            latency,
            lateness: histogram(),
        };
        Ok(Outcome {
            total,
            ways: Vec::new(),
            interrupted: self.interrupted_at.is_some_and(|at| self.trials > at),
            problems: Vec::new(),
        })
    }

    fn line_rate_bits(&self) -> u64 {
        LINE
    }
}

pub(super) fn settings() -> Settings {
    Settings {
        sizes: vec![64, 1518],
        tests: vec![Test::Throughput, Test::Latency],
        duration: Duration::from_secs(1),
        settle: Duration::ZERO,
        accepted_loss: 0.0,
        resolution: 0.01,
        highest_rate: 100.0,
        retries: 0,
        traffic: Traffic::default(),
    }
}

pub(super) fn run(settings: &Settings, device: &mut Device) -> Measured {
    campaign::run(settings, device, &mut Lines::new(&mut Live::new(Show::Nothing))).expect("a device that forwards")
}

/// A campaign with 64-byte frames alone.
fn with_64(change: impl FnOnce(&mut Settings), device: &mut Device) -> SizeMeasured {
    let mut settings = Settings { sizes: vec![64], ..settings() };
    change(&mut settings);
    run(&settings, device).sizes.remove(0)
}

#[track_caller]
fn assert_close(found: f64, limit: f64) {
    assert!(found <= limit && found >= 0.98 * limit, "{found} for a limit of {limit}");
}

#[test]
fn the_throughput_of_each_size_is_found() {
    let measured = run(&settings(), &mut Device::new(3e6));
    let [small, large] = &measured.sizes[..] else { panic!("{measured:?}") };
    assert_close(small.throughput.pps, 3e6);
    assert_eq!((small.throughput.limit, small.throughput.lost), (Limit::Loss, 0));
    assert!((small.line_pps - 14_880_952.0).abs() < 1.0, "{small:?}");
    // 812744 frames a second are all that the link carries.
    assert!((large.throughput.pps - 812_744.0).abs() < 1.0, "{large:?}");
    assert_eq!((large.throughput.percent, large.throughput.limit), (100.0, Limit::HighestRate));
}

#[test]
fn no_trial_is_above_the_highest_rate() {
    let mut device = Device::new(1e9);
    let found = with_64(|settings| settings.highest_rate = 20.0, &mut device);
    assert!((found.throughput.percent - 20.0).abs() < 0.001, "{found:?}");
    assert!(device.asked.iter().all(|&pps| pps <= 2.98e6), "{:?}", device.asked);
}

#[test]
fn a_generator_that_is_the_limit_is_named() {
    let mut device = Device { generator_pps: 200e3, ..Device::new(3e6) };
    let found = with_64(|_| {}, &mut device);
    assert_eq!(found.throughput.limit, Limit::Offer);
    // What it could offer was carried; one trial shows it, another one measures the latency.
    assert!((found.throughput.pps - 200e3).abs() < 1.0 && found.trials == 2, "{found:?}");
}

#[test]
fn accepted_loss_raises_the_throughput() {
    let found = with_64(|settings| settings.accepted_loss = 0.5, &mut Device::new(3e6));
    assert_close(found.throughput.pps, 6e6);
    assert!(found.throughput.lost > 0);
}

#[test]
fn a_disturbed_trial_is_repeated_as_often_as_allowed() {
    // The first trial is at the link's speed and would be carried.
    let disturbed = |retries| {
        let mut device = Device { disturbed: vec![0, 1], ..Device::new(1e9) };
        with_64(|settings| settings.retries = retries, &mut device)
    };
    assert!(disturbed(1).throughput.percent < 99.99);
    let found = disturbed(2);
    assert!(found.throughput.percent > 99.99 && found.repeated == 2, "{found:?}");
}

#[test]
fn a_trial_that_failed_by_far_is_not_repeated() {
    let mut device = Device::new(3e6);
    with_64(|settings| settings.retries = 3, &mut device);
    let far_above = device.asked.iter().filter(|&&pps| pps > 1.1 * 3e6).map(|&pps| pps as u64);
    assert!(far_above.is_sorted_by(|higher, lower| higher > lower), "each rate once: {:?}", device.asked);
}

#[test]
fn latency_is_measured_at_the_throughput() {
    let found = with_64(|_| {}, &mut Device::new(3e6));
    let latency = found.latency.expect("it was asked for");
    assert_eq!((latency.percent, latency.frames), (found.throughput.percent, 1000));
    assert!(latency.min_ns <= latency.p50_ns && latency.p50_ns <= latency.p99_ns && latency.p999_ns <= latency.max_ns);
    assert!((14_900..15_100).contains(&latency.p50_ns), "{latency:?}");
    let without = with_64(|settings| settings.tests = vec![Test::Throughput], &mut Device::new(3e6));
    assert!(without.latency.is_none() && without.frame_loss.is_empty());
}

#[test]
fn frame_loss_goes_down_in_tenths_until_nothing_is_lost_twice() {
    let found = with_64(|settings| settings.tests = vec![Test::FrameLoss], &mut Device::new(7e6));
    // The device forwards 47 %: 100, 90, 80, 70, 60, 50 lose frames, 40 and 30 do not.
    let percents: Vec<i32> = found.frame_loss.iter().map(|load| load.percent.round() as i32).collect();
    assert_eq!(percents, [100, 90, 80, 70, 60, 50, 40, 30]);
    assert!(found.frame_loss.is_sorted_by(|higher, lower| higher.lost_share >= lower.lost_share));
    assert!((found.frame_loss[0].lost_share - 0.53).abs() < 0.01, "{found:?}");
}

#[test]
fn a_device_that_is_not_there_is_an_error() {
    let failed =
        campaign::run(&settings(), &mut Device::new(0.0), &mut Lines::new(&mut Live::new(Show::Nothing))).unwrap_err();
    assert!(format!("{failed:#}").contains("none of 160 frames came back"), "{failed:#}");
}

#[test]
fn a_device_that_goes_away_leaves_what_was_measured() {
    struct Leaving(Device);
    impl Bench for Leaving {
        fn run(&mut self, plan: &TrialPlan, watch: &mut dyn FnMut(&Progress)) -> anyhow::Result<Outcome> {
            if self.0.trials >= 2 {
                self.0.forwards_pps = 0.0;
            }
            let mut outcome = self.0.run(plan, watch)?;
            outcome.problems.extend((self.0.trials > 1).then(|| "the link went down".to_owned()));
            Ok(outcome)
        }

        fn line_rate_bits(&self) -> u64 {
            LINE
        }
    }
    let mut bench = Leaving(Device::new(1e9));
    let measured =
        campaign::run(&settings(), &mut bench, &mut Lines::new(&mut Live::new(Show::Nothing))).expect("one size");
    assert_eq!((measured.interrupted, measured.sizes.len()), (false, 1));
    let [.., down, gone] = &measured.problems[..] else { panic!("{measured:?}") };
    assert!(down.contains("the link went down") && down.starts_with("1518 bytes"), "{measured:?}");
    assert!(gone.contains("none of 160 frames came back"), "{measured:?}");
}

#[test]
fn an_interruption_keeps_what_was_measured() {
    let mut device = Device { interrupted_at: Some(4), ..Device::new(1e9) };
    let measured = run(&Settings { sizes: vec![64, 512, 1518], ..settings() }, &mut device);
    // A trial for the throughput and one for the latency of each size.
    assert_eq!((measured.interrupted, measured.sizes.len()), (true, 2));
}

#[test]
fn the_frames_that_teach_are_slow() {
    struct Slow(Device, u32);
    impl Bench for Slow {
        fn run(&mut self, plan: &TrialPlan, watch: &mut dyn FnMut(&Progress)) -> anyhow::Result<Outcome> {
            self.1 += u32::from(plan.rate == Rate::Packets(1000.0) && plan.end == End::Frames(32));
            self.0.run(plan, watch)
        }

        fn line_rate_bits(&self) -> u64 {
            LINE
        }
    }
    let mut bench = Slow(Device::new(3e6), 0);
    let settings = Settings { sizes: vec![64], ..settings() };
    campaign::run(&settings, &mut bench, &mut Lines::new(&mut Live::new(Show::Nothing)))
        .expect("a device that forwards");
    assert_eq!(u64::from(bench.1), bench.0.trials, "before each trial");
}

#[test]
fn an_observer_is_told_where_a_campaign_is_and_what_it_has_found() {
    #[derive(Debug, Default)]
    struct Told(Vec<String>);
    impl Observer for Told {
        fn begins(&mut self, trial: &str) {
            self.0.push(format!("begins {trial}"));
        }
        fn goes_on(&mut self, progress: &Progress) {
            self.0.push(format!("goes on: {} missing", progress.missing));
        }
        fn ended(&mut self, result: &str) {
            self.0.push(format!("ended {result}"));
        }
        fn found(&mut self, finding: &str) {
            self.0.push(format!("found {finding}"));
        }
    }
    let mut told = Told::default();
    let settings = Settings { sizes: vec![64], tests: vec![Test::Throughput], resolution: 0.5, ..settings() };
    campaign::run(&settings, &mut Device::new(8e6), &mut told).expect("a device that forwards");
    let [lesson, taught, begins, lost, first, _, _, _, _, second, found] = &told.0[..] else { panic!("{told:?}") };
    assert_eq!((lesson.as_str(), taught.as_str()), ("begins 64 bytes, learning", "goes on: 0 missing"));
    assert_eq!((begins.as_str(), lost.as_str()), ("begins 64 bytes, trial 1 at 100.000 %", "goes on: 6880952 missing"));
    assert_eq!(first, "ended 64 bytes, trial 1 at 100.000 %: sent 14880952 at 100.000 %, lost 6880952");
    assert_eq!(second, "ended 64 bytes, trial 2 at 50.000 %: sent 7440476 at 50.000 %, lost 0");
    assert_eq!(found, "found 64 bytes: throughput 7440476 frames/s, 50.000 % of the link, after 2 trials");
}
