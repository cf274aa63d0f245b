//! Forwards frames with the checksums of their IPv4, TCP, UDP and ICMP headers computed anew, in software. What it cannot make out it
//! forwards as it is.

use etherparse::IpNumber;
use etherparse::checksum::Sum16BitWords;

use super::checksum::{pseudo_header, write};
use super::headers::{self, Ip, Part, Version};
use super::{Engine, Stream, drops};

/// The engine.
pub(super) struct Csum;

impl Engine for Csum {
    fn turn(&mut self, stream: &mut Stream) -> usize {
        let received = stream.receive();
        stream.edit(received, |packet| {
            mend(packet.data_mut().map_err(|_| &drops::NO_BUFFER)?);
            Ok(())
        });
        received + stream.send()
    }
}

/// Least length of a TCP header.
const TCP_HEADER: usize = 20;

/// Least length of an ICMP message, and the length of a UDP header.
const HEADER: usize = 8;

/// Writes the checksums of a frame.
pub(super) fn mend(frame: &mut [u8]) {
    let Some(ip) = headers::ip(frame) else { return };
    // A fragment has not all that its transport's checksum is over.
    if ip.part == Part::Whole {
        mend_transport(frame, &ip);
    }
    if ip.version == Version::V4 {
        write(Sum16BitWords::new(), &mut frame[ip.header], 10);
    }
}

/// Writes the checksum behind the IP headers. `None` if there is none.
fn mend_transport(frame: &mut [u8], ip: &Ip) -> Option<()> {
    let [addresses, payload] = frame.get_disjoint_mut([ip.addresses.clone(), ip.payload.clone()]).ok()?;
    let len = payload.len();
    match (ip.protocol, ip.version) {
        (IpNumber::TCP, _) if len >= TCP_HEADER => write(pseudo_header(addresses, ip.protocol, len), payload, 16),
        (IpNumber::UDP, version) => mend_udp(addresses, payload, version),
        (IpNumber::ICMP, Version::V4) if len >= HEADER => write(Sum16BitWords::new(), payload, 2),
        (IpNumber::IPV6_ICMP, Version::V6) if len >= HEADER => {
            write(pseudo_header(addresses, ip.protocol, len), payload, 2)
        }
        _ => None,
    }
}

/// UDP has a length of its own, and a checksum that may be missing.
fn mend_udp(addresses: &[u8], payload: &mut [u8], version: Version) -> Option<()> {
    let header = *payload.first_chunk::<HEADER>()?;
    // No checksum is the sender's choice over IPv4 (RFC 768), and not allowed over IPv6 (RFC 8200 section 8.1).
    if version == Version::V4 && header[6..] == [0, 0] {
        return None;
    }
    let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let datagram = payload.get_mut(..len).filter(|datagram| datagram.len() >= HEADER)?;
    write(pseudo_header(addresses, IpNumber::UDP, len), datagram, 6)?;
    // Zero means none: the other zero of ones' complement stands for it.
    if datagram[6..HEADER] == [0, 0] {
        datagram[6..HEADER].fill(0xff);
    }
    Some(())
}

#[cfg(test)]
mod tests;
