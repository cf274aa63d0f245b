//! Commands that start, stop and wait.

use std::time::Duration;

use anyhow::ensure;
use gannet_apps::values;

use super::{Unmet, show};
use crate::answer::Answer;
use crate::explain;
use crate::grammar::Arguments;
use crate::port::Port;
use crate::session::{Session, Stopped};

/// Bound of a wait that names none.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn start(session: &mut Session, _: &Arguments) -> anyhow::Result<Answer> {
    session.start()?;
    let streams = session.streams().len();
    let plural = if streams == 1 { "" } else { "s" };
    Ok(Answer::done(format!("forwarding with {}: {streams} stream{plural}", session.engine)))
}

pub(super) fn stop(session: &mut Session, _: &Arguments) -> anyhow::Result<Answer> {
    let Stopped { streams, elapsed } = session.stop()?;
    Ok(show::stream_table(&streams, elapsed.as_secs_f64()))
}

/// Does the same with several ports, and says what has been done.
pub(super) fn with_ports(
    session: &mut Session,
    arguments: &Arguments,
    done: &str,
    mut work: impl FnMut(&mut Session, usize) -> anyhow::Result<()>,
) -> anyhow::Result<Answer> {
    let ports = arguments.ports(session.vocabulary());
    for &port in &ports {
        work(session, port)?;
    }
    let numbers: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let plural = if ports.len() == 1 { "" } else { "s" };
    Ok(Answer::done(format!("port{plural} {}: {done}", numbers.join(", "))))
}

pub(super) fn start_port(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    ensure!(!session.is_forwarding(), "forwarding goes on: stop it first");
    let all = arguments.word("PORTS") == "all";
    with_ports(session, arguments, "started", |session, port| {
        // All of them are to run: some may do so already.
        if all && session.ports[port].running().is_some() { Ok(()) } else { session.start_port(port) }
    })
}

pub(super) fn stop_port(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    ensure!(!session.is_forwarding(), "forwarding goes on: stop it first");
    let all = arguments.word("PORTS") == "all";
    with_ports(session, arguments, "stopped", |session, port| {
        let port = &mut session.ports[port];
        if all && port.check_stopped().is_ok() { Ok(()) } else { port.stop() }
    })
}

pub(super) fn clear_stats(session: &mut Session, _: &Arguments) -> anyhow::Result<Answer> {
    session.ports.iter_mut().for_each(Port::clear);
    Ok(Answer::done("counting from 0"))
}

pub(super) fn explain(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let ports = arguments.ports(session.vocabulary());
    Ok(explain::answer(session, &ports))
}

pub(super) fn sleep(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let time = values::seconds(arguments.word("SECONDS")).map_err(anyhow::Error::msg)?;
    session.wait(time, |_| false)?;
    Ok(Answer::done(format!("waited {} s", time.as_secs_f64())))
}

pub(super) fn wait(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    ensure!(session.is_forwarding(), "forwarding is stopped, no packet will come: start begins it");
    let count: u64 = arguments.number("COUNT")?;
    let patience = match arguments.word("SECONDS") {
        "" => PATIENCE,
        text => values::seconds(text).map_err(anyhow::Error::msg)?,
    };
    if !session.wait(patience, |session| session.moved() >= count)? {
        let moved = session.moved();
        let seconds = patience.as_secs_f64();
        return Err(Unmet(format!("{moved} packets after {seconds} s: explain says what is in the way")).into());
    }
    Ok(Answer::done(format!("{count} packets")))
}

pub(super) fn quit(session: &mut Session, _: &Arguments) -> anyhow::Result<Answer> {
    session.quits = true;
    Ok(Answer::of(String::new(), serde_json::json!({ "done": "quit" })))
}
