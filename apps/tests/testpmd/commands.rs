//! Every command, and what it answers.

use std::collections::BTreeMap;

use gannet_harness::{Outcome, text_to_read};
use serde_json::{Value, json};

use super::{THOUSAND, answers, testpmd, with_ports};

/// A line for each command of the table, in an order in which all of them can be done.
const EXAMPLES: &[(&str, &str)] = &[
    ("help", "help"),
    ("help COMMAND...", "help show port"),
    ("show port PORTS", "show port all"),
    ("show port PORTS config", "show port 0 config"),
    ("show engines", "show engines"),
    ("show settings", "show settings"),
    ("show tunables", "show tunables"),
    ("show config", "show config"),
    ("set engine ENGINE", "set engine macswap"),
    ("set SETTING VALUE", "set icmpecho.ipv4 203.0.113.7"),
    ("set burst COUNT", "set burst 16"),
    ("set tunable TUNABLE VALUE", "set tunable pool.cache 256"),
    ("set port PORTS promiscuous on|off", "set port 1 promiscuous off"),
    ("set port PORTS multicast-group add|remove MAC", "set port 0 multicast-group add 01:00:5e:00:00:fb"),
    ("set port PORTS multicast all|none", "set port all multicast all"),
    ("set port PORTS mac-filter add|remove MAC", "set port 0 mac-filter add 02:00:00:00:00:99"),
    ("set port PORTS peer MAC", "set port 0 peer 02:00:00:00:00:77"),
    ("stop port PORTS", "stop port all"),
    ("set port PORTS queues COUNT", "set port all queues 2"),
    ("set port PORTS ring COUNT", "set port all ring 256"),
    ("set port PORTS mtu BYTES", "set port all mtu 576"),
    ("set port PORTS vlan-strip on|off", "set port 0 vlan-strip on"),
    ("start port PORTS", "start port all"),
    ("start", "start"),
    ("wait packets COUNT SECONDS", "wait packets 1 600"),
    ("wait packets COUNT", "wait packets 1"),
    ("sleep SECONDS", "sleep 0.01"),
    ("show streams", "show streams"),
    ("explain", "explain"),
    ("explain port PORTS", "explain port 1"),
    ("stop", "stop"),
    ("show port PORTS stats", "show port all stats"),
    ("show port PORTS xstats", "show port 0 xstats"),
    ("show port PORTS regs", "show port 1 regs"),
    ("show port PORTS regs NAME", "show port all regs RD[0]"),
    ("show queues", "show queues"),
    ("show peers", "show peers"),
    ("show pool", "show pool"),
    ("show drops", "show drops"),
    ("clear stats", "clear stats"),
    ("exit", "exit"),
    ("quit", "quit"),
];

/// Rows of a table by a field of each.
fn rows<'a>(table: &'a Value, by: &str) -> BTreeMap<String, &'a Value> {
    let rows = table.as_array().expect("a list");
    rows.iter().map(|row| (row[by].to_string().trim_matches('"').to_owned(), row)).collect()
}

#[test]
fn every_command_of_the_table_does() {
    let help = Outcome::fine(testpmd().args(["--json", "-e", "help"])).json().remove(0);
    let commands = help["answer"].as_array().expect("a list").iter().map(|row| row["command"].as_str());
    let mut commands: Vec<&str> = commands.map(|command| command.expect("a text")).collect();
    let mut examples: Vec<&str> = EXAMPLES.iter().map(|(pattern, _)| *pattern).collect();
    commands.sort_unstable();
    examples.sort_unstable();
    assert_eq!(commands, examples, "each command has an example");

    // What is behind the first of the two that end the program is not run any more.
    let script: Vec<&str> = EXAMPLES.iter().map(|(_, line)| *line).collect();
    let outcome = Outcome::fine(testpmd().arg("--json").stdin(text_to_read(script.join("\n"))));
    let answered = outcome.json();
    assert_eq!(answered.len(), EXAMPLES.len() - 1, "{}", outcome.stdout);
    for ((_, line), object) in EXAMPLES.iter().zip(answered) {
        assert_eq!(object["command"], *line);
        assert!(!object["answer"].is_null(), "{object}");
    }
    Outcome::fine(testpmd().args(["-e", "quit; no command"]));
}

