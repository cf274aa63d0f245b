//! Captures that tests play and record.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::{Block, PcapNgReader};

/// The frames of a capture, pcap if it is called so and pcapng otherwise.
#[track_caller]
pub fn frames(path: &Path) -> Vec<Vec<u8>> {
    let file = File::open(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let mut frames = Vec::new();
    if path.extension().is_some_and(|extension| extension == "pcap") {
        let mut reader = PcapReader::new(file).expect("a pcap header");
        while let Some(packet) = reader.next_packet() {
            frames.push(packet.expect("a whole record").data().to_vec());
        }
    } else {
        let mut reader = PcapNgReader::new(file).expect("a section header");
        while let Some(block) = reader.next_block() {
            if let Block::EnhancedPacket(packet) = block.expect("a whole block").0 {
                frames.push(packet.data.into_owned());
            }
        }
    }
    frames
}

/// Compares frames without printing them all.
#[track_caller]
pub fn assert_same<A: AsRef<[u8]>, B: AsRef<[u8]>>(are: &[A], expected: &[B]) {
    let differing = are.iter().zip(expected).position(|(one, other)| one.as_ref() != other.as_ref());
    assert_eq!((are.len(), differing), (expected.len(), None), "number of frames, first that differs");
}

/// Writes a pcap file of frames of these lengths, a gap after each. It is written by hand, so that it can have frames that no card takes.
pub fn write(path: &Path, lengths: &[u32], gap: Duration) {
    // Magic of microseconds, version 2.4, time zone, accuracy, snap length, Ethernet.
    let header = [0xA1B2_C3D4, 0x0004_0002, 0, 0, 262_144, 1];
    let mut bytes: Vec<u8> = header.iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
    for (number, &length) in (0..).zip(lengths) {
        let time = gap * number;
        let record = [time.as_secs() as u32, time.subsec_micros(), length, length];
        bytes.extend(record.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend((0..length).map(|at| (at ^ number) as u8));
    }
    fs::write(path, bytes).expect("the capture is written");
}
