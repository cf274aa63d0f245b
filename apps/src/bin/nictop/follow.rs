//! Looks at a program again and again.

use std::io::ErrorKind;
use std::path::PathBuf;

use gannet_apps::monitor::client;
use gannet_apps::monitor::state::State;

use crate::rates::Rates;

/// A program that is watched.
#[derive(Debug)]
pub(crate) struct Follower {
    path: PathBuf,
    before: State,
}

impl Follower {
    pub(crate) fn start(path: PathBuf) -> anyhow::Result<Follower> {
        let before = client::state(&path)?;
        Ok(Follower { path, before })
    }

    /// Which program it is.
    pub(crate) fn name(&self) -> String {
        format!("{} (process {})", self.before.program, self.before.pid)
    }

    /// The rates since the last look; `None` if the program has ended.
    pub(crate) fn look(&mut self) -> anyhow::Result<Option<Rates>> {
        let now = match client::state(&self.path) {
            // Another program can have made its socket at the same place.
            Ok(now) if now.pid != self.before.pid => return Ok(None),
            Ok(now) => now,
            Err(why) if is_end(&why) => return Ok(None),
            Err(why) => return Err(why),
        };
        let rates = Rates::between(&self.before, &now);
        self.before = now;
        Ok(Some(rates))
    }
}

/// Whether an error means that nobody is there any more.
fn is_end(why: &anyhow::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound};
    let gone = |why: &std::io::Error| matches!(why.kind(), BrokenPipe | ConnectionRefused | ConnectionReset | NotFound);
    why.downcast_ref::<std::io::Error>().is_some_and(gone) || why.downcast_ref::<client::Closed>().is_some()
}
