//! What docs/guide/testpmd.md shows is what the program prints, but for its numbers.

use std::fs;
use std::path::Path;

use super::{Outcome, testpmd};

/// A command line of the guide, what is typed at its prompt, and what is printed.
struct Example {
    arguments: Vec<String>,
    typed: Vec<String>,
    printed: String,
}

/// All examples of the guide.
fn examples() -> Vec<Example> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/testpmd.md");
    let guide = fs::read_to_string(guide).expect("the guide");
    guide.split("```\n$ testpmd").skip(1).map(|rest| example(rest.split("```").next().unwrap_or_default())).collect()
}

fn example(text: &str) -> Example {
    let (command, output) = text.split_once('\n').expect("a command and what it prints");
    let (typed, printed): (Vec<&str>, Vec<&str>) = output.lines().partition(|line| line.starts_with("testpmd> "));
    let typed = typed.iter().map(|line| line.trim_start_matches("testpmd> ").to_owned()).collect();
    Example { arguments: words(command), typed, printed: printed.join("\n") }
}

/// Splits a command line as a shell does, as far as the guide needs it: quotes keep words together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (quoted, part) in line.split('\'').enumerate() {
        match quoted % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

/// Numbers become N, and what is between columns one space: both vary with what the machine has time for.
fn shape(text: &str) -> Vec<String> {
    let line = |line: &str| {
        let mut shape = String::new();
        for character in line.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
            match character {
                '0'..='9' if shape.ends_with('N') => {}
                '0'..='9' => shape.push('N'),
                other => shape.push(other),
            }
        }
        shape
    };
    text.lines().map(line).filter(|line| !line.is_empty()).collect()
}

#[test]
fn every_example_prints_what_the_guide_shows() {
    let examples = examples();
    assert_eq!(examples.len(), 8);
    for Example { arguments, typed, printed } in examples {
        let outcome = Outcome::of(testpmd().args(&arguments).write_stdin(typed.join("\n")));
        // A warning of huge pages and what links do is no answer.
        let stderr = outcome.stderr.lines().filter(|line| line.starts_with("testpmd: "));
        let out = outcome.stdout.lines().chain(stderr).collect::<Vec<_>>().join("\n");
        assert_eq!(shape(&out), shape(&printed), "{arguments:?}\n{}", outcome.stderr);
    }
}
