//! What a run prints in the end.

use std::fmt::Write;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::replay::Deviations;
use crate::trial::{Counts, Figures, Outcome, Progress, Way};

/// Share of the asked rate that counts as reached.
const REACHED: f64 = 0.99;

/// A run, told.
pub(crate) struct Report {
    outcome: Outcome,
    deviations: Deviations,
}

/// The report as JSON.
#[derive(Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    total: JsonFigures,
    ways: Vec<JsonWay>,
    #[serde(flatten)]
    deviations: Deviations,
    interrupted: bool,
    problems: &'a [String],
}

#[derive(Serialize)]
struct JsonWay {
    #[serde(flatten)]
    way: Way,
    #[serde(flatten)]
    figures: JsonFigures,
}

#[derive(Serialize)]
struct JsonFigures {
    #[serde(flatten)]
    counts: Counts,
    seconds: f64,
    pps: f64,
    bits_per_second: f64,
    asked_pps: Option<f64>,
    asked_bits_per_second: Option<f64>,
    share_of_asked: f64,
    latency_ns: Option<Quantiles>,
    lateness_ns: Option<Quantiles>,
}

impl JsonFigures {
    fn of(figures: &Figures) -> JsonFigures {
        JsonFigures {
            counts: figures.counts,
            seconds: figures.seconds,
            pps: figures.pps(),
            bits_per_second: figures.bits_per_second(),
            asked_pps: figures.asked_pps,
            asked_bits_per_second: figures.asked_bits,
            share_of_asked: figures.share_of_asked(),
            latency_ns: Quantiles::of(&figures.latency),
            lateness_ns: Quantiles::of(&figures.lateness),
        }
    }
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
    pub(crate) fn new(outcome: Outcome, deviations: Deviations) -> Report {
        Report { outcome, deviations }
    }

    /// Whether all went as it was asked for.
    pub(crate) fn is_clean(&self) -> bool {
        let Counts { lost, surplus, duplicated, reordered, stale, corrupted, .. } = self.outcome.total.counts;
        lost + surplus + duplicated + reordered + stale + corrupted + self.deviations.skipped == 0
            && self.share_of_asked() >= REACHED
            && self.outcome.problems.is_empty()
    }

    /// Of the way that fell behind most: another cannot make up for it.
    fn share_of_asked(&self) -> f64 {
        self.outcome.ways.iter().map(|(_, figures)| figures.share_of_asked()).fold(1.0, f64::min)
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let Outcome { total, ways, interrupted, problems } = &self.outcome;
        let mut rows = fates(total);
        if *interrupted {
            rows[0].2 += "   interrupted";
        }
        let Deviations { skipped, cut, padded } = self.deviations;
        rows.extend(remarkable([
            (
                "skipped",
                skipped,
                "frames of the capture that are empty, or longer than the port (--mtu) or a buffer (--buffer-size) takes",
            ),
            ("cut", cut, "frames were cut when they were captured (snap length), and sent as far as they go"),
            ("padded", padded, "frames of the capture were filled up to 60 bytes"),
        ]));
        let mut text = section(&rows, total);
        if ways.len() > 1 {
            for (Way { from, to }, figures) in ways {
                let _ = write!(text, "\nway {from} -> {to}\n{}", section(&fates(figures), figures));
            }
        }
        let share = self.share_of_asked();
        if share < REACHED {
            let _ = writeln!(
                text,
                "problem     {:.1} % of the rate was reached: a lower --rate, larger frames or a core of its own help",
                share * 100.0
            );
        }
        for problem in problems {
            let _ = writeln!(text, "problem     {problem}");
        }
        text
    }

    /// For programs: one object.
    pub(crate) fn json(&self) -> String {
        let Outcome { total, ways, interrupted, problems } = &self.outcome;
        let json = Json {
            total: JsonFigures::of(total),
            ways: ways.iter().map(|(way, figures)| JsonWay { way: *way, figures: JsonFigures::of(figures) }).collect(),
            deviations: self.deviations,
            interrupted: *interrupted,
            problems,
        };
        serde_json::to_string_pretty(&json).expect("numbers and texts are JSON") + "\n"
    }
}

