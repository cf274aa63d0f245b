//! `pktgen rfc2544` against the real l2fwd, over cables between the two programs; and what docs/guide/rfc2544.md says of it.
//!
//! Nothing here asserts a speed. A machine that gives the programs no time makes a report of low figures, not a failure.

#![forbid(unsafe_code)]

mod guide;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use gannet_harness::{Outcome, Running, program};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

/// A folder with two cables, and names for the files beside them.
struct Bench(TempDir);

impl Bench {
    fn new() -> Bench {
        Bench(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The ports of either program.
    fn ports(&self) -> Vec<String> {
        ["a", "b"]
            .iter()
            .flat_map(|cable| ["--port".into(), format!("sim:ixgbe,peer=wire:{}", self.path(cable).display())])
            .collect()
    }

    /// The device, started.
    fn device(&self) -> Running {
        Running::start(program(env!("CARGO_BIN_EXE_l2fwd")).args(self.ports()))
    }

    /// The tester with these options.
    fn tester(&self, options: &[&str]) -> Command {
        let mut command = pktgen();
        command.args(self.ports()).args(options);
        command
    }
}

/// The tester without anything.
fn pktgen() -> Command {
    let mut command = program(env!("CARGO_BIN_EXE_pktgen"));
    command.arg("rfc2544");
    command
}

#[test]
fn a_device_between_two_cables_is_measured_and_reported() {
    let bench = Bench::new();
    let output = bench.path("report");
    let device = bench.device();
    let options =
        ["--sizes", "64,1518", "--tests", "latency,frame-loss", "--trial", "100ms", "--retries", "3", "--json"];
    let outcome = Outcome::of(bench.tester(&options).arg("--output").arg(&output));
    let json: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|why| panic!("{why}: {}", outcome.stderr));
    let sizes = json["sizes"].as_array().expect("sizes");
    let rates: Vec<f64> = sizes.iter().map(|size| size["throughput"]["pps"].as_f64().expect("a rate")).collect();
    assert_eq!(rates.len(), 2, "{json:#}");
    let expected = if rates.iter().all(|&rate| rate > 0.0) { 0 } else { 1 };
    assert_eq!(outcome.status, Some(expected), "{json:#}");
    for size in sizes {
        let (throughput, line) = (&size["throughput"], size["line_pps"].as_f64().expect("a rate"));
        assert!(throughput["pps"].as_f64() <= Some(line), "{size:#}");
        assert_eq!(throughput["lost"], 0, "{size:#}");
        assert!(!size["frame_loss"].as_array().expect("loads").is_empty(), "{size:#}");
    }
    assert_eq!(fs::read_to_string(output.join("report.json")).expect("the report"), outcome.stdout);
    for name in ["throughput.svg", "latency.svg"] {
        let svg = fs::read_to_string(output.join(name)).expect(name);
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{name}: {svg}");
    }
    let markdown = fs::read_to_string(output.join("report.md")).expect("the report");
    assert!(markdown.contains("section 26.1") && markdown.contains("section 26.3"), "{markdown}");
    device.signal(Signal::SIGTERM);
    assert_eq!(device.end().status, Some(0));
}

#[test]
fn the_tester_may_come_first_and_ctrl_c_ends_its_wait() {
    let bench = Bench::new();
    let mut tester = Running::start(&mut bench.tester(&["--sizes", "64"]));
    tester.wait_for_line("waiting for the other end");
    tester.signal(Signal::SIGINT);
    let outcome = tester.end();
    assert_eq!(outcome.status, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("interrupted"), "{}", outcome.stderr);
    assert!(!bench.path("a").exists() && !bench.path("b").exists(), "sockets are removed");
}

#[test]
fn an_interruption_leaves_the_report_of_what_was_measured() {
    let bench = Bench::new();
    let (output, _device) = (bench.path("report"), bench.device());
    let mut command = bench.tester(&["--sizes", "64,128,256", "--trial", "2s", "--output"]);
    let mut tester = Running::start(command.arg(&output));
    tester.wait_for_line("trial 1");
    tester.signal(Signal::SIGTERM);
    let outcome = tester.end();
    assert_eq!(outcome.status, Some(1), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("interrupted: sizes are missing"), "{}", outcome.stdout);
    assert!(fs::read_to_string(output.join("report.md")).expect("the report").contains("**interrupted**"));
}

#[test]
fn nothing_that_comes_back_is_an_error_that_says_so() {
    let ports = ["--port", "sim:ixgbe,peer=sink", "--port", "sim:ixgbe,peer=sink"];
    let outcome = Outcome::of(pktgen().args(ports).args(["--settle", "0"]));
    assert_eq!(outcome.status, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("none of 160 frames came back"), "{}", outcome.stderr);
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_is_measured() {
    let bench = Bench::new();
    fs::write(bench.path("file"), "").expect("a file");
    let outcome = Outcome::of(bench.tester(&["--output"]).arg(bench.path("file")));
    assert_eq!(outcome.status, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("--output") && !outcome.stderr.contains("waiting"), "{}", outcome.stderr);
}

#[test]
fn wrong_options_are_refused_with_what_is_right() {
    let bench = Bench::new();
    for (options, part) in [
        (&["--sizes", "63"][..], "64 to 15876 bytes"),
        (&["--sizes", "9018"], "--sizes 9018: "),
        (&["--sizes", "9018"], "give --mtu 9000 or more"),
        (&["--trial", "soon"], "number of seconds"),
        (&["--loss", "200%"], "0 to 100"),
        (&["--port", "sim:ixgbe,peer=sink"], "3 --port given"),
        (&["--cores", "0-4000"], "cores"),
        (&["--rate", "1Mpps"], "--rate"),
        (&["--screen"], "draws on a terminal"),
        (&["--screen", "--json"], "--json"),
        (&["--sizes", "64", "--vlan", "1", "--src-ip", "2001:db8::1", "--dst-ip", "2001:db8::2"], "bytes at least"),
    ] {
        let outcome = Outcome::of(&mut bench.tester(options));
        assert_eq!(outcome.status, Some(2), "{options:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(part), "{options:?}: {}", outcome.stderr);
    }
}
