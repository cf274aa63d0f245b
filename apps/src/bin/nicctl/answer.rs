//! What a command has to say, for people and for scripts.

use std::process::ExitCode;

use serde_json::Value;

/// The exit status of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// 0: done; for `doctor`, nothing is missing.
    Fine,
    /// 1: the host is not ready (`doctor` only).
    NotReady,
    /// 2: it could not be done, or not for all cards.
    Failed,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> ExitCode {
        match status {
            Status::Fine => ExitCode::SUCCESS,
            Status::NotReady => ExitCode::FAILURE,
            Status::Failed => ExitCode::from(2),
        }
    }
}

/// A command's answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// For people.
    pub(crate) table: String,
    /// The same for scripts.
    pub(crate) json: Value,
    /// What went wrong with single cards.
    pub(crate) errors: Vec<String>,
    /// How it ends.
    pub(crate) status: Status,
}

impl Answer {
    /// One of a command that did what it was to do.
    pub(crate) fn fine(table: String, json: Value) -> Answer {
        Answer { table, json, errors: Vec::new(), status: Status::Fine }
    }
}
