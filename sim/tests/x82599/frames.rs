//! Frames to send and receive.

pub(crate) const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
pub(crate) const OTHER: [u8; 6] = [0x02, 0, 0, 0, 0, 2];
pub(crate) const BROADCAST: [u8; 6] = [0xFF; 6];
pub(crate) const MULTICAST: [u8; 6] = [0x01, 0, 0x5E, 0, 0x12, 0x34];

/// A frame of `bytes` without IP, filled with a pattern.
pub(crate) fn plain(destination: [u8; 6], bytes: usize) -> Vec<u8> {
    let mut frame = [destination.as_slice(), &OTHER, &[0x88, 0xB5]].concat();
    frame.extend((frame.len()..bytes).map(|at| at as u8));
    frame
}

/// The one's complement checksum of `bytes`, written the slow way.
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum >> 16 != 0 {
        sum = (sum >> 16) + (sum & 0xFFFF);
    }
    !(sum as u16)
}

const SOURCE: [u8; 4] = [66, 9, 149, 187];
const DESTINATION: [u8; 4] = [161, 142, 100, 80];
const PORTS: [u8; 4] = [0x0A, 0xEA, 0x06, 0xE6]; // 2794, 1766

/// An IPv4 frame with an L4 segment of `protocol` whose checksum is at `field`.
fn ipv4(protocol: u8, mut segment: Vec<u8>, field: usize) -> Vec<u8> {
    let len = segment.len() as u16;
    let pseudo = [&SOURCE[..], &DESTINATION, &[0, protocol], &len.to_be_bytes()].concat();
    let sum = checksum(&[pseudo, segment.clone()].concat());
    segment[field..field + 2].copy_from_slice(&sum.to_be_bytes());
    let mut header = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0];
    header[2..4].copy_from_slice(&(20 + len).to_be_bytes());
    header.extend([SOURCE, DESTINATION].concat());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut frame = [MAC.as_slice(), &OTHER, &[0x08, 0x00], &header, &segment].concat();
    frame.resize(frame.len().max(60), 0);
    frame
}

/// UDP over IPv4 with the addresses and ports of Microsoft's first RSS test vector.
pub(crate) fn udp(payload: usize) -> Vec<u8> {
    let len = (8 + payload) as u16;
    let mut segment = [PORTS.as_slice(), &len.to_be_bytes(), &[0, 0]].concat();
    segment.extend((0..payload).map(|at| at as u8));
    ipv4(17, segment, 6)
}

/// TCP over IPv4 with the same.
pub(crate) fn tcp(payload: usize) -> Vec<u8> {
    let mut segment = [PORTS.as_slice(), &[0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 0xFF, 0xFF, 0, 0, 0, 0]].concat();
    segment.extend((0..payload).map(|at| at as u8));
    ipv4(6, segment, 16)
}

/// The frame with a VLAN tag.
pub(crate) fn tagged(mut frame: Vec<u8>, tag: u16) -> Vec<u8> {
    let [high, low] = tag.to_be_bytes();
    frame.splice(12..12, [0x81, 0x00, high, low]);
    frame
}
