//! Echo over IPv4 (RFC 792, RFC 1122 section 3.2.2.6).

use std::net::Ipv4Addr;

use etherparse::checksum::Sum16BitWords;
use etherparse::{IpNumber, Ipv4HeaderSlice};

use super::{Host, TTL, Verdict};
use crate::engine::{checksum, drops};

/// Length of a header without options.
const HEADER: usize = 20;

/// Length of an ICMP header.
const ICMP_HEADER: usize = 8;

/// Type and code of an echo request and of its reply.
const REQUEST: [u8; 2] = [8, 0];
const REPLY: [u8; 2] = [0, 0];

impl Host {
    /// Turns an echo request to this host into the reply.
    pub(super) fn answer_ipv4(&self, frame: &mut [u8], at: usize) -> Verdict {
        if frame[..6] != self.mac {
            return Err(&drops::NOT_OURS);
        }
        let len = self.check_ipv4(&frame[at..])?;
        let (header, message) = frame[at..at + len].split_at_mut(HEADER);
        if !message.starts_with(&REQUEST) {
            return Err(&drops::UNSUPPORTED);
        }
        if !checksum::is_right(Sum16BitWords::new(), message) {
            return Err(&drops::BAD_CHECKSUM);
        }
        let sum = checksum::after([message[2], message[3]], REQUEST, REPLY);
        message[..2].copy_from_slice(&REPLY);
        message[2..4].copy_from_slice(&sum);
        header.copy_within(12..16, 16);
        header[12..16].copy_from_slice(&self.ipv4.octets());
        header[8] = TTL;
        checksum::write(Sum16BitWords::new(), header, 10);
        self.send_back(frame);
        Ok(())
    }

    /// Checks the header. Returns the length of the packet, with an ICMP header at least.
    fn check_ipv4(&self, packet: &[u8]) -> Result<usize, &'static gannet_mempool::Reason> {
        let header = Ipv4HeaderSlice::from_slice(packet).map_err(|_| &drops::MALFORMED)?;
        if !checksum::is_right(Sum16BitWords::new(), header.slice()) {
            return Err(&drops::BAD_CHECKSUM);
        }
        if header.destination_addr() != self.ipv4 {
            return Err(&drops::NOT_OURS);
        }
        if header.is_fragmenting_payload() {
            return Err(&drops::FRAGMENT);
        }
        // The answer would have to carry options, some of them the other way round.
        if header.protocol() != IpNumber::ICMP || !header.options().is_empty() {
            return Err(&drops::UNSUPPORTED);
        }
        let len = usize::from(header.total_len());
        if !(HEADER + ICMP_HEADER..=packet.len()).contains(&len) || !self.can_be_answered(header.source_addr()) {
            return Err(&drops::MALFORMED);
        }
        Ok(len)
    }

    /// Whether it is the address of one host, and of another one.
    fn can_be_answered(&self, source: Ipv4Addr) -> bool {
        let nobody = source.is_unspecified() || source.is_multicast() || source.is_broadcast() || source.is_loopback();
        !nobody && source != self.ipv4
    }
}
