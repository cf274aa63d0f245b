//! The control socket: a client writes one line of JSON, and gets one line back.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::collect::Watched;
use super::state::{Answer, Request};
use crate::cores;
use crate::program::in_words;

/// Clients served at once.
const MOST_CLIENTS: usize = 16;

/// Longest request.
const LONGEST_REQUEST: usize = 4096;

/// Longest wait for a client, to write its request or to take the answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long no client is taken after one could not be.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// A listening control socket. Dropping it removes it.
#[derive(Debug)]
pub(super) struct ControlSocket {
    path: PathBuf,
    /// Closed, so that the thread sees the end.
    open: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl ControlSocket {
    pub(super) fn start(path: PathBuf, watched: Arc<Watched>) -> anyhow::Result<ControlSocket> {
        let listener = listen(&path)?;
        let (open, closed) = UnixStream::pair().context("a pair of sockets")?;
        let thread = thread::Builder::new()
            .name("control".into())
            .spawn(move || accept(&listener, &closed, &watched))
            .context("starting the control socket's thread")?;
        Ok(ControlSocket { path, open: Some(open), thread: Some(thread) })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // Somebody may have removed it before.
        let _ = fs::remove_file(&self.path);
        self.open = None;
        if let Some(thread) = self.thread.take() {
            // If it has panicked that has been told.
            let _ = thread.join();
        }
    }
}

/// Listens at `path`, for this user only. A socket that a killed program has left there is replaced.
fn listen(path: &Path) -> anyhow::Result<UnixListener> {
    let shown = path.display();
    let listener = match UnixListener::bind(path) {
        Err(why) if why.kind() == ErrorKind::AddrInUse => {
            let is_socket = fs::symlink_metadata(path).is_ok_and(|about| about.file_type().is_socket());
            if !is_socket {
                bail!("{shown} is there already and is no socket: give another path");
            }
            match UnixStream::connect(path) {
                Err(why) if why.kind() == ErrorKind::ConnectionRefused => {}
                _ => bail!("a running program has its control socket at {shown}: give another path"),
            }
            fs::remove_file(path).with_context(|| format!("removing {shown}, which a program left behind"))?;
            UnixListener::bind(path)
        }
        other => other,
    };
    let listener = listener.with_context(|| {
        let mends = if path.parent().is_some_and(|parent| parent.as_os_str().is_empty() || parent.is_dir()) {
            ""
        } else {
            " (its folder does not exist)"
        };
        format!("making the socket {shown}{mends}")
    })?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .and_then(|()| listener.set_nonblocking(true))
        .with_context(|| format!("setting up the socket {shown}"))?;
    Ok(listener)
}

/// Takes clients until the other end of `closed` is gone.
fn accept(listener: &UnixListener, closed: &UnixStream, watched: &Arc<Watched>) {
    // Each client's thread has a clone: how many there are is how many are served.
    let served = Arc::new(());
    loop {
        let mut waiting =
            [PollFd::new(listener.as_fd(), PollFlags::POLLIN), PollFd::new(closed.as_fd(), PollFlags::POLLIN)];
        // Interrupted by a signal: look again.
        let _ = poll(&mut waiting, PollTimeout::NONE);
        if waiting[1].any() == Some(true) {
            // The ports are gone: captures end by themselves.
            return watched.captures.finish(PATIENCE);
        }
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => continue,
            Err(_) => {
                // Out of descriptors, say, while the client still waits: not all the time again.
                thread::sleep(ACCEPT_AGAIN);
                continue;
            }
        };
        if Arc::strong_count(&served) > MOST_CLIENTS {
            answer(&stream, &Answer::Error(format!("{MOST_CLIENTS} clients are served already: try again")));
            continue;
        }
        let (serving, watched) = (served.clone(), watched.clone());
        let client = thread::Builder::new().name("control client".into());
        // Without a thread the client sees its connection closed.
        let _ = client.spawn(move || {
            serve(stream, &watched);
            drop(serving);
        });
    }
}

/// Answers one request.
fn serve(stream: UnixStream, watched: &Watched) {
    let request = match read_line(&stream).and_then(|line| parse(&line)) {
        Ok(request) => request,
        Err(why) => return answer(&stream, &Answer::Error(why)),
    };
    match request {
        Request::State => answer(&stream, &Answer::State(Box::new(watched.state()))),
        Request::Capture(request) => match watched.capture(&request) {
            Ok(capture) => {
                answer(&stream, &Answer::Capture(capture.begun().clone()));
                // Packets are rather lost to the capture than to the program.
                cores::give_way();
                // A client that goes away has enough.
                let _ = capture.serve(&stream);
            }
            Err(why) => answer(&stream, &Answer::Error(in_words(&why))),
        },
    }
}

fn parse(line: &[u8]) -> Result<Request, String> {
    serde_json::from_slice(line).map_err(|why| format!("no request: {why}; as in {{\"request\":\"state\"}}"))
}

/// Reads up to the end of the line, for a limited time.
fn read_line(mut stream: &UnixStream) -> Result<Vec<u8>, String> {
    let deadline = Instant::now() + PATIENCE;
    let mut line = Vec::new();
    let mut piece = [0; 512];
    loop {
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            line.truncate(end);
            return Ok(line);
        }
        if line.len() > LONGEST_REQUEST {
            return Err(format!("a request has at most {LONGEST_REQUEST} bytes"));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let late = || format!("no request within {} s", PATIENCE.as_secs());
        if left.is_zero() {
            return Err(late());
        }
        let read = stream.set_read_timeout(Some(left)).and_then(|()| stream.read(&mut piece));
        match read {
            Ok(0) => return Err("a request ends with a line feed".into()),
            Ok(bytes) => line.extend_from_slice(&piece[..bytes]),
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Err(late()),
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Err(why) => return Err(why.to_string()),
        }
    }
}

fn answer(mut stream: &UnixStream, answer: &Answer) {
    let Ok(line) = serde_json::to_string(answer) else { return };
    // A client that has gone, or does not take it, has no answer.
    let _ = stream.set_write_timeout(Some(PATIENCE)).and_then(|()| stream.write_all((line + "\n").as_bytes()));
}
