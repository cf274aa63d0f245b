//! Reads filters.
//!
//! ```text
//!   expression = term { ("and" | "or") term }          from left to right
//!   term       = "not" term | "(" expression ")" | primitive
//! ```

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Expression, ICMP, ICMP6, Primitive, Side, TCP, UDP};

/// Where it is wrong, in bytes, and how.
type Wrong = (usize, String);

/// Deepest nesting, so that no filter overflows the stack.
const DEEPEST: usize = 64;

/// Most terms, for the same reason: each "and" and "or" is one level more in the tree.
const MOST_TERMS: usize = 1000;

const PRIMITIVES: &str =
    "host, net, port, portrange, ether, vlan, less, greater, src, dst, ip, ip6, arp, icmp, icmp6, tcp, udp";

/// Reads a whole text.
pub(super) fn parse(text: &str) -> Result<Expression, Wrong> {
    let mut parser = Parser { words: words(text), next: 0, end: text.len(), last: None, depth: 0, terms: 0 };
    let expression = parser.expression()?;
    match parser.peek() {
        None => Ok(expression),
        Some(word) => Err(parser.wrong(&format!("{word:?} has no place here: \"and\" or \"or\" is expected"))),
    }
}

/// The words of a text, with their places. Brackets and operators are words without spaces, too.
fn words(text: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return words };
        let length = match first {
            '(' | ')' | '!' => 1,
            _ if rest.starts_with("&&") || rest.starts_with("||") => 2,
            _ => rest
                .find(|c: char| c.is_whitespace() || "()!&|".contains(c))
                .unwrap_or(rest.len())
                .max(first.len_utf8()),
        };
        words.push((text.len() - rest.len(), &rest[..length]));
        rest = &rest[length..];
    }
}

/// What a value alone means: what stood before the last one.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Host(Side),
    Net(Side),
    Port(Option<u8>, Side),
    PortRange(Option<u8>, Side),
}

