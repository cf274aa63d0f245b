//! The program pktgen from end to end: command line in, exit status, report and frames out.
//!
//! All ports are software cards, so nothing is needed of the host. No test asserts a speed, and runs that must be clean have no rate that a
//! starved machine could miss.

#![forbid(unsafe_code)]

mod counts;
mod ends;
mod frames;
mod guide;
mod refusals;
mod replay;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;
use pcap_file::pcapng::{Block, PcapNgReader};
use serde_json::Value;

/// Far more than any run takes, on any machine: a program that hangs fails its test.
const PATIENCE: Duration = Duration::from_secs(120);

/// Two ports with a good cable between them.
const LINK: [&str; 4] = ["--port", "sim:ixgbe,peer=link:a", "--port", "sim:ixgbe,peer=link:a"];

/// The program with these arguments, and a bound on its time.
fn pktgen(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pktgen"));
    command.args(arguments).timeout(PATIENCE);
    command
}

/// What has become of a run.
struct Outcome {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Outcome {
    /// Runs to the end. A panic fails the test, whatever the exit status.
    fn of(command: &mut Command) -> Outcome {
        let output = command.output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        let outcome =
            Outcome { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        outcome
    }
}

/// A report as JSON.
#[derive(Debug)]
struct Report(Value);

impl Report {
    /// Runs to the end, with `--json`, and checks the exit status.
    fn of(arguments: &[&str], status: i32) -> Report {
        let outcome = Outcome::of(pktgen(arguments).arg("--json"));
        assert_eq!(outcome.status, Some(status), "{}{}", outcome.stdout, outcome.stderr);
        Report::parse(&outcome.stdout)
    }

    fn parse(text: &str) -> Report {
        Report(serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}")))
    }

    fn count(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("{name}: {self:?}"))
    }

    fn measured(&self, pointer: &str) -> f64 {
        self.0.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}: {self:?}"))
    }

    /// All frames arrived, intact, once and in order.
    fn assert_clean(&self, frames: u64) {
        let counts = ["sent", "received", "lost", "duplicated", "reordered", "corrupted", "rewritten", "foreign"];
        let counts = counts.map(|name| self.count(name));
        assert_eq!(counts, [frames, frames, 0, 0, 0, 0, 0, 0], "{self:?}");
        assert_eq!(self.0["problems"], Value::Array(Vec::new()), "{self:?}");
    }
}

/// A file of the workspace's test data.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name)
}

/// The frames of a capture that a software card has recorded.
fn recorded(path: &Path) -> Vec<Vec<u8>> {
    let mut reader = PcapNgReader::new(File::open(path).expect("the capture")).expect("a section header");
    let mut frames = Vec::new();
    while let Some(block) = reader.next_block() {
        if let (Block::EnhancedPacket(packet), _) = block.expect("a whole block") {
            frames.push(packet.data.into_owned());
        }
    }
    frames
}

/// Says why a test is skipped, past the test harness, which keeps what passing tests print.
fn skip(reason: &str) {
    // Nobody may listen.
    let _ = writeln!(std::io::stderr(), "skipped {}: {reason}", std::thread::current().name().unwrap_or_default());
}