/// A count with its name and what there is to say of it.
type Row = (&'static str, u64, String);

/// Frames by their fate.
fn fates(figures: &Figures) -> Vec<Row> {
    let Counts { sent, received, lost, surplus, duplicated, reordered, stale, corrupted, rewritten, foreign } =
        figures.counts;
    let share = if sent > 0 { format!("{:.4} %", lost as f64 * 100.0 / sent as f64) } else { String::new() };
    let mut rows = vec![("sent", sent, rate(figures)), ("received", received, String::new()), ("lost", lost, share)];
    rows.extend(
        [("duplicated", duplicated), ("reordered", reordered), ("corrupted", corrupted)]
            .map(|(name, count)| (name, count, String::new())),
    );
    rows.extend(remarkable([
        ("surplus", surplus, "arrived beyond those sent: copies, or frames of others"),
        ("stale", stale, "came too late to tell whether for the first time: not received, nor reordered"),
        ("rewritten", rewritten, "arrived with another Ethernet header"),
        ("foreign", foreign, "frames of others"),
    ]));
    rows
}

/// Of these rows, those that count something.
fn remarkable<const N: usize>(rows: [(&'static str, u64, &str); N]) -> impl Iterator<Item = Row> {
    rows.into_iter().filter(|(_, count, _)| *count > 0).map(|(name, count, note)| (name, count, note.to_owned()))
}

fn rate(figures: &Figures) -> String {
    let mut text = format!(
        "{}   {} on the wire   in {:.2} s",
        unit(figures.pps(), "pps"),
        unit(figures.bits_per_second(), "b/s"),
        figures.seconds
    );
    for (asked, of) in [(figures.asked_pps, "pps"), (figures.asked_bits, "b/s")] {
        if let Some(asked) = asked {
            let _ = write!(text, "   asked for {}", unit(asked, of));
        }
    }
    text
}

/// These rows, and the times as far as there are some.
fn section(rows: &[Row], figures: &Figures) -> String {
    let mut text = String::new();
    for (name, count, note) in rows {
        let _ = writeln!(text, "{}", format!("{name:<12}{count:>14}   {note}").trim_end());
    }
    let times = [("latency", &figures.latency), ("pacing", &figures.lateness)];
    let times =
        times.map(|(name, of)| Quantiles::of(of).map_or_else(String::new, |quantiles| quantiles.row(name))).concat();
    if !times.is_empty() {
        let columns = ["min", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"];
        let columns: String = columns.iter().map(|column| format!("{column:>11}")).collect();
        let _ = write!(text, "\n{:<12}{columns}\n{times}", "MICROSECONDS");
    }
    text
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

    const THERE: Way = Way { from: 0, to: 1 };
    const BACK: Way = Way { from: 1, to: 0 };

    fn figures() -> Figures {
        let mut latency = histogram();
        latency.record_n(1500, 10).unwrap();
        Figures {
            counts: Counts { sent: 10, received: 10, ..Counts::default() },
            seconds: 2.0,
            wire_bits: 6720,
            asked_pps: Some(5.0),
            latency,
            ..Figures::default()
        }
    }

    /// Of these ways.
    fn outcome(ways: Vec<(Way, Figures)>) -> Outcome {
        let total = Figures::sum(ways.iter().map(|(_, figures)| figures));
        Outcome { total, ways, interrupted: false, problems: Vec::new() }
    }

    fn report(figures: Figures) -> Report {
        Report::new(outcome(vec![(THERE, figures)]), Deviations::default())
    }

    #[test]
    fn a_clean_run_is_told_in_few_words() {
        let report = report(figures());
        assert!(report.is_clean());
        let text = report.text();
        for part in ["5.000 pps   3.360 kb/s on the wire   in 2.00 s   asked for 5.000 pps", "0.0000 %", "1.50"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        for part in ["foreign", "rewritten", "skipped", "problem", "pacing", "way"] {
            assert!(!text.contains(part), "{part}: {text}");
        }
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!((&json["sent"], &json["pps"], &json["lateness_ns"]), (&10.into(), &5.0.into(), &().into()));
        assert_eq!(json["latency_ns"]["min"], 1500);
        assert_eq!((&json["ways"][0]["to"], &json["ways"][0]["received"]), (&1.into(), &10.into()));
    }

    #[test]
    fn each_way_is_told_for_itself() {
        let mut bad = figures();
        bad.counts = Counts { sent: 10, received: 7, lost: 3, ..Counts::default() };
        bad.latency.record(9_000_000).unwrap();
        let report = Report::new(outcome(vec![(THERE, figures()), (BACK, bad)]), Deviations::default());
        let text = report.text();
        let parts: Vec<&str> = text.split("way ").collect();
        for (part, beginning, told) in [
            (parts[0], "sent                    20   10.000 pps   6.720 kb/s", ["15.0000 %", "9003.01"]),
            (parts[1], "0 -> 1\nsent                    10   5.000 pps", ["0.0000 %", "1.50"]),
            (parts[2], "1 -> 0\nsent                    10   5.000 pps", ["30.0000 %", "9003.01"]),
        ] {
            assert!(part.starts_with(beginning) && told.iter().all(|told| part.contains(told)), "{told:?}: {text}");
        }
        assert!(!parts[1].contains("9003.01"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!((&json["lost"], &json["asked_pps"]), (&3.into(), &10.0.into()));
        let lost =
            |way: usize| (&json["ways"][way]["from"], &json["ways"][way]["lost"], &json["ways"][way]["asked_pps"]);
        assert_eq!(lost(0), (&0.into(), &0.into(), &5.0.into()));
        assert_eq!(lost(1), (&1.into(), &3.into(), &5.0.into()));
    }

    #[test]
    fn a_way_that_fell_behind_is_not_made_up_for_by_the_other() {
        let slow = Figures { asked_pps: Some(5.08), ..figures() };
        let report = Report::new(outcome(vec![(THERE, figures()), (BACK, slow)]), Deviations::default());
        assert!(!report.is_clean() && report.text().contains("98.4 % of the rate"), "{}", report.text());
    }

    /// What 10 frames are a second depends on their sizes; a rate in bits is one of bits.
    #[test]
    fn a_rate_in_bits_is_compared_in_bits() {
        for (asked, is_reached) in [(3360.0, true), (3400.0, false)] {
            let report = report(Figures { asked_pps: None, asked_bits: Some(asked), ..figures() });
            assert_eq!(report.is_clean(), is_reached, "{}", report.text());
            assert!(report.text().contains("kb/s on the wire   in 2.00 s   asked for 3."), "{}", report.text());
        }
    }

    #[test]
    fn frames_that_were_cut_before_are_told_and_no_fault() {
        let deviations = Deviations { cut: 4, padded: 5, ..Deviations::default() };
        let report = Report::new(outcome(vec![(THERE, figures())]), deviations);
        assert!(report.is_clean());
        let text = report.text();
        assert!(
            text.contains("\ncut                      4   ") && text.contains("\npadded                   5   "),
            "{text}"
        );
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(["skipped", "cut", "padded"].map(|name| json[name].as_u64()), [Some(0), Some(4), Some(5)]);
    }

    #[test]
    fn whatever_went_wrong_is_not_clean_and_told() {
        let counts = figures().counts;
        for (counts, skipped, asked_pps, problem, part) in [
            (Counts { lost: 1, ..counts }, 0, None, None, "10.0000 %"),
            (Counts { surplus: 3, ..counts }, 0, None, None, "surplus"),
            (Counts { duplicated: 3, ..counts }, 0, None, None, "3"),
            (Counts { reordered: 3, ..counts }, 0, None, None, "3"),
            (Counts { stale: 3, ..counts }, 0, None, None, "stale"),
            (Counts { corrupted: 3, ..counts }, 0, None, None, "3"),
            (counts, 7, None, None, "skipped"),
            (counts, 0, Some(6.0), None, "83.3 % of the rate"),
            (counts, 0, None, Some("the link went down".to_owned()), "the link went down"),
        ] {
            let figures = Figures { counts, asked_pps, ..figures() };
            let outcome = Outcome { problems: problem.into_iter().collect(), ..outcome(vec![(THERE, figures)]) };
            let report = Report::new(outcome, Deviations { skipped, ..Deviations::default() });
            assert!(!report.is_clean() && report.text().contains(part), "{part}: {}", report.text());
        }
    }

    #[test]
    fn what_others_do_is_no_fault() {
        let counts = Counts { foreign: 5, rewritten: 10, ..figures().counts };
        let report = report(Figures { counts, ..figures() });
        assert!(report.is_clean() && report.text().contains("rewritten"), "{}", report.text());
    }

    #[test]
    fn nothing_sent_is_told_without_a_division_by_zero() {
        let text = report(Figures::default()).text();
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }
}
