//! Writes pcapng: one file, the standard output, or a ring of files.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use gannet::Direction;
use gannet_apps::capture::CapturedPort;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::interface_statistics::{InterfaceStatisticsBlock, InterfaceStatisticsOption};
use pcap_file::pcapng::blocks::opt_common::{CommonOption, UnknownOption};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness};

use crate::cli::Arguments;
use crate::ordered::Packet;
use crate::report::PortCounts;

/// Bytes gathered before they are written.
const BUFFER: usize = 1 << 18;

/// Directions in the flags of a packet (pcapng, section 4.3.1).
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// The option `epb_queue` of a packet (pcapng, section 4.3), which the library does not know.
const QUEUE: u16 = 6;

/// Where a capture goes.
pub(crate) struct Output {
    target: PathBuf,
    /// Size at which the next file begins, and how many are kept.
    file_bytes: Option<u64>,
    keep: Option<u64>,
    head: Head,
    writer: Writer,
    /// Bytes in the file that is being written.
    bytes: u64,
    /// Files begun so far, and those of them that are there.
    begun: u64,
    files: VecDeque<PathBuf>,
}

type Writer = PcapNgWriter<BufWriter<Box<dyn Write>>>;

/// What every file begins with.
struct Head {
    ports: Vec<CapturedPort>,
    snaplen: u32,
    filter: Option<String>,
    started: Duration,
}

impl Output {
    /// Creates the first file, or erases what it holds.
    pub(crate) fn create(arguments: &Arguments, ports: Vec<CapturedPort>) -> anyhow::Result<Output> {
        let filter = arguments.filter.as_ref().map(|filter| filter.text().to_owned());
        let head = Head { ports, snaplen: arguments.snaplen, filter, started: now() };
        let target = arguments.write().to_owned();
        let file_bytes = arguments.file_size.map(|kib| kib << 10);
        let path = if file_bytes.is_some() { numbered(&target, 1) } else { target.clone() };
        let (writer, bytes) = head.begin(&path)?;
        let files = VecDeque::from([path]);
        Ok(Output { target, file_bytes, keep: arguments.files, head, writer, bytes, begun: 1, files })
    }

    /// Writes a packet, into the next file if this one is full. `counts` are those of the ports so far.
    pub(crate) fn write(&mut self, packet: &Packet<'_>, counts: &[PortCounts]) -> anyhow::Result<()> {
        if self.file_bytes.is_some_and(|most| self.bytes >= most) {
            self.next_file(counts)?;
        }
        let Some(interface) = self.head.ports.iter().position(|port| port.number == packet.place.port) else {
            return Ok(());
        };
        let flags = match packet.place.direction {
            Direction::Rx => INBOUND,
            Direction::Tx => OUTBOUND,
        };
        // In the order of bytes that the file has.
        let queue = u32::from(packet.place.queue).to_ne_bytes();
        let kept = packet.bytes.len().min(self.head.snaplen as usize);
        let block = EnhancedPacketBlock {
            interface_id: interface as u32,
            timestamp: Duration::from_nanos(packet.time),
            original_len: packet.length,
            data: Cow::Borrowed(&packet.bytes[..kept]),
            options: vec![
                EnhancedPacketOption::Flags(flags),
                EnhancedPacketOption::Common(CommonOption::Unknown(UnknownOption::new(QUEUE, &queue))),
            ],
        };
        self.bytes += self.writer.write_pcapng_block(block).with_context(|| self.writing())? as u64;
        Ok(())
    }

