//! Filters: a part of the language of tcpdump (pcap-filter), with its meaning but for tags, which are looked through.

mod facts;
mod parse;

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use self::facts::Facts;

/// The language, for `--help`.
pub(crate) const HELP: &str = "\
Filters, as tcpdump has them:
  host ADDRESS, net NETWORK/BITS, port NUMBER, portrange FIRST-LAST   each with src or dst before it for one side only
  ether host MAC (ether src MAC, ether dst MAC), vlan [ID], less BYTES, greater BYTES
  ip, ip6, arp, icmp, icmp6, tcp, udp; before port (tcp port 80) they restrict it
  not, and, or (also !, &&, ||) and parentheses; \"and\" and \"or\" bind alike, from left to right
  An address or a number alone repeats what stands before it: port 80 or 443.
  Unlike in tcpdump, packets with VLAN tags are looked at as if they had none.";

/// What packets are kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filter {
    text: String,
    expression: Expression,
}

#[derive(Debug, Clone, PartialEq)]
enum Expression {
    And(Box<[Expression; 2]>),
    Or(Box<[Expression; 2]>),
    Not(Box<Expression>),
    Is(Primitive),
}

/// One question.
#[derive(Debug, Clone, PartialEq)]
enum Primitive {
    Ip,
    Ip6,
    Arp,
    /// IPv4 with this protocol.
    Protocol4(u8),
    /// IPv6 with this protocol.
    Protocol6(u8),
    /// IPv4 or IPv6 with this protocol.
    Protocol(u8),
    Host(Side, IpAddr),
    Net(Side, IpNet),
    /// TCP, UDP or SCTP, or only the protocol given.
    Ports(Option<u8>, Side, u16, u16),
    Mac(Side, [u8; 6]),
    /// Any tag, or one of this VLAN.
    Vlan(Option<u16>),
    /// At most, at least so many bytes.
    Less(u32),
    Greater(u32),
}

/// Which end of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Destination,
    Either,
}

/// Numbers of protocols (IANA).
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP6: u8 = 58;
const SCTP: u8 = 132;

/// Why a text is no filter, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilterError {
    text: String,
    /// Bytes before the place.
    at: usize,
    why: String,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.text[..self.at].chars().count();
        write!(f, "{}\n    {}\n    {:before$}^", self.why, self.text, "")
    }
}

impl std::error::Error for FilterError {}

impl Filter {
    /// Reads a filter.
    pub(crate) fn parse(text: &str) -> Result<Filter, FilterError> {
        // A line, so that an error can point into it.
        let text = text.replace(['\n', '\t'], " ");
        match parse::parse(&text) {
            Ok(expression) => Ok(Filter { text, expression }),
            Err((at, why)) => Err(FilterError { text, at, why }),
        }
    }

    /// As it was given.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether a packet is kept that has `length` bytes and begins with these.
    pub(crate) fn matches(&self, bytes: &[u8], length: u32) -> bool {
        self.expression.is_true(&Facts::of(bytes, length))
    }
}

impl Expression {
    fn is_true(&self, facts: &Facts) -> bool {
        match self {
            Expression::And(both) => both.iter().all(|part| part.is_true(facts)),
            Expression::Or(both) => both.iter().any(|part| part.is_true(facts)),
            Expression::Not(part) => !part.is_true(facts),
            Expression::Is(primitive) => primitive.is_true(facts),
        }
    }
}

impl Primitive {
    fn is_true(&self, facts: &Facts) -> bool {
        let protocol = |number: &u8| facts.protocol == Some(*number);
        match self {
            Primitive::Ip => facts.is_ip4(),
            Primitive::Ip6 => facts.is_ip6(),
            Primitive::Arp => facts.is_arp,
            Primitive::Protocol4(number) => facts.is_ip4() && protocol(number),
            Primitive::Protocol6(number) => facts.is_ip6() && protocol(number),
            Primitive::Protocol(number) => protocol(number),
            Primitive::Host(side, address) => side.of(facts.addresses, |is| is == *address),
            Primitive::Net(side, net) => side.of(facts.addresses, |is| net.contains(&is)),
            Primitive::Ports(number, side, first, last) => {
                let has_ports = number.as_ref().map_or([TCP, UDP, SCTP].iter().any(protocol), protocol);
                has_ports && side.of(facts.ports, |is| (*first..=*last).contains(&is))
            }
            Primitive::Mac(side, mac) => side.of(facts.macs, |is| is == *mac),
            Primitive::Vlan(None) => !facts.vlans.is_empty(),
            Primitive::Vlan(Some(id)) => facts.vlans.contains(id),
            Primitive::Less(bytes) => facts.length <= *bytes,
            Primitive::Greater(bytes) => facts.length >= *bytes,
        }
    }
}

impl Side {
    /// Whether this side of `ends`, which are source and destination, is as wanted.
    fn of<T: Copy>(self, ends: Option<[T; 2]>, wanted: impl Fn(T) -> bool) -> bool {
        ends.is_some_and(|[source, destination]| match self {
            Side::Source => wanted(source),
            Side::Destination => wanted(destination),
            Side::Either => wanted(source) || wanted(destination),
        })
    }
}

#[cfg(test)]
mod tests;
