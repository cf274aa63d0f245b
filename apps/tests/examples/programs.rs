//! The example programs from end to end: command line in, exit status and output out.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufRead;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use etherparse::{SlicedPacket, TransportSlice};
use gannet_harness::capture::frames;
use gannet_harness::{Outcome, Running, data, full_disk, program, without_listeners, workspace};
use nix::sys::signal::Signal;
use serde_json::Value;

/// All of them.
pub(crate) const EXAMPLES: [&str; 6] = ["hello_port", "echo", "l3fwd", "http", "zero_copy", "reflect"];

/// Those with options.
const WITH_OPTIONS: [&str; 5] = ["hello_port", "echo", "l3fwd", "http", "zero_copy"];

/// An example. They are built here: `cargo test` does so only if it is not told what to test.
pub(crate) fn example(name: &str, arguments: &[&str]) -> Command {
    static BUILT: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    let mut command = program(&BUILT.get_or_init(build)[name]);
    // Where the guide's commands are typed.
    command.args(arguments).current_dir(workspace());
    command
}

/// Builds the examples, with the whole workspace's choice of features, as for this test. Returns where they are.
fn build() -> HashMap<String, PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--workspace", "--quiet", "--message-format=json-render-diagnostics"]);
    EXAMPLES.iter().for_each(|name| {
        cargo.args(["--example", name]);
    });
    let Output { status, stdout, .. } = cargo.stderr(Stdio::inherit()).output().expect("cargo runs");
    assert!(status.success(), "the examples cannot be built");
    let messages = stdout.lines().map(|line| serde_json::from_str::<Value>(&line.expect("text")).expect("JSON"));
    let found = messages.filter_map(|message| {
        let name = message.pointer("/target/name")?.as_str()?;
        Some((name.to_owned(), message.get("executable")?.as_str()?.into()))
    });
    found.collect()
}

/// Runs an example that is to do what it should.
#[track_caller]
pub(crate) fn runs(name: &str, arguments: &[&str]) -> Outcome {
    Outcome::fine(&mut example(name, arguments))
}

/// Checks that a run is refused and says these things.
#[track_caller]
fn refuses(name: &str, arguments: &[&str], said: &[&str]) {
    Outcome::of(&mut example(name, arguments)).assert_refused(said);
}

/// A number behind a word in a line.
#[track_caller]
fn number(text: &str, line: &str, word: usize) -> u64 {
    let found = text.lines().find(|candidate| candidate.starts_with(line)).unwrap_or_else(|| panic!("{line}: {text}"));
    let number = found[line.len()..].split_whitespace().nth(word).and_then(|word| word.parse().ok());
    number.unwrap_or_else(|| panic!("{found}"))
}

#[test]
fn hello_port_tells_of_what_arrives() {
    let port = "sim:ixgbe,peer=pcap:tests/data/traffic.pcap";
    let Outcome { stdout, .. } = runs("hello_port", &["--port", port, "--count", "339", "--duration", "600"]);
    assert_eq!(stdout.matches("\nframe ").count(), 339, "{stdout}");
    for part in ["Intel 82599", "driver ixgbe", "up, 10000 Mb/s", "TCP", "UDP", "ICMP", "not IP", "fe80::"] {
        assert!(stdout.contains(part), "no {part:?} in: {stdout}");
    }
    assert_eq!(
        (number(&stdout, "received", 0), number(&stdout, "missed", 0), number(&stdout, "buffers", 0)),
        (339, 0, 0)
    );
}

#[test]
fn echo_sends_back_what_it_gets() {
    let folder = tempfile::tempdir().expect("a folder for captures");
    let sent = data("traffic.pcap");
    let back = folder.path().join("back.pcap");
    let port = format!("sim:ixgbe,peer=pcap:{},record={}", sent.display(), back.display());
    let Outcome { stdout, .. } = runs("echo", &["--port", &port, "--duration", "3"]);
    assert_eq!(number(&stdout, "echoed", 0), 339);
    // With the addresses swapped, and short ones padded.
    let expected = frames(&sent).into_iter().map(|mut frame| {
        frame[..12].rotate_left(6);
        frame.resize(frame.len().max(60), 0);
        frame
    });
    assert!(expected.eq(frames(&back)), "not what was sent");
}

#[test]
fn l3fwd_routes_and_tells_why_it_drops() {
    let (one, other) = ("sim:ixgbe,peer=gen,count=1000", "sim:ixgbe,peer=gen,count=500");
    let ports = ["--port", one, "--port", other, "--duration", "3"];
    let Outcome { stdout, .. } = runs("l3fwd", &[&ports[..], &["--route", "198.19.0.0/32=1"]].concat());
    assert_eq!([number(&stdout, "0 ", 0), number(&stdout, "0 ", 1)], [1000, 0], "{stdout}");
    assert_eq!([number(&stdout, "1 ", 0), number(&stdout, "1 ", 1)], [500, 1000], "{stdout}");
    assert_eq!(number(&stdout, "l3fwd.no_route", 0), 500, "{stdout}");
    assert_eq!(number(&stdout, "buffers", 0), 0, "{stdout}");
}

#[test]
fn http_fetches_its_own_pages() {
    for arguments in [&[][..], &["--mtu", "9000"], &["--mtu", "68"]] {
        let Outcome { stdout, .. } = runs("http", arguments);
        for part in ["GET / ", "received", "GET /large HTTP/1.1", "200 OK, 100000 bytes", "404 Not Found, 14 bytes"] {
            assert!(stdout.contains(part), "no {part:?} in: {stdout}");
        }
        assert_eq!(number(&stdout, "buffers", 0), 0, "{stdout}");
    }
}

