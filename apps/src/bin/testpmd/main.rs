//! testpmd: ports at a prompt, to try out, to measure, to find out what is wrong.
//!
//! ```text
//!   command line, file, prompt ──► input ──► grammar + table of commands ──► session: ports, engines, forwarding ──► answer
//! ```
//!
//! [`commands`] has the table, [`grammar`] reads lines by it, [`session`] is what they act on, [`engine`] what is done with packets,
//! [`forward`] the loop that the cores run, [`explain`] finds what keeps packets from coming through.

#![forbid(unsafe_code)]

mod answer;
mod cli;
mod commands;
mod counts;
mod engine;
mod explain;
mod forward;
mod grammar;
mod input;
mod port;
mod prompt;
mod rates;
mod script;
mod session;

use std::io::{IsTerminal, stdin, stdout};
use std::process::ExitCode;

use clap::Parser;
use gannet_apps::program::{self, Live, Show};

use answer::Format;
use cli::Arguments;
use input::Lines;
use script::{OnError, Script};
use session::Session;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    program::run("testpmd", || execute(&arguments))
}

fn execute(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.ports.tune()? {
        return Ok(ExitCode::SUCCESS);
    }
    // Before the ports: a script that is not there is told at once.
    let given = match (&arguments.execute, &arguments.script) {
        (Some(commands), _) => Some(Lines::of_option(commands)),
        (_, Some(path)) => Some(Lines::of_script(path)?),
        _ => None,
    };
    let is_prompt = given.is_none() && arguments.duration.is_none() && stdin().is_terminal() && stdout().is_terminal();
    let mut session = Session::open(&arguments.names()?, &arguments.ports, &arguments.monitor)?;
    session.engine = arguments.engine;
    session.stats_period = arguments.stats_period;
    let mut terminal = None;
    let lines = match given {
        Some(lines) => lines,
        None if is_prompt => {
            let prompt = prompt::open(session.vocabulary())?;
            session.announce = prompt.announce;
            terminal = Some(prompt.terminal);
            prompt.lines
        }
        None => Lines::of_stdin(),
    };
    if !is_prompt {
        let mut live = Live::new(if arguments.json { Show::Nothing } else { Show::Progress });
        session.announce = Box::new(move |text| live.event(text));
    }
    let on_error = match () {
        () if is_prompt => OnError::Tell,
        () if arguments.keep_going => OnError::GoOn,
        () => OnError::End,
    };
    let format = if arguments.json { Format::Json } else { Format::Text };
    let mut script = Script::new(session, format, on_error);
    if arguments.auto_start || arguments.duration.is_some() {
        script.begin();
    }
    let outcome = match arguments.duration {
        Some(time) => script.run_for(time),
        None => script.run(lines),
    };
    drop(terminal);
    Ok(outcome)
}
