//! Programs under test: run to their end, or beside the test.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::{wait_for, wait_until};

/// A program with nothing to read.
pub fn program(path: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(path);
    command.stdin(Stdio::null());
    command
}

/// A standard input: a pipe with this text in it, at most 64 KiB, and its end.
pub fn text_to_read(text: impl AsRef<[u8]>) -> Stdio {
    let (reader, mut writer) = io::pipe().expect("a pipe");
    writer.write_all(text.as_ref()).expect("the pipe has room");
    reader.into()
}

/// An output on a disk that is full.
pub fn full_disk() -> File {
    File::options().write(true).open("/dev/full").expect("Linux has it")
}

/// Runs a program to its end, both of whose outputs are pipes that nobody reads any more. Returns the exit status.
#[track_caller]
pub fn without_listeners(command: &mut Command) -> Option<i32> {
    let closed = || Stdio::from(io::pipe().expect("a pipe").1);
    Running::with_output(command.stdout(closed()).stderr(closed())).end().status
}

/// Runs a program to its end twice: with its standard output on a disk that is full, then with its standard error there. Returns both exit
/// statuses.
#[track_caller]
pub fn with_full_disk(command: &mut Command) -> [Option<i32>; 2] {
    let stdout = Running::with_stdout(command.stdout(full_disk())).end();
    let stderr = Running::with_output(command.stdout(Stdio::null()).stderr(full_disk())).end();
    [stdout.status, stderr.status]
}

/// What has become of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The program and its arguments, as failures tell them.
    pub command: String,
    /// Exit status; none if it was ended by a signal.
    pub status: Option<i32>,
    /// What it has printed.
    pub stdout: String,
    /// What it has said of itself.
    pub stderr: String,
}

/// What a failed test shows of a run.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Outcome { command, status, stdout, stderr } = self;
        write!(f, "{command}, which has ended with {status:?}: {stdout}{stderr}")
    }
}

impl Outcome {
    /// Runs a program to its end. A panic fails the test, whatever the exit status.
    #[track_caller]
    pub fn of(command: &mut Command) -> Outcome {
        Running::start(command).end()
    }

    /// The same, for a run that goes well.
    #[track_caller]
    pub fn fine(command: &mut Command) -> Outcome {
        let outcome = Outcome::of(command);
        assert_eq!(outcome.status, Some(0), "{outcome}");
        outcome
    }

    /// The JSON objects that it has printed, one a line.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        let object = |line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{line}: {why}: {self}"));
        self.stdout.lines().map(object).collect()
    }

    /// Checks that the program did not run, says these things, and says them once.
    #[track_caller]
    pub fn assert_refused(&self, said: &[&str]) {
        assert_eq!((self.status, self.stdout.as_str()), (Some(2), ""), "{self}");
        // A warning of huge pages may come before it.
        let message: Vec<&str> = self.stderr.lines().filter(|line| !line.contains("WARN")).collect();
        let message = message.join("\n");
        for part in said {
            assert!(message.contains(part), "no {part:?} in: {message}\nof {self}");
        }
        assert!(!message.contains('\x1b'), "{message:?} of {self}");
        assert!(message.matches("os error").count() <= 1, "told twice: {message}\nof {self}");
    }
}

/// A program that runs. Killed when dropped.
///
/// What it prints goes to files, so that it never waits for the test.
pub struct Running {
    /// The process, with the pipes that its command asked for.
    pub child: Child,
    command: String,
    output: TempDir,
}

impl Running {
    /// Starts a program.
    #[track_caller]
    pub fn start(command: &mut Command) -> Running {
        let output = folder();
        let stdout = file(&output, "stdout");
        Running::spawn(command.stdout(stdout).stderr(file(&output, "stderr")), output)
    }

    /// Starts a program whose standard output goes where its command says.
    #[track_caller]
    pub fn with_stdout(command: &mut Command) -> Running {
        let output = folder();
        Running::spawn(command.stderr(file(&output, "stderr")), output)
    }

    /// Starts a program whose outputs both go where its command says.
    #[track_caller]
    pub fn with_output(command: &mut Command) -> Running {
        Running::spawn(command, folder())
    }

    fn spawn(command: &mut Command, output: TempDir) -> Running {
        let child = command.spawn().unwrap_or_else(|why| panic!("{command:?}: {why}"));
        Running { child, command: format!("{command:?}"), output }
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id() as i32), signal).expect("the program is there");
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_some()
    }

    /// What it has said on its standard error so far.
    pub fn stderr(&self) -> String {
        self.text("stderr")
    }

    /// Waits until it has said a line with this in it on its standard error. Returns the line.
    #[track_caller]
    pub fn wait_for_line(&mut self, part: &str) -> String {
        wait_for(&format!("{part:?}"), || {
            let has_ended = self.has_ended();
            let said = self.stderr();
            let mut lines = said.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let line = lines.find(|line| line.contains(part)).map(str::to_owned);
            assert!(line.is_some() || !has_ended, "it has ended without {part:?}: {said}of {}", self.command);
            line
        })
    }

    /// Waits for the end. A panic fails the test, whatever the exit status.
    #[track_caller]
    pub fn end(mut self) -> Outcome {
        wait_until("the program's end", || self.has_ended());
        let status = self.child.wait().expect("a child can be waited for").code();
        let whole = |name| String::from_utf8(self.printed(name)).expect("output is UTF-8");
        let command = self.command.clone();
        let outcome = Outcome { command, status, stdout: whole("stdout"), stderr: whole("stderr") };
        assert!(!outcome.stderr.contains("panicked"), "{outcome}");
        outcome
    }

    /// Waits for the end, and checks the exit status. Returns the JSON object that it has printed.
    #[track_caller]
    pub fn report(self, status: i32) -> Value {
        let outcome = self.end();
        assert_eq!(outcome.status, Some(status), "{outcome}");
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|why| panic!("{why}: {outcome}"))
    }

    /// What it has printed so far: the last line may not be whole, nor its last letter.
    fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&self.printed(name)).into_owned()
    }

    /// What is in a file of its output; nothing if its output goes elsewhere.
    fn printed(&self, name: &str) -> Vec<u8> {
        fs::read(self.output.path().join(name)).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let (stdout, stderr) = (self.text("stdout"), self.text("stderr"));
            eprintln!("what {} had printed when its test failed: {stdout}{stderr}", self.command);
        }
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn file(output: &TempDir, name: &str) -> File {
    File::create(output.path().join(name)).expect("a file")
}
