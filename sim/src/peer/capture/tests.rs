//! Files in every dialect are played, bad files are refused or played up to the damage, recordings read back byte for byte.

use std::fs;
use std::path::Path;

use pcap_file::pcap::{PcapHeader, PcapTsResolution, PcapWriter, RawPcapPacket};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;
use pcap_file::pcapng::blocks::simple_packet::SimplePacketBlock;
use pcap_file::{DataLink, Endianness};
use proptest::prelude::*;
use tempfile::TempDir;

use super::super::{MAX_FRAME, MIN_FRAME};
use super::*;

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn frames() -> Vec<Vec<u8>> {
    [60, 61, 64, 1514, 9000, MAX_FRAME].iter().enumerate().map(|(i, &length)| vec![i as u8 + 1; length]).collect()
}

/// A pcap in memory; each frame 1 ms after the one before, from second 1.
fn pcap(header: PcapHeader, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    let per_ms = if header.ts_resolution == PcapTsResolution::NanoSecond { 1_000_000 } else { 1000 };
    for (i, frame) in frames.iter().enumerate() {
        let length = frame.len() as u32;
        let record = RawPcapPacket {
            ts_sec: 1,
            ts_frac: i as u32 * per_ms,
            incl_len: length,
            orig_len: length,
            data: frame.into(),
        };
        writer.write_raw_packet(&record).unwrap();
    }
    writer.into_inner()
}

fn pcapng(endianness: Endianness, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = PcapNgWriter::with_endianness(Vec::new(), endianness).unwrap();
    writer.write_pcapng_block(InterfaceDescriptionBlock::new(DataLink::ETHERNET, 0)).unwrap();
    for (i, frame) in frames.iter().enumerate() {
        let timestamp = std::time::Duration::from_millis(1000 + i as u64);
        let (data, original_len) = (frame.into(), frame.len() as u32);
        let packet = EnhancedPacketBlock { interface_id: 0, timestamp, original_len, data, options: vec![] };
        writer.write_pcapng_block(packet).unwrap();
    }
    writer.into_inner()
}

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn open(path: &Path) -> (Capture, Arc<PeerStats>) {
    Capture::new(&CaptureOptions::play(path)).unwrap()
}

/// Everything the capture has to offer now.
fn drain(capture: &mut Capture, now: u64) -> Vec<Vec<u8>> {
    let (mut all, mut frame) = (Vec::new(), Vec::new());
    while capture.offer(&mut frame, now) == Offered::Frame {
        all.push(frame.clone());
    }
    assert!(frame.is_empty());
    all
}

fn refusal(path: &Path) -> String {
    Capture::new(&CaptureOptions::play(path)).unwrap_err().to_string()
}

#[test]
fn every_dialect_is_played_byte_for_byte() {
    let files = Files::new();
    let mut dialects = Vec::new();
    for endianness in [Endianness::Big, Endianness::Little] {
        dialects.push(pcapng(endianness, &frames()));
        for ts_resolution in [PcapTsResolution::MicroSecond, PcapTsResolution::NanoSecond] {
            dialects.push(pcap(PcapHeader { endianness, ts_resolution, ..PcapHeader::default() }, &frames()));
        }
    }
    for bytes in dialects {
        // The name says nothing: the first bytes do.
        let (mut capture, stats) = open(&files.write("capture.bin", &bytes));
        assert_eq!(capture.pacing(), Pacing::OnDemand);
        assert!(!stats.finished.load(Ordering::Relaxed));
        assert_eq!(drain(&mut capture, 0), frames());
        assert_eq!(load(&stats.offered), frames().len() as u64);
        assert!(stats.finished.load(Ordering::Relaxed));
        assert_eq!(capture.status().error(), None);
    }
}

#[test]
fn what_is_recorded_reads_back_byte_for_byte_with_its_times() {
    let files = Files::new();
    for name in ["out.pcap", "out.pcapng", "out"] {
        let path = files.path(name);
        let (mut recorder, stats) = Capture::new(&CaptureOptions::record(&path)).unwrap();
        assert!(stats.finished.load(Ordering::Relaxed), "it has nothing to offer");
        for (i, frame) in frames().iter().enumerate() {
            assert_eq!(recorder.accept(frame, 5_000_000_001 + 7 * i as u64), Accepted::Taken);
        }
        recorder.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap()[0] == 0x0A, name != "out.pcap");

        let timing = Timing::Original { speed: 1.0 };
        let (mut player, _) = Capture::new(&CaptureOptions { timing, ..CaptureOptions::play(&path) }).unwrap();
        for (i, frame) in frames().iter().enumerate() {
            assert_eq!(player.player.as_ref().unwrap().frame().unwrap().captured, 5_000_000_001 + 7 * i as u64);
            assert_eq!(drain(&mut player, 7 * i as u64), std::slice::from_ref(frame));
        }
    }
}

#[test]
fn dropping_the_peer_writes_out_what_it_holds() {
    let files = Files::new();
    let path = files.path("out.pcapng");
    let (mut recorder, _) = Capture::new(&CaptureOptions::record(&path)).unwrap();
    recorder.accept(&[7; 60], 1);
    drop(recorder);
    assert_eq!(drain(&mut open(&path).0, 0), [vec![7; 60]]);
}

