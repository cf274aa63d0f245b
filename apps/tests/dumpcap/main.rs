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
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gannet::Direction;
use gannet_harness::{Outcome, Running, capture, data, program, wait_until};
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::blocks::interface_statistics::InterfaceStatisticsOption;
use pcap_file::pcapng::blocks::opt_common::{CommonOption, UnknownOption};
use pcap_file::pcapng::{Block, PcapNgReader};
use tempfile::TempDir;

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
    fn command(&self, path: &str) -> Command {
        let mut command = program(path);
        command.env("XDG_RUNTIME_DIR", self.0.path());
        command
    }

    fn dumpcap(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_dumpcap"));
        command.args(arguments);
        command
    }

    /// Runs dumpcap to its end.
    fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.dumpcap(arguments))
    }

    /// Begins to capture to `file`, and returns once the taps are attached: then the file has its head.
    fn capture(&self, file: &Path, arguments: &[&str]) -> Running {
        let mut command = self.dumpcap(&["--json", "-w"]);
        let mut running = Running::start(command.arg(file).args(arguments));
        wait_until("the head of the capture", || {
            fs::metadata(file).is_ok_and(|about| about.len() > 0) || running.has_ended()
        });
        running
    }
}

/// A capture, read by the library that wrote it.
#[derive(Debug, Default)]
struct Capture {
    packets: Vec<Captured>,
    interfaces: Vec<String>,
    /// Bits a second of each interface's link.
    speeds: Vec<u64>,
    /// Received and dropped, for each interface that has statistics.
    statistics: Vec<(u32, u64, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Captured {
    interface: u32,
    direction: Direction,
    queue: u32,
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
                Block::InterfaceDescription(about) => {
                    capture.interfaces.push(name(&about));
                    capture.speeds.extend(about.options.iter().find_map(|option| match option {
                        InterfaceDescriptionOption::IfSpeed(speed) => Some(*speed),
                        _ => None,
                    }));
                }
                Block::EnhancedPacket(packet) => {
                    let [EnhancedPacketOption::Flags(flags), EnhancedPacketOption::Common(queue)] = &packet.options[..]
                    else {
                        panic!("no direction or no queue in {:?}", packet.options);
                    };
                    let direction = match flags {
                        1 => Direction::Rx,
                        2 => Direction::Tx,
                        _ => panic!("no direction: {flags}"),
                    };
                    let CommonOption::Unknown(UnknownOption { code: 6, value }) = queue else {
                        panic!("no queue: {queue:?}");
                    };
                    capture.packets.push(Captured {
                        interface: packet.interface_id,
                        direction,
                        queue: u32::from_ne_bytes(value[..].try_into().expect("four bytes")),
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

/// The frames of tests/data/traffic.pcap, as long as frames on a wire are.
fn traffic() -> Vec<Vec<u8>> {
    let mut frames = capture::frames(&data("traffic.pcap"));
    frames.iter_mut().for_each(|frame| frame.resize(frame.len().max(60), 0));
    assert!(frames.len() > 100);
    frames
}
