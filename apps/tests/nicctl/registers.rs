//! `regs`: names, values and fields, of files that stand for BARs and of a software card.

use serde_json::{Value, json};

use super::machine::Machine;
use super::{CARD, Outcome};

/// A card with an 82599's registers: zeros, but for those given by offset.
fn machine(registers: &[(usize, u32)]) -> Machine {
    let machine = Machine::ready();
    let mut bar = vec![0; 128 << 10];
    for &(offset, value) in registers {
        bar[offset..offset + 4].copy_from_slice(&u32::to_le_bytes(value));
    }
    let path = machine.path(&format!("/sys/bus/pci/devices/{CARD}/resource0"));
    std::fs::write(path, bar).expect("a file");
    machine
}

fn lines(table: &str) -> Vec<String> {
    table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn of_a_card_all_with_fields_and_runs_of_equal_values() {
    let table = machine(&[(0x8, 0x8_0080), (0x1018, 31), (0x1058, 5), (0x1098, 5)]).table(&["regs", CARD]);
    let lines = lines(&table);
    for line in [
        "STATUS 0x00008 0x00080080 link_up, master_enabled",
        "CTRL 0x00000 0x00000000",
        "RDT[0] 0x01018 0x0000001f",
        "RDT[1-2] 0x01058 0x00000005",
        "RDT[3-127] 0x010d8 0x00000000",
    ] {
        assert!(lines.iter().any(|its| its == line), "no {line:?} in: {table}");
    }
}

#[test]
fn of_a_card_by_name() {
    let machine = machine(&[(0x8, 0x80), (0xD018, 7)]);
    let table = machine.table(&["regs", CARD, "rdt[64]", "status"]);
    assert_eq!(lines(&table)[1..], ["RDT[64] 0x0d018 0x00000007", "STATUS 0x00008 0x00000080 link_up"]);
    let (report, _) = machine.json(&["regs", CARD, "RDT[64]"]);
    let register = json!({ "name": "RDT", "index": 64, "offset": 0xD018, "value": 7, "fields": "" });
    assert_eq!(report, json!({ "card": CARD, "registers": [register] }));
    let (report, _) = machine.json(&["regs", CARD, "RDT"]);
    assert_eq!(report["registers"].as_array().map(Vec::len), Some(128));
    // Beginnings; but CTRL is a name, and does not mean CTRL_EXT.
    let table = machine.table(&["regs", CARD, "tdl", "CTRL"]);
    assert_eq!(lines(&table)[1..], ["TDLEN[0-127] 0x06008 0x00000000", "CTRL 0x00000 0x00000000"]);
    let table = machine.table(&["regs", CARD, "RDT[1]", "RDT[3]", "RDT[4]"]);
    assert_eq!(lines(&table)[1..], ["RDT[1] 0x01058 0x00000000", "RDT[3-4] 0x010d8 0x00000000"], "neighbours only");
}

#[test]
fn of_each_family_and_fields_of_fields() {
    for (id, status, fields) in [("0x10d3", 0x83, "full_duplex, link_up, speed 2"), ("0x10c9", 0x2, "link_up")] {
        // IVAR of the 82574: the second receive queue raises vector 1; the 82576's is elsewhere.
        let machine = machine(&[(0x8, status), (0xE4, 0x90)]);
        machine.write(&format!("/sys/bus/pci/devices/{CARD}/device"), id);
        let table = machine.table(&["regs", CARD]);
        assert!(lines(&table).iter().any(|line| line.starts_with("STATUS") && line.ends_with(fields)), "{table}");
        assert_eq!(table.contains("rx_1 (vector 1, valid)"), id == "0x10d3", "{table}");
    }
}

#[test]
fn of_a_software_card() {
    let machine = Machine::empty();
    assert_eq!(
        lines(&machine.table(&["regs", "sim:ixgbe", "EEC"]))[1],
        "EEC 0x10010 0x00001730 present, auto_read_done"
    );
    let (report, _) = machine.json(&["regs", "sim:ixgbe"]);
    let names = report["registers"].as_array().expect("registers").iter().map(|register| &register["name"]);
    // Statistics clear when they are read.
    assert!(names.clone().any(|name| name == "RDH") && !names.clone().any(|name| name == "GPRC"));
}

#[test]
fn names_that_are_wrong_are_said() {
    let machine = machine(&[]);
    machine.refuses(&["regs", CARD, "GPRC"], &["no register \"GPRC\"", "CTRL, STATUS"]);
    machine.refuses(&["regs", CARD, "RXCSMU"], &["no register \"RXCSMU\", did you mean RXCSUM?"]);
    machine.refuses(&["regs", CARD, "RDT[128]"], &["RDT has registers 0 to 127"]);
    machine.refuses(&["regs", CARD, "RDT[x]"], &["RDT has registers 0 to 127"]);
    machine.refuses(&["regs", CARD, "CTRL[1]"], &["CTRL is a single register"]);
    // Before it is tried to read the card.
    Machine::ready().refuses(&["regs", CARD, "STATSU"], &["did you mean STATUS?"]);
    machine.refuses(&["regs", "sim:e1000"], &["\"sim:e1000\" is no PCI address"]);
}

#[test]
fn cards_that_cannot_be_read_are_said() {
    let gone = machine(&[(0x8, u32::MAX)]);
    gone.refuses(&["regs", CARD], &[CARD, "all ones", "gone"]);
    gone.write(&format!("/sys/bus/pci/devices/{CARD}/power_state"), "D3hot");
    gone.refuses(&["regs", CARD], &["sleeps (D3hot)", "echo on | sudo tee"]);
    Machine::ready().refuses(&["regs", CARD], &[CARD, "no memory BAR 0"]);
    let unknown = machine(&[]);
    unknown.write(&format!("/sys/bus/pci/devices/{CARD}/device"), "0x1572");
    unknown.refuses(&["regs", CARD], &["8086:1572", "nicctl list"]);
}

#[test]
fn a_bar_that_is_cut_off_ends_in_ones_not_in_a_crash() {
    let machine = Machine::ready();
    let path = machine.path(&format!("/sys/bus/pci/devices/{CARD}/resource0"));
    std::fs::write(path, [0; 16]).expect("a file");
    let Outcome { status, stdout, .. } = machine.nicctl(&["regs", CARD, "CTRL", "LINKS", "--json"]);
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((status, &report["registers"][1]["value"]), (Some(0), &json!(u32::MAX)), "{stdout}");
}
