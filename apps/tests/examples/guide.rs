//! What docs/guide/examples.md shows is what the programs print, but for the numbers.

use gannet_harness::guide::{self, Transcript};

use super::programs::{EXAMPLES, runs};

const GUIDE: &str = "examples";

/// What is in front of an example's name where the guide shows it.
const RUN: &str = "cargo run --release --example ";

/// The commands of the guide, from the example's name on, each with what is shown below it.
fn shown() -> Vec<(String, String)> {
    let example = |shown: Transcript| Some((shown.command.strip_prefix(RUN)?.to_owned(), shown.output));
    guide::transcripts(GUIDE).into_iter().filter_map(example).collect()
}

/// The shapes of lines, but of warnings about the host. How often a line comes differs from run to run.
fn shapes(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("WARN"));
    let mut shapes: Vec<String> = lines.map(guide::shape).collect();
    shapes.dedup();
    shapes
}

#[test]
fn the_commands_print_what_is_shown() {
    let shown = shown();
    assert!(shown.len() >= EXAMPLES.len(), "the guide shows {} commands", shown.len());
    for (command, output) in shown {
        let (name, arguments) = command.split_once(" -- ").unwrap_or((&command, ""));
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let outcome = runs(name, &arguments);
        // On a terminal the lines of a running program come first.
        assert_eq!(shapes(&(outcome.stderr + &outcome.stdout)), shapes(&output), "{command}");
    }
}

#[test]
fn every_example_is_shown_and_linked() {
    let shown = shown();
    let guide = guide::text(GUIDE);
    for name in EXAMPLES {
        assert!(shown.iter().any(|(command, _)| command.split(' ').next() == Some(name)), "{name} is not shown");
        assert!(guide.contains(&format!("](../../apps/examples/{name}")), "{name} is not linked to");
    }
}
