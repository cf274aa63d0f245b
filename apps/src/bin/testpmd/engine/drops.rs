//! Why engines drop packets. What cards, queues and cables drop they count themselves.

use gannet_mempool::Reason;

/// Where they are dropped.
const PLACE: &str = "testpmd";

/// Their way out is gone.
pub(crate) static ABANDONED: Reason =
    Reason::new(PLACE, "abandoned", "the port that they were to be sent on had been given up");

/// Forwarding ends first.
pub(crate) static LATE: Reason = Reason::new(
    PLACE,
    "late",
    "not sent yet when forwarding ended: no room in the transmit ring, or held back by the engine",
);

/// A packet that is to be changed cannot be.
pub(crate) static NO_BUFFER: Reason =
    Reason::new(PLACE, "no_buffer", "no free buffer to change a shared packet in, or none that is long enough");

/// Received, and that was all.
pub(crate) static RECEIVED: Reason =
    Reason::new(PLACE, "received", "what the engines rxonly and flowgen have received and counted");

/// A header that lies.
pub(crate) static MALFORMED: Reason =
    Reason::new(PLACE, "malformed", "cut short, or a field has a value that it must not have");

/// A damaged header or message.
pub(crate) static BAD_CHECKSUM: Reason = Reason::new(PLACE, "bad_checksum", "a checksum is wrong");

/// Somebody else's.
pub(crate) static NOT_OURS: Reason = Reason::new(PLACE, "not_ours", "for another address than the engine icmpecho has");

/// Not what the engine speaks.
pub(crate) static UNSUPPORTED: Reason = Reason::new(
    PLACE,
    "unsupported",
    "neither an ARP request, an echo request nor a neighbour solicitation, or with IP options or extension headers",
);

/// Parts of packets.
pub(crate) static FRAGMENT: Reason =
    Reason::new(PLACE, "fragment", "a fragment: the engine icmpecho puts none together");

/// Has them be listed before the first packet.
pub(crate) fn register() {
    [&ABANDONED, &LATE, &NO_BUFFER, &RECEIVED, &MALFORMED, &BAD_CHECKSUM, &NOT_OURS, &UNSUPPORTED, &FRAGMENT]
        .into_iter()
        .for_each(Reason::register);
}
