//! A thread that steps cards: the fast mode.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::nic::Nic;

/// Frames each way of one card before the next card has its turn.
const BUDGET: usize = 128;
/// Idle rounds in which the thread only spins.
const SPINS: u32 = 200;
/// Idle rounds in which it lets others run, before it sleeps.
const YIELDS: u32 = 2_000;
/// Sleep of a round after that: with one core, the driver needs it.
const SLEEP: Duration = Duration::from_micros(60);

/// Cards that run by themselves, all on one thread. Dropping it stops them.
#[derive(Debug)]
pub struct Engine {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Nic>>>,
}

impl Engine {
    /// Starts the thread. Without cards there is none: its idle rounds would take time from the drivers of real ones.
    ///
    /// # Panics
    /// If the system has no thread left.
    pub fn spawn(nics: Vec<Nic>) -> Engine {
        let stop = Arc::new(AtomicBool::new(false));
        let until = stop.clone();
        let thread = (!nics.is_empty()).then(|| {
            let thread = thread::Builder::new().name("gannet-sim".into()).spawn(move || run(nics, &until));
            thread.expect("a thread for the software cards")
        });
        Engine { stop, thread }
    }

    /// Stops the cards and gives them back, between two steps.
    pub fn stop(mut self) -> Vec<Nic> {
        self.join()
    }

    fn join(&mut self) -> Vec<Nic> {
        self.stop.store(true, Ordering::Relaxed);
        // A thread that panicked has its cards no more; its panic was printed.
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.join();
    }
}

fn run(mut nics: Vec<Nic>, stop: &AtomicBool) -> Vec<Nic> {
    let mut idle = 0_u32;
    while !stop.load(Ordering::Relaxed) {
        let moved: usize = nics.iter_mut().map(|nic| nic.step(BUDGET)).sum();
        idle = if moved > 0 { 0 } else { idle.saturating_add(1) };
        match idle {
            0 => {}
            1..SPINS => std::hint::spin_loop(),
            SPINS..YIELDS => thread::yield_now(),
            _ => thread::sleep(SLEEP),
        }
    }
    nics
}