#[test]
fn what_is_set_is_shown() {
    let script = "\
        set port 0 promiscuous off\n\
        set port 0 multicast-group add 01:00:5e:00:00:fb\n\
        set port 0 multicast-group add 01:00:5e:00:00:fc\n\
        set port 0 multicast-group remove 01:00:5e:00:00:fb\n\
        set port 0 mac-filter add 02:00:00:00:00:99\n\
        set port 1 multicast all\n\
        set port 1 peer 02:00:00:00:00:77\n\
        set engine macswap\n\
        set burst 8\n\
        set txonly.length 128\n\
        stop port all\n\
        set port all queues 2\n\
        set port all ring 128\n\
        set port 1 vlan-strip on\n\
        set port 1 mtu 2030\n\
        show port all\n\
        start port all\n\
        show port all\n\
        show port all config\n\
        show config\n\
        show settings\n";
    let answers = answers(&THOUSAND, script);
    let [.., stopped, _, started, config, program, settings] = answers.as_slice() else { panic!("{answers:?}") };
    for (table, state) in [(stopped, "stopped"), (started, "started")] {
        for row in rows(table, "port").values() {
            assert_eq!((&row["state"], &row["queues"], &row["ring"]), (&json!(state), &json!(2), &json!(128)));
        }
    }
    let config = rows(config, "port");
    let expected = json!({
        "port": 0, "promiscuous": "off", "multicast": "01:00:5e:00:00:fc", "mac_filter": "02:00:00:00:00:99",
        "vlan_strip": "off", "mtu": 1500, "peer": "02:00:00:00:00:00",
    });
    assert_eq!(*config["0"], expected);
    let expected = json!({
        "port": 1, "promiscuous": "on", "multicast": "all", "mac_filter": "none", "vlan_strip": "on",
        "mtu": 2030, "peer": "02:00:00:00:00:77",
    });
    assert_eq!(*config["1"], expected);
    let program = rows(program, "what");
    assert_eq!((&program["engine"]["value"], &program["burst"]["value"]), (&json!("macswap"), &json!("8")));
    assert_eq!(rows(settings, "name")["txonly.length"]["value"], "128");
}

#[test]
fn frames_come_through_and_are_counted() {
    let script = "start\nwait packets 1000 600\nshow streams\nstop\nshow port all stats\nshow queues\nshow peers\nclear stats\nshow port 0 stats";
    let answers = answers(&THOUSAND, script);
    let [_, _, running, stopped, stats, queues, peers, _, cleared] = answers.as_slice() else { panic!("{answers:?}") };
    // The last of them may not have been sent yet.
    assert_eq!(running[0]["received"], 1000);
    let stream = &stopped[0];
    assert_eq!((&stream["received"], &stream["sent"], &stream["dropped"]), (&json!(1000), &json!(1000), &json!(0)));
    assert_eq!((&stats[0]["rx_packets"], &stats[1]["tx_packets"]), (&json!(1000), &json!(1000)));
    assert_eq!((&queues[0]["rx_packets"], &queues[1]["tx_packets"]), (&json!(1000), &json!(1000)));
    assert_eq!((&peers[0]["offered"], &peers[0]["state"]), (&json!(1000), &json!("finished")));
    assert_eq!((&peers[1]["accepted"], &peers[1]["corrupted"]), (&json!(1000), &json!(0)));
    assert_eq!(cleared[0]["rx_packets"], 0);
}

#[test]
fn ports_forward_on_after_a_restart_with_other_queues_and_rings() {
    let generator = "sim:ixgbe,peer=gen,flows=64";
    let script = "\
        start\nwait packets 500 600\nstop\n\
        stop port all\nset port all queues 4\nset port all ring 1024\nset port all vlan-strip on\nstart port all\nclear stats\n\
        start\nwait packets 5000 600\nstop\nshow queues\nshow peers";
    let answers = answers(&[generator, generator], script);
    let [.., queues, peers] = answers.as_slice() else { panic!("{answers:?}") };
    let queues = queues.as_array().expect("a list");
    assert_eq!(queues.len(), 8, "{queues:?}");
    let received = |queue: &Value| queue["rx_packets"].as_u64().expect("a number");
    assert!(queues.iter().all(|queue| received(queue) > 0), "flows go to all queues: {queues:?}");
    for peer in peers.as_array().expect("a list") {
        // Flows overtake each other on several queues only if a core is late: one core has all of them here.
        assert_eq!((&peer["corrupted"], &peer["foreign"]), (&json!(0), &json!(0)), "{peer}");
    }
}