struct Parser<'a> {
    words: Vec<(usize, &'a str)>,
    next: usize,
    /// Length of the text.
    end: usize,
    last: Option<Kind>,
    depth: usize,
    terms: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.next).map(|(_, word)| *word)
    }

    fn take(&mut self, wanted: &[&str]) -> bool {
        let is_next = self.peek().is_some_and(|word| wanted.contains(&word));
        self.next += usize::from(is_next);
        is_next
    }

    /// An error at the next word.
    fn wrong(&self, why: &str) -> Wrong {
        (self.words.get(self.next).map_or(self.end, |(at, _)| *at), why.to_owned())
    }

    fn expression(&mut self) -> Result<Expression, Wrong> {
        let mut left = self.term()?;
        loop {
            if self.take(&["and", "&&"]) {
                left = Expression::And(Box::new([left, self.term()?]));
            } else if self.take(&["or", "||"]) {
                left = Expression::Or(Box::new([left, self.term()?]));
            } else {
                return Ok(left);
            }
        }
    }

    fn term(&mut self) -> Result<Expression, Wrong> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong(&format!("this is nested too deeply: at most {DEEPEST} levels")));
        }
        self.terms += 1;
        if self.terms > MOST_TERMS {
            return Err(self.wrong(&format!("this is too long: at most {MOST_TERMS} terms")));
        }
        let term = if self.take(&["not", "!"]) {
            Expression::Not(Box::new(self.term()?))
        } else if self.take(&["("]) {
            let inner = self.expression()?;
            if !self.take(&[")"]) {
                return Err(self.wrong("\")\", \"and\" or \"or\" is expected"));
            }
            inner
        } else {
            Expression::Is(self.primitive()?)
        };
        self.depth -= 1;
        Ok(term)
    }

    fn primitive(&mut self) -> Result<Primitive, Wrong> {
        let Some(word) = self.peek() else {
            return Err(self.wrong(&format!("something is missing: one of {PRIMITIVES}")));
        };
        self.next += 1;
        let protocol = match word {
            "ip" => Primitive::Ip,
            "ip6" => Primitive::Ip6,
            "arp" => Primitive::Arp,
            "icmp" => Primitive::Protocol4(ICMP),
            "icmp6" => Primitive::Protocol6(ICMP6),
            "tcp" => return self.transport(TCP),
            "udp" => return self.transport(UDP),
            "vlan" => return self.vlan(),
            "ether" => return self.ether(),
            "less" => return self.number("a number of bytes").map(Primitive::Less),
            "greater" => return self.number("a number of bytes").map(Primitive::Greater),
            _ => {
                self.next -= 1;
                return self.ends(None);
            }
        };
        Ok(protocol)
    }

    /// After `tcp` or `udp`: alone, or with ports.
    fn transport(&mut self, protocol: u8) -> Result<Primitive, Wrong> {
        match self.peek() {
            Some("src" | "dst" | "port" | "portrange") => self.ends(Some(protocol)),
            _ => Ok(Primitive::Protocol(protocol)),
        }
    }

    fn side(&mut self) -> Option<Side> {
        if self.take(&["src"]) { Some(Side::Source) } else { self.take(&["dst"]).then_some(Side::Destination) }
    }

    /// Something that both ends of a conversation have.
    fn ends(&mut self, protocol: Option<u8>) -> Result<Primitive, Wrong> {
        let given = self.side();
        let side = given.unwrap_or(Side::Either);
        let kind = if self.take(&["port"]) {
            Kind::Port(protocol, side)
        } else if self.take(&["portrange"]) {
            Kind::PortRange(protocol, side)
        } else if protocol.is_some() {
            return Err(self.wrong("port or portrange is expected"));
        } else if self.take(&["host"]) {
            Kind::Host(side)
        } else if self.take(&["net"]) {
            Kind::Net(side)
        } else {
            match (given, self.last) {
                (None, Some(last)) => last,
                _ if self.peek().is_some_and(|word| word.parse::<IpAddr>().is_ok()) => Kind::Host(side),
                (Some(_), _) => return Err(self.wrong("host, net, port, portrange or an address is expected")),
                (None, None) => return Err(self.unknown()),
            }
        };
        self.last = Some(kind);
        match kind {
            Kind::Host(side) => self.host(side),
            Kind::Net(side) => self.net(side),
            Kind::Port(protocol, side) => {
                self.number("a port, 0 to 65535,").map(|port| Primitive::Ports(protocol, side, port, port))
            }
            Kind::PortRange(protocol, side) => self.port_range(protocol, side),
        }
    }

    fn unknown(&self) -> Wrong {
        let word = self.peek().unwrap_or_default();
        self.wrong(&format!("{word:?} is unknown: one of {PRIMITIVES} is expected, or an address"))
    }

    /// The next word, as whatever it is to be.
    fn value<T>(&mut self, what: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, Wrong> {
        let value = self.peek().and_then(read).ok_or_else(|| self.wrong(&format!("{what} is expected")))?;
        self.next += 1;
        Ok(value)
    }

    fn number<T: std::str::FromStr>(&mut self, what: &str) -> Result<T, Wrong> {
        self.value(what, |word| word.parse().ok())
    }

    fn host(&mut self, side: Side) -> Result<Primitive, Wrong> {
        let read = |word: &str| word.parse().ok();
        Ok(Primitive::Host(side, self.value("an address, as 198.51.100.1 or 2001:db8::1,", read)?))
    }

    fn net(&mut self, side: Side) -> Result<Primitive, Wrong> {
        let what = "a network, as 198.51.100.0/24 or 2001:db8::/32, with no bits set behind its own";
        let read = |word: &str| word.parse::<IpNet>().ok().filter(|net| net.trunc() == *net);
        Ok(Primitive::Net(side, self.value(what, read)?))
    }

    fn port_range(&mut self, protocol: Option<u8>, side: Side) -> Result<Primitive, Wrong> {
        let read = |word: &str| {
            let (first, last) = word.split_once('-')?;
            Some((first.parse().ok()?, last.parse().ok()?)).filter(|(first, last): &(u16, u16)| first <= last)
        };
        let (first, last) = self.value("a range of ports, as 1000-2000,", read)?;
        Ok(Primitive::Ports(protocol, side, first, last))
    }

    fn ether(&mut self) -> Result<Primitive, Wrong> {
        let side = self.side();
        // "ether src MAC" is short for "ether src host MAC".
        if !self.take(&["host"]) && side.is_none() {
            return Err(self.wrong("host, src or dst is expected after ether"));
        }
        let mac = self.value("a MAC address, as 02:00:00:00:00:01,", mac)?;
        Ok(Primitive::Mac(side.unwrap_or(Side::Either), mac))
    }

    fn vlan(&mut self) -> Result<Primitive, Wrong> {
        match self.peek() {
            Some(word) if word.starts_with(|c: char| c.is_ascii_digit()) => {
                let read = |word: &str| word.parse().ok().filter(|id| *id < 4096);
                self.value("the number of a VLAN, 0 to 4095,", read).map(|id| Primitive::Vlan(Some(id)))
            }
            _ => Ok(Primitive::Vlan(None)),
        }
    }
}

fn mac(word: &str) -> Option<[u8; 6]> {
    let bytes: Option<Vec<u8>> = word.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    bytes?.try_into().ok()
}