#[test]
fn one_peer_plays_and_records_at_once() {
    let files = Files::new();
    let play = files.write("in.pcapng", &pcapng(Endianness::Little, &frames()));
    let options = CaptureOptions { record: Some(files.path("out.pcap")), ..CaptureOptions::play(play) };
    let (mut capture, stats) = Capture::new(&options).unwrap();
    for frame in drain(&mut capture, 0) {
        capture.accept(&frame, 0);
    }
    drop(capture);
    assert_eq!(load(&stats.accepted), frames().len() as u64);
    assert_eq!(drain(&mut open(&files.path("out.pcap")).0, 0), frames());
}

#[test]
fn original_timing_keeps_and_scales_the_gaps() {
    let files = Files::new();
    let frames = &frames()[..4];
    let path = files.write("in.pcap", &pcap(PcapHeader::default(), frames));
    for (speed, gap) in [(1.0, 1_000_000), (2.0, 500_000), (0.5, 2_000_000)] {
        let options = CaptureOptions { timing: Timing::Original { speed }, ..CaptureOptions::play(&path) };
        let (mut capture, _) = Capture::new(&options).unwrap();
        assert_eq!(capture.pacing(), Pacing::Timed);
        let start = 77;
        assert_eq!(drain(&mut capture, start), frames[..1]);
        assert_eq!(drain(&mut capture, start + gap - 1), [] as [Vec<u8>; 0]);
        assert_eq!(drain(&mut capture, start + gap), frames[1..2]);
        assert_eq!(drain(&mut capture, start + 10 * gap), frames[2..]);
    }
    for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let options = CaptureOptions { timing: Timing::Original { speed }, ..CaptureOptions::play(&path) };
        assert!(Capture::new(&options).unwrap_err().to_string().contains("needs a number above 0"));
    }
}

#[test]
fn a_capture_without_frames_is_finished_at_once() {
    let files = Files::new();
    for bytes in [pcap(PcapHeader::default(), &[]), pcapng(Endianness::Big, &[])] {
        let (mut capture, stats) = open(&files.write("none", &bytes));
        assert!(stats.finished.load(Ordering::Relaxed));
        assert_eq!(drain(&mut capture, 0).len(), 0);
    }
}

#[test]
fn files_that_are_no_captures_are_refused_with_the_remedy() {
    let files = Files::new();
    let missing = refusal(&files.path("missing.pcap"));
    assert!(missing.contains("missing.pcap") && missing.contains("No such file") && missing.contains("check the path"));
    assert!(refusal(files.0.path()).contains("directory"));
    assert!(refusal(&files.write("empty", b"")).contains("it is empty"));
    assert!(refusal(&files.write("short", b"\xA1")).contains("editcap"));
    assert!(refusal(&files.write("text", b"hello, this is text")).contains("begins with [68, 65, 6c, 6c]"));
    assert!(refusal(&files.write("zip", b"\x1F\x8B\x08\0aaaa")).contains("gunzip"));
    for bytes in [pcap(PcapHeader::default(), &[]), pcapng(Endianness::Little, &[])] {
        let cut_header = refusal(&files.write("header", &bytes[..20]));
        assert!(cut_header.contains("its header is bad"), "{cut_header}");
    }
}

#[test]
fn frames_before_a_cut_are_played_then_the_error_is_told() {
    let files = Files::new();
    let whole = &frames()[..3];
    for bytes in [pcap(PcapHeader::default(), whole), pcapng(Endianness::Big, whole)] {
        for missing in [1, 30, 60] {
            let (mut capture, stats) = open(&files.write("cut", &bytes[..bytes.len() - missing]));
            let status = capture.status();
            assert_eq!(drain(&mut capture, 0), whole[..2]);
            let error = status.error().expect("the cut is an error");
            assert!(error.contains("after 2 frames") && error.contains("capture the rest again"), "{error}");
            assert!(stats.finished.load(Ordering::Relaxed));
        }
    }
}

#[test]
fn other_link_types_are_refused_by_name() {
    let files = Files::new();
    let header = PcapHeader { datalink: DataLink::LINUX_SLL, ..PcapHeader::default() };
    let message = refusal(&files.write("any.pcap", &pcap(header, &frames())));
    assert!(message.contains("LINUX_SLL") && message.contains("capture on an Ethernet interface"), "{message}");

    let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
    writer.write_pcapng_block(InterfaceDescriptionBlock::new(DataLink::IEEE802_11, 0)).unwrap();
    let (data, original_len) = (vec![0; 60].into(), 60);
    writer.write_pcapng_block(EnhancedPacketBlock { original_len, data, ..Default::default() }).unwrap();
    assert!(refusal(&files.write("wlan.pcapng", &writer.into_inner())).contains("IEEE802_11"));
}

