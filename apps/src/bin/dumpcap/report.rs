//! How a capture went.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use gannet_apps::capture::frame::Place;
use serde::Serialize;

/// Why a capture has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ended {
    /// Ctrl-C.
    Interrupted,
    /// `--count`.
    Count,
    /// `--duration`.
    Duration,
    /// The program, or its ports.
    Program,
    /// Who read along has stopped.
    Reader,
    /// It could not be written on.
    Failed,
}

/// The counts of a port.
#[derive(Debug, Default)]
pub(crate) struct PortCounts {
    pub(crate) number: u16,
    pub(crate) name: String,
    /// Packets that came, and those of them that the filter is false for.
    pub(crate) seen: u64,
    pub(crate) filtered: u64,
    /// Packets written, and the bytes that they have on the wire.
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Packets lost at each queue.
    pub(crate) lost_at: HashMap<Place, u64>,
}

impl PortCounts {
    /// Packets lost because the capture was slow.
    pub(crate) fn lost(&self) -> u64 {
        self.lost_at.values().sum()
    }
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) ports: Vec<PortCounts>,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) time: Duration,
    pub(crate) ended: Ended,
    pub(crate) problems: Vec<String>,
}

#[derive(Serialize)]
struct Json<'a> {
    packets: u64,
    bytes: u64,
    filtered: u64,
    lost: u64,
    seconds: f64,
    ended: Ended,
    files: Vec<String>,
    ports: Vec<JsonPort<'a>>,
    problems: &'a [String],
}

#[derive(Serialize)]
struct JsonPort<'a> {
    number: u16,
    name: &'a str,
    packets: u64,
    bytes: u64,
    filtered: u64,
    lost: u64,
}

impl Report {
    /// Everything has been captured and written.
    pub(crate) fn is_clean(&self) -> bool {
        self.problems.is_empty() && self.sum(PortCounts::lost) == 0
    }

    fn files(&self) -> Vec<String> {
        let name = |file: &PathBuf| if file == "-" { "the standard output".into() } else { file.display().to_string() };
        self.files.iter().map(name).collect()
    }

    fn sum(&self, of: impl Fn(&PortCounts) -> u64) -> u64 {
        self.ports.iter().map(of).sum()
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{:<24} {:>10} {:>12} {:>10} {:>10}\n", "PORT", "PACKETS", "BYTES", "FILTERED", "LOST");
        for port in &self.ports {
            let name = format!("{} ({})", port.number, port.name);
            text += &row(&name, port.packets, port.bytes, port.filtered, port.lost());
        }
        let filtered = self.sum(|port| port.filtered);
        let (packets, bytes) = (self.sum(|port| port.packets), self.sum(|port| port.bytes));
        text += &row("all", packets, bytes, filtered, self.sum(PortCounts::lost));
        let why = match self.ended {
            Ended::Interrupted => "ended by Ctrl-C",
            Ended::Count => "ended after --count packets",
            Ended::Duration => "ended after --duration",
            Ended::Program => "the program has ended",
            Ended::Reader => "its reader has stopped",
            Ended::Failed => "given up",
        };
        // Writing to a string does not fail.
        let _ = writeln!(text, "written to {} in {:.2} s, {why}", self.files().join(", "), self.time.as_secs_f64());
        for problem in &self.problems {
            let _ = writeln!(text, "problem: {problem}");
        }
        text
    }

    /// For scripts: one object.
    pub(crate) fn json(&self) -> String {
        let port = |port| {
            let &PortCounts { number, ref name, packets, bytes, filtered, .. } = port;
            JsonPort { number, name, packets, bytes, filtered, lost: port.lost() }
        };
        let json = Json {
            packets: self.sum(|port| port.packets),
            bytes: self.sum(|port| port.bytes),
            filtered: self.sum(|port| port.filtered),
            lost: self.sum(PortCounts::lost),
            seconds: self.time.as_secs_f64(),
            ended: self.ended,
            files: self.files(),
            ports: self.ports.iter().map(port).collect(),
            problems: &self.problems,
        };
        serde_json::to_string_pretty(&json).expect("numbers and texts") + "\n"
    }
}

fn row(name: &str, packets: u64, bytes: u64, filtered: u64, lost: u64) -> String {
    format!("{name:<24} {packets:>10} {bytes:>12} {filtered:>10} {lost:>10}\n")
}
