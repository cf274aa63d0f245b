//! What a line means, how it can go on, and what was probably meant: all read off the patterns of the command table.
//!
//! A pattern is words such as `set port PORTS promiscuous on|off`: small letters stand for themselves, `|` separates what is possible, capitals
//! are a [`Slot`] for a value, and three dots take the rest of the line.

use std::collections::BTreeSet;
use std::fmt;

use gannet_apps::values;
use gannet_mempool::registry;

use crate::commands::Command;
use crate::engine::{EngineName, Settings};

/// What values can be, apart from the words themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vocabulary {
    /// Number of ports.
    pub(crate) ports: usize,
}

/// A place for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Ports,
    Count,
    Seconds,
    Mac,
    Engine,
    Setting,
    Tunable,
    Register,
    Value,
    Topic,
}

/// A word of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Term {
    /// Any of these words, separated by `|`.
    Words(&'static str),
    /// A value, and its name in the pattern.
    Value(Slot, &'static str),
}

/// A command and the words of a line that its values are.
pub(crate) struct Match {
    pub(crate) command: &'static Command,
    pub(crate) arguments: Arguments,
}

/// The values of a line, by their names in the pattern.
#[derive(Debug, Default, Clone)]
pub(crate) struct Arguments(Vec<(&'static str, String)>);

/// Why a line is no command, with what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoCommand(String);

impl fmt::Display for NoCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoCommand {}

impl NoCommand {
    /// `line` is none, for a reason of its own.
    pub(crate) fn because(line: &str, reason: &str) -> NoCommand {
        NoCommand(format!("{line}: {reason}"))
    }

    /// What is wrong with `line`, and the nearest that is right.
    pub(crate) fn unknown(table: &'static [Command], line: &str, vocabulary: Vocabulary) -> NoCommand {
        let words: Vec<&str> = line.split_whitespace().collect();
        NoCommand(complaint(table, &words, vocabulary))
    }
}

impl Arguments {
    /// The word at a place of the pattern, named as it is there; the rest of the line for one with dots. Empty if the pattern has no such place.
    pub(crate) fn word(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, word)| word)
    }

    /// The whole number at a place, if the line has it.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> anyhow::Result<T> {
        let word = self.word(name);
        word.parse().map_err(|_| anyhow::anyhow!("{word}: this number is too large"))
    }

    /// The ports that are meant.
    pub(crate) fn ports(&self, vocabulary: Vocabulary) -> Vec<usize> {
        match self.word("PORTS").parse() {
            Ok(port) => vec![port],
            Err(_) => (0..vocabulary.ports).collect(),
        }
    }
}

impl Term {
    fn of(word: &'static str) -> Term {
        let slot = match word.trim_end_matches("...") {
            "PORTS" => Slot::Ports,
            "COUNT" | "BYTES" => Slot::Count,
            "SECONDS" => Slot::Seconds,
            "MAC" => Slot::Mac,
            "ENGINE" => Slot::Engine,
            "SETTING" => Slot::Setting,
            "TUNABLE" => Slot::Tunable,
            "NAME" => Slot::Register,
            "VALUE" => Slot::Value,
            "COMMAND" => Slot::Topic,
            _ => return Term::Words(word),
        };
        Term::Value(slot, word)
    }

    /// The terms of a pattern.
    fn all(pattern: &'static str) -> impl Iterator<Item = Term> {
        pattern.split_whitespace().map(Term::of)
    }

