//! Reads the frames of a capture one after the other, one ahead.
//!
//! The reader of pcap-file keeps a buffer of fixed size and looks at records as they are in the file; what they claim is checked
//! here. A record larger than the buffer cannot be read and counts as damage: no real record is.

use std::fs::File;
use std::io::{self, Chain, Cursor, Read};
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pcap_file::DataLink;
use pcap_file::pcap::{PcapReadError, PcapReader, PcapTsResolution};
use pcap_file::pcapng::blocks::{ENHANCED_PACKET_BLOCK, PACKET_BLOCK, SIMPLE_PACKET_BLOCK};
use pcap_file::pcapng::{Block, PcapNgReadError, PcapNgReader, PcapNgState};

use super::super::error::chain;
use super::super::{Error, MAX_FRAME, MIN_FRAME, add, pad};
use super::CaptureStatus;

/// Larger than any record of a packet: tcpdump's limit is 256 KiB.
const BUFFER: usize = 1 << 20;

/// The file, with its first four bytes put back after they were looked at. (No seeking: a pipe can be played.)
type Input = Chain<Cursor<Vec<u8>>, File>;

/// A frame and when it was captured, in nanoseconds.
#[derive(Debug, Default)]
pub struct Frame {
    /// The frame, without FCS.
    pub bytes: Vec<u8>,
    /// Nanoseconds since 1970.
    pub captured: u64,
}

/// A capture being read.
#[derive(Debug)]
pub struct Player {
    file: Reader,
    /// The next frame, unless the capture is at its end.
    next: Option<Frame>,
    status: Arc<CaptureStatus>,
}

impl Player {
    /// Opens the capture and reads its first frame.
    pub fn open(path: PathBuf, status: Arc<CaptureStatus>) -> Result<Self, Error> {
        let file = Reader::open(path)?;
        let mut player = Self { file, next: None, status };
        player.next = player.read(Frame::default())?;
        Ok(player)
    }

    /// The next frame.
    pub fn frame(&self) -> Option<&Frame> {
        self.next.as_ref()
    }

    /// Takes the next frame and reads the one after it. An error is remembered and ends the capture.
    pub fn take(&mut self, bytes: &mut Vec<u8>) {
        let Some(mut taken) = self.next.take() else {
            return;
        };
        mem::swap(bytes, &mut taken.bytes);
        match self.read(taken) {
            Ok(next) => self.next = next,
            Err(error) => self.status.set_error(&error),
        }
    }

    /// Reads up to the next record that can be played, into a frame whose buffer is used again.
    fn read(&mut self, mut frame: Frame) -> Result<Option<Frame>, Error> {
        while let Some(length) = self.file.read(&mut frame)? {
            if frame.bytes.is_empty() || length.kept > MAX_FRAME {
                add(&self.status.skipped, 1);
                continue;
            }
            if length.original > length.kept {
                add(&self.status.cut, 1);
            }
            if length.kept < MIN_FRAME {
                add(&self.status.padded, 1);
                pad(&mut frame.bytes);
            }
            return Ok(Some(frame));
        }
        Ok(None)
    }
}

/// Lengths of a record: in the file and when it was a frame.
#[derive(Debug, Clone, Copy)]
struct Length {
    kept: usize,
    original: usize,
}

#[derive(Debug)]
struct Reader {
    path: PathBuf,
    /// Frames read so far.
    frames: u64,
    format: Format,
}

#[derive(Debug)]
enum Format {
    Pcap(PcapReader<Input>),
    PcapNg(PcapNgReader<Input>),
}

impl Reader {
    fn open(path: PathBuf) -> Result<Self, Error> {
        let read = |source| Error::Read { path: path.clone(), source };
        let mut file = File::open(&path).map_err(read)?;
        let mut magic = Vec::new();
        file.by_ref().take(4).read_to_end(&mut magic).map_err(read)?;
        let kind = kind(&magic);
        let input = Cursor::new(magic).chain(file);
        let not_a_capture = |error: &dyn std::error::Error| {
            let why = format!("its header is bad ({}); capture it again", chain(error));
            Error::NotACapture { path: path.clone(), why }
        };
        let format = match kind {
            Kind::Pcap => {
                let reader = PcapReader::with_capacity(input, BUFFER).map_err(|error| not_a_capture(&error))?;
                ethernet(reader.header().datalink).map_err(|name| link_type(&path, name))?;
                Format::Pcap(reader)
            }
            Kind::PcapNg => {
                Format::PcapNg(PcapNgReader::with_capacity(input, BUFFER).map_err(|error| not_a_capture(&error))?)
            }
            Kind::Other(why) => return Err(Error::NotACapture { path, why }),
        };
        Ok(Self { path, frames: 0, format })
    }

