//! The bench itself, with Linux on both sides: what other tests take for granted holds.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gannet_tests::vm::guest::Output;
use gannet_tests::vm::machine::{PORTS, mac};
use gannet_tests::vm::qmp::Link;
use gannet_tests::vm::{Card, Iommu, Machine, Vm};

use super::{Alone, Test};

/// Longest wait for something that the guest does by itself.
const PATIENCE: Duration = Duration::from_secs(120);

/// Tests that share a machine.
pub(crate) const SHARED: &[(&str, Test)] = &[
    ("commands_are_run", commands_are_run),
    ("time_is_limited", time_is_limited),
    ("processes_in_the_background", processes_in_the_background),
    ("files_come_out", files_come_out),
    ("the_console_has_what_is_serious", the_console_has_what_is_serious),
    ("dma_is_remapped", dma_is_remapped),
    ("each_port_has_its_iommu_group", each_port_has_its_iommu_group),
    ("huge_pages_are_reserved", huge_pages_are_reserved),
    ("an_unplugged_cable_is_seen", an_unplugged_cable_is_seen),
    ("cables_join_their_ends", cables_join_their_ends),
    ("programs_of_ours_run", programs_of_ours_run),
];

/// Tests with machines of their own.
pub(crate) const ALONE: &[(&str, Alone)] = &[
    ("a_card_is_removed", a_card_is_removed),
    ("without_an_iommu_vfio_takes_no_card", without_an_iommu_vfio_takes_no_card),
    ("a_machine_ends_with_its_program", a_machine_ends_with_its_program),
];

fn commands_are_run(_: Card, vm: &mut Vm) -> Result<()> {
    let output = vm.guest.run("printf 'a b\\\\c\\0d\\n'\n(exit 3)")?;
    assert_eq!(output, Output { status: 3, text: "a b\\c\0d\n".into() });
    let numbers: String = (1..=100_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(vm.guest.expect_ok("seq 100000")?, numbers);
    let refused = vm.guest.expect_ok("echo why >&2; exit 4").expect_err("a status that is not zero");
    ensure!(refused.to_string().contains("status 4") && refused.to_string().contains("why"), "{refused}");
    Ok(())
}

fn time_is_limited(_: Card, vm: &mut Vm) -> Result<()> {
    let refused = vm.guest.run_within("sleep 1000 | cat", Duration::from_secs(1)).expect_err("a limit");
    ensure!(refused.to_string().contains("was killed"), "{refused}");
    // Nothing of it is left, and the guest goes on.
    assert_eq!(vm.guest.run("pidof sleep")?.text, "");
    Ok(())
}

fn processes_in_the_background(_: Card, vm: &mut Vm) -> Result<()> {
    let ends = vm.guest.spawn("echo 'it'\"'s\" done; exit 5")?;
    assert_eq!(vm.guest.wait(&ends, PATIENCE)?, Output { status: 5, text: "it's done\n".into() });

    let stays = vm.guest.spawn("trap 'echo interrupted; exit 6' INT; echo ready; while :; do sleep 0.1; done")?;
    vm.guest.wait_until("grep ready /run/lab/process*.log", PATIENCE)?;
    vm.guest.signal(&stays, "INT")?;
    assert_eq!(vm.guest.wait(&stays, PATIENCE)?, Output { status: 6, text: "ready\ninterrupted\n".into() });

    let hangs = vm.guest.spawn("sleep 1000")?;
    vm.guest.wait_until("pidof sleep", PATIENCE)?;
    vm.guest.kill(&hangs)?;
    vm.guest.wait_until("! pidof sleep", PATIENCE)?;
    Ok(())
}

fn files_come_out(_: Card, vm: &mut Vm) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("order");
    vm.guest.copy_out("/modules/order", &copy)?;
    let order = fs::read_to_string(&copy)?;
    let place = |module: &str| order.lines().position(|line| line == module).with_context(|| format!("no {module}"));
    ensure!(place("vfio")? < place("vfio_pci")? && place("vfio_pci")? < place("igb")?, "{order}");
    Ok(())
}

