//! `bind`, `unbind` and `restore`, with a kernel that answers.

use serde_json::json;

use super::machine::{ETHERNET, Machine};
use super::{CARD, Outcome};

const SECOND: &str = "0000:01:00.1";
const STATE: &str = "/run/gannet/nicctl.json";

/// A card with the kernel, and a kernel.
fn machine() -> Machine {
    let machine = Machine::with_kernel_card();
    machine.kernel(&["vfio-pci", "ixgbe"]);
    machine
}

fn driver(machine: &Machine, address: &str) -> Option<String> {
    let link = std::fs::read_link(machine.path("/sys/bus/pci/devices").join(address).join("driver")).ok()?;
    Some(link.file_name()?.to_string_lossy().into_owned())
}

#[test]
fn to_vfio_and_back() {
    let machine = machine();
    assert_eq!(machine.table(&["bind", CARD]), "0000:01:00.0  ixgbe -> vfio-pci\n");
    assert_eq!(driver(&machine, CARD).as_deref(), Some("vfio-pci"));
    assert_eq!(machine.read(&format!("/sys/bus/pci/devices/{CARD}/driver_override")), "vfio-pci");

    assert_eq!(machine.table(&["bind", CARD]), "0000:01:00.0  stays with vfio-pci\n", "twice is fine");

    assert_eq!(machine.table(&["restore"]), "0000:01:00.0  vfio-pci -> ixgbe\n");
    assert_eq!(driver(&machine, CARD).as_deref(), Some("ixgbe"));
    assert_eq!(machine.read(&format!("/sys/bus/pci/devices/{CARD}/driver_override")), "");
    assert!(machine.table(&["restore"]).contains("nothing to restore"));
    assert_eq!(machine.table(&["restore", "01:00.0"]), "0000:01:00.0  stays with ixgbe\n");
}

#[test]
fn reports_for_scripts() {
    let (report, status) = machine().json(&["bind", CARD, CARD]);
    let moved = json!({ "address": CARD, "from": "ixgbe", "to": "vfio-pci", "error": null, "hint": null });
    assert_eq!((report, status), (json!({ "cards": [moved] }), Some(0)));
}

#[test]
fn without_a_driver_and_back() {
    let machine = machine();
    assert_eq!(machine.table(&["unbind", CARD]), "0000:01:00.0  ixgbe -> no driver\n");
    assert_eq!(machine.table(&["bind", CARD]), "0000:01:00.0  no driver -> vfio-pci\n");
    // It was taken from ixgbe, not from nobody.
    assert_eq!(machine.table(&["restore"]), "0000:01:00.0  vfio-pci -> ixgbe\n");
}

#[test]
fn a_card_that_had_no_driver_goes_to_the_one_that_wants_it() {
    let machine = machine();
    machine.driver(CARD, None);
    assert_eq!(machine.table(&["bind", CARD]), "0000:01:00.0  no driver -> vfio-pci\n");
    assert_eq!(machine.table(&["restore"]), "0000:01:00.0  vfio-pci -> ixgbe\n");
}

#[test]
fn a_card_that_no_driver_wants_is_left_without() {
    let machine = Machine::with_kernel_card();
    machine.driver(CARD, Some("vfio-pci")).kernel(&["vfio-pci"]);
    machine.remove("/sys/bus/pci/drivers_probe");
    machine.write("/sys/bus/pci/drivers_probe", "");
    let table = machine.table(&["restore", CARD]);
    assert!(
        table.starts_with("0000:01:00.0  vfio-pci -> no driver\n") && table.contains("sudo modprobe ixgbe"),
        "{table}"
    );
}

#[test]
fn a_card_that_others_bound_goes_to_the_driver_that_wants_it() {
    let machine = machine();
    machine.driver(CARD, Some("vfio-pci"));
    assert_eq!(machine.table(&["restore", CARD]), "0000:01:00.0  vfio-pci -> ixgbe\n");
}

#[test]
fn the_rest_of_the_group_is_named() {
    let machine = machine();
    machine.device(SECOND, "0x10fb", ETHERNET).driver(SECOND, Some("ixgbe")).group(SECOND, 7);
    machine
        .device("0000:00:01.0", "0x1901", "0x060400")
        .driver("0000:00:01.0", Some("pcieport"))
        .group("0000:00:01.0", 7);
    let table = machine.table(&["bind", CARD]);
    assert!(table.contains("group 7") && table.contains("sudo nicctl bind 0000:01:00.1"), "{table}");
    assert!(!table.contains("0000:00:01.0"), "bridges are no obstacle: {table}");
    let both = machine.table(&["bind", CARD, SECOND]);
    assert_eq!(both, "0000:01:00.0  stays with vfio-pci\n0000:01:00.1  ixgbe -> vfio-pci\n");
}

