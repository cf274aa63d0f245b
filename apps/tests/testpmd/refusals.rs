//! What cannot be run or done is refused, and said why.

use gannet_harness::{Outcome, text_to_read};

use super::{THOUSAND, testpmd, with_ports};

/// Checks that the program does not run, and says these things.
#[track_caller]
fn assert_not_run(arguments: &[&str], said: &[&str]) {
    let outcome = Outcome::of(testpmd().args(arguments).stdin(text_to_read("show engines\n")));
    outcome.assert_refused(said);
}

/// Checks that the last of some commands is refused with these words, and the ports go on.
#[track_caller]
fn assert_refused(commands: &str, said: &str) {
    let last = commands.rsplit(';').next().unwrap_or_default().trim();
    let then = format!("{commands}; show port all stats");
    let outcome = Outcome::of(with_ports(&THOUSAND).args(["--json", "--keep-going", "-e", &then]));
    assert_eq!(outcome.status, Some(2), "{}", outcome.stderr);
    let answers = outcome.json();
    let refused = answers.iter().find(|answer| answer["command"] == last && answer["error"].is_string());
    let error = refused.and_then(|answer| answer["error"].as_str()).unwrap_or_default();
    assert!(error.starts_with(&format!("{last}: ")) && error.contains(said), "no {said:?} in: {error}");
    assert!(answers.last().is_some_and(|stats| stats["answer"].is_array()), "{}", outcome.stdout);
}

#[test]
fn ports_and_options() {
    assert_not_run(&["--port", "eth0"], &["eth0", "sim:ixgbe,peer=gen"]);
    assert_not_run(&["--port", "sim:ixgbe,peer=pcap:/missing/in.pcap"], &["port 0", "in.pcap", "No such file"]);
    assert_not_run(&["--engine", "macswop"], &["macswop", "macswap"]);
    assert_not_run(&["--ring", "100"], &["--ring 100", "64 to 4096"]);
    assert_not_run(&["--queues", "65"], &["--queues 65"]);
    assert_not_run(&["--cores", "1023"], &["core 1023"]);
    assert_not_run(&["--set", "pool.cach=1"], &["--set", "the nearest is pool.cache"]);
    assert_not_run(&["--duration", "0"], &["above 0"]);
    assert_not_run(&["--duration", "1", "-e", "start"], &["--duration", "--execute"]);
    let many = ["--port", "sim:ixgbe,peer=sink"].repeat(63);
    assert_not_run(&many, &["63 --port given: 62 are possible"]);
}

#[test]
fn scripts_that_cannot_be_read() {
    assert_not_run(&["--script", "/missing/script"], &["--script /missing/script", "No such file"]);
    assert_not_run(&["--script", "/"], &["--script /", "Is a directory"]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("noise");
    std::fs::write(&file, [0xFF, 0xFE, 0]).expect("a file");
    assert_not_run(&["--script", file.to_str().expect("a path of text")], &["noise", "no text"]);
}

#[test]
fn help_and_version_are_no_errors() {
    for (option, part) in [("-h", "Port names:"), ("--help", "Examples:"), ("--version", env!("CARGO_PKG_VERSION"))] {
        assert!(Outcome::fine(testpmd().arg(option)).stdout.contains(part), "{option}");
    }
    assert!(Outcome::fine(testpmd().arg("--tunables")).stdout.starts_with("TUNABLE"));
}

#[test]
fn what_a_port_is_in_the_wrong_state_for() {
    assert_refused("set port 0 queues 2", "port 0 is started: stop port 0 first");
    assert_refused("stop port 1; set port all ring 128", "port 0 is started: stop port 0 first");
    assert_refused("set port 0 mtu 9000", "port 0 is started: stop port 0 first");
    assert_refused("set port all vlan-strip on", "stop port 0 first");
    assert_refused("start port 0", "port 0 is started already");
    assert_refused("stop port 0; stop port 0", "port 0 is stopped already");
    assert_refused("stop port 1; start", "port 1 is stopped: start port 1 first");
    assert_refused("start; stop port 0", "forwarding goes on: stop it first");
    assert_refused("stop", "forwarding is stopped already: start begins it");
    assert_refused("wait packets 1", "forwarding is stopped, no packet will come");
}

#[test]
fn what_a_card_cannot_do() {
    assert_refused("stop port 0; set port 0 queues 17", "17 receive queues: 1 to 16 are possible");
    assert_refused("stop port 0; set port 0 queues 0", "0 receive queues: 1 to 16 are possible");
    assert_refused("stop port 0; set port 0 queues 18446744073709551615", "1 to 16 are possible");
    assert_refused("stop port 0; set port 0 ring 100", "powers of two from 64 to 4096");
    assert_refused("stop port 0; set port 0 ring 4294967296", "4294967296: this number is too large");
    assert_refused("stop port 0; set port 0 mtu 67", "an MTU of 67 bytes: 68 to 15854 are possible");
    assert_refused("stop port 0; set port 0 mtu 15855", "68 to 15854 are possible");
    assert_refused("stop port 0; set port 0 mtu 65536", "68 to 15854 are possible");
    assert_refused("stop port 0; set port 0 mtu 9000", "--buffer-size 9216");
    assert_refused("set port 0 mac-filter add 01:00:5e:00:00:fb", "is a group's address");
    assert_refused("set port 0 multicast-group add 02:00:00:00:00:01", "is no group's address");
    assert_refused("set port 0 mac-filter remove 02:00:00:00:00:01", "is not there");
    assert_refused(
        "set port 0 multicast all; set port 0 multicast-group add 01:00:5e:00:00:fb",
        "all groups pass already",
    );
    assert_refused("stop port 0; set port 0 queues 2; start port 0; start", "give both the same number");
}

#[test]
fn a_pool_that_is_too_small_for_larger_rings_costs_no_port() {
    let commands = "stop port 0; set port 0 ring 4096; start port 0; set port 0 ring 128; start port 0; start; wait packets 1000 600";
    let outcome = Outcome::of(with_ports(&THOUSAND).args(["--keep-going", "--buffers", "1200", "-e", commands]));
    assert_eq!(outcome.status, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("its receive rings need 4096 buffers"), "{}", outcome.stderr);
    assert!(outcome.stdout.ends_with("1000 packets\n"), "{}", outcome.stdout);
}

#[test]
fn values_out_of_range() {
    assert_refused("set burst 257", "1 to 256 packets are possible");
    assert_refused("set burst 0", "1 to 256 packets are possible");
    assert_refused("set txonly.length 15873", "from 64 to 15872");
    for engine in ["txonly", "flowgen"] {
        let commands = format!("set engine {engine}; set txonly.length 1519; start");
        assert_refused(&commands, "sends frames of 64 to 1518 bytes: set another, or give testpmd --mtu 1501");
    }
    assert_refused("set tunable pool.cache 65537", "from 0 to 65536");
    assert_refused("set port 2 promiscuous on", "no such port, there are 0 to 1");
    assert_refused("sleep 1e30", "above 0");
    assert_refused("wait packets 18446744073709551616", "a whole number is expected");
    assert_refused("show port 0 regs rtd", "no register \"rtd\", did you mean RDT?");
    assert_refused("show port 0 regs GPRC", "no register \"GPRC\"; there are: CTRL, STATUS");
    assert_refused("show port 0 regs RDT[128]", "RDT has registers 0 to 127");
    assert_refused("show port 0 regs STATUS[0]", "STATUS is a single register");
}

#[test]
fn what_there_is_not_is_said_to_be_missing() {
    assert_refused("flow create 0 ingress", "no flow filters");
}
