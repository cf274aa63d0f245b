//! One machine for many tests: booted when the first of them needs it, ended by the last.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use super::machine::{Card, Machine, Vm};

/// The machine that tests share. At most one runs at a time: tests of one card stand together, and run one after the other.
#[derive(Debug, Default)]
pub struct Bench {
    files: Vec<PathBuf>,
    running: Mutex<Option<(Card, Vm)>>,
}

impl Bench {
    /// A bench whose machines have these files of the host.
    pub fn new(files: Vec<PathBuf>) -> Bench {
        Bench { files, running: Mutex::new(None) }
    }

    /// Runs a test on a machine with this card: the one that is running, or a new one. After a test that failed or panicked
    /// the next one gets a new machine, too.
    ///
    /// # Errors
    /// Those of the test, or if the machine cannot be booted.
    pub fn with<T>(&self, card: Card, test: impl FnOnce(&mut Vm) -> Result<T>) -> Result<T> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken out: if the test panics, the machine ends with it.
        let mut vm = match running.take() {
            Some((present, vm)) if present == card => vm,
            other => {
                drop(other);
                Machine { files: self.files.clone(), ..Machine::new(card) }.boot()?
            }
        };
        let result = test(&mut vm)?;
        *running = Some((card, vm));
        Ok(result)
    }
}