#[test]
fn what_the_machine_s_network_needs_is_spared() {
    type Prepare = fn(&Machine);
    let cases: [(Prepare, &str); 5] = [
        (|machine| machine.default_route("eth7"), "default route (eth7)"),
        (|machine| machine.route("eth7"), "route to 192.0.2.0/24 (eth7)"),
        (|machine| machine.folder("/sys/class/net/eth7/upper_ovs-system"), "part of ovs-system (eth7)"),
        (|machine| machine.remove("/proc/net/route"), "/proc/net/route is unreadable"),
        (|machine| machine.folder("/proc/net/ipv6_route"), "/proc/net/ipv6_route is unreadable"),
    ];
    for (prepare, why) in cases {
        let machine = machine();
        prepare(&machine);
        for command in ["bind", "unbind"] {
            machine.refuses(&[command, CARD], &[CARD, why, "--force"]);
            assert_eq!(driver(&machine, CARD).as_deref(), Some("ixgbe"));
        }
        assert_eq!(machine.table(&["bind", "--force", CARD]), "0000:01:00.0  ixgbe -> vfio-pci\n", "{why}");
    }
}

#[test]
fn a_refusal_leaves_all_cards_as_they_were() {
    let machine = machine();
    machine.device(SECOND, "0x10fb", ETHERNET).driver(SECOND, Some("ixgbe")).group(SECOND, 8);
    for (functions, says) in [("4", "4 virtual functions"), ("many", "\"many\" is no number")] {
        machine.write(&format!("/sys/bus/pci/devices/{SECOND}/sriov_numvfs"), functions);
        for command in [&["bind", CARD, SECOND][..], &["unbind", CARD, SECOND], &["unbind", "--force", CARD, SECOND]] {
            machine.refuses(command, &[SECOND, says, "sriov_numvfs"]);
            assert_eq!(driver(&machine, CARD).as_deref(), Some("ixgbe"));
        }
    }
}

#[test]
fn what_cannot_be_bound() {
    let machine = machine();
    machine.device("0000:02:00.0", "0x0a54", "0x010802").driver("0000:02:00.0", Some("nvme"));
    machine.refuses(&["bind", "02:00.0"], &["0000:02:00.0", "no network card (class 0x010802)"]);
    machine.refuses(&["unbind", "02:00.0"], &["no network card", "--force"]);
    machine.refuses(&["bind", "09:00.0"], &["no PCI device 0000:09:00.0", "lspci"]);
    machine.remove(&format!("/sys/bus/pci/devices/{CARD}/iommu_group"));
    machine.refuses(&["bind", CARD], &["no IOMMU group", "nicctl doctor 0000:01:00.0"]);
    machine.remove("/sys/bus/pci/drivers/vfio-pci");
    machine.refuses(&["bind", CARD], &["not loaded", "sudo modprobe vfio-pci"]);
    assert_eq!(driver(&machine, CARD).as_deref(), Some("ixgbe"));
}

#[test]
fn a_card_in_use_is_not_taken_away() {
    let machine = machine();
    machine.table(&["bind", CARD]);
    machine.process(4711, "l2fwd", "/dev/vfio/7");
    for command in [&["restore"][..], &["restore", CARD], &["unbind", "--force", CARD]] {
        machine.refuses(command, &["in use by l2fwd (pid 4711)", "kill 4711"]);
    }
    assert_eq!(driver(&machine, CARD).as_deref(), Some("vfio-pci"));
    // The kernel waits for the program, and shows the card without a driver meanwhile.
    machine.driver(CARD, None);
    machine.refuses(&["restore"], &["in use by l2fwd (pid 4711)"]);
}