    /// Reads the next record of a frame, however long. `None` at the end of the file.
    fn read(&mut self, frame: &mut Frame) -> Result<Option<Length>, Error> {
        let result = match &mut self.format {
            Format::Pcap(reader) => read_pcap(reader, frame),
            Format::PcapNg(reader) => read_pcapng(reader, frame),
        };
        match result {
            Ok(length) => {
                self.frames += u64::from(length.is_some());
                Ok(length)
            }
            Err(Trouble::LinkType(name)) => Err(link_type(&self.path, name)),
            Err(Trouble::Io(source)) if source.kind() != io::ErrorKind::UnexpectedEof => {
                Err(Error::Read { path: self.path.clone(), source })
            }
            Err(Trouble::Io(_)) => Err(self.damaged("the next record is not complete".into())),
            Err(Trouble::Record(why)) => Err(self.damaged(why)),
        }
    }

    fn damaged(&self, why: String) -> Error {
        Error::Damaged { path: self.path.clone(), frames: self.frames, why }
    }
}

/// Why the next record cannot be read.
enum Trouble {
    Io(io::Error),
    Record(String),
    LinkType(String),
}

fn read_pcap(reader: &mut PcapReader<Input>, frame: &mut Frame) -> Result<Option<Length>, Trouble> {
    let nanos_per_tick = match reader.header().ts_resolution {
        PcapTsResolution::MicroSecond => 1000,
        PcapTsResolution::NanoSecond => 1,
    };
    // Raw: a record longer than the file's snap length is odd but no reason to stop.
    let Some(record) = reader.next_raw_packet() else {
        return Ok(None);
    };
    let record = record.map_err(|error| match error {
        PcapReadError::Io(source) => Trouble::Io(source),
        other => Trouble::Record(chain(&other)),
    })?;
    let captured = u64::from(record.ts_sec) * 1_000_000_000 + u64::from(record.ts_frac) * nanos_per_tick;
    Ok(Some(fill(frame, &record.data, record.orig_len, captured)))
}

fn read_pcapng(reader: &mut PcapNgReader<Input>, frame: &mut Frame) -> Result<Option<Length>, Trouble> {
    while let Some(block) = reader.next_raw_block() {
        let (block, state) = block.map_err(|error| match error {
            PcapNgReadError::Io(source) => Trouble::Io(source),
            other => Trouble::Record(chain(&other)),
        })?;
        // Only what is needed is looked into: a bad comment in another block is no reason to stop.
        if !matches!(block.type_, ENHANCED_PACKET_BLOCK | SIMPLE_PACKET_BLOCK | PACKET_BLOCK) {
            continue;
        }
        let (interface, length) = match block.try_into_block(state).map_err(|error| Trouble::Record(chain(&error)))? {
            Block::EnhancedPacket(packet) => {
                (packet.interface_id, fill(frame, &packet.data, packet.original_len, nanos(packet.timestamp)))
            }
            Block::Packet(packet) => {
                (packet.interface_id.into(), fill(frame, &packet.data, packet.original_len, nanos(packet.timestamp)))
            }
            // It has no time: due when the frame before it was.
            Block::SimplePacket(packet) => {
                let captured = frame.captured;
                (0, fill(frame, &packet.data, packet.original_len, captured))
            }
            _ => continue,
        };
        check_interface(state, interface)?;
        return Ok(Some(length));
    }
    Ok(None)
}

/// A capture may hold several interfaces; each packet says from which it is.
fn check_interface(state: &PcapNgState, interface: u32) -> Result<(), Trouble> {
    let Some(description) = state.interfaces().get(interface as usize) else {
        return Err(Trouble::Record(format!("a packet names interface {interface}, which is not described")));
    };
    ethernet(description.linktype).map_err(Trouble::LinkType)
}

fn fill(frame: &mut Frame, data: &[u8], original: u32, captured: u64) -> Length {
    frame.bytes.clear();
    frame.bytes.extend_from_slice(data);
    frame.captured = captured;
    Length { kept: data.len(), original: original as usize }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn ethernet(link: DataLink) -> Result<(), String> {
    match link {
        DataLink::ETHERNET => Ok(()),
        DataLink::Unknown(number) => Err(format!("{number:#x}")),
        other => Err(format!("{other:?}")),
    }
}

fn link_type(path: &std::path::Path, link_type: String) -> Error {
    Error::LinkType { path: path.into(), link_type }
}

/// What a file is by its first bytes.
enum Kind {
    Pcap,
    PcapNg,
    Other(String),
}

fn kind(magic: &[u8]) -> Kind {
    let compressed = |tool: &str| Kind::Other(format!("it is compressed; unpack it with {tool} first"));
    match *magic {
        [0xA1, 0xB2, 0xC3, 0xD4] | [0xD4, 0xC3, 0xB2, 0xA1] => Kind::Pcap,
        [0xA1, 0xB2, 0x3C, 0x4D] | [0x4D, 0x3C, 0xB2, 0xA1] => Kind::Pcap,
        [0x0A, 0x0D, 0x0D, 0x0A] => Kind::PcapNg,
        [0x1F, 0x8B, ..] => compressed("gunzip"),
        [0x28, 0xB5, 0x2F, 0xFD] => compressed("unzstd"),
        [0xFD, b'7', b'z', b'X'] => compressed("unxz"),
        [] => Kind::Other("it is empty".into()),
        _ => Kind::Other(format!("it begins with {magic:02x?}; convert it with `editcap -F pcapng IN OUT`")),
    }
}
