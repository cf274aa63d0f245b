//! Forwards frames as a busy network function does: holds packets back for a while, and works on memory of its own for each, so that the caches
//! of the core are not the drivers' alone.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant};

use gannet::{Burst, Packet};

use super::{Engine, Settings, Stream};

/// One round in so many looks at the clock: where the kernel does not trust the time stamp counter that is a system call.
const CLOCK_ROUNDS: u32 = 64;

/// The engine.
pub(super) struct Noisy {
    incoming: Burst,
    held: VecDeque<Packet>,
    /// Packets to hold back.
    buffer: usize,
    flush: Option<Flush>,
    memory: Memory,
}

impl Noisy {
    pub(super) fn new(settings: &Settings, stream: &Stream) -> Noisy {
        let (limit, buffer) = (stream.burst.limit(), settings.buffer as usize);
        Noisy {
            incoming: Burst::new(limit),
            // Never more: a burst is received only if no more than that are held.
            held: VecDeque::with_capacity(buffer + limit),
            buffer,
            flush: (settings.flush_ms > 0).then(|| Flush::new(Duration::from_millis(settings.flush_ms))),
            memory: Memory::new(settings),
        }
    }

    /// Moves the oldest packets to the stream: those beyond what is to be held back, or all.
    fn release(&mut self, stream: &mut Stream) {
        let mut surplus = self.held.len().saturating_sub(self.buffer);
        if let Some(flush) = &mut self.flush {
            surplus = surplus.max(flush.due(self.held.len()));
        }
        let count = surplus.min(stream.burst.room());
        for packet in self.held.drain(..count) {
            // There is room for so many.
            let _ = stream.burst.push(packet);
        }
        if let Some(flush) = &mut self.flush {
            flush.rest = flush.rest.saturating_sub(count);
        }
    }
}

impl Engine for Noisy {
    fn turn(&mut self, stream: &mut Stream) -> usize {
        let mut received = 0;
        if self.held.len() <= self.buffer {
            received = stream.receive_into(&mut self.incoming);
            while let Some(packet) = self.incoming.pop_front() {
                self.memory.visit();
                self.held.push_back(packet);
            }
        }
        self.release(stream);
        received + stream.send()
    }

    fn finish(&mut self, stream: &mut Stream) {
        self.held.drain(..).for_each(|packet| stream.drop_late(packet));
    }
}

/// When all that is held back goes out.
struct Flush {
    every: Duration,
    last: Instant,
    round: u32,
    /// Packets of the last flush that have not gone out yet.
    rest: usize,
}

impl Flush {
    fn new(every: Duration) -> Flush {
        Flush { every, last: Instant::now(), round: 0, rest: 0 }
    }

    /// How many of the held packets are to go out.
    fn due(&mut self, held: usize) -> usize {
        self.round = (self.round + 1) % CLOCK_ROUNDS;
        if self.round == 0 && self.last.elapsed() >= self.every {
            self.last = Instant::now();
            self.rest = held;
        }
        self.rest
    }
}

/// Memory that is read and written at random places.
struct Memory {
    words: Vec<u64>,
    reads: u64,
    writes: u64,
    random: u64,
}

impl Memory {
    fn new(settings: &Settings) -> Memory {
        // Not zeros: those the kernel would hand out page by page while packets wait.
        let words = vec![1; settings.memory_kib as usize * 1024 / size_of::<u64>()];
        Memory { words, reads: settings.reads, writes: settings.writes, random: 82_599 }
    }

    /// The accesses for one packet.
    fn visit(&mut self) {
        for _ in 0..self.reads {
            let place = self.place();
            // Nobody wants what is read, but it must be read.
            black_box(self.words.get(place).copied());
        }
        for _ in 0..self.writes {
            let (place, value) = (self.place(), self.random);
            if let Some(word) = self.words.get_mut(place) {
                *word = value;
            }
        }
    }

    /// A random place (xorshift), scaled down without a division.
    fn place(&mut self) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((u128::from(self.random) * self.words.len() as u128) >> 64) as usize
    }
}
