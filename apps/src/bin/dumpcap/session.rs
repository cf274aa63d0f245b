//! A capture in a running program, seen from here.

use std::io::{ErrorKind, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use gannet_apps::capture::frame::{Frame, HEAD};
use gannet_apps::capture::{Begun, CaptureRequest, MAX_SNAPLEN};
use gannet_apps::monitor::client;
use gannet_apps::monitor::state::{Answer, Request};

/// How long to wait for frames before looking for other things to do.
const TURN: Duration = Duration::from_millis(50);

/// Bytes read at once.
const READ: usize = 1 << 18;

/// Longest answer.
const LONGEST_ANSWER: usize = 1 << 20;

/// A connection on which frames come.
#[derive(Debug)]
pub(crate) struct Session {
    stream: UnixStream,
    /// What has been read; up to `taken` it has been handed out.
    buffer: Vec<u8>,
    taken: usize,
    /// What is captured.
    pub(crate) begun: Begun,
}

/// What has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// A frame, and the bytes behind its head.
    Frame(Frame, &'a [u8]),
    /// Nothing, for a while.
    Nothing,
    /// No more: the program has closed the connection.
    Closed,
}

impl Session {
    /// Asks the program whose control socket is at `path` for a capture.
    pub(crate) fn begin(path: &Path, request: CaptureRequest) -> anyhow::Result<Session> {
        let stream = client::ask(path, &Request::Capture(request), client::PATIENCE)?;
        let begun = Begun { ports: Vec::new(), skipped: Vec::new() };
        let mut session = Session { stream, buffer: Vec::new(), taken: 0, begun };
        let line = session.line().with_context(|| format!("waiting for an answer at {}", path.display()))?;
        let answer = serde_json::from_slice(&line)
            .with_context(|| format!("{} is no control socket of Gannet's", path.display()))?;
        session.begun = match answer {
            Answer::Capture(begun) => begun,
            Answer::Error(why) => bail!("the program answers: {why}"),
            Answer::State(_) => bail!("the program answers something else"),
        };
        session.stream.set_read_timeout(Some(TURN))?;
        Ok(session)
    }

    /// The answer's line.
    fn line(&mut self) -> anyhow::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                self.taken = end + 1;
                return Ok(self.buffer[..end].to_vec());
            }
            ensure!(self.buffer.len() < LONGEST_ANSWER, "it is too long");
            match self.read() {
                Ok(0) => bail!("the program has closed the connection"),
                Ok(_) => {}
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) => return Err(why.into()),
            }
        }
    }

    /// What comes next.
    pub(crate) fn next(&mut self) -> anyhow::Result<Event<'_>> {
        let whole = loop {
            if let Some(whole) = self.whole_frame()? {
                break whole;
            }
            match self.read() {
                Ok(0) => return Ok(Event::Closed),
                Ok(_) => {}
                Err(why)
                    if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) =>
                {
                    return Ok(Event::Nothing);
                }
                Err(why) if why.kind() == ErrorKind::ConnectionReset => return Ok(Event::Closed),
                Err(why) => return Err(why).context("reading what is captured"),
            }
        };
        let (frame, bytes) = whole;
        let start = self.taken + HEAD;
        self.taken = start + bytes;
        Ok(Event::Frame(frame, &self.buffer[start..start + bytes]))
    }

    /// The frame that is next in the buffer, and the number of bytes behind its head.
    fn whole_frame(&self) -> anyhow::Result<Option<(Frame, usize)>> {
        let rest = &self.buffer[self.taken..];
        let Some(head) = rest.first_chunk() else { return Ok(None) };
        let frame = Frame::parse(head).context("what the program sends makes no sense: is it of another version?")?;
        let bytes = match frame {
            Frame::Packet { captured, .. } => captured,
            _ => 0,
        };
        ensure!(bytes <= MAX_SNAPLEN, "the program sends a packet of {bytes} bytes: is it of another version?");
        let bytes = bytes as usize;
        Ok((rest.len() >= HEAD + bytes).then_some((frame, bytes)))
    }

    /// Reads more, behind what has not been handed out.
    fn read(&mut self) -> std::io::Result<usize> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let old = self.buffer.len();
        self.buffer.resize(old + READ, 0);
        let read = self.stream.read(&mut self.buffer[old..]);
        self.buffer.truncate(old + *read.as_ref().unwrap_or(&0));
        read
    }

    /// Enough: the program sends what it has, and then [`Frame::End`].
    pub(crate) fn finish(&self) -> anyhow::Result<()> {
        match self.stream.shutdown(Shutdown::Write) {
            // The program has closed it before.
            Err(why) if why.kind() == ErrorKind::NotConnected => Ok(()),
            other => other.context("ending the capture"),
        }
    }
}
