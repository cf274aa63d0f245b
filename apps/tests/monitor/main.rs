//! What a running program tells of itself, from end to end: its control socket, its metrics, and nictop, on l2fwd with software cards.
//!
//! Sockets are in folders of each test's own, so that tests see no other programs. No test asserts a speed.

#![forbid(unsafe_code)]

mod control;
mod dashboard;
mod exposition;
mod guide;
mod metrics;
mod nictop;
mod refusals;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use gannet_apps::monitor::client;
use gannet_apps::monitor::state::State;
use gannet_harness::{PATIENCE, Running, program, wait_until};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// What is sent into port 0 of [`Program::start`].
const FRAMES: u64 = 3000;

/// A folder for control sockets, in which a test's programs meet.
fn runtime() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A program of Gannet's whose control sockets are in `runtime`.
fn command(name: &str, runtime: &Path) -> Command {
    let mut command = program(match name {
        "l2fwd" => env!("CARGO_BIN_EXE_l2fwd"),
        "nictop" => env!("CARGO_BIN_EXE_nictop"),
        _ => panic!("no program {name}"),
    });
    command.env("XDG_RUNTIME_DIR", runtime);
    command
}

/// A program that runs until it is told to end.
struct Program {
    running: Running,
    /// Its control socket.
    path: PathBuf,
}

impl Program {
    /// l2fwd, after [`FRAMES`] frames have come in at its port 0 and gone out at its port 1. There a frame comes in now and then, so it goes on.
    fn start(runtime: &Path, arguments: &[&str]) -> Program {
        let mut command = command("l2fwd", runtime);
        command.args(["--port", &format!("sim:ixgbe,peer=gen,count={FRAMES}"), "--port", "sim:ixgbe,peer=gen,rate=10"]);
        let running = Running::start(command.args(arguments));
        let path = match arguments.iter().position(|argument| *argument == "--control") {
            Some(at) => PathBuf::from(arguments[at + 1]),
            None => runtime.join(format!("gannet/l2fwd-{}.sock", running.id())),
        };
        let program = Program { running, path };
        wait_until("all frames to have been forwarded and counted", || {
            let Ok(State { ports, cores, .. }) = client::state(&program.path, client::PATIENCE) else { return false };
            let ([from, to], [core]) = (&ports[..], &cores[..]) else { return false };
            let counted = [from.rx_queues[0].packets, to.tx_queues[0].packets, from.counted_by_card.rx_packets];
            counted == [FRAMES; 3] && core.packets >= 2 * FRAMES && core.idle_ns > 0
        });
        program
    }

    fn state(&self) -> State {
        client::state(&self.path, client::PATIENCE).expect("the program answers")
    }

    /// Where it serves metrics.
    fn metrics(&self) -> SocketAddr {
        self.state().metrics.expect("it serves metrics")
    }

    /// Ends it with a signal. Returns the exit status.
    fn end(self, signal: Signal) -> Option<i32> {
        self.running.signal(signal);
        self.running.end().status
    }
}

/// What the program answers to a line.
fn ask(path: &Path, line: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).expect("the control socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(line).expect("sending");
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).expect("an answer");
    answer
}

/// An answer to an HTTP request.
struct Response {
    head: String,
    body: String,
}

/// Sends a request such as "GET /metrics".
fn http(address: SocketAddr, request: &str) -> Response {
    let mut stream = TcpStream::connect(address).expect("the metrics' address");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(stream, "{request} HTTP/1.1\r\nHost: gannet\r\nConnection: close\r\n\r\n").expect("sending");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    Response { head: head.to_ascii_lowercase(), body: body.to_owned() }
}
