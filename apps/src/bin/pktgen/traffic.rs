//! What is sent: headers of each flow, sizes, and the frames that are made of them.

use std::net::IpAddr;

use anyhow::{Context, ensure};
use etherparse::checksum::Sum16BitWords;
use etherparse::{IpHeaders, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, PacketBuilder, VlanId};
use gannet::MacAddress;

use crate::field::{Field, Vlan};
use crate::random::XorShift;
use crate::sequence::Numbering;
use crate::signature::{self, Signature};
use crate::size::{FCS, Sizes};

/// Most flows: all of them take turns, and each has its headers in memory.
pub(crate) const MAX_FLOWS: u32 = 1 << 16;

/// Routers on the way. RFC 2544 leaves it open; this is what hosts send with.
const HOP_LIMIT: u8 = 64;

/// The frames of one sending port.
#[derive(Debug, Clone)]
pub(crate) struct Traffic {
    pub(crate) sizes: Sizes,
    /// 1 to [`MAX_FLOWS`]. Frames take turns.
    pub(crate) flows: u32,
    /// `None` for the address of the sending port.
    pub(crate) src_mac: Option<Field<MacAddress>>,
    /// `None` for the address of the receiving port.
    pub(crate) dst_mac: Option<Field<MacAddress>>,
    pub(crate) vlan: Option<Field<Vlan>>,
    pub(crate) src_ip: Field<IpAddr>,
    pub(crate) dst_ip: Field<IpAddr>,
    pub(crate) src_port: Field<u16>,
    pub(crate) dst_port: Field<u16>,
    /// Of the fields that are random.
    pub(crate) seed: u64,
}

impl Default for Traffic {
    /// One flow of 64-byte frames, between the addresses that RFC 2544 gives to tests, to the port that discards (RFC 863).
    fn default() -> Traffic {
        Traffic {
            sizes: Sizes::Fixed(64),
            flows: 1,
            src_mac: None,
            dst_mac: None,
            vlan: None,
            src_ip: Field::constant(IpAddr::from([198, 18, 0, 1])),
            dst_ip: Field::constant(IpAddr::from([198, 19, 0, 1])),
            src_port: Field::constant(49184),
            dst_port: Field::constant(9),
            seed: 0,
        }
    }
}

impl Traffic {
    /// Values of the field that has most of them: so many flows show them all.
    pub(crate) fn distinct(&self) -> u64 {
        let macs = [&self.src_mac, &self.dst_mac].into_iter().flatten().map(Field::values);
        let vlans = self.vlan.iter().map(Field::values);
        let ips = [&self.src_ip, &self.dst_ip].map(Field::values);
        let ports = [&self.src_port, &self.dst_port].map(Field::values);
        macs.chain(vlans).chain(ips).chain(ports).max().unwrap_or(1)
    }

    /// Bytes of the headers.
    fn head_length(&self) -> usize {
        const ETHERNET: usize = 14;
        const TAG: usize = 4;
        ETHERNET + if self.vlan.is_some() { TAG } else { 0 } + self.layers().length()
    }

    fn layers(&self) -> Layers {
        if self.src_ip.first().is_ipv4() { Layers::Ipv4 } else { Layers::Ipv6 }
    }

    /// Checks that frames of these sizes can be made.
    ///
    /// # Errors
    /// Addresses of two families, too many flows, or frames too short for what must be in them.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.src_ip.first().is_ipv4() == self.dst_ip.first().is_ipv4(),
            "--src-ip and --dst-ip: one is IPv4, the other IPv6; give both of one kind"
        );
        ensure!((1..=MAX_FLOWS).contains(&self.flows), "--flows {}: 1 to {MAX_FLOWS} are possible", self.flows);
        let least = (self.head_length() + signature::LENGTH) as u16 + FCS;
        ensure!(
            self.sizes.shortest() >= least,
            "frames of {} bytes: these have {least} bytes at least: headers {}, signature {}, FCS {FCS}",
            self.sizes.shortest(),
            self.head_length(),
            signature::LENGTH
        );
        Ok(())
    }
}

