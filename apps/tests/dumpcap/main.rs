//! The program dumpcap from end to end: on a program in this process whose cards move when told, and on l2fwd.

#![forbid(unsafe_code)]

mod files;
mod guide;
mod host;
mod l2fwd;
mod packets;
mod refusals;
mod slow;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gannet::Direction;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::blocks::interface_statistics::InterfaceStatisticsOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use serde_json::Value;
use tempfile::TempDir;

/// Far more than anything takes, on any machine: what hangs fails its test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A place for files, and for the control sockets that dumpcap finds.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        fs::DirBuilder::new().mode(0o700).create(folder.path().join("gannet")).expect("a folder for sockets");
        Place(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A program that sees the sockets of this place only.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("XDG_RUNTIME_DIR", self.0.path()).stdin(Stdio::null());
        command
    }

    fn dumpcap(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_dumpcap"));
        command.args(arguments);
        command
    }

    /// Runs dumpcap to its end.
    fn run(&self, arguments: &[&str]) -> Outcome {
        Running::start(&mut self.dumpcap(arguments)).end()
    }

    /// Begins to capture to `file`, and returns once the taps are attached: then the file has its head.
    fn capture(&self, file: &Path, arguments: &[&str]) -> Running {
        let mut command = self.dumpcap(&["--json", "-w"]);
        let mut running = Running::start(command.arg(file).args(arguments));
        wait_for("the head of the capture", || {
            let written = fs::metadata(file).is_ok_and(|about| about.len() > 0);
            written || running.child.try_wait().expect("a child can be waited for").is_some()
        });
        running
    }
}

/// A program that runs. Killed when dropped.
struct Running {
    child: Child,
}

/// What has become of a run.
#[derive(Debug)]
struct Outcome {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Running {
    fn start(command: &mut Command) -> Running {
        Running { child: command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts") }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("the program runs");
    }

    /// Waits for the end. A panic fails the test, whatever the exit status.
    fn end(mut self) -> Outcome {
        let mut status = None;
        wait_for("the program's end", || {
            status = self.child.try_wait().expect("a child can be waited for");
            status.is_some()
        });
        // It prints little: all of it is in the pipes.
        let mut outcome = Outcome {
            status: status.and_then(|status| status.code()),
            stdout: text(self.child.stdout.take()),
            stderr: text(self.child.stderr.take()),
        };
        outcome.stderr = outcome.stderr.replace('\r', "");
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        outcome
    }

    /// Waits for the end, and checks the exit status. Returns the report.
    #[track_caller]
    fn report(self, status: i32) -> Value {
        let outcome = self.end();
        assert_eq!(outcome.status, Some(status), "{outcome:?}");
        let report = if outcome.stdout.is_empty() { &outcome.stderr } else { &outcome.stdout };
        serde_json::from_str(report).unwrap_or_else(|why| panic!("{why}: {outcome:?}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, or its test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(pipe: Option<impl Read>) -> String {
    let mut text = String::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_string(&mut text).expect("output is UTF-8");
    }
    text
}

/// Waits until something is true.
#[track_caller]
fn wait_for(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A capture, read by the library that wrote it.
#[derive(Debug, Default)]
struct Capture {
    packets: Vec<Captured>,
    interfaces: Vec<String>,
    /// Received and dropped, for each interface that has statistics.
    statistics: Vec<(u32, u64, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Captured {
    interface: u32,
    direction: Direction,
    time: Duration,
    length: u32,
    bytes: Vec<u8>,
}

impl Capture {
    #[track_caller]
    fn read(path: &Path) -> Capture {
        Capture::of(File::open(path).unwrap_or_else(|why| panic!("{}: {why}", path.display())))
    }

    #[track_caller]
    fn of(file: impl Read) -> Capture {
        let mut reader = PcapNgReader::new(file).expect("a section header");
        let mut capture = Capture::default();
        while let Some(block) = reader.next_block() {
            match block.expect("a whole block").0 {
                Block::InterfaceDescription(about) => capture.interfaces.push(name(&about)),
                Block::EnhancedPacket(packet) => {
                    let direction = match packet.options[..] {
                        [EnhancedPacketOption::Flags(1)] => Direction::Rx,
                        [EnhancedPacketOption::Flags(2)] => Direction::Tx,
                        _ => panic!("no direction in {:?}", packet.options),
                    };
                    capture.packets.push(Captured {
                        interface: packet.interface_id,
                        direction,
                        time: packet.timestamp,
                        length: packet.original_len,
                        bytes: packet.data.into_owned(),
                    });
                }
                Block::InterfaceStatistics(block) => {
                    let find = |wanted: fn(&InterfaceStatisticsOption<'_>) -> Option<u64>| {
                        block.options.iter().find_map(wanted).expect("a count")
                    };
                    let received = find(|option| match option {
                        InterfaceStatisticsOption::IsbIfRecv(count) => Some(*count),
                        _ => None,
                    });
                    let dropped = find(|option| match option {
                        InterfaceStatisticsOption::IsbIfDrop(count) => Some(*count),
                        _ => None,
                    });
                    capture.statistics.push((block.interface_id, received, dropped));
                }
                other => panic!("unexpected: {other:?}"),
            }
        }
        capture
    }

    /// The bytes of the packets that an interface received or sent.
    fn bytes(&self, interface: u32, direction: Direction) -> Vec<&[u8]> {
        let here = |packet: &&Captured| packet.interface == interface && packet.direction == direction;
        self.packets.iter().filter(here).map(|packet| &packet.bytes[..]).collect()
    }
}

fn name(about: &InterfaceDescriptionBlock<'_>) -> String {
    let name = about.options.iter().find_map(|option| match option {
        InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
        _ => None,
    });
    name.expect("an interface has a name")
}

/// Compares without printing everything.
#[track_caller]
fn assert_same<A: AsRef<[u8]>, B: AsRef<[u8]>>(is: &[A], expected: &[B]) {
    let differing = is.iter().zip(expected).position(|(a, b)| a.as_ref() != b.as_ref());
    assert_eq!((is.len(), differing), (expected.len(), None), "number of frames, first that differs");
}

/// The frames of tests/data/traffic.pcap, as long as frames on a wire are.
fn traffic() -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/traffic.pcap");
    let mut reader = PcapReader::new(File::open(path).expect("the capture")).expect("a pcap header");
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let mut frame = packet.expect("a whole record").data().to_vec();
        frame.resize(frame.len().max(60), 0);
        frames.push(frame);
    }
    assert!(frames.len() > 100);
    frames
}

/// Whether a program is missing. Says so past the test harness, which keeps what passing tests print.
fn lacks(program: &str) -> bool {
    let lacks = Command::new(program).arg("--version").output().is_err();
    if lacks {
        skip(&format!("{program} is not installed"));
    }
    lacks
}

/// Says why a test, or a part of it, is skipped.
fn skip(reason: &str) {
    // Nobody may listen.
    let _ = writeln!(std::io::stderr(), "skipped {}: {reason}", std::thread::current().name().unwrap_or_default());
}
