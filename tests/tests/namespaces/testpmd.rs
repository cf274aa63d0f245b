//! testpmd's engines against Linux: a host that answers what the kernel asks, and checksums that the kernel takes.
//!
//! ```text
//!   namespace a                      testpmd                          namespace b, or a capture
//!   198.51.100.1  ──TAP──► software card 0 ──engine──► software card 1 ──TAP──  198.51.100.2
//! ```

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use etherparse::PacketBuilder;
use gannet_tests::captures;
use serde_json::Value;

use crate::lab::{Namespace, PATIENCE, Process, has_ipv6, unique_name, wait_until};
use crate::{iperf3, number};

/// A running testpmd, at whose prompt the test sits.
struct Testpmd {
    process: Process,
    input: ChildStdin,
    answers: Receiver<String>,
}

impl Testpmd {
    /// With these ports, before it forwards.
    fn start(ports: &[&str], engine: &str) -> Testpmd {
        Testpmd::with(ports, engine, &[])
    }

    /// The same with further options.
    fn with(ports: &[&str], engine: &str, options: &[&str]) -> Testpmd {
        static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
        let mut command = Command::new(PROGRAM.get_or_init(|| gannet_tests::program("testpmd")));
        for port in ports {
            command.args(["--port", port]);
        }
        command.args(["--json", "--engine", engine]).args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::spawn(command.stderr(Stdio::null()));
        let (input, output) = process.pipes();
        let (sender, answers) = channel();
        // Ends with the pipe, or when nobody listens any more.
        thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Testpmd { process, input, answers }
    }

    /// Gives a command. Returns what it answers.
    fn say(&mut self, command: &str) -> Value {
        writeln!(self.input, "{command}").unwrap_or_else(|why| panic!("{command}: {why}"));
        let line = self.answers.recv_timeout(PATIENCE).unwrap_or_else(|why| panic!("{command}: no answer: {why}"));
        let mut answer: Value = serde_json::from_str(&line).unwrap_or_else(|why| panic!("{command}: {why}: {line}"));
        assert_eq!(answer["error"], Value::Null, "{command}");
        answer["answer"].take()
    }

    /// Packets dropped for a reason.
    fn dropped(&mut self, why: &str) -> u64 {
        let rows = self.say("show drops");
        let mut rows = rows.as_array().into_iter().flatten();
        let row = rows.find(|row| row["place"] == "testpmd" && row["why"] == why).unwrap_or_else(|| panic!("no {why}"));
        row["packets"].as_u64().expect("a number")
    }

    /// Stops it. Checks that it has no complaint.
    fn finish(mut self) {
        self.say("quit");
        wait_until("the end of testpmd", || !self.process.runs());
        assert_eq!(self.process.status(), Some(0));
    }
}

/// A namespace, and the port whose cable ends in it.
fn host() -> (Namespace, String) {
    let host = Namespace::new(unique_name('h'));
    let port = format!("sim:ixgbe,peer=tap:{}", host.interface);
    (host, port)
}

/// A namespace joined to an engine that forwards already, and testpmd.
fn host_and(engine: &str, settings: &[&str]) -> (Namespace, Testpmd) {
    let (host, port) = host();
    let mut testpmd = Testpmd::start(&[&port], engine);
    testpmd.take_up(&host, 1);
    settings.iter().for_each(|setting| drop(testpmd.say(setting)));
    testpmd.say("start");
    (host, testpmd)
}

impl Testpmd {
    /// Waits for an interface, and gives it to its namespace.
    fn take_up(&mut self, host: &Namespace, number: u8) {
        let there = format!("/sys/class/net/{}", host.interface);
        wait_until("testpmd to make its TAP interface", || {
            assert!(self.process.runs(), "testpmd has ended at once");
            Path::new(&there).exists()
        });
        host.take_interface(number);
    }
}

/// Pings as fast as answers come. None may be lost, but for those that the kernel had no room for.
fn flood(host: &Namespace, options: &str, address: &str) {
    let dropped = || host.counter("tx/dropped") + host.counter("rx/dropped");
    let before = dropped();
    let text = crate::lab::run(&mut host.command("ping", &format!("-n -q -f -c 2000 -W 10 {options} {address}")));
    let word = |end: &str| {
        text.split(", ").find_map(|part| part.strip_suffix(end)?.rsplit(['\n', ' ']).next()?.parse::<u64>().ok())
    };
    let (sent, received) = (word(" packets transmitted"), word(" received"));
    let (Some(sent), Some(received)) = (sent, received) else { panic!("{text}") };
    assert!(sent == 2000 && received <= sent && sent - received <= dropped() - before, "{text}");
}

