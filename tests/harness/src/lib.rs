//! The test harness of the programs: runs them, reads what they print, and compares it with captures and with what the guides show.
//!
//! It knows no program. A suite says where its program is (`CARGO_BIN_EXE_...` is for its tests only) and what must be true of it. What is not
//! as it should be panics, which fails the test. Tests that must build programs first are in `gannet-tests`.

#![forbid(unsafe_code)]

pub mod capture;
pub mod guide;
mod program;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

pub use self::program::{Outcome, Running, full_disk, program, text_to_read, with_full_disk, without_listeners};

/// Far more than anything takes, on any machine: what hangs fails its test.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until there is something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until something holds.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()));
}

/// Says why a test, or a part of it, is skipped: past the test runner, which keeps what passing tests print and counts this one as passed.
/// `./test` counts such lines as skipped.
pub fn skip(reason: &str) {
    // Nobody may listen.
    let _ = writeln!(std::io::stderr(), "SKIPPED {}: {reason}", thread::current().name().unwrap_or_default());
}

/// Whether the host lacks a program. Says so, as [`skip`] does.
pub fn lacks(program: &str) -> bool {
    let lacks = Command::new(program).arg("--version").output().is_err();
    if lacks {
        skip(&format!("{program} is not installed"));
    }
    lacks
}

/// The workspace's root, to which the paths of guides are relative.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this package is in tests/")
}

/// A file of the workspace's test data.
pub fn data(name: &str) -> PathBuf {
    workspace().join("tests/data").join(name)
}
