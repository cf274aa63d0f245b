//! Echo (RFC 4443 section 4) and neighbour solicitations (RFC 4861 section 7) over IPv6.

use std::net::Ipv6Addr;

use etherparse::{IpNumber, Ipv6HeaderSlice};
use gannet::{MacAddress, Packet};
use gannet_mempool::Reason;

use super::{Host, TTL, Verdict, is_group, no_buffer};
use crate::engine::{checksum, drops};

/// Length of a header without extensions.
const HEADER: usize = 40;

/// Length of an ICMPv6 header with what echo messages have in it.
const ICMP_HEADER: usize = 8;

/// Types and codes.
const ECHO_REQUEST: [u8; 2] = [128, 0];
const ECHO_REPLY: [u8; 2] = [129, 0];
const SOLICITATION: [u8; 2] = [135, 0];
const ADVERTISEMENT: [u8; 2] = [136, 0];

/// Hop limit of messages between neighbours, which proves that no router has passed them on.
const NEIGHBOUR: u8 = 255;

/// Length of a solicitation up to its options: the ICMPv6 header and the target.
const SOLICITATION_HEADER: usize = 24;

/// Length of an advertisement: as a solicitation's, and the option with this host's link-layer address.
const ADVERTISEMENT_LEN: usize = 32;

/// Options: type, and length in units of eight bytes.
const SOURCE_LINK_LAYER: [u8; 2] = [1, 1];
const TARGET_LINK_LAYER: [u8; 2] = [2, 1];

/// Flags of an advertisement: solicited, override.
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// What of an IPv6 header counts for an answer.
struct Header {
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hop_limit: u8,
}

impl Host {
    /// Turns an echo request or a neighbour solicitation for this host into the answer.
    pub(super) fn answer_ipv6(&self, packet: &mut Packet, at: usize) -> Verdict {
        let frame = packet.data_mut().map_err(no_buffer)?;
        if frame[..6] != self.mac && frame[..6] != multicast_mac(self.solicited_node()) {
            return Err(&drops::NOT_OURS);
        }
        let (header, len) = self.check_ipv6(&frame[at..])?;
        let (addresses, message) = frame[at + 8..at + HEADER + len].split_at_mut(32);
        let before = checksum::pseudo_header(addresses, IpNumber::IPV6_ICMP, len);
        if !checksum::is_right(before, message) {
            return Err(&drops::BAD_CHECKSUM);
        }
        match [message[0], message[1]] {
            ECHO_REQUEST => self.answer_echo(frame, at, &header),
            SOLICITATION => {
                let asker = self.check_solicitation(message, &header)?;
                self.advertise(packet, at, &header, asker)
            }
            _ => Err(&drops::UNSUPPORTED),
        }
    }

