//! Where commands come from: the command line, a file, the standard input, the prompt. All of them arrive through a channel, so that the main
//! thread can look after the ports while nobody types.

use std::fs;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};

/// Something from where commands come from.
#[derive(Debug)]
pub(crate) enum Input {
    /// A line that may hold a command.
    Line(Line),
    /// Ctrl-C at the prompt.
    Interrupt,
    /// It cannot be read on.
    Failed(anyhow::Error),
    /// There are no more.
    End,
}

/// A line and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    /// For errors, as in "script, line 3"; empty at the prompt.
    pub(crate) place: String,
}

/// Commands in their order.
pub(crate) struct Lines {
    inputs: Receiver<Input>,
    /// Who waits until a line has been answered: the prompt.
    answered: Option<SyncSender<()>>,
}

impl Lines {
    /// From a thread that waits for the answer to each line.
    pub(crate) fn of_prompt(inputs: Receiver<Input>, answered: SyncSender<()>) -> Lines {
        Lines { inputs, answered: Some(answered) }
    }

    /// Commands separated by semicolons.
    pub(crate) fn of_option(text: &str) -> Lines {
        let places = (1..).map(|number| format!("--execute, command {number}"));
        Lines::of(text.split(';').zip(places))
    }

    /// A file, `-` for the standard input.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn of_script(path: &Path) -> anyhow::Result<Lines> {
        let name = path.display();
        let mut bytes = Vec::new();
        match path.as_os_str() == "-" {
            true => io::stdin().lock().read_to_end(&mut bytes).map(|_| ()),
            false => fs::read(path).map(|content| bytes = content),
        }
        .with_context(|| format!("--script {name}: cannot be read"))?;
        let text =
            String::from_utf8(bytes).map_err(|_| anyhow!("--script {name}: this is no text (UTF-8 is expected)"))?;
        let places = (1..).map(|number| format!("{name}, line {number}"));
        Ok(Lines::of(text.lines().zip(places)))
    }

    fn of<'a>(lines: impl Iterator<Item = (&'a str, String)>) -> Lines {
        let (sender, inputs) = mpsc::channel();
        for (text, place) in lines {
            // The receiver is here.
            let _ = sender.send(Input::Line(Line { text: text.to_owned(), place }));
        }
        Lines { inputs, answered: None }
    }

    /// The standard input, read by a thread as lines come.
    pub(crate) fn of_stdin() -> Lines {
        let (sender, inputs) = mpsc::sync_channel(1);
        thread::spawn(move || {
            for (line, number) in io::stdin().lock().lines().zip(1..) {
                let place = format!("standard input, line {number}");
                let input = match line {
                    Ok(text) => Input::Line(Line { text, place }),
                    Err(why) => Input::Failed(anyhow!(why).context(place)),
                };
                // Nobody listens any more: the program ends.
                if sender.send(input).is_err() {
                    return;
                }
            }
        });
        Lines { inputs, answered: None }
    }

    /// The next one, if it comes in time.
    pub(crate) fn next(&self, patience: Duration) -> Option<Input> {
        match self.inputs.recv_timeout(patience) {
            Ok(input) => Some(input),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Input::End),
        }
    }

    /// The last line has been answered.
    pub(crate) fn answered(&self) {
        if let Some(answered) = &self.answered {
            // The prompt may have ended.
            let _ = answered.send(());
        }
    }
}

impl Line {
    /// The command without comment and white space around it; `None` if there is none.
    pub(crate) fn command(&self) -> Option<&str> {
        let text = self.text.split('#').next().unwrap_or_default().trim();
        (!text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_lines_are_no_commands() {
        let command = |text: &str| Line { text: text.into(), place: String::new() }.command().map(str::to_owned);
        assert_eq!(command("  start  # now"), Some("start".into()));
        for nothing in ["", "   ", "# start", "  # start"] {
            assert_eq!(command(nothing), None);
        }
    }

    #[test]
    fn commands_of_an_option_come_in_order_with_their_numbers() {
        let lines = Lines::of_option("start; stop;");
        let mut seen = Vec::new();
        while let Some(Input::Line(line)) = lines.next(Duration::ZERO) {
            seen.push((line.text, line.place));
        }
        let place = |number| format!("--execute, command {number}");
        assert_eq!(seen, [("start".into(), place(1)), (" stop".into(), place(2)), (String::new(), place(3))]);
    }
}
