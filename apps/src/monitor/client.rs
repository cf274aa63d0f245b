//! The other end of a control socket.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};

use super::state::{Answer, Request, State};

/// Longest wait for a program's answer, usually. Its control thread has little to do, but may share its core with one that polls.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Connects to a program's control socket and sends `request`. Who reads the answer waits for `patience` at most.
///
/// # Errors
/// There is no socket, nobody listens, or it may not be connected to.
pub fn ask(path: &Path, request: &Request, patience: Duration) -> anyhow::Result<UnixStream> {
    let mut stream = UnixStream::connect(path).map_err(|why| {
        let mends = match why.kind() {
            ErrorKind::PermissionDenied => "; it is another user's: run this as that user, or with sudo",
            ErrorKind::ConnectionRefused | ErrorKind::NotFound => "; the program has ended",
            _ => "",
        };
        anyhow::Error::new(why).context(format!("connecting to {}{mends}", path.display()))
    })?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let line = serde_json::to_string(request)? + "\n";
    stream.write_all(line.as_bytes()).with_context(|| format!("asking at {}", path.display()))?;
    Ok(stream)
}

/// The program has closed the connection without an answer: it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the program has closed the connection")
    }
}

impl std::error::Error for Closed {}

/// The program is there and has no answer now: it may have one later. Why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotNow(String);

impl std::fmt::Display for NotNow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotNow {}

/// How the program stands whose control socket is at `path`.
///
/// # Errors
/// As [`ask`], [`NotNow`], [`Closed`], or an answer that makes no sense.
pub fn state(path: &Path, patience: Duration) -> anyhow::Result<State> {
    let stream = ask(path, &Request::State, patience)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).map_err(|why| match why.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            let seconds = patience.as_secs_f32();
            NotNow(format!("no answer within {seconds} s: the program is stopped, or its cores have no time")).into()
        }
        _ => anyhow::Error::new(why).context(format!("waiting for an answer at {}", path.display())),
    })?;
    if line.is_empty() {
        return Err(Closed.into());
    }
    let answer =
        serde_json::from_str(&line).with_context(|| format!("{} is no control socket of Gannet's", path.display()))?;
    match answer {
        Answer::State(state) => Ok(*state),
        Answer::Error(why) => Err(NotNow(format!("the program answers: {why}")).into()),
        Answer::Capture(_) => bail!("the program answers something else"),
    }
}
