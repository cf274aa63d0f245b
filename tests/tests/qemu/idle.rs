//! Cores that sleep: next to no processor time while nothing arrives, and nothing overlooked.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use gannet_tests::vm::{Card, Vm};

use crate::Test;
use crate::figures;
use crate::forwarder::{B, Forwarder, Report, iperf3, number, ping};

/// Tests that share a machine.
pub(crate) const SHARED: &[(&str, Test)] = &[
    ("l2fwd::idle_on_interrupts", |card, vm| costs_little(card, vm, "interrupt")),
    ("l2fwd::idle_adaptively", |card, vm| costs_little(card, vm, "adaptive")),
];

/// Most of one core that an idle l2fwd may use.
const LIMIT_PERCENT: f64 = 2.0;

/// How long to look.
const TIME: Duration = Duration::from_secs(10);

fn costs_little(card: Card, vm: &mut Vm, idle: &str) -> Result<()> {
    let forwarder = Forwarder::start(vm, Report::Json, &format!("--idle {idle}"))?;
    let percent = processor_use(vm)?;
    figures::add(format!("lab=idle card={card} idle={idle} cpu_percent={percent:.2}"));
    // All cores have slept for seconds: the very first request is answered.
    ping(vm, "", B)?;
    let udp = iperf3(vm, 3, "--udp --bitrate 2M --length 1000")?;
    let sent = number(&udp, "/end/sum/packets")?;
    let report = forwarder.finish(vm)?;
    ensure!(report["lost"] == 0, "{report:#}");
    ensure!(report["sleeps"].as_u64() > Some(0), "no core has slept: {report:#}");
    ensure!(number(&report, "/ways/0/forwarded")? >= sent, "of {sent} datagrams: {report:#}");
    ensure!(percent < LIMIT_PERCENT, "an idle l2fwd uses {percent:.2} % of a core");
    Ok(())
}

/// How much of one core l2fwd uses, in percent.
fn processor_use(vm: &mut Vm) -> Result<f64> {
    // Fields 14 and 15 of stat are user and system time in hundredths of a second; uptime begins with seconds.
    let look = "cut -d' ' -f14,15 /proc/$(pidof l2fwd)/stat; cut -d' ' -f1 /proc/uptime";
    let text = vm.guest.expect_ok(&format!("{look}; sleep {}; {look}", TIME.as_secs()))?;
    let numbers: Vec<f64> = text.split_whitespace().flat_map(str::parse).collect();
    let &[user, system, start, user_later, system_later, end] = numbers.as_slice() else {
        bail!("no six numbers: {text}");
    };
    // Hundredths of a second in a second.
    Ok((user_later + system_later - user - system) / (end - start))
}
