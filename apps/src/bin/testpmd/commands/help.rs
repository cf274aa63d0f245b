//! `help`: what the table of commands says.

use gannet_mempool::registry::{Column, Row};
use serde::Serialize;

use super::COMMANDS;
use crate::answer::Answer;
use crate::grammar::{self, Arguments, NoCommand};
use crate::session::Session;

#[derive(Serialize)]
struct HelpRow {
    command: &'static str,
    help: &'static str,
}

impl Row<2> for HelpRow {
    const COLUMNS: [Column; 2] = [Column::Left("COMMAND"), Column::Left("WHAT IT DOES")];

    fn cells(&self) -> [String; 2] {
        [self.command.into(), self.help.into()]
    }
}

fn rows(wanted: impl Fn(&'static str) -> bool) -> Vec<HelpRow> {
    let commands = COMMANDS.iter().filter(|command| wanted(command.pattern));
    commands.map(|command| HelpRow { command: command.pattern, help: command.help }).collect()
}

pub(super) fn all(_: &mut Session, _: &Arguments) -> anyhow::Result<Answer> {
    let mut answer = Answer::table(&rows(|_| true));
    answer.text += "\nPORTS is a port's number or all; the TAB key completes words at the prompt.\n";
    Ok(answer)
}

pub(super) fn some(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let line = arguments.word("COMMAND...");
    let rows = rows(|pattern| grammar::is_beginning(line, pattern, session.vocabulary()));
    if rows.is_empty() {
        return Err(NoCommand::unknown(COMMANDS, line, session.vocabulary()).into());
    }
    Ok(Answer::table(&rows))
}
