//! Why l2fwd itself drops packets. What cards, queues and cables drop they count themselves.

use gannet_mempool::Reason;

/// Where they are dropped.
pub(crate) const PLACE: &str = "l2fwd";

/// Their way out is gone.
pub(crate) static ABANDONED: Reason =
    Reason::new(PLACE, "abandoned", "the port that they were to be sent on had been given up");

/// The program ends first.
pub(crate) static LATE: Reason =
    Reason::new(PLACE, "late", "no room in the transmit ring, whose link was down or slow, before the program ended");

/// A packet that is to be changed shares its buffer.
pub(crate) static NO_COPY: Reason =
    Reason::new(PLACE, "no_copy", "shared with others, and no free buffer to change the addresses in");

/// Has them be listed before the first packet.
pub(crate) fn register() {
    [&ABANDONED, &LATE, &NO_COPY].into_iter().for_each(Reason::register);
}
