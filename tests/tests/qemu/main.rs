//! The drivers on QEMU's models of the cards, reached through the guest's own VFIO: `tools/lab test`, docs/lab.md.
//!
//! [`bench`] checks the machine itself, [`card`] the drivers, [`forwarding`], [`idle`] and [`mishaps`] l2fwd between two cards of Linux's,
//! [`echo`] testpmd, [`host`] nicctl. Where QEMU or the guest cannot be had, all of it is skipped and says so.

#![forbid(unsafe_code)]

mod bench;
mod card;
mod echo;
mod figures;
mod forwarder;
mod forwarding;
mod host;
mod idle;
mod mishaps;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use gannet_tests::trial;
use gannet_tests::vm::assets::Assets;
use gannet_tests::vm::guest::Hung;
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
    let bench = Arc::new(Bench::new(&["l2fwd", "nicctl", "testpmd", "card-trials"]));
    let mut trials = Vec::new();
    // All tests of a card in a row: they share its machine.
    for card in [Card::E1000e, Card::Igb] {
        let on_card =
            |&(name, test): &(&str, Test)| shared(&bench, card, name, reason.clone(), move |vm| test(card, vm));
        let lists = [bench::SHARED, forwarding::SHARED, idle::SHARED, mishaps::SHARED, echo::SHARED, host::SHARED];
        trials.extend(lists.into_iter().flatten().map(on_card));
        let of_card = |name: String| {
            shared(&bench, card, &format!("card::{name}"), reason.clone(), move |vm| card::run(&name, vm))
        };
        trials.extend(card::names().unwrap_or_else(|why| panic!("{why:#}")).into_iter().map(of_card));
        let taken_out = move || alone(|| mishaps::a_card_is_taken_out(card));
        trials.push(trial(&format!("{card}::l2fwd::a_card_is_taken_out"), reason.clone(), taken_out));
    }
    let on_its_own = |&(name, test): &(&str, Alone)| trial(name, reason.clone(), move || alone(test));
    trials.extend([bench::ALONE, host::ALONE].into_iter().flatten().map(on_its_own));
    // The last trial drops the last handle, which ends the machine.
    drop(bench);
    let conclusion = libtest_mimic::run(&arguments, trials);
    figures::print();
    conclusion.exit_code()
}

/// A trial on the card's shared machine.
fn shared(
    bench: &Arc<Bench>,
    card: Card,
    name: &str,
    reason: Option<String>,
    test: impl Fn(&mut Vm) -> Result<()> + Send + 'static,
) -> Trial {
    let bench = bench.clone();
    trial(&format!("{card}::{name}"), reason, move || expect(bench.with(card, test)))
}

/// Runs a test that boots its machines itself, and once more if one of them hangs.
fn alone(test: impl Fn() -> Result<()>) {
    expect(test().or_else(|why| {
        if !why.is::<Hung>() {
            return Err(why);
        }
        eprintln!("lab: the machine is at fault, not the test: once more, since {why:#}");
        test()
    }));
}

/// Turns an error into a failed test, with all that is known of it.
fn expect(result: Result<()>) {
    if let Err(why) = result {
        panic!("{why:#}");
    }
}
