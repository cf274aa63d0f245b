//! What happens to cards and programs: cables unplugged, programs killed, cards taken out.

use std::time::Duration;

use anyhow::{Result, ensure};
use gannet_tests::static_program;
use gannet_tests::vm::guest::Process;
use gannet_tests::vm::machine::PORTS;
use gannet_tests::vm::qmp::Link;
use gannet_tests::vm::{Card, Machine, Vm};

use crate::Test;
use crate::forwarder::{B, Forwarder, PATIENCE, Report, ping};

/// Tests that share a machine.
pub(crate) const SHARED: &[(&str, Test)] = &[
    ("l2fwd::a_link_goes_down_and_comes_up", a_link_goes_down_and_comes_up),
    ("l2fwd::killed_and_started_again_at_once", killed_and_started_again_at_once),
];

/// Traffic both ways, whatever becomes of it.
fn traffic(vm: &mut Vm) -> Result<Process> {
    vm.guest.spawn(&format!("exec ip netns exec a ping -q -i 0.005 -s 1000 {B}"))
}

fn a_link_goes_down_and_comes_up(_: Card, vm: &mut Vm) -> Result<()> {
    let forwarder = Forwarder::start(vm, Report::Text, "")?;
    let traffic = traffic(vm)?;
    for (state, says) in [(Link::Down, "link down"), (Link::Up, "link up, 1000 Mb/s")] {
        vm.qmp.set_link("port0", state)?;
        forwarder.wait_for(vm, &format!("port 0 (pci:{}): {says}", PORTS[0]))?;
    }
    vm.guest.wait_until(&format!("ip netns exec a ping -c 1 -W 1 {B}"), PATIENCE)?;
    vm.guest.kill(&traffic)?;
    ping(vm, "", B)?;
    // Frames for the unplugged cable may be lost, nothing else.
    let output = forwarder.interrupt(vm)?;
    ensure!(output.status <= 1 && !output.text.contains("problem"), "status {}:\n{}", output.status, output.text);
    Ok(())
}

/// How many huge pages are free.
fn free_huge_pages(vm: &mut Vm) -> Result<String> {
    vm.guest.expect_ok("grep HugePages_Free /proc/meminfo")
}

fn killed_and_started_again_at_once(_: Card, vm: &mut Vm) -> Result<()> {
    let before = free_huge_pages(vm)?;
    let forwarder = Forwarder::start(vm, Report::Json, "")?;
    ensure!(free_huge_pages(vm)? != before, "l2fwd uses no huge pages");
    let traffic = traffic(vm)?;
    ping(vm, "", B)?;
    forwarder.kill(vm)?;
    // The kernel still resets the cards: whoever opens them waits for that.
    let forwarder = Forwarder::start(vm, Report::Json, "")?;
    vm.guest.kill(&traffic)?;
    ping(vm, "", B)?;
    forwarder.finish(vm)?;
    let after = free_huge_pages(vm)?;
    ensure!(after == before, "before: {before}after: {after}");
    for port in [PORTS[0], PORTS[1]] {
        let driver = vm.guest.expect_ok(&format!("basename $(readlink /sys/bus/pci/devices/{port}/driver)"))?;
        ensure!(driver == "vfio-pci\n", "{port} is with {driver}");
    }
    Ok(())
}

/// The card of port 1 is taken out while frames pass. On a machine of its own, which lacks it afterwards.
pub(crate) fn a_card_is_taken_out(card: Card) -> Result<()> {
    let mut vm = Machine { files: vec![static_program("l2fwd")?], ..Machine::new(card) }.boot()?;
    let vm = &mut vm;
    let forwarder = Forwarder::start(vm, Report::Text, "")?;
    let traffic = traffic(vm)?;
    ping(vm, "", B)?;
    vm.qmp.device_del("port1")?;
    forwarder.wait_for(vm, &format!("port 1 (pci:{}): the machine wants the card back: given up", PORTS[1]))?;
    // A card behind a root port is told of twice: by its id, and its path.
    while vm.qmp.wait_for("DEVICE_DELETED", PATIENCE)?["device"] != "port1" {}
    vm.guest.wait_until(&format!("! test -e /sys/bus/pci/devices/{}", PORTS[1]), PATIENCE)?;
    // Port 0 goes on. Nobody answers, but it receives: what it has nowhere to send is counted.
    let received = |text: String| -> u64 { text.trim().parse().unwrap_or(0) };
    let count = "ip netns exec a cat /sys/class/net/eth0/statistics/tx_packets";
    let sent = received(vm.guest.expect_ok(count)?);
    vm.guest.wait_until(&format!("test $({count}) -gt {}", sent + 3), Duration::from_secs(60))?;
    vm.guest.kill(&traffic)?;
    let output = forwarder.interrupt(vm)?;
    let text = &output.text;
    ensure!(output.status == 1, "status {}:\n{text}", output.status);
    ensure!(text.contains(&format!("problem    pci:{}", PORTS[1])) && text.contains("abandoned"), "{text}");
    Ok(())
}
