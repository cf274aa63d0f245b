//! The part of a capture that runs on a thread of its own: empties the rings into the client's socket.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use gannet::{Attachment, Error, TapPoint};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rtrb::{Consumer, Producer, RingBuffer};

use super::frame::{Frame, Place};
use super::recorder::Recorder;
use super::stamps::Stamps;
use super::{Begun, CapturedPort};

/// Bytes of all rings of a capture together, and the least and the most of one. At ten million small packets a second one of the largest
/// bridges some 20 ms in which the thread does not run.
const ALL_RINGS: usize = 64 << 20;
const SMALLEST_RING: usize = 1 << 18;
const LARGEST_RING: usize = 1 << 24;

/// Most bytes that are sent before their room in the ring is given back.
const PIECE: usize = 1 << 18;

/// How long the thread sleeps when nothing arrives.
const IDLE_MS: u8 = 2;

/// Rounds that are told of after the last packet: after two it is older than the time told, and can be written.
const QUIET_ROUNDS: u32 = 3;

/// Longest wait for queues to let go of their taps. One that is not polled never does.
const DETACH_PATIENCE: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A capture that runs. Dropping it detaches its taps.
#[derive(Debug)]
pub struct Capture {
    begun: Begun,
    sources: Vec<Source>,
    stamps: Stamps,
    _served: Arc<()>,
}

/// What comes from one queue.
#[derive(Debug)]
struct Source {
    place: Place,
    ring: Consumer<u8>,
    lost: Arc<AtomicU64>,
    /// How many the client has been told are lost.
    told: u64,
    attachment: Option<Attachment>,
}

impl Capture {
    /// Attaches a recorder to each of these that is not closed: either to all of them or to none. `links` has the speeds of all ports.
    pub(super) fn begin(
        taps: Vec<(u16, TapPoint)>,
        links: &[Option<u32>],
        snaplen: usize,
        served: Arc<()>,
    ) -> anyhow::Result<Capture> {
        let stamps = Stamps::begin();
        let ring = (ALL_RINGS / taps.len().max(1)).clamp(SMALLEST_RING, LARGEST_RING);
        let begun = Begun { ports: Vec::new(), skipped: Vec::new() };
        let mut capture = Capture { begun, sources: Vec::new(), stamps, _served: served };
        let mut recorders = Vec::new();
        for (number, tap) in &taps {
            let place = Place { port: *number, direction: tap.direction(), queue: tap.queue() as u16 };
            let (producer, consumer) = touched_ring(ring);
            let lost = Arc::<AtomicU64>::default();
            recorders.push(Recorder::new(place, snaplen, capture.stamps.clone(), producer, lost.clone()));
            capture.sources.push(Source { place, ring: consumer, lost, told: 0, attachment: None });
        }
        // Rings take a while to make: all queues begin together.
        for ((source, (number, tap)), recorder) in capture.sources.iter_mut().zip(&taps).zip(recorders) {
            match tap.attach(Box::new(recorder)) {
                Ok(attachment) => source.attachment = Some(attachment),
                // Maybe just now. There is nothing to be seen at it any more.
                Err(why @ Error::QueueClosed { .. }) => {
                    capture.begun.skipped.push(why.to_string());
                    continue;
                }
                Err(why) => return Err(why.into()),
            }
            let ports = &mut capture.begun.ports;
            if ports.last().is_none_or(|port| port.number != *number) {
                ports.push(about(*number, tap, links));
            }
        }
        capture.sources.retain(|source| source.attachment.is_some());
        match capture.begun.skipped.first() {
            Some(why) if capture.sources.is_empty() => bail!("{why}"),
            _ => Ok(capture),
        }
    }

    /// What the client is told before the frames.
    pub fn begun(&self) -> &Begun {
        &self.begun
    }