#[test]
fn zero_copy_sends_a_file_byte_for_byte_without_copying() {
    let folder = tempfile::tempdir().expect("a folder for captures");
    let (file, capture) = (folder.path().join("file"), folder.path().join("sent.pcap"));
    // The last piece is short.
    let bytes: Vec<u8> = (0..1_000_001_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(&file, &bytes).expect("a file");
    let port = format!("sim:ixgbe,peer=pcap:,record={}", capture.display());
    let file = file.display().to_string();
    let Outcome { stdout, .. } = runs("zero_copy", &["--file", &file, "--port", &port, "--to", "203.0.113.9:5004"]);
    let counts = ["sent", "waiting", "copied", "buffers"].map(|line| number(&stdout, line, 0));
    assert_eq!(counts, [977, 0, 0, 0], "{stdout}");
    let mut sent = Vec::new();
    for frame in frames(&capture) {
        // Without the padding of a short frame.
        let packet = SlicedPacket::from_ethernet(&frame).expect("a packet");
        let Some(TransportSlice::Udp(udp)) = packet.transport else { panic!("{packet:?}") };
        assert_eq!(udp.destination_port(), 5004);
        sent.extend_from_slice(udp.payload());
    }
    assert!(sent == bytes, "not what is in the file");
    // An empty file is sent at once.
    let empty = folder.path().join("empty");
    File::create(&empty).expect("a file");
    let Outcome { stdout, .. } = runs("zero_copy", &["--file", &empty.display().to_string()]);
    assert_eq!(number(&stdout, "sent", 0), 0, "{stdout}");
}

#[test]
fn what_cannot_be_run_is_refused_in_words() {
    for name in WITH_OPTIONS {
        refuses(name, &["--port", "eth0"], &["\"eth0\" is no port", "sim:ixgbe,peer=gen"]);
        refuses(
            name,
            &["--port", "sim:ixgbe,peer=pcap:/nowhere.pcap", "--route", "::/0=0"]
                [..if name == "l3fwd" { 4 } else { 2 }],
            &["/nowhere.pcap"],
        );
        refuses(name, &["--burst", "0"], &[name, "--burst 0: 1 to 256"]);
        refuses(name, &["--set", "pool.cash=1"], &["pool.cash"]);
        refuses(name, &["--nonsense"], &["--nonsense"]);
        refuses(name, &["--ring", "64", "--buffers", "1"], &["--buffers"]);
    }
    let sink = "sim:ixgbe,peer=sink";
    for name in ["hello_port", "echo", "http", "zero_copy"] {
        refuses(name, &["--port", sink, "--port", sink], &["2 --port given"]);
    }
    refuses("zero_copy", &["--file", "/nowhere"], &["/nowhere: ", "No such file"]);
    refuses("zero_copy", &["--file", "/"], &["/: "]);
    refuses("zero_copy", &["--mac", "02:00"], &["02:00:00:00:00:01"]);
    refuses("l3fwd", &["--port", sink], &["no --route given"]);
    refuses("l3fwd", &["--port", sink, "--route", "::/0=1"], &["--route ::/0=1: the last port is 0"]);
    refuses("l3fwd", &["--route", "nowhere=0"], &["\"nowhere\" is no prefix", "198.51.100.0/24"]);
    refuses("http", &["--port", sink, "--address", "198.51.100.1"], &["198.51.100.1/24"]);
    refuses("http", &["--port", sink, "--address", "224.0.0.1/24"], &["198.51.100.1/24"]);
    refuses("http", &["--port", sink, "--listen", "0"], &["--listen"]);
    refuses("http", &["--port", sink, "--queues", "2"], &["--queues 2: the server has one"]);
    refuses("http", &["--port", sink, "--buffer-size", "1024"], &["--buffer-size 1024", "need 2048 bytes"]);
    refuses("http", &["--mtu", "9000", "--buffer-size", "9018"], &["--buffer-size 9018", "need 9216 bytes"]);
    refuses("zero_copy", &["--port", sink, "--mtu", "1051"], &["--mtu 1051", "1052 bytes"]);
}

#[test]
fn help_has_examples_and_port_names() {
    for name in WITH_OPTIONS {
        let Outcome { stdout, .. } = runs(name, &["--help"]);
        for part in ["Usage: ", "--port <NAME>", "Port names:", "Examples:", &format!("  {name} --port ")] {
            assert!(stdout.contains(part), "{name}: no {part:?} in: {stdout}");
        }
    }
}

#[test]
fn nobody_who_reads_and_no_room_are_no_reason_to_panic() {
    for (name, arguments) in
        [("hello_port", &[][..]), ("echo", &["--duration", "1"]), ("http", &[]), ("zero_copy", &[])]
    {
        let mut command = example(name, arguments);
        let outcome = Running::with_stdout(command.stdout(full_disk())).end();
        assert_eq!(outcome.status, Some(2), "{name}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("writing to the standard output"), "{name}: {}", outcome.stderr);
        // A panic would be 101.
        assert_eq!(without_listeners(&mut command), Some(0), "{name}");
    }
}

#[test]
fn ctrl_c_ends_them_with_all_buffers_home() {
    let gen_port = "sim:ixgbe,peer=gen,rate=1000";
    for (name, arguments, sign) in [
        ("echo", &["--port", gen_port][..], "Mpps"),
        ("l3fwd", &["--port", gen_port, "--route", "0.0.0.0/0=0"], "Mpps"),
        ("http", &["--port", "sim:ixgbe,peer=sink"], "until Ctrl-C"),
    ] {
        let mut program = Running::start(&mut example(name, arguments));
        program.wait_for_line(sign);
        program.signal(Signal::SIGINT);
        let Outcome { status, stdout, .. } = program.end();
        assert_eq!((status, number(&stdout, "buffers", 0)), (Some(0), 0), "{name}: {stdout}");
    }
}
