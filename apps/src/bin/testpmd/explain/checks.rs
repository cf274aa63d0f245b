//! What can be wrong with a port, each a check of its own, in the order of a packet's way.

use gannet::FRAME_OVERHEAD;

use super::{Evidence, Finding};

/// A check: what is wrong and what mends it, if it is.
type Check = fn(&Evidence) -> Option<(String, String)>;

/// Checks of what concerns one port.
const OF_PORT: &[Check] = &[
    lost,
    not_started,
    panicked,
    link_down,
    damaged_on_the_wire,
    filtered,
    maybe_filtered,
    no_descriptor,
    no_buffers,
    too_long,
    nonsense,
    refused_by_iommu,
    unreachable,
    not_sendable,
    stuck,
    finished,
];

/// Everything that is wrong.
pub(super) fn all(evidence: &Evidence) -> Vec<Finding> {
    let stopped = not_forwarding(evidence).map(|(what, remedy)| Finding { port: None, what, remedy });
    let of_port = OF_PORT.iter().filter_map(|check| check(evidence));
    let of_port = of_port.map(|(what, remedy)| Finding { port: Some(evidence.port), what, remedy });
    stopped.into_iter().chain(of_port).collect()
}

fn finding(what: impl Into<String>, remedy: impl Into<String>) -> Option<(String, String)> {
    Some((what.into(), remedy.into()))
}

fn not_forwarding(evidence: &Evidence) -> Option<(String, String)> {
    if evidence.is_forwarding {
        return None;
    }
    match evidence.peer {
        Some(peer) if peer.is_held => {
            finding("forwarding is stopped, and the peers of software cards are held", "start")
        }
        _ => finding("forwarding is stopped", "start"),
    }
}

fn lost(evidence: &Evidence) -> Option<(String, String)> {
    let reason = evidence.lost.as_ref()?;
    finding(format!("the port is lost: {reason}"), "quit, and run testpmd again when the card is back (nicctl list)")
}

fn not_started(evidence: &Evidence) -> Option<(String, String)> {
    if evidence.is_started || evidence.lost.is_some() {
        return None;
    }
    finding("the port is stopped", format!("start port {}", evidence.port))
}

fn panicked(evidence: &Evidence) -> Option<(String, String)> {
    let what = evidence.panicked.as_ref().filter(|_| evidence.is_started)?;
    let stop = if evidence.is_forwarding { "stop, " } else { "" };
    finding(what, format!("{stop}stop port {0}, start port {0}; report it as a bug", evidence.port))
}

/// Whether frames could pass if nothing were wrong.
fn is_running(evidence: &Evidence) -> bool {
    evidence.is_started && evidence.is_linked
}

fn link_down(evidence: &Evidence) -> Option<(String, String)> {
    if !evidence.is_started || evidence.is_linked {
        return None;
    }
    finding("the link is down", "plug the cable in, and have its other end up and at the same speed")
}

fn damaged_on_the_wire(evidence: &Evidence) -> Option<(String, String)> {
    let card = &evidence.now.card;
    let damaged = card.rx_crc_errors + card.rx_errors + card.rx_undersize + card.rx_oversize;
    if damaged == 0 {
        return None;
    }
    finding(
        format!(
            "{damaged} frames arrived damaged: {} with a wrong FCS, {} too short, {} too long",
            card.rx_crc_errors, card.rx_undersize, card.rx_oversize
        ),
        format!(
            "another cable or transceiver; for those that are too long, the same MTU at both ends ({} here: set port {} mtu)",
            evidence.mtu, evidence.port
        ),
    )
}

/// Frames that have come out of the cable since the port was opened, as far as the card has counted them.
fn arrived(evidence: &Evidence) -> u64 {
    let card = &evidence.total.card;
    card.rx_packets + card.rx_missed + card.rx_no_descriptor + card.rx_crc_errors + card.rx_errors + card.rx_undersize
}

fn filtered(evidence: &Evidence) -> Option<(String, String)> {
    let peer = evidence.peer.filter(|peer| !peer.is_impaired && !evidence.is_promiscuous)?;
    let filtered = peer.offered.saturating_sub(arrived(evidence));
    if filtered == 0 {
        return None;
    }
    finding(
        format!(
            "{filtered} frames of the peer did not pass the filter: they are for other addresses than the port takes"
        ),
        format!("set port {0} promiscuous on, or set port {0} mac-filter add MAC", evidence.port),
    )
}

/// A card does not count what its filter keeps away.
fn maybe_filtered(evidence: &Evidence) -> Option<(String, String)> {
    if evidence.peer.is_some() || evidence.is_promiscuous || !is_running(evidence) || arrived(evidence) > 0 {
        return None;
    }
    finding(
        "no frame has arrived, and the port takes only those for its own addresses",
        format!(
            "set port {} promiscuous on, or have the other end send to the address in show port {0}",
            evidence.port
        ),
    )
}

