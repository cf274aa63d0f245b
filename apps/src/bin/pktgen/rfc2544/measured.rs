//! What a campaign has measured.

use serde::Serialize;

use super::campaign::lost_share;
use crate::trial::Figures;

/// Everything.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Measured {
    /// Speed of the slowest link.
    pub(super) line_bits: u64,
    pub(super) sizes: Vec<SizeMeasured>,
    /// Sizes are missing.
    pub(super) interrupted: bool,
    /// What went wrong.
    pub(super) problems: Vec<String>,
}

/// With frames of one size.
#[derive(Debug, Clone, Serialize)]
pub(super) struct SizeMeasured {
    /// Bytes of a frame, FCS included.
    pub(super) size: u16,
    /// Frames a second that the link carries.
    pub(super) line_pps: f64,
    pub(super) throughput: Throughput,
    /// `None` if it was not asked for, or there was no throughput.
    pub(super) latency: Option<Latency>,
    /// From the highest load down; empty if it was not asked for.
    pub(super) frame_loss: Vec<FrameLoss>,
    pub(super) trials: u32,
    /// Of the trials, those that repeated one that had failed narrowly.
    pub(super) repeated: u32,
}

/// The highest rate that was carried; all 0 if none was.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Throughput {
    /// As it was sent.
    pub(super) pps: f64,
    /// The same in bits on the wire.
    pub(super) bits_per_second: f64,
    /// The same in per cent of the link's speed.
    pub(super) percent: f64,
    pub(super) sent: u64,
    pub(super) lost: u64,
    pub(super) limit: Limit,
}

/// Why the throughput is not higher.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Limit {
    /// The link, or the highest rate that was to be tried.
    #[default]
    HighestRate,
    /// Frames were lost.
    Loss,
    /// More could not be offered: the generator was too slow, or the device held it up by flow control.
    Offer,
}

/// Of all frames of a trial at the throughput, in nanoseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Latency {
    pub(super) percent: f64,
    pub(super) frames: u64,
    pub(super) lost: u64,
    pub(super) min_ns: u64,
    pub(super) mean_ns: f64,
    pub(super) p50_ns: u64,
    pub(super) p90_ns: u64,
    pub(super) p99_ns: u64,
    pub(super) p999_ns: u64,
    pub(super) max_ns: u64,
}

/// Loss at one load.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct FrameLoss {
    /// Of the link's speed, as it was sent.
    pub(super) percent: f64,
    pub(super) pps: f64,
    pub(super) sent: u64,
    pub(super) lost: u64,
    pub(super) lost_share: f64,
}

impl Limit {
    /// In words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Limit::HighestRate => "highest rate",
            Limit::Loss => "loss",
            Limit::Offer => "offered load",
        }
    }
}

impl Throughput {
    /// What was sent in a trial at `percent` of the link's speed.
    pub(super) fn of(figures: &Figures, percent: f64) -> Throughput {
        Throughput {
            pps: figures.pps(),
            bits_per_second: figures.bits_per_second(),
            percent: percent * figures.share_of_asked(),
            sent: figures.counts.sent,
            lost: figures.counts.lost + figures.counts.corrupted,
            limit: Limit::default(),
        }
    }
}

impl Latency {
    /// The latencies of a trial at `percent` of the link's speed.
    pub(super) fn of(figures: &Figures, percent: f64) -> Latency {
        let histogram = &figures.latency;
        let at = |quantile| histogram.value_at_quantile(quantile);
        Latency {
            percent: percent * figures.share_of_asked(),
            frames: histogram.len(),
            lost: figures.counts.lost + figures.counts.corrupted,
            min_ns: histogram.min(),
            mean_ns: histogram.mean(),
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
            max_ns: histogram.max(),
        }
    }
}

impl FrameLoss {
    /// What a trial at `percent` of the link's speed lost.
    pub(super) fn of(figures: &Figures, percent: f64) -> FrameLoss {
        FrameLoss {
            percent: percent * figures.share_of_asked(),
            pps: figures.pps(),
            sent: figures.counts.sent,
            lost: figures.counts.lost + figures.counts.corrupted,
            lost_share: lost_share(figures),
        }
    }
}
