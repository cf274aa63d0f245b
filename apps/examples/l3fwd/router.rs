//! What a router does to a packet: check its header, find the way to its destination, count down its life, address it to the next hop.
//!
//! Not here: ARP and neighbour discovery (the next hop's MAC address stands in the route) and ICMP errors. Both are a host's work, not
//! that of the fast path.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use anyhow::{Context, ensure};
use gannet::{Burst, Checksum, MacAddress};
use gannet_apps::values::mac_address;
use gannet_mempool::Reason;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;

const PLACE: &str = "l3fwd";
pub(crate) static NOT_OURS: Reason = Reason::new(PLACE, "not_ours", "sent to a group of hosts, not to this router");
pub(crate) static NOT_IP: Reason = Reason::new(PLACE, "not_ip", "neither IPv4 nor IPv6");
pub(crate) static BAD_HEADER: Reason =
    Reason::new(PLACE, "bad_header", "an IP header that is cut off, makes no sense or has a wrong checksum");
pub(crate) static MARTIAN: Reason =
    Reason::new(PLACE, "martian", "an address that no router forwards: a group, loopback, link-local");
pub(crate) static TTL_EXPIRED: Reason =
    Reason::new(PLACE, "ttl_expired", "this router was one hop too many (TTL, hop limit)");
pub(crate) static NO_ROUTE: Reason = Reason::new(PLACE, "no_route", "no route to the destination");
pub(crate) static NO_COPY: Reason =
    Reason::new(PLACE, "no_copy", "shared with others, and no free buffer to change the header in");
pub(crate) static NO_ROOM: Reason = Reason::new(PLACE, "no_room", "the transmit ring of the way out was full");

const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xDD];

/// A route, as in `198.51.100.0/24=0` or `2001:db8::/32=1,02:00:00:00:00:01`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// Destinations.
    pub(crate) prefix: IpNet,
    /// The port to send on.
    pub(crate) port: usize,
    /// Who takes the packet from there.
    pub(crate) next_hop: MacAddress,
}

impl FromStr for Route {
    type Err = anyhow::Error;

    /// Without a next hop it is 02:00:00:00:00:PORT.
    fn from_str(text: &str) -> anyhow::Result<Route> {
        let (prefix, way) = text.split_once('=').context("a route is PREFIX=PORT or PREFIX=PORT,MAC")?;
        let (port, mac) = way.split_once(',').map_or((way, None), |(port, mac)| (port, Some(mac)));
        let prefix = prefix.parse().with_context(|| format!("{prefix:?} is no prefix, as in 198.51.100.0/24"))?;
        let port: u8 = port.parse().with_context(|| format!("{port:?} is no number of a port, as in 0"))?;
        let next_hop = mac.map_or(Ok([2, 0, 0, 0, 0, port]), mac_address).map_err(anyhow::Error::msg)?;
        Ok(Route { prefix, port: port.into(), next_hop })
    }
}

/// Where packets go next.
#[derive(Debug, Clone, Copy)]
struct Hop {
    port: usize,
    /// Destination and source of their Ethernet headers.
    addresses: [u8; 12],
}

/// A table of routes.
///
/// The look-up is the dearest part of routing a packet (`benches/l3fwd.rs`): the trie has a node for each five bits of the prefix, so a /24 takes
/// five accesses to memory and a /64 thirteen, however many routes there are. Tables that take one or two (DIR-24-8) fill tens of MiB.
#[derive(Debug, Default)]
pub(crate) struct Router {
    ipv4: PrefixMap<Ipv4Net, Hop>,
    ipv6: PrefixMap<Ipv6Net, Hop>,
}

impl Router {
    /// A router with ports of these MAC addresses. Of several routes with the same prefix the last one holds.
    ///
    /// # Errors
    /// A route to a port that there is not.
    pub(crate) fn new(routes: &[Route], ports: &[MacAddress]) -> anyhow::Result<Router> {
        let mut router = Router::default();
        for &Route { prefix, port, next_hop } in routes {
            ensure!(port < ports.len(), "--route {prefix}={port}: the last port is {}", ports.len() - 1);
            let mut addresses = [0; 12];
            addresses[..6].copy_from_slice(&next_hop);
            addresses[6..].copy_from_slice(&ports[port]);
            let hop = Hop { port, addresses };
            match prefix {
                IpNet::V4(prefix) => router.ipv4.insert(prefix, hop),
                IpNet::V6(prefix) => router.ipv6.insert(prefix, hop),
            };
        }
        Ok(router)
    }

    /// Routes all packets of `burst`, each into the burst in `out` of the port that it is to be sent on: one for each port, in
    /// their order. Those that go nowhere are dropped.
    pub(crate) fn forward(&self, burst: &mut Burst, out: &mut [Burst]) {
        while let Some(mut packet) = burst.pop_front() {
            let ip_checksum = packet.ip_checksum();
            let verdict = match packet.data_mut() {
                Ok(frame) => self.route(frame, ip_checksum),
                Err(_) => Err(&NO_COPY),
            };
            // `new` has let in no other ports.
            match verdict.map(|port| &mut out[port]) {
                Ok(burst) => {
                    if let Err(packet) = burst.push(packet) {
                        packet.drop_with(&NO_ROOM);
                    }
                }
                Err(reason) => packet.drop_with(reason),
            }
        }
    }

