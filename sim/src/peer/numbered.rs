//! The numbered frames of a generator: how they are made and how they are checked, some twenty cycles each.
//!
//! ```text
//!   byte  0        6        12   14          34        42     46     48              56
//!         ┌────────┬────────┬────┬───────────┬─────────┬──────┬──────┬───────────────┬───────────────┐
//!         │ to     │ from   │ IP │ IPv4      │ UDP     │ Gnnt │ id   │ sequence      │ pattern ...   │
//!         └────────┴────────┴────┴───────────┴─────────┴──────┴──────┴───────────────┴───────────────┘
//!   word  0          1           2..=3       4         5             6               7...
//! ```
//!
//! A frame is its stream's template with four things put in: the sequence number, the UDP source port of its flow, the UDP
//! checksum, and a *mark* made from the sequence number that is XORed into every word of the pattern. Everything is aligned so that
//! a frame is made and compared as 64-bit words.
//!
//! The checksum is not summed over the frame. Pattern words come in pairs of a word and its complement; an XOR with the same mark
//! leaves them complements, and a pair adds nothing to a ones' complement sum. What is left is a constant of the template plus the
//! sequence number, the port and at most one cut-off pair at the end (the arithmetic is that of RFC 1624).

use etherparse::PacketBuilder;

use super::random::SplitMix;
use super::{MAX_FRAME, MIN_FRAME};

/// Marks a payload as ours.
const MAGIC: [u8; 4] = *b"Gnnt";
const ADDRESSES: std::ops::Range<usize> = 26..34;
const SOURCE_PORT_AT: usize = 34;
const UDP_CHECKSUM_AT: usize = 40;
const IDENTITY: std::ops::Range<usize> = 42..48;
const WORD: usize = 8;
/// Words and bytes before the pattern.
const HEAD_WORDS: usize = 7;
const HEAD: usize = HEAD_WORDS * WORD;

/// UDP source port of flow 0 (the first of the ephemeral ports) and the number of flows that fit above it.
const FIRST_PORT: u16 = 49_152;
pub(super) const MAX_FLOWS: u32 = 16_384;
/// The discard service.
const DESTINATION_PORT: u16 = 9;

/// Who sends a numbered stream: its number and the MAC addresses of its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    /// Number of the stream. It also makes the IP addresses (198.18.x.y to 198.19.x.y, the range for benchmarks).
    pub id: u16,
    /// Source MAC address.
    pub source: [u8; 6],
    /// Destination MAC address.
    pub destination: [u8; 6],
}

impl Stream {
    /// A stream with locally administered MAC addresses made from its number.
    pub fn new(id: u16) -> Self {
        let [high, low] = id.to_be_bytes();
        let address = |end| [0x02, b'G', b'n', high, low, end];
        Self { id, source: address(1), destination: address(2) }
    }
}

/// What a received frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it was sent, but for MAC addresses that a forwarder swapped.
    Intact { sequence: u64, flow: usize },
    /// Of the stream, but not as it was sent.
    Damaged,
    /// Not of the stream.
    Foreign,
}

/// Makes and checks the frames of one stream.
#[derive(Debug)]
pub(super) struct Template {
    /// Everything before the pattern; source port, checksum and sequence number are zero.
    head: [u64; HEAD_WORDS],
    /// The first two words with the MAC addresses swapped.
    swapped: [u64; 2],
    /// The pattern without mark, in whole words: `x0 !x0 x1 !x1 ...`.
    pattern: Vec<u64>,
    /// Ones' complement sum of everything that the UDP checksum covers but the sequence number, the port and the cut-off pair.
    sum: u64,
    /// The cut-off pair: its word, and which bits of the word and of its complement are in the frame.
    cut: (u64, u64, u64),
    /// Bytes of a frame, without FCS.
    length: usize,
    flows: u64,
    addresses: [u8; 8],
    identity: [u8; 6],
}

impl Template {
    /// The template of `stream` for frames of `length` bytes ([`MIN_FRAME`] to [`MAX_FRAME`]) in `flows` flows (1 to [`MAX_FLOWS`]).
    pub(super) fn new(stream: Stream, length: usize, flows: u32) -> Self {
        assert!(
            (MIN_FRAME..=MAX_FRAME).contains(&length) && (1..=MAX_FLOWS).contains(&flows),
            "checked by the generator"
        );
        let (pattern, bits) = pattern(length - HEAD);
        let frame = build(stream, &pattern, length);

        let mut head = [0; HEAD_WORDS];
        for (word, bytes) in head.iter_mut().zip(frame.chunks_exact(WORD)) {
            *word = load(bytes);
        }
        let checksum = half(&frame, UDP_CHECKSUM_AT);
        head[4] &= !port_word(u16::MAX);
        head[5] &= !checksum_word(u16::MAX);

        let mut swapped = frame.clone();
        swapped[..12].rotate_left(6);

        let first_of_cut = (length - HEAD) / (2 * WORD) * 2;
        let cut = (pattern.get(first_of_cut).copied().unwrap_or(0), bits.0, bits.1);
        // Subtraction in ones' complement: add the complement.
        let without_port = u64::from(!half(&frame, SOURCE_PORT_AT));
        let without_cut = u64::from(!fold(cut_sum(cut, 0)));
        Self {
            head,
            swapped: [load(&swapped[..8]), load(&swapped[8..16])],
            sum: u64::from(!checksum) + without_port + without_cut,
            pattern,
            cut,
            length,
            flows: u64::from(flows),
            addresses: load(&frame[ADDRESSES]).to_ne_bytes(),
            identity: identity(stream.id),
        }
    }

