//! `--list`: what can be captured.

use std::fmt::Write;

use anyhow::Context;
use gannet_apps::monitor::{self, Found, client, state::State};
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
        // One that ends just now is not there.
        None => monitor::list().iter().filter_map(|found| tell(found).ok()).collect(),
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

fn tell(found: &Found) -> anyhow::Result<Program> {
    about(&found.path.display().to_string())
}

fn about(socket: &str) -> anyhow::Result<Program> {
    let State { program, pid, ports, .. } = client::state(socket.as_ref()).context("listing")?;
    let port = |port: gannet_apps::monitor::state::PortState| Port {
        number: port.number,
        name: port.name,
        card: port.card,
        mac: port.mac,
    };
    Ok(Program { program, pid, socket: socket.to_owned(), ports: ports.into_iter().map(port).collect() })
}
