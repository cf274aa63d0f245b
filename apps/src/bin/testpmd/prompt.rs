//! The prompt: a line editor with completion and history, on a thread of its own.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::{env, fs, io, thread};

use anyhow::Context as _;
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, ExternalPrinter, Helper};

use crate::commands::COMMANDS;
use crate::grammar::{self, Vocabulary};
use crate::input::{Input, Line, Lines};

const PROMPT: &str = "testpmd> ";

/// Lines that the history keeps.
const HISTORY: usize = 1000;

/// Completes words from the table of commands.
struct Words(Vocabulary);

impl Completer for Words {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, words) = grammar::complete(COMMANDS, &line[..at], self.0);
        let pair = |word: String| Pair { replacement: format!("{word} "), display: word };
        Ok((start, words.into_iter().map(pair).collect()))
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}
impl Validator for Words {}
impl Helper for Words {}

/// The terminal as it was, and is again when this is dropped: a program that a signal ends while somebody types leaves no terminal
/// without echo behind.
pub(crate) struct Terminal(Option<Termios>);

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(settings) = &self.0 {
            // It may be gone.
            let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, settings);
        }
    }
}

/// A prompt that has been opened.
pub(crate) struct Prompt {
    pub(crate) lines: Lines,
    /// Prints above what is being typed.
    pub(crate) announce: Box<dyn FnMut(&str)>,
    /// To be kept until the end.
    pub(crate) terminal: Terminal,
}

/// Opens the prompt on the terminal.
///
/// # Errors
/// The terminal cannot do it.
pub(crate) fn open(vocabulary: Vocabulary) -> anyhow::Result<Prompt> {
    let terminal = Terminal(tcgetattr(io::stdin()).ok());
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .auto_add_history(true)
        .max_history_size(HISTORY)
        .context("history")?
        .build();
    let mut editor = Editor::<Words, FileHistory>::with_config(config).context("opening the prompt")?;
    editor.set_helper(Some(Words(vocabulary)));
    let mut printer = editor.create_external_printer().context("opening the prompt")?;
    let announce = Box::new(move |text: &str| {
        // A terminal that is gone has no reader.
        let _ = printer.print(format!("{text}\n"));
    });
    let (sender, inputs) = mpsc::sync_channel(0);
    let (answered, answers) = mpsc::sync_channel(1);
    thread::spawn(move || edit(editor, &sender, &answers));
    Ok(Prompt { lines: Lines::of_prompt(inputs, answered), announce, terminal })
}

/// Reads lines, and waits for the answer to each before the next prompt.
fn edit(mut editor: Editor<Words, FileHistory>, inputs: &SyncSender<Input>, answers: &Receiver<()>) {
    let history = history_file();
    if let Some(file) = &history {
        // The first time there is none.
        let _ = editor.load_history(file);
    }
    loop {
        let input = match editor.readline(PROMPT) {
            Ok(text) => Input::Line(Line { text, place: String::new() }),
            Err(ReadlineError::Interrupted) => Input::Interrupt,
            Err(ReadlineError::Eof) => Input::End,
            Err(why) => Input::Failed(anyhow::Error::new(why).context("reading from the terminal")),
        };
        if let Some(file) = &history {
            // Each time: the program may end while the next line is awaited. A history that cannot be written is not worth a word.
            let _ = editor.save_history(file);
        }
        let ends = matches!(input, Input::End | Input::Failed(_));
        if inputs.send(input).is_err() || ends || answers.recv().is_err() {
            return;
        }
    }
}

/// Where the history is kept, as the XDG base directory specification has it; `None` without a home.
fn history_file() -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".local/state")))?;
    let folder = state.join("gannet");
    fs::create_dir_all(&folder).ok()?;
    Some(folder.join("testpmd-history"))
}
