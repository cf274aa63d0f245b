//! What docs/guide/nicctl.md shows is what the program prints.

use gannet_harness::{Outcome, guide};

use super::machine::{ETHERNET, Machine};

/// The machine of the guide: two 82574s with the kernel, a third with the default route, two things missing.
fn machine() -> Machine {
    let machine = Machine::ready();
    machine.remove("/sys/bus/pci/devices/0000:01:00.0");
    for (slot, group, interface) in
        [("0000:01:00.0", 9, "eth0"), ("0000:02:00.0", 10, "eth1"), ("0000:05:00.0", 13, "eth2")]
    {
        machine
            .device(slot, "0x10d3", ETHERNET)
            .driver(slot, Some("e1000e"))
            .group(slot, group)
            .interface(slot, interface);
        machine.write(&format!("/sys/bus/pci/devices/{slot}/numa_node"), "-1");
        machine.write(&format!("/sys/class/net/{interface}/speed"), "1000");
    }
    for file in ["carrier", "speed"] {
        machine.remove(&format!("/sys/class/net/eth1/{file}"));
    }
    machine.default_route("eth2");
    machine.remove("/sys/devices/system/node/node1");
    machine.huge_pages(0, 200, 200);
    machine.write("/sys/devices/system/cpu/online", "0-1");
    for cpu in ["cpu0", "cpu1"] {
        machine.remove(&format!("/sys/devices/system/cpu/{cpu}"));
    }
    machine.replace("/proc/cmdline", " isolcpus=2-3 nohz_full=2-3", "");
    machine.replace("/proc/self/limits", "unlimited            unlimited", "8388608              8388608");
    machine.remove("/sys/bus/pci/drivers/vfio-pci");
    machine
}

/// What the guide shows after this command.
fn shown(command: &str) -> String {
    let found = guide::transcripts("nicctl").into_iter().find(|transcript| transcript.command == command);
    found.unwrap_or_else(|| panic!("the guide does not show {command}")).output
}

#[test]
fn list_and_doctor() {
    let machine = machine();
    assert_eq!(shown("nicctl list"), machine.table(&["list"]));
    let Outcome { status, stdout, .. } = machine.nicctl(&["doctor", "01:00.0"]);
    assert_eq!((status, stdout), (Some(1), shown("nicctl doctor 01:00.0")));
}