    /// Sends what is captured until the client has enough, or the ports are gone, and then what is left.
    ///
    /// # Errors
    /// The client has gone away.
    pub fn serve(mut self, stream: &UnixStream) -> io::Result<()> {
        // However slow it is: packets are lost, not the capture.
        stream.set_write_timeout(None)?;
        let mut quiet = 0;
        loop {
            let (time, gone) = (self.stamps.now(), self.is_gone());
            let moved = self.round(stream)?;
            quiet = if moved { 0 } else { quiet + 1 };
            if quiet <= QUIET_ROUNDS {
                { stream }.write_all(&Frame::Round { time }.head())?;
            }
            if gone {
                return { stream }.write_all(&Frame::End.head());
            }
            if client_has_enough(stream, if moved { PollTimeout::ZERO } else { IDLE_MS.into() })? {
                return self.finish(stream);
            }
        }
    }

    /// Detaches everything and sends what is left.
    fn finish(&mut self, stream: &UnixStream) -> io::Result<()> {
        self.detach();
        let deadline = Instant::now() + DETACH_PATIENCE;
        loop {
            let done = self.is_gone() || Instant::now() >= deadline;
            self.round(stream)?;
            if done {
                return { stream }.write_all(&Frame::End.head());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn detach(&mut self) {
        self.sources.iter_mut().for_each(|source| source.attachment = None);
    }

    /// No recorder is left: nothing more comes.
    fn is_gone(&self) -> bool {
        self.sources.iter().all(|source| source.ring.is_abandoned())
    }

    /// Sends what is in the rings now. True if there was something.
    fn round(&mut self, mut stream: &UnixStream) -> io::Result<bool> {
        let mut moved = false;
        for Source { place, ring, lost, told, .. } in &mut self.sources {
            // Recorders add whole frames, so this ends with one.
            let mut left = ring.slots();
            moved |= left > 0;
            while left > 0
                && let Ok(chunk) = ring.read_chunk(left.min(PIECE))
            {
                let (first, second) = chunk.as_slices();
                stream.write_all(first)?;
                stream.write_all(second)?;
                left -= chunk.len();
                chunk.commit_all();
            }
            let total = lost.load(Ordering::Relaxed);
            if total != *told {
                stream.write_all(&Frame::Lost { place: *place, total }.head())?;
                *told = total;
            }
        }
        Ok(moved)
    }
}

impl Drop for Capture {
    /// Waits for the queues to drop their recorders: the last owner of a ring frees it, and that is not to be a core that polls.
    fn drop(&mut self) {
        self.detach();
        let deadline = Instant::now() + DETACH_PATIENCE;
        while !self.is_gone() && Instant::now() < deadline {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// A port that is captured. `links` has the speeds of all ports.
fn about(number: u16, tap: &TapPoint, links: &[Option<u32>]) -> CapturedPort {
    let port = tap.port();
    CapturedPort {
        number,
        name: port.name.to_string(),
        card: port.card.name.to_owned(),
        mac: port.mac,
        link_mbps: links.get(usize::from(number)).copied().flatten(),
    }
}

/// A ring whose memory is there: the core that polls is not to wait for the kernel to find it page by page.
fn touched_ring(bytes: usize) -> (Producer<u8>, Consumer<u8>) {
    let (mut producer, mut consumer) = RingBuffer::new(bytes);
    if let Ok(chunk) = producer.write_chunk(bytes) {
        chunk.commit_all();
    }
    if let Ok(chunk) = consumer.read_chunk(bytes) {
        chunk.commit_all();
    }
    (producer, consumer)
}

/// Waits for the client to close its way of the socket, for so long.
fn client_has_enough(mut stream: &UnixStream, patience: PollTimeout) -> io::Result<bool> {
    let mut waiting = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
    // Interrupted by a signal: later, then.
    let _ = poll(&mut waiting, patience);
    if waiting[0].any() != Some(true) {
        return Ok(false);
    }
    match stream.read(&mut [0; 64]) {
        Ok(bytes) => Ok(bytes == 0),
        Err(why) if why.kind() == ErrorKind::Interrupted => Ok(false),
        Err(why) => Err(why),
    }
}
