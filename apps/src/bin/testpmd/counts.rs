//! What ports have counted: the counters by name, and the difference of two looks at them.

use gannet::{PortStats, RxQueueStats, TxQueueStats};

/// What a port and its queues have counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    pub(crate) card: PortStats,
    pub(crate) rx: Vec<RxQueueStats>,
    pub(crate) tx: Vec<TxQueueStats>,
}

/// A counter: its name, and where it is.
type Field<S> = (&'static str, fn(&mut S) -> &mut u64);

/// The counters of a card.
const CARD: &[Field<PortStats>] = &[
    ("rx_packets", |card| &mut card.rx_packets),
    ("rx_bytes", |card| &mut card.rx_bytes),
    ("rx_broadcast", |card| &mut card.rx_broadcast),
    ("rx_multicast", |card| &mut card.rx_multicast),
    ("rx_missed", |card| &mut card.rx_missed),
    ("rx_no_descriptor", |card| &mut card.rx_no_descriptor),
    ("rx_crc_errors", |card| &mut card.rx_crc_errors),
    ("rx_errors", |card| &mut card.rx_errors),
    ("rx_undersize", |card| &mut card.rx_undersize),
    ("rx_oversize", |card| &mut card.rx_oversize),
    ("rx_checksum_errors", |card| &mut card.rx_checksum_errors),
    ("rx_size_64", |card| &mut card.rx_sizes[0]),
    ("rx_size_65_127", |card| &mut card.rx_sizes[1]),
    ("rx_size_128_255", |card| &mut card.rx_sizes[2]),
    ("rx_size_256_511", |card| &mut card.rx_sizes[3]),
    ("rx_size_512_1023", |card| &mut card.rx_sizes[4]),
    ("rx_size_1024", |card| &mut card.rx_sizes[5]),
    ("tx_packets", |card| &mut card.tx_packets),
    ("tx_bytes", |card| &mut card.tx_bytes),
    ("tx_broadcast", |card| &mut card.tx_broadcast),
    ("tx_multicast", |card| &mut card.tx_multicast),
    ("tx_size_64", |card| &mut card.tx_sizes[0]),
    ("tx_size_65_127", |card| &mut card.tx_sizes[1]),
    ("tx_size_128_255", |card| &mut card.tx_sizes[2]),
    ("tx_size_256_511", |card| &mut card.tx_sizes[3]),
    ("tx_size_512_1023", |card| &mut card.tx_sizes[4]),
    ("tx_size_1024", |card| &mut card.tx_sizes[5]),
    ("rx_pause", |card| &mut card.rx_pause),
    ("tx_pause", |card| &mut card.tx_pause),
    ("link_faults", |card| &mut card.link_faults),
];

/// The counters of a receive queue. What is in its ring is none.
const RX: &[Field<RxQueueStats>] = &[
    ("packets", |queue| &mut queue.packets),
    ("bytes", |queue| &mut queue.bytes),
    ("oversize", |queue| &mut queue.oversize),
    ("damaged", |queue| &mut queue.damaged),
    ("nonsense", |queue| &mut queue.nonsense),
    ("no_buffers", |queue| &mut queue.no_buffers),
    ("no_buffer_drops", |queue| &mut queue.no_buffer_drops),
];

/// The counters of a transmit queue. What is in its ring is none.
const TX: &[Field<TxQueueStats>] = &[
    ("packets", |queue| &mut queue.packets),
    ("bytes", |queue| &mut queue.bytes),
    ("unmapped", |queue| &mut queue.unmapped),
    ("invalid", |queue| &mut queue.invalid),
    ("full", |queue| &mut queue.full),
    ("unsent", |queue| &mut queue.unsent),
];

/// `now` less what it was `before`.
fn difference<S: Copy>(fields: &[Field<S>], now: &S, before: &S) -> S {
    let (mut now, mut before) = (*now, *before);
    for (_, field) in fields {
        let counter = field(&mut now);
        *counter = counter.saturating_sub(*field(&mut before));
    }
    now
}

/// The same for queues. One that was not there before has counted from 0.
fn differences<S: Copy + Default>(fields: &[Field<S>], now: &[S], before: &[S]) -> Vec<S> {
    let before = before.iter().copied().chain(std::iter::repeat_with(S::default));
    now.iter().zip(before).map(|(now, before)| difference(fields, now, &before)).collect()
}

fn named<S: Copy>(fields: &[Field<S>], stats: &S) -> Vec<(&'static str, u64)> {
    let mut stats = *stats;
    fields.iter().map(|(name, field)| (*name, *field(&mut stats))).collect()
}

impl Counts {
    /// What has been counted since `before`.
    pub(crate) fn since(&self, before: &Counts) -> Counts {
        Counts {
            card: difference(CARD, &self.card, &before.card),
            rx: differences(RX, &self.rx, &before.rx),
            tx: differences(TX, &self.tx, &before.tx),
        }
    }

    /// All counters by name: the card's, then those of the queues as `rx0.packets`.
    pub(crate) fn named(&self) -> Vec<(String, u64)> {
        let card = named(CARD, &self.card).into_iter().map(|(name, value)| (name.to_owned(), value));
        let rx = self.rx.iter().enumerate().flat_map(|(queue, stats)| {
            named(RX, stats).into_iter().map(move |(name, value)| (format!("rx{queue}.{name}"), value))
        });
        let tx = self.tx.iter().enumerate().flat_map(|(queue, stats)| {
            named(TX, stats).into_iter().map(move |(name, value)| (format!("tx{queue}.{name}"), value))
        });
        card.chain(rx).chain(tx).collect()
    }

    /// A counter of all receive queues together.
    pub(crate) fn rx_sum(&self, counter: impl Fn(&RxQueueStats) -> u64) -> u64 {
        self.rx.iter().map(counter).sum()
    }

    /// A counter of all transmit queues together.
    pub(crate) fn tx_sum(&self, counter: impl Fn(&TxQueueStats) -> u64) -> u64 {
        self.tx.iter().map(counter).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_leaves_what_is_in_the_rings() {
        let stats = |packets, in_ring| {
            let mut stats = RxQueueStats::default();
            (stats.packets, stats.in_ring) = (packets, in_ring);
            stats
        };
        let counts = |rx| Counts { rx, ..Counts::default() };
        let since = counts(vec![stats(7, 5), stats(9, 6)]).since(&counts(vec![stats(4, 1)]));
        assert_eq!(since.rx, [stats(3, 5), stats(9, 6)]);
    }

    #[test]
    fn every_counter_has_its_own_place() {
        let mut card = PortStats::default();
        for ((_, field), value) in CARD.iter().zip(1..) {
            *field(&mut card) = value;
        }
        let values: Vec<u64> = named(CARD, &card).into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, (1..=CARD.len() as u64).collect::<Vec<_>>());
    }
}
