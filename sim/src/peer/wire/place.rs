//! The place in the file system where the two ends of a cable meet.
//!
//! The file at the place says by its type what goes on there, in one system call and without a lock:
//!
//! | at the place | who connects finds |
//! |---|---|
//! | nothing, or a socket that nobody has open (its program was killed) | `ENOENT`, `ECONNREFUSED`: the place is free |
//! | a listening socket of type SEQPACKET | the other end |
//! | a socket of type DGRAM, put there when both ends are plugged | `EPROTOTYPE`: taken |
//!
//! Sockets are bound under a name beside the place and renamed over it, so there is no moment without one. Two programs that find
//! a free place at once both put a socket there; the one whose socket is gone sees that ([`Bound::is_in_place`]) and connects
//! to the other.

use std::fs::{self, Metadata};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, UnixAddr};

use crate::peer::Error;

/// Longest path: the kernel's names of sockets have 107 bytes, and the name beside the place is longer than the place.
const LONGEST: usize = 85;

/// How an end begins.
#[derive(Debug)]
pub(super) enum Start {
    /// It is the first one, and waits here.
    First(Listener),
    /// The other end was there. (It may not have looked yet: frames wait in the socket.)
    Second(UnixStream),
}

/// A socket that waits for the other end.
pub(super) type Listener = Bound<UnixListener>;

/// What keeps others away once both ends are plugged.
pub(super) type Seal = Bound<UnixDatagram>;

/// A socket at the place. Dropping it removes its file.
#[derive(Debug)]
pub(super) struct Bound<S> {
    socket: S,
    place: PathBuf,
    /// Device and inode.
    file: (u64, u64),
}

/// Connects to the end that waits at `place`, or waits there.
pub(super) fn meet(place: &Path) -> Result<Start, Error> {
    if place.as_os_str().is_empty() || place.as_os_str().len() > LONGEST {
        let value = place.display().to_string();
        return Err(Error::Option { option: "wire", value, expected: "needs a path of 1 to 85 bytes" });
    }
    let failed = |action| move |why: io::Error| error(place, action, why);
    let address = UnixAddr::new(place).map_err(|why| error(place, "naming it", why.into()))?;
    let socket = seqpacket().map_err(failed("making a socket"))?;
    match socket::connect(socket.as_raw_fd(), &address) {
        Ok(()) => return Ok(Start::Second(UnixStream::from(socket))),
        // A second one has just come and has not been seen yet, or both are plugged.
        Err(Errno::EAGAIN | Errno::EPROTOTYPE) => return Err(Error::WireTaken { path: place.into() }),
        Err(Errno::ENOENT | Errno::ECONNREFUSED) => {}
        Err(why) => return Err(error(place, "connecting", why.into())),
    }
    // The kernel refuses a connection to a file that is no socket with the same words.
    if fs::symlink_metadata(place).is_ok_and(|there| !there.file_type().is_socket()) {
        return Err(error(place, "connecting", io::ErrorKind::AlreadyExists.into()));
    }
    bind(place, listener).map(Start::First).map_err(failed("making a socket there"))
}

impl Listener {
    /// The other end, if it has come. From then on the place is sealed.
    pub(super) fn accept(&self) -> io::Result<(UnixStream, Seal)> {
        let (stream, _) = self.socket.accept()?;
        let seal = bind(&self.place, |name| UnixDatagram::bind(name))?;
        Ok((stream, seal))
    }

    /// Whether its file is still there, and its own.
    pub(super) fn is_in_place(&self) -> bool {
        self.holds_file()
    }
}

impl<S> Bound<S> {
    fn holds_file(&self) -> bool {
        fs::symlink_metadata(&self.place).is_ok_and(|there| identity(&there) == self.file)
    }
}

impl<S> Drop for Bound<S> {
    fn drop(&mut self) {
        if self.holds_file() {
            // Gone already is fine; anything else leaves a stale file, which the next one replaces.
            let _ = fs::remove_file(&self.place);
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Makes a socket with `make` under a name of its own, and moves it to `place`.
fn bind<S>(place: &Path, make: impl FnOnce(&Path) -> io::Result<S>) -> io::Result<Bound<S>> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut name = place.as_os_str().to_owned();
    name.push(format!(".{}.{number}", std::process::id()));
    let name = PathBuf::from(name);
    let socket = make(&name)?;
    let placed = fs::symlink_metadata(&name).and_then(|file| fs::rename(&name, place).map(|()| identity(&file)));
    if placed.is_err() {
        let _ = fs::remove_file(&name);
    }
    Ok(Bound { socket, place: place.into(), file: placed? })
}

/// A socket that listens, with room for one connection that has not been looked at.
fn listener(name: &Path) -> io::Result<UnixListener> {
    let socket = seqpacket()?;
    socket::bind(socket.as_raw_fd(), &UnixAddr::new(name)?)?;
    socket::listen(&socket, Backlog::new(0)?)?;
    Ok(UnixListener::from(socket))
}

/// The standard library has no sockets of this type, but moves their messages as well as a stream's bytes.
fn seqpacket() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    Ok(socket::socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?)
}

/// What the operating system's refusal means here.
fn error(path: &Path, action: &'static str, source: io::Error) -> Error {
    let remedy = match source.kind() {
        io::ErrorKind::NotFound => "make its folder first",
        io::ErrorKind::PermissionDenied => "give a path that this user, and the other end's, may write to",
        io::ErrorKind::AlreadyExists => "a file that is no socket is there: give another path",
        _ => "give another path, on a local file system",
    };
    Error::Wire { path: path.into(), action, source, remedy }
}