fn the_console_has_what_is_serious(_: Card, vm: &mut Vm) -> Result<()> {
    vm.guest.expect_ok("echo '<6>lab: a note' >/dev/kmsg; echo '<3>lab: a fault' >/dev/kmsg")?;
    let start = Instant::now();
    while !vm.console()?.contains("lab: a fault") {
        ensure!(start.elapsed() < PATIENCE, "not on the console after {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    }
    ensure!(!vm.console()?.contains("lab: a note"), "the console has everything");
    ensure!(vm.guest.dmesg()?.contains("lab: a note"), "dmesg has not everything");
    Ok(())
}

fn dma_is_remapped(_: Card, vm: &mut Vm) -> Result<()> {
    let log = vm.guest.dmesg()?;
    for sign in ["DMAR: IOMMU enabled", "DMAR-IR: Enabled IRQ remapping"] {
        ensure!(log.contains(sign), "the kernel does not say {sign}:\n{log}");
    }
    vm.guest.expect_ok("test -e /sys/class/iommu/dmar0")?;
    Ok(())
}

fn each_port_has_its_iommu_group(card: Card, vm: &mut Vm) -> Result<()> {
    let expected = match card {
        Card::E1000e => "0x10d3",
        Card::Igb => "0x10c9",
    };
    let mut groups = BTreeSet::new();
    for port in PORTS {
        let device = format!("/sys/bus/pci/devices/{port}");
        let link = |name: &str| format!("basename $(readlink {device}/{name})");
        assert_eq!(vm.guest.expect_ok(&link("driver"))?, "vfio-pci\n", "{port}");
        assert_eq!(vm.guest.expect_ok(&format!("cat {device}/device"))?.trim(), expected, "{port}");
        let group = vm.guest.expect_ok(&link("iommu_group"))?.trim().to_owned();
        assert_eq!(vm.guest.expect_ok(&format!("ls {device}/iommu_group/devices"))?.trim(), port);
        vm.guest.expect_ok(&format!("test -c /dev/vfio/{group}"))?;
        groups.insert(group);
    }
    assert_eq!(groups.len(), PORTS.len());
    Ok(())
}

fn huge_pages_are_reserved(_: Card, vm: &mut Vm) -> Result<()> {
    let text = vm.guest.expect_ok("grep HugePages_ /proc/meminfo")?;
    ensure!(text.contains("HugePages_Free:      200\n"), "{text}");
    Ok(())
}

fn an_unplugged_cable_is_seen(_: Card, vm: &mut Vm) -> Result<()> {
    for namespace in ["a", "b"] {
        let carrier =
            |state: u8| format!("test $(ip netns exec {namespace} cat /sys/class/net/eth0/carrier) = {state}");
        vm.guest.wait_until(&carrier(1), PATIENCE)?;
        vm.qmp.set_link(namespace, Link::Down)?;
        vm.guest.wait_until(&carrier(0), PATIENCE)?;
        vm.qmp.set_link(namespace, Link::Up)?;
        vm.guest.wait_until(&carrier(1), PATIENCE)?;
    }
    Ok(())
}

/// Gives the ports to Linux's own driver, and pings over each cable.
fn cables_join_their_ends(card: Card, vm: &mut Vm) -> Result<()> {
    let driver = card.model();
    for (place, port) in PORTS.iter().enumerate() {
        let device = format!("/sys/bus/pci/devices/{port}");
        vm.guest.expect_ok(&format!(
            "echo {port} >/sys/bus/pci/drivers/vfio-pci/unbind && echo {driver} >{device}/driver_override && \
             echo {port} >/sys/bus/pci/drivers/{driver}/bind && ip netns add p{place} && \
             ip link set dev $(ls {device}/net) netns p{place} name eth0 && ip -n p{place} link set eth0 up"
        ))?;
        let link = vm.guest.expect_ok(&format!("ip -n p{place} link show eth0"))?;
        ensure!(link.contains(&mac(place)), "port {place}: {link}");
    }
    // Both ends of each cable: namespace and last part of the address.
    for (near, far) in [(("a", 1), ("p0", 11)), (("b", 2), ("p1", 12)), (("p2", 13), ("p3", 14))] {
        for (namespace, number) in [near, far] {
            vm.guest.expect_ok(&format!("ip -n {namespace} address replace 203.0.113.{number}/24 dev eth0"))?;
        }
        let ping = format!("ip netns exec {} ping -c 1 -W 1 203.0.113.{}", near.0, far.1);
        vm.guest.wait_until(&ping, PATIENCE)?;
    }
    // A cable ends where it should, and nowhere else.
    let astray = vm.guest.run("ip netns exec a ping -c 1 -W 1 203.0.113.12")?;
    ensure!(astray.status != 0, "the cables touch: {}", astray.text);
    for (place, port) in PORTS.iter().enumerate() {
        vm.guest.expect_ok(&format!(
            "echo {port} >/sys/bus/pci/drivers/{driver}/unbind && \
             echo vfio-pci >/sys/bus/pci/devices/{port}/driver_override && \
             echo {port} >/sys/bus/pci/drivers/vfio-pci/bind && ip netns delete p{place}"
        ))?;
    }
    Ok(())
}

fn programs_of_ours_run(_: Card, vm: &mut Vm) -> Result<()> {
    let text = vm.guest.expect_ok("/l2fwd --help")?;
    ensure!(text.contains("--port"), "{text}");
    Ok(())
}

fn a_card_is_removed() -> Result<()> {
    let mut vm = Machine::new(Card::Igb).boot()?;
    vm.qmp.device_del("port3")?;
    loop {
        // A card behind a root port is told of twice: by its id, and its path.
        let gone = vm.qmp.wait_for("DEVICE_DELETED", PATIENCE)?;
        if gone["device"] == "port3" {
            break;
        }
    }
    vm.guest.expect_ok(&format!("! test -e /sys/bus/pci/devices/{}", PORTS[3]))?;
    Ok(())
}

fn without_an_iommu_vfio_takes_no_card() -> Result<()> {
    let mut vm = Machine { iommu: Iommu::Off, ..Machine::new(Card::E1000e) }.boot()?;
    assert_eq!(vm.guest.expect_ok("ls /sys/kernel/iommu_groups")?, "");
    for port in PORTS {
        vm.guest.expect_ok(&format!("! test -e /sys/bus/pci/devices/{port}/driver"))?;
    }
    Ok(())
}

/// A program that is not dropped but killed, while its machine boots.
fn a_machine_ends_with_its_program() -> Result<()> {
    /// Does not outlive the test.
    struct Program(Child);
    impl Drop for Program {
        fn drop(&mut self) {
            // It may have ended.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    // What a killed program leaves behind goes away with this.
    let folder = tempfile::tempdir()?;
    let command = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(["run", "sleep 600"])
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("the lab starts")?;
    let program = Program(command);
    let start = Instant::now();
    let qemu = loop {
        if let Some(qemu) = qemu_of(program.0.id()) {
            break qemu;
        }
        ensure!(start.elapsed() < PATIENCE, "no QEMU after {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    };
    // SIGKILL: the program has no time to tidy up.
    drop(program);
    let start = Instant::now();
    while is_qemu(qemu) {
        ensure!(start.elapsed() < PATIENCE, "QEMU has outlived the program that started it");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The QEMU that a program has started.
fn qemu_of(program: u32) -> Option<u32> {
    let threads = fs::read_dir(format!("/proc/{program}/task")).ok()?;
    let children = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
    let children: Vec<u32> =
        children.flat_map(|line| line.split(' ').flat_map(str::parse).collect::<Vec<_>>()).collect();
    children.into_iter().find(|child| is_qemu(*child))
}

/// Whether there is a process that runs a virtual machine of the lab.
fn is_qemu(process: u32) -> bool {
    // Empty once the process has ended, even while nobody has asked for its status.
    let command = fs::read(Path::new("/proc").join(process.to_string()).join("cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command);
    command.contains("-netdev\0hubport") && !command.starts_with("setpriv")
}
