//! Each thing that can be wrong is made to happen on software cards.

use std::sync::mpsc;
use std::time::Instant;

use clap::Parser;
use gannet::{Burst, Pool, PoolOptions};
use gannet_apps::ports::Hold;
use gannet_harness::PATIENCE;
use gannet_sim::x82599::Fault;

use super::*;
use crate::cli::Arguments;
use crate::commands;
use crate::engine::EngineName;
use crate::forward::tests::Broken;

const SINK: &str = "sim:ixgbe,peer=sink";

fn session(ports: &[&str], options: &[&str]) -> Session {
    let ports = ports.iter().flat_map(|port| ["--port", port]);
    let arguments =
        Arguments::parse_from(["testpmd", "--control", "none"].into_iter().chain(ports).chain(options.iter().copied()));
    Session::open(&arguments.names().expect("ports"), &arguments.ports, &arguments.monitor).expect("a session")
}

/// Runs a command that must do.
#[track_caller]
fn run(session: &mut Session, command: &str) {
    if let Err(why) = commands::run(session, command) {
        panic!("{why:#}");
    }
}

#[track_caller]
fn until(session: &mut Session, condition: impl Fn(&mut Session) -> bool) {
    let start = Instant::now();
    while !condition(session) {
        assert!(start.elapsed() < PATIENCE, "in vain");
        session.look_after();
        thread::sleep(Duration::from_millis(1));
    }
}

/// Checks that something is found at a port, and what is said of it; returns what is said to mend it.
#[track_caller]
fn assert_found(session: &mut Session, port: impl Into<Option<usize>>, what: &str) -> String {
    let (port, all) = (port.into(), (0..session.ports.len()).collect::<Vec<_>>());
    let findings = findings(session, &all);
    let found = findings.iter().find(|finding| finding.port == port && finding.what.contains(what));
    found.unwrap_or_else(|| panic!("no {what:?} in {findings:?}")).remedy.clone()
}

/// Checks that it is not found any more.
#[track_caller]
fn assert_mended(session: &mut Session, what: &str) {
    let all: Vec<usize> = (0..session.ports.len()).collect();
    let findings = findings(session, &all);
    assert!(!findings.iter().any(|finding| finding.what.contains(what)), "{findings:?}");
}

fn inject(session: &Session, port: usize, fault: Fault) {
    session.ports[port].cable().expect("a software card").probe.inject(fault);
}

#[test]
fn nothing_is_found_while_packets_come_through() {
    let mut session = session(&["sim:ixgbe,peer=gen"; 2], &[]);
    run(&mut session, "start");
    run(&mut session, "wait packets 100 600");
    // A machine that runs something else between two looks lets nothing through: then it is right to say so.
    until(&mut session, |session| findings(session, &[0, 1]).is_empty());
    until(&mut session, |session| answer(session, &[0]).text == "nothing is in the way of packets\n");
}

#[test]
fn forwarding_is_stopped() {
    let mut session = session(&[SINK, SINK], &[]);
    let remedy = assert_found(&mut session, None, "forwarding is stopped, and the peers of software cards are held");
    run(&mut session, &remedy);
    assert_mended(&mut session, "forwarding is stopped");
}

#[test]
fn a_port_is_stopped() {
    let mut session = session(&[SINK, SINK], &[]);
    run(&mut session, "stop port 1");
    let remedy = assert_found(&mut session, 1, "the port is stopped");
    run(&mut session, &remedy);
    assert_mended(&mut session, "the port is stopped");
}

#[test]
fn a_link_is_down() {
    let mut session = session(&[SINK, SINK], &[]);
    inject(&session, 1, Fault::LinkNeverUp);
    until(&mut session, |session| session.ports[1].link() == Link::Down);
    assert!(assert_found(&mut session, 1, "the link is down").contains("cable"));
    session.ports[1].cable().expect("a software card").probe.heal();
    until(&mut session, |session| session.ports[1].link() != Link::Down);
    assert_mended(&mut session, "link");
}

#[test]
fn a_card_is_gone() {
    let mut session = session(&[SINK, SINK], &[]);
    run(&mut session, "start");
    inject(&session, 0, Fault::Gone);
    until(&mut session, |session| session.ports[0].lost().is_some());
    assert!(assert_found(&mut session, 0, "lost: the card is gone").contains("nicctl list"));
    // Of all ports, it is the one that has no registers to show.
    run(&mut session, "show port all regs STATUS");
    let why = commands::run(&mut session, "show port 0 regs STATUS").expect_err("it is gone");
    assert!(format!("{why:#}").contains("port 0 is lost"), "{why:#}");
    // The command that stops it all does, and the program ends with a problem.
    run(&mut session, "stop");
    assert!(commands::run(&mut session, "start").is_err(), "no port is left");
    let problems = session.close();
    assert!(problems.iter().any(|problem| problem.contains("port 0: the card is gone")), "{problems:?}");
}

