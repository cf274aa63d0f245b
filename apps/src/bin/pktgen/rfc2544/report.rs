//! What is told of a campaign: text for a terminal, Markdown, JSON, and the folder with all of it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::campaign::Settings;
use super::measured::Measured;
use super::plot;
use super::site::Site;

/// A campaign, and what it was done with.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    pub(super) site: Site,
    pub(super) conditions: Conditions,
    #[serde(flatten)]
    pub(super) measured: Measured,
}

/// How it was measured.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Conditions {
    trial_seconds: f64,
    settle_seconds: f64,
    accepted_loss_percent: f64,
    resolution_percent: f64,
    highest_rate_percent: f64,
    retries: u32,
    flows: u32,
}

impl From<&Settings> for Conditions {
    fn from(settings: &Settings) -> Conditions {
        Conditions {
            trial_seconds: settings.duration.as_secs_f64(),
            settle_seconds: settings.settle.as_secs_f64(),
            accepted_loss_percent: settings.accepted_loss * 100.0,
            resolution_percent: settings.resolution * 100.0,
            highest_rate_percent: settings.highest_rate,
            retries: settings.retries,
            flows: settings.traffic.flows,
        }
    }
}

impl Report {
    /// Whether every size was measured and has a throughput, and nothing went wrong.
    pub(super) fn is_complete(&self) -> bool {
        !self.measured.interrupted
            && self.measured.problems.is_empty()
            && self.measured.sizes.iter().all(|size| size.throughput.pps > 0.0)
    }

