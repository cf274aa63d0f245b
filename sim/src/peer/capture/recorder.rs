//! Writes frames to a capture file with the time of the card's clock, in nanoseconds from its zero.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapTsResolution, PcapWriter, RawPcapPacket};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};

use super::super::Error;
use super::super::error::chain;

/// Frames between two flushes. When the disk is full this many at most are lost without having been refused one by one.
const FLUSH_EVERY: u64 = 256;
const BUFFER: usize = 1 << 18;

type Output = BufWriter<File>;

/// A capture being written.
#[derive(Debug)]
pub(super) struct Recorder {
    path: PathBuf,
    /// `None` once it is closed, or an error has made the rest of the file useless.
    writer: Option<Writer>,
    /// Frames since the last flush.
    unflushed: u64,
}

enum Writer {
    Pcap(PcapWriter<Output>),
    PcapNg(PcapNgWriter<Output>),
}

impl Recorder {
    /// Creates the file, or erases what it holds, and writes its header.
    pub(super) fn create(path: PathBuf) -> Result<Self, Error> {
        let file = File::create(&path).map_err(|source| Error::Create { path: path.clone(), source })?;
        let output = BufWriter::with_capacity(BUFFER, file);
        let writer = Writer::new(&path, output).map_err(|why| Error::Record { path: path.clone(), lost: 0, why })?;
        Ok(Self { path, writer: Some(writer), unflushed: 0 })
    }

    pub(super) fn is_open(&self) -> bool {
        self.writer.is_some()
    }

    /// Writes a frame. After an error the file is closed.
    pub(super) fn record(&mut self, frame: &[u8], now: u64) -> Result<(), Error> {
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        self.unflushed += 1;
        let mut result = writer.write(frame, now);
        if result.is_ok() && self.unflushed >= FLUSH_EVERY {
            result = writer.flush();
            self.unflushed = if result.is_ok() { 0 } else { self.unflushed };
        }
        result.map_err(|why| self.fail(why))
    }

    /// Writes out what is buffered and closes the file.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        match self.writer.as_mut().map_or(Ok(()), Writer::flush) {
            Ok(()) => {
                self.writer = None;
                Ok(())
            }
            Err(why) => Err(self.fail(why)),
        }
    }

    fn fail(&mut self, why: String) -> Error {
        self.writer = None;
        Error::Record { path: self.path.clone(), lost: self.unflushed, why }
    }
}

impl Writer {
    fn new(path: &Path, output: Output) -> Result<Self, String> {
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("pcap")) {
            let header = PcapHeader { ts_resolution: PcapTsResolution::NanoSecond, ..PcapHeader::default() };
            return PcapWriter::with_header(output, header).map(Self::Pcap).map_err(|error| chain(&error));
        }
        let interface = InterfaceDescriptionBlock {
            linktype: DataLink::ETHERNET,
            snaplen: 0,
            options: vec![InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO)],
        };
        let mut writer = PcapNgWriter::new(output).map_err(|error| chain(&error))?;
        writer.write_pcapng_block(interface).map_err(|error| chain(&error))?;
        Ok(Self::PcapNg(writer))
    }

    fn write(&mut self, frame: &[u8], now: u64) -> Result<(), String> {
        let length = u32::try_from(frame.len()).map_err(|error| error.to_string())?;
        match self {
            Self::Pcap(writer) => {
                let packet = RawPcapPacket {
                    // The format has 32 bits of seconds: 136 years of the card's clock.
                    ts_sec: u32::try_from(now / 1_000_000_000).unwrap_or(u32::MAX),
                    ts_frac: (now % 1_000_000_000) as u32,
                    incl_len: length,
                    orig_len: length,
                    data: frame.into(),
                };
                writer.write_raw_packet(&packet).map(drop).map_err(|error| chain(&error))
            }
            Self::PcapNg(writer) => {
                let packet = EnhancedPacketBlock {
                    interface_id: 0,
                    timestamp: Duration::from_nanos(now),
                    original_len: length,
                    data: frame.into(),
                    options: Vec::new(),
                };
                writer.write_pcapng_block(packet).map(drop).map_err(|error| chain(&error))
            }
        }
    }

    fn flush(&mut self) -> Result<(), String> {
        match self {
            Self::Pcap(writer) => writer.flush().map_err(|error| chain(&error)),
            Self::PcapNg(writer) => writer.get_mut().flush().map_err(|error| error.to_string()),
        }
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pcap(_) => "Pcap",
            Self::PcapNg(_) => "PcapNg",
        })
    }
}
