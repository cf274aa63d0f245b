//! One machine for many tests: booted when the first of them needs it, ended when the bench is dropped.

use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use super::machine::{Card, Machine, Vm};
use crate::static_program;

/// The machine that tests share. At most one runs at a time: tests of one card stand together, and run one after the other.
#[derive(Debug, Default)]
pub struct Bench {
    programs: Vec<&'static str>,
    running: Mutex<Option<(Card, Vm)>>,
}

impl Bench {
    /// A bench whose machines have these programs of the workspace in their top folder. They are built when they are needed.
    pub fn new(programs: &[&'static str]) -> Bench {
        Bench { programs: programs.to_vec(), running: Mutex::new(None) }
    }

    /// Runs a test on a machine with this card: the one that is running, or a new one. After a test that failed or panicked
    /// the next one gets a new machine, too. A test is run once more if it was its machine that failed.
    ///
    /// # Errors
    /// Those of the test, or if the machine cannot be booted.
    pub fn with<T>(&self, card: Card, test: impl Fn(&mut Vm) -> Result<T>) -> Result<T> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken out: if the test panics, the machine ends with it.
        let mut vm = match running.take() {
            Some((present, vm)) if present == card => vm,
            other => {
                drop(other);
                self.boot(card)?
            }
        };
        let mut result = test(&mut vm);
        if let Err(why) = &result
            && vm.has_failed(why)
        {
            eprintln!("lab: the machine is at fault, not the test: once more on a new one, since {why:#}");
            drop(vm);
            vm = self.boot(card)?;
            result = test(&mut vm);
        }
        let result = result?;
        *running = Some((card, vm));
        Ok(result)
    }

    fn boot(&self, card: Card) -> Result<Vm> {
        let files = self.programs.iter().map(|name| static_program(name)).collect::<Result<_>>()?;
        Machine { files, ..Machine::new(card) }.boot()
    }
}
