//! What a packet's headers say.

use std::net::IpAddr;

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, LinkSlice};

use super::{SCTP, TCP, UDP};

/// What filters ask for. Pairs are source and destination.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Bytes on the wire.
    pub(super) length: u32,
    pub(super) macs: Option<[[u8; 6]; 2]>,
    pub(super) vlans: Vec<u16>,
    pub(super) is_arp: bool,
    /// Of IPv4, IPv6, or of ARP for IPv4.
    pub(super) addresses: Option<[IpAddr; 2]>,
    /// What IPv4 carries; what IPv6 carries directly or in fragments, as tcpdump has it.
    pub(super) protocol: Option<u8>,
    /// Of TCP, UDP and SCTP, in the first fragment.
    pub(super) ports: Option<[u16; 2]>,
}

impl Facts {
    /// Of a packet that has `length` bytes and begins with these.
    pub(super) fn of(bytes: &[u8], length: u32) -> Facts {
        let mut facts = Facts { length, ..Facts::default() };
        let Ok(packet) = LaxSlicedPacket::from_ethernet(bytes) else { return facts };
        if let Some(LinkSlice::Ethernet2(link)) = &packet.link {
            facts.macs = Some([link.source(), link.destination()]);
        }
        facts.vlans = packet.vlan_ids().iter().map(|id| id.value()).collect();
        match &packet.net {
            Some(LaxNetSlice::Ipv4(ip)) => {
                let header = ip.header();
                facts.addresses = Some([header.source_addr().into(), header.destination_addr().into()]);
                let first = header.fragments_offset().value() == 0;
                facts.carries(header.protocol().0, if first { ip.payload().payload } else { &[] });
            }
            Some(LaxNetSlice::Ipv6(ip)) => {
                let header = ip.header();
                facts.addresses = Some([header.source_addr().into(), header.destination_addr().into()]);
                match header.next_header().0 {
                    // The fragment header's first byte says what there are fragments of.
                    FRAGMENT => facts.protocol = ip.extensions().slice().first().copied(),
                    protocol => facts.carries(protocol, ip.payload().payload),
                }
            }
            Some(LaxNetSlice::Arp(arp)) => {
                facts.is_arp = true;
                let address = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
                let ends = address(arp.sender_protocol_addr()).zip(address(arp.target_protocol_addr()));
                facts.addresses =
                    ends.filter(|_| arp.proto_addr_type() == EtherType::IPV4).map(|(sender, target)| [sender, target]);
            }
            None => {}
        }
        facts
    }

    /// Notes what stands behind the IP header.
    fn carries(&mut self, protocol: u8, payload: &[u8]) {
        self.protocol = Some(protocol);
        if [TCP, UDP, SCTP].contains(&protocol)
            && let Some(&[a, b, c, d]) = payload.first_chunk()
        {
            self.ports = Some([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]);
        }
    }

    pub(super) fn is_ip4(&self) -> bool {
        !self.is_arp && self.addresses.is_some_and(|[source, _]| source.is_ipv4())
    }

    pub(super) fn is_ip6(&self) -> bool {
        self.addresses.is_some_and(|[source, _]| source.is_ipv6())
    }
}

/// Number of the fragment header (RFC 8200, section 4.5).
const FRAGMENT: u8 = 44;
