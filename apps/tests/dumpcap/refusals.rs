//! What cannot be: said with what would be right, and exit status 2.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::thread;

use gannet_harness::{Outcome, Running};

use super::Place;
use super::host::Host;

#[test]
fn arguments_that_make_no_sense() {
    let place = Place::new();
    for (arguments, parts) in [
        (&[][..], &["--write"][..]),
        (&["-w", "x", "-f", "tcp prot 80"], &["\"and\" or \"or\" is expected", "    tcp prot 80\n        ^"]),
        (&["-w", "x", "-s", "0"], &["--snaplen"]),
        (&["-w", "x", "-c", "0"], &["--count"]),
        (&["-w", "x", "--files", "2"], &["--file-size"]),
        (&["-w", "x", "--duration", "-1"], &["above 0"]),
        (&["-w", "x", "--direction", "up"], &["rx, tx, both"]),
        (&["-w", "x", "--file-size", "18014398509481984"], &["--file-size"]),
        (&["-w", "-", "--file-size", "1"], &["standard output is one file"]),
    ] {
        place.run(arguments).assert_refused(parts);
    }
}

#[test]
fn programs_that_are_not_there() {
    let place = Place::new();
    place.run(&["-w", "x"]).assert_refused(&["no program is running"]);
    let outcome = place.run(&["--list"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("no program is running"), "{outcome:?}");
    let ended = Running::start(&mut place.dumpcap(&["--list"]));
    let stale = place.file(&format!("gannet/l2fwd-{}.sock", ended.id()));
    ended.end();
    drop(UnixListener::bind(&stale).unwrap());
    assert!(stale.exists());
    place.run(&["-w", "x", stale.to_str().unwrap()]).assert_refused(&["the program has ended"]);
    place.run(&["-w", "x", "l2fwd"]).assert_refused(&["no program is running"]);
    assert!(!stale.exists(), "what a killed program has left is removed");
    let starting = place.file(&format!("gannet/l2fwd-{}.sock", std::process::id()));
    drop(UnixListener::bind(&starting).unwrap());
    place.run(&["-w", "x", "l2fwd"]).assert_refused(&["no program is running"]);
    assert!(starting.exists(), "its program may be about to listen");
    let host = Host::new(&place);
    place.run(&["-w", "x", "l2fwd"]).assert_refused(&["l2fwd is not running", "host 1"]);
    place.run(&["-w", "x", "/no/such.sock"]).assert_refused(&["there is no such socket"]);
    place.run(&["-w", "x", "-i", "2"]).assert_refused(&["no port 2", "0 (sim:ixgbe#0), 1 (sim:ixgbe#1)"]);
    host.end();
}

#[test]
fn sockets_of_others() {
    let place = Place::new();
    let socket = place.file("other.sock");
    for (answer, part) in [
        (&b"220 mail ready\n"[..], "is no control socket of Gannet's"),
        (b"{\"error\":\"unknown\"}\n", "the program answers: unknown"),
        (b"", "closed the connection"),
        (b"{\"capture\":{\"ports\":[],\"skipped\":[]}}\nthese are not the frames that it looks for", "makes no sense"),
    ] {
        let listener = UnixListener::bind(&socket).unwrap();
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            BufReader::new(&stream).read_line(&mut String::new()).unwrap();
            (&stream).write_all(answer).unwrap();
        });
        let file = place.file("x.pcapng");
        let mut command = place.dumpcap(&["-w", file.to_str().unwrap(), "other.sock"]);
        let outcome = Outcome::of(command.current_dir(place.0.path()));
        server.join().unwrap();
        assert!(matches!(outcome.status, Some(1 | 2)), "{outcome:?}");
        assert!(outcome.stderr.contains(part) || outcome.stdout.contains(part), "no {part:?}: {outcome:?}");
        std::fs::remove_file(&socket).unwrap();
    }
}

#[test]
fn programs_and_ports_are_listed() {
    let place = Place::new();
    let host = Host::new(&place);
    let outcome = place.run(&["--list"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let port_1 = outcome.stdout.lines().nth(2).unwrap_or_default();
    for part in ["host", "sim:ixgbe#1", "02:00:00:00:00:01", "82599"] {
        assert!(port_1.contains(part), "{outcome:?}");
    }
    let socket = host.socket.to_str().unwrap();
    let outcome = place.run(&["--list", "--json", socket]);
    let list: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((&list[0]["program"], &list[0]["socket"]), (&"host".into(), &socket.into()), "{list}");
    assert_eq!(list[0]["ports"][1]["name"], "sim:ixgbe#1");
    host.end();
}
