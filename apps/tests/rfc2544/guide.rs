//! What docs/guide/rfc2544.md shows is what the programs print, numbers aside.

use gannet_harness::{Outcome, Running, guide, program};
use nix::sys::signal::Signal;

use super::Bench;

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
    let own = |argument: String| argument.replace("/tmp/gannet-", &bench.path("").display().to_string());
    let (device, tester) = (guide::transcript("rfc2544", "l2fwd "), guide::transcript("rfc2544", "pktgen "));
    let arguments = device.arguments().into_iter().map(own);
    let running = Running::start(program(env!("CARGO_BIN_EXE_l2fwd")).args(arguments));
    let mut command = program(env!("CARGO_BIN_EXE_pktgen"));
    command.args(tester.arguments().into_iter().map(own)).args(["--trial", "100ms"]).current_dir(bench.path(""));
    let outcome = Outcome::of(&mut command);
    assert!(matches!(outcome.status, Some(0 | 1)), "{}", outcome.stderr);
    running.signal(Signal::SIGTERM);
    for (shown, printed) in [(device, running.end()), (tester, outcome)] {
        guide::assert_printed(&shown.output, &(printed.stderr + &printed.stdout), shape);
    }
    for name in ["report.md", "report.json", "throughput.svg", "latency.svg"] {
        assert!(bench.path("report").join(name).exists(), "{name}");
    }
}
