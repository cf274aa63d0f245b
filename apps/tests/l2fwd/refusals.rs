//! What cannot be run is refused: exit status 2, a message that names what is wrong and what would be right, no report.

use std::process::Command;

use gannet_harness::{Outcome, data, skip};

use super::{GENERATOR, cores, l2fwd, lacks_cores, play, record, with_ports};

#[track_caller]
fn assert_refused(command: &mut Command, said: &[&str]) {
    Outcome::of(command).assert_refused(said);
}

#[track_caller]
fn assert_options_refused(options: &[&str], said: &[&str]) {
    assert_refused(l2fwd().args(options), said);
}

#[track_caller]
fn assert_ports_refused(ports: &[&str], said: &[&str]) {
    assert_refused(&mut with_ports(ports), said);
}

#[test]
fn unknown_ports() {
    assert_ports_refused(&["dpdk:0", GENERATOR], &["dpdk:0", "unknown kind", "sim"]);
    assert_ports_refused(&["eth0", GENERATOR], &["eth0", "sim:ixgbe,peer=gen"]);
    assert_ports_refused(&["sim:e1000,peer=gen", GENERATOR], &["e1000", "there is: ixgbe"]);
    assert_ports_refused(&["sim:ixgbe,peer=fax", GENERATOR], &["fax", "gen, pcap, tap, link, wire, echo, sink"]);
    assert_ports_refused(&["sim:ixgbe", GENERATOR], &["no other end", "peer=gen"]);
}

#[test]
fn settings_out_of_range() {
    let with = |settings: &str| format!("{GENERATOR},{settings}");
    for (settings, said) in [
        ("size=63", "64 to 15876"),
        ("size=15877", "64 to 15876"),
        ("flows=0", "1 to 16384"),
        ("rate=0", "at least one frame a second"),
        ("rate=fast", "a number is needed"),
        ("loss=1000001", "1000000"),
        ("colour=red", "\"colour\" is unknown"),
    ] {
        assert_ports_refused(&[&with(settings), &with(settings)], &[said]);
    }
}

#[test]
fn generators_that_do_not_know_each_others_frames() {
    let other = format!("{GENERATOR},size=128");
    assert_ports_refused(&[&other, GENERATOR], &["port 0", "port 1", "same size and flows"]);
}

#[test]
fn generators_at_the_ends_of_a_chain_that_do_not_know_each_others_frames() {
    if lacks_cores(2) {
        return;
    }
    let (link, other) = ("sim:ixgbe,peer=link:a", format!("{GENERATOR},flows=2"));
    assert_ports_refused(&[GENERATOR, link, link, &other], &["port 0", "port 3", "same size and flows"]);
}

#[test]
fn captures_that_cannot_be_played() {
    let missing = data("missing.pcap");
    assert_ports_refused(&[&play(&missing), GENERATOR], &["port 0", "missing.pcap", "No such file", "check the path"]);
    let text = data("not-a-capture.bin");
    assert_ports_refused(&[&play(&text), GENERATOR], &["not-a-capture.bin", "not a pcap or pcapng", "editcap"]);
    let folder = data("");
    assert_ports_refused(&[&play(&folder), GENERATOR], &["Is a directory", "check the path"]);
}

#[test]
fn captures_that_cannot_be_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("missing").join("out.pcapng");
    assert_ports_refused(&["sim:ixgbe,peer=sink", &record(&output)], &["out.pcapng", "No such file", "folder exists"]);
}

#[test]
fn captures_that_would_be_erased() {
    let folder = tempfile::tempdir().expect("a folder");
    let both = folder.path().join("both.pcap");
    std::fs::copy(data("traffic.pcap"), &both).expect("a copy");
    let same_port = format!("{},record={}", play(&both), both.display());
    assert_ports_refused(&[&same_port, GENERATOR], &["both.pcap", "played and recorded at once", "another file"]);
    // The same file by another path.
    let detour = folder.path().join(".").join("both.pcap");
    let said = ["both.pcap", "played and recorded at once", "another file"];
    assert_ports_refused(&[&play(&both), &record(&detour)], &said);
    assert_ports_refused(&[&record(&detour), &play(&both)], &said);
    let kept = std::fs::read(&both).expect("the file is there");
    assert!(kept == std::fs::read(data("traffic.pcap")).expect("test data"), "it was not erased");

    let new = record(&folder.path().join("new.pcap"));
    assert_ports_refused(&[&new, &new], &["new.pcap", "by two ports", "its own file"]);
}

