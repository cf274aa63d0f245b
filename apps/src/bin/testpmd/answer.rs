//! What a command answers, for people and for programs, and how it is printed.

use gannet_mempool::registry::{Row, Table};
use serde::Serialize;
use serde_json::{Value, json};

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Answer {
    /// Text, and the same for programs.
    pub(crate) fn of(text: String, json: Value) -> Answer {
        Answer { text, json }
    }

    /// A line that says what has been done.
    pub(crate) fn done(text: impl Into<String>) -> Answer {
        let text = text.into();
        Answer { json: json!({ "done": text }), text: text + "\n" }
    }

    /// Rows as a table, or as a list of objects.
    pub(crate) fn table<const N: usize, R: Row<N> + Serialize>(rows: &[R]) -> Answer {
        Answer { text: Table::of(rows).to_string(), json: json!(rows) }
    }
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Tables and sentences.
    Text,
    /// An object a line: the command and its answer, or its error.
    Json,
}

impl Format {
    /// What a command has answered.
    pub(crate) fn answer(self, command: &str, answer: &Answer) -> String {
        match self {
            Format::Text => answer.text.clone(),
            Format::Json => format!("{}\n", json!({ "command": command, "answer": answer.json })),
        }
    }

    /// Why a command has not been done; nothing for people, who are told elsewhere.
    pub(crate) fn error(self, command: &str, why: &str) -> String {
        match self {
            Format::Text => String::new(),
            Format::Json => format!("{}\n", json!({ "command": command, "error": why })),
        }
    }
}
