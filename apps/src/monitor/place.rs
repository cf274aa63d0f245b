//! Where control sockets are, and which programs are running.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{Pid, getuid};

/// What the names of control sockets end in.
const SUFFIX: &str = "sock";

/// A running program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub program: String,
    /// Its process.
    pub pid: u32,
    /// Its control socket.
    pub path: PathBuf,
}

/// The folder of this user's control sockets.
fn folder() -> PathBuf {
    // "sudo -E" and su leave the variable of the user from before, whose folder is not to be filled with root's things.
    let is_ours = |runtime: &PathBuf| {
        runtime.is_absolute()
            && fs::metadata(runtime).is_ok_and(|about| about.is_dir() && about.uid() == getuid().as_raw())
    };
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(is_ours) {
        Some(runtime) => runtime.join("gannet"),
        None => PathBuf::from(format!("/tmp/gannet-{}", getuid())),
    }
}

/// The place of this process's control socket if the user names none. Makes its folder.
pub(super) fn default_path(program: &str) -> anyhow::Result<PathBuf> {
    let folder = folder();
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .or_else(|why| if why.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(why) })
        .with_context(|| format!("making the folder {}", folder.display()))?;
    check_is_ours(&folder)?;
    Ok(folder.join(format!("{program}-{}.{SUFFIX}", std::process::id())))
}

/// Anybody can make a folder in /tmp, and then has what is in it in his hands.
fn check_is_ours(folder: &Path) -> anyhow::Result<()> {
    let about = fs::symlink_metadata(folder).with_context(|| format!("looking at {}", folder.display()))?;
    ensure!(
        about.is_dir() && about.uid() == getuid().as_raw() && about.mode() & 0o077 == 0,
        "{} is no folder that belongs to this user alone: remove it, or make it one (chmod 700)",
        folder.display()
    );
    Ok(())
}

/// This user's running programs, by name and process. Sockets that killed programs have left behind are removed.
pub fn list() -> Vec<Found> {
    // Without the folder nothing is running; one that is not ours can say what it wants.
    let folder = folder();
    if check_is_ours(&folder).is_err() {
        return Vec::new();
    }
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut found: Vec<Found> = entries.filter_map(|entry| named(&entry.path())).filter(is_alive).collect();
    found.sort_by(|a, b| (&a.program, a.pid).cmp(&(&b.program, b.pid)));
    found
}

/// The program that a socket's name stands for.
fn named(path: &Path) -> Option<Found> {
    path.extension().filter(|suffix| *suffix == SUFFIX)?;
    let (program, pid) = path.file_stem()?.to_str()?.rsplit_once('-')?;
    Some(Found { program: program.to_owned(), pid: pid.parse().ok()?, path: path.to_owned() })
}

fn is_alive(found: &Found) -> bool {
    match UnixStream::connect(&found.path) {
        Err(why) if why.kind() == ErrorKind::ConnectionRefused => {
            // A program that is just starting has its socket before it listens.
            if is_gone(found.pid) {
                // If it cannot be removed it is found dead the next time too.
                let _ = fs::remove_file(&found.path);
            }
            false
        }
        // One that is too busy to be connected to is alive.
        _ => true,
    }
}

/// Whether there is no such process.
fn is_gone(pid: u32) -> bool {
    i32::try_from(pid).map_or(true, |pid| kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH))
}

/// The control socket of a running program: by its name, its process number, or the socket's path; without a target, of the only one.
///
/// # Errors
/// No such program, or several; with what there is.
pub fn find(target: Option<&str>) -> anyhow::Result<PathBuf> {
    let is_socket = |path: &str| fs::metadata(path).is_ok_and(|about| about.file_type().is_socket());
    if let Some(path) = target.filter(|target| target.contains('/') || is_socket(target)) {
        let path = PathBuf::from(path);
        ensure!(path.exists(), "{}: there is no such socket; is the program running?", path.display());
        return Ok(path);
    }
    choose(target, list())
}

fn choose(target: Option<&str>, running: Vec<Found>) -> anyhow::Result<PathBuf> {
    let names = |found: &[Found]| {
        found.iter().map(|found| format!("{} {}", found.program, found.pid)).collect::<Vec<_>>().join(", ")
    };
    if running.is_empty() {
        bail!(
            "no program is running with a control socket in {} (one that runs as another user, as with sudo, is seen by \
             that user: or give the path of its socket)",
            folder().display()
        );
    }
    let is_meant =
        |found: &Found| target.is_none_or(|target| found.program == target || found.pid.to_string() == target);
    let mut meant: Vec<Found> = running.iter().filter(|found| is_meant(found)).cloned().collect();
    match (meant.len(), target) {
        (1, _) => Ok(meant.remove(0).path),
        (0, _) => bail!("{} is not running; there are: {}", target.unwrap_or_default(), names(&running)),
        _ => bail!("several are running, say which by its number: {}", names(&meant)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(program: &str, pid: u32) -> Found {
        Found { program: program.into(), pid, path: format!("/run/{program}-{pid}.sock").into() }
    }

    #[test]
    fn a_program_is_found_by_name_number_or_alone() {
        let both = || vec![found("l2fwd", 7), found("test-pmd", 8)];
        for (target, there) in [(Some("l2fwd"), both()), (Some("7"), both()), (None, vec![found("l2fwd", 7)])] {
            assert_eq!(choose(target, there).unwrap(), Path::new("/run/l2fwd-7.sock"), "{target:?}");
        }
    }

    #[test]
    fn what_is_not_clear_is_refused_with_what_there_is() {
        let two = || vec![found("l2fwd", 7), found("l2fwd", 8)];
        for (target, there, part) in [
            (None, vec![], "no program is running"),
            (Some("l2fwd"), vec![], "no program is running"),
            (None, two(), "l2fwd 7, l2fwd 8"),
            (Some("l2fwd"), two(), "say which by its number"),
            (Some("pktgen"), two(), "pktgen is not running; there are: l2fwd 7, l2fwd 8"),
        ] {
            let why = choose(target, there).unwrap_err().to_string();
            assert!(why.contains(part), "{target:?}: {why}");
        }
    }

    #[test]
    fn a_sockets_name_says_whose_it_is() {
        assert_eq!(
            named(Path::new("/run/test-pmd-8.sock")),
            Some(Found { path: "/run/test-pmd-8.sock".into(), ..found("test-pmd", 8) })
        );
        for other in ["/run/l2fwd.sock", "/run/l2fwd-7", "/run/l2fwd-x.sock", "/run/notes.txt"] {
            assert_eq!(named(Path::new(other)), None, "{other}");
        }
    }
}
