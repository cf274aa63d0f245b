//! A host that answers: ARP requests, neighbour solicitations and pings for its addresses, on the port that they came from. All else is
//! dropped, and counted by reason.
//!
//! Answers are made of the requests, in place; VLAN tags stay as they are.

mod arp;
mod ipv4;
mod ipv6;

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::EtherType;
use gannet::{MacAddress, Packet, Refused};
use gannet_mempool::Reason;

use super::{Engine, Settings, Stream, drops, headers};

/// Why a packet is dropped.
type Verdict = Result<(), &'static Reason>;

/// Hops that an answer may take.
const TTL: u8 = 64;

/// The engine.
pub(super) struct Icmpecho {
    host: Host,
}

impl Icmpecho {
    pub(super) fn new(settings: &Settings, stream: &Stream) -> Icmpecho {
        Icmpecho { host: Host { mac: stream.address, ipv4: settings.ipv4, ipv6: settings.ipv6 } }
    }
}

impl Engine for Icmpecho {
    fn turn(&mut self, stream: &mut Stream) -> usize {
        let received = stream.receive();
        stream.edit(received, |packet| self.host.answer(packet));
        received + stream.send()
    }
}

/// Addresses that are answered for.
struct Host {
    mac: MacAddress,
    ipv4: Ipv4Addr,
    ipv6: Ipv6Addr,
}

impl Host {
    /// Makes the answer of a request.
    fn answer(&self, packet: &mut Packet) -> Verdict {
        let (kind, at) = headers::network(packet.data()).ok_or(&drops::MALFORMED)?;
        match kind {
            EtherType::ARP => self.answer_arp(packet.data_mut().map_err(no_buffer)?, at),
            EtherType::IPV4 => self.answer_ipv4(packet.data_mut().map_err(no_buffer)?, at),
            EtherType::IPV6 => self.answer_ipv6(packet, at),
            _ => Err(&drops::UNSUPPORTED),
        }
    }

    /// Addresses the frame of an answer. It is long enough: its EtherType has been read.
    fn address(&self, frame: &mut [u8], destination: MacAddress) {
        frame[..6].copy_from_slice(&destination);
        frame[6..12].copy_from_slice(&self.mac);
    }

    /// Sends the frame of an answer to who sent it. It is long enough: its EtherType has been read.
    fn send_back(&self, frame: &mut [u8]) {
        frame.copy_within(6..12, 0);
        frame[6..12].copy_from_slice(&self.mac);
    }
}

fn no_buffer(_: Refused) -> &'static Reason {
    &drops::NO_BUFFER
}

/// Whether it is the address of a group of stations, which nobody sends from.
fn is_group(address: &[u8]) -> bool {
    address.first().is_some_and(|byte| byte & 1 != 0)
}

#[cfg(test)]
mod tests;
