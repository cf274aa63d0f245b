//! The trials of drivers on two ports that a cable joins, on software cards: what the lab runs on QEMU's.

use std::process::Command;

#[test]
fn all_trials_pass_on_two_software_82599s() {
    let port = "sim:ixgbe,peer=link:cable";
    let output = Command::new(env!("CARGO_BIN_EXE_card-trials")).args([port, port]).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("15 passed"), "{text}");
}
