//! Capture files of tests, and frames with wrong checksums to put into them.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use pcap_file::pcap::{PcapPacket, PcapReader, PcapWriter};

/// The frames of a pcap file.
///
/// # Errors
/// It cannot be read to its end.
pub fn read(path: &Path) -> Result<Vec<Vec<u8>>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let mut reader = PcapReader::new(file)?;
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet() {
        frames.push(packet?.into_data().into_owned());
    }
    Ok(frames)
}

/// Writes a pcap file with these frames, a microsecond apart.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, frames: &[Vec<u8>]) -> Result<()> {
    let file = File::create(path).with_context(|| path.display().to_string())?;
    let mut writer = PcapWriter::new(file)?;
    for (frame, number) in frames.iter().zip(0..) {
        let packet = PcapPacket::new(Duration::from_micros(number), frame.len() as u32, frame)?;
        writer.write_packet(&packet)?;
    }
    Ok(writer.flush()?)
}

/// Makes the checksums of a frame wrong: of its IPv4 header, and of TCP, UDP or ICMP unless it is a fragment. Returns how many it has.
pub fn damage_checksums(frame: &mut [u8]) -> usize {
    let fields: Vec<usize> = {
        let Ok(packet) = SlicedPacket::from_ethernet(frame) else { return 0 };
        let at = |header: &[u8]| header.as_ptr().addr() - frame.as_ptr().addr();
        let network = packet.net.as_ref().and_then(|net| match net {
            NetSlice::Ipv4(ip) => Some(at(ip.header().slice()) + 10),
            _ => None,
        });
        let transport = packet.transport.as_ref().and_then(|transport| match transport {
            TransportSlice::Tcp(tcp) => Some(at(tcp.slice()) + 16),
            TransportSlice::Udp(udp) => Some(at(udp.slice()) + 6),
            TransportSlice::Icmpv4(icmp) => Some(at(icmp.slice()) + 2),
            TransportSlice::Icmpv6(icmp) => Some(at(icmp.slice()) + 2),
            _ => None,
        });
        network.into_iter().chain(transport).collect()
    };
    for &field in &fields {
        // Never the other zero, and never "no checksum".
        frame[field] ^= 0x5a;
        frame[field + 1] |= 1;
    }
    fields.len()
}
