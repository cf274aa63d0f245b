//! `list` shows every network card, and nothing else.

use serde_json::json;

use super::CARD;
use super::machine::{ETHERNET, Machine};

#[test]
fn cards_and_who_has_them() {
    let machine = Machine::ready();
    machine.process(4711, "l2fwd", "/dev/vfio/7");
    let lan = "0000:03:00.0";
    machine.device(lan, "0x1533", ETHERNET).driver(lan, Some("igb")).group(lan, 8).interface(lan, "eth0");
    machine.default_route("eth0");
    machine.device("0000:04:00.0", "0x1572", ETHERNET);
    machine.device("0000:05:00.0", "0x0a54", "0x010802");
    let table = machine.table(&["list"]);
    let rows: Vec<Vec<&str>> =
        table.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    assert_eq!(
        rows[1..],
        [
            vec![
                CARD,
                "8086:10fb",
                "Intel 82599 10 GbE SFP+",
                "ixgbe",
                "vfio-pci",
                "7",
                "0",
                "-",
                "?",
                "l2fwd (pid 4711)"
            ],
            vec![
                lan,
                "8086:1533",
                "Intel I210 gigabit",
                "igb",
                "igb",
                "8",
                "0",
                "eth0",
                "10000 Mb/s",
                "default route (eth0)"
            ],
            vec!["0000:04:00.0", "8086:1572", "-", "-", "-", "-", "0", "-", "?", "-"],
        ]
    );
    let (list, status) = machine.json(&["list"]);
    assert_eq!(status, Some(0));
    assert_eq!(list["cards"][0]["processes"], json!([{ "pid": 4711, "name": "l2fwd" }]));
    assert_eq!(list["cards"][1]["interfaces"], json!([{ "name": "eth0", "carrier": true, "speed_mbps": 10000 }]));
    assert_eq!((&list["cards"][0]["iommu_group"], &list["cards"][2]["iommu_group"]), (&json!(7), &json!(null)));
}

#[test]
fn links() {
    for (carrier, speed, link) in [
        (Some("1"), Some("1000"), "1000 Mb/s"),
        (Some("1"), Some("-1"), "up"),
        (Some("0"), Some("4294967295"), "down"),
        (None, None, "off"),
    ] {
        let machine = Machine::with_kernel_card();
        for (file, text) in [("carrier", carrier), ("speed", speed)] {
            let path = format!("/sys/class/net/eth7/{file}");
            text.map_or_else(|| machine.remove(&path), |text| machine.write(&path, text));
        }
        let table = machine.table(&["list"]);
        assert!(table.contains(&format!("eth7       {link}")), "{table}");
    }
}

#[test]
fn what_the_machine_s_network_needs() {
    let ipv6 = |destination: &str, length: &str| {
        let zeros = "0".repeat(32);
        format!("{destination} {length} {zeros} 00 {zeros} 00000100 00000001 00000000 00000001     eth7")
    };
    let shown = |prepare: &dyn Fn(&Machine)| {
        let machine = Machine::with_kernel_card();
        prepare(&machine);
        machine.json(&["list"]).0["cards"][0]["needed_for"].clone()
    };
    assert_eq!(shown(&|_| {}), json!(null));
    assert_eq!(shown(&|machine| machine.default_route("eth7")), json!("default route (eth7)"));
    assert_eq!(shown(&|machine| machine.default_route("eth70")), json!(null));
    assert_eq!(shown(&|machine| machine.route("eth7")), json!("route to 192.0.2.0/24 (eth7)"));
    assert_eq!(shown(&|machine| machine.write("/proc/net/route", "eth7 ? ?")), json!("a route (eth7)"));
    assert_eq!(
        shown(&|machine| machine.folder("/sys/class/net/eth7/upper_bond0")),
        json!("part of bond0 (eth7)"),
        "whatever the bond has"
    );
    for (destination, length, expected) in [
        ("00000000000000000000000000000000", "00", json!("default route (eth7)")),
        ("20010db8000000000000000000000000", "20", json!("route to 2001:db8::/32 (eth7)")),
        ("fe800000000000000000000000000000", "40", json!(null)),
        ("ff000000000000000000000000000000", "08", json!(null)),
        ("nonsense", "08", json!("a route (eth7)")),
    ] {
        let line = ipv6(destination, length);
        assert_eq!(shown(&|machine| machine.write("/proc/net/ipv6_route", &line)), expected, "{line}");
    }
}

#[test]
fn no_cards() {
    for machine in [Machine::empty(), Machine::ready()] {
        if machine.path("/sys/bus/pci/devices").exists() {
            machine.remove(&format!("/sys/bus/pci/devices/{CARD}"));
        }
        assert!(machine.table(&["list"]).contains("no network card"));
        assert_eq!(machine.json(&["list"]), (json!({ "cards": [] }), Some(0)));
    }
}
