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

use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;

use self::machine::Machine;

/// The card of most tests: an 82599.
const CARD: &str = "0000:01:00.0";

/// Far more than any run takes, on any machine: a program that hangs fails its test.
const PATIENCE: Duration = Duration::from_secs(60);

/// What has become of a run.
struct Outcome {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Machine {
    /// Runs the program on this machine. A panic fails the test, whatever the exit status.
    fn nicctl(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nicctl"));
        command.timeout(PATIENCE).args(arguments).arg("--root").arg(self.root());
        let output = command.output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        let outcome =
            Outcome { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        outcome
    }

    /// The table of a run that does what it is to do.
    #[track_caller]
    fn table(&self, arguments: &[&str]) -> String {
        let Outcome { status, stdout, stderr } = self.nicctl(arguments);
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{stdout}");
        stdout
    }

    /// What a run says with `--json`, and its exit status.
    #[track_caller]
    fn json(&self, arguments: &[&str]) -> (Value, Option<i32>) {
        let Outcome { status, stdout, stderr } = self.nicctl(&[arguments, &["--json"]].concat());
        (serde_json::from_str(&stdout).unwrap_or_else(|why| panic!("{why}: {stdout}{stderr}")), status)
    }

    /// Checks that a run is refused and says these things.
    #[track_caller]
    fn refuses(&self, arguments: &[&str], said: &[&str]) {
        let Outcome { status, stdout, stderr } = self.nicctl(arguments);
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{stderr}");
        for part in said {
            assert!(stderr.contains(part), "no {part:?} in: {stderr}");
        }
    }
}
