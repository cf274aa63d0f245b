//! QEMU's monitor (QMP): cables unplugged, cards removed.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether a cable is plugged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Plugged in.
    Up,
    /// Unplugged.
    Down,
}

/// The monitor of a running machine.
#[derive(Debug)]
pub struct Qmp {
    lines: BufReader<UnixStream>,
    events: Vec<Value>,
}

impl Qmp {
    /// Greets the monitor.
    pub(super) fn connect(stream: UnixStream) -> Result<Qmp> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut qmp = Qmp { lines: BufReader::new(stream), events: Vec::new() };
        qmp.message().context("QEMU's monitor does not greet")?;
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs a command of the monitor. Returns its answer.
    ///
    /// # Errors
    /// If QEMU refuses it, with QEMU's reason, or has ended.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.lines.get_mut(), "{request}").with_context(|| format!("QEMU does not take {command}"))?;
        loop {
            let message = self.message()?;
            if let Some(answer) = message.get("return") {
                return Ok(answer.clone());
            }
            if let Some(error) = message.get("error") {
                bail!("QEMU refuses {command} {arguments}: {}", error["desc"]);
            }
        }
    }

    /// Plugs or unplugs the cable of a card: `port0` to `port3`, `a`, `b`.
    ///
    /// # Errors
    /// As of [`execute`](Qmp::execute).
    pub fn set_link(&mut self, card: &str, link: Link) -> Result<()> {
        self.execute("set_link", json!({ "name": card, "up": link == Link::Up })).map(drop)
    }

    /// Asks the guest to let go of a card, as its eject button does. [`wait_for`](Qmp::wait_for) `DEVICE_DELETED` tells of the end.
    ///
    /// # Errors
    /// As of [`execute`](Qmp::execute).
    pub fn device_del(&mut self, card: &str) -> Result<()> {
        self.execute("device_del", json!({ "id": card })).map(drop)
    }

    /// Waits for an event, and returns its data. Events that came before it are forgotten.
    ///
    /// # Errors
    /// If it does not come within `limit`.
    pub fn wait_for(&mut self, event: &str, limit: Duration) -> Result<Value> {
        let start = Instant::now();
        loop {
            if let Some(index) = self.events.iter().position(|message| message["event"] == event) {
                let found = self.events.drain(..=index).next_back();
                return Ok(found.map_or(Value::Null, |message| message["data"].clone()));
            }
            let left = limit.checked_sub(start.elapsed()).filter(|left| !left.is_zero());
            let Some(left) = left else { bail!("QEMU did not tell of {event} within {limit:?}") };
            self.lines.get_ref().set_read_timeout(Some(left))?;
            let message = self.message();
            self.lines.get_ref().set_read_timeout(Some(PATIENCE))?;
            message.with_context(|| format!("QEMU did not tell of {event} within {limit:?}"))?;
        }
    }

    /// The next message; events are kept too.
    fn message(&mut self) -> Result<Value> {
        let mut line = String::new();
        let length = self.lines.read_line(&mut line).context("no word from QEMU's monitor")?;
        if length == 0 {
            bail!("QEMU has ended");
        }
        let message: Value = serde_json::from_str(&line).with_context(|| format!("QEMU's monitor says {line}"))?;
        if message.get("event").is_some() {
            self.events.push(message.clone());
        }
        Ok(message)
    }
}
