//! l2fwd between ports 0 and 1 of a guest, and what Linux's ends say to each other through it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gannet_tests::vm::Vm;
use gannet_tests::vm::guest::{Output, Process};
use gannet_tests::vm::machine::PORTS;
use serde_json::Value;

/// Longest wait for something that takes moments on a machine that is not emulated on a busy host.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The address of namespace b.
pub(crate) const B: &str = "203.0.113.2";

/// What l2fwd prints at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// One JSON object, and nothing before it.
    Json,
    /// For people, after what has happened.
    Text,
}

/// A running l2fwd.
pub(crate) struct Forwarder {
    process: Process,
}

impl Forwarder {
    /// Starts it, and waits until namespaces a and b reach each other.
    pub(crate) fn start(vm: &mut Vm, report: Report, options: &str) -> Result<Forwarder> {
        let json = if report == Report::Json { "--json" } else { "" };
        let command = format!("exec /l2fwd --port pci:{} --port pci:{} {json} {options}", PORTS[0], PORTS[1]);
        let forwarder = Forwarder { process: vm.guest.spawn(&command)? };
        let reached = vm.guest.wait_until(&format!("ip netns exec a ping -c 1 -W 1 {B}"), PATIENCE);
        reached.with_context(|| format!("l2fwd printed:\n{}", forwarder.log(vm).unwrap_or_default()))?;
        Ok(forwarder)
    }

    /// What it has printed so far.
    pub(crate) fn log(&self, vm: &mut Vm) -> Result<String> {
        vm.guest.log(&self.process)
    }

    /// Waits until it says something.
    pub(crate) fn wait_for(&self, vm: &mut Vm, text: &str) -> Result<()> {
        let command = format!("grep -F '{text}' {}", self.process.log_file());
        let heard = vm.guest.wait_until(&command, PATIENCE);
        heard.with_context(|| format!("l2fwd printed:\n{}", self.log(vm).unwrap_or_default())).map(drop)
    }

    /// Kills it, so that it cannot tidy up.
    pub(crate) fn kill(self, vm: &mut Vm) -> Result<()> {
        vm.guest.kill(&self.process)
    }

    /// Ctrl-C. Returns how it ended.
    pub(crate) fn interrupt(self, vm: &mut Vm) -> Result<Output> {
        vm.guest.signal(&self.process, "INT")?;
        let output = vm.guest.wait(&self.process, PATIENCE)?;
        ensure!(!output.text.contains("panicked"), "{}", output.text);
        Ok(output)
    }

    /// Ctrl-C. Returns its report (JSON), which must have no complaint but of frames for which the card had no room.
    pub(crate) fn finish(self, vm: &mut Vm) -> Result<Value> {
        let Output { status, text } = self.interrupt(vm)?;
        let report: Value = serde_json::from_str(&text).with_context(|| format!("no report:\n{text}"))?;
        let dropped = |reason: &str| report["drops"][reason].as_u64().unwrap_or(u64::MAX);
        let no_room = dropped("missed").saturating_add(dropped("no_descriptor"));
        ensure!(report["lost"] == no_room, "frames were lost, {no_room} of them for lack of room: {report:#}");
        ensure!(report["problems"] == Value::Array(Vec::new()), "{report:#}");
        ensure!(report["buffers"]["application"] == 0, "{report:#}");
        ensure!(status == i32::from(no_room > 0), "status {status}: {report:#}");
        Ok(report)
    }

    /// Ctrl-C. Its report must say that not one frame was lost.
    pub(crate) fn finish_without_loss(self, vm: &mut Vm) -> Result<()> {
        let report = self.finish(vm)?;
        ensure!(report["lost"] == 0, "{report:#}");
        Ok(())
    }
}

/// Pings from namespace a, and checks that each of the first requests was answered, once. (ping's own percentage counts as lost
/// what is late.) Returns what ping printed.
pub(crate) fn ping(vm: &mut Vm, options: &str, address: &str) -> Result<String> {
    const COUNT: usize = 20;
    let text =
        vm.guest.expect_ok(&format!("ip netns exec a ping -n -c {COUNT} -w 30 -i 0.05 {options} {address} 2>&1"))?;
    let answered = |line: &str| line.split("icmp_seq=").nth(1)?.split(' ').next()?.parse::<usize>().ok();
    let answers: BTreeSet<usize> = text.lines().filter_map(answered).collect();
    ensure!(answers.iter().copied().eq(1..=COUNT) && !text.contains("DUP!"), "{text}");
    Ok(text)
}

/// Runs iperf3 from namespace a to b for some seconds. Returns its report.
pub(crate) fn iperf3(vm: &mut Vm, seconds: u32, options: &str) -> Result<Value> {
    let server = vm.guest.spawn("exec ip netns exec b iperf3 --server --one-off")?;
    vm.guest.wait_until("ip netns exec b netstat -ltn | grep -F :5201", PATIENCE)?;
    let client = format!("ip netns exec a iperf3 --client {B} --json --time {seconds} {options}");
    let text = vm.guest.run_within(&client, Duration::from_secs(seconds.into()) + PATIENCE)?.text;
    vm.guest.kill(&server)?;
    let report: Value = serde_json::from_str(&text).with_context(|| format!("no report of iperf3:\n{text}"))?;
    ensure!(report.get("error").is_none(), "iperf3: {}", report["error"]);
    Ok(report)
}

/// A number of an iperf3 report.
pub(crate) fn number(report: &Value, pointer: &str) -> Result<f64> {
    report.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("no {pointer}: {report:#}"))
}