    /// Puts frame number `sequence` into `frame`.
    #[inline]
    pub(super) fn write(&self, sequence: u64, frame: &mut Vec<u8>) {
        let mark = mark(sequence);
        let (port, checksum, _) = self.variable(sequence, mark);
        // A buffer that comes back with the last frame of the stream in it is only written over.
        if frame.len() != self.length {
            frame.resize(self.length, 0);
        }
        let Some((first, rest)) = frame.split_first_chunk_mut::<HEAD>() else {
            return;
        };
        let mut head = self.head;
        head[4] |= port;
        head[5] |= checksum;
        head[6] = sequence.to_be();
        for (bytes, word) in first.chunks_exact_mut(WORD).zip(head) {
            bytes.copy_from_slice(&word.to_ne_bytes());
        }
        write_pattern(rest, &self.pattern, mark);
    }

    /// Compares `frame` with what the stream's sender made.
    #[inline]
    pub(super) fn check(&self, frame: &[u8]) -> Verdict {
        if frame.len() != self.length {
            return self.blame(frame);
        }
        let Some((head, pattern)) = frame.split_first_chunk::<HEAD>() else {
            return Verdict::Foreign;
        };
        let word = |i: usize| load(&head[i * WORD..(i + 1) * WORD]);
        let sequence = u64::from_be(word(6));
        let mark = mark(sequence);
        let (port, checksum, flow) = self.variable(sequence, mark);

        let as_sent = (word(0) ^ self.head[0]) | (word(1) ^ self.head[1]);
        let swapped = (word(0) ^ self.swapped[0]) | (word(1) ^ self.swapped[1]);
        let mut wrong = (word(2) ^ self.head[2]) | (word(3) ^ self.head[3]);
        wrong |= (word(4) ^ (self.head[4] | port)) | (word(5) ^ (self.head[5] | checksum));
        wrong |= pattern_differs(pattern, &self.pattern, mark);

        if wrong == 0 && (as_sent == 0 || swapped == 0) {
            Verdict::Intact { sequence, flow }
        } else {
            self.blame(frame)
        }
    }

    /// What depends on the sequence number: the source port and the checksum in their words' places, and the flow.
    #[inline]
    fn variable(&self, sequence: u64, mark: u64) -> (u64, u64, usize) {
        // Multiply and shift instead of a remainder: spreads the numbers over any number of flows without a division.
        let spread = u64::from((sequence as u32).wrapping_mul(0x9E37_79B9));
        let flow = (spread * self.flows) >> 32;
        let port = port_word(FIRST_PORT + flow as u16);
        let sum = self.sum + halves(port) + halves(sequence.to_be()) + cut_sum(self.cut, mark);
        // RFC 768: a checksum of zero is sent as all ones, zero says that there is none.
        let checksum = match !fold(sum) {
            0 => u16::MAX,
            checksum => checksum,
        };
        (port, checksum_word(checksum), flow as usize)
    }

    /// Tells a damaged frame of the stream from a frame of something else. One damaged place cannot hide both the IP addresses and
    /// the stream's name in the payload.
    #[cold]
    fn blame(&self, frame: &[u8]) -> Verdict {
        let named = frame.get(IDENTITY) == Some(&self.identity[..]);
        let addressed = frame.get(ADDRESSES) == Some(&self.addresses[..]);
        if named || addressed { Verdict::Damaged } else { Verdict::Foreign }
    }
}

/// Fills the bytes after the head with the marked pattern.
#[inline]
fn write_pattern(bytes: &mut [u8], pattern: &[u64], mark: u64) {
    let mut words = bytes.chunks_exact_mut(WORD);
    for (bytes, pattern) in words.by_ref().zip(pattern) {
        bytes.copy_from_slice(&(pattern ^ mark).to_ne_bytes());
    }
    let last = (pattern.last().copied().unwrap_or(0) ^ mark).to_ne_bytes();
    let (mut rest, mut last) = (words.into_remainder(), &last[..]);
    if rest.len() >= 4 {
        let (half, more) = rest.split_at_mut(4);
        half.copy_from_slice(&last[..4]);
        (rest, last) = (more, &last[4..]);
    }
    for (byte, value) in rest.iter_mut().zip(last) {
        *byte = *value;
    }
}

