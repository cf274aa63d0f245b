//! Accounts: who is charged for the buffers that are out.
//!
//! An [`Account`] stands for a tenant: a queue, an application, a connection. Each packet that is allocated for it is charged to it until
//! the buffer comes home, whichever thread frees it, and no more than its limit are out at a time. Here are the handles and the registry
//! of names; [`ledger`] has the counters and the data path.
//!
//! An account whose last handle is gone lives on as *closing* until its packets have come home. It then gives up its number.

mod ledger;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard};

use crate::error::{Error, Result};
use ledger::ledger;
pub(crate) use ledger::{MAX_ACCOUNTS, NOBODY, charge, thread_ends, uncharge};

/// A handle to an account. Cloning gives another handle to the same account.
///
/// An account never holds more than its limit, unless that was lowered since. A limit below 4096 is exact. From there on each thread keeps
/// up to 128 buffers of the account in stock, so that not every packet changes a counter that all threads share. Near the limit threads
/// give their stock back when they next touch the account; what threads that do not touch it still have is missing to the others, who may
/// be refused that much below the limit.
pub struct Account {
    number: u16,
}

/// The names of accounts, held while they are made, closed or listed.
struct Registry {
    /// The name of account n at n - 1; `None` while nobody has the number.
    names: Vec<Option<String>>,
    /// Those whose last handle is gone, with packets out.
    closing: Vec<u16>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { names: Vec::new(), closing: Vec::new() });

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Registry {
    /// Frees the numbers of closing accounts that hold nothing any more.
    fn sweep(&mut self) {
        let names = &mut self.names;
        self.closing.retain(|&number| {
            let holds = ledger::count(number).held > 0;
            if !holds {
                names[usize::from(number) - 1] = None;
            }
            holds
        });
    }

    /// A number that nobody has. Idle threads may have stock of it, which the next account could not use: best is one without.
    fn vacant(&mut self) -> Result<u16> {
        let vacant = (1..).zip(&self.names).filter(|(_, name)| name.is_none()).map(|(number, _)| number);
        let best = vacant.min_by_key(|&number| ledger(number).reserved());
        match best {
            Some(number) if ledger(number).reserved() == 0 => Ok(number),
            _ if self.names.len() < MAX_ACCOUNTS - 1 => {
                self.names.push(None);
                Ok(self.names.len() as u16)
            }
            Some(number) => Ok(number),
            None => Err(Error::TooManyAccounts { max: MAX_ACCOUNTS - 1 }),
        }
    }

    fn name(&self, number: u16) -> Option<&str> {
        self.names[usize::from(number) - 1].as_deref()
    }

    fn usage(&self, number: u16) -> Option<AccountUsage> {
        let name = self.name(number)?.to_owned();
        let (ledger, count) = (ledger(number), ledger::count(number));
        Some(AccountUsage {
            name,
            limit: ledger.limit(),
            held: count.held,
            stocked: count.stocked,
            refused: ledger.refused(),
        })
    }
}

impl Account {
    /// Opens an account that may hold `limit` buffers. Names are for people: two accounts may have the same.
    ///
    /// # Errors
    /// [`Error::TooManyAccounts`]: there are 4095 already, counting those that are gone but have packets out.
    pub fn new(name: impl Into<String>, limit: u32) -> Result<Account> {
        let name = name.into();
        let mut registry = registry();
        registry.sweep();
        let number = registry.vacant()?;
        registry.names[usize::from(number) - 1] = Some(name);
        ledger::open(number, limit);
        Ok(Account { number })
    }

    /// The number that packets carry, 1 to 4095.
    #[inline(always)]
    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// Its name.
    pub fn name(&self) -> String {
        name_of(self.number)
    }

    /// Buffers that it may hold.
    pub fn limit(&self) -> u32 {
        ledger(self.number).limit()
    }

    /// Changes the limit. What is held above a lower one is not taken away; nothing more is charged until enough of it has come home.
    pub fn set_limit(&self, limit: u32) {
        let _guard = registry();
        ledger(self.number).set_limit(limit);
    }

    /// What it holds. Exact when nobody uses the account, a snapshot otherwise.
    pub fn usage(&self) -> AccountUsage {
        let usage = registry().usage(self.number);
        let Some(usage) = usage else { unreachable!("a handle keeps its account") };
        usage
    }
}

impl OverLimit {
    /// The error for `wanted` buffers that the account with this number was refused.
    #[cold]
    pub(crate) fn new(number: u16, wanted: u32) -> OverLimit {
        let count = ledger::count(number);
        OverLimit { number, held: count.held, stocked: count.stocked, limit: ledger(number).limit(), wanted }
    }
}

impl Clone for Account {
    fn clone(&self) -> Self {
        ledger(self.number).handles.fetch_add(1, Ordering::Relaxed);
        Account { number: self.number }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // AcqRel, as in any reference count: the last one out sees what the others charged, and the registry's lock hands that on.
        if ledger(self.number).handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut registry = registry();
            ledger(self.number).set_limit(0);
            registry.closing.push(self.number);
            registry.sweep();
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("number", &self.number).field("usage", &self.usage()).finish()
    }
}

/// The name of the account with this number.
pub(crate) fn name_of(number: u16) -> String {
    registry().name(number).unwrap_or("(closed)").to_owned()
}

/// What an account holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AccountUsage {
    /// Its name.
    pub name: String,
    /// Buffers that it may hold; 0 once its last handle is gone.
    pub limit: u32,
    /// Buffers charged to it: in packets and in cards' rings.
    pub held: u32,
    /// Buffers that threads have set aside for its next packets. They count towards the limit.
    pub stocked: u32,
    /// Buffers refused so far because of the limit.
    pub refused: u64,
}

/// All accounts, by number: the living ones, and those whose last handle is gone while packets are still charged to them.
pub fn accounts() -> Vec<AccountUsage> {
    let mut registry = registry();
    registry.sweep();
    (1..).zip(&registry.names).filter_map(|(number, _)| registry.usage(number)).collect()
}

/// An allocation that an account's limit forbids. The numbers are those of the moment; the name is looked up when it is shown, so show
/// it while the account lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "account `{}` holds {held} of {limit} buffers{}, {wanted} more wanted: free some, or raise its limit with Account::set_limit",
    name_of(*number),
    Stocked(*stocked)
)]
#[non_exhaustive]
pub struct OverLimit {
    number: u16,
    /// Buffers charged to the account.
    pub held: u32,
    /// Buffers that other threads have set aside for it.
    pub stocked: u32,
    /// Buffers that it may hold.
    pub limit: u32,
    /// Buffers that it was refused.
    pub wanted: u32,
}

/// The part of the text that says why the sum may seem too small.
struct Stocked(u32);

impl fmt::Display for Stocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            stocked => write!(f, " ({stocked} more set aside by other threads)"),
        }
    }
}
