//! The program nicctl from end to end, on machines that are folders of files: no test looks at, or touches, this machine's cards.

#![forbid(unsafe_code)]

mod binding;
mod doctor;
mod guide;
mod list;
mod machine;
mod refusals;
mod registers;
mod statistics;

use gannet_harness::{Outcome, program};
use serde_json::Value;

use self::machine::Machine;

/// The card of most tests: an 82599.
const CARD: &str = "0000:01:00.0";

impl Machine {
    /// Runs the program on this machine.
    fn nicctl(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(program(env!("CARGO_BIN_EXE_nicctl")).args(arguments).arg("--root").arg(self.root()))
    }

    /// The table of a run that does what it is to do.
    #[track_caller]
    fn table(&self, arguments: &[&str]) -> String {
        let Outcome { status, stdout, stderr, .. } = self.nicctl(arguments);
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{stdout}");
        stdout
    }

    /// What a run says with `--json`, and its exit status.
    #[track_caller]
    fn json(&self, arguments: &[&str]) -> (Value, Option<i32>) {
        let Outcome { status, stdout, stderr, .. } = self.nicctl(&[arguments, &["--json"]].concat());
        (serde_json::from_str(&stdout).unwrap_or_else(|why| panic!("{why}: {stdout}{stderr}")), status)
    }

    /// Checks that a run is refused and says these things.
    #[track_caller]
    fn refuses(&self, arguments: &[&str], said: &[&str]) {
        self.nicctl(arguments).assert_refused(said);
    }
}
