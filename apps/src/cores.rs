//! Which cores there are, and staying on one.

use anyhow::{Context, bail, ensure};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Cores that this process may use.
pub fn available() -> anyhow::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0)).context("reading which cores this process may use")?;
    Ok((0..CpuSet::count()).filter(|&core| set.is_set(core).unwrap_or(false)).collect())
}

/// Keeps the calling thread on `core`.
pub fn pin(core: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(core)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set))
        .with_context(|| format!("staying on core {core}"))
}

/// Lets other threads go first, where there is no core for all: for what watches cores that poll.
pub fn give_way() {
    // A tenth of the weight of a thread that does not: it goes on, slowly, even on a core that polls.
    const NICE: i32 = 10;
    // The calling thread's. Giving way is nothing that a system forbids, but one that did would be no reason to stop.
    if rustix::process::getpriority_process(None).is_ok_and(|nice| nice < NICE) {
        let _ = rustix::process::setpriority_process(None, NICE);
    }
}

/// Reads a list such as "1,3-5" (for `--cores`).
pub fn parse(text: &str) -> anyhow::Result<Vec<usize>> {
    let mut cores = Vec::new();
    for part in text.split(',') {
        let number =
            |text: &str| text.trim().parse().with_context(|| format!("{text:?} is no core number, as in 1,3-5"));
        let (first, last): (usize, usize) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        ensure!(first <= last && last < CpuSet::count(), "{part:?} is no range of cores");
        cores.extend(first..=last);
    }
    let there = available()?;
    if let Some(missing) = cores.iter().find(|core| !there.contains(core)) {
        bail!("core {missing} is not available to this process; these are: {there:?}");
    }
    let mut unique = cores.clone();
    unique.sort_unstable();
    unique.dedup();
    ensure!(unique.len() == cores.len(), "a core is named twice in {text:?}");
    Ok(cores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn giving_way_concerns_one_thread_and_takes_nothing_back() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        let given = move || {
            give_way();
            give_way();
            nice()
        };
        assert_eq!((std::thread::spawn(given).join().unwrap(), nice()), (before.max(10), before));
    }
}
