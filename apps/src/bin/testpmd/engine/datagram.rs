//! The UDP datagrams that txonly and flowgen send: made once, copied into every packet.

use std::net::Ipv4Addr;

use etherparse::PacketBuilder;
use etherparse::checksum::Sum16BitWords;
use gannet::Packet;
use gannet_mempool::Reason;

use super::{Settings, Stream, checksum, drops};

/// Where the IPv4 header, its source address, the source port and the checksum of UDP are.
const IP_HEADER: std::ops::Range<usize> = 14..34;
const SOURCE: usize = 26;
const SOURCE_PORT: usize = 34;
const UDP_CHECKSUM: usize = 40;

/// Bytes of the headers.
const HEADERS: usize = 42;

/// Bytes of the FCS, which the card appends.
pub(super) const FCS: usize = 4;

/// Source ports of a source address.
const PORTS: u32 = 256;

/// A frame with a UDP datagram.
pub(super) struct Datagram {
    frame: Vec<u8>,
    source: Ipv4Addr,
    source_port: u16,
}

impl Datagram {
    /// The first flow's, with zeros as payload.
    pub(super) fn new(settings: &Settings, stream: &Stream) -> Datagram {
        let (source, source_port) = (settings.source, settings.source_port as u16);
        let headers = PacketBuilder::ethernet2(stream.address, stream.peer)
            .ipv4(source.octets(), settings.destination.octets(), 64)
            .udp(source_port, settings.destination_port as u16);
        let payload = vec![0; settings.length as usize - FCS - HEADERS];
        let mut frame = Vec::with_capacity(settings.length as usize);
        headers.write(&mut frame, &payload).expect("a vector takes everything, and the length is no jumbogram's");
        Datagram { frame, source, source_port }
    }

    /// Makes it the datagram of another flow.
    pub(super) fn set_flow(&mut self, flow: u32) {
        let address = Ipv4Addr::from(u32::from(self.source).wrapping_add(flow / PORTS)).octets();
        let port = self.source_port.wrapping_add((flow % PORTS) as u16);
        self.replace(SOURCE, [address[0], address[1]]);
        self.replace(SOURCE + 2, [address[2], address[3]]);
        self.replace(SOURCE_PORT, port.to_be_bytes());
        checksum::write(Sum16BitWords::new(), &mut self.frame[IP_HEADER], 10);
    }

    /// Replaces a word that the checksum of UDP is over.
    fn replace(&mut self, at: usize, new: [u8; 2]) {
        let word = |at: usize| [self.frame[at], self.frame[at + 1]];
        let sum = checksum::after(word(UDP_CHECKSUM), word(at), new);
        self.frame[at..at + 2].copy_from_slice(&new);
        // Zero means none: the other zero of ones' complement stands for it (RFC 768).
        let sum = if sum == [0, 0] { [0xff, 0xff] } else { sum };
        self.frame[UDP_CHECKSUM..UDP_CHECKSUM + 2].copy_from_slice(&sum);
    }

    /// Writes it into an empty packet.
    pub(super) fn write(&self, packet: &mut Packet) -> Result<(), &'static Reason> {
        packet.append(self.frame.len()).map_err(|_| &drops::NO_BUFFER)?.copy_from_slice(&self.frame);
        Ok(())
    }
}
