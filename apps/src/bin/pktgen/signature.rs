//! What is at the start of every generated payload, by which the receiving side knows a frame.
//!
//! ```text
//!   0      2       4      6          10       14
//!   │ mark │ check │ flow │ sequence │  time  │ filling ...          big endian, nanoseconds
//! ```
//!
//! Fourteen bytes, so that a VLAN tag, IPv4 and UDP fit in front of it in a frame of 64. The check makes the ones' complement sum of the
//! whole payload 0. A damaged byte never leaves such a sum as it is (RFC 1071), and the payload then adds nothing to the checksum of
//! UDP, which so depends on the headers alone.

use etherparse::checksum::Sum16BitWords;

/// Bytes of a signature.
pub(crate) const LENGTH: usize = 14;

/// Who a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signature {
    /// Tells trials and ways apart. Not 0.
    pub(crate) mark: u16,
    pub(crate) flow: u16,
    /// Number of the frame in its flow.
    pub(crate) sequence: u32,
    /// When it left, in nanoseconds. It wraps every 4.29 s.
    pub(crate) time: u32,
}

impl Signature {
    /// Puts it in front of a filling whose sum is given.
    #[inline]
    pub(crate) fn write(self, place: &mut [u8; LENGTH], filling: Sum16BitWords) {
        place[0..2].copy_from_slice(&self.mark.to_be_bytes());
        place[2..4].fill(0);
        place[4..6].copy_from_slice(&self.flow.to_be_bytes());
        place[6..10].copy_from_slice(&self.sequence.to_be_bytes());
        place[10..14].copy_from_slice(&self.time.to_be_bytes());
        let check = filling.add_slice(place).ones_complement();
        place[2..4].copy_from_slice(&check.to_ne_bytes());
    }

    /// Reads it, whatever the check says.
    #[inline]
    pub(crate) fn read(payload: &[u8]) -> Option<Signature> {
        let bytes: &[u8; LENGTH] = payload.first_chunk()?;
        let half = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Some(Signature { mark: half(0), flow: half(4), sequence: word(6), time: word(10) })
    }
}

/// Replaces the time, and corrects the check by the difference (RFC 1624, equation 3) without a look at the filling.
#[inline]
pub(crate) fn stamp(payload: &mut [u8], time: u32) {
    let Some(place) = payload.first_chunk_mut::<LENGTH>() else { return };
    let old = [!place[10], !place[11], !place[12], !place[13]];
    let check = Sum16BitWords::new()
        .add_2bytes([!place[2], !place[3]])
        .add_4bytes(old)
        .add_4bytes(time.to_be_bytes())
        .ones_complement();
    place[2..4].copy_from_slice(&check.to_ne_bytes());
    place[10..14].copy_from_slice(&time.to_be_bytes());
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
        (1_u16.., any::<u16>(), any::<u32>(), any::<u32>()).prop_map(|(mark, flow, sequence, time)| Signature {
            mark,
            flow,
            sequence,
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
        fn another_time_keeps_it_intact(signature in signatures(), times in prop::collection::vec(any::<u32>(), 1..4)) {
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