/// Waits until the two have found each other: the kernel's first packet may be lost while it asks for the address.
fn reach(host: &Namespace, address: &str) {
    wait_until("the first answer", || {
        host.command("ping", &format!("-c 1 -W 1 {address}")).output().is_ok_and(|output| output.status.success())
    });
}

pub(crate) fn icmpecho() {
    let (host, mut testpmd) = host_and("icmpecho", &["set icmpecho.ipv4 198.51.100.2"]);
    reach(&host, "198.51.100.2");
    // 1472 bytes are the most that the MTU takes: frames of 1514.
    for size in [56, 0, 1472] {
        flood(&host, &format!("-M do -s {size}"), "198.51.100.2");
    }
    assert_eq!(testpmd.dropped("bad_checksum") + testpmd.dropped("malformed") + testpmd.dropped("fragment"), 0);
    // In fragments, of which it wants none.
    let mut ping = host.command("ping", "-c 1 -W 1 -s 4000 198.51.100.2");
    assert!(!ping.output().expect("ping runs").status.success());
    wait_until("three fragments", || testpmd.dropped("fragment") >= 3);
    // Nobody else is there.
    let mut ping = host.command("ping", "-c 1 -W 1 198.51.100.3");
    assert!(!ping.output().expect("ping runs").status.success());
    testpmd.finish();
}

/// Frames of up to 9018 bytes, in one piece each way.
pub(crate) fn icmpecho_with_jumbo_frames() {
    let (host, port) = host();
    let mut testpmd = Testpmd::with(&[&format!("{port},mtu=9000")], "icmpecho", &["--mtu", "9000"]);
    testpmd.take_up(&host, 1);
    testpmd.say("set icmpecho.ipv4 198.51.100.2");
    testpmd.say("start");
    reach(&host, "198.51.100.2");
    for size in [1473, 8000, 8972] {
        flood(&host, &format!("-M do -s {size}"), "198.51.100.2");
    }
    assert_eq!(testpmd.dropped("bad_checksum") + testpmd.dropped("malformed") + testpmd.dropped("fragment"), 0);
    // Of a host that sends longer frames than the port takes nothing comes through, and the card says so.
    testpmd.say("stop");
    for command in ["stop port 0", "set port 0 mtu 1500", "start port 0", "clear stats", "start"] {
        testpmd.say(command);
    }
    let mut ping = host.command("ping", "-c 1 -W 1 -M do -s 8000 198.51.100.2");
    assert!(!ping.output().expect("ping runs").status.success());
    let findings = testpmd.say("explain port 0").to_string();
    assert!(findings.contains("1 too long") && findings.contains("set port 0 mtu"), "{findings}");
    testpmd.finish();
}

pub(crate) fn icmpecho_over_ipv6() {
    let address = "fd5a:47a1:6e17::2";
    let (host, mut testpmd) = host_and("icmpecho", &[&format!("set icmpecho.ipv6 {address}")]);
    reach(&host, address);
    for size in [56, 0, 1452] {
        flood(&host, &format!("-6 -M do -s {size}"), address);
    }
    assert_eq!(testpmd.dropped("bad_checksum") + testpmd.dropped("malformed"), 0);
    // The address is taken: Linux finds out before it uses it itself.
    host.ip(&format!("address add {address}/64 dev {}", host.interface));
    wait_until("duplicate address detection", || {
        host.ip(&format!("address show dev {}", host.interface)).contains("dadfailed")
    });
    testpmd.finish();
}

pub(crate) fn icmpecho_over_vlan() {
    let (host, testpmd) = host_and("icmpecho", &["set icmpecho.ipv4 203.0.113.2"]);
    host.ip(&format!("link add link {} name vlan42 type vlan id 42", host.interface));
    host.ip("address add 203.0.113.1/24 dev vlan42");
    host.ip("link set vlan42 up");
    reach(&host, "203.0.113.2");
    flood(&host, "-M do -s 1472", "203.0.113.2");
    testpmd.finish();
}

