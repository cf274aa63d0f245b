//! What the `main` of every program does alike: logging, errors, exit codes, a line that shows progress, Ctrl-C.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Exit code of a program that could not run.
pub const COULD_NOT_RUN: u8 = 2;

/// Runs the program `name`: warnings go to the standard error, and an error is told there with its causes and becomes the exit code
/// [`COULD_NOT_RUN`].
pub fn run(name: &str, body: impl FnOnce() -> anyhow::Result<ExitCode>) -> ExitCode {
    // Nobody reads a log whose pipe is closed: no reason to end.
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .log_internal_errors(false)
        .with_target(false)
        .without_time()
        .init();
    body().unwrap_or_else(|why| {
        let _ = writeln!(stderr(), "{name}: {}", in_words(&why));
        ExitCode::from(COULD_NOT_RUN)
    })
}

/// Prints to the standard output. A closed pipe leaves nobody to tell.
pub fn print(text: &str) {
    let _ = stdout().write_all(text.as_bytes()).and_then(|()| stdout().flush());
}

/// An error and its causes, but for those that the text before them has told already.
pub fn in_words(why: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in why.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            let separator = if text.is_empty() { "" } else { ": " };
            text = text + separator + &cause;
        }
    }
    text
}

/// Becomes true at Ctrl-C (SIGINT) and SIGTERM, which do not end the program from now on.
///
/// # Errors
/// The kernel refuses the handler.
pub fn interrupted() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, flag.clone()).context("catching Ctrl-C")?;
    }
    Ok(flag)
}

/// Whether a [`Live`] line is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// It is.
    Progress,
    /// Nothing is: somebody reads JSON, or wants quiet.
    Nothing,
}

/// Progress on the standard error: one line that is rewritten on a terminal, a line each in a pipe.
#[derive(Debug)]
pub struct Live {
    show: Show,
    terminal: bool,
}

impl Live {
    /// For this run.
    pub fn new(show: Show) -> Live {
        Live { show, terminal: stderr().is_terminal() }
    }

    /// Shows how things stand.
    pub fn line(&mut self, text: &str) {
        let end = if self.terminal { "" } else { "\n" };
        self.write(text, end);
    }

    /// Adds a line for something that has happened, which stays.
    pub fn event(&mut self, text: &str) {
        self.write(text, "\n");
    }

    /// Leaves the line that is shown.
    pub fn end(&mut self) {
        if self.terminal && self.show == Show::Progress {
            let _ = writeln!(stderr());
        }
    }

    fn write(&self, text: &str, end: &str) {
        if self.show == Show::Progress {
            let start = if self.terminal { "\r\x1b[K" } else { "" };
            // A closed pipe is no reason to stop.
            let _ = write!(stderr(), "{start}{text}{end}").and_then(|()| stderr().flush());
        }
    }
}