/// What is above Ethernet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layers {
    Ipv4,
    Ipv6,
}

/// Bytes of a UDP header.
const UDP: usize = 8;

impl Layers {
    /// Bytes of the IP and UDP headers.
    fn length(self) -> usize {
        UDP + match self {
            Layers::Ipv4 => 20,
            Layers::Ipv6 => 40,
        }
    }
}

/// Headers of all flows, ready to be copied, and what to fill frames with. Made once a trial.
#[derive(Debug)]
pub(crate) struct Template {
    mark: u16,
    numbering: Numbering,
    layers: Layers,
    head_length: usize,
    heads: Vec<Head>,
    shapes: Vec<Shape>,
    filling: Vec<u8>,
}

/// Headers of a flow, lengths and checksums left open.
#[derive(Debug)]
struct Head {
    bytes: Vec<u8>,
    /// Sums of what of the IPv4 header and of UDP's pseudo header and header does not depend on the length.
    ip: Sum16BitWords,
    udp: Sum16BitWords,
}

/// What depends on the size of a frame alone.
#[derive(Debug)]
struct Shape {
    /// Bytes of the frame, without FCS.
    length: usize,
    filling: Sum16BitWords,
}

/// What an arrived frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As it was sent.
    Intact(Signature),
    /// As it was sent, but for its Ethernet header.
    Rewritten(Signature),
    /// One of ours, with wrong bytes.
    Damaged,
    /// Not one of this template.
    Foreign,
}

impl Template {
    /// Headers for frames from a port with address `from` to one with address `to`. `mark` tells them from those of other templates.
    ///
    /// # Errors
    /// As [`Traffic::check`].
    pub(crate) fn new(traffic: &Traffic, mark: u16, from: MacAddress, to: MacAddress) -> anyhow::Result<Template> {
        traffic.check()?;
        let mut random = XorShift::new(traffic.seed);
        let head_length = traffic.head_length();
        let heads = (0..traffic.flows).map(|flow| Head::new(traffic, flow, (from, to), &mut random));
        let heads = heads.collect::<anyhow::Result<Vec<_>>>()?;
        let longest = usize::from(traffic.sizes.longest());
        // Neither zeros, which would hide a lost byte, nor dear to make: the place itself.
        let filling: Vec<u8> = (0..longest).map(|at| at as u8).collect();
        let shape = |size: u16| {
            let length = usize::from(size - FCS);
            let filled = length - head_length - signature::LENGTH;
            Shape { length, filling: Sum16BitWords::new().add_slice(&filling[..filled]) }
        };
        let shapes = traffic.sizes.cycle().into_iter().map(shape).collect();
        let numbering = Numbering::new(heads.len());
        Ok(Template { mark, numbering, layers: traffic.layers(), head_length, heads, shapes, filling })
    }

    /// How many flows there are.
    pub(crate) fn flows(&self) -> usize {
        self.heads.len()
    }

    /// How many sizes frames take turns in.
    pub(crate) fn shapes(&self) -> usize {
        self.shapes.len()
    }

    /// Bytes of a frame, without FCS.
    #[inline]
    pub(crate) fn length(&self, shape: usize) -> usize {
        self.shapes[shape].length
    }

    /// Writes frame number `sequence` of a flow. It is as long as [`Self::length`] says, and leaves at the time 0 until it is stamped.
    #[inline]
    pub(crate) fn write(&self, frame: &mut [u8], flow: usize, shape: usize, sequence: u64) {
        let (head, payload) = frame.split_at_mut(self.head_length);
        self.heads[flow].write(head, self.layers, payload.len());
        let Some((place, rest)) = payload.split_first_chunk_mut() else { return };
        let signature = Signature { mark: self.mark, number: self.numbering.number(flow, sequence), time: 0 };
        signature.write(place, self.shapes[shape].filling.clone());
        rest.copy_from_slice(&self.filling[..rest.len()]);
    }

