//! nictop, in a pipe and on a terminal.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use gannet_harness::{Outcome, PATIENCE, Running, full_disk, lacks};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{FRAMES, Program, command, runtime};

/// nictop with these arguments.
fn nictop(runtime: &Path, arguments: &[&str]) -> Command {
    let mut command = command("nictop", runtime);
    command.args(arguments);
    command
}

/// nictop with these arguments, run to its end.
fn run(runtime: &Path, arguments: &[&str]) -> Outcome {
    Outcome::of(&mut nictop(runtime, arguments))
}

#[test]
fn once_shows_ports_cores_and_pools() {
    let runtime = runtime();
    let program = Program::start(runtime.path(), &[]);
    let pid = program.running.id().to_string();
    let path = program.path.to_str().expect("a path");
    for target in [vec![], vec!["l2fwd"], vec![pid.as_str()], vec![path]] {
        let Outcome { status, stdout, stderr, .. } =
            run(runtime.path(), &[&target[..], &["--once", "--interval", "0.2"]].concat());
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{stdout}");
        assert!(stdout.starts_with(&format!("l2fwd {}, process {pid}, up ", env!("CARGO_PKG_VERSION"))), "{stdout}");
        for line in ["PORT  NAME", "0     sim:ixgbe#0  10G", "1     sim:ixgbe#1  10G", "CORE  BUSY", "packets  calm"] {
            assert!(stdout.lines().any(|shown| shown.starts_with(line)), "{line}: {stdout}");
        }
    }
}

#[test]
fn json_is_an_object_a_line_with_rates_that_fit_what_the_program_counts() {
    let runtime = runtime();
    let program = Program::start(runtime.path(), &[]);
    let mut command = nictop(runtime.path(), &["--json", "--interval", "0.2"]);
    let mut running = Running::with_stdout(command.stdout(Stdio::piped()));
    let mut lines = BufReader::new(running.child.stdout.take().expect("a pipe")).lines();
    let mut arrived = 0.0;
    for _ in 0..10 {
        let line = lines.next().expect("a line").expect("text");
        let rates: Value = serde_json::from_str(&line).unwrap_or_else(|why| panic!("{why}: {line}"));
        let number = |at: &str| rates.pointer(at).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {at}: {line}"));
        // All frames came in at port 0 before.
        assert_eq!(number("/ports/0/rx/pps"), 0.0, "{line}");
        assert!((0.0..=1.0).contains(&number("/cores/0/busy")), "{line}");
        // A frame has 64 bytes.
        let (packets, bits) = (number("/ports/1/rx/pps"), number("/ports/1/rx/bps"));
        assert!((bits - packets * 64.0 * 8.0).abs() < 1.0, "{line}");
        arrived += packets * number("/seconds");
    }
    let state = program.state();
    assert!(arrived.round() as u64 <= state.ports[1].rx_queues[0].packets, "{arrived}: {state:?}");
    assert_eq!(state.ports[0].rx_queues[0].packets, FRAMES);
    // Nobody reads on.
    drop(lines);
    assert_eq!(running.end().status, Some(0));
}

#[test]
fn it_ends_with_the_program_and_says_so() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let runtime = runtime();
        let program = Program::start(runtime.path(), &[]);
        let mut command = nictop(runtime.path(), &["--interval", "0.1"]);
        let mut running = Running::with_stdout(command.stdout(Stdio::piped()));
        let mut stdout = BufReader::new(running.child.stdout.take().expect("a pipe"));
        stdout.read_line(&mut String::new()).expect("its first line");
        let pid = program.running.id();
        program.end(signal);
        stdout.read_to_string(&mut String::new()).expect("the rest");
        let Outcome { status, stderr, .. } = running.end();
        assert_eq!((status, stderr), (Some(0), format!("l2fwd (process {pid}) has ended\n")), "{signal}");
        // What a killed program leaves behind is cleared away.
        run(runtime.path(), &["--once"]).assert_refused(&["no program is running"]);
        assert_eq!(std::fs::read_dir(runtime.path().join("gannet")).expect("the folder").count(), 0);
    }
}

#[test]
fn what_cannot_be_shown_is_refused_with_what_there_is() {
    let runtime = runtime();
    let refused = |arguments: &[&str], why: &str| run(runtime.path(), arguments).assert_refused(&[why]);
    refused(&["--once"], "no program is running with a control socket in");
    refused(&["/nowhere/l2fwd.sock"], "is the program running?");
    refused(&["/dev/null"], "connecting to /dev/null");
    for interval in ["0", "-1", "soon", "NaN", "1e9"] {
        refused(&["--interval", interval], "from 0.1 to 3600");
    }
    let program = Program::start(runtime.path(), &[]);
    refused(&["pktgen"], &format!("pktgen is not running; there are: l2fwd {}", program.running.id()));
    let other = Program::start(runtime.path(), &[]);
    refused(&["l2fwd"], "several are running, say which by its number");
    refused(&[], &other.running.id().to_string());
    let mut full = nictop(runtime.path(), &["--once", "--interval", "0.1", &other.running.id().to_string()]);
    let outcome = Running::with_stdout(full.stdout(full_disk())).end();
    outcome.assert_refused(&["No space left on device"]);
}

#[test]
fn on_a_terminal_it_draws_until_q_is_pressed_and_gives_the_terminal_back() {
    if lacks("script") {
        return;
    }
    let runtime = runtime();
    let _program = Program::start(runtime.path(), &[]);
    let nictop = env!("CARGO_BIN_EXE_nictop");
    // Words only: spaces that are there already are not drawn.
    for (size, shown) in [("rows 24 cols 80", "sim:ixgbe#1"), ("rows 5 cols 70", "columns")] {
        let mut script = Command::new("script");
        script.args(["-qec", &format!("stty {size}; exec {nictop} --interval 0.2"), "/dev/null"]);
        script.env("XDG_RUNTIME_DIR", runtime.path()).env("TERM", "xterm").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::with_stdout(&mut script);
        let mut terminal = running.child.stdout.take().expect("a pipe");
        let mut seen = String::new();
        let start = std::time::Instant::now();
        while !seen.contains(shown) {
            let mut piece = [0; 4096];
            let read = terminal.read(&mut piece).expect("what is drawn");
            assert!(read > 0 && start.elapsed() < PATIENCE, "no {shown:?}: {seen}");
            seen += &String::from_utf8_lossy(&piece[..read]);
        }
        running.child.stdin.take().expect("a pipe").write_all(b"q").expect("a key");
        let mut rest = String::new();
        terminal.read_to_string(&mut rest).expect("the end");
        assert!(rest.contains("\x1b[?1049l"), "the screen from before is back: {rest:?}");
        assert_eq!(running.end().status, Some(0));
    }
}
