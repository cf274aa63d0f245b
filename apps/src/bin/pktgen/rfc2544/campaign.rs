//! Runs the trials: for each size of frames the throughput, then the latency and the frame loss that are asked for.

use std::time::Duration;

use anyhow::anyhow;
use gannet_apps::program;

use super::measured::{FrameLoss, Latency, Limit, Measured, SizeMeasured, Throughput};
use super::observer::Observer;
use super::search::{Search, Verdict};
use crate::rate::{Rate, WIRE_OVERHEAD};
use crate::size::{FCS, Sizes};
use crate::traffic::Traffic;
use crate::trial::{Bench, End, Figures, TrialPlan};

/// Frames that teach the device where the ports are, before each trial (RFC 2544, section 23), and how fast they go.
const LEARNING: u64 = 32;
const LEARNING_PPS: f64 = 1000.0;

/// How often they are sent until one comes back.
const LESSONS: u32 = 5;

/// A rate counts as offered from this share of it on: pacing is exact to one per cent.
const OFFERED: f64 = 0.99;

/// A trial that failed by no more than this may have been disturbed, and is repeated if `retries` allow: share of frames lost, share of
/// the rate that was offered.
const NARROW_LOSS: f64 = 0.01;
const NARROW_OFFER: f64 = 0.9;

/// Steps of the load for the frame loss rate: tenths (RFC 2544, section 26.3).
const LOAD_STEPS: u32 = 10;

/// What is measured, and how.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// Sizes with FCS, in the order in which they are measured.
    pub(super) sizes: Vec<u16>,
    pub(super) tests: Vec<Test>,
    /// Of each trial.
    pub(super) duration: Duration,
    /// Longest wait for the last frames of a trial.
    pub(super) settle: Duration,
    /// Share of the frames that may be lost.
    pub(super) accepted_loss: f64,
    /// Of the throughput, as a share of itself.
    pub(super) resolution: f64,
    /// In per cent of the link's speed.
    pub(super) highest_rate: f64,
    /// How often a trial that failed narrowly is repeated.
    pub(super) retries: u32,
    /// What is sent; the sizes are replaced.
    pub(super) traffic: Traffic,
}

/// A test of section 26. The throughput is always measured: the others begin from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Test {
    /// The highest rate without loss (26.1).
    Throughput,
    /// Latency at the throughput (26.2).
    Latency,
    /// Loss over load (26.3).
    FrameLoss,
}

/// Why a campaign ends early.
enum Stop {
    Interrupted,
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Stop {
    fn from(why: anyhow::Error) -> Stop {
        Stop::Failed(why)
    }
}

/// Runs all trials. What was measured before an interruption or a failure is kept.
///
/// # Errors
/// It fails with the first size: the traffic does not fit the ports, a port is gone, or nothing comes back at all.
pub(super) fn run(settings: &Settings, bench: &mut dyn Bench, observer: &mut dyn Observer) -> anyhow::Result<Measured> {
    let mut measured = Measured { line_bits: bench.line_rate_bits(), ..Measured::default() };
    for &size in &settings.sizes {
        let mut campaign = Campaign { settings, bench, observer, size, trials: 0, repeated: 0, problems: Vec::new() };
        let result = campaign.run();
        measured.problems.append(&mut campaign.problems);
        match result {
            Ok(size) => measured.sizes.push(size),
            Err(Stop::Interrupted) => {
                measured.interrupted = true;
                break;
            }
            Err(Stop::Failed(why)) => {
                let why = why.context(format!("frames of {size} bytes"));
                if measured.sizes.is_empty() {
                    return Err(why);
                }
                measured.problems.push(program::in_words(&why));
                break;
            }
        }
    }
    Ok(measured)
}

/// The trials with frames of one size.
struct Campaign<'a> {
    settings: &'a Settings,
    bench: &'a mut dyn Bench,
    observer: &'a mut dyn Observer,
    size: u16,
    trials: u32,
    repeated: u32,
    problems: Vec<String>,
}