    /// One JSON object.
    pub(super) fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("numbers and strings");
        text.push('\n');
        text
    }

    /// The tables, for a terminal.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for table in [self.throughput(), self.latency(), self.frame_loss()].into_iter().flatten() {
            text += &table.aligned();
            text.push('\n');
        }
        if self.measured.interrupted {
            text += "interrupted: sizes are missing\n";
        }
        for problem in &self.measured.problems {
            let _ = writeln!(text, "problem: {problem}");
        }
        text
    }

    /// The whole report, to be read.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("# Benchmark after RFC 2544\n\n{}\n", self.circumstances());
        if let Some(table) = self.throughput() {
            text +=
                "## Throughput (section 26.1)\n\nThe highest rate at which no more frames were lost than accepted.\n\n";
            text += &table.markdown();
            text += "\n![Throughput over frame size](throughput.svg)\n\n";
            let _ = writeln!(text, "{LIMITS}");
        }
        if let Some(table) = self.latency() {
            text += "## Latency (section 26.2)\n\nOf every frame of a trial at the throughput, in microseconds: from just before it was handed ";
            text += "to the sending card\nto when the generator received it.\n\n";
            text += &table.markdown();
            text += "\n![Latency over frame size](latency.svg)\n\n";
        }
        if let Some(table) = self.frame_loss() {
            text += "## Frame loss rate (section 26.3)\n\nFrom the highest load that could be offered down in tenths, until two trials lost nothing.\n\n";
            text += &table.markdown();
            text.push('\n');
        }
        text + &self.differences()
    }

    /// Where, when and how it was measured.
    fn circumstances(&self) -> String {
        let (Site { program, date, ports, processor, cores, kernel }, how) = (&self.site, &self.conditions);
        let mut text = format!("- date: {date}\n- generator: {program}\n");
        for (port, role) in ports.iter().zip(["sends", "receives"]) {
            let _ = writeln!(text, "- {role}: `{port}`");
        }
        let _ = write!(
            text,
            "- host: {processor}, {cores} cores, Linux {kernel}\n\
             - links: {} Gb/s\n\
             - trials: {} s each, {} % loss accepted, throughput to {} % of itself, failed narrowly: repeated {} times at most\n\
             - frames: UDP, {} flows\n",
            self.measured.line_bits as f64 / 1e9,
            how.trial_seconds,
            how.accepted_loss_percent,
            how.resolution_percent,
            how.retries,
            how.flows,
        );
        if self.measured.interrupted {
            text += "- **interrupted**: sizes are missing\n";
        }
        for problem in &self.measured.problems {
            let _ = writeln!(text, "- **problem**: {problem}");
        }
        text
    }

    /// What is not as the RFC has it.
    fn differences(&self) -> String {
        let mut text = "## What differs from the RFC\n\n".to_owned();
        if self.conditions.trial_seconds < 60.0 {
            let _ = writeln!(text, "- Trials take {} s, not 60 s (section 24).", self.conditions.trial_seconds);
        }
        if self.conditions.accepted_loss_percent > 0.0 {
            let _ = writeln!(text, "- Loss of {} % is accepted.", self.conditions.accepted_loss_percent);
        }
        if self.measured.sizes.iter().any(|size| size.repeated > 0) {
            text += "- Trials that failed narrowly were repeated; one success was enough.\n";
        }
        text += "- Latency is that of every frame of one trial, not of one tagged frame in each of twenty.\n";
        text += "- Back-to-back frames, system recovery and reset (26.4 to 26.6) are not measured.\n";
        text
    }

    fn throughput(&self) -> Option<Table> {
        let rows = self.measured.sizes.iter().map(|size| {
            let found = &size.throughput;
            vec![
                size.size.to_string(),
                format!("{:.0}", found.pps),
                format!("{:.1}", found.bits_per_second / 1e6),
                format!("{:.3}", found.percent),
                format!("{:.0}", size.line_pps),
                found.limit.name().to_owned(),
                size.trials.to_string(),
                size.repeated.to_string(),
            ]
        });
        let head = ["bytes", "frames/s", "Mb/s", "% of link", "link carries", "limited by", "trials", "repeated"];
        Table::new(&head, rows.collect())
    }

    fn latency(&self) -> Option<Table> {
        let rows = self.measured.sizes.iter().filter_map(|size| size.latency.map(|latency| (size.size, latency)));
        let us = |ns: f64| format!("{:.1}", ns / 1e3);
        let rows = rows.map(|(size, at)| {
            let [min, p50, p90, p99, p999, max] =
                [at.min_ns, at.p50_ns, at.p90_ns, at.p99_ns, at.p999_ns, at.max_ns].map(|ns| us(ns as f64));
            vec![
                size.to_string(),
                min,
                us(at.mean_ns),
                p50,
                p90,
                p99,
                p999,
                max,
                at.frames.to_string(),
                at.lost.to_string(),
            ]
        });
        let head = ["bytes", "min", "mean", "median", "90 %", "99 %", "99.9 %", "max", "frames", "lost"];
        Table::new(&head, rows.collect())
    }

    fn frame_loss(&self) -> Option<Table> {
        let loads = self.measured.sizes.iter().flat_map(|size| size.frame_loss.iter().map(|load| (size.size, load)));
        let rows = loads.map(|(size, load)| {
            vec![
                size.to_string(),
                format!("{:.3}", load.percent),
                format!("{:.0}", load.pps),
                load.sent.to_string(),
                load.lost.to_string(),
                format!("{:.4}", load.lost_share * 100.0),
            ]
        });
        Table::new(&["bytes", "% of link", "frames/s", "sent", "lost", "% lost"], rows.collect())
    }

    /// Writes report.md, report.json and the plots into a folder, which is made.
    ///
    /// # Errors
    /// The folder or a file cannot be written.
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("--output {}", folder.display()))?;
        for (name, text) in [
            ("report.md", self.markdown()),
            ("report.json", self.json()),
            ("throughput.svg", plot::throughput(&self.measured)?),
            ("latency.svg", plot::latency(&self.measured)?),
        ] {
            let path = folder.join(name);
            fs::write(&path, text).with_context(|| format!("--output: writing {}", path.display()))?;
        }
        Ok(())
    }
}

