//! Runs without end, ended from outside: Ctrl-C, SIGTERM, nobody who listens.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

use super::{GENERATOR, PATIENCE, Report, l2fwd};

/// A signal must end the program in this time. What it takes: 50 ms of quiet, the cards' stop.
const END: Duration = Duration::from_secs(10);

/// The program on two generators without end. Killed when dropped.
struct Endless(Child);

impl Endless {
    fn start(arguments: &[&str], stderr: Stdio) -> Endless {
        let child = Command::new(env!("CARGO_BIN_EXE_l2fwd"))
            .args(["--port", GENERATOR, "--port", GENERATOR])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the program starts");
        Endless(child)
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id() as i32), signal).expect("the program runs");
    }

    /// Waits for the end. Returns the exit status.
    fn status(&mut self) -> Option<i32> {
        let start = Instant::now();
        while start.elapsed() < END {
            if let Some(status) = self.0.try_wait().expect("a child can be waited for") {
                return status.code();
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("still running {END:?} after the signal");
    }

    /// What it has printed, after the end.
    fn stdout(&mut self) -> String {
        let mut text = String::new();
        self.0.stdout.take().expect("a pipe").read_to_string(&mut text).expect("output is UTF-8");
        text
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        // It has ended, or its test has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads lines on a thread of its own until the pipe is closed, so that the program never waits for us. The lines that satisfy
/// `wanted` arrive at the receiver.
fn lines(pipe: impl Read + Send + 'static, wanted: fn(&str) -> bool) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok).filter(|line| wanted(line)) {
            // The test may have ended.
            let _ = sender.send(line);
        }
    });
    receiver
}

fn ends_with_a_report_after(signal: Signal) {
    let mut program = Endless::start(&[], Stdio::piped());
    let statistics = lines(program.0.stderr.take().expect("a pipe"), |line| line.contains("Mpps"));
    let first = statistics.recv_timeout(PATIENCE).expect("a line of statistics");
    assert!(first.contains("0->1") && first.contains("1->0"), "{first}");
    program.signal(signal);
    assert_eq!(program.status(), Some(0));
    let text = program.stdout();
    let stopped = text.lines().find(|line| line.contains("stopped:")).unwrap_or_default();
    assert!(stopped.ends_with("RX rings 0 + TX rings 0 + application 0"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("all ")), "{text}");
}

#[test]
fn ctrl_c_ends_with_the_report() {
    ends_with_a_report_after(Signal::SIGINT);
}

#[test]
fn sigterm_ends_with_the_report() {
    ends_with_a_report_after(Signal::SIGTERM);
}

#[test]
fn a_signal_at_any_moment_ends_with_a_whole_report() {
    // While the cards are brought up, when they are, and just when the first packets move.
    for delay_ms in [40, 80, 120, 160] {
        let mut program = Endless::start(&["--json"], Stdio::null());
        thread::sleep(Duration::from_millis(delay_ms));
        // Not SIGINT, which a shell ignores for programs in the background until they catch it.
        program.signal(Signal::SIGTERM);
        match program.status() {
            Some(0) => Report::parse(&program.stdout()).assert_clean(),
            // So early, on a slow machine, that nobody caught it yet.
            None => assert_eq!(program.stdout(), ""),
            other => panic!("status {other:?} after {delay_ms} ms"),
        }
    }
}

#[test]
fn a_signal_ends_the_wait_for_a_named_pipe() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).expect("a named pipe");
    let child = Command::new(env!("CARGO_BIN_EXE_l2fwd"))
        .args(["--port", &super::play(&pipe), "--port", "sim:ixgbe,peer=sink"])
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut program = Endless(child);
    // It waits in the kernel when it has this to wait for.
    let waits = format!("/proc/{}/wchan", program.0.id());
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1)
        && !std::fs::read_to_string(&waits).is_ok_and(|at| at.contains("wait_for_partner"))
    {
        thread::sleep(Duration::from_millis(5));
    }
    program.signal(Signal::SIGTERM);
    assert_eq!(program.status(), None, "ended by the signal");
}

#[test]
fn nobody_needs_to_listen() {
    let mut program = Endless::start(&["--duration", "1.2"], Stdio::piped());
    drop((program.0.stdout.take(), program.0.stderr.take()));
    assert_eq!(program.status(), Some(0));
}

#[test]
fn errors_need_no_listener_either() {
    let mut program = Endless::start(&["--burst", "0"], Stdio::piped());
    drop((program.0.stdout.take(), program.0.stderr.take()));
    assert_eq!(program.status(), Some(2));
}

#[test]
fn a_full_disk_behind_its_output_is_survived() {
    for to in ["stdout", "stderr"] {
        let full = || std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
        let mut command = Command::new(env!("CARGO_BIN_EXE_l2fwd"));
        command.args(["--duration", "0.3"]).stdout(Stdio::null()).stderr(Stdio::null());
        let status = if to == "stdout" { command.stdout(full()) } else { command.stderr(full()) }.status();
        assert_eq!(status.expect("the program runs").code(), Some(0), "{to}");
    }
}

#[test]
fn a_duration_ends_what_has_no_end() {
    let ports = ["--port", GENERATOR, "--port", GENERATOR];
    let report = super::report(l2fwd().args(ports).args(["--duration", "0.3"]), 0);
    report.assert_clean();
}
