//! Ends from outside: Ctrl-C, SIGTERM, nobody who listens, a full disk.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use gannet_apps::monitor::client;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{LINK, PATIENCE, Report};

/// The program, killed when dropped.
struct Program(Child);

impl Program {
    fn start(arguments: &[&str]) -> Program {
        let child = Command::new(env!("CARGO_BIN_EXE_pktgen"))
            .args(LINK)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        Program(child)
    }

    /// Waits for the end. Returns the exit status.
    fn status(&mut self) -> Option<i32> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.0.try_wait().expect("a child can be waited for") {
                return status.code();
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("it does not end");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended, or its test has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_signal_ends_with_the_whole_report() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut program = Program::start(&["--size", "256"]);
        let mut stderr = BufReader::new(program.0.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
        // Without end: a line each second.
        stderr.find(|line| line.contains("missing")).expect("a line of progress");
        let listener = thread::spawn(move || stderr.for_each(drop));
        kill(Pid::from_raw(program.0.id() as i32), signal).expect("the program runs");
        assert_eq!(program.status(), Some(0));
        listener.join().expect("a thread that reads lines");
        let mut text = String::new();
        program.0.stdout.take().expect("a pipe").read_to_string(&mut text).expect("output is UTF-8");
        assert!(text.contains("interrupted") && text.contains("latency"), "{text}");
    }
}

#[test]
fn nobody_needs_to_listen() {
    for arguments in [&["--count", "100"][..], &["--duration", "1.2", "--json"]] {
        let mut program = Program::start(arguments);
        drop((program.0.stdout.take(), program.0.stderr.take()));
        assert_eq!(program.status(), Some(0), "{arguments:?}");
    }
}

#[test]
fn errors_need_no_listener_either() {
    let mut program = Program::start(&["--flows", "0"]);
    drop((program.0.stdout.take(), program.0.stderr.take()));
    assert_eq!(program.status(), Some(2));
}

#[test]
fn a_full_disk_behind_its_output_is_survived() {
    for to in ["stdout", "stderr"] {
        let full = File::options().write(true).open("/dev/full").expect("/dev/full");
        let mut command = Command::new(env!("CARGO_BIN_EXE_pktgen"));
        command.args(LINK).args(["--count", "100"]).stdout(Stdio::null()).stderr(Stdio::null());
        let status = if to == "stdout" { command.stdout(full) } else { command.stderr(full) }.status();
        assert_eq!(status.expect("the program runs").code(), Some(0), "{to}");
    }
}

#[test]
fn a_run_that_is_interrupted_counts_what_was_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let control = folder.path().join("control.sock");
    let path = control.to_str().expect("a path of letters");
    let mut program = Program::start(&["--rate", "1kpps", "--count", "1000000", "--json", "--control", path]);
    let stderr = program.0.stderr.take().expect("a pipe");
    let listener = thread::spawn(move || BufReader::new(stderr).lines().for_each(drop));
    let start = Instant::now();
    while !client::state(&control).is_ok_and(|state| state.cores.iter().any(|core| core.packets > 0)) {
        assert!(start.elapsed() < PATIENCE, "it does not begin to send");
        thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(program.0.id() as i32), Signal::SIGTERM).expect("the program runs");
    assert!(matches!(program.status(), Some(0 | 1)), "1 if the rate was not reached");
    let mut text = String::new();
    program.0.stdout.take().expect("a pipe").read_to_string(&mut text).expect("output is UTF-8");
    let report = Report::parse(&text);
    assert!(report.0["interrupted"] == true, "{report:?}");
    assert!(report.count("sent") > 0, "{report:?}");
    assert_eq!(report.count("sent"), report.count("received"), "{report:?}");
    listener.join().expect("a thread that reads lines");
}
