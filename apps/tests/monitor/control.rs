//! The control socket.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use gannet_apps::monitor::client;
use gannet_apps::monitor::state::{Answer, State};
use gannet_harness::{PATIENCE, wait_for};
use nix::sys::signal::Signal;

use super::{FRAMES, Program, ask, runtime};

#[test]
fn a_running_program_tells_how_it_stands() {
    let runtime = runtime();
    let program = Program::start(runtime.path(), &[]);
    let answer = ask(&program.path, b"{\"request\":\"state\"}\n");
    let Ok(Answer::State(state)) = serde_json::from_str(&answer) else { panic!("{answer}") };
    let State { pid, ports, cores, pools, metrics, .. } = *state;
    assert_eq!((pid, metrics), (program.running.id(), None));
    assert_eq!((ports.len(), ports[1].number, ports[1].name.as_str()), (2, 1, "sim:ixgbe#1"));
    assert_eq!((ports[0].link_mbps, ports[0].present, ports[0].rx_queues.len()), (Some(10_000), true, 1));
    assert_eq!(ports[0].mac.len(), "02:00:00:00:00:00".len());
    assert_eq!(ports[1].tx_queues.iter().map(|queue| queue.packets).sum::<u64>(), FRAMES);
    // Received and sent.
    assert!(cores.len() == 1 && cores[0].packets >= 2 * FRAMES, "{cores:?}");
    assert!(cores[0].busy_rounds > 0 && cores[0].idle_rounds > 0, "{cores:?}");
    assert!(
        pools[0].name == "packets" && pools[0].buffers == pools[0].free + pools[0].cached + pools[0].out,
        "{pools:?}"
    );
}

#[test]
fn only_its_user_may_ask_and_it_leaves_nothing_behind() {
    let runtime = runtime();
    let program = Program::start(runtime.path(), &[]);
    let mode = |path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(program.path.parent().expect("a folder")), mode(&program.path)), (0o700, 0o600));
    let path = program.path.clone();
    assert_eq!(program.end(Signal::SIGTERM), Some(0));
    assert!(!path.exists());
}

#[test]
fn the_socket_that_a_killed_program_has_left_is_taken_over() {
    let runtime = runtime();
    let path = runtime.path().join("control");
    let given = ["--control", path.to_str().expect("a path")];
    Program::start(runtime.path(), &given).end(Signal::SIGKILL);
    assert!(path.exists(), "SIGKILL leaves no time to remove it");
    let program = Program::start(runtime.path(), &given);
    assert_eq!(program.state().pid, program.running.id());
}

#[test]
fn nonsense_is_answered_with_what_is_wrong() {
    let runtime = runtime();
    let program = Program::start(runtime.path(), &[]);
    let long = [b'x'; 10_000];
    for (line, why) in [
        (b"state\n".as_slice(), "no request"),
        (b"{\"request\":\"fly\"}\n", "unknown variant `fly`"),
        (b"{}\n", "missing field `request`"),
        (b"\n", "no request"),
        (b"\xff\xfe\n", "no request"),
        (&long, "at most 4096 bytes"),
        (b"", "no request within"),
        (b"{\"request\":", "no request within"),
    ] {
        let answer = ask(&program.path, line);
        let Ok(Answer::Error(told)) = serde_json::from_str(&answer) else { panic!("{line:?}: {answer}") };
        assert!(told.contains(why), "{line:?}: {told}");
    }
    assert_eq!(program.state().program, "l2fwd");
}

#[test]
fn clients_that_say_nothing_or_go_away_are_let_go() {
    let runtime = runtime();
    let program = Program::start(runtime.path(), &[]);
    let connect = |_| UnixStream::connect(&program.path).expect("the control socket");
    let silent: Vec<UnixStream> = (0..40).map(connect).collect();
    for mut client in silent {
        client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer, then the end");
        assert!(answer.contains("no request within") || answer.contains("clients are served already"), "{answer}");
    }
    // One that does not wait for its answer.
    connect(0).write_all(b"{\"request\":\"state\"}\n").expect("sending");
    let state = wait_for("a free place", || client::state(&program.path, client::PATIENCE).ok());
    assert_eq!(state.program, "l2fwd");
}

#[test]
fn what_is_no_control_socket_is_told_from_one() {
    let runtime = runtime();
    let path = runtime.path().join("other");
    let listener = UnixListener::bind(&path).expect("a socket");
    let other = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.write_all(b"220 mail\n").expect("sending");
    });
    let why = client::state(&path, client::PATIENCE).expect_err("no state");
    assert!(why.to_string().contains("no control socket of Gannet's"), "{why:#}");
    other.join().expect("the other program");
}
