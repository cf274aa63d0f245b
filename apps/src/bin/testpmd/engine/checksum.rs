//! The Internet checksum (RFC 1071) where it stands in a header.

use etherparse::IpNumber;
use etherparse::checksum::Sum16BitWords;

/// The sum over what TCP, UDP and ICMPv6 put before their header: the addresses (source and destination, next to each other), the
/// protocol, the length (RFC 9293 section 3.1, RFC 8200 section 8.1).
#[inline]
pub(super) fn pseudo_header(addresses: &[u8], protocol: IpNumber, len: usize) -> Sum16BitWords {
    // Of IPv4 or IPv6: the sums of both are of the same numbers, whatever their width.
    Sum16BitWords::new().add_slice(addresses).add_2bytes([0, protocol.0]).add_4bytes((len as u32).to_be_bytes())
}

/// Whether a message is undamaged, whose checksum is in it and over `before` too.
#[inline]
pub(super) fn is_right(before: Sum16BitWords, message: &[u8]) -> bool {
    before.add_slice(message).ones_complement() == 0
}

/// Writes the checksum over `before` and the message at its place `field` in the message, if the message is that long.
#[inline]
pub(super) fn write(before: Sum16BitWords, message: &mut [u8], field: usize) -> Option<()> {
    message.get_mut(field..)?.first_chunk_mut::<2>()?.fill(0);
    let checksum = before.add_slice(message).ones_complement();
    // The sum has its bytes in the order of the message's.
    *message.get_mut(field..)?.first_chunk_mut()? = checksum.to_ne_bytes();
    Some(())
}

/// The checksum after a word of its message has changed (RFC 1624, equation 3).
#[inline]
pub(super) fn after(checksum: [u8; 2], old: [u8; 2], new: [u8; 2]) -> [u8; 2] {
    let sum =
        Sum16BitWords::new().add_2bytes(checksum.map(|byte| !byte)).add_2bytes(old.map(|byte| !byte)).add_2bytes(new);
    sum.ones_complement().to_ne_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071() {
        // Section 3: the words 0001 f203 f4f5 f6f7 sum up to ddf2.
        let mut message = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7, 0xff, 0xff];
        write(Sum16BitWords::new(), &mut message, 8).unwrap();
        assert_eq!(u16::from_be_bytes([message[8], message[9]]), !0xddf2);
        assert!(is_right(Sum16BitWords::new(), &message));
        message[3] ^= 1;
        assert!(!is_right(Sum16BitWords::new(), &message));
        assert_eq!(write(Sum16BitWords::new(), &mut message, 9), None);
    }

    #[test]
    fn the_example_of_rfc_1624() {
        // Section 4: a word changes from 5555 to 3285, and the checksum from dd2f to 0000.
        assert_eq!(after([0xdd, 0x2f], [0x55, 0x55], [0x32, 0x85]), [0, 0]);
    }
}
