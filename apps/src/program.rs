//! What the `main` of every program does alike: logging, errors, exit codes, a line that shows progress, Ctrl-C.

use std::fs;
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

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

/// Prints to the standard output. A closed pipe is no error: nobody wants to read on.
///
/// # Errors
/// It cannot be written to: a full disk, say.
pub fn print(text: &str) -> anyhow::Result<()> {
    match stdout().write_all(text.as_bytes()).and_then(|()| stdout().flush()) {
        Err(why) if why.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("writing to the standard output"),
    }
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

/// Becomes true at Ctrl-C (SIGINT) and when the program is told to end ([`set_when_terminated`]), which do not end it from now on. Another
/// Ctrl-C does, at once.
///
/// # Errors
/// The kernel refuses the handler.
pub fn interrupted() -> anyhow::Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    // In this order: the first Ctrl-C must not find the flag set.
    flag::register_conditional_shutdown(SIGINT, 128 + SIGINT, interrupted.clone()).context("catching Ctrl-C")?;
    flag::register(SIGINT, interrupted.clone()).context("catching Ctrl-C")?;
    set_when_terminated(&interrupted)?;
    Ok(interrupted)
}

/// Has SIGTERM set a flag instead of ending the program; and SIGHUP, which comes when the terminal is gone, unless whoever has started the
/// program wants that ignored (nohup).
///
/// # Errors
/// The kernel refuses the handler.
pub fn set_when_terminated(terminated: &Arc<AtomicBool>) -> anyhow::Result<()> {
    flag::register(SIGTERM, terminated.clone()).context("catching SIGTERM")?;
    if !is_ignored(SIGHUP) {
        flag::register(SIGHUP, terminated.clone()).context("catching SIGHUP")?;
    }
    Ok(())
}

/// Whether the program has been started with this signal ignored (proc_pid_status(5)).
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 != 0)
}

/// Whether a [`Live`] line is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// It is.
    Progress,
    /// Nothing is: somebody reads JSON, or wants quiet.
    Nothing,
}

/// Progress on the standard error: one line that is rewritten on a terminal, a line each in a pipe. What comes after it begins a new line.
#[derive(Debug)]
pub struct Live {
    show: Show,
    terminal: bool,
    /// The line on the terminal has no end yet.
    open: bool,
}

impl Live {
    /// For this run.
    pub fn new(show: Show) -> Live {
        Live { show, terminal: stderr().is_terminal(), open: false }
    }

    /// Shows how things stand.
    pub fn line(&mut self, text: &str) {
        match self.terminal {
            // What is wider than the terminal would leave rows behind that cannot be rewritten: it is cut off (DECAWM).
            true => self.write(&format!("\x1b[?7l{text}\x1b[?7h")),
            false => self.write(&format!("{text}\n")),
        }
        self.open = self.terminal;
    }

    /// Adds a line for something that has happened, which stays.
    pub fn event(&mut self, text: &str) {
        self.write(&format!("{text}\n"));
        self.open = false;
    }

    /// Leaves the line that is shown.
    pub fn end(&mut self) {
        if self.open && self.show == Show::Progress {
            let _ = writeln!(stderr());
        }
        self.open = false;
    }

    fn write(&self, text: &str) {
        if self.show == Show::Progress {
            let start = if self.terminal { "\r\x1b[K" } else { "" };
            // A closed pipe is no reason to stop.
            let _ = write!(stderr(), "{start}{text}").and_then(|()| stderr().flush());
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.end();
    }
}
