//! Command lines that say nothing, and trees that are no machine.

use super::machine::Machine;

#[test]
fn command_lines() {
    let machine = Machine::ready();
    machine.refuses(&[], &["Usage: nicctl"]);
    machine.refuses(&["bind"], &["<ADDRESS>"]);
    machine.refuses(&["lst"], &["lst", "list"]);
    for address in ["eth0", "1:0.0", "01:00.0; reboot", "../../../etc"] {
        machine.refuses(&["stats", address], &["no PCI address", "0000:01:00.0"]);
    }
}

#[test]
fn files_that_say_nonsense() {
    let machine = Machine::ready();
    machine.write("/sys/bus/pci/devices/0000:01:00.0/vendor", "nonsense");
    machine.refuses(&["list"], &["0000:01:00.0/vendor", "nonsense"]);
    machine.refuses(&["doctor", "01:00.0"], &["0000:01:00.0/vendor", "nonsense"]);
}

#[test]
fn help_and_version_are_no_errors() {
    let machine = Machine::empty();
    for (option, part) in [("-h", "doctor"), ("--help", "sudo nicctl bind"), ("--version", env!("CARGO_PKG_VERSION"))] {
        let table = machine.table(&[option]);
        assert!(table.contains(part), "{table}");
    }
}
