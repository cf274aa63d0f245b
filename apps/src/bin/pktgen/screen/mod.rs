//! The terminal as a screen: how a measurement goes, drawn anew with every progress.
//!
//! [`view`] draws, and knows no terminal; here is what does: it is taken over, gives keys, and is given back, in a panic too.

mod view;

use std::io::{IsTerminal, stdin, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};

use crate::trial::Progress;
use view::View;

/// A terminal that has been taken over. Dropping it gives it back.
pub(crate) struct Screen {
    terminal: DefaultTerminal,
    view: View,
    /// What a key that ends the program sets: a terminal that gives single keys makes no signal of Ctrl-C.
    interrupted: Arc<AtomicBool>,
}

/// Checks that there is a terminal, before anything is started.
///
/// # Errors
/// There is none.
pub(crate) fn check() -> anyhow::Result<()> {
    ensure!(
        stdout().is_terminal() && stdin().is_terminal(),
        "--screen: draws on a terminal and reads keys from it, and the standard output or input is none; leave it out"
    );
    Ok(())
}

impl Screen {
    /// Takes the terminal over. `title` says what is measured, keys that end it set `interrupted`.
    ///
    /// # Errors
    /// The terminal does not let itself be set up.
    pub(crate) fn start(title: String, interrupted: Arc<AtomicBool>) -> anyhow::Result<Screen> {
        let terminal = ratatui::try_init().context("--screen: setting up the terminal")?;
        let mut screen = Screen { terminal, view: View::new(title), interrupted };
        screen.draw();
        Ok(screen)
    }

    /// Shows how it goes.
    pub(crate) fn show(&mut self, progress: &Progress) {
        self.change(|view| view.push(*progress));
    }

    /// Shows something else.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut View)) {
        change(&mut self.view);
        self.heed_keys();
        self.draw();
    }

    fn draw(&mut self) {
        // A terminal that was closed is no reason to stop measuring; its signal is.
        let _ = self.terminal.draw(|frame| self.view.draw(frame));
    }

    fn heed_keys(&mut self) {
        while let Ok(true) = event::poll(Duration::ZERO) {
            match event::read() {
                Ok(Event::Key(key)) if ends(key) => self.interrupted.store(true, Ordering::Relaxed),
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}

/// Whether a key ends the program.
fn ends(key: KeyEvent) -> bool {
    let control_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    control_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_escape_and_control_c_end_and_other_keys_do_not() {
        let key = |code, modifiers| ends(KeyEvent::new(code, modifiers));
        assert!(key(KeyCode::Char('q'), KeyModifiers::NONE) && key(KeyCode::Esc, KeyModifiers::NONE));
        assert!(key(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(!key(KeyCode::Char('c'), KeyModifiers::NONE) && !key(KeyCode::Enter, KeyModifiers::NONE));
    }
}
