//! The other end of a control socket.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};

use super::state::{Answer, Request, State};

/// Longest wait for a program's answer. Its control thread has little to do, but may share its core with one that polls.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects to a program's control socket and sends `request`.
///
/// # Errors
/// There is no socket, nobody listens, or it may not be connected to.
pub fn ask(path: &Path, request: &Request) -> anyhow::Result<UnixStream> {
    let mut stream = UnixStream::connect(path).map_err(|why| {
        let mends = match why.kind() {
            ErrorKind::PermissionDenied => "; it is another user's: run this as that user, or with sudo",
            ErrorKind::ConnectionRefused | ErrorKind::NotFound => "; the program has ended",
            _ => "",
        };
        anyhow::Error::new(why).context(format!("connecting to {}{mends}", path.display()))
    })?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
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

/// How the program stands whose control socket is at `path`.
///
/// # Errors
/// As [`ask`], [`Closed`], or an answer that makes no sense.
pub fn state(path: &Path) -> anyhow::Result<State> {
    let stream = ask(path, &Request::State)?;
    let mut line = String::new();
    BufReader::new(stream)
        .read_line(&mut line)
        .with_context(|| format!("waiting for an answer at {}", path.display()))?;
    if line.is_empty() {
        return Err(Closed.into());
    }
    let answer =
        serde_json::from_str(&line).with_context(|| format!("{} is no control socket of Gannet's", path.display()))?;
    match answer {
        Answer::State(state) => Ok(*state),
        Answer::Error(why) => bail!("the program answers: {why}"),
        Answer::Capture(_) => bail!("the program answers something else"),
    }
}
