//! l2fwd, testpmd and the host's own tools: captures that tcpdump and tshark read, users without privileges.
//!
//! A test without the tools it needs is skipped and says so.

#![forbid(unsafe_code)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

use gannet_tests::{captures, missing, program, trial, workspace};
use libtest_mimic::Arguments;
use nix::unistd::Uid;

fn main() -> ExitCode {
    let not_root = || (!Uid::effective().is_root()).then(|| "needs root, to become somebody else".to_owned());
    let no_tun = || (!Path::new("/dev/net/tun").exists()).then(|| "needs /dev/net/tun: modprobe tun".to_owned());
    let trials = vec![
        trial("tcpdump_reads_what_was_recorded", missing(&["tcpdump"]), tcpdump_reads_what_was_recorded),
        trial("tshark_reads_what_was_recorded", missing(&["tshark"]), tshark_reads_what_was_recorded),
        trial("tshark_finds_checksums_mended", missing(&["tshark"]), tshark_finds_checksums_mended),
        trial(
            "a_tap_interface_needs_a_privilege",
            missing(&["setpriv"]).or_else(not_root).or_else(no_tun),
            a_tap_interface_needs_a_privilege,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn l2fwd() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    Command::new(PROGRAM.get_or_init(|| program("l2fwd")))
}

/// Sends the traffic of the test data through l2fwd, and compares what `tool` says of both files.
fn compare(tool: &str, arguments: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder for captures");
    let input = workspace().join("tests/data/traffic.pcap");
    for name in ["out.pcap", "out.pcapng"] {
        let output = folder.path().join(name);
        let play = format!("sim:ixgbe,peer=pcap:{}", input.display());
        let record = format!("sim:ixgbe,peer=pcap:,record={}", output.display());
        let run = l2fwd().args(["--port", &play, "--port", &record]).output().expect("l2fwd runs");
        assert!(run.status.success(), "{run:?}");
        let told = |file: &Path| {
            let told = Command::new(tool).arg("-r").arg(file).args(arguments).output().expect("the tool runs");
            assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
            String::from_utf8(told.stdout).expect("text")
        };
        let (sent, recorded) = (told(&input), told(&output));
        assert!(sent.lines().count() >= 339, "{tool} says little: {sent}");
        assert!(sent == recorded, "{tool} sees a difference in {name}");
    }
}

fn tcpdump_reads_what_was_recorded() {
    compare("tcpdump", &["-t", "-nn", "-e", "-xx"]);
}

fn tshark_reads_what_was_recorded() {
    let fields = ["frame.number", "frame.len", "frame.cap_len", "frame.protocols", "eth.src", "eth.dst", "ip.id"];
    let mut arguments = vec!["-n", "-T", "fields"];
    fields.iter().for_each(|field| arguments.extend(["-e", *field]));
    compare("tshark", &arguments);
}

/// How many checksums tshark finds in a capture that are good, how many that are bad, and how many that it cannot check.
fn checksums(file: &Path) -> [usize; 3] {
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(file).args(["-n", "-T", "fields", "-E", "occurrence=f"]);
    for protocol in ["ip", "tcp", "udp"] {
        tshark.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    for protocol in ["ip", "tcp", "udp", "icmp", "icmpv6"] {
        tshark.args(["-e", &format!("{protocol}.checksum.status")]);
    }
    let told = tshark.output().expect("tshark runs");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let text = String::from_utf8(told.stdout).expect("text");
    // Wireshark's proto_checksum_enum_e.
    let count = |status: &str| text.split_whitespace().filter(|word| *word == status).count();
    ["1", "0", "2"].map(count)
}

fn tshark_finds_checksums_mended() {
    let folder = tempfile::tempdir().expect("a folder for captures");
    let [bad, mended] = ["bad.pcap", "mended.pcap"].map(|name| folder.path().join(name));
    let right = captures::read(&workspace().join("tests/data/traffic.pcap")).expect("the test data");
    let mut wrong = right.clone();
    let damaged: usize = wrong.iter_mut().map(|frame| captures::damage_checksums(frame)).sum();
    captures::write(&bad, &wrong).expect("a capture");
    let mut testpmd = Command::new(program("testpmd"));
    testpmd.args(["--port", &format!("sim:ixgbe,peer=pcap:{}", bad.display())]);
    testpmd.args(["--port", &format!("sim:ixgbe,peer=pcap:,record={}", mended.display()), "--engine", "csum"]);
    let wait = format!("start; wait packets {} 60; stop", wrong.len());
    let run = testpmd.args(["-e", &wait]).output().expect("testpmd runs");
    assert!(run.status.success(), "{run:?}");
    assert!(damaged > 300, "{damaged} checksums were damaged");
    assert_eq!(checksums(&bad)[1], damaged);
    let [good, still_bad, unchecked] = checksums(&mended);
    assert!(good >= damaged && still_bad == 0 && unchecked == 0, "{good} good, {still_bad} bad, {unchecked} unchecked");
    assert!(captures::read(&mended).expect("what was recorded") == right, "not as it was before it was damaged");
}

fn a_tap_interface_needs_a_privilege() {
    // The folder of the build may be closed to others.
    let folder = tempfile::tempdir().expect("a folder for the program");
    let copy = folder.path().join("l2fwd");
    fs::copy(l2fwd().get_program(), &copy).expect("a copy");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("an open folder");
    let name = format!("gan{}p", std::process::id());
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(copy)
        .args(["--port", &format!("sim:ixgbe,peer=tap:{name}"), "--port", "sim:ixgbe,peer=sink"])
        .output()
        .expect("setpriv runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    for part in ["port 0", &name, "not permitted", "CAP_NET_ADMIN", "ip tuntap add"] {
        assert!(errors.contains(part), "{part}: {errors}");
    }
    assert_eq!(errors.matches("not permitted").count(), 1, "told twice: {errors}");
    assert!(!errors.contains("panicked"), "{errors}");
}
