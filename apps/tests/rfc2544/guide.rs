//! What docs/guide/rfc2544.md shows is what the programs print, numbers aside.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use super::{Bench, Running, run};

/// The command that begins with `program`, and the lines that the guide shows after it.
fn shown(program: &str) -> (Vec<String>, Vec<String>) {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/rfc2544.md");
    let guide = fs::read_to_string(guide).expect("the guide");
    let (_, rest) = guide.split_once(&format!("```\n$ {program} ")).unwrap_or_else(|| panic!("no {program}"));
    let mut lines = rest.split("\n```").next().unwrap_or_default().lines();
    let command = lines.next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    (command, lines.map(str::to_owned).collect())
}

/// A line without what differs from run to run: numbers, and why a search ended.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for word in line.split_whitespace() {
        let is_number = word.starts_with(|c: char| c.is_ascii_digit());
        if !is_number {
            shape += word;
        } else if !shape.ends_with('#') {
            shape.push('#');
        }
    }
    ["offeredload", "loss#", "highestrate"]
        .iter()
        .fold(shape, |shape, limit| shape.replace(limit, "limit"))
        .replace("limit#", "limit")
}

#[test]
fn the_commands_of_the_guide_print_what_it_shows() {
    let bench = Bench::new();
    // The guide's cables and report, in a folder of the test.
    let own = |argument: &String| argument.replace("/tmp/gannet-", &bench.path("").display().to_string());
    let (device, device_shown) = shown("l2fwd");
    let (tester, tester_shown) = shown("pktgen");
    let device = Running::start(Command::new(env!("CARGO_BIN_EXE_l2fwd")).args(device.iter().map(own)));
    let mut command = Command::new(env!("CARGO_BIN_EXE_pktgen"));
    command.args(tester.iter().map(own)).args(["--trial", "100ms"]).current_dir(bench.path(""));
    let outcome = run(&mut command);
    assert!(matches!(outcome.status, Some(0 | 1)), "{}", outcome.stderr);
    device.stop(Signal::SIGTERM);
    let device = device.end();
    for (shown, printed) in
        [(device_shown, device.stderr + &device.stdout), (tester_shown, outcome.stderr + &outcome.stdout)]
    {
        let shapes: Vec<String> = printed.lines().map(shape).collect();
        for line in shown {
            assert!(shapes.contains(&shape(&line)), "{line:?} ({}) is not printed: {printed}", shape(&line));
        }
    }
    for name in ["report.md", "report.json", "throughput.svg", "latency.svg"] {
        assert!(bench.path("report").join(name).exists(), "{name}");
    }
}
