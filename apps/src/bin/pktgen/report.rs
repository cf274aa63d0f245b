//! What a run prints in the end.

use std::fmt::Write;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::trial::{Counts, Outcome, Progress};

/// Share of the asked rate that counts as reached.
const REACHED: f64 = 0.99;

/// A run, told.
pub(crate) struct Report {
    outcome: Outcome,
    /// Frames of a capture that could not be sent.
    skipped: u64,
}

/// The report as JSON.
#[derive(Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    counts: &'a Counts,
    skipped: u64,
    seconds: f64,
    pps: f64,
    bits_per_second: f64,
    asked_pps: Option<f64>,
    share_of_asked: f64,
    latency_ns: Option<Quantiles>,
    lateness_ns: Option<Quantiles>,
    interrupted: bool,
    problems: &'a [String],
}

/// A histogram in short.
#[derive(Serialize)]
struct Quantiles {
    min: u64,
    mean: f64,
    p50: u64,
    p90: u64,
    p99: u64,
    p99_9: u64,
    p99_99: u64,
    max: u64,
}

impl Quantiles {
    /// `None` for an empty histogram.
    fn of(histogram: &Histogram<u64>) -> Option<Quantiles> {
        let at = |quantile| histogram.value_at_quantile(quantile);
        (!histogram.is_empty()).then(|| Quantiles {
            min: histogram.min(),
            mean: histogram.mean(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            max: histogram.max(),
        })
    }

    fn row(&self, name: &str) -> String {
        let Quantiles { min, mean, p50, p90, p99, p99_9, p99_99, max } = *self;
        let mut row = format!("{name:<12}");
        for nanoseconds in [min, mean as u64, p50, p90, p99, p99_9, p99_99, max] {
            // Writing to a String cannot fail.
            let _ = write!(row, "{:>11.2}", nanoseconds as f64 / 1e3);
        }
        row + "\n"
    }
}

impl Report {
    pub(crate) fn new(outcome: Outcome, skipped: u64) -> Report {
        Report { outcome, skipped }
    }

    /// Whether all went as it was asked for.
    pub(crate) fn is_clean(&self) -> bool {
        let Counts { lost, duplicated, reordered, corrupted, .. } = self.outcome.counts;
        lost + duplicated + reordered + corrupted + self.skipped == 0
            && self.is_rate_reached()
            && self.outcome.problems.is_empty()
    }