#[test]
fn a_core_has_panicked() {
    let mut session = session(&[SINK, SINK], &[]);
    session.engine = EngineName::Macswap;
    let (tell, told) = mpsc::channel();
    session.announce = Box::new(move |text| tell.send(text.to_owned()).expect("the test listens"));
    session.forward(&[(0, 1)], |_, _| Box::new(Broken)).expect("cores");
    // Told while forwarding goes on, and once.
    until(&mut session, |session| !session.problems.is_empty());
    let text = told.try_recv().expect("it was told");
    assert!(text.starts_with("core ") && text.contains(" panicked in the engine macswap: "), "{text}");
    assert!(session.is_forwarding());
    let remedy = assert_found(&mut session, 0, &text);
    assert_eq!(assert_found(&mut session, 1, &text), "stop, stop port 1, start port 1; report it as a bug");
    run(&mut session, "stop");
    assert!(commands::run(&mut session, "start").is_err(), "queues are lost");
    assert!(assert_found(&mut session, 1, &text).starts_with("stop port 1, "));
    let (commands, _) = remedy.split_once(';').expect("commands and a hint");
    commands.split(", ").skip(1).for_each(|command| run(&mut session, command));
    run(&mut session, "stop port 1");
    run(&mut session, "start port 1");
    run(&mut session, "start");
    assert_mended(&mut session, "panicked");
    assert!(told.try_recv().is_err());
    assert_eq!(session.close(), [text]);
}

#[test]
fn frames_are_damaged_on_the_wire() {
    let mut session = session(&["sim:ixgbe,peer=gen,count=100,corruption=1000000", SINK], &[]);
    run(&mut session, "start");
    until(&mut session, |session| session.ports[0].counts().card.rx_crc_errors == 100);
    assert!(assert_found(&mut session, 0, "100 frames arrived damaged: 100 with a wrong FCS").contains("cable"));
    run(&mut session, "clear stats");
    assert_mended(&mut session, "damaged");
}

#[test]
fn frames_are_for_other_addresses() {
    let mut session = session(&["sim:ixgbe,peer=gen,count=100", SINK], &[]);
    run(&mut session, "set port 0 promiscuous off");
    run(&mut session, "start");
    until(&mut session, |session| {
        session.ports[0].cable().is_some_and(|cable| cable.stats.offered.load(Ordering::Relaxed) == 100)
    });
    let remedy = assert_found(&mut session, 0, "100 frames of the peer did not pass the filter");
    let (command, _) = remedy.split_once(", or ").expect("a command and another way");
    run(&mut session, command);
    assert_mended(&mut session, "filter");
}

#[test]
fn frames_that_the_cable_loses_are_not_taken_for_filtered_ones() {
    let mut session = session(&["sim:ixgbe,peer=gen,count=100,loss=1000000", SINK], &[]);
    run(&mut session, "set port 0 promiscuous off");
    run(&mut session, "start");
    until(&mut session, |session| {
        session.ports[0].cable().is_some_and(|cable| cable.stats.offered.load(Ordering::Relaxed) == 100)
    });
    assert_mended(&mut session, "filter");
}

#[test]
fn nobody_polls_the_queue() {
    let mut session = session(&["sim:ixgbe,peer=gen,size=1518,rate=100000,count=3000", SINK], &["--ring", "64"]);
    session.ports[0].hold(Hold::Off);
    until(&mut session, |session| {
        let card = session.ports[0].counts().card;
        card.rx_missed + card.rx_no_descriptor > 0
    });
    assert!(assert_found(&mut session, 0, "frames found no descriptor").contains("start"));
    run(&mut session, "start");
    assert!(assert_found(&mut session, 0, "frames found no descriptor").contains("larger ring"));
}

#[test]
fn the_pool_is_empty() {
    // The second port's transmit ring keeps what it is given, and the pool has little more than the receive rings need.
    let mut session = session(&["sim:ixgbe,peer=gen,count=2000", SINK], &["--ring", "64", "--buffers", "110"]);
    inject(&session, 1, Fault::LinkNeverUp);
    run(&mut session, "start");
    until(&mut session, |session| session.ports[0].counts().rx_sum(|queue| queue.no_buffers) > 0);
    assert!(assert_found(&mut session, 0, "the pool had no buffer").contains("--buffers"));
    assert_found(&mut session, 1, "the link is down");
}

