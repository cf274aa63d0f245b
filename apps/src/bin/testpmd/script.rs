//! Runs commands as they come, and looks after the ports between them.

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gannet_apps::program::{self, COULD_NOT_RUN};
use serde_json::json;

use crate::answer::Format;
use crate::commands::{self, Unmet};
use crate::input::{Input, Line, Lines};
use crate::session::Session;

/// How often the ports are looked after while no command comes.
const TICK: Duration = Duration::from_millis(100);

/// What becomes of a script with a command that is wrong or cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnError {
    /// It ends there.
    End,
    /// It goes on, and the exit code tells.
    GoOn,
    /// Somebody has typed it, and sees what is wrong.
    Tell,
}

/// Commands that are being run.
pub(crate) struct Script {
    session: Session,
    format: Format,
    on_error: OnError,
    /// The exit code so far.
    code: u8,
    ends: bool,
}

impl Script {
    /// To be run on a session.
    pub(crate) fn new(session: Session, format: Format, on_error: OnError) -> Script {
        Script { session, format, on_error, code: 0, ends: false }
    }

    /// Begins to forward before the first command.
    pub(crate) fn begin(&mut self) {
        self.line(&Line { text: "start".into(), place: "--auto-start".into() });
    }

    /// Goes on for a time, or until Ctrl-C, tells what has been counted, stops everything and returns the exit code.
    pub(crate) fn run_for(mut self, time: Duration) -> ExitCode {
        // An error is that it is interrupted: what has come of it until then is told all the same.
        let _ = self.session.wait(time, |session| !session.is_forwarding());
        for command in ["stop", "show port all stats"] {
            if !self.ends {
                self.line(&Line { text: command.into(), place: "--duration".into() });
            }
        }
        self.close()
    }

    /// Runs all commands, stops everything and returns the exit code.
    pub(crate) fn run(mut self, lines: Lines) -> ExitCode {
        while !self.ends && !self.session.quits && !self.session.is_terminated() {
            match lines.next(TICK) {
                // A line that has been typed is not lost: the command that it interrupts says so.
                input if self.session.is_interrupted() && (self.on_error != OnError::Tell || input.is_none()) => break,
                None => {}
                Some(Input::Line(line)) => {
                    self.line(&line);
                    lines.answered();
                }
                Some(Input::Interrupt) => {
                    self.interrupt();
                    lines.answered();
                }
                Some(Input::Failed(why)) => {
                    self.complain(&program::in_words(&why));
                    self.code = COULD_NOT_RUN;
                    break;
                }
                Some(Input::End) => break,
            }
            self.session.look_after();
        }
        self.close()
    }

    fn close(self) -> ExitCode {
        let Script { session, format, mut code, .. } = self;
        let problems = session.close();
        for problem in &problems {
            eprint(&format!("problem: {problem}"));
        }
        if !problems.is_empty() {
            code = code.max(1);
        }
        if format == Format::Json
            && !problems.is_empty()
            && let Err(why) = program::print(&format!("{}\n", json!({ "problems": problems })))
        {
            eprint(&program::in_words(&why));
            code = COULD_NOT_RUN;
        }
        ExitCode::from(code)
    }

    /// Runs a line and prints its answer.
    fn line(&mut self, line: &Line) {
        let Some(command) = line.command() else { return };
        match commands::run(&mut self.session, command) {
            Ok(answer) => self.print(&self.format.answer(command, &answer)),
            Err(why) => {
                let text = program::in_words(&why);
                self.print(&self.format.error(command, &text));
                let place = if line.place.is_empty() { String::new() } else { format!("{}: ", line.place) };
                self.complain(&format!("{place}{text}"));
                self.fail(if why.is::<Unmet>() { 1 } else { COULD_NOT_RUN });
            }
        }
        // Ctrl-C has ended the command; somebody at the prompt goes on.
        let goes_on = self.on_error == OnError::Tell && !self.session.is_terminated();
        if goes_on && self.session.interrupted.swap(false, Ordering::Relaxed) {
            self.interrupt();
        }
    }

    fn print(&mut self, text: &str) {
        if let Err(why) = program::print(text) {
            self.complain(&program::in_words(&why));
            self.fail(COULD_NOT_RUN);
        }
    }

    fn fail(&mut self, code: u8) {
        match self.on_error {
            OnError::Tell => return,
            OnError::End => self.ends = true,
            OnError::GoOn => {}
        }
        self.code = self.code.max(code);
    }

    /// Ctrl-C at the prompt: forwarding stops.
    fn interrupt(&mut self) {
        match self.session.is_forwarding() {
            true => self.line(&Line { text: "stop".into(), place: String::new() }),
            false => (self.session.announce)("Ctrl-C stops forwarding; quit or Ctrl-D leaves"),
        }
    }

    fn complain(&mut self, text: &str) {
        match self.on_error {
            OnError::Tell => (self.session.announce)(text),
            OnError::End | OnError::GoOn => eprint(text),
        }
    }
}

/// A line to the standard error, whose pipe may be closed.
fn eprint(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "testpmd: {text}");
}
