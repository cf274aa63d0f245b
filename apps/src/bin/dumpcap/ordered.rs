//! Puts packets in the order of their times. Those of one queue are; those of several arrive queue by queue.

use gannet_apps::capture::frame::Place;

/// A packet that has been captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    /// Where.
    pub(crate) place: Place,
    /// When, in nanoseconds since 1970.
    pub(crate) time: u64,
    /// Bytes on the wire.
    pub(crate) length: u32,
    /// The first of them.
    pub(crate) bytes: &'a [u8],
}

/// Packets that wait for older ones.
#[derive(Debug, Default)]
pub(crate) struct Ordered {
    waiting: Vec<Waiting>,
    bytes: Vec<u8>,
    /// The time of the last round.
    round: u64,
}

/// A packet, whose bytes are in [`Ordered::bytes`].
#[derive(Debug, Clone, Copy)]
struct Waiting {
    place: Place,
    time: u64,
    length: u32,
    start: usize,
    end: usize,
}

impl Ordered {
    pub(crate) fn push(&mut self, packet: &Packet<'_>) {
        let Packet { place, time, length, bytes } = *packet;
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.waiting.push(Waiting { place, time, length, start, end: self.bytes.len() });
    }

    /// A round has ended: hands out what is older than the round before it. (A core can be interrupted between the look at its clock and
    /// its ring, so the last one is not enough.)
    pub(crate) fn round(
        &mut self,
        time: u64,
        take: impl FnMut(Packet<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let until = std::mem::replace(&mut self.round, time);
        self.hand_out(until, take)
    }

    /// Hands out the rest.
    pub(crate) fn finish(&mut self, take: impl FnMut(Packet<'_>) -> anyhow::Result<()>) -> anyhow::Result<()> {
        self.hand_out(u64::MAX, take)
    }

    fn hand_out(&mut self, until: u64, mut take: impl FnMut(Packet<'_>) -> anyhow::Result<()>) -> anyhow::Result<()> {
        // Stable: packets of one burst have one time.
        self.waiting.sort_by_key(|packet| packet.time);
        let ready = self.waiting.partition_point(|packet| packet.time < until);
        for packet in self.waiting.drain(..ready) {
            let Waiting { place, time, length, start, end } = packet;
            take(Packet { place, time, length, bytes: &self.bytes[start..end] })?;
        }
        if self.waiting.is_empty() {
            self.bytes.clear();
            return Ok(());
        }
        // What goes on waiting is moved together.
        let mut bytes = Vec::with_capacity(self.waiting.iter().map(|packet| packet.end - packet.start).sum());
        for packet in &mut self.waiting {
            let start = bytes.len();
            bytes.extend_from_slice(&self.bytes[packet.start..packet.end]);
            (packet.start, packet.end) = (start, bytes.len());
        }
        self.bytes = bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gannet::Direction;

    use super::*;

    fn packet(queue: u16, time: u64, bytes: &[u8]) -> Packet<'_> {
        let place = Place { port: 0, direction: Direction::Rx, queue };
        Packet { place, time, length: bytes.len() as u32, bytes }
    }

    #[test]
    fn packets_leave_in_the_order_of_their_times_and_each_once() {
        let mut ordered = Ordered::default();
        let mut seen = Vec::new();
        let mut take = |packet: Packet<'_>| {
            seen.push((packet.time, packet.place.queue, packet.bytes.to_vec()));
            Ok(())
        };
        for packet in [packet(0, 10, b"a"), packet(0, 30, b"ccc"), packet(1, 20, b"bb"), packet(1, 30, b"d")] {
            ordered.push(&packet);
        }
        ordered.round(25, &mut take).unwrap();
        // Late, but not too late.
        ordered.push(&packet(0, 22, b"late"));
        ordered.round(40, &mut take).unwrap();
        ordered.push(&packet(1, 41, b"e"));
        ordered.round(50, &mut take).unwrap();
        ordered.finish(&mut take).unwrap();
        ordered.finish(&mut take).unwrap();
        let expected: [(u64, u16, &[u8]); 6] =
            [(10, 0, b"a"), (20, 1, b"bb"), (22, 0, b"late"), (30, 0, b"ccc"), (30, 1, b"d"), (41, 1, b"e")];
        assert_eq!(seen, expected.map(|(time, queue, bytes)| (time, queue, bytes.to_vec())));
    }

    #[test]
    fn an_error_ends_it() {
        let mut ordered = Ordered::default();
        ordered.push(&packet(0, 1, b"x"));
        assert!(ordered.finish(|_| anyhow::bail!("full")).is_err());
    }
}
