//! What is at the start of every generated payload, by which the receiving side knows a frame.
//!
//! ```text
//!   0      2       4        9        14
//!   │ mark │ check │ number │  time  │ filling ...          big endian, nanoseconds
//! ```
//!
//! Fourteen bytes, so that a VLAN tag, IPv4 and UDP fit in front of it in a frame of 64. The check makes the ones' complement sum of the
//! whole payload 0. A damaged byte never leaves such a sum as it is (RFC 1071), and the payload then adds nothing to the checksum of
//! UDP, which so depends on the headers alone.

use etherparse::checksum::Sum16BitWords;

/// Bytes of a signature.
pub(crate) const LENGTH: usize = 14;

/// Bits of a number. At 15 million frames a second they wrap after 20 hours.
pub(crate) const NUMBER_BITS: u32 = 40;

/// Bits of a time. In nanoseconds they wrap after 18 minutes.
pub(crate) const TIME_BITS: u32 = 40;

/// Bytes of an integer that neither has.
const UPPER: usize = 3;

/// Who a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signature {
    /// Tells trials and ways apart. Not 0.
    pub(crate) mark: u16,
    /// Flow, and number of the frame in it ([`crate::sequence::Numbering`]), of which it has the lower [`NUMBER_BITS`].
    pub(crate) number: u64,
    /// When it left, in nanoseconds, of which it has the lower [`TIME_BITS`].
    pub(crate) time: u64,
}

impl Signature {
    /// Puts it in front of a filling whose sum is given.
    #[inline]
    pub(crate) fn write(self, place: &mut [u8; LENGTH], filling: Sum16BitWords) {
        place[0..2].copy_from_slice(&self.mark.to_be_bytes());
        place[2..4].fill(0);
        place[4..9].copy_from_slice(&self.number.to_be_bytes()[UPPER..]);
        place[9..14].copy_from_slice(&self.time.to_be_bytes()[UPPER..]);
        let check = filling.add_slice(place).ones_complement();
        place[2..4].copy_from_slice(&check.to_ne_bytes());
    }

    /// Reads it, whatever the check says.
    #[inline]
    pub(crate) fn read(payload: &[u8]) -> Option<Signature> {
        let bytes: &[u8; LENGTH] = payload.first_chunk()?;
        let [m0, m1, _, _, n0, n1, n2, n3, n4, t0, t1, t2, t3, t4] = *bytes;
        Some(Signature {
            mark: u16::from_be_bytes([m0, m1]),
            number: u64::from_be_bytes([0, 0, 0, n0, n1, n2, n3, n4]),
            time: u64::from_be_bytes([0, 0, 0, t0, t1, t2, t3, t4]),
        })
    }
}

/// Replaces the time, and corrects the check by the difference (RFC 1624, equation 3) without a look at the filling.
#[inline]
pub(crate) fn stamp(payload: &mut [u8], time: u64) {
    let Some(place) = payload.first_chunk_mut::<LENGTH>() else { return };
    // The sum is of words of two bytes: the time's first one has the last byte of the number, too.
    let without = Sum16BitWords::new()
        .add_2bytes([!place[2], !place[3]])
        .add_2bytes([!place[8], !place[9]])
        .add_4bytes([!place[10], !place[11], !place[12], !place[13]]);
    place[9..14].copy_from_slice(&time.to_be_bytes()[UPPER..]);
    let check = without
        .add_2bytes([place[8], place[9]])
        .add_4bytes([place[10], place[11], place[12], place[13]])
        .ones_complement();
    place[2..4].copy_from_slice(&check.to_ne_bytes());
}

/// Whether no byte of the payload has changed. (Zeros behind it, as a card pads with, do not matter.)
#[inline]
pub(crate) fn is_intact(payload: &[u8]) -> bool {
    Sum16BitWords::new().add_slice(payload).ones_complement() == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn payload(signature: Signature, filling: &[u8]) -> Vec<u8> {
        let mut payload = vec![0xEE; LENGTH];
        let sum = Sum16BitWords::new().add_slice(filling);
        signature.write(payload.first_chunk_mut().unwrap(), sum);
        payload.extend_from_slice(filling);
        payload
    }

    fn signatures() -> impl Strategy<Value = Signature> {
        (1_u16.., 0..1_u64 << NUMBER_BITS, 0..1_u64 << TIME_BITS).prop_map(|(mark, number, time)| Signature {
            mark,
            number,
            time,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(signature in signatures(), filling in prop::collection::vec(any::<u8>(), 0..80)) {
            let payload = payload(signature, &filling);
            prop_assert_eq!(Signature::read(&payload), Some(signature));
            prop_assert!(is_intact(&payload));
        }

        #[test]
        fn another_time_keeps_it_intact(signature in signatures(), times in prop::collection::vec(0..1_u64 << TIME_BITS, 1..4)) {
            let mut payload = payload(signature, b"odd");
            for &time in &times {
                stamp(&mut payload, time);
                prop_assert!(is_intact(&payload));
                prop_assert_eq!(Signature::read(&payload), Some(Signature { time, ..signature }));
            }
        }

        #[test]
        fn every_damaged_byte_is_seen(
            signature in signatures(),
            filling in prop::collection::vec(any::<u8>(), 0..40),
            at in any::<prop::sample::Index>(),
            by in 1_u8..,
        ) {
            let mut payload = payload(signature, &filling);
            let at = at.index(payload.len());
            payload[at] ^= by;
            prop_assert!(!is_intact(&payload));
        }
    }

    #[test]
    fn a_payload_that_is_too_short_has_none() {
        assert_eq!(Signature::read(&[0; LENGTH - 1]), None);
        // Must not panic.
        stamp(&mut [0; LENGTH - 1], 5);
    }
}
