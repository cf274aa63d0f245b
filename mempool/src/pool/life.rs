//! The end of a pool: waiting for its buffers, and telling who has them.
//!
//! ```text
//!   handles ──► last one dropped ──► closing: buffers come home one by one ──► the last is home: freed
//!      └─ destroy(): the same, and waits for it, with a warning now and then
//! ```
//!
//! The kernel's counterpart is `page_pool_destroy`, which puts the end off for as long as pages are in flight and warns once a minute.

use std::thread;
use std::time::{Duration, Instant};

use super::tracks::Holdings;
use super::{Pool, Shared};
use crate::error::{Error, Result};
use crate::registry::tunables::POOL_DESTROY_WARN_MS;

/// Time between two looks at what is home.
const LOOK: Duration = Duration::from_millis(1);

impl Pool {
    /// Waits, for `patience` at most, until all buffers are home, and gives the handle up. What other handles there are (a queue's, say) keep
    /// the pool; without them its memory is free after that.
    ///
    /// While it waits it warns, in the log, each time the tunable `pool.destroy_warn_ms` is over, of who holds what: that is known of pools
    /// made with [`crate::Tracking::On`].
    ///
    /// # Errors
    /// [`Error::NotHome`]. The handle is gone all the same, and the pool is freed when the last buffer comes home.
    pub fn destroy(self, patience: Duration) -> Result<()> {
        let shared = self.shared();
        let start = Instant::now();
        let between = Duration::from_millis(POOL_DESTROY_WARN_MS.value());
        let mut warn_at = start + between;
        while !shared.is_complete() {
            let waited = start.elapsed();
            if waited >= patience {
                return Err(shared.not_home(waited));
            }
            if Instant::now() >= warn_at {
                tracing::warn!("{}", shared.not_home(waited));
                warn_at += between;
            }
            thread::sleep(LOOK.min(patience - waited));
        }
        Ok(())
    }

    /// Where the buffers are that are not home, if the pool is tracked; nothing otherwise.
    pub fn holdings(&self) -> Holdings {
        self.shared().holdings()
    }
}

impl Shared {
    fn not_home(&self, waited: Duration) -> Error {
        let holders = match &self.tracks {
            Some(_) if self.holdings().0.is_empty() => "none is in a packet or a ring: a FragCache cuts them".into(),
            Some(_) => self.holdings().summary(),
            None => {
                "made with Tracking::On, or with the tunable pool.tracking set to 1, it would tell who has them".into()
            }
        };
        let out = self.census().out;
        Error::NotHome { pool: self.name.clone(), out, buffers: self.buffers, waited, holders }
    }
}
