//! nicctl on a real kernel: what it says of a machine in which one thing is wrong, and cards that it moves between drivers.

use anyhow::{Context, Result, ensure};
use gannet_tests::static_program;
use gannet_tests::vm::guest::Output;
use gannet_tests::vm::machine::{KERNEL_A, PORTS};
use gannet_tests::vm::{Card, Iommu, Machine, Vm};
use serde_json::Value;

use crate::forwarder::{Forwarder, PATIENCE, Report};
use crate::{Alone, Test};

/// Tests that share a machine.
pub(crate) const SHARED: &[(&str, Test)] = &[
    ("nicctl::cards_are_listed_with_their_users", cards_are_listed_with_their_users),
    ("nicctl::bind_and_restore", bind_and_restore),
    ("nicctl::the_card_of_the_default_route_stays", the_card_of_the_default_route_stays),
    ("nicctl::registers_are_shown", registers_are_shown),
    ("nicctl::doctor_on_huge_pages", doctor_on_huge_pages),
    ("nicctl::doctor_on_vfio", doctor_on_vfio),
    ("nicctl::doctor_on_a_user_without_rights", doctor_on_a_user_without_rights),
];

/// Tests with machines of their own.
pub(crate) const ALONE: &[(&str, Alone)] =
    &[("nicctl::doctor_on_a_machine_without_an_iommu", doctor_on_a_machine_without_an_iommu)];

/// The port that is moved about.
const PORT: &str = PORTS[2];

/// What a doctor complains of.
#[derive(Debug, PartialEq, Eq)]
struct Complaint {
    /// The machine, or a card's address.
    subject: String,
    check: String,
    remedy: String,
}

/// What a command prints that must end with this status.
fn printed(vm: &mut Vm, command: &str, status: i32) -> Result<String> {
    let output = vm.guest.run(&format!("{command} 2>&1"))?;
    ensure!(output.status == status, "`{command}` ended with status {}:\n{}", output.status, output.text);
    Ok(output.text)
}

/// What the doctor complains of on [`PORT`], but for the cores, which here are isolated nowhere. `shell` is a command with `{}` in the
/// place of the doctor.
fn complaints(vm: &mut Vm, shell: &str) -> Result<Vec<Complaint>> {
    let command = shell.replace("{}", &format!("/nicctl doctor --json {PORT}"));
    let Output { status, text } = vm.guest.run(&command)?;
    let report: Value = serde_json::from_str(&text).with_context(|| format!("`{command}` printed:\n{text}"))?;
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut complaints = Vec::new();
    let mut missing = false;
    for section in report["sections"].as_array().context("no sections")? {
        for finding in section["findings"].as_array().context("no findings")? {
            missing |= finding["verdict"] == "missing";
            if ["missing", "warning"].contains(&word(&finding["verdict"]).as_str())
                && finding["check"] != "isolated cores"
            {
                let (subject, check) = (word(&section["subject"]), word(&finding["check"]));
                complaints.push(Complaint { subject, check, remedy: word(&finding["remedy"]) });
            }
        }
    }
    ensure!(report["ready"] == !missing && status == i32::from(missing), "status {status}: {text}");
    Ok(complaints)
}

/// Checks that the doctor complains of one thing only. Returns its remedy.
fn only_complaint(vm: &mut Vm, shell: &str, subject: &str, check: &str) -> Result<String> {
    let mut complaints = complaints(vm, shell)?;
    ensure!(
        matches!(complaints.as_slice(), [one] if one.subject == subject && one.check == check),
        "not of {check} of {subject} alone: {complaints:#?}"
    );
    Ok(complaints.pop().map(|complaint| complaint.remedy).unwrap_or_default())
}

/// Checks that the doctor has no complaint.
fn no_complaint(vm: &mut Vm) -> Result<()> {
    let complaints = complaints(vm, "{}")?;
    ensure!(complaints.is_empty(), "{complaints:#?}");
    Ok(())
}

fn cards_are_listed_with_their_users(card: Card, vm: &mut Vm) -> Result<()> {
    no_complaint(vm)?;
    let forwarder = Forwarder::start(vm, Report::Json, "")?;
    let list = printed(vm, "/nicctl list", 0)?;
    let line = |address: &str| list.lines().find(|line| line.starts_with(address)).unwrap_or_default();
    for (place, port) in PORTS.iter().enumerate() {
        let is_used = place < 2;
        let line = line(port);
        ensure!(line.contains(card.model()) && line.contains("vfio-pci"), "{list}");
        ensure!(line.contains("l2fwd (pid ") == is_used, "{list}");
    }
    ensure!(!line(KERNEL_A).contains("vfio-pci"), "{list}");
    // A card in use is not taken away.
    let refused = printed(vm, &format!("/nicctl restore {}", PORTS[0]), 2)?;
    ensure!(refused.contains("in use by l2fwd"), "{refused}");
    forwarder.finish_without_loss(vm)
}