impl Campaign<'_> {
    fn run(&mut self) -> Result<SizeMeasured, Stop> {
        let throughput = self.throughput()?;
        let carried = throughput.percent;
        let wanted = |test| self.settings.tests.contains(&test);
        let (latency, frame_loss) = (wanted(Test::Latency), wanted(Test::FrameLoss));
        let latency = if latency && carried > 0.0 { Some(self.latency(carried)?) } else { None };
        let frame_loss = if frame_loss { self.frame_loss()? } else { Vec::new() };
        let line_pps = self.line_pps();
        let Campaign { size, trials, repeated, .. } = *self;
        Ok(SizeMeasured { size, line_pps, throughput, latency, frame_loss, trials, repeated })
    }

    /// Frames a second that the link carries.
    fn line_pps(&self) -> f64 {
        let wire_bytes = usize::from(self.size - FCS) + WIRE_OVERHEAD;
        self.bench.line_rate_bits() as f64 / (8 * wire_bytes) as f64
    }

    fn throughput(&mut self) -> Result<Throughput, Stop> {
        let mut search = Search::new(self.settings.highest_rate, self.settings.resolution);
        let mut found = Throughput { limit: Limit::HighestRate, ..Throughput::default() };
        while let Some(percent) = search.next() {
            let (figures, verdict) = self.repeat(percent)?;
            search.record(verdict);
            let limit = match verdict {
                Verdict::Carried => found.limit,
                Verdict::Lost(_) => Limit::Loss,
                Verdict::NotOffered(_) => Limit::Offer,
            };
            let trial = Throughput::of(&figures, percent);
            if !matches!(verdict, Verdict::Lost(_)) && trial.percent > found.percent {
                found = trial;
            }
            found.limit = limit;
        }
        self.observer.found(&format!(
            "{} bytes: throughput {:.0} frames/s, {:.3} % of the link, after {} trials",
            self.size, found.pps, found.percent, self.trials
        ));
        Ok(found)
    }

    fn latency(&mut self, percent: f64) -> Result<Latency, Stop> {
        let (figures, _) = self.repeat(percent)?;
        Ok(Latency::of(&figures, percent))
    }

    /// From the highest load that can be offered down in tenths of it, until two trials have lost nothing.
    fn frame_loss(&mut self) -> Result<Vec<FrameLoss>, Stop> {
        let highest = self.settings.highest_rate;
        let mut losses = vec![FrameLoss::of(&self.trial(highest)?, highest)];
        let offered = losses[0].percent;
        for step in (1..LOAD_STEPS).rev() {
            if losses.iter().rev().take_while(|load| load.lost == 0).count() >= 2 {
                break;
            }
            let percent = offered * f64::from(step) / f64::from(LOAD_STEPS);
            if percent > 0.0 {
                losses.push(FrameLoss::of(&self.trial(percent)?, percent));
            }
        }
        Ok(losses)
    }

    /// A trial, and again while it fails narrowly and may be repeated.
    fn repeat(&mut self, percent: f64) -> Result<(Figures, Verdict), Stop> {
        let mut left = self.settings.retries;
        loop {
            let figures = self.trial(percent)?;
            let verdict = judge(&figures, percent, self.settings.accepted_loss);
            if verdict == Verdict::Carried || left == 0 || !is_narrow(&figures) {
                return Ok((figures, verdict));
            }
            left -= 1;
            self.repeated += 1;
        }
    }

    /// One trial, after the frames that the device learns from.
    fn trial(&mut self, percent: f64) -> Result<Figures, Stop> {
        self.teach()?;
        self.trials += 1;
        let trial = format!("{} bytes, trial {} at {percent:.3} %", self.size, self.trials);
        let figures = self.offer(Rate::Percent(percent), End::After(self.settings.duration), &trial)?;
        let lost = figures.counts.lost + figures.counts.corrupted;
        let (sent, offered) = (figures.counts.sent, percent * figures.share_of_asked());
        self.observer.ended(&format!("{trial}: sent {sent} at {offered:.3} %, lost {lost}"));
        Ok(figures)
    }

    /// Sends the frames that the device learns from. A busy machine may take long for the first ones.
    fn teach(&mut self) -> Result<(), Stop> {
        let lesson = format!("{} bytes, learning", self.size);
        let mut sent = 0;
        for _ in 0..LESSONS {
            let learnt = self.offer(Rate::Packets(LEARNING_PPS), End::Frames(LEARNING), &lesson)?;
            if learnt.counts.received > 0 {
                return Ok(());
            }
            sent += learnt.counts.sent;
        }
        Err(Stop::Failed(anyhow!(
            "none of {sent} frames came back: is the device there, and does it forward from the first port to the second?"
        )))
    }

    /// Sends frames, for a trial of this name.
    fn offer(&mut self, rate: Rate, end: End, trial: &str) -> Result<Figures, Stop> {
        self.observer.begins(trial);
        let Settings { traffic, settle, .. } = self.settings;
        let traffic = Traffic { sizes: Sizes::Fixed(self.size), ..traffic.clone() };
        let plan = TrialPlan { traffic, rate, end, window: None, settle: *settle };
        let outcome = self.bench.run(&plan, &mut |progress| self.observer.goes_on(progress))?;
        self.problems.extend(outcome.problems.iter().map(|problem| format!("{trial}: {problem}")));
        if outcome.interrupted { Err(Stop::Interrupted) } else { Ok(outcome.total) }
    }
}

/// Share of the frames that did not arrive as they were sent.
pub(super) fn lost_share(figures: &Figures) -> f64 {
    let counts = &figures.counts;
    if counts.sent == 0 { 0.0 } else { (counts.lost + counts.corrupted) as f64 / counts.sent as f64 }
}

fn judge(figures: &Figures, percent: f64, accepted_loss: f64) -> Verdict {
    let offered = percent * figures.share_of_asked();
    if lost_share(figures) > accepted_loss {
        Verdict::Lost(offered)
    } else if figures.counts.sent == 0 || figures.share_of_asked() < OFFERED {
        Verdict::NotOffered(offered)
    } else {
        Verdict::Carried
    }
}

/// Whether a failed trial may have been disturbed.
fn is_narrow(figures: &Figures) -> bool {
    lost_share(figures) <= NARROW_LOSS && figures.share_of_asked() >= NARROW_OFFER
}
