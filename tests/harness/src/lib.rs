//! What tests share: it runs programs, reads what they print, compares it with captures and with what the guides show, and says what is skipped.
//!
//! It knows no program. A suite says where its program is (`CARGO_BIN_EXE_...` is for its tests only) and what must be true of it. What is not
//! as it should be panics, which fails the test.

#![forbid(unsafe_code)]

pub mod capture;
pub mod guide;
mod program;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

pub use self::program::{Outcome, Running, full_disk, program, text_to_read, with_full_disk, without_listeners};

/// Far more than anything takes, on any machine: what hangs fails its test.
pub const PATIENCE: Duration = Duration::from_secs(600);

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

/// Says why a test is skipped: past the test runner, which keeps what passing tests print and counts this one as passed. `./test` counts it as
/// skipped instead. Say it once a test.
pub fn skip(reason: &str) {
    tell("SKIPPED", reason);
}

/// Says why a part of a test is skipped. `./test` goes on counting the test as passed.
pub fn skip_part(reason: &str) {
    tell("PARTLY SKIPPED", reason);
}

fn tell(what: &str, reason: &str) {
    // Begins a line, wherever the test runner stands in its own, and is one write: standard error has no buffer, and others write to it too.
    let text = format!("\n{what} {}: {reason}\n", thread::current().name().unwrap_or_default());
    // Nobody may listen.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Whether the host lacks a program without which a test cannot run. Says so, as [`skip`] does.
pub fn lacks(program: &str) -> bool {
    lacks_and_tells(program, skip)
}

/// Whether the host lacks a program without which a part of a test cannot run. Says so, as [`skip_part`] does.
pub fn lacks_for_part(program: &str) -> bool {
    lacks_and_tells(program, skip_part)
}

fn lacks_and_tells(program: &str, tell: fn(&str)) -> bool {
    let lacks = Command::new(program).arg("--version").output().is_err();
    if lacks {
        tell(&format!("{program} is not installed"));
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