fn bind_and_restore(card: Card, vm: &mut Vm) -> Result<()> {
    let model = card.model();
    let driver = format!("basename $(readlink /sys/bus/pci/devices/{PORT}/driver)");
    let restored = printed(vm, &format!("/nicctl restore {PORT}"), 0)?;
    ensure!(restored.contains(&format!("vfio-pci -> {model}")), "{restored}");
    assert_eq!(vm.guest.expect_ok(&driver)?.trim(), model);
    // What the doctor advises mends it.
    let remedy = only_complaint(vm, "{}", PORT, "binding")?;
    assert_eq!(remedy, format!("sudo nicctl bind {PORT}"));
    let bound = printed(vm, &format!("/{}", remedy.trim_start_matches("sudo ")), 0)?;
    ensure!(bound.contains(&format!("{model} -> vfio-pci")), "{bound}");
    no_complaint(vm)?;
    // Now it is known whose it was: without an address, all that were taken go back.
    let restored = printed(vm, "/nicctl restore", 0)?;
    ensure!(restored.contains(&format!("{PORT}  vfio-pci -> {model}")), "{restored}");
    assert_eq!(restored.lines().count(), 1, "{restored}");
    printed(vm, &format!("/nicctl bind {PORT}"), 0)?;
    assert_eq!(vm.guest.expect_ok(&driver)?, "vfio-pci\n");
    Ok(())
}

fn the_card_of_the_default_route_stays(_: Card, vm: &mut Vm) -> Result<()> {
    vm.guest.expect_ok("ip -n a route add default via 203.0.113.2")?;
    let refused = printed(vm, &format!("ip netns exec a /nicctl bind {KERNEL_A}"), 2)?;
    ensure!(refused.contains("default route (eth0)") && refused.contains("--force"), "{refused}");
    let driver = vm.guest.expect_ok(&format!("basename $(readlink /sys/bus/pci/devices/{KERNEL_A}/driver)"))?;
    assert_eq!(driver, "e1000e\n");
    vm.guest.expect_ok("ip -n a route delete default")?;
    Ok(())
}

fn registers_are_shown(_: Card, vm: &mut Vm) -> Result<()> {
    let power = format!("/sys/bus/pci/devices/{PORT}/power/control");
    vm.guest.expect_ok(&format!("echo auto >{power}"))?;
    let state = format!("grep D3hot /sys/bus/pci/devices/{PORT}/power_state");
    vm.guest.wait_until(&state, PATIENCE)?;
    let refused = printed(vm, &format!("/nicctl regs {PORT} STATUS"), 2)?;
    ensure!(refused.contains("sleeps (D3hot)") && refused.contains(&power), "{refused}");
    // What the message advises.
    vm.guest.expect_ok(&format!("echo on >{power}"))?;
    let shown = printed(vm, &format!("/nicctl regs {PORT} STATUS"), 0)?;
    ensure!(shown.contains("0x00008") && shown.contains("full_duplex"), "{shown}");
    vm.guest.expect_ok(&format!("echo auto >{power}"))?;
    Ok(())
}

fn doctor_on_huge_pages(_: Card, vm: &mut Vm) -> Result<()> {
    vm.guest.expect_ok("cp /proc/sys/vm/nr_hugepages /run/lab/pages && echo 0 >/proc/sys/vm/nr_hugepages")?;
    only_complaint(vm, "{}", "machine", "huge pages")?;
    vm.guest.expect_ok("cat /run/lab/pages >/proc/sys/vm/nr_hugepages")?;
    no_complaint(vm)
}

fn doctor_on_vfio(_: Card, vm: &mut Vm) -> Result<()> {
    vm.guest.expect_ok("rmmod vfio_pci")?;
    only_complaint(vm, "{}", "machine", "vfio-pci")?;
    // The cards are still set aside for it.
    vm.guest.expect_ok("insmod /modules/vfio_pci.ko")?;
    no_complaint(vm)
}

fn doctor_on_a_user_without_rights(_: Card, vm: &mut Vm) -> Result<()> {
    let group = vm.guest.expect_ok(&format!("basename $(readlink /sys/bus/pci/devices/{PORT}/iommu_group)"))?;
    let node = format!("/dev/vfio/{}", group.trim());
    let user = "user:x:1000:1000:user:/tmp:/bin/sh";
    vm.guest.expect_ok(&format!("cp /etc/passwd /run/lab/passwd && echo {user} >>/etc/passwd"))?;
    // A limit that is high enough, and a node of root's.
    let as_user = |limit: &str| format!("ulimit -l {limit} && su user -c '{{}}'");
    let remedy = only_complaint(vm, &as_user("unlimited"), PORT, "access")?;
    assert_eq!(remedy, format!("sudo chown $USER {node}"));
    vm.guest.expect_ok(&remedy.replace("sudo ", "").replace("$USER", "user"))?;
    // The node is the user's now, and the limit too low.
    only_complaint(vm, &as_user("8192"), "machine", "memlock")?;
    let content = complaints(vm, &as_user("unlimited"))?;
    ensure!(content.is_empty(), "{content:#?}");
    vm.guest.expect_ok(&format!("chown root {node} && cat /run/lab/passwd >/etc/passwd"))?;
    Ok(())
}

/// A machine without an IOMMU, which is all that the doctor complains of.
fn doctor_on_a_machine_without_an_iommu() -> Result<()> {
    let machine = Machine::new(Card::E1000e);
    let mut vm = Machine { iommu: Iommu::Off, files: vec![static_program("nicctl")?], ..machine }.boot()?;
    let remedy = only_complaint(&mut vm, "{}", "machine", "iommu")?;
    ensure!(remedy.contains("-device intel-iommu"), "{remedy}");
    let refused = printed(&mut vm, &format!("/nicctl bind {PORT}"), 2)?;
    ensure!(refused.contains("the IOMMU is off"), "{refused}");
    Ok(())
}