    /// The name by which the word at this place is an argument; `None` where there is no choice.
    fn name(self) -> Option<&'static str> {
        match self {
            Term::Words(words) => words.contains('|').then_some(words),
            Term::Value(_, name) => Some(name),
        }
    }

    /// Whether `word` may stand here, and if not, why.
    fn check(self, word: &str, vocabulary: Vocabulary) -> Result<(), String> {
        match self {
            Term::Words(words) if words.split('|').any(|right| right == word) => Ok(()),
            Term::Words(words) => Err(format!("{} is expected", words.replace('|', " or "))),
            Term::Value(slot, _) => slot.check(word, vocabulary),
        }
    }

    /// Words that may stand here, as far as they can be listed.
    fn candidates(self, vocabulary: Vocabulary) -> Vec<String> {
        match self {
            Term::Words(words) => words.split('|').map(str::to_owned).collect(),
            Term::Value(slot, _) => slot.candidates(vocabulary),
        }
    }

    /// How it is written in a list of what may come.
    fn shown(self) -> String {
        match self {
            Term::Words(words) => words.replace('|', ", "),
            Term::Value(_, name) => name.to_owned(),
        }
    }
}

impl Slot {
    fn check(self, word: &str, vocabulary: Vocabulary) -> Result<(), String> {
        let listed = |what: &str| match self.candidates(vocabulary) {
            names if names.iter().any(|name| name == word) => Ok(()),
            names => match values::nearest(word, names.iter().map(String::as_str)) {
                Some(near) => Err(format!("no {what} has this name, did you mean {near}?")),
                None => Err(format!("no {what} has this name; there are: {}", names.join(", "))),
            },
        };
        match self {
            Slot::Ports => match word.parse::<usize>() {
                Ok(port) if port < vocabulary.ports => Ok(()),
                Err(_) if word == "all" => Ok(()),
                Ok(_) if vocabulary.ports == 1 => Err("no such port, there is port 0 only".into()),
                Ok(_) => Err(format!("no such port, there are 0 to {}", vocabulary.ports - 1)),
                Err(_) => Err("the number of a port or all is expected".into()),
            },
            Slot::Count if word.parse::<u64>().is_ok() => Ok(()),
            Slot::Count => Err("a whole number is expected".into()),
            Slot::Seconds => values::seconds(word).map(|_| ()),
            Slot::Mac => values::mac_address(word).map(|_| ()),
            Slot::Engine => listed("engine"),
            Slot::Setting => listed("setting"),
            Slot::Tunable => listed("tunable"),
            // Which there are is known of each card, and beginnings do.
            Slot::Register | Slot::Value | Slot::Topic => Ok(()),
        }
    }

    fn candidates(self, vocabulary: Vocabulary) -> Vec<String> {
        match self {
            Slot::Ports => (0..vocabulary.ports).map(|port| port.to_string()).chain(["all".into()]).collect(),
            Slot::Engine => EngineName::ALL.iter().map(ToString::to_string).collect(),
            Slot::Setting => Settings::default().rows().iter().map(|row| row.name.to_string()).collect(),
            Slot::Tunable => registry::tunables().iter().map(|row| row.name.to_owned()).collect(),
            Slot::Register => {
                let registers = gannet::cards().iter().flat_map(|card| card.driver.registers());
                registers.map(|register| register.name.to_owned()).collect()
            }
            Slot::Count | Slot::Seconds | Slot::Mac | Slot::Value | Slot::Topic => Vec::new(),
        }
    }
}

/// Finds the command of `table` that `line` is.
///
/// # Errors
/// What is wrong with the line, and the nearest that is right.
pub(crate) fn parse(table: &'static [Command], line: &str, vocabulary: Vocabulary) -> Result<Match, NoCommand> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let found = table.iter().find_map(|command| {
        let arguments = arguments(command.pattern, &words, vocabulary)?;
        Some(Match { command, arguments })
    });
    found.ok_or_else(|| NoCommand::unknown(table, line, vocabulary))
}

/// Whether a line begins as the whole pattern says.
pub(crate) fn begins_with(line: &str, pattern: &'static str, vocabulary: Vocabulary) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    progress(pattern, &words, vocabulary) == Term::all(pattern).count()
}