    /// Sets the time at which a frame leaves.
    #[inline]
    pub(crate) fn stamp(&self, frame: &mut [u8], time: u64) {
        if let Some(payload) = frame.get_mut(self.head_length..) {
            signature::stamp(payload, time);
        }
    }

    /// Says what an arrived frame is.
    #[inline]
    pub(crate) fn inspect(&self, frame: &[u8]) -> Verdict {
        let Some(at) = self.locate(frame) else { return self.blame(frame) };
        let (head, payload) = frame.split_at(at);
        let Some(signature) = Signature::read(payload) else { return Verdict::Foreign };
        if !signature::is_intact(payload) || !self.layers.are_intact(head) {
            return Verdict::Damaged;
        }
        let Some(sent) = self.head(signature) else { return Verdict::Foreign };
        let ethernet = self.head_length - self.layers.length();
        let as_sent = head.len() == sent.bytes.len() && head[..ethernet] == sent.bytes[..ethernet];
        if as_sent { Verdict::Intact(signature) } else { Verdict::Rewritten(signature) }
    }

    /// Headers of the flow that a signature names, if there is one.
    #[inline]
    fn head(&self, signature: Signature) -> Option<&Head> {
        self.heads.get(self.numbering.flow(signature.number))
    }

    /// Where the signature begins: where it was, or a VLAN tag further if one was added or taken away on the way.
    #[inline]
    fn locate(&self, frame: &[u8]) -> Option<usize> {
        const TAG: usize = 4;
        let mark = self.mark.to_be_bytes();
        let is_there = |at: &usize| frame.get(*at..*at + 2) == Some(&mark[..]);
        [self.head_length, self.head_length + TAG, self.head_length - TAG].into_iter().find(is_there)
    }

    /// Tells a frame of ours whose mark is damaged from a frame of something else, or of an earlier trial (which is intact). One damaged
    /// place cannot hide the mark and the addresses both.
    #[cold]
    fn blame(&self, frame: &[u8]) -> Verdict {
        let Some((head, payload)) = frame.split_at_checked(self.head_length) else { return Verdict::Foreign };
        let sent = Signature::read(payload).and_then(|signature| self.head(signature));
        let Some(sent) = sent else { return Verdict::Foreign };
        let addresses = self.head_length - self.layers.addressing()..self.head_length - UDP / 2;
        let ours = head[addresses.clone()] == sent.bytes[addresses] && !signature::is_intact(payload);
        if ours { Verdict::Damaged } else { Verdict::Foreign }
    }
}

