//! What nictop and Prometheus see of ports that are stopped and started again.

use std::io::{BufRead, BufReader, Write};

use gannet_apps::monitor::client;
use gannet_apps::monitor::state::State;
use gannet_harness::wait_until;

use super::scripts::piped;

#[test]
fn ports_and_cores_are_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("control.sock");
    let mut program = piped(&["--control", socket.to_str().expect("a path of text")]);
    let mut stdin = program.child.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(program.child.stdout.take().expect("a pipe")).lines();
    let mut types = |command: &str, answer: &str| {
        writeln!(stdin, "{command}").expect("it reads");
        assert!(answers.any(|line| line.expect("text").starts_with(answer)), "{command}: no {answer}");
    };
    let until = |what: &str, condition: fn(&State) -> bool| {
        wait_until(what, || client::state(&socket, client::PATIENCE).is_ok_and(|state| condition(&state)));
    };

    types("stop port all", "ports 0, 1: stopped");
    until("ports that are stopped", |state| state.ports.iter().all(|port| !port.present));
    types("set port all queues 2", "ports 0, 1: 2 queues");
    types("start port all", "ports 0, 1: started");
    until("ports that run again", |state| state.ports.iter().all(|port| port.present && port.rx_queues.len() == 2));
    for _ in 0..2 {
        types("start", "forwarding");
        types("wait packets 100 600", "100 packets");
        types("stop", "FROM");
    }
    until("the packets of both times on one core", |state| {
        let received: u64 = state.ports.iter().flat_map(|port| &port.rx_queues).map(|queue| queue.packets).sum();
        matches!(state.cores.as_slice(), [core] if core.packets >= received) && received >= 200
    });
    types("help quit", "quit");
    drop(stdin);
    assert_eq!(program.end().status, Some(0));
}
