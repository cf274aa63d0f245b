//! Bad input: exit status 2, nothing on the standard output, and words that say what is wrong and what mends it.

use gannet_harness::Outcome;

use super::{LINK, pktgen};

#[track_caller]
fn assert_refused(arguments: &[&str], said: &[&str]) {
    Outcome::of(&mut pktgen(arguments)).assert_refused(said);
}

#[test]
fn values() {
    for (option, value, parts) in [
        ("--rate", "10x", &["10x", "500kpps"][..]),
        ("--rate", "0pps", &["above 0"]),
        ("--rate", "200%", &["100%"]),
        ("--size", "63", &["64 to 15876"]),
        ("--size", "1518-64", &["above the last"]),
        ("--size", "large", &["64-1518"]),
        ("--count", "0", &["0", "--count"]),
        ("--duration", "0", &["above 0"]),
        ("--duration", "-1", &["above 0"]),
        ("--window", "0", &["--window"]),
        ("--settle", "1000001ms", &["--settle", "1000 s"]),
        ("--flows", "0", &["--flows 0", "65536"]),
        ("--flows", "65537", &["--flows 65537", "65536"]),
        ("--vlan", "4095", &["0 to 4094"]),
        ("--src-mac", "02:00", &["02:00:00:00:00:01"]),
        ("--src-ip", "198.51.100.300", &["no IP address"]),
        ("--src-ip", "2001:db8::1", &["IPv4", "IPv6"]),
        ("--dst-port", "70000", &["0 to 65535"]),
        ("--dst-port", "9-1", &["above the last"]),
        ("--queues", "2", &["--queues 2"]),
        ("--burst", "0", &["--burst 0"]),
        ("--mtu", "67", &["--mtu 67", "68 to 15854"]),
        ("--mtu", "15855", &["--mtu 15855", "68 to 15854"]),
        ("--cores", "99999", &["99999"]),
        ("--settle", "-1s", &["--settle", "500ms"]),
        ("--timing", "fast", &["--pcap"]),
        ("--pcaps", "x", &["--pcap"]),
        ("--set", "pool.cash=1", &["pool.cache"]),
    ] {
        // In one word, or what begins with a minus would be an option.
        assert_refused(&[&LINK[..], &[&format!("{option}={value}")]].concat(), parts);
    }
}

#[test]
fn ports() {
    assert_refused(&["--port", "eth0"], &["eth0", "starts with its kind"]);
    assert_refused(&["--port", "sim:ixgbe,peer=fax"], &["unknown peer", "fax"]);
    assert_refused(&["--port", "sim:ixgbe,peer=link:a"], &["link:a has one end only"]);
    assert_refused(&["--port", "sim:ixgbe,peer=echo", "--both-ways"], &["--both-ways", "two ports"]);
    assert_refused(&[&LINK[..], &["--port", "sim:ixgbe,peer=echo"]].concat(), &["3 --port given"]);
    assert_refused(&["--port", "pci:ffff:ff:1f.7"], &["ffff:ff:1f.7"]);
}

#[test]
fn what_does_not_go_together() {
    assert_refused(&["--size", "1518", "--buffer-size", "1024"], &["frames of 1518 bytes", "--buffer-size 2048 "]);
    assert_refused(&["--size", "9022", "--mtu", "9000"], &["--size 9022", "--mtu 9004"]);
    assert_refused(&["--size", "1523", "--vlan", "5"], &["--size 1523", "--mtu 1501"]);
    assert_refused(&["--size", "64-9018"], &["--size 9018", "--mtu 9000"]);
    assert_refused(&["--mtu", "9000", "--buffer-size", "4096"], &["MTU of 9000", "--buffer-size 9216"]);
    assert_refused(&["--count", "5", "--duration", "5"], &["--count", "--duration"]);
    assert_refused(
        &["--src-ip", "2001:db8::1", "--dst-ip", "2001:db8::2"],
        &["frames of 64 bytes", "80 bytes at least"],
    );
    assert_refused(&[&LINK[..], &["--screen"]].concat(), &["--screen", "terminal"]);
    assert_refused(&["--screen", "--json"], &["--screen", "--json"]);
    assert_refused(&["--pcap", "x.pcap", "--size", "64"], &["--pcap", "--size"]);
    assert_refused(&["--pcap", "x.pcap", "--timing", "fast", "--rate", "1pps"], &["--rate", "--timing"]);
}

#[test]
fn help_has_examples_and_port_names() {
    let outcome = Outcome::fine(&mut pktgen(&["--help"]));
    for part in ["Examples:", "--rate 10%", "link:NAME", "Exit status"] {
        // Lines are as long as the terminal is wide.
        let text = outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(part), "{part}: {text}");
    }
}
