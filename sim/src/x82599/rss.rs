//! Receive side scaling: the Toeplitz hash, and the queue that it chooses (datasheet 7.1.2.8).

use gannet_spec::x82599::desc::{rss_type, rx_type};
use gannet_spec::x82599::regs::{self, Mrqc};

use super::classify::Class;
use super::core::Core;

/// Bytes of the key.
const KEY: usize = 40;
/// Most bytes that are hashed: two IPv6 addresses and two ports.
const INPUT: usize = 36;
/// Entries of the redirection table.
const ENTRIES: usize = 128;

/// The Toeplitz hash, one table look-up a byte.
pub(super) struct Toeplitz {
    key: [u8; KEY],
    /// What each value of the byte at each position adds to the hash.
    tables: Box<[[u32; 256]; INPUT]>,
}

impl Default for Toeplitz {
    fn default() -> Toeplitz {
        Toeplitz { key: [0; KEY], tables: Box::new([[0; 256]; INPUT]) }
    }
}

impl Toeplitz {
    /// Sets the key; the tables are made anew if it is another one.
    fn set_key(&mut self, key: [u8; KEY]) {
        if key == self.key {
            return;
        }
        self.key = key;
        for (position, table) in self.tables.iter_mut().enumerate() {
            // The 40 key bits that begin at this byte: a window of 32 of them for each of its 8 bits.
            let mut bytes = [0; 8];
            bytes[..5].copy_from_slice(&key[position..position + 5]);
            let bits = u64::from_be_bytes(bytes);
            for (value, entry) in table.iter_mut().enumerate() {
                *entry = (0..8)
                    .filter(|bit| value & 0x80 >> bit != 0)
                    .fold(0, |hash, bit| hash ^ (bits << bit >> 32) as u32);
            }
        }
    }

    /// The hash of `addresses` followed by `ports`, together at most 36 bytes.
    #[inline(always)]
    fn hash(&self, addresses: &[u8], ports: &[u8]) -> u32 {
        let (for_addresses, for_ports) = self.tables.split_at(addresses.len().min(INPUT));
        let mut hash = 0;
        for (byte, table) in addresses.iter().zip(for_addresses) {
            hash ^= table[usize::from(*byte)];
        }
        for (byte, table) in ports.iter().zip(for_ports) {
            hash ^= table[usize::from(*byte)];
        }
        hash
    }
}

/// What the card does with frames when RSS is on.
pub(super) struct Rss {
    toeplitz: Toeplitz,
    fields: Mrqc,
    queues: [u8; ENTRIES],
    on: bool,
}

impl Default for Rss {
    fn default() -> Rss {
        Rss { toeplitz: Toeplitz::default(), fields: Mrqc::new(), queues: [0; ENTRIES], on: false }
    }
}

impl Rss {
    /// Takes over what the registers say.
    pub(super) fn load(&mut self, core: &Core) {
        self.fields = core.get(regs::MRQC);
        self.on = self.fields.mode() == 1;
        if !self.on {
            return;
        }
        let mut key = [0; KEY];
        for (index, bytes) in key.chunks_exact_mut(4).enumerate() {
            bytes.copy_from_slice(&core.get_at(regs::RSSRK, index as u32).to_le_bytes());
        }
        self.toeplitz.set_key(key);
        for (index, queues) in self.queues.chunks_exact_mut(4).enumerate() {
            queues.copy_from_slice(&core.get_at(regs::RETA, index as u32).to_le_bytes());
        }
    }

    /// Queue, RSS type and hash of a frame; queue 0 and no hash if nothing of it is to be hashed.
    #[inline(always)]
    pub(super) fn steer(&self, class: &Class, frame: &[u8]) -> (u8, u32, u32) {
        if !self.on {
            return (0, rss_type::NONE, 0);
        }
        let (kind, with_ports) = self.kind(class);
        if kind == rss_type::NONE {
            return (0, rss_type::NONE, 0);
        }
        let ports = if with_ports { class.ports(frame) } else { &[] };
        let hash = self.toeplitz.hash(class.addresses(frame), ports);
        (self.queues[hash as usize % ENTRIES], kind, hash)
    }

    #[inline(always)]
    fn kind(&self, class: &Class) -> (u32, bool) {
        let fields = self.fields;
        // With extension headers only the addresses are hashed: the "ex" types are not modelled.
        let simple = !class.is(rx_type::IPV6_EXT);
        if class.is(rx_type::IPV4 | rx_type::TCP) && fields.ipv4_tcp() {
            (rss_type::IPV4_TCP, true)
        } else if class.is(rx_type::IPV4 | rx_type::UDP) && fields.ipv4_udp() {
            (rss_type::IPV4_UDP, true)
        } else if class.is(rx_type::IPV4) && fields.ipv4() {
            (rss_type::IPV4, false)
        } else if class.is(rx_type::IPV6 | rx_type::TCP) && fields.ipv6_tcp() && simple {
            (rss_type::IPV6_TCP, true)
        } else if class.is(rx_type::IPV6 | rx_type::UDP) && fields.ipv6_udp() && simple {
            (rss_type::IPV6_UDP, true)
        } else if class.is(rx_type::IPV6) && fields.ipv6() {
            (rss_type::IPV6, false)
        } else {
            (rss_type::NONE, false)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    /// Key of "Verifying the RSS Hash Calculation" (Microsoft, NDIS documentation).
    const PUBLISHED_KEY: [u8; KEY] = [
        0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca,
        0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b,
        0xbe, 0xac, 0x01, 0xfa,
    ];

    /// Source, destination, hash of the addresses, hash with ports.
    const PUBLISHED: [(&str, u16, &str, u16, u32, u32); 8] = [
        ("66.9.149.187", 2794, "161.142.100.80", 1766, 0x323e_8fc2, 0x51cc_c178),
        ("199.92.111.2", 14230, "65.69.140.83", 4739, 0xd718_262a, 0xc626_b0ea),
        ("24.19.198.95", 12898, "12.22.207.184", 38024, 0xd2d0_a5de, 0x5c2b_394a),
        ("38.27.205.30", 48228, "209.142.163.6", 2217, 0x8298_9176, 0xafc7_327f),
        ("153.39.163.191", 44251, "202.188.127.2", 1303, 0x5d18_09c5, 0x10e8_28a2),
        ("3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766, 0x2cc1_8cd5, 0x4020_7d3d),
        ("3ffe:501:8::260:97ff:fe40:efab", 14230, "ff02::1", 4739, 0x0f0c_461c, 0xdde5_1bbf),
        ("3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, "fe80::200:f8ff:fe21:67cf", 38024, 0x4b61_e985, 0x02d1_feef),
    ];

    fn octets(address: &str) -> Vec<u8> {
        match address.parse().unwrap() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        }
    }

    #[test]
    fn the_hash_is_the_published_one() {
        let mut toeplitz = Toeplitz::default();
        toeplitz.set_key(PUBLISHED_KEY);
        for (source, source_port, destination, destination_port, of_addresses, with_ports) in PUBLISHED {
            let addresses = [octets(source), octets(destination)].concat();
            let ports = [source_port.to_be_bytes(), destination_port.to_be_bytes()].concat();
            assert_eq!(toeplitz.hash(&addresses, &[]), of_addresses, "{source}");
            assert_eq!(toeplitz.hash(&addresses, &ports), with_ports, "{source}");
        }
    }
}
