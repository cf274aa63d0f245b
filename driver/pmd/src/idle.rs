//! What a core does when nothing arrives: poll on, or sleep until the card signals.
//!
//! ```text
//!   frames ──► poll ──quiet for a while──► unmask, look once more, sleep ──signal──► mask, poll
//! ```

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use crate::queue::RxQueue;

/// How a core waits for frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Idle {
    /// It polls without end: the lowest latency, and a core at full load.
    #[default]
    Poll,
    /// It polls while there is traffic and for [`Sleeper::LINGER`] after it, then sleeps.
    Adaptive,
    /// It sleeps as soon as nothing waits.
    Interrupt,
}

/// Puts a core to sleep when its receive queues are idle, as its [`Idle`] says.
///
/// The queues' port is configured with [`crate::RxInterrupts::On`]; queues of ports without interrupts are polled.
#[derive(Debug)]
pub struct Sleeper {
    idle: Idle,
    quiet_since: Option<Instant>,
}

impl Sleeper {
    /// How long [`Idle::Adaptive`] polls on after the last frame: steady traffic of more than 2,000 frames a second never finds it asleep.
    pub const LINGER: Duration = Duration::from_micros(500);

    /// A core that waits like this.
    pub fn new(idle: Idle) -> Sleeper {
        Sleeper { idle, quiet_since: None }
    }

    /// After a round in which frames moved.
    #[inline]
    pub fn busy(&mut self) {
        self.quiet_since = None;
    }

    /// After a round in which nothing moved: whether it is time to sleep.
    #[inline]
    pub fn is_due(&mut self) -> bool {
        match self.idle {
            Idle::Poll => false,
            Idle::Adaptive => self.quiet_since.get_or_insert_with(Instant::now).elapsed() >= Self::LINGER,
            Idle::Interrupt => true,
        }
    }

    /// Sleeps until one of `queues` has frames, but not longer than `at_most`. Returns whether it has slept: not if frames have arrived
    /// meanwhile, nor if a queue cannot signal.
    ///
    /// No frame is overlooked: the queues are looked at once more after they may signal.
    pub fn sleep(&mut self, queues: &mut [&mut RxQueue], at_most: Duration) -> bool {
        if queues.iter().any(|queue| queue.driver.signal().is_none()) {
            return false;
        }
        for queue in queues.iter_mut() {
            queue.driver.unmask_interrupt();
        }
        let slept = !queues.iter().any(|queue| queue.has_frames());
        if slept {
            wait(queues, at_most);
        }
        for queue in queues {
            queue.driver.mask_interrupt();
            if let Some(signal) = queue.driver.signal() {
                // Takes it back; an error only means that there was none.
                let _ = signal.read();
            }
        }
        slept
    }
}

/// Waits for a signal of one of `queues`, at most `at_most`.
fn wait(queues: &[&mut RxQueue], at_most: Duration) {
    let mut signals: Vec<_> = queues
        .iter()
        .filter_map(|queue| queue.driver.signal())
        .map(|signal| PollFd::new(signal.as_fd(), PollFlags::POLLIN))
        .collect();
    // Interrupted by a signal, or refused: the caller polls, and comes back.
    let _ = ppoll(&mut signals, Some(TimeSpec::from_duration(at_most)), None);
}
