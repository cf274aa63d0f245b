//! The kernel's network stack on both sides of l2fwd: what real programs send arrives as it was sent. And against testpmd's engines and the
//! example http, whose network stack is its own.
//!
//! Needs root, /dev/net/tun and some programs; a test without what it needs is skipped and says so. Speeds are printed,
//! none is asserted.

#![forbid(unsafe_code)]

mod lab;
mod testpmd;
mod web;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use gannet_tests::{missing, trial};
use libtest_mimic::Arguments;
use nix::unistd::Uid;
use serde_json::Value;

use self::lab::{Lab, Namespace, Process, run, wait_until};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each run keeps two cores busy.
    arguments.test_threads.get_or_insert(1);
    let base = cannot_run();
    let needs = |programs: &[&str]| base.clone().or_else(|| missing(programs));
    let ipv6 = needs(&[]).or_else(|| (!lab::has_ipv6()).then(|| "this kernel has no IPv6".into()));
    let vlan = needs(&[]).or_else(|| (!lab::has_vlan()).then(|| "this kernel has no VLAN interfaces".into()));
    let trials = vec![
        trial("web::sockets_of_the_kernel", needs(&[]), web::sockets_of_the_kernel),
        trial("web::curl", needs(&["curl"]), web::curl),
        trial("ping", needs(&[]), ping),
        trial("ping_over_ipv6", ipv6.clone(), ping_over_ipv6),
        trial("ping_over_vlan", vlan.clone(), ping_over_vlan),
        trial("fragments", needs(&[]), fragments),
        trial("tcp", needs(&["iperf3"]), tcp),
        trial("udp", needs(&["iperf3"]), udp),
        trial("both_ends_see_the_same_frames", needs(&["tcpdump"]), both_ends_see_the_same_frames),
        trial("testpmd::icmpecho", needs(&[]), testpmd::icmpecho),
        trial("testpmd::icmpecho_with_jumbo_frames", needs(&[]), testpmd::icmpecho_with_jumbo_frames),
        trial("testpmd::icmpecho_over_ipv6", ipv6, testpmd::icmpecho_over_ipv6),
        trial("testpmd::icmpecho_over_vlan", vlan, testpmd::icmpecho_over_vlan),
        trial("testpmd::csum_between_hosts", needs(&["iperf3"]), testpmd::csum_between_hosts),
        trial("testpmd::csum_mends_what_linux_would_drop", needs(&[]), testpmd::csum_mends_what_linux_would_drop),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Why none of this can run, if so.
fn cannot_run() -> Option<String> {
    if !Uid::effective().is_root() {
        return Some("needs root".into());
    }
    if !Path::new("/dev/net/tun").exists() {
        return Some("needs /dev/net/tun: modprobe tun".into());
    }
    missing(&["ip", "ping"]).or_else(|| {
        let name = format!("gan{}t", std::process::id());
        let netns = |verb: &str| Command::new("ip").args(["netns", verb, &name]).output();
        let made = netns("add").is_ok_and(|output| output.status.success());
        // It is there, or there is nothing to delete.
        let _ = netns("delete");
        (!made).then(|| "network namespaces cannot be made here".into())
    })
}

/// Pings, and checks that each of the first requests was answered, once. (ping's own percentage counts as lost what is late.)
fn assert_ping(from: &Namespace, options: &str, address: &str) {
    const COUNT: usize = 20;
    let text = run(&mut from.command("ping", &format!("-n -c {COUNT} -w 20 -i 0.05 {options} {address}")));
    let answered = |line: &str| line.split("icmp_seq=").nth(1)?.split(' ').next()?.parse::<usize>().ok();
    let answers: BTreeSet<usize> = text.lines().filter_map(answered).collect();
    assert!(answers.iter().copied().eq(1..=COUNT) && !text.contains("DUP!"), "{text}");
}

fn ping() {
    let lab = Lab::new();
    // 1472 bytes are the most that the MTU takes: frames of 1514.
    for size in [56, 0, 1472] {
        assert_ping(&lab.a, &format!("-M do -s {size}"), "198.51.100.2");
        assert_ping(&lab.b, &format!("-M do -s {size}"), "198.51.100.1");
    }
    lab.finish();
}

fn fragments() {
    let lab = Lab::new();
    assert_ping(&lab.a, "-s 8000", "198.51.100.2");
    lab.finish();
}

fn ping_over_ipv6() {
    let lab = Lab::new();
    for size in [56, 1452] {
        assert_ping(&lab.a, &format!("-6 -M do -s {size}"), "fd5a:47a1:6e17::2");
    }
    lab.finish();
}

fn ping_over_vlan() {
    let lab = Lab::new();
    for (end, number) in [(&lab.a, 1), (&lab.b, 2)] {
        end.ip(&format!("link add link {} name vlan42 type vlan id 42", end.interface));
        end.ip(&format!("address add 203.0.113.{number}/24 dev vlan42"));
        end.ip("link set vlan42 up");
    }
    for size in [56, 1472] {
        assert_ping(&lab.a, &format!("-M do -s {size}"), "203.0.113.2");
    }
    lab.finish();
}

/// Runs iperf3 from a to b, which has the address 198.51.100.2. Returns its report.
fn iperf3(a: &Namespace, b: &Namespace, options: &str) -> Value {
    let mut server = Process::start(b.command("iperf3", "--server --one-off").stdout(Stdio::null()));
    wait_until("iperf3 to listen", || {
        assert!(server.runs(), "the server of iperf3 has ended");
        run(&mut b.command("ss", "-ltn")).contains(":5201")
    });
    let text = run(&mut a.command("iperf3", &format!("--client 198.51.100.2 --json {options}")));
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

fn number(report: &Value, pointer: &str) -> f64 {
    report.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}: {report:#}"))
}

fn tcp() {
    let lab = Lab::new();
    let report = iperf3(&lab.a, &lab.b, "--time 3");
    let (sent, received) = (number(&report, "/end/sum_sent/bytes"), number(&report, "/end/sum_received/bytes"));
    assert!(received > 1e6 && received <= sent, "{sent} bytes sent, {received} received");
    eprintln!("iperf3 TCP: {:.0} Mbit/s", number(&report, "/end/sum_received/bits_per_second") / 1e6);
    lab.finish();
}

fn udp() {
    let lab = Lab::new();
    let report = iperf3(&lab.a, &lab.b, "--udp --time 3 --bitrate 20M --length 1400");
    let (sent, lost) = (number(&report, "/end/sum/packets"), number(&report, "/end/sum/lost_packets"));
    assert!(sent > 1000.0, "{report:#}");
    eprintln!("iperf3 UDP: {sent} datagrams at 20 Mbit/s, {lost} lost");
    // What the kernel could not queue, on a machine that is busy with something else, is not lost by l2fwd.
    let dropped = lab.a.counter("tx/dropped") + lab.b.counter("rx/dropped");
    // Datagrams for which the receiving program's socket had no room.
    let dropped = dropped + lab.b.statistic("/proc/net/snmp", "Udp", "RcvbufErrors");
    assert!(lost <= dropped as f64, "{lost} datagrams lost, {dropped} by the kernel: {report:#}");
    lab.finish();
}

/// Records a namespace's pings until dropped.
fn record(end: &Namespace, file: &Path) -> Process {
    let words = format!("-i {} -U --immediate-mode -w {} icmp", end.interface, file.display());
    let process = Process::start(end.command("tcpdump", &words).stdout(Stdio::null()).stderr(Stdio::null()));
    // The file's header is written when the interface is open.
    wait_until("tcpdump to listen", || file.metadata().is_ok_and(|file| file.len() > 0));
    process
}

fn both_ends_see_the_same_frames() {
    let lab = Lab::new();
    let folder = tempfile::tempdir().expect("a folder for captures");
    let files = ["a.pcap", "b.pcap"].map(|name| folder.path().join(name));
    let mut recorders = [record(&lab.a, &files[0]), record(&lab.b, &files[1])];
    assert_ping(&lab.a, "-M do -s 1472 -p 5ac3", "198.51.100.2");
    assert_ping(&lab.a, "-M do -s 18 -p 0f", "198.51.100.2");
    let frames = |file: &Path| run(Command::new("tcpdump").args(["-t", "-nn", "-xx", "-r"]).arg(file));
    let heads = |text: &str| text.lines().filter(|line| !line.starts_with('\t')).count();
    for file in &files {
        wait_until("all pings in the captures", || heads(&frames(file)) >= 80);
    }
    recorders.iter_mut().for_each(Process::interrupt);
    let [at_a, at_b] = files.map(|file| frames(&file));
    assert!(at_a.contains("5ac3 5ac3"), "{at_a}");
    assert!(at_a == at_b, "the ends do not see the same frames");
    lab.finish();
}
