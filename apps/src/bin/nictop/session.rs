//! nictop on a terminal: draws, reads keys, looks again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::HasEnded;
use crate::follow::{Follower, Look};
use crate::screen;

/// Longest wait for a key: then it sees whether it is told to end.
const KEY_PATIENCE: Duration = Duration::from_millis(200);

/// The terminal, given back as it was, also on an error. (On a panic ratatui's hook does that.)
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> anyhow::Result<Screen> {
        ratatui::try_init().map(Screen).context("taking over the terminal (--once needs none)")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = ratatui::try_restore();
    }
}

/// Watches until the program ends or the user does.
pub(crate) fn run(mut follower: Follower, interval: Duration, interrupted: &AtomicBool) -> anyhow::Result<HasEnded> {
    let mut screen = Screen::open()?;
    // The first rates come soon: an empty screen says nothing.
    let mut next = Instant::now() + interval.min(KEY_PATIENCE);
    let (mut rates, mut note) = (None, None);
    let mut selected = 0;
    loop {
        screen.0.draw(|frame| screen::draw(frame, rates.as_ref(), note.as_deref(), selected)).context("drawing")?;
        let wait = next.saturating_duration_since(Instant::now()).min(KEY_PATIENCE);
        if event::poll(wait).context("waiting for keys")?
            && let Event::Key(key) = event::read().context("reading keys")?
        {
            match command(key) {
                Some(Command::End) => return Ok(HasEnded::No),
                Some(Command::Up) => selected = selected.saturating_sub(1),
                Some(Command::Down) => selected += 1,
                None => {}
            }
        }
        if interrupted.load(Ordering::Relaxed) {
            return Ok(HasEnded::No);
        }
        if Instant::now() >= next {
            next = Instant::now() + interval;
            match follower.look()? {
                Look::Rates(now) => (rates, note) = (Some(now), None),
                Look::Nothing(why) => note = Some(why.to_string()),
                Look::Ended => return Ok(HasEnded::Yes),
            }
        }
        let ports = rates.as_ref().map_or(0, |rates| rates.ports.len());
        selected = selected.min(ports.saturating_sub(1));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    End,
    Up,
    Down,
}

fn command(key: KeyEvent) -> Option<Command> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Some(Command::End),
        // On a raw terminal it is a key, not a signal.
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Command::End),
        KeyCode::Up | KeyCode::Char('k') => Some(Command::Up),
        KeyCode::Down | KeyCode::Char('j') => Some(Command::Down),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_what_the_help_says() {
        for (code, modifiers, expected) in [
            (KeyCode::Char('q'), KeyModifiers::NONE, Some(Command::End)),
            (KeyCode::Char('c'), KeyModifiers::CONTROL, Some(Command::End)),
            (KeyCode::Char('c'), KeyModifiers::NONE, None),
            (KeyCode::Up, KeyModifiers::NONE, Some(Command::Up)),
            (KeyCode::Down, KeyModifiers::NONE, Some(Command::Down)),
        ] {
            assert_eq!(command(KeyEvent::new(code, modifiers)), expected, "{code:?}");
        }
    }
}
