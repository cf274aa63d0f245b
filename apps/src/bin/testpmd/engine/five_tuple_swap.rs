//! Sends every datagram to where it came from: MAC addresses, IP addresses and ports swapped. Checksums stay right by themselves, as a sum
//! does not depend on the order of its words.

use etherparse::IpNumber;

use super::headers::{self, Part};
use super::{Engine, Stream, drops};

/// The engine.
pub(super) struct FiveTupleSwap;

impl Engine for FiveTupleSwap {
    fn turn(&mut self, stream: &mut Stream) -> usize {
        let received = stream.receive();
        stream.edit(received, |packet| {
            swap(packet.data_mut().map_err(|_| &drops::NO_BUFFER)?);
            Ok(())
        });
        received + stream.send()
    }
}

/// Swaps what the frame has of the five.
#[inline]
fn swap(frame: &mut [u8]) {
    swap_halves(frame.get_mut(..12));
    let Some(ip) = headers::ip(frame) else { return };
    swap_halves(frame.get_mut(ip.addresses));
    if matches!(ip.protocol, IpNumber::TCP | IpNumber::UDP) && ip.part != Part::Later {
        swap_halves(frame[ip.payload].get_mut(..4));
    }
}

#[inline]
fn swap_halves(bytes: Option<&mut [u8]>) {
    if let Some(bytes) = bytes {
        let (one, other) = bytes.split_at_mut(bytes.len() / 2);
        one.swap_with_slice(other);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::csum::mend;
    use crate::engine::examples::{self, Example};

    #[test]
    fn everything_is_swapped_and_checksums_stay_right() {
        for mut example in examples::whole() {
            mend(&mut example.frame);
            let before = example.clone();
            swap(&mut example.frame);
            let [macs, addresses, ports] = before.flow();
            let turned = |[source, destination]: [Vec<u8>; 2]| [destination, source];
            let has_ports = matches!(example.protocol, IpNumber::TCP | IpNumber::UDP);
            let ports = if has_ports { turned(ports) } else { ports };
            assert_eq!(example.flow(), [turned(macs), turned(addresses), ports], "{}", example.name);
            assert!(example.ip_checksum_is_right() && example.checksum_is_right(), "{}", example.name);
            swap(&mut example.frame);
            assert_eq!(example.frame, before.frame, "{}", example.name);
        }
    }

    #[test]
    fn only_the_first_fragment_has_ports() {
        for (offset, has_ports) in [(0x2000, true), (0x2001, false), (0x0001, false)] {
            let packet = examples::ipv4(&[], offset, IpNumber::UDP, &examples::udp(b"a part"));
            let mut example = Example::new("fragment", &[], packet);
            let before = example.flow();
            swap(&mut example.frame);
            let after = example.flow();
            assert_ne!(after[..2], before[..2]);
            assert_eq!(after[2] != before[2], has_ports, "{offset:#x}");
        }
    }

    proptest! {
        #[test]
        fn twice_is_not_at_all_for_any_bytes(mut frame in examples::garbage()) {
            let before = frame.clone();
            swap(&mut frame);
            swap(&mut frame);
            prop_assert_eq!(frame, before);
        }
    }
}
