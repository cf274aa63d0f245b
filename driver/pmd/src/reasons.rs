//! Why the drivers drop packets, as the registry lists it ([`gannet_mempool::registry::drops`]): all ports together.
//!
//! Each drop also counts in a queue's own counters ([`crate::stats`]), of which some are the sum of several reasons.

use gannet_mempool::Reason;

pub(crate) static RX_NO_BUFFER: Reason =
    Reason::new("rx", "no_buffer", "Dropped in the receive ring: the pool had no buffer to replace theirs.");
pub(crate) static RX_OVERSIZE: Reason =
    Reason::new("rx", "oversize", "Longer than a receive buffer, or than the MTU's.");
pub(crate) static RX_DAMAGED: Reason = Reason::new("rx", "damaged", "Marked as damaged by the card.");
pub(crate) static RX_NONSENSE: Reason =
    Reason::new("rx", "nonsense", "Receive descriptors with an impossible content.");

pub(crate) static TX_LENGTH: Reason =
    Reason::new("tx", "length", "Shorter than the cards can pad, or longer than the MTU allows.");
pub(crate) static TX_SEGMENTS: Reason = Reason::new("tx", "segments", "In more segments than a ring takes at a time.");
pub(crate) static TX_UNREACHABLE: Reason =
    Reason::new("tx", "unreachable", "In memory that the card cannot reach, and the bounce pool could not take them.");
pub(crate) static TX_UNSENT: Reason =
    Reason::new("tx", "unsent", "Handed to the card, and not sent when the queue was stopped.");