    /// Checks the header. Returns it, and the length of what is behind it, an ICMPv6 header at least.
    fn check_ipv6(&self, packet: &[u8]) -> Result<(Header, usize), &'static Reason> {
        let header = Ipv6HeaderSlice::from_slice(packet).map_err(|_| &drops::MALFORMED)?;
        let destination = header.destination_addr();
        if destination != self.ipv6 && destination != self.solicited_node() {
            return Err(&drops::NOT_OURS);
        }
        match header.next_header() {
            IpNumber::IPV6_ICMP => {}
            IpNumber::IPV6_FRAGMENTATION_HEADER => return Err(&drops::FRAGMENT),
            _ => return Err(&drops::UNSUPPORTED),
        }
        let len = usize::from(header.payload_length());
        let (source, hop_limit) = (header.source_addr(), header.hop_limit());
        if !(ICMP_HEADER..=packet.len() - HEADER).contains(&len) || source.is_multicast() || source == self.ipv6 {
            return Err(&drops::MALFORMED);
        }
        Ok((Header { source, destination, hop_limit }, len))
    }

    /// Turns an echo request into its reply.
    fn answer_echo(&self, frame: &mut [u8], at: usize, header: &Header) -> Verdict {
        if header.destination != self.ipv6 {
            return Err(&drops::NOT_OURS);
        }
        if header.source.is_unspecified() {
            return Err(&drops::MALFORMED);
        }
        let (ip, message) = frame[at..].split_at_mut(HEADER);
        let sum = checksum::after([message[2], message[3]], ECHO_REQUEST, ECHO_REPLY);
        message[..2].copy_from_slice(&ECHO_REPLY);
        message[2..4].copy_from_slice(&sum);
        ip[7] = TTL;
        ip[8..24].copy_from_slice(&self.ipv6.octets());
        ip[24..].copy_from_slice(&header.source.octets());
        self.send_back(frame);
        Ok(())
    }

    /// Checks a solicitation (RFC 4861 section 7.1.1). Returns the link-layer address that it gives.
    fn check_solicitation(&self, message: &[u8], header: &Header) -> Result<Option<MacAddress>, &'static Reason> {
        let (target, mut options) = match message.split_at_checked(SOLICITATION_HEADER) {
            Some((head, options)) if header.hop_limit == NEIGHBOUR => (&head[ICMP_HEADER..], options),
            _ => return Err(&drops::MALFORMED),
        };
        let mut asker = None;
        while let Some(&[kind, units]) = options.first_chunk() {
            let len = usize::from(units) * 8;
            let (option, rest) = options.split_at_checked(len).filter(|_| len > 0).ok_or(&drops::MALFORMED)?;
            if [kind, units] == SOURCE_LINK_LAYER {
                asker = option[2..].first_chunk().copied();
            }
            options = rest;
        }
        // Who asks whether its own address to be is taken has none yet, and can be told only as one of all nodes.
        let anonymous = header.source.is_unspecified();
        if !options.is_empty()
            || asker.is_some_and(|asker| is_group(&asker))
            || anonymous && (asker.is_some() || header.destination != self.solicited_node())
        {
            return Err(&drops::MALFORMED);
        }
        if target != self.ipv6.octets() { Err(&drops::NOT_OURS) } else { Ok(asker) }
    }

    /// Makes the advertisement that answers a solicitation (RFC 4861 section 7.2.4).
    fn advertise(&self, packet: &mut Packet, at: usize, asked: &Header, asker: Option<MacAddress>) -> Verdict {
        resize(packet, at + HEADER + ADVERTISEMENT_LEN)?;
        let frame = packet.data_mut().map_err(no_buffer)?;
        let (destination, flags) =
            if asked.source.is_unspecified() { (ALL_NODES, OVERRIDE) } else { (asked.source, SOLICITED | OVERRIDE) };
        let (header, message) = frame[at..].split_at_mut(HEADER);
        header[4..6].copy_from_slice(&(ADVERTISEMENT_LEN as u16).to_be_bytes());
        header[7] = NEIGHBOUR;
        header[8..24].copy_from_slice(&self.ipv6.octets());
        header[24..].copy_from_slice(&destination.octets());
        message[..2].copy_from_slice(&ADVERTISEMENT);
        message[4..8].copy_from_slice(&[flags, 0, 0, 0]);
        message[8..24].copy_from_slice(&self.ipv6.octets());
        message[24..26].copy_from_slice(&TARGET_LINK_LAYER);
        message[26..].copy_from_slice(&self.mac);
        checksum::write(checksum::pseudo_header(&header[8..], IpNumber::IPV6_ICMP, ADVERTISEMENT_LEN), message, 2);
        match asker {
            _ if destination == ALL_NODES => self.address(frame, multicast_mac(ALL_NODES)),
            Some(asker) => self.address(frame, asker),
            None => self.send_back(frame),
        }
        Ok(())
    }

    /// The group in which this host is asked for its link-layer address (RFC 4291 section 2.7.1).
    fn solicited_node(&self) -> Ipv6Addr {
        let [.., a, b, c] = self.ipv6.octets();
        Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
    }
}

/// The Ethernet address of a group (RFC 2464 section 7).
fn multicast_mac(group: Ipv6Addr) -> MacAddress {
    let [.., a, b, c, d] = group.octets();
    [0x33, 0x33, a, b, c, d]
}

/// Gives a packet that many bytes: cuts its end, or adds what will be written over.
fn resize(packet: &mut Packet, len: usize) -> Verdict {
    match packet.len().checked_sub(len) {
        Some(surplus) => packet.trim(surplus),
        None => packet.append(len - packet.len()).map(|_| ()),
    }
    .map_err(no_buffer)
}