#[test]
fn a_card_that_vfio_pci_refuses_goes_back() {
    let machine = machine();
    machine.remove("/sys/bus/pci/drivers/vfio-pci/bind");
    let Outcome { status, stdout, stderr, .. } = machine.nicctl(&["bind", CARD]);
    assert_eq!(stdout, "0000:01:00.0  stays with ixgbe\n", "{stderr}");
    assert_eq!(status, Some(2));
    for part in [CARD, "left where it was", "vfio-pci/bind"] {
        assert!(stderr.contains(part), "no {part:?} in: {stderr}");
    }
    assert_eq!(machine.read(&format!("/sys/bus/pci/devices/{CARD}/driver_override")), "");
}

#[test]
fn a_kernel_that_does_not_answer_is_not_waited_for_without_end() {
    let machine = machine();
    machine.remove("/sys/bus/pci/drivers/ixgbe/unbind");
    let silent = machine.path("/sys/bus/pci/drivers/ixgbe/unbind");
    nix::unistd::mkfifo(&silent, nix::sys::stat::Mode::S_IRWXU).expect("a pipe that nobody reads");
    let Outcome { status, stderr, .. } = machine.nicctl(&["bind", CARD]);
    assert_eq!(status, Some(2), "{stderr}");
    assert!(stderr.contains("waited 10 s") && stderr.contains("ixgbe/unbind"), "{stderr}");
}

#[test]
fn a_driver_that_is_gone_is_named_and_keeps_no_other_card_from_going_back() {
    let machine = machine();
    machine.device(SECOND, "0x10c9", ETHERNET).driver(SECOND, Some("igb")).group(SECOND, 8);
    machine.remove("/sys/bus/pci/drivers/igb");
    machine.kernel_driver("igb");
    machine.table(&["bind", CARD, SECOND]);
    machine.remove("/sys/bus/pci/drivers/igb");
    let Outcome { status, stdout, stderr, .. } = machine.nicctl(&["restore"]);
    assert_eq!(stdout, "0000:01:00.0  vfio-pci -> ixgbe\n0000:01:00.1  stays with vfio-pci\n", "{stderr}");
    assert_eq!(status, Some(2));
    assert!(stderr.contains("0000:01:00.1: its driver igb is not loaded: sudo modprobe igb"), "{stderr}");
}

#[test]
fn a_card_that_has_left_the_machine_keeps_no_other_from_going_back() {
    let machine = machine();
    machine.device(SECOND, "0x10fb", ETHERNET).driver(SECOND, Some("ixgbe")).group(SECOND, 8);
    machine.table(&["bind", CARD, SECOND]);
    machine.remove(&format!("/sys/bus/pci/devices/{CARD}"));
    assert_eq!(machine.table(&["restore"]), "0000:01:00.1  vfio-pci -> ixgbe\n");
    assert_eq!(machine.read(STATE), "{}");
}

#[test]
fn a_damaged_state_file_and_another_nicctl_are_said() {
    let machine = machine();
    machine.write(STATE, "{");
    machine.refuses(&["restore"], &[STATE, "damaged: remove it"]);
    machine.write(STATE, "{}");
    let other = std::fs::File::open(machine.path("/run/gannet/nicctl.lock")).expect("it is there");
    other.lock().expect("nobody has it");
    machine.refuses(&["bind", CARD], &["another nicctl is at work"]);
    assert_eq!(driver(&machine, CARD).as_deref(), Some("ixgbe"));
}

#[test]
fn the_state_file_is_replaced_as_a_whole() {
    let machine = machine();
    machine.write(STATE, "{}");
    let old = machine.path("/run/gannet/old");
    std::fs::hard_link(machine.path(STATE), &old).expect("a link");
    machine.table(&["bind", CARD]);
    assert_eq!(machine.read("/run/gannet/old"), "{}", "what a reader has open stays whole");
    assert!(machine.read(STATE).contains("ixgbe"));
    assert!(!machine.path("/run/gannet/nicctl.new").exists());
}

#[test]
fn what_was_moved_is_reported_though_the_rest_of_the_group_cannot_be_read() {
    let machine = machine();
    machine.folder(&format!("/sys/kernel/iommu_groups/7/devices/{SECOND}"));
    machine.write(&format!("/sys/bus/pci/devices/{SECOND}/vendor"), "nonsense");
    let Outcome { status, stdout, stderr, .. } = machine.nicctl(&["bind", CARD]);
    assert_eq!((status, stdout.as_str()), (Some(2), "0000:01:00.0  ixgbe -> vfio-pci\n"), "{stderr}");
    assert!(stderr.contains("0000:01:00.1/vendor"), "{stderr}");
}
