//! What docs/guide/pktgen.md shows is what the program prints, but for what differs from run to run.

use gannet_harness::{Outcome, guide, workspace};

use super::pktgen;

/// A line without numbers and the prefixes of their units.
fn shape(line: &str) -> String {
    let words = line.split_whitespace().map(|word| match word.trim_matches(['(', ')', ',']) {
        "kpps" | "Mpps" => "pps",
        "kb/s" | "Mb/s" | "Gb/s" => "b/s",
        number if number.starts_with(|c: char| c.is_ascii_digit()) => "#",
        word => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_commands_of_the_guide_print_what_it_shows() {
    let transcripts = guide::transcripts("pktgen");
    assert!(transcripts.len() >= 5, "{transcripts:?}");
    for shown in transcripts {
        let outcome = Outcome::of(pktgen(&[]).args(shown.arguments()).current_dir(workspace()));
        guide::assert_printed(&shown.output, &(outcome.stderr + &outcome.stdout), shape);
    }
}

/// The faults of a cable depend on its seed and the frames' numbers, so these figures are the same in every run.
#[test]
fn the_figures_of_the_bad_cable_are_those_of_the_guide() {
    let mut transcripts = guide::transcripts("pktgen").into_iter();
    let shown = transcripts.find(|shown| shown.command.contains("loss=")).expect("a bad cable");
    let outcome = Outcome::of(pktgen(&[]).args(shown.arguments()));
    assert_eq!(outcome.status, Some(1));
    for row in ["received ", "lost ", "duplicated ", "corrupted ", "rewritten "] {
        let line = shown.output.lines().find(|line| line.starts_with(row)).unwrap_or_else(|| panic!("no {row}"));
        assert!(outcome.stdout.lines().any(|printed| printed == line), "{line:?} is not printed: {}", outcome.stdout);
    }
}
