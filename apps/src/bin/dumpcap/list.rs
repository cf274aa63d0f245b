//! `--list`: what can be captured.

use std::fmt::Write;

use gannet_apps::monitor::client::{self, NotNow};
use gannet_apps::monitor::{self, Found, state::State};
use gannet_apps::program;
use serde::Serialize;

use crate::cli::Arguments;

#[derive(Serialize)]
struct Program {
    program: String,
    pid: u32,
    socket: String,
    ports: Vec<Port>,
}

#[derive(Serialize)]
struct Port {
    number: usize,
    name: String,
    card: String,
    mac: String,
}

/// The programs that are running and their ports, as text or JSON.
pub(crate) fn list(arguments: &Arguments) -> anyhow::Result<String> {
    let programs = match &arguments.target {
        Some(target) => vec![about(&monitor::find(Some(target))?.display().to_string())?],
        None => monitor::list().iter().filter_map(tell).collect(),
    };
    if arguments.json {
        return Ok(serde_json::to_string_pretty(&programs)? + "\n");
    }
    if programs.is_empty() {
        // As the capture itself would say it.
        return Ok(match monitor::find(None) {
            Ok(_) => String::new(),
            Err(why) => program::in_words(&why) + "\n",
        });
    }
    let mut text =
        format!("{:<12} {:>8} {:>4}  {:<24} {:<18} {}\n", "PROGRAM", "PID", "PORT", "NAME", "ADDRESS", "CARD");
    for Program { program, pid, ports, .. } in &programs {
        for Port { number, name, card, mac } in ports {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{program:<12} {pid:>8} {number:>4}  {name:<24} {mac:<18} {card}");
        }
    }
    Ok(text)
}

/// What a program says of itself; nothing of one that ends just now.
fn tell(found: &Found) -> Option<Program> {
    let told = about(&found.path.display().to_string());
    if let Err(why) = &told
        && why.is::<NotNow>()
    {
        tracing::warn!("{} {}: {why}", found.program, found.pid);
    }
    told.ok()
}

fn about(socket: &str) -> anyhow::Result<Program> {
    let State { program, pid, ports, .. } = client::state(socket.as_ref(), client::PATIENCE)?;
    let port = |port: gannet_apps::monitor::state::PortState| Port {
        number: port.number,
        name: port.name,
        card: port.card,
        mac: port.mac,
    };
    Ok(Program { program, pid, socket: socket.to_owned(), ports: ports.into_iter().map(port).collect() })
}