/// Whether a pattern begins as the whole line says, with values or with the pattern's own words.
pub(crate) fn is_beginning(line: &str, pattern: &'static str, vocabulary: Vocabulary) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let written: Vec<&str> = pattern.split_whitespace().collect();
    progress(pattern, &words, vocabulary) == words.len() || written.starts_with(&words)
}

/// The values in a line, if it is as the pattern says.
fn arguments(pattern: &'static str, words: &[&str], vocabulary: Vocabulary) -> Option<Arguments> {
    let mut values = Vec::new();
    let mut at = 0;
    for term in Term::all(pattern) {
        let word = words.get(at)?;
        term.check(word, vocabulary).ok()?;
        let takes_rest = term.name().is_some_and(|name| name.ends_with("..."));
        let taken = if takes_rest { words[at..].join(" ") } else { (*word).to_owned() };
        at = if takes_rest { words.len() } else { at + 1 };
        values.extend(term.name().map(|name| (name, taken)));
    }
    (at == words.len()).then_some(Arguments(values))
}

/// How many of the words are as the pattern has them.
fn progress(pattern: &'static str, words: &[&str], vocabulary: Vocabulary) -> usize {
    Term::all(pattern).zip(words).take_while(|(term, word)| term.check(word, vocabulary).is_ok()).count()
}

/// What is wrong with a line that is no command.
fn complaint(table: &'static [Command], words: &[&str], vocabulary: Vocabulary) -> String {
    let line = words.join(" ");
    let right = table.iter().map(|command| progress(command.pattern, words, vocabulary)).max().unwrap_or(0);
    let alike = table.iter().filter(|command| progress(command.pattern, words, vocabulary) == right);
    // What the patterns that fit so far have next. None: one of them ends here.
    let next: Vec<Term> = alike.filter_map(|command| Term::all(command.pattern).nth(right)).collect();
    let before = words[..right].join(" ");
    let Some(word) = words.get(right) else {
        return format!("{line}: more is expected: {}", list(&next));
    };
    if next.is_empty() {
        return format!("{line}: nothing is expected after \"{before}\"");
    }
    // A value that is wrong has a reason of its own.
    if let [first @ Term::Value(..), others @ ..] = next.as_slice()
        && others.iter().all(|other| other == first)
        && let Err(why) = first.check(word, vocabulary)
    {
        return format!("{line}: {word}: {why}");
    }
    let possible: Vec<String> = next.iter().flat_map(|term| term.candidates(vocabulary)).collect();
    let near = values::nearest(word, possible.iter().map(String::as_str)).map(|near| match before.as_str() {
        "" => near.to_owned(),
        before => format!("{before} {near}"),
    });
    match (near, before.as_str()) {
        (Some(near), _) => format!("{line}: no such command, did you mean \"{near}\"?"),
        (None, "") => format!("{line}: no such command; help lists all"),
        (None, _) => format!("{line}: {word} is not expected after \"{before}\", but: {}", list(&next)),
    }
}

fn list(terms: &[Term]) -> String {
    let unique: BTreeSet<String> = terms.iter().map(|term| term.shown()).collect();
    unique.into_iter().collect::<Vec<_>>().join(", ")
}

/// What the word at the end of `line` can become: where it starts, and the candidates.
pub(crate) fn complete(table: &'static [Command], line: &str, vocabulary: Vocabulary) -> (usize, Vec<String>) {
    let start = line.rfind(char::is_whitespace).map_or(0, |space| space + 1);
    let (before, begun) = line.split_at(start);
    let words: Vec<&str> = before.split_whitespace().collect();
    let next = table
        .iter()
        .filter(|command| progress(command.pattern, &words, vocabulary) == words.len())
        .filter_map(|command| Term::all(command.pattern).nth(words.len()));
    let possible = next.flat_map(|term| term.candidates(vocabulary)).filter(|name| name.starts_with(begun));
    let unique: BTreeSet<String> = possible.collect();
    (start, unique.into_iter().collect())
}

#[cfg(test)]
mod tests;
