//! What docs/guide/testpmd.md shows is what the program prints, but for its numbers.

use gannet_harness::{Outcome, guide, text_to_read};

use super::testpmd;

/// The shapes of the lines that have something in them: numbers, and with them columns, vary with what the machine has time for.
fn shapes<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    lines.map(guide::shape).filter(|line| !line.is_empty()).collect()
}

#[test]
fn every_example_prints_what_the_guide_shows() {
    let examples = guide::transcripts("testpmd");
    assert_eq!(examples.len(), 9);
    for shown in examples {
        // What is typed at the prompt, and what is printed.
        let (typed, printed): (Vec<&str>, Vec<&str>) =
            shown.output.lines().partition(|line| line.starts_with("testpmd> "));
        let typed: Vec<&str> = typed.iter().map(|line| line.trim_start_matches("testpmd> ")).collect();
        let outcome = Outcome::of(testpmd().args(shown.arguments()).stdin(text_to_read(typed.join("\n"))));
        // A warning of huge pages and what links do is no answer.
        let stderr = outcome.stderr.lines().filter(|line| line.starts_with("testpmd: "));
        let out = shapes(outcome.stdout.lines().chain(stderr));
        assert_eq!(out, shapes(printed.into_iter()), "{}\n{}", shown.command, outcome.stderr);
    }
}