#[test]
fn ports_forward_longer_frames_after_a_restart_with_another_mtu() {
    let script = "start; wait packets 1 2; stop; explain port 0; \
                  stop port all; set port all mtu 9000; start port all; clear stats; \
                  start; wait packets 500 600; stop; show streams; show port all stats";
    let mut command = with_ports(&["sim:ixgbe,peer=gen,size=9018,rate=2000", "sim:ixgbe,peer=sink"]);
    let outcome = Outcome::of(command.args(["--json", "--keep-going", "--buffer-size", "9216", "-e", script]));
    let answers: Vec<Value> = outcome.json().into_iter().map(|object| object["answer"].clone()).collect();
    let [_, none, _, explained, .., streams, stats] = answers.as_slice() else { panic!("{answers:?}") };
    assert!(none.is_null(), "{answers:?}");
    assert!(explained.to_string().contains("(1500 here: set port 0 mtu)"), "{explained}");
    let received = stats[0]["rx_packets"].as_u64().expect("a number");
    assert!(received >= 500, "{stats}");
    assert_eq!((&stats[1]["tx_packets"], &stats[1]["tx_dropped"]), (&stats[0]["rx_packets"], &json!(0)), "{streams}");
}

#[test]
fn txonly_sends_as_long_frames_as_the_mtu_has() {
    let script = "set engine txonly; set txonly.count 100; set txonly.length 9018; start; wait packets 100 600; stop; \
                  show port 0 stats; set txonly.length 9019; start";
    let mut command = with_ports(&["sim:ixgbe,peer=sink"]);
    let outcome = Outcome::of(command.args(["--json", "--mtu", "9000", "-e", script]));
    let answers = outcome.json();
    assert_eq!(answers[6]["answer"][0]["tx_bytes"], json!(100 * 9018), "{answers:?}");
    assert!(answers[8]["error"].as_str().is_some_and(|why| why.contains("64 to 9018 bytes")), "{answers:?}");
}

#[test]
fn a_single_port_and_an_odd_last_one_forward_to_themselves() {
    let answers_of_one = answers(&["sim:ixgbe,peer=gen,count=100"], "start\nwait packets 100 600\nstop");
    assert_eq!((&answers_of_one[2][0]["from"], &answers_of_one[2][0]["to"]), (&json!(0), &json!(0)));
    let three = ["sim:ixgbe,peer=sink", "sim:ixgbe,peer=sink", "sim:ixgbe,peer=gen,count=100"];
    let answers = answers(&three, "start\nwait packets 100 600\nstop");
    let ways: Vec<_> = answers[2].as_array().expect("a list").iter().map(|row| (&row["from"], &row["to"])).collect();
    assert_eq!(ways, [(&json!(0), &json!(1)), (&json!(1), &json!(0)), (&json!(2), &json!(2))]);
    assert_eq!(answers[2][2]["sent"], 100);
}

#[test]
fn every_engine_starts_and_stops() {
    let engines = answers(&THOUSAND, "show engines").remove(0);
    for engine in engines.as_array().expect("a list") {
        let engine = engine["engine"].as_str().expect("a name");
        let script = format!("set engine {engine}\nstart\nsleep 0.05\nstop\nstop port all\nshow pool");
        let answers = answers(&THOUSAND, &script);
        assert_eq!(answers[5][0]["census"]["out"], 0, "{engine}: {answers:?}");
    }
}

#[test]
fn what_noisy_holds_back_at_the_end_is_counted() {
    let answers = answers(&THOUSAND, "set engine noisy\nset noisy.buffer 40\nstart\nwait packets 1000 600\nstop");
    let count = |field: &str| answers[4][0][field].as_u64().expect("a number");
    assert_eq!((count("received"), count("sent") + count("dropped")), (1000, 1000), "{answers:?}");
    assert!(count("dropped") >= 40, "{answers:?}");
}

#[test]
fn a_filter_changes_on_all_ports_or_on_none() {
    let script = "set port 1 mac-filter add 02:00:00:00:00:99; set port all mac-filter add 02:00:00:00:00:99; show port all config";
    let outcome = Outcome::of(with_ports(&THOUSAND).args(["--json", "--keep-going", "-e", script]));
    let answers = outcome.json();
    assert!(answers[1]["error"].as_str().is_some_and(|why| why.contains("is there already")), "{answers:?}");
    let config = rows(&answers[2]["answer"], "port");
    assert_eq!((&config["0"]["mac_filter"], &config["1"]["mac_filter"]), (&json!("none"), &json!("02:00:00:00:00:99")));
}

#[test]
fn explain_tells_what_to_do() {
    let answers =
        answers(&THOUSAND, "stop port 1\nexplain port 1\nstart port all\nstart\nwait packets 1000 600\nexplain port 0");
    let findings = answers[1].as_array().expect("a list");
    let remedies: Vec<&str> = findings.iter().filter_map(|finding| finding["remedy"].as_str()).collect();
    assert_eq!(remedies, ["start", "start port 1"], "{findings:?}");
    assert!(answers[5].to_string().contains("has sent all that it had, 1000 frames"), "{}", answers[5]);
}
