//! Network namespaces, and two of them joined by l2fwd.
//!
//! ```text
//!   namespace a                            l2fwd                            namespace b
//!   198.51.100.1  ──TAP──► software card 0 ◄──────► software card 1 ◄──TAP──  198.51.100.2
//! ```
//!
//! l2fwd makes the TAP interfaces where it runs; moving them into the namespaces does not disturb it. All is taken away when
//! the [`Lab`] is dropped, failed test or not.

use std::io::Read;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// Waits until something holds.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a command to its end. Returns what it printed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}{errors}", output.status);
    text
}

/// `ip`, with words separated by spaces.
fn ip(words: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(words.split(' '));
    command
}

/// A process that does not outlive its test.
pub(crate) struct Process(Child);

impl Process {
    /// One that reads nothing.
    pub(crate) fn start(command: &mut Command) -> Process {
        Process::spawn(command.stdin(Stdio::null()))
    }

    pub(crate) fn spawn(command: &mut Command) -> Process {
        Process(command.spawn().unwrap_or_else(|why| panic!("{command:?}: {why}")))
    }

    /// The ends of its standard input and output, which are pipes.
    pub(crate) fn pipes(&mut self) -> (ChildStdin, ChildStdout) {
        (self.0.stdin.take().expect("a pipe"), self.0.stdout.take().expect("a pipe"))
    }

    /// Its exit code, once it has ended.
    pub(crate) fn status(&mut self) -> Option<i32> {
        self.0.try_wait().ok()??.code()
    }

    pub(crate) fn runs(&mut self) -> bool {
        self.0.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Ends it as Ctrl-C does, and waits.
    pub(crate) fn interrupt(&mut self) {
        kill(Pid::from_raw(self.0.id() as i32), Signal::SIGINT).expect("the process is there");
        wait_until("the end of a process after SIGINT", || !self.runs());
    }
}

impl Process {
    /// Whether it has ended with exit status 0.
    pub(crate) fn succeeded(&mut self) -> bool {
        self.0.try_wait().is_ok_and(|status| status.is_some_and(|status| status.success()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A namespace with one interface.
pub(crate) struct Namespace {
    name: String,
    pub(crate) interface: String,
}

impl Namespace {
    pub(crate) fn new(name: String) -> Namespace {
        run(&mut ip(&format!("netns add {name}")));
        Namespace { interface: name.clone(), name }
    }

    /// Brings the interface here and gives it its addresses.
    pub(crate) fn take_interface(&self, number: u8) {
        let Namespace { name, interface } = self;
        run(&mut ip(&format!("link set {interface} netns {name}")));
        self.ip(&format!("address add 198.51.100.{number}/24 dev {interface}"));
        self.ip("link set lo up");
        self.ip(&format!("link set {interface} up"));
        if has_ipv6() {
            self.ip(&format!("address add fd5a:47a1:6e17::{number}/64 dev {interface} nodad"));
        }
    }

    /// `ip` in here.
    pub(crate) fn ip(&self, words: &str) -> String {
        run(&mut ip(&format!("-n {} {words}", self.name)))
    }

    /// A command, to be run in here.
    pub(crate) fn command(&self, program: &str, words: &str) -> Command {
        let mut command = ip(&format!("netns exec {} {program}", self.name));
        command.args(words.split(' '));
        command
    }

    /// A counter of the interface, as in `rx/dropped`.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let text = self.ip(&format!("-s -j link show {}", self.interface));
        let json: Value = serde_json::from_str(&text).expect("ip prints JSON");
        json.pointer(&format!("/0/stats64/{name}")).and_then(Value::as_u64).unwrap_or_else(|| panic!("{name}: {text}"))
    }

    /// A statistic of the kernel's network stack in here: from a file with a line of names and a line of values for each protocol.
    pub(crate) fn statistic(&self, file: &str, protocol: &str, name: &str) -> u64 {
        let text = run(&mut self.command("cat", file));
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(protocol)?.strip_prefix(": "));
        let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        let mut pairs = names.split(' ').zip(values.split(' '));
        let value = pairs.find(|(this, _)| *this == name).and_then(|(_, value)| value.parse().ok());
        value.unwrap_or_else(|| panic!("no {protocol} {name}: {text}"))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Nothing to do about a failure; interfaces go with the namespace.
        let _ = ip(&format!("netns delete {}", self.name)).output();
    }
}

/// Whether this kernel has IPv6.
pub(crate) fn has_ipv6() -> bool {
    Path::new("/proc/net/if_inet6").exists()
}

/// Whether this kernel has VLAN interfaces, by trying.
pub(crate) fn has_vlan() -> bool {
    let namespace = Namespace::new(unique_name('v'));
    ip(&format!("-n {} link add link lo name vlan42 type vlan id 42", namespace.name))
        .output()
        .is_ok_and(|output| output.status.success())
}

/// Name of a namespace and its interface: at most 15 bytes, and nobody else's.
pub(crate) fn unique_name(end: char) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("gan{}{end}{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// l2fwd between two namespaces. Fields are dropped in this order.
pub(crate) struct Lab {
    forwarder: Process,
    pub(crate) a: Namespace,
    pub(crate) b: Namespace,
}

impl Lab {
    /// Everything up, and the ends see each other.
    pub(crate) fn new() -> Lab {
        static PROGRAM: OnceLock<std::path::PathBuf> = OnceLock::new();
        let program = PROGRAM.get_or_init(|| gannet_tests::program("l2fwd"));
        let (a, b) = (Namespace::new(unique_name('a')), Namespace::new(unique_name('b')));
        let mut command = Command::new(program);
        for end in [&a, &b] {
            command.args(["--port", &format!("sim:ixgbe,peer=tap:{}", end.interface)]);
        }
        let mut forwarder = Process::start(command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::null()));
        for (end, number) in [(&a, 1), (&b, 2)] {
            let there = format!("/sys/class/net/{}", end.interface);
            wait_until("l2fwd to make its TAP interfaces", || {
                assert!(forwarder.runs(), "l2fwd has ended at once");
                Path::new(&there).exists()
            });
            end.take_interface(number);
        }
        let lab = Lab { forwarder, a, b };
        wait_until("the first answer through l2fwd", || {
            let mut ping = lab.a.command("ping", "-c 1 -W 1 198.51.100.2");
            ping.output().is_ok_and(|output| output.status.success())
        });
        lab
    }

    /// Ctrl-C for l2fwd. Checks that it lost no frame and no buffer.
    pub(crate) fn finish(mut self) {
        self.forwarder.interrupt();
        let mut text = String::new();
        let mut stdout = self.forwarder.0.stdout.take().expect("a pipe");
        stdout.read_to_string(&mut text).expect("l2fwd prints text");
        let report: Value = serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}: {text}"));
        for zero in ["/corrupted", "/buffers/application"] {
            assert_eq!(report.pointer(zero), Some(&Value::from(0)), "{zero}: {report:#}");
        }
        // An interface is down while it is moved; what the other end's kernel says of itself at that time is lost.
        assert_eq!(report["lost"], report["drops"]["by_the_peer"], "{report:#}");
        assert_eq!(report["problems"], Value::Array(Vec::new()), "{report:#}");
    }
}
