//! Linux on both sides of l2fwd: what real programs send arrives as it was sent. `tests/namespaces` has the same over software
//! cards.

use anyhow::{Context, Result, ensure};
use gannet_tests::vm::guest::Process;
use gannet_tests::vm::{Card, Vm};

use crate::Test;
use crate::figures;
use crate::forwarder::{B, Forwarder, PATIENCE, Report, iperf3, number, ping};

/// Tests that share a machine.
pub(crate) const SHARED: &[(&str, Test)] = &[
    ("l2fwd::ping", pings),
    ("l2fwd::ping_over_ipv6", ping_over_ipv6),
    ("l2fwd::ping_over_vlan", ping_over_vlan),
    ("l2fwd::both_ends_see_the_same_frames", both_ends_see_the_same_frames),
    ("l2fwd::throughput", throughput),
];

fn pings(_: Card, vm: &mut Vm) -> Result<()> {
    let forwarder = Forwarder::start(vm, Report::Json, "")?;
    // 1472 bytes are the most that the MTU takes: frames of 1514.
    for size in [56, 0, 1472] {
        ping(vm, &format!("-M do -s {size}"), B)?;
    }
    // In fragments.
    ping(vm, "-s 8000", B)?;
    forwarder.finish_without_loss(vm)
}

fn ping_over_ipv6(_: Card, vm: &mut Vm) -> Result<()> {
    let forwarder = Forwarder::start(vm, Report::Json, "")?;
    for size in [56, 1452] {
        ping(vm, &format!("-6 -M do -s {size}"), "fd5a:47a1:6e17::2")?;
    }
    forwarder.finish_without_loss(vm)
}

fn ping_over_vlan(_: Card, vm: &mut Vm) -> Result<()> {
    let forwarder = Forwarder::start(vm, Report::Json, "")?;
    for (namespace, number) in [("a", 1), ("b", 2)] {
        vm.guest.expect_ok(&format!(
            "ip -n {namespace} link add link eth0 name vlan42 type vlan id 42 && \
             ip -n {namespace} address add 198.51.100.{number}/24 dev vlan42 && ip -n {namespace} link set vlan42 up"
        ))?;
    }
    for size in [56, 1472] {
        ping(vm, &format!("-M do -s {size}"), "198.51.100.2")?;
    }
    vm.guest.expect_ok("ip -n a link delete vlan42 && ip -n b link delete vlan42")?;
    forwarder.finish_without_loss(vm)
}

/// Records a namespace's pings. Returns once it listens.
fn record(vm: &mut Vm, namespace: &str) -> Result<Process> {
    let file = format!("/tmp/{namespace}.pcap");
    let command = format!("exec ip netns exec {namespace} tcpdump -i eth0 -U --immediate-mode -w {file} icmp");
    let process = vm.guest.spawn(&command)?;
    // The file's header is written when the interface is open.
    vm.guest.wait_until(&format!("test -s {file}"), PATIENCE)?;
    Ok(process)
}

fn both_ends_see_the_same_frames(_: Card, vm: &mut Vm) -> Result<()> {
    let forwarder = Forwarder::start(vm, Report::Json, "")?;
    let recorders = [record(vm, "a")?, record(vm, "b")?];
    ping(vm, "-M do -s 1472 -p 5ac3", B)?;
    ping(vm, "-M do -s 18 -p 0f", B)?;
    let mut frames = Vec::new();
    for (namespace, recorder) in ["a", "b"].into_iter().zip(&recorders) {
        let show = format!("tcpdump -t -nn -xx -r /tmp/{namespace}.pcap 2>/dev/null");
        vm.guest.wait_until(&format!("test $({show} | grep -c ICMP) -ge 80"), PATIENCE)?;
        vm.guest.signal(recorder, "INT")?;
        vm.guest.wait(recorder, PATIENCE)?;
        frames.push(vm.guest.expect_ok(&format!("{show}; rm /tmp/{namespace}.pcap"))?);
    }
    ensure!(frames[0].contains("5ac3 5ac3"), "{}", frames[0]);
    ensure!(frames[0] == frames[1], "the ends do not see the same frames");
    forwarder.finish_without_loss(vm)
}

/// Prints how fast it is. Emulated processors say little of real ones: only what is far from any sense is an error.
fn throughput(card: Card, vm: &mut Vm) -> Result<()> {
    let forwarder = Forwarder::start(vm, Report::Json, "")?;
    let text = ping(vm, "", B)?;
    let times = text.split("rtt min/avg/max/mdev = ").nth(1).context("no times")?;
    let ping_ms = times.split('/').nth(1).context("no average")?;
    let tcp = iperf3(vm, 10, "")?;
    let tcp_mbit = number(&tcp, "/end/sum_received/bits_per_second")? / 1e6;
    let retransmits = number(&tcp, "/end/sum_sent/retransmits")?;
    let udp = iperf3(vm, 5, "--udp --bitrate 0 --length 64")?;
    let (sent, lost) = (number(&udp, "/end/sum/packets")?, number(&udp, "/end/sum/lost_packets")?);
    let udp_kpps = (sent - lost) / number(&udp, "/end/sum/seconds")? / 1e3;
    let report = forwarder.finish(vm)?;
    figures::add(format!(
        "lab=l2fwd card={card} tcp_mbit={tcp_mbit:.1} tcp_retransmits={retransmits} ping_ms={ping_ms} \
         udp64_received_kpps={udp_kpps:.1} udp64_lost={:.0}% no_room={}",
        100.0 * lost / sent,
        report["lost"]
    ));
    ensure!(tcp_mbit > 10.0, "{tcp_mbit} Mbit/s");
    ensure!(udp_kpps > 0.1, "{udp_kpps} kpps");
    Ok(())
}