/// Packets with wrong checksums that Linux has found: IPv4's header, ICMP, TCP, UDP.
fn wrong_checksums(host: &Namespace) -> u64 {
    let snmp = [("Tcp", "InCsumErrors"), ("Udp", "InCsumErrors"), ("Icmp", "InCsumErrors")];
    snmp.iter().map(|(protocol, name)| host.statistic("/proc/net/snmp", protocol, name)).sum::<u64>()
        + host.statistic("/proc/net/netstat", "IpExt", "InCsumErrors")
}

pub(crate) fn csum_between_hosts() {
    let ((a, port_a), (b, port_b)) = (host(), host());
    let mut testpmd = Testpmd::start(&[&port_a, &port_b], "csum");
    testpmd.take_up(&a, 1);
    testpmd.take_up(&b, 2);
    testpmd.say("start");
    reach(&a, "198.51.100.2");
    if has_ipv6() {
        reach(&a, "fd5a:47a1:6e17::2");
    }
    let tcp = iperf3(&a, &b, "--time 2");
    let received = number(&tcp, "/end/sum_received/bytes");
    assert!(received > 1e6, "{received} bytes received");
    iperf3(&a, &b, "--udp --time 1 --bitrate 20M --length 1400");
    // In fragments, whose datagrams' checksums stay as they are.
    reach(&a, "-s 4000 198.51.100.2");
    assert_eq!(wrong_checksums(&a) + wrong_checksums(&b), 0);
    testpmd.finish();
}

/// Frames of each kind.
const EACH: u64 = 10;

/// For the host, [`EACH`] times: a datagram, a segment and a ping with wrong checksums, and a datagram in a packet whose own is wrong.
fn damaged(mac: [u8; 6]) -> Vec<Vec<u8>> {
    /// Where the checksum of the IPv4 header is.
    const IP_CHECKSUM: std::ops::Range<usize> = 24..26;
    let start = || PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], mac).ipv4([198, 51, 100, 77], [198, 51, 100, 1], 64);
    let mut right = vec![Vec::new(); 3];
    start().udp(5000, 6000).write(&mut right[0], b"a datagram").expect("a vector takes all");
    start().tcp(5000, 6000, 1, 1024).syn().write(&mut right[1], b"").expect("a vector takes all");
    start().icmpv4_echo_request(1, 1).write(&mut right[2], b"a ping").expect("a vector takes all");
    right.iter_mut().for_each(|frame| frame.resize(60, 0));
    let mut wrong = right.clone();
    for frame in &mut wrong {
        assert_eq!(captures::damage_checksums(frame), 2);
    }
    let mut packet = right[0].clone();
    packet[IP_CHECKSUM].swap_with_slice(&mut wrong[0][IP_CHECKSUM]);
    for (wrong, right) in wrong.iter_mut().zip(&right).skip(1) {
        wrong[IP_CHECKSUM].copy_from_slice(&right[IP_CHECKSUM]);
    }
    wrong.push(packet);
    (0..EACH).flat_map(|_| wrong.clone()).collect()
}

/// Plays these frames through an engine to a host. Returns how many Linux has found damaged, and how many of what kind it has taken.
fn play(engine: &str) -> (u64, [u64; 3]) {
    let (host, port) = host();
    let mac = [2, 0, 0, 0, 0, 2];
    let folder = tempfile::tempdir().expect("a folder for the capture");
    let file = folder.path().join("damaged.pcap");
    captures::write(&file, &damaged(mac)).expect("a capture");
    let mut testpmd = Testpmd::start(&[&format!("sim:ixgbe,peer=pcap:{}", file.display()), &port], engine);
    testpmd.take_up(&host, 1);
    host.ip(&format!("link set {} address 02:00:00:00:00:02", host.interface));
    let snmp = |protocol, name| host.statistic("/proc/net/snmp", protocol, name);
    testpmd.say("start");
    // No port is open: the datagram has nobody to go to, the segment is refused, the ping is answered.
    let taken = || [snmp("Udp", "NoPorts"), snmp("Tcp", "OutRsts"), snmp("Icmp", "OutEchoReps")];
    wait_until("all frames at the host", || wrong_checksums(&host) + taken().iter().sum::<u64>() >= 4 * EACH);
    let seen = (wrong_checksums(&host), taken());
    testpmd.finish();
    seen
}

pub(crate) fn csum_mends_what_linux_would_drop() {
    assert_eq!(play("io"), (4 * EACH, [0; 3]));
    assert_eq!(play("csum"), (0, [2 * EACH, EACH, EACH]));
}