#[test]
fn numbers_of_ports_that_make_no_pairs() {
    assert_ports_refused(&[GENERATOR], &["1 --port given", "in pairs", "add one"]);
    assert_ports_refused(&[GENERATOR; 3], &["3 --port given"]);
    assert_ports_refused(&["sim:ixgbe,peer=link:a", GENERATOR], &["link:a has one end only"]);
    assert_ports_refused(&["sim:ixgbe,peer=link:a", "sim:ixgbe,peer=link:b"], &["one end only", "the same peer"]);
}

#[test]
fn rings_and_bursts_out_of_range() {
    for ring in ["0", "1", "32", "100", "8192", "4294967295"] {
        assert_options_refused(&["--ring", ring], &[&format!("--ring {ring}"), "from 64 to 4096"]);
    }
    for burst in ["0", "257"] {
        assert_options_refused(&["--burst", burst], &[&format!("--burst {burst}"), "1 to 256"]);
    }
}

#[test]
fn durations_of_nothing() {
    for duration in ["0", "-0", "-1", "x", "nan", "inf", "1e30"] {
        assert_options_refused(&["--duration", duration], &["--duration", "above 0"]);
    }
}

#[test]
fn cores_that_are_not_there() {
    let there = cores();
    assert_refused(
        with_ports(&[GENERATOR; 4]).args(["--cores", &there[0].to_string()]),
        &["2 pairs of ports need 2 cores", "--cores names 1", "more cores"],
    );
    assert_options_refused(&["--cores", "1023"], &["core 1023", &format!("these are: {there:?}")]);
    assert_options_refused(&["--cores", &format!("{0},{0}", there[0])], &["named twice"]);
    assert_options_refused(&["--cores", "3-1"], &["\"3-1\"", "no range"]);
    assert_options_refused(&["--cores", "all"], &["\"all\"", "as in 1,3-5"]);
}

#[test]
fn memory_that_is_not_there() {
    // 244 GiB. A machine that has them takes the largest pool there is instead: 16 Mi buffers of 16 KiB, 256 GiB.
    if memory_gib().is_none_or(|there| there >= 240) {
        return skip("this machine has 240 GiB of memory or more");
    }
    let more = ["--buffers", "16000000", "--buffer-size", "16384"];
    assert_options_refused(&more, &["packet memory", "MiB available", "fewer or smaller buffers"]);
}

#[test]
fn pools_that_cannot_be() {
    assert_options_refused(&["--buffers", "100"], &["100 free buffers", "needs 480", "--buffers 2916 is enough"]);
    // The first port's ring is filled, the second one's is not.
    assert_options_refused(&["--buffers", "600"], &["needs 480", "--buffers 2916 is enough", "--ring"]);
    assert_options_refused(&["--buffers", "0"], &["1 to 16500000"]);
    for size in ["100", "1023", "16385", "65535"] {
        assert_options_refused(&["--buffer-size", size], &[&format!("--buffer-size {size}"), "1024 to 16384"]);
    }
}

#[test]
fn tunables_that_are_wrong() {
    let refused = |assignment: &str, said: &[&str]| assert_options_refused(&["--set", assignment], said);
    refused("pool.cach=256", &["--set", "pool.cach", "the nearest is pool.cache"]);
    refused("pool.cache=65537", &["--set", "pool.cache=65537", "from 0 to 65536", "buffers"]);
    refused("pool.cache=many", &["pool.cache=many", "from 0 to 65536"]);
    refused("pool.cache", &["NAME=VALUE", "pool.cache=512"]);
    refused("pool.watermark_pressure_percent=10", &["watermarks of 75, 10 and 100", "low <= pressure <= high"]);
    // One wrong of several.
    assert_options_refused(&["--set", "pool.cache=0", "--set", "pool.tracking=2"], &["pool.tracking=2", "from 0 to 1"]);
    assert_options_refused(&["--tunables", "--set", "dma.debug=2"], &["dma.debug=2", "from 0 to 1"]);
}

#[test]
fn unknown_options() {
    assert_options_refused(&["--bogus"], &["--bogus", "--help"]);
    assert_options_refused(&["bogus"], &["bogus", "--help"]);
}

#[test]
fn help_and_version_are_no_errors() {
    for (option, part) in [("-h", "Port names:"), ("--help", "Examples:"), ("--version", env!("CARGO_PKG_VERSION"))] {
        let outcome = Outcome::of(l2fwd().arg(option));
        assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
        assert!(outcome.stdout.contains(part), "{}", outcome.stdout);
    }
}

/// Memory of this machine.
fn memory_gib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib: u64 =
        text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.split_whitespace().next()?.parse().ok()?;
    Some(kib >> 20)
}
