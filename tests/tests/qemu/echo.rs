//! testpmd as a host that Linux pings: its engine icmpecho on port 0.

use anyhow::{Context, Result, ensure};
use gannet_tests::vm::guest::Process;
use gannet_tests::vm::machine::PORTS;
use gannet_tests::vm::{Card, Vm};
use serde_json::Value;

use crate::Test;
use crate::forwarder::PATIENCE;

/// Tests that share a machine.
pub(crate) const SHARED: &[(&str, Test)] =
    &[("testpmd::icmpecho", icmpecho), ("testpmd::icmpecho_with_jumbo_frames", icmpecho_with_jumbo_frames)];

/// What testpmd answers for.
const IPV4: &str = "203.0.113.9";
const IPV6: &str = "fd5a:47a1:6e17::9";

/// Pings from namespace a as fast as answers come. None may be lost.
fn flood(vm: &mut Vm, options: &str, address: &str) -> Result<()> {
    let command = format!("ip netns exec a ping -n -q -f -c 1000 -W 10 {options} {address} 2>&1");
    let text = vm.guest.run_within(&command, 3 * PATIENCE)?.text;
    ensure!(text.contains("1000 packets transmitted, 1000 received, 0% packet loss"), "{text}");
    Ok(())
}

/// The same host, seen through a VLAN.
fn ping_over_vlan(vm: &mut Vm) -> Result<()> {
    vm.guest.expect_ok(&format!(
        "ip -n a link add link eth0 name vlan42 type vlan id 42 && ip -n a address add 198.51.100.1/24 dev vlan42 && \
         ip -n a link set vlan42 up && ip -n a route add {IPV4}/32 dev vlan42"
    ))?;
    vm.guest.wait_until(&format!("ip netns exec a ping -c 1 -W 1 {IPV4}"), PATIENCE)?;
    flood(vm, "-M do -s 1472", IPV4)?;
    vm.guest.expect_ok("ip -n a link delete vlan42").map(drop)
}

/// testpmd on port 0, where it answers already.
fn start(vm: &mut Vm, options: &str) -> Result<Process> {
    // Opened for both directions, so that the prompt does not end when somebody has said something.
    let prompt = "mkfifo /tmp/prompt && exec 3<>/tmp/prompt";
    let command = format!("{prompt} && exec /testpmd --port pci:{} --engine icmpecho --json {options} <&3", PORTS[0]);
    let testpmd = vm.guest.spawn(&command)?;
    for line in [&format!("set icmpecho.ipv4 {IPV4}"), &format!("set icmpecho.ipv6 {IPV6}"), "start"] {
        vm.guest.wait_until(&format!("test -p /tmp/prompt && echo '{line}' >/tmp/prompt"), PATIENCE)?;
    }
    Ok(testpmd)
}

/// Waits until the two have found each other: the link needs a moment, and the first packet may be lost while Linux asks for the address.
fn reach(vm: &mut Vm, testpmd: &Process, address: &str) -> Result<()> {
    let reached = vm.guest.wait_until(&format!("ip netns exec a ping -c 1 -W 1 {address}"), PATIENCE);
    let log = vm.guest.log(testpmd)?;
    reached.with_context(|| format!("testpmd printed:\n{log}")).map(drop)
}

/// Ends testpmd. Checks that nothing came that it could not answer.
fn finish(vm: &mut Vm, testpmd: &Process) -> Result<()> {
    for line in ["stop", "show drops", "quit"] {
        vm.guest.expect_ok(&format!("echo '{line}' >/tmp/prompt"))?;
    }
    let output = vm.guest.wait(testpmd, PATIENCE)?;
    vm.guest.expect_ok("rm /tmp/prompt")?;
    ensure!(output.status == 0, "status {}: {}", output.status, output.text);
    let mut answers = output.text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let drops = answers.find(|answer| answer["command"] == "show drops").context("no answer to show drops")?;
    for row in drops["answer"].as_array().context("no list")? {
        let is_bad =
            ["bad_checksum", "malformed", "fragment", "late"].contains(&row["why"].as_str().unwrap_or_default());
        ensure!(!is_bad || row["packets"] == 0, "{drops:#}");
    }
    Ok(())
}

fn icmpecho(_: Card, vm: &mut Vm) -> Result<()> {
    let testpmd = start(vm, "")?;
    for (options, address) in [("-M do -s 1472", IPV4), ("-6 -M do -s 1452", IPV6)] {
        reach(vm, &testpmd, address)?;
        flood(vm, "", address)?;
        flood(vm, options, address)?;
    }
    ping_over_vlan(vm)?;
    finish(vm, &testpmd)
}

/// Frames of up to 9018 bytes, in one piece each way.
fn icmpecho_with_jumbo_frames(_: Card, vm: &mut Vm) -> Result<()> {
    let testpmd = start(vm, "--mtu 9000")?;
    vm.guest.expect_ok("ip -n a link set eth0 mtu 9000")?;
    reach(vm, &testpmd, IPV4)?;
    for size in [1473, 8000, 8972] {
        flood(vm, &format!("-M do -s {size}"), IPV4)?;
    }
    flood(vm, "-6 -M do -s 8952", IPV6)?;
    vm.guest.expect_ok("ip -n a link set eth0 mtu 1500")?;
    finish(vm, &testpmd)
}