#[test]
fn frames_do_not_fit_in_a_buffer() {
    let options = ["--buffer-size", "1024"];
    let mut session = session(&["sim:ixgbe,peer=gen,size=1518,count=10", SINK], &options);
    run(&mut session, "start");
    until(&mut session, |session| session.ports[0].counts().rx_sum(|queue| queue.oversize) == 10);
    assert!(assert_found(&mut session, 0, "10 frames did not fit in one buffer").contains("--buffer-size"));
}

#[test]
fn the_card_writes_nonsense() {
    let mut session = session(&["sim:ixgbe,peer=gen,count=100", SINK], &[]);
    inject(&session, 0, Fault::LengthBeyondBuffer { every: 1 });
    run(&mut session, "start");
    until(&mut session, |session| session.ports[0].counts().rx_sum(|queue| queue.nonsense) > 0);
    assert!(assert_found(&mut session, 0, "made no sense").contains("stop port 0, start port 0"));
}

/// Has port 0 send a packet of `bytes` bytes that `pool` has.
fn send(session: &mut Session, pool: &Pool, bytes: usize) {
    let mut queues = session.ports[0].take_queues();
    let mut burst = Burst::new(1);
    assert!(pool.alloc_bulk(&mut burst, 1));
    burst[0].append(bytes).expect("there is room").fill(0);
    queues.tx[0].send(&mut burst);
    session.ports[0].give_queues(queues);
}

#[test]
fn packets_that_cannot_be_sent() {
    let mut session = session(&[SINK, SINK], &[]);
    let pool = session.pool.clone();
    send(&mut session, &pool, 16);
    assert!(assert_found(&mut session, 0, "1 packets were not sent: shorter than 17 bytes").contains("length"));
    let elsewhere = Pool::new(&PoolOptions { buffers: 8, cache: 0, ..PoolOptions::default() }).expect("a pool");
    send(&mut session, &elsewhere, 64);
    assert_found(&mut session, 0, "1 packets were not sent: the card cannot reach their memory");
}

#[test]
fn the_card_does_not_send() {
    let mut session = session(&["sim:ixgbe,peer=gen,count=100", SINK], &[]);
    inject(&session, 1, Fault::NeverDone { every: 1 });
    run(&mut session, "start");
    // All are on the wire, and stay in the ring: what the card still sends at the first look would speak for it.
    until(&mut session, |session| session.ports[1].counts().card.tx_packets == 100);
    let remedy = assert_found(&mut session, 1, "100 packets stay in the ring of transmit queue 0");
    session.ports[1].cable().expect("a software card").probe.heal();
    let (commands, _) = remedy.split_once(';').expect("commands and a hint");
    commands.split(", ").for_each(|command| run(&mut session, command));
    run(&mut session, "start");
    assert_mended(&mut session, "stay in the ring");
}

#[test]
fn the_peer_has_finished() {
    let mut session = session(&["sim:ixgbe,peer=gen,count=100", SINK], &[]);
    run(&mut session, "start");
    run(&mut session, "wait packets 100 600");
    until(&mut session, |session| session.ports[0].cable().is_some_and(gannet_apps::ports::Cable::is_finished));
    assert!(assert_found(&mut session, 0, "sent all that it had, 100 frames").contains("count="));
}

#[test]
fn accesses_that_the_iommu_has_refused() {
    // No software card can be made to do that from outside.
    let faults = vec!["one".to_owned(), "another".to_owned()];
    let evidence =
        Evidence { port: 3, is_started: true, is_linked: true, is_forwarding: true, faults, ..Evidence::default() };
    let found = checks::all(&evidence);
    assert!(
        found.iter().any(|finding| finding.what.contains("refused 2 accesses of the card, the last: another")),
        "{found:?}"
    );
}

#[test]
fn a_card_that_may_filter_everything_away() {
    // A real card tells nothing of what its filter keeps away.
    let evidence = Evidence { port: 3, is_started: true, is_linked: true, is_forwarding: true, ..Evidence::default() };
    let found = checks::all(&evidence);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].remedy.starts_with("set port 3 promiscuous on"), "{found:?}");
    assert_eq!(checks::all(&Evidence { is_promiscuous: true, ..evidence }), []);
}