/// Whether the bytes after the head differ from the marked pattern: not zero if they do.
#[inline]
fn pattern_differs(bytes: &[u8], pattern: &[u64], mark: u64) -> u64 {
    let mut words = bytes.chunks_exact(WORD);
    let mut wrong = 0;
    for (bytes, pattern) in words.by_ref().zip(pattern) {
        wrong |= load(bytes) ^ pattern ^ mark;
    }
    // By halves and not in a loop of bytes: the length is the same for every frame, so these branches are free.
    let mut rest = words.remainder();
    let mut expected = &(pattern.last().copied().unwrap_or(0) ^ mark).to_ne_bytes()[..];
    if let (Some((bytes, more)), Some((wanted, after))) = (rest.split_first_chunk(), expected.split_first_chunk()) {
        wrong |= u64::from(u32::from_ne_bytes(*bytes) ^ u32::from_ne_bytes(*wanted));
        (rest, expected) = (more, after);
    }
    for (byte, wanted) in rest.iter().zip(expected) {
        wrong |= u64::from(byte ^ wanted);
    }
    wrong
}

/// The unmarked pattern for `bytes` bytes, in whole words, and which bits of the last, cut-off pair are in the frame.
fn pattern(bytes: usize) -> (Vec<u64>, (u64, u64)) {
    let mut random = SplitMix::new(u64::from_be_bytes(*b"pattern!"));
    let mut words = Vec::new();
    while words.len() < bytes.div_ceil(WORD) {
        let word = random.next();
        words.extend([word, !word]);
    }
    words.truncate(bytes.div_ceil(WORD));
    let rest = bytes % (2 * WORD);
    let bits = |bytes: usize| {
        let mut mask = [0; WORD];
        mask[..bytes].fill(0xFF);
        u64::from_ne_bytes(mask)
    };
    (words, (bits(rest.min(WORD)), bits(rest.saturating_sub(WORD))))
}

/// Frame number 0 as etherparse builds it, in flow 0 and with the mark of 0, which is 0.
fn build(stream: Stream, pattern: &[u64], length: usize) -> Vec<u8> {
    let [high, low] = stream.id.to_be_bytes();
    let mut payload = identity(stream.id).to_vec();
    payload.extend_from_slice(&0u64.to_be_bytes());
    payload.extend(pattern.iter().flat_map(|word| word.to_ne_bytes()));
    payload.truncate(length - IDENTITY.start);
    let mut frame = Vec::with_capacity(length);
    PacketBuilder::ethernet2(stream.source, stream.destination)
        .ipv4([198, 18, high, low], [198, 19, high, low], 64)
        .udp(FIRST_PORT, DESTINATION_PORT)
        .write(&mut frame, &payload)
        .expect("a payload below 64 KiB fits, and a Vec takes every write");
    frame
}

fn identity(stream: u16) -> [u8; 6] {
    let mut identity = [0; 6];
    identity[..4].copy_from_slice(&MAGIC);
    identity[4..].copy_from_slice(&stream.to_be_bytes());
    identity
}

/// What is XORed into the pattern of frame `sequence`. Every half depends on the whole number; the mark of 0 is 0.
#[inline]
fn mark(sequence: u64) -> u64 {
    let product = sequence.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ (product >> 32)
}

/// A UDP source port in its place in word 4.
#[inline]
fn port_word(port: u16) -> u64 {
    let [high, low] = port.to_be_bytes();
    u64::from_ne_bytes([0, 0, high, low, 0, 0, 0, 0])
}

/// A checksum (in memory order) in its place in word 5.
#[inline]
fn checksum_word(checksum: u16) -> u64 {
    let [first, second] = checksum.to_ne_bytes();
    u64::from_ne_bytes([first, second, 0, 0, 0, 0, 0, 0])
}

/// Sum of the cut-off pair under `mark`, to be folded.
#[inline]
fn cut_sum((word, first, second): (u64, u64, u64), mark: u64) -> u64 {
    let marked = word ^ mark;
    halves(marked & first) + halves(!marked & second)
}

/// The two halves of a word added: the same ones' complement sum, with room for carries.
#[inline]
fn halves(word: u64) -> u64 {
    (word & 0xFFFF_FFFF) + (word >> 32)
}

/// A ones' complement sum of fewer than 2^16 halves folded to 16 bits. Byte order does not matter to it (RFC 1071, section 2B).
#[inline]
fn fold(sum: u64) -> u16 {
    let sum = halves(sum);
    let sum = (sum & 0xFFFF) + (sum >> 16);
    let sum = (sum & 0xFFFF) + (sum >> 16);
    ((sum & 0xFFFF) + (sum >> 16)) as u16
}

/// The 16 bits at `at`, in memory order.
fn half(frame: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([frame[at], frame[at + 1]])
}

/// A slice of eight bytes as a word, in memory order.
#[inline]
fn load(bytes: &[u8]) -> u64 {
    let mut word = [0; WORD];
    word.copy_from_slice(bytes);
    u64::from_ne_bytes(word)
}