impl Head {
    fn new(
        traffic: &Traffic,
        flow: u32,
        (from, to): (MacAddress, MacAddress),
        random: &mut XorShift,
    ) -> anyhow::Result<Head> {
        let mac = |field: &Option<Field<MacAddress>>, port, random: &mut XorShift| {
            field.map_or(port, |field| field.value(flow, random))
        };
        let (src_mac, dst_mac) = (mac(&traffic.src_mac, from, random), mac(&traffic.dst_mac, to, random));
        let ip = match (traffic.src_ip.value(flow, random), traffic.dst_ip.value(flow, random)) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let header = Ipv4Header::new(0, HOP_LIMIT, IpNumber::UDP, source.octets(), destination.octets())
                    .expect("a length of 0 fits");
                IpHeaders::Ipv4(header, Default::default())
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => IpHeaders::Ipv6(
                Ipv6Header {
                    traffic_class: 0,
                    flow_label: Ipv6FlowLabel::ZERO,
                    payload_length: 0,
                    next_header: IpNumber::UDP,
                    hop_limit: HOP_LIMIT,
                    source: source.octets(),
                    destination: destination.octets(),
                },
                Default::default(),
            ),
            _ => anyhow::bail!("addresses of two families"),
        };
        let (src_port, dst_port) = (traffic.src_port.value(flow, random), traffic.dst_port.value(flow, random));
        let ethernet = PacketBuilder::ethernet2(src_mac, dst_mac);
        let mut bytes = Vec::new();
        let built = match &traffic.vlan {
            None => ethernet.ip(ip).udp(src_port, dst_port).write(&mut bytes, &[]),
            Some(vlan) => {
                let vlan = VlanId::try_new(vlan.value(flow, random).0).context("VLAN")?;
                ethernet.single_vlan(vlan).ip(ip).udp(src_port, dst_port).write(&mut bytes, &[])
            }
        };
        built.context("headers")?;
        Ok(Head::open(bytes, traffic.layers()))
    }

    /// Takes lengths and checksums out of complete headers.
    fn open(mut bytes: Vec<u8>, layers: Layers) -> Head {
        let (ip, udp) = layers.split(&mut bytes);
        udp[4..8].fill(0);
        let addresses = match layers {
            Layers::Ipv4 => {
                ip[2..4].fill(0);
                ip[10..12].fill(0);
                &ip[12..]
            }
            Layers::Ipv6 => {
                ip[4..6].fill(0);
                &ip[8..]
            }
        };
        let pseudo = Sum16BitWords::new().add_slice(addresses).add_2bytes([0, IpNumber::UDP.0]).add_slice(udp);
        Head { ip: Sum16BitWords::new().add_slice(ip), udp: pseudo, bytes }
    }

    /// Writes the headers of a frame with so many bytes of payload. The payload's sum is 0.
    #[inline]
    fn write(&self, head: &mut [u8], layers: Layers, payload: usize) {
        head.copy_from_slice(&self.bytes);
        let (ip, udp) = layers.split(head);
        let datagram = ((UDP + payload) as u16).to_be_bytes();
        match layers {
            Layers::Ipv4 => {
                let total = ((ip.len() + UDP + payload) as u16).to_be_bytes();
                ip[2..4].copy_from_slice(&total);
                let checksum = self.ip.clone().add_2bytes(total).ones_complement();
                ip[10..12].copy_from_slice(&checksum.to_ne_bytes());
            }
            Layers::Ipv6 => ip[4..6].copy_from_slice(&datagram),
        }
        udp[4..6].copy_from_slice(&datagram);
        // Once for the header, once for the pseudo header (RFC 768).
        let sum = self.udp.clone().add_2bytes(datagram).add_2bytes(datagram);
        udp[6..8].copy_from_slice(&sum.to_ones_complement_with_no_zero().to_ne_bytes());
    }
}

impl Layers {
    /// The IP and the UDP header at the end of all headers.
    #[inline]
    fn split(self, head: &mut [u8]) -> (&mut [u8], &mut [u8]) {
        let ethernet = head.len() - self.length();
        let ip = self.length() - UDP;
        head[ethernet..].split_at_mut(ip)
    }

    /// Bytes from the source address to the end of the headers.
    fn addressing(self) -> usize {
        UDP + match self {
            Layers::Ipv4 => 8,
            Layers::Ipv6 => 32,
        }
    }

    /// Whether the checksums of the headers are right, the payload's sum being 0. (Of IPv6 the traffic class, flow label and hop limit are
    /// in no checksum.)
    #[inline]
    fn are_intact(self, head: &[u8]) -> bool {
        let Some(ethernet) = head.len().checked_sub(self.length()) else { return false };
        let (ip, udp) = head[ethernet..].split_at(self.length() - UDP);
        let ip_intact = match self {
            Layers::Ipv4 => Sum16BitWords::new().add_slice(ip).ones_complement() == 0,
            Layers::Ipv6 => ip[0] >> 4 == 6 && ip[4..6] == udp[4..6] && ip[6] == IpNumber::UDP.0,
        };
        let addresses = &head[head.len() - self.addressing()..];
        let sum =
            Sum16BitWords::new().add_slice(addresses).add_2bytes([0, IpNumber::UDP.0]).add_2bytes([udp[4], udp[5]]);
        // A checksum of 0 says that there is none (RFC 768); all of ours have one.
        ip_intact && sum.ones_complement() == 0 && udp[6..8] != [0, 0]
    }
}

#[cfg(test)]
mod tests;
