//! Measuring a case and telling the figure.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use quanta::Clock;

/// What is measured.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Objects handled together.
    pub(crate) bulk: usize,
    /// Cycles an object that the case should not exceed.
    pub(crate) limit: Option<u32>,
}

/// A case without a limit.
pub(crate) fn case(name: &'static str, bulk: usize) -> Case {
    Case { name, bulk, limit: None }
}

impl Case {
    pub(crate) fn within(self, limit: u32) -> Case {
        Case { limit: Some(limit), ..self }
    }
}

pub(crate) struct Bench {
    clock: Clock,
    /// Runs of a case.
    runs: usize,
    /// Objects a run: short enough that most runs are over before the system wants the core.
    objects: usize,
    /// Parts of the names of the cases wanted; all, if there are none.
    wanted: Vec<String>,
    /// The processors that this process may use.
    pub(crate) cpus: Vec<usize>,
}

impl Bench {
    pub(crate) fn from_arguments() -> Bench {
        let (options, wanted): (Vec<_>, Vec<_>) =
            std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
        let (runs, objects) = if options.iter().any(|option| option == "--bench") { (301, 1 << 13) } else { (1, 256) };
        let set = sched_getaffinity(Pid::from_raw(0)).expect("the processors of this process");
        let cpus: Vec<_> = (0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).collect();
        println!("{:<26} {:>5} {:>14} {:>8}", "case", "bulk", "cycles/object", "least");
        Bench { clock: Clock::new(), runs, objects, wanted, cpus }
    }

    /// Measures `work`, which handles `bulk` objects.
    pub(crate) fn each(&self, case: Case, mut work: impl FnMut()) {
        let rounds = (self.objects / case.bulk).max(1);
        self.runs(case, |clock| {
            let start = clock.raw();
            (0..rounds).for_each(|_| work());
            (clock.raw() - start) as f64 / (rounds * case.bulk) as f64
        });
    }

    /// Measures a case whose runs say themselves what an object costs. The first is for warming up.
    pub(crate) fn runs(&self, case: Case, mut run: impl FnMut(&Clock) -> f64) {
        let is_wanted = self.wanted.is_empty() || self.wanted.iter().any(|part| case.name.contains(part.as_str()));
        if !is_wanted {
            return;
        }
        run(&self.clock);
        let mut figures: Vec<_> = (0..self.runs).map(|_| run(&self.clock)).collect();
        figures.sort_by(f64::total_cmp);
        report(case, figures[figures.len() / 2], figures[0]);
    }

    /// Objects of a run of a case that needs more of them at once.
    pub(crate) fn objects(&self) -> usize {
        self.objects
    }
}

fn report(case: Case, median: f64, least: f64) {
    let Case { name, bulk, limit } = case;
    let verdict = limit.map_or(String::new(), |limit| {
        format!(" limit={limit} {}", if median <= f64::from(limit) { "met" } else { "missed" })
    });
    println!("{name:<26} {bulk:>5} {median:>14.2} {least:>8.2}{verdict}");
    println!("bench=mempool case={name} bulk={bulk} cycles_per_object={median:.2} least={least:.2}{verdict}");
}

/// Keeps the calling thread on one processor.
pub(crate) fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu).expect("the number of a processor of this process");
    sched_setaffinity(Pid::from_raw(0), &set).expect("pinning to a processor of this process");
}