/// What the column "limited by" says.
const LIMITS: &str = "\
*Limited by* says what stopped the search: *loss*, frames that did not arrive; *offered load*, no more could be sent, because the
generator was too slow or because the device held it up by flow control; *highest rate*, nothing.
";

/// A table: cells by row.
struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// `None` without rows.
    fn new(head: &[&str], rows: Vec<Vec<String>>) -> Option<Table> {
        (!rows.is_empty()).then(|| Table { head: head.iter().map(|name| (*name).to_owned()).collect(), rows })
    }

    /// In columns, numbers to the right.
    fn aligned(&self) -> String {
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| lines().map(|line| line[column].chars().count()).max().unwrap_or_default())
            .collect();
        lines().fold(String::new(), |mut text, line| {
            let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
            text += &cells.join("  ");
            text.push('\n');
            text
        })
    }

    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule = format!("|{}\n", "---:|".repeat(self.head.len()));
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        line(&self.head) + &rule + &rows
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::campaign::Test;
    use super::super::tests::{Device, run, settings};
    use super::*;

    fn report() -> Report {
        let settings = Settings { tests: vec![Test::Latency, Test::FrameLoss], ..settings() };
        let ports = vec!["sim:ixgbe,peer=wire:/tmp/a.sock".into(), "sim:ixgbe,peer=wire:/tmp/b.sock".into()];
        Report {
            site: Site { ports, ..Site::here(&[]) },
            conditions: Conditions::from(&settings),
            measured: run(&settings, &mut Device::new(3e6)),
        }
    }

    #[test]
    fn the_folder_has_all_files_and_they_agree() {
        let folder = tempfile::tempdir().expect("a folder");
        let (report, output) = (report(), folder.path().join("new/folder"));
        report.write(&output).expect("they are written");
        let read = |name: &str| fs::read_to_string(output.join(name)).expect(name);
        let json: Value = serde_json::from_str(&read("report.json")).expect("JSON");
        assert_eq!(json["sizes"][0]["throughput"]["pps"], report.measured.sizes[0].throughput.pps);
        assert_eq!(json["sizes"][1]["throughput"]["limit"], "highest_rate");
        assert_eq!(json["conditions"]["trial_seconds"], 1.0);
        let markdown = read("report.md");
        for part in
            ["section 26.1", "section 26.2", "section 26.3", "(throughput.svg)", "(latency.svg)", "wire:/tmp/a.sock"]
        {
            assert!(markdown.contains(part), "{part}: {markdown}");
        }
        assert!(markdown.contains("Trials take 1 s, not 60 s"), "{markdown}");
        let pps = format!("| 64 | {:.0} |", report.measured.sizes[0].throughput.pps);
        assert!(markdown.contains(&pps), "{pps}: {markdown}");
        for plot in ["throughput.svg", "latency.svg"] {
            assert!(read(plot).contains("</svg>"), "{plot}");
        }
    }

    #[test]
    fn text_has_a_line_for_each_size_in_columns() {
        let text = report().text();
        let lines: Vec<&str> = text.lines().collect();
        let [head, small, large, ..] = lines[..] else { panic!("{text}") };
        assert_eq!((head.len(), small.len()), (small.len(), large.len()), "{text}");
        assert!(small.trim_start().starts_with("64 ") && large.trim_start().starts_with("1518 "), "{text}");
    }

    #[test]
    fn a_report_without_a_size_or_a_throughput_is_not_complete() {
        let whole = report();
        assert!(whole.is_complete());
        let mut interrupted = whole.clone();
        interrupted.measured.interrupted = true;
        assert!(!interrupted.is_complete() && interrupted.text().contains("interrupted"));
        let mut stuck = whole;
        stuck.measured.sizes[0].throughput.pps = 0.0;
        assert!(!stuck.is_complete());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("a file");
        let why = format!("{:#}", report().write(&file.join("in")).unwrap_err());
        assert!(why.contains("--output") && why.contains("file/in"), "{why}");
    }
}
