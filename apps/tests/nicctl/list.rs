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
fn default_routes_of_both_kinds_and_through_interfaces_above() {
    let ipv6 = |flags: &str| {
        let zeros = "0".repeat(32);
        format!("{zeros} 00 {zeros} 00 fe800000000000000000000000000001 00000400 00000001 00000000 {flags} eth7")
    };
    let shown = |prepare: &dyn Fn(&Machine)| {
        let machine = Machine::with_kernel_card();
        prepare(&machine);
        machine.json(&["list"]).0["cards"][0]["default_route"].clone()
    };
    assert_eq!(shown(&|_| {}), json!(null));
    assert_eq!(shown(&|machine| machine.default_route("eth7")), json!("eth7"));
    assert_eq!(shown(&|machine| machine.default_route("eth70")), json!(null));
    assert_eq!(shown(&|machine| machine.write("/proc/net/ipv6_route", &ipv6("00000003"))), json!("eth7"));
    // A route that rejects, as the kernel has one where there is no other.
    assert_eq!(shown(&|machine| machine.write("/proc/net/ipv6_route", &ipv6("00200200"))), json!(null));
    let bridged = |machine: &Machine| {
        machine.folder("/sys/class/net/eth7/upper_bond0");
        machine.folder("/sys/class/net/bond0/upper_br0");
        // Links of the kernel may go in circles.
        machine.folder("/sys/class/net/bond0/upper_eth7");
        machine.default_route("br0");
    };
    assert_eq!(shown(&bridged), json!("br0"));
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
