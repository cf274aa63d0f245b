//! What a capture sends: heads of fixed size, some with bytes behind. All numbers are little endian.
//!
//! | bytes | field | of a packet | of a loss | of a round | of the end |
//! |---|---|---|---|---|---|
//! | 0 | kind | 1 | 2 | 3 | 4 |
//! | 1 | direction | 0 received, 1 sent | the same | 0 | 0 |
//! | 2, 3 | port | its number | the same | 0 | 0 |
//! | 4, 5 | queue | its number | the same | 0 | 0 |
//! | 6, 7 | | 0 | 0 | 0 | 0 |
//! | 8 to 11 | captured | bytes that follow | 0 | 0 | 0 |
//! | 12 to 15 | length | bytes of the packet on the wire | 0 | 0 | 0 |
//! | 16 to 23 | value | nanoseconds since 1970 (UTC) | packets lost at this queue so far | nanoseconds since 1970 | 0 |
//!
//! A *round* says that all packets up to that time have been sent, of all queues: what has been sent before it, and is older, can be put
//! in order. The *end* comes last: without it the program has gone before it had sent, or counted as lost, all packets.

use gannet::Direction;

/// Bytes of a head.
pub const HEAD: usize = 24;

/// What a frame is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// A packet; its bytes follow.
    Packet {
        /// Where it was seen.
        place: Place,
        /// Bytes that follow.
        captured: u32,
        /// Bytes that it has on the wire, FCS not included.
        length: u32,
        /// When, in nanoseconds since 1970.
        time: u64,
    },
    /// Packets had no room, because the client was slow.
    Lost {
        /// Where.
        place: Place,
        /// How many so far.
        total: u64,
    },
    /// All packets up to this time, in nanoseconds since 1970, have been sent.
    Round {
        /// The time.
        time: u64,
    },
    /// Everything has been sent.
    End,
}

/// A queue in its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Number of the port.
    pub port: u16,
    /// Which way packets go.
    pub direction: Direction,
    /// Number of the queue.
    pub queue: u16,
}

const PACKET: u8 = 1;
const LOST: u8 = 2;
const ROUND: u8 = 3;
const END: u8 = 4;

impl Frame {
    /// Its head.
    pub fn head(&self) -> [u8; HEAD] {
        match *self {
            Frame::Packet { place, captured, length, time } => head(PACKET, Some(place), captured, length, time),
            Frame::Lost { place, total } => head(LOST, Some(place), 0, 0, total),
            Frame::Round { time } => head(ROUND, None, 0, 0, time),
            Frame::End => head(END, None, 0, 0, 0),
        }
    }

    /// The frame that has this head; `None` if there is no such frame.
    pub fn parse(head: &[u8; HEAD]) -> Option<Frame> {
        let short = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let value = u64::from(word(20)) << 32 | u64::from(word(16));
        let direction = match head[1] {
            0 => Direction::Rx,
            1 => Direction::Tx,
            _ => return None,
        };
        let place = Place { port: short(2), direction, queue: short(4) };
        match head[0] {
            PACKET => Some(Frame::Packet { place, captured: word(8), length: word(12), time: value }),
            LOST => Some(Frame::Lost { place, total: value }),
            ROUND => Some(Frame::Round { time: value }),
            END => Some(Frame::End),
            _ => None,
        }
    }
}

fn head(kind: u8, place: Option<Place>, captured: u32, length: u32, value: u64) -> [u8; HEAD] {
    let Place { port, direction, queue } = place.unwrap_or(Place { port: 0, direction: Direction::Rx, queue: 0 });
    let mut head = [0; HEAD];
    head[0] = kind;
    head[1] = u8::from(direction == Direction::Tx);
    head[2..4].copy_from_slice(&port.to_le_bytes());
    head[4..6].copy_from_slice(&queue.to_le_bytes());
    head[8..12].copy_from_slice(&captured.to_le_bytes());
    head[12..16].copy_from_slice(&length.to_le_bytes());
    head[16..].copy_from_slice(&value.to_le_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let place = Place { port: 3, direction: Direction::Tx, queue: 0x1234 };
        for frame in [
            Frame::Packet { place, captured: 60, length: 1514, time: 1_795_401_234_000_000_001 },
            Frame::Lost { place: Place { direction: Direction::Rx, ..place }, total: u64::MAX },
            Frame::Round { time: 1 << 40 | 7 },
            Frame::End,
        ] {
            assert_eq!(Frame::parse(&frame.head()), Some(frame));
        }
    }

    #[test]
    fn other_bytes_are_no_head() {
        for (at, value) in [(0, 0), (0, 5), (1, 2)] {
            let mut head = Frame::Round { time: 0 }.head();
            head[at] = value;
            assert_eq!(Frame::parse(&head), None);
        }
    }
}
