//! `show port PORTS regs`: registers of cards that run.

use serde_json::{Value, json};

use super::{Outcome, THOUSAND, answers, with_ports};

/// The lines of a table, with one space between columns.
fn lines(table: &str) -> Vec<String> {
    table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn of_all_ports_by_name_as_a_table() {
    let outcome = Outcome::fine(with_ports(&THOUSAND).args(["-e", "show port all regs rdlen"]));
    let expected = [
        "PORT REGISTER OFFSET VALUE FIELDS THAT ARE SET",
        "0 RDLEN[0] 0x01008 0x00002000",
        "0 RDLEN[1-127] 0x01048 0x00000000",
        "1 RDLEN[0] 0x01008 0x00002000",
        "1 RDLEN[1-127] 0x01048 0x00000000",
    ];
    assert_eq!(lines(&outcome.stdout), expected);
}

#[test]
fn by_name_index_and_beginning_as_json() {
    let answers = answers(
        &THOUSAND,
        "show port 1 regs STATUS\nshow port 0 regs RD[3]\nshow port 0 regs\nstop port 0\nshow port 0 regs ctrl",
    );
    let [status, ring, all, _, ctrl] = answers.as_slice() else { panic!("{answers:?}") };
    let register = json!({
        "name": "STATUS", "index": null, "offset": 8, "value": 0x8_0080, "fields": "link_up, master_enabled",
    });
    assert_eq!(*status, json!([{ "port": 1, "registers": [register] }]));
    let names = |answer: &Value| -> Vec<String> {
        let registers = answer[0]["registers"].as_array().expect("a list");
        registers.iter().map(|register| format!("{}{}", register["name"], register["index"])).collect()
    };
    assert_eq!(names(ring), ["\"RDBAL\"3", "\"RDBAH\"3", "\"RDLEN\"3", "\"RDH\"3", "\"RDT\"3"]);
    assert!(names(all).len() > 1000 && !names(all).iter().any(|name| name.starts_with("\"GPRC\"")));
    // Also of a port that is stopped; CTRL_EXT, which begins so, is another.
    assert_eq!(names(ctrl), ["\"CTRL\"null"]);
}

#[test]
fn a_look_disturbs_no_frame() {
    let generator = "sim:ixgbe,peer=gen,count=20000";
    let looks = "show port all regs\n".repeat(10);
    let script =
        format!("start\n{looks}wait packets 10000 600\n{looks}wait packets 40000 600\nstop\nshow port all stats");
    // Had the software cards found anything wrong, the program would not end with 0.
    let answers = answers(&[generator, generator], &script);
    for port in answers.last().and_then(Value::as_array).expect("a table") {
        assert_eq!((&port["rx_packets"], &port["rx_missed"]), (&json!(20_000), &json!(0)), "{port}");
    }
}
