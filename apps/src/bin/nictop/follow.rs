//! Looks at a program again and again.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use gannet_apps::monitor::client::{self, NotNow};
use gannet_apps::monitor::state::State;

use crate::rates::Rates;

/// Longest wait for an answer: no key is heard meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a look at a program shows.
#[derive(Debug)]
pub(crate) enum Look {
    /// The rates since the last look that showed some.
    Rates(Rates),
    /// Nothing this time.
    Nothing(NotNow),
    /// The program has ended.
    Ended,
}

/// A program that is watched.
#[derive(Debug)]
pub(crate) struct Follower {
    path: PathBuf,
    before: State,
}

impl Follower {
    pub(crate) fn start(path: PathBuf) -> anyhow::Result<Follower> {
        let before = client::state(&path, client::PATIENCE)?;
        Ok(Follower { path, before })
    }

    /// Which program it is.
    pub(crate) fn name(&self) -> String {
        format!("{} (process {})", self.before.program, self.before.pid)
    }

    /// Looks at it again.
    ///
    /// # Errors
    /// There is something, but no program that makes sense.
    pub(crate) fn look(&mut self) -> anyhow::Result<Look> {
        let now = match client::state(&self.path, PATIENCE) {
            // Another program can have made its socket at the same place.
            Ok(now) if now.pid != self.before.pid => return Ok(Look::Ended),
            Ok(now) => now,
            Err(why) if is_end(&why) => return Ok(Look::Ended),
            Err(why) => return why.downcast().map(Look::Nothing),
        };
        let rates = Rates::between(&self.before, &now);
        self.before = now;
        Ok(Look::Rates(rates))
    }
}

/// Whether an error means that nobody is there any more.
fn is_end(why: &anyhow::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound};
    let gone = |why: &std::io::Error| matches!(why.kind(), BrokenPipe | ConnectionRefused | ConnectionReset | NotFound);
    why.downcast_ref::<std::io::Error>().is_some_and(gone) || why.downcast_ref::<client::Closed>().is_some()
}