#[test]
fn records_that_no_wire_carries_are_skipped_filled_up_and_counted() {
    let files = Files::new();
    let header = PcapHeader { snaplen: 262_144, ..PcapHeader::default() };
    let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    let record = |length: usize, orig_len: u32| RawPcapPacket {
        ts_sec: 0,
        ts_frac: 0,
        incl_len: length as u32,
        orig_len,
        data: vec![1; length].into(),
    };
    for (length, original) in
        [(MAX_FRAME + 1, MAX_FRAME + 1), (42, 42), (0, 0), (96, 1514), (262_144, 262_144), (60, 60)]
    {
        writer.write_raw_packet(&record(length, original as u32)).unwrap();
    }
    let (mut capture, stats) = open(&files.write("odd.pcap", &writer.into_inner()));
    let status = capture.status();
    let mut padded = vec![1; 42];
    padded.resize(MIN_FRAME, 0);
    assert_eq!(drain(&mut capture, 0), [padded, vec![1; 96], vec![1; 60]]);
    assert_eq!((load(&status.skipped), load(&status.cut), load(&status.padded)), (3, 1, 1));
    assert_eq!((load(&stats.offered), status.error()), (3, None));
}

#[test]
fn simple_packets_and_several_interfaces_are_understood() {
    let files = Files::new();
    let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
    writer.write_pcapng_block(InterfaceDescriptionBlock::new(DataLink::ETHERNET, 80)).unwrap();
    writer.write_pcapng_block(InterfaceDescriptionBlock::new(DataLink::ETHERNET, 0)).unwrap();
    writer.write_pcapng_block(SimplePacketBlock { original_len: 100, data: vec![1; 80].into() }).unwrap();
    let (data, original_len) = (vec![2; 70].into(), 70);
    writer
        .write_pcapng_block(EnhancedPacketBlock { interface_id: 1, original_len, data, ..Default::default() })
        .unwrap();
    let (mut capture, _) = open(&files.write("two.pcapng", &writer.into_inner()));
    assert_eq!(drain(&mut capture, 0), [vec![1; 80], vec![2; 70]]);
    assert_eq!(load(&capture.status().cut), 1);
}

#[test]
fn recording_over_the_file_that_is_played_is_refused_and_leaves_it_alone() {
    let files = Files::new();
    let path = files.write("same.pcap", &pcap(PcapHeader::default(), &frames()));
    let before = fs::read(&path).unwrap();
    let other_name = path.parent().unwrap().join(".").join("same.pcap");
    let options = CaptureOptions { record: Some(other_name), ..CaptureOptions::play(&path) };
    assert!(Capture::new(&options).unwrap_err().to_string().contains("give another file"));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn nothing_to_do_and_nowhere_to_write_are_refused() {
    let none = CaptureOptions { play: None, record: None, timing: Timing::OnDemand };
    assert!(Capture::new(&none).unwrap_err().to_string().contains("needs a file"));
    let nowhere = Capture::new(&CaptureOptions::record("/no/such/folder/out.pcap")).unwrap_err().to_string();
    assert!(nowhere.contains("check that its folder exists"), "{nowhere}");
}

#[test]
fn a_full_disk_is_told_and_every_frame_after_it_is_counted_as_dropped() {
    if !Path::new("/dev/full").exists() {
        return gannet_harness::skip("this host has no /dev/full");
    }
    const FRAMES: u64 = 1000;
    let (mut capture, stats) = Capture::new(&CaptureOptions::record("/dev/full")).unwrap();
    for now in 0..FRAMES {
        assert_eq!(capture.accept(&[1; 60], now), Accepted::Taken);
    }
    assert_eq!((load(&stats.accepted), load(&stats.dropped)), (FRAMES, FRAMES));
    let error = capture.status().error().expect("the disk is full");
    assert!(error.contains("No space left") && error.contains("make room"), "{error}");
    // Told once: the rest of the recording is over.
    capture.finish().unwrap();

    let (mut capture, stats) = Capture::new(&CaptureOptions::record("/dev/full")).unwrap();
    capture.accept(&[1; 60], 0);
    assert!(capture.finish().is_err());
    assert_eq!(load(&stats.dropped), 1);
}

#[test]
fn after_stop_nothing_is_played() {
    let files = Files::new();
    let (mut capture, stats) = open(&files.write("in", &pcap(PcapHeader::default(), &frames())));
    stats.stop.store(true, Ordering::Relaxed);
    assert_eq!(drain(&mut capture, 0).len(), 0);
    assert!(!stats.finished.load(Ordering::Relaxed));
}

proptest! {
    #[test]
    fn damaged_files_neither_panic_nor_hang(
        ng: bool, big: bool, damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut: prop::sample::Index,
    ) {
        let files = Files::new();
        let endianness = if big { Endianness::Big } else { Endianness::Little };
        let whole = vec![vec![1; 60], vec![2; 90], vec![3; 61]];
        let mut bytes = if ng {
            pcapng(endianness, &whole)
        } else {
            pcap(PcapHeader { endianness, ..PcapHeader::default() }, &whole)
        };
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Ok((mut capture, _)) = Capture::new(&CaptureOptions::play(files.write("bad", &bytes))) {
            drain(&mut capture, 0);
        }
    }
}
