//! ARP (RFC 826).

use super::{Host, Verdict, is_group};
use crate::engine::drops;

/// Length of a message about Ethernet and IPv4 addresses.
const LEN: usize = 28;

/// Hardware and protocol, lengths of their addresses, operation: of a request, and of the reply.
const REQUEST: [u8; 8] = [0, 1, 0x08, 0x00, 6, 4, 0, 1];
const REPLY: [u8; 8] = [0, 1, 0x08, 0x00, 6, 4, 0, 2];

const BROADCAST: [u8; 6] = [0xff; 6];

impl Host {
    /// Turns a request for this host's address into the reply. One without a sender's IPv4 address, which asks whether the address is
    /// taken (RFC 5227), gets it too.
    pub(super) fn answer_arp(&self, frame: &mut [u8], at: usize) -> Verdict {
        if frame[..6] != BROADCAST && frame[..6] != self.mac {
            return Err(&drops::NOT_OURS);
        }
        let message = frame[at..].first_chunk_mut::<LEN>().ok_or(&drops::MALFORMED)?;
        if message[..8] != REQUEST {
            return Err(&drops::UNSUPPORTED);
        }
        if message[24..] != self.ipv4.octets() {
            return Err(&drops::NOT_OURS);
        }
        let sender = *message[8..].first_chunk::<6>().ok_or(&drops::MALFORMED)?;
        if is_group(&sender) {
            return Err(&drops::MALFORMED);
        }
        message[..8].copy_from_slice(&REPLY);
        // Who asked is now who is answered.
        message.copy_within(8..18, 18);
        message[8..14].copy_from_slice(&self.mac);
        message[14..18].copy_from_slice(&self.ipv4.octets());
        self.address(frame, sender);
        Ok(())
    }
}
