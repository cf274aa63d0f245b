//! `stats`: the kernel's sums, or who has them.

use serde_json::json;

use super::CARD;
use super::machine::Machine;

#[test]
fn of_a_card_of_the_kernel() {
    let machine = Machine::with_kernel_card();
    for (counter, value) in [("rx_packets", "12"), ("tx_packets", "18446744073709551615"), ("rx_errors", "0")] {
        machine.write(&format!("/sys/class/net/eth7/statistics/{counter}"), value);
    }
    assert_eq!(machine.table(&["stats", CARD]), "eth7\nrx_packets  12\ntx_packets  18446744073709551615\n");
    let (report, status) = machine.json(&["stats", CARD]);
    assert_eq!(status, Some(0));
    let counters = json!({ "rx_packets": 12, "tx_packets": u64::MAX, "rx_errors": 0 });
    assert_eq!(report["interfaces"], json!([{ "name": "eth7", "counters": counters }]));
}

#[test]
fn of_a_card_that_a_program_has() {
    let machine = Machine::ready();
    machine.process(4711, "l2fwd", "/dev/vfio/7");
    let table = machine.table(&["stats", CARD]);
    for part in ["in use by l2fwd (pid 4711)", "report", "clear when they are read", "kill -INT 4711"] {
        assert!(table.contains(part), "no {part:?} in: {table}");
    }
    let (report, _) = machine.json(&["stats", CARD]);
    assert_eq!(report["processes"], json!([{ "pid": 4711, "name": "l2fwd" }]));
    assert_eq!(report["interfaces"], json!([]));
}

#[test]
fn of_a_card_that_nobody_uses() {
    let machine = Machine::ready();
    assert_eq!(machine.table(&["stats", CARD]), "0000:01:00.0 counts nothing: no program uses it\n");
    machine.driver(CARD, None);
    assert_eq!(machine.table(&["stats", CARD]), "0000:01:00.0 counts nothing: it has no driver\n");
    machine.driver(CARD, Some("ixgbe")).interface(CARD, "eth7");
    assert_eq!(machine.table(&["stats", CARD]), "eth7 has counted nothing yet\n");
}
