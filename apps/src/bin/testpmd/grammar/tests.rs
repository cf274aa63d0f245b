use super::*;
use crate::commands::COMMANDS;

const TWO_PORTS: Vocabulary = Vocabulary { ports: 2 };

fn parsed(line: &str) -> Match {
    parse(COMMANDS, line, TWO_PORTS).unwrap_or_else(|why| panic!("{why}"))
}

#[track_caller]
fn assert_refused(line: &str, said: &str) {
    let Err(why) = parse(COMMANDS, line, TWO_PORTS) else { panic!("{line} is a command") };
    assert_eq!(why.to_string(), format!("{line}: {said}"));
}

fn completions(line: &str) -> Vec<String> {
    complete(COMMANDS, line, TWO_PORTS).1
}

#[test]
fn values_are_found_by_their_names() {
    let found = parsed("  set  port 1 promiscuous off ");
    assert_eq!(found.command.pattern, "set port PORTS promiscuous on|off");
    assert_eq!(found.arguments.word("on|off"), "off");
    assert_eq!(found.arguments.ports(TWO_PORTS), [1]);
    assert_eq!(parsed("show port all").arguments.ports(TWO_PORTS), [0, 1]);
    assert_eq!(parsed("explain").arguments.ports(TWO_PORTS), [0, 1]);
    assert_eq!(parsed("wait packets 70").arguments.number::<u64>("COUNT").ok(), Some(70));
    assert_eq!(parsed("wait packets 70").arguments.word("SECONDS"), "");
    assert_eq!(parsed("help set port").arguments.word("COMMAND..."), "set port");
}

#[test]
fn no_line_is_two_commands() {
    // Longer ones are found although shorter ones stand before them.
    for (line, pattern) in [
        ("start", "start"),
        ("start port 0", "start port PORTS"),
        ("show port 0", "show port PORTS"),
        ("show port 0 stats", "show port PORTS stats"),
        ("help", "help"),
    ] {
        assert_eq!(parsed(line).command.pattern, pattern);
    }
    let mut patterns: Vec<&str> = COMMANDS.iter().map(|command| command.pattern).collect();
    patterns.sort_unstable();
    patterns.dedup();
    assert_eq!(patterns.len(), COMMANDS.len());
}

#[test]
fn every_value_in_the_table_is_of_a_kind_that_is_known() {
    for command in COMMANDS {
        for term in Term::all(command.pattern) {
            if let Term::Words(words) = term {
                assert!(words.chars().all(|letter| !letter.is_uppercase()), "{words} in {}", command.pattern);
            }
        }
        assert!(!command.help.is_empty(), "{}", command.pattern);
    }
}

#[test]
fn the_nearest_command_is_offered() {
    assert_refused("strat", "no such command, did you mean \"start\"?");
    assert_refused("show prot 0", "no such command, did you mean \"show port\"?");
    assert_refused("show port 0 stat", "no such command, did you mean \"show port 0 stats\"?");
    assert_refused("set engin io", "no such command, did you mean \"set engine\"?");
    assert_refused("set port 0 promisc on", "no such command, did you mean \"set port 0 promiscuous\"?");
    assert_refused("set port 0 promiscuous yes", "yes is not expected after \"set port 0 promiscuous\", but: on, off");
    assert_refused("xyzzy", "no such command; help lists all");
    assert_refused("show xyzzy 0", {
        "xyzzy is not expected after \"show\", but: config, drops, engines, peers, pool, port, queues, settings, streams, tunables"
    });
}

#[test]
fn wrong_values_are_told_with_right_ones() {
    assert_refused("show port 2", "2: no such port, there are 0 to 1");
    assert_refused("show port eth0", "eth0: the number of a port or all is expected");
    assert_refused("set engine macswop", "macswop: no engine has this name, did you mean macswap?");
    assert_refused("wait packets many", "many: a whole number is expected");
    assert_refused("sleep 0", "0: a number of seconds above 0 is expected");
    assert_refused("set tunable pool.cach 5", "pool.cach: no tunable has this name, did you mean pool.cache?");
    let mac = "02:00:00:00:00:1: \"02:00:00:00:00:1\" is no MAC address, as in 02:00:00:00:00:01";
    assert_refused("set port 0 mac-filter add 02:00:00:00:00:1", mac);
    let one_port = Vocabulary { ports: 1 };
    let why = parse(COMMANDS, "show port 1", one_port).err().map(|why| why.to_string());
    assert_eq!(why.as_deref(), Some("show port 1: 1: no such port, there is port 0 only"));
}

#[test]
fn lines_that_are_too_short_or_too_long() {
    assert_refused("wait packets", "more is expected: COUNT");
    assert_refused(
        "set port 0",
        "more is expected: mac-filter, mtu, multicast, multicast-group, peer, promiscuous, queues, ring, vlan-strip",
    );
    assert_refused("show pool now", "nothing is expected after \"show pool\"");
    assert_refused("quit now", "nothing is expected after \"quit\"");
}

#[test]
fn words_are_completed_from_the_table() {
    assert_eq!(completions("st"), ["start", "stop"]);
    assert_eq!(complete(COMMANDS, "show p", TWO_PORTS), (5, vec!["peers".into(), "pool".into(), "port".into()]));
    assert_eq!(completions("show port "), ["0", "1", "all"]);
    assert_eq!(completions("set port 1 promiscuous "), ["off", "on"]);
    assert!(completions("set engine mac").contains(&"macswap".to_owned()));
    assert_eq!(completions("set tunable dma."), ["dma.debug"]);
    assert_eq!(completions("show port 0 regs RXC"), ["RXCSUM", "RXCTRL"], "of all drivers' cards");
    // Engines' settings stand beside the words that can follow.
    assert_eq!(completions("set icmpecho."), ["icmpecho.ipv4", "icmpecho.ipv6"]);
    for nothing in ["wait packets ", "show xyzzy ", "start port 0 ", "sleep 1"] {
        assert_eq!(completions(nothing), [""; 0], "{nothing}");
    }
}
