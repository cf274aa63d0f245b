//! Frames for the trials.

use etherparse::PacketBuilder;
use gannet::MacAddress;

/// Who sends them.
pub(crate) const SENDER: MacAddress = [0x02, 0, 0, 0, 0, 0x07];

/// A frame of `len` bytes that carries `number`, and bytes that depend on it everywhere. No protocol that a card knows.
pub(crate) fn numbered(to: MacAddress, number: u32, len: usize) -> Vec<u8> {
    let mut frame = [&to[..], &SENDER, &[0x88, 0xB5], &number.to_be_bytes()].concat();
    frame
        .extend((frame.len()..len).map(|at| (at as u32).wrapping_mul(167).wrapping_add(number.wrapping_mul(59)) as u8));
    frame
}

/// Protocols of flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protocol {
    Tcp4,
    Udp4,
    Tcp6,
    Udp6,
}

impl Protocol {
    pub(crate) const ALL: [Protocol; 4] = [Protocol::Tcp4, Protocol::Udp4, Protocol::Tcp6, Protocol::Udp6];

    pub(crate) fn is_udp(self) -> bool {
        matches!(self, Protocol::Udp4 | Protocol::Udp6)
    }
}

/// Packets from one place to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Flow {
    pub(crate) protocol: Protocol,
    /// Which of many: addresses and ports depend on it.
    pub(crate) number: u16,
}

impl Flow {
    fn ports(self) -> (u16, u16) {
        (1024 + self.number, 7 + self.number % 3)
    }

    fn addresses4(self) -> ([u8; 4], [u8; 4]) {
        let [high, low] = self.number.to_be_bytes();
        ([198, 18, high, low], [198, 19, low, 9])
    }

    fn addresses6(self) -> ([u8; 16], [u8; 16]) {
        let [high, low] = self.number.to_be_bytes();
        let address = |net: u8, host: [u8; 2]| [0x20, 1, 0xD, 0xB8, 0, net, 0, 0, 0, 0, 0, 0, 0, 0, host[0], host[1]];
        (address(1, [high, low]), address(2, [low, 9]))
    }

    /// A frame of this flow with `payload`.
    pub(crate) fn frame(self, to: MacAddress, payload: &[u8]) -> Vec<u8> {
        let ethernet = PacketBuilder::ethernet2(SENDER, to);
        let ((from4, to4), (from6, to6), (from_port, to_port)) = (self.addresses4(), self.addresses6(), self.ports());
        let mut frame = Vec::new();
        let written = match self.protocol {
            Protocol::Tcp4 => ethernet.ipv4(from4, to4, 64).tcp(from_port, to_port, 1, 9).write(&mut frame, payload),
            Protocol::Udp4 => ethernet.ipv4(from4, to4, 64).udp(from_port, to_port).write(&mut frame, payload),
            Protocol::Tcp6 => ethernet.ipv6(from6, to6, 64).tcp(from_port, to_port, 1, 9).write(&mut frame, payload),
            Protocol::Udp6 => ethernet.ipv6(from6, to6, 64).udp(from_port, to_port).write(&mut frame, payload),
        };
        written.expect("a vector takes all");
        frame.resize(frame.len().max(60), 0);
        frame
    }

    /// What a card hashes of its addresses, and of its ports besides (Microsoft's RSS specification): source before destination.
    pub(crate) fn hash_input(self) -> (Vec<u8>, Vec<u8>) {
        let ((from4, to4), (from6, to6), (from_port, to_port)) = (self.addresses4(), self.addresses6(), self.ports());
        let addresses = match self.protocol {
            Protocol::Tcp4 | Protocol::Udp4 => [from4, to4].concat(),
            Protocol::Tcp6 | Protocol::Udp6 => [from6, to6].concat(),
        };
        (addresses, [from_port.to_be_bytes(), to_port.to_be_bytes()].concat())
    }
}