fn no_descriptor(evidence: &Evidence) -> Option<(String, String)> {
    let card = &evidence.now.card;
    let lost = card.rx_missed + card.rx_no_descriptor;
    if lost == 0 {
        return None;
    }
    let port = evidence.port;
    let what = format!("{lost} frames found no descriptor: the queue was not polled in time");
    match evidence.is_forwarding {
        true => finding(
            what,
            format!(
                "more cores (--cores) and queues, or a larger ring: stop, stop port {port}, set port {port} ring 4096"
            ),
        ),
        false => finding(what, "start: nobody polls the queue"),
    }
}

fn no_buffers(evidence: &Evidence) -> Option<(String, String)> {
    let times = evidence.now.rx_sum(|queue| queue.no_buffers);
    if times == 0 {
        return None;
    }
    let drops = evidence.now.rx_sum(|queue| queue.no_buffer_drops);
    let pool = evidence.pool;
    let now = if pool.is_short { "and is short of them now" } else { "but has enough of them now" };
    finding(
        format!(
            "the pool had no buffer {times} times, {drops} frames were dropped for it; it has {} of {} free, {now}",
            pool.free, pool.total
        ),
        "quit, and run testpmd with more --buffers; show pool says where they are",
    )
}

fn too_long(evidence: &Evidence) -> Option<(String, String)> {
    let frames = evidence.now.rx_sum(|queue| queue.oversize);
    if frames == 0 {
        return None;
    }
    finding(format!("{frames} frames did not fit in one buffer"), "quit, and run testpmd with a larger --buffer-size")
}

fn nonsense(evidence: &Evidence) -> Option<(String, String)> {
    let frames = evidence.now.rx_sum(|queue| queue.damaged + queue.nonsense);
    if frames == 0 {
        return None;
    }
    let port = evidence.port;
    finding(
        format!("{frames} descriptors of the card said that the frame is damaged, or made no sense"),
        format!("stop, stop port {port}, start port {port}; if it goes on, the card or its slot is broken"),
    )
}

fn refused_by_iommu(evidence: &Evidence) -> Option<(String, String)> {
    let last = evidence.faults.last()?;
    let port = evidence.port;
    finding(
        format!("the IOMMU has refused {} accesses of the card, the last: {last}", evidence.faults.len()),
        format!("stop, stop port {port}, start port {port}; if it goes on, report it as a bug"),
    )
}

fn unreachable(evidence: &Evidence) -> Option<(String, String)> {
    let packets = evidence.now.tx_sum(|queue| queue.unmapped);
    if packets == 0 {
        return None;
    }
    finding(
        format!("{packets} packets were not sent: the card cannot reach their memory"),
        "a bug of the engine: its packets must be of the pool that show pool names",
    )
}

fn not_sendable(evidence: &Evidence) -> Option<(String, String)> {
    let packets = evidence.now.tx_sum(|queue| queue.invalid);
    if packets == 0 {
        return None;
    }
    finding(
        format!(
            "{packets} packets were not sent: shorter than 17 bytes, longer than {}, or in more than 32 pieces",
            evidence.mtu + FRAME_OVERHEAD
        ),
        format!(
            "packets of another length, or the same MTU here and where they come from ({} here: set port {} mtu)",
            evidence.mtu, evidence.port
        ),
    )
}

/// Buffers in a transmit ring while none has left it between two looks. (What fills it from behind hides nothing: a ring that sends is
/// never at rest.)
fn stuck(evidence: &Evidence) -> Option<(String, String)> {
    if !evidence.is_forwarding || !is_running(evidence) {
        return None;
    }
    let mut rings = evidence.before.tx.iter().zip(&evidence.now.tx).zip(0..);
    let ((before, now), queue) = rings
        .find(|((before, now), _)| now.in_ring > 0 && now.in_ring == before.in_ring && now.packets == before.packets)?;
    let sent = evidence.now.card.tx_packets > evidence.before.card.tx_packets;
    if sent {
        return None;
    }
    let port = evidence.port;
    let full = if now.full > before.full { ", and it is full" } else { "" };
    finding(
        format!("the card sends nothing: {} packets stay in the ring of transmit queue {queue}{full}", now.in_ring),
        format!(
            "stop, stop port {port}, start port {port}; the other end may hold it with pause frames (show port {port} xstats)"
        ),
    )
}

fn finished(evidence: &Evidence) -> Option<(String, String)> {
    let peer = evidence.peer.filter(|peer| peer.is_finished && evidence.is_forwarding)?;
    finding(
        format!("the peer has sent all that it had, {} frames", peer.offered),
        "quit, and name the port without count=, or with a longer capture",
    )
}