    fn is_rate_reached(&self) -> bool {
        self.outcome.share_of_asked() >= REACHED
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let Counts { sent, received, lost, duplicated, reordered, corrupted, rewritten, foreign } = self.outcome.counts;
        let mut text = String::new();
        let mut row = |name: &str, count: u64, note: &str| {
            let _ = writeln!(text, "{}", format!("{name:<12}{count:>14}   {note}").trim_end());
        };
        row("sent", sent, &self.rate());
        row("received", received, "");
        row(
            "lost",
            lost,
            &if sent > 0 { format!("{:.4} %", lost as f64 * 100.0 / sent as f64) } else { String::new() },
        );
        row("duplicated", duplicated, "");
        row("reordered", reordered, "");
        row("corrupted", corrupted, "");
        for (name, count, note) in [
            ("rewritten", rewritten, "arrived with another Ethernet header"),
            ("foreign", foreign, "frames of others"),
            (
                "skipped",
                self.skipped,
                "frames of the capture that are empty, or longer than the port (--mtu) or a buffer (--buffer-size) takes",
            ),
        ] {
            if count > 0 {
                row(name, count, note);
            }
        }
        let latency = Quantiles::of(&self.outcome.latency).map(|quantiles| quantiles.row("latency"));
        let lateness = Quantiles::of(&self.outcome.lateness).map(|quantiles| quantiles.row("pacing"));
        if latency.is_some() || lateness.is_some() {
            let columns = ["min", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"];
            let columns: String = columns.iter().map(|column| format!("{column:>11}")).collect();
            text = format!("{text}\n{:<12}{columns}\n", "MICROSECONDS")
                + &(latency.unwrap_or_default() + &lateness.unwrap_or_default());
        }
        if !self.is_rate_reached() {
            let _ = writeln!(
                text,
                "problem     {:.1} % of the rate was reached: a lower --rate, larger frames or a core of its own help",
                self.outcome.share_of_asked() * 100.0
            );
        }
        for problem in &self.outcome.problems {
            let _ = writeln!(text, "problem     {problem}");
        }
        text
    }

    fn rate(&self) -> String {
        let Outcome { seconds, asked_pps, .. } = self.outcome;
        let mut text = format!(
            "{}   {} on the wire   in {seconds:.2} s",
            unit(self.outcome.pps(), "pps"),
            unit(self.outcome.bits_per_second(), "b/s"),
        );
        if let Some(asked) = asked_pps {
            let _ = write!(text, "   asked for {}", unit(asked, "pps"));
        }
        if self.outcome.interrupted {
            text += "   interrupted";
        }
        text
    }

    /// For programs: one object.
    pub(crate) fn json(&self) -> String {
        let Outcome { counts, seconds, asked_pps, interrupted, problems, .. } = &self.outcome;
        let json = Json {
            counts,
            skipped: self.skipped,
            seconds: *seconds,
            pps: self.outcome.pps(),
            bits_per_second: self.outcome.bits_per_second(),
            asked_pps: *asked_pps,
            share_of_asked: self.outcome.share_of_asked(),
            latency_ns: Quantiles::of(&self.outcome.latency),
            lateness_ns: Quantiles::of(&self.outcome.lateness),
            interrupted: *interrupted,
            problems,
        };
        serde_json::to_string_pretty(&json).expect("numbers and texts are JSON") + "\n"
    }
}

/// A line of progress.
pub(crate) fn line(progress: &Progress) -> String {
    let mut line = format!(
        "{:6.1} s   sent {} ({}, {})   received {} ({})   missing {}",
        progress.elapsed.as_secs_f64(),
        progress.sent,
        unit(progress.sent_pps, "pps"),
        unit(progress.sent_bits, "b/s"),
        progress.received,
        unit(progress.received_pps, "pps"),
        progress.missing,
    );
    if let Some(latency) = progress.latency {
        let us = |nanoseconds: u64| nanoseconds as f64 / 1e3;
        let _ = write!(
            line,
            "   latency p50 {:.1} us, p99 {:.1} us, max {:.1} us",
            us(latency.p50),
            us(latency.p99),
            us(latency.max)
        );
    }
    line
}

/// A number with its unit and the prefix that suits it.
fn unit(number: f64, unit: &str) -> String {
    let (factor, prefix) = match number {
        _ if number >= 1e9 => (1e9, "G"),
        _ if number >= 1e6 => (1e6, "M"),
        _ if number >= 1e3 => (1e3, "k"),
        _ => (1.0, ""),
    };
    format!("{:.3} {prefix}{unit}", number / factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::histogram;

    fn outcome() -> Outcome {
        let (mut latency, lateness) = (histogram(), histogram());
        latency.record_n(1500, 10).unwrap();
        Outcome {
            counts: Counts { sent: 10, received: 10, ..Counts::default() },
            seconds: 2.0,
            wire_bits: 6720,
            asked_pps: Some(5.0),
            latency,
            lateness,
            interrupted: false,
            problems: Vec::new(),
        }
    }

    #[test]
    fn a_clean_run_is_told_in_few_words() {
        let report = Report::new(outcome(), 0);
        assert!(report.is_clean());
        let text = report.text();
        for part in ["5.000 pps   3.360 kb/s on the wire   in 2.00 s   asked for 5.000 pps", "0.0000 %", "1.50"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        for part in ["foreign", "rewritten", "skipped", "problem", "pacing"] {
            assert!(!text.contains(part), "{part}: {text}");
        }
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!((&json["sent"], &json["pps"], &json["lateness_ns"]), (&10.into(), &5.0.into(), &().into()));
        assert_eq!(json["latency_ns"]["min"], 1500);
    }

    #[test]
    fn whatever_went_wrong_is_not_clean_and_told() {
        let counts = outcome().counts;
        for (counts, skipped, asked_pps, problem, part) in [
            (Counts { lost: 1, ..counts }, 0, None, None, "10.0000 %"),
            (Counts { duplicated: 3, ..counts }, 0, None, None, "3"),
            (Counts { reordered: 3, ..counts }, 0, None, None, "3"),
            (Counts { corrupted: 3, ..counts }, 0, None, None, "3"),
            (counts, 7, None, None, "skipped"),
            (counts, 0, Some(6.0), None, "83.3 % of the rate"),
            (counts, 0, None, Some("the link went down".to_owned()), "the link went down"),
        ] {
            let outcome = Outcome { counts, asked_pps, problems: problem.into_iter().collect(), ..outcome() };
            let report = Report::new(outcome, skipped);
            assert!(!report.is_clean() && report.text().contains(part), "{part}: {}", report.text());
        }
    }

    #[test]
    fn what_others_do_is_no_fault() {
        let counts = Counts { foreign: 5, rewritten: 10, ..outcome().counts };
        let report = Report::new(Outcome { counts, ..outcome() }, 0);
        assert!(report.is_clean() && report.text().contains("rewritten"), "{}", report.text());
    }

    #[test]
    fn nothing_sent_is_told_without_a_division_by_zero() {
        let outcome =
            Outcome { counts: Counts::default(), seconds: 0.0, latency: histogram(), asked_pps: None, ..outcome() };
        let text = Report::new(outcome, 0).text();
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }
}