    /// Makes a frame ready for its next hop, and says on which port that is. `ip_checksum` is what the card says of the IPv4 header.
    ///
    /// # Errors
    /// Why it goes nowhere.
    #[inline]
    pub(crate) fn route(&self, frame: &mut [u8], ip_checksum: Checksum) -> Result<usize, &'static Reason> {
        let Some((ethernet, packet)) = frame.split_first_chunk_mut::<14>() else { return Err(&NOT_IP) };
        // RFC 1812 5.3.4: what was sent to a group on the link is not for the world beyond.
        if ethernet[0] & 1 != 0 {
            return Err(&NOT_OURS);
        }
        let hop = match [ethernet[12], ethernet[13]] {
            IPV4 => self.route_ipv4(packet, ip_checksum)?,
            IPV6 => self.route_ipv6(packet)?,
            _ => return Err(&NOT_IP),
        };
        ethernet[..12].copy_from_slice(&hop.addresses);
        Ok(hop.port)
    }

    #[inline]
    fn route_ipv4(&self, packet: &mut [u8], checksum: Checksum) -> Result<&Hop, &'static Reason> {
        let available = packet.len();
        let Some(&first) = packet.first() else { return Err(&BAD_HEADER) };
        let Some(header) = packet.get_mut(..usize::from(first & 0xF) * 4) else { return Err(&BAD_HEADER) };
        let is_right = match checksum {
            Checksum::Good => true,
            Checksum::Bad => false,
            // A header with its checksum sums up to ones.
            Checksum::Unchecked => ones_complement_sum(header) == 0xFFFF,
        };
        let length = header.len();
        let Some(header) = header.first_chunk_mut::<20>() else { return Err(&BAD_HEADER) };
        let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if first >> 4 != 4 || !is_right || total < length || total > available {
            return Err(&BAD_HEADER);
        }
        let source = Ipv4Addr::from([header[12], header[13], header[14], header[15]]);
        let destination = Ipv4Addr::from([header[16], header[17], header[18], header[19]]);
        // RFC 1812 5.3.7.
        let stays = |address: Ipv4Addr| {
            address.is_multicast()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_broadcast()
                || address.is_unspecified()
        };
        if stays(source) || stays(destination) {
            return Err(&MARTIAN);
        }
        if header[8] <= 1 {
            return Err(&TTL_EXPIRED);
        }
        let (_, hop) = self.ipv4.get_lpm(&Ipv4Net::from(destination)).ok_or(&NO_ROUTE)?;
        decrement_ttl(header);
        Ok(hop)
    }

    #[inline]
    fn route_ipv6(&self, packet: &mut [u8]) -> Result<&Hop, &'static Reason> {
        let available = packet.len();
        let Some(header) = packet.first_chunk_mut::<40>() else { return Err(&BAD_HEADER) };
        let payload = usize::from(u16::from_be_bytes([header[4], header[5]]));
        if header[0] >> 4 != 6 || 40 + payload > available {
            return Err(&BAD_HEADER);
        }
        let address = |at: usize| {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&header[at..at + 16]);
            Ipv6Addr::from(bytes)
        };
        let (source, destination) = (address(8), address(24));
        // RFC 4291 2.5.2, 2.5.3, 2.5.6, 2.7. (Multicast routing is not for this router.)
        let stays = |address: Ipv6Addr| {
            address.is_loopback()
                || address.is_unicast_link_local()
                || address.is_multicast()
                || address.is_unspecified()
        };
        if stays(source) || stays(destination) {
            return Err(&MARTIAN);
        }
        if header[7] <= 1 {
            return Err(&TTL_EXPIRED);
        }
        let (_, hop) = self.ipv6.get_lpm(&Ipv6Net::from(destination)).ok_or(&NO_ROUTE)?;
        // No checksum to mend: IPv6 headers have none.
        header[7] -= 1;
        Ok(hop)
    }
}

/// Takes one from the TTL, which is not 0, and mends the checksum (RFC 1624, equation 3: HC' = ~(~HC + ~m + m')).
#[inline]
fn decrement_ttl(header: &mut [u8; 20]) {
    let word = |at: usize, header: &[u8; 20]| u16::from_be_bytes([header[at], header[at + 1]]);
    let old = word(8, header);
    header[8] -= 1;
    let sum = u32::from(!word(10, header)) + u32::from(!old) + u32::from(word(8, header));
    header[10..12].copy_from_slice(&(!fold(sum)).to_be_bytes());
}

/// The ones' complement sum of RFC 1071.
fn ones_complement_sum(header: &[u8]) -> u16 {
    fold(header.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum())
}

/// Adds the carries. Twice is enough for the sum of at most 65,536 words.
fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xFFFF) + (sum >> 16);
    ((sum & 0xFFFF) + (sum >> 16)) as u16
}
