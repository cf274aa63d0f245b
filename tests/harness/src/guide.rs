//! What the guides in `docs/guide` show: blocks of a command, behind a `$`, and what it prints.

use std::fs;

use crate::workspace;

/// A command of a guide, and what it prints.
#[derive(Debug)]
pub struct Transcript {
    /// As it is typed.
    pub command: String,
    /// What is shown below it.
    pub output: String,
}

impl Transcript {
    /// The arguments behind the program's name, as a shell splits them, as far as the guides need it: single quotes keep words together.
    pub fn arguments(&self) -> Vec<String> {
        let mut words = Vec::new();
        for (quoted, part) in self.command.split('\'').enumerate() {
            match quoted % 2 {
                0 => words.extend(part.split_whitespace().map(str::to_owned)),
                _ => words.push(part.to_owned()),
            }
        }
        words.split_off(1)
    }
}

/// The text of a guide, by its file's name without extension.
#[track_caller]
pub fn text(guide: &str) -> String {
    let path = workspace().join(format!("docs/guide/{guide}.md"));
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// All commands that a guide shows, in its order.
#[track_caller]
pub fn transcripts(guide: &str) -> Vec<Transcript> {
    let text = text(guide);
    let transcript = |block: &str| {
        let block = block.split("```").next().unwrap_or_default();
        let (command, output) = block.split_once('\n').expect("the command has a line of its own");
        Transcript { command: command.to_owned(), output: output.to_owned() }
    };
    text.split("```\n$ ").skip(1).map(transcript).collect()
}

/// The first command of a guide that begins so.
#[track_caller]
pub fn transcript(guide: &str, beginning: &str) -> Transcript {
    let found = transcripts(guide).into_iter().find(|transcript| transcript.command.starts_with(beginning));
    found.unwrap_or_else(|| panic!("{guide} does not show {beginning}"))
}

/// What a line is like whatever it counts and measures: a # for each number, and one space where there are several.
pub fn shape(line: &str) -> String {
    let mut shape = String::new();
    for letter in line.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        match letter {
            '0'..='9' if shape.ends_with('#') => {}
            '0'..='9' => shape.push('#'),
            other => shape.push(other),
        }
    }
    shape
}

/// Checks that each line that is shown is printed too, wherever, in the same shape.
#[track_caller]
pub fn assert_printed(shown: &str, printed: &str, shape: fn(&str) -> String) {
    let shapes: Vec<String> = printed.lines().map(shape).collect();
    for line in shown.lines() {
        assert!(shapes.contains(&shape(line)), "{line:?} ({}) is not printed: {printed}", shape(line));
    }
}
