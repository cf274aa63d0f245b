//! The prompt, on a terminal of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use gannet_harness::{PATIENCE, Running, wait_until};
use nix::pty::openpty;
use nix::sys::signal::Signal;
use nix::sys::termios::{LocalFlags, tcgetattr};
use tempfile::TempDir;

use super::testpmd;

/// The program, and who types at its terminal.
struct Typist {
    program: Running,
    keyboard: File,
    /// Ours of the terminal's end that the program has: without it the terminal would be gone with the program.
    terminal: File,
    screen: Arc<Mutex<String>>,
    /// Where the last look ended.
    seen: usize,
    state: TempDir,
}

impl Typist {
    fn new(arguments: &[&str]) -> Typist {
        let pair = openpty(None, None).expect("a terminal");
        let (keyboard, terminal) = (File::from(pair.master), File::from(pair.slave));
        let end = || Stdio::from(terminal.try_clone().expect("a file"));
        let state = tempfile::tempdir().expect("a folder");
        let mut command = testpmd();
        command.args(arguments).env("XDG_STATE_HOME", state.path()).env("TERM", "xterm");
        let program = Running::with_output(command.stdin(end()).stdout(end()).stderr(end()));
        let screen = Arc::<Mutex<String>>::default();
        let (mut output, shown) = (keyboard.try_clone().expect("a file"), screen.clone());
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                shown.lock().expect("nobody panics").push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        let mut typist = Typist { program, keyboard, terminal, screen, seen: 0, state };
        typist.sees("testpmd> ");
        typist
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal is there");
    }

    /// Waits until this is on the screen, behind what has been seen.
    #[track_caller]
    fn sees(&mut self, text: &str) {
        let start = Instant::now();
        loop {
            let screen = self.screen.lock().expect("nobody panics").clone();
            assert!(!screen.contains("panicked"), "{screen}");
            if let Some(at) = screen[self.seen..].find(text) {
                self.seen += at + text.len();
                return;
            }
            assert!(start.elapsed() < PATIENCE, "no {text:?} in {:?}", &screen[self.seen..]);
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Has a command wait, and a signal end it.
    #[track_caller]
    fn interrupts_a_command(&mut self, signal: Signal) {
        self.types("sleep 1000\r");
        self.sees("sleep 1000");
        // The editor has given the terminal back: Ctrl-C is a signal now.
        wait_until("the terminal to be given back", || {
            tcgetattr(&self.terminal).expect("the terminal").local_flags.contains(LocalFlags::ISIG)
        });
        self.program.signal(signal);
        self.sees("sleep 1000: interrupted");
    }
}

#[test]
fn words_are_completed_and_lines_are_remembered() {
    let mut typist = Typist::new(&[]);
    typist.types("sho\tengi\t\r");
    typist.sees("forwards frames as they are");
    typist.sees("testpmd> ");
    typist.types("wrong\r");
    typist.sees("wrong: no such command; help lists all");
    typist.sees("testpmd> ");
    // Ctrl-D.
    typist.types("\x04");
    assert_eq!(typist.program.end().status, Some(0), "what is typed wrong at the prompt is no failure");
    let history = std::fs::read_to_string(typist.state.path().join("gannet/testpmd-history")).expect("a history");
    assert!(history.ends_with("show engines \nwrong\n"), "{history}");
}

#[test]
fn ctrl_c_stops_forwarding_and_does_not_leave() {
    let mut typist = Typist::new(&[]);
    typist.types("start\r");
    typist.sees("forwarding with io: 2 streams");
    typist.sees("testpmd> ");
    typist.types("\x03");
    typist.sees("RECEIVED");
    typist.sees("testpmd> ");
    typist.types("\x03");
    typist.sees("quit or Ctrl-D leaves");
    typist.sees("testpmd> ");
    typist.types("quit\r");
    assert_eq!(typist.program.end().status, Some(0));
}

#[test]
fn ctrl_c_ends_a_command_that_waits() {
    let mut typist = Typist::new(&[]);
    typist.interrupts_a_command(Signal::SIGINT);
    typist.sees("testpmd> ");
    typist.types("exit\r");
    assert_eq!(typist.program.end().status, Some(0));
}

#[test]
fn sigterm_ends_the_program_while_a_command_waits() {
    let mut typist = Typist::new(&[]);
    typist.interrupts_a_command(Signal::SIGTERM);
    assert_eq!(typist.program.end().status, Some(0));
}

#[test]
fn what_happens_meanwhile_is_told_above_what_is_being_typed() {
    let mut typist = Typist::new(&["--stats-period", "0.05"]);
    typist.types("start\r");
    typist.sees("testpmd> ");
    typist.types("show str");
    typist.sees("0->1 rx");
    typist.sees("testpmd> show str");
    typist.types("eams\r");
    typist.sees("RECEIVED");
    typist.types("quit\r");
    assert_eq!(typist.program.end().status, Some(0));
}

#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    let before = {
        let pair = openpty(None, None).expect("a terminal");
        tcgetattr(&pair.slave).expect("its settings").local_flags
    };
    let typist = Typist::new(&[]);
    typist.program.signal(Signal::SIGTERM);
    assert_eq!(typist.program.end().status, Some(0));
    assert_eq!(tcgetattr(&typist.terminal).expect("its settings").local_flags, before);
}