    /// Writes out what is gathered, for those who read along.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        self.writer.get_mut().flush().with_context(|| self.writing())
    }

    /// Ends the file that is being written.
    pub(crate) fn finish(&mut self, counts: &[PortCounts]) -> anyhow::Result<()> {
        let ended = now();
        for (interface, port) in (0..).zip(counts) {
            let options = vec![
                InterfaceStatisticsOption::IsbStartTime(self.head.started),
                InterfaceStatisticsOption::IsbEndTime(ended),
                InterfaceStatisticsOption::IsbIfRecv(port.seen + port.lost()),
                InterfaceStatisticsOption::IsbIfDrop(port.lost()),
                InterfaceStatisticsOption::IsbFilterAccept(port.seen - port.filtered),
                InterfaceStatisticsOption::IsbUsrDeliv(port.packets),
            ];
            let block = InterfaceStatisticsBlock { interface_id: interface, timestamp: ended, options };
            self.writer.write_pcapng_block(block).with_context(|| self.writing())?;
        }
        self.flush()
    }

    /// The files that are there, oldest first.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    fn next_file(&mut self, counts: &[PortCounts]) -> anyhow::Result<()> {
        self.finish(counts)?;
        self.begun += 1;
        let path = numbered(&self.target, self.begun);
        (self.writer, self.bytes) = self.head.begin(&path)?;
        self.files.push_back(path);
        while self.keep.is_some_and(|keep| self.files.len() as u64 > keep) {
            if let Some(oldest) = self.files.pop_front() {
                fs::remove_file(&oldest).with_context(|| format!("removing {}", oldest.display()))?;
            }
        }
        Ok(())
    }

    fn writing(&self) -> String {
        writing(self.files.back().unwrap_or(&self.target))
    }
}

impl Head {
    /// Begins a file: it is a capture from now on, if an empty one.
    fn begin(&self, path: &Path) -> anyhow::Result<(Writer, u64)> {
        let output: Box<dyn Write> = if path == "-" {
            Box::new(std::io::stdout())
        } else {
            Box::new(File::create(path).with_context(|| format!("creating {}", path.display()))?)
        };
        let program = concat!("Gannet dumpcap ", env!("CARGO_PKG_VERSION"));
        let options = vec![SectionHeaderOption::UserApplication(program.into())];
        // This machine's: programs that read along take no other.
        let endianness = Endianness::native();
        let section = SectionHeaderBlock { endianness, options, ..SectionHeaderBlock::default() };
        let output = BufWriter::with_capacity(BUFFER, output);
        let mut writer = PcapNgWriter::with_section_header(output, section).with_context(|| writing(path))?;
        let mut bytes = 0;
        for port in &self.ports {
            bytes += writer.write_pcapng_block(self.interface(port)).with_context(|| writing(path))? as u64;
        }
        writer.get_mut().flush().with_context(|| writing(path))?;
        Ok((writer, bytes))
    }

    fn interface<'a>(&'a self, port: &'a CapturedPort) -> InterfaceDescriptionBlock<'a> {
        let mut options = vec![
            InterfaceDescriptionOption::IfName(port.name.as_str().into()),
            InterfaceDescriptionOption::IfDescription(format!("port {}: {}", port.number, port.card).into()),
            InterfaceDescriptionOption::IfMacAddr(port.mac.as_slice().into()),
            InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO),
        ];
        let bits_per_second = port.link_mbps.map(|mbps| u64::from(mbps) * 1_000_000);
        options.extend(bits_per_second.map(InterfaceDescriptionOption::IfSpeed));
        // A leading zero: a filter in words (pcapng, section 4.2).
        let filter = self.filter.as_ref().map(|text| [&[0], text.as_bytes()].concat());
        options.extend(filter.map(|text| InterfaceDescriptionOption::IfFilter(text.into())));
        InterfaceDescriptionBlock { linktype: DataLink::ETHERNET, snaplen: self.snaplen, options }
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn writing(path: &Path) -> String {
    if path == "-" { "writing to the standard output".into() } else { format!("writing {}", path.display()) }
}

/// The file of this number: `out.pcapng` becomes `out_00001.pcapng`.
fn numbered(target: &Path, number: u64) -> PathBuf {
    let mut name = target.file_stem().unwrap_or_default().to_owned();
    name.push(format!("_{number:05}"));
    if let Some(extension) = target.extension() {
        name.push(".");
        name.push(extension);
    }
    target.with_file_name(name)
}

/// Whether somebody who reads along has stopped: no reason to complain.
pub(crate) fn is_closed_pipe(why: &anyhow::Error) -> bool {
    why.chain()
        .any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|why| why.kind() == ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_ring_are_numbered_before_their_extension() {
        for (target, name) in [("/a/out.pcapng", "/a/out_00007.pcapng"), ("out", "out_00007"), ("a.b/c", "a.b/c_00007")]
        {
            assert_eq!(numbered(Path::new(target), 7), Path::new(name));
        }
    }
}
