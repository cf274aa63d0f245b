//! A cable to a port of another program on this machine: a UNIX socket, one message a frame.
//!
//! Whoever comes first waits at a path of the file system, the second connects. The cable carries light while both are there; when
//! one leaves the other waits for the next. A full socket holds the sender up, as a pause frame would, so nothing is lost on the cable.
//!
//! Non-blocking and in the caller's thread, one system call a frame (and one for each look that finds none).

mod place;

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};

use self::place::{Listener, Seal, Start, meet};
use super::{Accepted, Error, MAX_FRAME, Offered, Pacing, Peer, PeerStats, add, pad};

/// Nanoseconds from one look whether the other end has come, or has left, to the next.
const LOOK_EVERY: u64 = 1_000_000;

/// One end of a cable between two programs.
#[derive(Debug)]
pub struct Wire {
    place: PathBuf,
    end: End,
    next_look: u64,
    /// Room for the longest frame, so that a look need not clear the caller's buffer to that length.
    buffer: Box<[u8]>,
    stats: Arc<PeerStats>,
}

/// What an end is up to.
#[derive(Debug)]
enum End {
    /// It waits for the other one.
    Waiting(Listener),
    /// Both are plugged. The end that came first seals the place.
    Plugged { stream: UnixStream, _seal: Option<Seal> },
    /// The other one has left. At the next look this one waits, or connects to a new one.
    Loose,
}

impl Wire {
    /// An end of the cable whose ends meet at `place`. A socket that a killed program has left there is replaced.
    ///
    /// # Errors
    /// Two ends are there already, or no socket can be made there.
    pub fn new(place: &Path) -> Result<(Self, Arc<PeerStats>), Error> {
        let end = End::from(meet(place)?);
        let stats = Arc::new(PeerStats::default());
        let buffer = vec![0; MAX_FRAME].into();
        Ok((Self { place: place.into(), end, next_look: 0, buffer, stats: stats.clone() }, stats))
    }

    /// Looks for the other end.
    fn look(&mut self) {
        match &self.end {
            End::Waiting(listener) => match listener.accept() {
                Ok((stream, seal)) => self.end = End::Plugged { stream, _seal: Some(seal) },
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {
                    // Another program has found the place free at the same time, or someone has removed the file.
                    if !listener.is_in_place() {
                        self.end = End::Loose;
                    }
                }
                Err(why) => tracing::debug!("wire {}: {why}", self.place.display()),
            },
            // Held, it reads nothing, and what the other end has left in the socket would hide that it has gone.
            End::Plugged { stream, .. } if self.stats.stop.load(Ordering::Relaxed) && is_closed(stream) => {
                let unread = std::iter::repeat_with(|| recv(stream.as_raw_fd(), &mut [0], MsgFlags::MSG_DONTWAIT));
                // (ECONNRESET: see below.)
                let frames = unread.take_while(|read| matches!(read, Ok(1..) | Err(Errno::ECONNRESET)));
                add(&self.stats.dropped, frames.filter(Result::is_ok).count() as u64);
                self.end = End::Loose;
            }
            End::Plugged { stream, .. } => {
                // Nothing is read when the other end is closed and all its frames have been taken. (ECONNRESET is no end: it is told once,
                // when the other end has left frames unread, before the frames that it has sent.)
                if recv(stream.as_raw_fd(), &mut [0], MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_PEEK) == Ok(0) {
                    self.end = End::Loose;
                }
            }
            End::Loose => match meet(&self.place) {
                Ok(start) => self.end = End::from(start),
                Err(why) => tracing::debug!("{why}"),
            },
        }
    }
}

/// Whether the other end has left.
fn is_closed(stream: &UnixStream) -> bool {
    let mut looked = [PollFd::new(stream.as_fd(), PollFlags::empty())];
    let hung_up = |at: &PollFd<'_>| at.revents().is_some_and(|events| events.contains(PollFlags::POLLHUP));
    poll(&mut looked, PollTimeout::ZERO).is_ok() && looked.iter().any(hung_up)
}

impl From<Start> for End {
    fn from(start: Start) -> End {
        match start {
            Start::First(listener) => End::Waiting(listener),
            Start::Second(stream) => End::Plugged { stream, _seal: None },
        }
    }
}

impl Peer for Wire {
    fn accept(&mut self, frame: &[u8], _now: u64) -> Accepted {
        // What no one takes now waits in the card: the link goes down until someone comes.
        let End::Plugged { stream, .. } = &self.end else { return Accepted::Busy };
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match send(stream.as_raw_fd(), frame, flags) {
            Ok(_) => {
                add(&self.stats.accepted, 1);
                Accepted::Taken
            }
            // Full, or the other end has just left. That is for `look` to notice, once the last frames of the other end are read.
            Err(_) => Accepted::Busy,
        }
    }

    fn offer(&mut self, frame: &mut Vec<u8>, _now: u64) -> Offered {
        frame.clear();
        let End::Plugged { stream, .. } = &self.end else { return Offered::Nothing };
        if self.stats.stop.load(Ordering::Relaxed) {
            return Offered::Nothing;
        }
        // With this flag the kernel tells a frame's length even if it is longer than the buffer.
        let read = recv(stream.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC);
        let Ok(length @ 1..) = read else { return Offered::Nothing };
        let Some(bytes) = self.buffer.get(..length) else {
            tracing::debug!("wire {}: frame of {length} bytes dropped", self.place.display());
            add(&self.stats.dropped, 1);
            return Offered::Nothing;
        };
        frame.extend_from_slice(bytes);
        pad(frame);
        add(&self.stats.offered, 1);
        Offered::Frame
    }

    fn pacing(&self) -> Pacing {
        Pacing::OnDemand
    }

    fn carrier(&mut self, now: u64) -> bool {
        if now >= self.next_look {
            self.next_look = now + LOOK_EVERY;
            self.look();
        }
        matches!(self.end, End::Plugged { .. })
    }
}

#[cfg(test)]
mod tests;
