//! Checksums that the card verifies and inserts: the Internet's, Ethernet's FCS, SCTP's CRC32c.

/// Sum of 16-bit words as they lie in memory, for [`fold`]. It may be added up from pieces that start at even offsets.
#[inline(always)]
pub(super) fn sum(bytes: &[u8]) -> u64 {
    let mut sum = 0_u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let (added, carry) = sum.overflowing_add(u64::from_ne_bytes(*word));
        sum = added + u64::from(carry);
    }
    sum = (sum >> 32) + (sum & 0xFFFF_FFFF);
    let (pairs, odd) = rest.as_chunks::<2>();
    for pair in pairs {
        sum += u64::from(u16::from_ne_bytes(*pair));
    }
    match odd {
        [last] => sum + u64::from(u16::from_ne_bytes([*last, 0])),
        _ => sum,
    }
}

/// A number as it would lie in memory in network order, for adding to a [`sum`].
#[inline(always)]
pub(super) fn word(value: u16) -> u64 {
    u64::from(value.to_be())
}

/// The one's complement sum in 16 bits, in memory order. All ones if a checksum is part of the sum and right (RFC 1071).
#[inline(always)]
pub(super) fn fold(sum: u64) -> u16 {
    // A sum is below 2^48: it holds a few 33-bit sums.
    let sum = (sum >> 32) + (sum & 0xFFFF_FFFF);
    let sum = (sum >> 16) + (sum & 0xFFFF);
    let sum = (sum >> 16) + (sum & 0xFFFF);
    ((sum >> 16) + (sum & 0xFFFF)) as u16
}

/// A CRC with reflected polynomial, byte by byte.
struct Crc([u32; 256]);

impl Crc {
    const fn new(polynomial: u32) -> Crc {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut crc = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 != 0 { crc >> 1 ^ polynomial } else { crc >> 1 };
                bit += 1;
            }
            table[byte] = crc;
            byte += 1;
        }
        Crc(table)
    }

    fn of(&self, pieces: [&[u8]; 3]) -> u32 {
        let step = |crc: u32, byte: &u8| crc >> 8 ^ self.0[usize::from(crc as u8 ^ byte)];
        !pieces.into_iter().flatten().fold(u32::MAX, step)
    }
}

/// The FCS of a frame, as it goes over the wire.
#[inline(never)]
pub(super) fn fcs(frame: &[u8]) -> [u8; 4] {
    static CRC32: Crc = Crc::new(0xEDB8_8320);
    CRC32.of([frame, &[], &[]]).to_le_bytes()
}

/// Where the checksum lies in a SCTP header (RFC 9260, 3.1).
const SCTP_CHECKSUM: usize = 8;

/// The checksum of a SCTP packet, whatever its own field holds; `None` if it has no whole header.
#[inline(never)]
pub(super) fn sctp(packet: &[u8]) -> Option<[u8; 4]> {
    static CRC32C: Crc = Crc::new(0x82F6_3B78);
    let (head, rest) = packet.split_at_checked(SCTP_CHECKSUM)?;
    Some(CRC32C.of([head, &[0; 4], rest.get(4..)?]).to_le_bytes())
}

/// Whether a SCTP packet's checksum is right.
#[inline(never)]
pub(super) fn sctp_is_right(packet: &[u8]) -> bool {
    sctp(packet).is_some_and(|right| packet[SCTP_CHECKSUM..].starts_with(&right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crcs_give_their_published_check_values() {
        assert_eq!(fcs(b"123456789"), 0xCBF4_3926_u32.to_le_bytes());
        static CRC32C: Crc = Crc::new(0x82F6_3B78);
        assert_eq!(CRC32C.of([b"123", b"456", b"789"]), 0xE306_9283);
    }

    #[test]
    fn the_example_of_rfc_1071_adds_up() {
        let bytes = [0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7];
        assert_eq!(fold(sum(&bytes)), 0xDDF2_u16.to_be());
        assert_eq!(fold(sum(&bytes) + word(0x220D)), 0xFFFF);
        assert_eq!(fold(sum(&bytes[..3])), fold(word(0x0001) + word(0xF200)));
        let long: Vec<u8> = (0..1501_u32).map(|at| (at * 7) as u8).collect();
        for cut in (0..1500).step_by(2) {
            let (head, tail) = long.split_at(cut);
            assert_eq!(fold(sum(head) + sum(tail)), fold(sum(&long)));
        }
        assert_eq!(fold(sum(&[0xFF; 1500])), 0xFFFF);
    }
}
