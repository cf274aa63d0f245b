//! What docs/guide/examples.md shows is what the programs print, but for the numbers.

use std::fs;
use std::path::Path;

use super::programs::{EXAMPLES, runs};

/// The commands of the guide that begin so, each with what is shown below it.
fn shown() -> Vec<(String, String)> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/examples.md");
    let guide = fs::read_to_string(guide).expect("the guide");
    let blocks = guide.split("```\n$ cargo run --release --example ").skip(1);
    let block = |text: &str| {
        let (command, rest) = text.split_once('\n').expect("a command, then what it prints");
        (command.to_owned(), rest.split("```").next().unwrap_or_default().to_owned())
    };
    blocks.map(block).collect()
}

/// What stays the same from run to run: all but numbers, the width of columns, warnings about the host, and how often a line comes.
fn shape(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("WARN")) {
        let words = line.split_whitespace().map(|word| {
            let digits = |c: char| c.is_ascii_digit();
            let mut shape = String::new();
            for c in word.chars() {
                if digits(c) && !shape.ends_with('#') {
                    shape.push('#');
                } else if !digits(c) {
                    shape.push(c);
                }
            }
            shape
        });
        let line = words.collect::<Vec<_>>().join(" ");
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines
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
        assert_eq!(shape(&(outcome.stderr + &outcome.stdout)), shape(&output), "{command}");
    }
}

#[test]
fn every_example_is_shown_and_linked() {
    let shown = shown();
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/examples.md");
    let guide = fs::read_to_string(guide).expect("the guide");
    for name in EXAMPLES {
        assert!(shown.iter().any(|(command, _)| command.split(' ').next() == Some(name)), "{name} is not shown");
        assert!(guide.contains(&format!("](../../apps/examples/{name}")), "{name} is not linked to");
    }
}
