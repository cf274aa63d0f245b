//! The drivers on QEMU's models of the cards, reached through the guest's own VFIO: `tools/lab test`, docs/lab.md.
//!
//! Where QEMU or the guest cannot be had, all of it is skipped and says so.

#![forbid(unsafe_code)]

mod bench;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use gannet_tests::trial;
use gannet_tests::vm::assets::Assets;
use gannet_tests::vm::{Bench, Card, Vm};
use libtest_mimic::{Arguments, Trial};

/// A test that needs a machine with a certain card, and leaves it as it found it.
type Test = fn(Card, &mut Vm) -> Result<()>;

/// A test that boots its machines itself.
type Alone = fn() -> Result<()>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Machines are shared, and each keeps two cores busy.
    arguments.test_threads = Some(1);
    let reason = if arguments.list { None } else { Assets::prepare().err().map(|why| format!("{why:#}")) };
    let bench = Arc::new(Bench::new(&["l2fwd"]));
    let mut trials = Vec::new();
    // All tests of a card in a row: they share its machine.
    for card in [Card::E1000e, Card::Igb] {
        let on_card = |&(name, test): &(&str, Test)| shared(&bench, card, name, reason.clone(), test);
        trials.extend(bench::SHARED.iter().map(on_card));
    }
    let alone = |&(name, test): &(&str, Alone)| trial(name, reason.clone(), move || expect(test()));
    trials.extend(bench::ALONE.iter().map(alone));
    // The last trial drops the last handle, which ends the machine.
    drop(bench);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A trial on the card's shared machine.
fn shared(bench: &Arc<Bench>, card: Card, name: &str, reason: Option<String>, test: Test) -> Trial {
    let bench = bench.clone();
    trial(&format!("{card}::{name}"), reason, move || expect(bench.with(card, |vm| test(card, vm))))
}

/// Turns an error into a failed test, with all that is known of it.
fn expect(result: Result<()>) {
    if let Err(why) = result {
        panic!("{why:#}");
    }
}
