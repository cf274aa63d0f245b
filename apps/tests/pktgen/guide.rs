//! What docs/guide/pktgen.md shows is what the program prints, but for what differs from run to run.

use std::fs;
use std::path::Path;

use super::{Outcome, pktgen};

/// The commands of the guide, each with what it shows after it.
fn transcripts() -> Vec<(String, Vec<String>)> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/pktgen.md");
    let guide = fs::read_to_string(guide).expect("the guide");
    let blocks = guide.split("```\n$ pktgen").skip(1);
    let transcript = |block: &str| {
        let mut lines = block.split("\n```").next().unwrap_or_default().lines().map(str::to_owned);
        (lines.next().unwrap_or_default(), lines.collect())
    };
    blocks.map(transcript).collect()
}

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
    let transcripts = transcripts();
    assert!(transcripts.len() >= 5, "{transcripts:?}");
    for (command, shown) in transcripts {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        // Paths are relative to the workspace.
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let outcome = Outcome::of(pktgen(&arguments).current_dir(workspace));
        let printed = outcome.stderr + &outcome.stdout;
        let shapes: Vec<String> = printed.lines().map(shape).collect();
        for line in shown {
            assert!(shapes.contains(&shape(&line)), "{line:?} ({}) is not printed: {printed}", shape(&line));
        }
    }
}

/// The faults of a cable depend on its seed and the frames' numbers, so these figures are the same in every run.
#[test]
fn the_figures_of_the_bad_cable_are_those_of_the_guide() {
    let (command, shown) =
        transcripts().into_iter().find(|(command, _)| command.contains("loss=")).expect("a bad cable");
    let outcome = Outcome::of(&mut pktgen(&command.split_whitespace().collect::<Vec<_>>()));
    assert_eq!(outcome.status, Some(1));
    for row in ["received ", "lost ", "duplicated ", "corrupted ", "rewritten "] {
        let line = shown.iter().find(|line| line.starts_with(row)).unwrap_or_else(|| panic!("no {row}"));
        assert!(outcome.stdout.lines().any(|printed| printed == line), "{line:?} is not printed: {}", outcome.stdout);
    }
}
